"""RGB-D cameras that a policy sees through: a compact stereo camera at the wrist, a longer one on a post by the table.

Both are only seen and see: they are part of a cell's visual model, not of its dynamics. The wrist camera's 60 g are
left out of the tool's mass, and nothing collides with housing or post.
"""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from .. import look
from ..shapes import Assembly, box, cylinder, tube_between

WRIST_CAMERA, CELL_CAMERA = "wrist_camera", "cell_camera"  # of the model
CAMERAS = (WRIST_CAMERA, CELL_CAMERA)
WRIST_SIZE = (0.042, 0.042, 0.023)  # m, wide, high, deep
CELL_SIZE = (0.124, 0.029, 0.026)  # m
WRIST_BESIDE = 0.070  # m, from the flange's axis along its y: jaws open along x, so that it looks between them
WRIST_FOVY = 58.0  # deg
PROFILE = 0.040  # m, side of the post's profile

Array = NDArray[np.float64]
Point = tuple[float, float, float]


def add_wrist_camera(
    spec: mujoco.MjSpec, tool: mujoco.MjsBody, height: float, target: float, *, fovy: float = WRIST_FOVY
) -> None:
    """Camera `wrist_camera` beside a tool, with its bracket.

    Args:
        spec: specification with the tool.
        tool: body in the frame of the flange, z out of it.
        height: of the lens, m from the flange.
        target: point of the tool's axis in the middle of the picture, m from the flange.
        fovy: vertical field of view, deg.
    """
    lens = (0.0, WRIST_BESIDE, height)
    rotation = _add(spec, tool, WRIST_CAMERA, lens, (0.0, 0.0, target), (0.0, 0.0, -1.0), fovy, WRIST_SIZE)
    back = np.array(lens) + rotation @ np.array([0.0, 0.0, 0.012])
    bracket = Assembly()
    bracket.add("dark_steel", tube_between((0.0, 0.010, back[2]), back, 0.006))
    bracket.build(spec, tool, "wrist_camera_bracket", look.GROUP_PART)


def add_cell_camera(
    spec: mujoco.MjSpec, pos: Point, target: Point, *, fovy: float, post: tuple[float, float], base: float
) -> None:
    """Camera `cell_camera` at the end of a boom.

    Args:
        spec: specification of the cell.
        pos, target: of the camera and of the middle of its picture, world frame, m.
        fovy: vertical field of view, deg.
        post: where the post stands, x and y, m.
        base: height of what it stands on, m.
    """
    _add(spec, spec.worldbody, CELL_CAMERA, pos, target, (0.0, 0.0, 1.0), fovy, CELL_SIZE)
    above = pos[2] + 0.5 * CELL_SIZE[1] + 0.5 * PROFILE + 0.012
    top = above + 0.5 * PROFILE
    away = np.array([pos[0] - post[0], pos[1] - post[1], 0.0])
    reach = float(np.linalg.norm(away))
    x = away / reach
    turn = np.stack([x, np.array([-x[1], x[0], 0.0]), np.array([0.0, 0.0, 1.0])], axis=1)
    parts = Assembly()
    upright = box((PROFILE, PROFILE, top - base), bevel=0.002)
    parts.add("machined_aluminium", upright.moved((*post, 0.5 * (base + top)), turn))
    boom = box((reach + 0.02, PROFILE, PROFILE), (0.5 * reach + 0.01, 0.0, 0.0), bevel=0.002)
    parts.add("machined_aluminium", boom.moved((*post, above), turn))
    parts.add("dark_steel", box((0.12, 0.12, 0.012), bevel=0.002).moved((*post, base + 0.006), turn))
    parts.add("dark_steel", cylinder(0.008, pos[2], above, segments=24).moved((pos[0], pos[1], 0.0)))
    parts.build(spec, spec.worldbody, "cell_camera_post", look.GROUP_MACHINE)


def _add(
    spec: mujoco.MjSpec, body: mujoco.MjsBody, name: str, pos: Point, target: Point, up: Point, fovy: float, size: Point
) -> Array:
    """Camera and housing; returns the rotation (3, 3) of the camera: x to the right, y up, z backwards."""
    axes = np.array(look.look_at(pos, target, up))
    x, y = axes[:3], axes[3:] / np.linalg.norm(axes[3:])
    rotation = np.stack([x, y, np.cross(x, y)], axis=1)
    body.add_camera(name=name, pos=pos, xyaxes=[*x, *y], fovy=fovy)
    wide, high, deep = size
    parts = Assembly()
    # all of it behind the lens
    parts.add("machine_grey", box(size, (0.0, 0.0, 0.5 * deep + 0.003), bevel=0.004))
    parts.add("black_rubber", box((wide - 0.006, high - 0.006, 0.002), (0.0, 0.0, 0.002)))
    for side in (-1.0, 1.0):
        parts.add("slit_dark", cylinder(0.005, 0.0005, 0.0015, segments=24).moved((0.3 * side * wide, 0.0, 0.0)))
    placed = Assembly()
    placed.place(parts, pos, rotation)
    placed.build(spec, body, name, look.GROUP_PART)
    return rotation
