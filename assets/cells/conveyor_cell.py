"""Conveyor cell: any arm with a wrist sensor and a vacuum gripper, a belt that brings parts, and a tray with pockets.

The belt runs along the world's y, past the robot, from its right to its left; the tray stands between robot and belt.
The belt's surface moves (MuJoCo's `surfacevel`), its geom does not: what lies on it is carried by friction.
"""

from __future__ import annotations

import mujoco

from .. import look
from ..robots.arm import Arm
from ..robots.arm_drive import Actuators
from ..tools.ft_sensor import add_ft_sensor
from ..tools.mount import grasp_options
from ..tools.rgbd_camera import CAMERAS as RGBD_CAMERAS
from ..tools.rgbd_camera import add_cell_camera, add_wrist_camera
from ..tools.vacuum_gripper import add_vacuum_gripper
from . import conveyor_cell_shapes
from .work_cell import CAMERAS as WORK_CELL_CAMERAS
from .work_cell import TABLE_TOP, WorkCell, work_cell

__all__ = [
    "BELT",
    "BELT_TOP",
    "BELT_X",
    "CAMERAS",
    "CUP_DIAMETER",
    "PART",
    "PARTS",
    "PITCH",
    "POCKET",
    "RIB",
    "TIMESTEP",
    "TRAY_FLOOR",
    "TRAY_X",
    "VACUUM_KPA",
    "conveyor_cell",
    "pockets",
]  # fmt: skip

CAMERAS = ("cell", *WORK_CELL_CAMERAS, *RGBD_CAMERAS)
TIMESTEP = 0.002  # s
PARTS = 3
PART = (0.050, 0.050, 0.014)  # m
PART_MASS = 0.090  # kg: an aluminium cover of 14 mm, hollow
CUP_DIAMETER, VACUUM_KPA = 0.032, 60.0
BELT_X, TRAY_X = 0.065, -0.075  # m, middle of belt and of tray from the station
BELT_TOP, TRAY_FLOOR = 0.080, 0.052  # m, over the table
BELT = (0.120, -1.150, 0.420)  # m, width, and its ends along y from the station
POCKET = 0.058  # m, inside of a pocket
RIB = (0.004, 0.008)  # m, thickness and height of the ribs between pockets
PITCH = POCKET + RIB[0]
# Aluminium on a belt of polyurethane and on polypropylene; the larger value of the two that meet counts.
FRICTION, LEAST_FRICTION = 0.35, 0.05
CONTACT = {"solref": [2.0 * TIMESTEP, 1.0], "solimp": [0.98, 0.995, 1e-3, 0.5, 2.0]}


def pockets(station: tuple[float, float]) -> list[tuple[float, float, float]]:
    """Middles of the pockets' floors, in the order in which they are filled, world frame, m."""
    x, y = station
    return [(x + TRAY_X, y + PITCH * (k - 0.5 * (PARTS - 1)), TABLE_TOP + TRAY_FLOOR) for k in range(PARTS)]


def _still(body: mujoco.MjsBody, name: str, size: list[float], pos: list[float]) -> mujoco.MjsGeom:
    """A box that parts and arm can hit."""
    return body.add_geom(
        name=name, type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.5 * v for v in size], pos=pos, contype=1, conaffinity=0,
        group=look.GROUP_COLLISION, friction=[LEAST_FRICTION, 0.002, 0.0001], **CONTACT,
    )  # fmt: skip


def _add_belt(spec: mujoco.MjSpec, cell: WorkCell) -> None:
    x, y = cell.station
    width, low, high = BELT
    body = spec.worldbody.add_body(name="conveyor", pos=[x + BELT_X, y, TABLE_TOP + BELT_TOP])
    belt = _still(body, "belt", [width, high - low, 0.040], [0.0, 0.5 * (low + high), -0.020])
    # the speed of an episode is a field of the row; without one here the engine would leave it out
    belt.surfacevel = [0.0, 0.1, 0.0, 0.0, 0.0, 0.0]
    if cell.visual:
        conveyor_cell_shapes.add_belt(spec, body, BELT, TABLE_TOP + BELT_TOP, BELT_TOP)


