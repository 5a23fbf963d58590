"""Reach cell: a UR10e-class arm on a steel pedestal behind a fixture table, inside a fenced workshop bay.

World frame: z up, origin on the floor below the robot, +x from the robot over the table.
"""

from __future__ import annotations

import mujoco
import numpy as np

from .. import look
from ..robots.ur10e import JOINTS, Actuators, add_ur10e
from . import reach_shapes

CAMERAS = ("overview", "side", "top", "tool")

PEDESTAL_HEIGHT = 0.62  # m, floor to robot base
TABLE_TOP = 0.70  # m
TABLE_CENTER = (0.80, 0.0)  # m
TABLE_SIZE = (0.90, 1.30)  # m, depth (x) and width (y)

# Elbow up, tool straight down, TCP 0.40 m above the table and 0.58 m in front of the base axis (rad).
HOME_QPOS = np.array([0.0, -1.75, 1.90, -np.pi / 2 + 1.75 - 1.90, -np.pi / 2, 0.0])
HOME_QPOS.setflags(write=False)

# The base is turned so that zero pan faces the table and the pan range is symmetric about it.
BASE_QUAT = (0.0, 0.0, 0.0, 1.0)
BASE_POS = (0.0, 0.0, PEDESTAL_HEIGHT)

# Box in which a pose with the tool pointing down can be reached without touching the table (m).
WORKSPACE = (np.array([0.45, -0.45, TABLE_TOP + 0.08]), np.array([1.00, 0.45, TABLE_TOP + 0.55]))


def _add_obstacles(world: mujoco.MjsBody) -> None:
    """Collision shapes of floor, pedestal and table; contype 1 is what the arm's capsules look for."""
    common = {"contype": 1, "conaffinity": 0, "group": look.GROUP_COLLISION}
    world.add_geom(name="floor_collision", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[4.0, 4.0, 0.1], **common)
    half = 0.5 * (PEDESTAL_HEIGHT - 0.02)
    world.add_geom(
        name="pedestal_collision",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=[0.15, 0.15, half],
        pos=[0.0, 0.0, half],
        **common,
    )
    world.add_geom(
        name="table_collision", type=mujoco.mjtGeom.mjGEOM_BOX,
        size=[TABLE_SIZE[0] / 2, TABLE_SIZE[1] / 2, TABLE_TOP / 2],
        pos=[*TABLE_CENTER, TABLE_TOP / 2], **common,
    )  # fmt: skip


def _add_view(spec: mujoco.MjSpec) -> None:
    world = spec.worldbody
    look.render_settings(spec, center=(0.45, 0.0, 0.95), extent=2.2, headlight=0.17)
    look.add_light(
        spec,
        "key",
        (1.05, -1.0, 5.2),
        (0.35, 0.05, 0.6),
        0.62,
        specular=0.5,
        shadow=True,
        spot=True,
        cutoff=42.0,
        exponent=1.0,
    )
    look.add_light(spec, "fill", (1.5, -3.0, 2.6), (0.5, 0.0, 0.9), 0.24, specular=0.25)
    look.add_light(spec, "back", (-3.0, -1.0, 3.0), (0.5, 0.0, 1.0), 0.14, specular=0.25)
    look.add_camera(world, "overview", (2.25, -1.95, 1.85), (0.40, 0.0, 0.90), 38.0)
    look.add_camera(world, "side", (0.55, -3.1, 1.15), (0.50, 0.0, 0.92), 36.0)
    look.add_camera(world, "top", (0.46, 0.0, 3.7), (0.46, 0.0, 0.0), 37.0, up=(1.0, 0.0, 0.0))
    look.add_camera(spec.body("wrist_3"), "tool", (0.0, -0.105, 0.045), (0.0, -0.012, 0.30), 62.0, up=(0.0, -1.0, 0.0))


def reach_cell(*, actuators: Actuators = "position", visual: bool = True) -> mujoco.MjSpec:
    """Build the cell.

    Names: see `add_ur10e` for joints, sites and actuators; cameras are in `CAMERAS`; keyframe `home`.
    Without the visual part there are no drawn geoms, lights, textures and cameras; everything that is part of the
    state or of the dynamics is the same, in the same order, so that states can be copied between the two models.

    Args:
        actuators: kind of joint actuators, see `add_ur10e`.
        visual: also build what is only seen.

    Returns:
        The specification, not yet compiled.
    """
    spec = mujoco.MjSpec()
    spec.modelname = "reach_cell"
    spec.compiler.degree = False
    spec.option.timestep = 0.002
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.memory = 2**18  # bytes of arena; a batch allocates one for every row
    world = spec.worldbody
    _add_obstacles(world)
    add_ur10e(spec, world, pos=BASE_POS, quat=BASE_QUAT, actuators=actuators, visual=visual)
    ctrl = HOME_QPOS if actuators == "position" else np.zeros(len(JOINTS))
    spec.add_key(name="home", qpos=HOME_QPOS, ctrl=ctrl)
    if visual:
        reach_shapes.add_scene(spec, PEDESTAL_HEIGHT, TABLE_TOP, TABLE_CENTER, TABLE_SIZE)
        _add_view(spec)
    return spec
