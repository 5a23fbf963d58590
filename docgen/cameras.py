"""The part of an environment's page that says what its cameras see; see `pages`."""

from __future__ import annotations

from typing import Any

from ..envs.engine.task import Task
from ..envs.sensing.camera import intrinsic_matrix
from .markdown import code, number, table

SIDE = 64  # pixels, the default


def cameras_section(task: Task) -> str:
    """Keys, shapes and cameras of `observation="rgbd"`; empty for a task without."""
    if task.rgbd is None:
        return ""
    model: Any = task.cell(visual=True).compile()
    rows = []
    for camera in task.rgbd.cameras:
        fovy = float(model.camera(camera.model_camera).fovy[0])
        focal = intrinsic_matrix(fovy, SIDE, SIDE)[0, 0]
        rows.append(
            (
                f"{code(f'{camera.name}_rgb')}, {code(f'{camera.name}_depth')}",
                camera.description,
                f"{number(fovy)}° high, f = {focal:.1f} pixels at {SIDE}",
                f"{number(camera.near)} to {number(camera.far)} m",
                f"σ {number(camera.rgb_noise)} of 255; depth {camera.depth_noise:.2g}/m times its square",
                f"{number(1000 * camera.latency_s)} ms",
            )
        )
    head = ("Keys", "Camera", "Field of view", "Depth", "Noise", "Latency")
    dropped = ", ".join(map(code, task.rgbd.replaces))
    state = (
        f"the channels of the policy but for {dropped}, which would have to be found in the pictures"
        if dropped
        else "all channels of the policy, of which none comes from a camera"
    )
    return "\n\n".join(
        [
            f'With `observation="rgbd"` the observation is a `Dict`: `state`, {state}; and from each camera `*_rgb`, '
            "`uint8` of shape (height, width, 3), and `*_depth`, `float32` of shape (height, width), the distance "
            f"along the optical axis in m. `camera_size` is {SIDE} pixels, a side or a pair of width and height.",
            table(head, rows),
            "[Cameras](../cameras.md) has intrinsics, poses, cost and limits.",
        ]
    )