def _add_tray(spec: mujoco.MjSpec, cell: WorkCell) -> None:
    x, y = cell.station
    body = spec.worldbody.add_body(name="tray", pos=[x + TRAY_X, y, TABLE_TOP + TRAY_FLOOR])
    length, (t, h) = PITCH * PARTS + RIB[0], RIB
    _still(body, "tray_floor", [POCKET + 2.0 * t, length, 0.010], [0.0, 0.0, -0.005])
    for k in range(PARTS + 1):
        _still(body, f"rib_{k}", [POCKET + 2.0 * t, t, h], [0.0, PITCH * (k - 0.5 * PARTS), 0.5 * h])
    for name, side in (("near", -1.0), ("far", 1.0)):
        _still(body, f"rib_{name}", [t, length, h], [side * 0.5 * PITCH, 0.0, 0.5 * h])
    if cell.visual:
        conveyor_cell_shapes.add_tray(spec, body, PARTS, POCKET, RIB, TRAY_FLOOR)


def _add_parts(spec: mujoco.MjSpec, cell: WorkCell) -> None:
    """Free bodies `part_0` ..., origins in the middle of their lower faces, joints `part_0_free` ..."""
    x, y, z = PART
    for k in range(PARTS):
        at = (cell.station[0] + BELT_X, cell.station[1] - 0.3 - 0.2 * k, TABLE_TOP + BELT_TOP)
        part = spec.worldbody.add_body(name=f"part_{k}", pos=at, simple=False)
        part.add_freejoint(name=f"part_{k}_free")
        part.explicitinertial = True
        part.mass, part.ipos = PART_MASS, [0.0, 0.0, 0.5 * z]
        part.inertia = [PART_MASS * (a * a + b * b) / 12.0 for a, b in ((y, z), (x, z), (x, y))]
        part.add_geom(
            name=f"part_{k}", type=mujoco.mjtGeom.mjGEOM_BOX, size=[x / 2, y / 2, z / 2], pos=[0.0, 0.0, z / 2],
            mass=0.0, contype=1, conaffinity=1, friction=[FRICTION, 0.002, 0.0001], group=look.GROUP_COLLISION,
            **CONTACT,
        )  # fmt: skip
        if cell.visual:
            conveyor_cell_shapes.add_part(spec, part, PART)


def conveyor_cell(
    robot: Arm,
    *,
    actuators: Actuators = "position",
    timestep: float = TIMESTEP,
    visual: bool = True,
) -> mujoco.MjSpec:
    """Build the cell.

    Names: see `work_cell`, `add_ft_sensor` and `add_vacuum_gripper`; site `tip` in the lip of the free cup, z down;
    body `conveyor` with the geom `belt`, body `tray` with `tray_floor` and `rib_*`, bodies `part_0` to `part_2`; for
    the cameras see `rgbd_camera`.

    Args:
        robot: the arm.
        actuators: kind of joint actuators.
        timestep: physics step, s.
        visual: also build what is only seen.
    """
    cell = work_cell(robot, actuators=actuators, timestep=timestep, visual=visual)
    spec = cell.spec
    spec.modelname = "conveyor_cell"
    grasp_options(spec)
    gripper = add_vacuum_gripper(
        spec, add_ft_sensor(spec, robot.flange, visual=visual), diameter=CUP_DIAMETER, vacuum_kpa=VACUUM_KPA,
        visual=visual,
    )  # fmt: skip
    cup = spec.body("cup")
    gripper.add_site(name="tip", pos=cup.pos, size=[0.002, 0.0, 0.0], group=4)
    _add_belt(spec, cell)
    _add_tray(spec, cell)
    _add_parts(spec, cell)
    if visual:
        x, y = cell.station
        look.add_camera(
            spec.worldbody, "cell", (x + 0.56, y - 0.30, TABLE_TOP + 0.72), (x - 0.01, y - 0.10, TABLE_TOP + 0.07), 42.0
        )
        add_wrist_camera(spec, gripper, 0.036, cup.pos[2] + 0.010)
        add_cell_camera(
            spec, (x + 0.36, y - 0.08, TABLE_TOP + 0.72), (x - 0.03, y - 0.08, TABLE_TOP + 0.08), fovy=46.0,
            post=(x + 0.36, y + 0.50), base=TABLE_TOP,
        )  # fmt: skip
    return spec
