"""Pick cell: any arm with a wrist sensor and a parallel gripper, a bin with a part, and a locating fixture.

The fixture locates by the 3-2-1 principle: three buttons carry the part, two pins stop its long side and one its end.
Buttons and pins have spherical tips, so that every contact of part and fixture is a sphere against a box, which MuJoCo
solves in closed form.
"""

from __future__ import annotations

import mujoco
import numpy as np

from .. import look
from ..robots.arm import Arm
from ..robots.arm_drive import Actuators
from ..tools import parallel_gripper
from ..tools.ft_sensor import add_ft_sensor
from ..tools.mount import grasp_options
from ..tools.parallel_gripper import add_parallel_gripper
from ..tools.rgbd_camera import CAMERAS as RGBD_CAMERAS
from ..tools.rgbd_camera import add_cell_camera, add_wrist_camera
from . import pick_cell_shapes
from .work_cell import CAMERAS as WORK_CELL_CAMERAS
from .work_cell import TABLE_TOP, WorkCell, work_cell

__all__ = [
    "APART", "BIN", "BIN_FLOOR", "CAMERAS", "GRIP_HEIGHT", "PART", "SEAT_HEIGHT", "TIMESTEP", "add_part", "bin_floor",
    "pick_cell", "seat",
]  # fmt: skip

CAMERAS = ("cell", *WORK_CELL_CAMERAS, *RGBD_CAMERAS)
TIMESTEP = 0.002  # s
PART = (0.030, 0.060, 0.030)  # m, x is gripped
PART_DENSITY = 7400.0  # kg/m^3: steel, less a bore
GRIP_HEIGHT = 0.020  # m, middle of the pads over the part's lower face
SEAT_HEIGHT = 0.060  # m, buttons over the table
BIN = (0.200, 0.200, 0.045)  # m, inside: x, y and height of the walls
BIN_FLOOR = 0.012  # m, over the table
BIN_WALL = 0.006  # m
APART = 0.15  # m, bin and fixture from the station, to the right and to the left of the robot
BUTTON, PIN = 0.005, 0.004  # m, radii of the tips
PIN_HEIGHT = 0.008  # m, middle of a pin's tip over the buttons
# Places of the tips in the seat's frame: origin in the middle of the seated part's lower face, x out of the long side
# that the two pins stop.
BUTTONS = ((-0.009, -0.022), (0.009, -0.022), (0.0, 0.022))
SIDE_PINS = ((0.5 * PART[0] + PIN, -0.023), (0.5 * PART[0] + PIN, 0.023))
END_PIN = (0.0, 0.5 * PART[1] + PIN)
# Steel on steel and on polypropylene; the larger value of the two that meet counts, so the part's is the one.
FRICTION, LEAST_FRICTION = 0.2, 0.05
# Soft enough that a stiff arm which sets a part down does not hit as if fixture and table were rigid: 10 ms are a
# stiffness of 0.2 MN/m behind the 20 kg that a six-axis arm weighs at its tip.
CONTACT = {"solref": [0.010, 1.0], "solimp": [0.98, 0.995, 1e-3, 0.5, 2.0]}


def seat(cell: WorkCell) -> tuple[float, float, float]:
    """Middle of the lower face of a located part, world frame, m."""
    x, y = cell.station
    return x, y + APART, TABLE_TOP + SEAT_HEIGHT


def bin_floor(cell: WorkCell) -> tuple[float, float, float]:
    """Middle of the bin's floor, world frame, m."""
    x, y = cell.station
    return x, y - APART, TABLE_TOP + BIN_FLOOR


def add_part(spec: mujoco.MjSpec, pos: tuple[float, float, float], visual: bool) -> mujoco.MjsBody:
    """The free body `part`, its origin in the middle of its lower face; geom `part`, joint `part_free`."""
    part = spec.worldbody.add_body(name="part", pos=pos, simple=False)
    part.add_freejoint(name="part_free")
    x, y, z = PART
    part.explicitinertial = True
    part.mass = mass = PART_DENSITY * x * y * z
    part.ipos = [0.0, 0.0, 0.5 * z]
    part.inertia = [mass * (y * y + z * z) / 12.0, mass * (x * x + z * z) / 12.0, mass * (x * x + y * y) / 12.0]
    part.add_geom(
        name="part", type=mujoco.mjtGeom.mjGEOM_BOX, size=[x / 2, y / 2, z / 2], pos=[0.0, 0.0, z / 2], mass=0.0,
        contype=1, conaffinity=1, friction=[FRICTION, 0.002, 0.0001], group=look.GROUP_COLLISION, **CONTACT,
    )  # fmt: skip
    if visual:
        pick_cell_shapes.add_part(spec, part, PART)
    return part


def _obstacle(body: mujoco.MjsBody, name: str, kind: mujoco.mjtGeom, size: list[float], pos: list[float]) -> None:
    body.add_geom(
        name=name, type=kind, size=size, pos=pos, contype=1, conaffinity=0, group=look.GROUP_COLLISION,
        friction=[LEAST_FRICTION, 0.002, 0.0001], **CONTACT,
    )  # fmt: skip


def _add_bin(spec: mujoco.MjSpec, cell: WorkCell) -> None:
    body = spec.worldbody.add_body(name="bin", pos=bin_floor(cell))
    box, (x, y, h), t = mujoco.mjtGeom.mjGEOM_BOX, BIN, BIN_WALL
    _obstacle(body, "bin_floor", box, [x / 2, y / 2, BIN_FLOOR / 2], [0.0, 0.0, -BIN_FLOOR / 2])
    for name, side in (("front", -1.0), ("back", 1.0)):
        _obstacle(body, f"bin_{name}", box, [t / 2, y / 2 + t, h / 2], [side * (x + t) / 2, 0.0, h / 2])
    for name, side in (("right", -1.0), ("left", 1.0)):
        _obstacle(body, f"bin_{name}", box, [x / 2, t / 2, h / 2], [0.0, side * (y + t) / 2, h / 2])
    if cell.visual:
        pick_cell_shapes.add_bin(spec, body, BIN, BIN_WALL, BIN_FLOOR)


def _add_fixture(spec: mujoco.MjSpec, cell: WorkCell, yaw: float) -> None:
    body = spec.worldbody.add_body(
        name="fixture", pos=seat(cell), quat=[np.cos(0.5 * yaw), 0.0, 0.0, np.sin(0.5 * yaw)]
    )
    sphere, box = mujoco.mjtGeom.mjGEOM_SPHERE, mujoco.mjtGeom.mjGEOM_BOX
    for k, (x, y) in enumerate(BUTTONS):
        _obstacle(body, f"button_{k}", sphere, [BUTTON, 0.0, 0.0], [x, y, -BUTTON])
    for k, (x, y) in enumerate((*SIDE_PINS, END_PIN)):
        _obstacle(body, f"pin_{k}", sphere, [PIN, 0.0, 0.0], [x, y, PIN_HEIGHT])
    plate = pick_cell_shapes.PLATE
    top = -pick_cell_shapes.PLATE_DROP
    height = SEAT_HEIGHT + top
    _obstacle(body, "fixture_plate", box, [plate[0] / 2, plate[1] / 2, height / 2], [0.0, 0.0, top - height / 2])
    if cell.visual:
        pins = [(x, y, r, z) for (x, y), r, z in (
            *((b, BUTTON, -BUTTON) for b in BUTTONS), *((p, PIN, PIN_HEIGHT) for p in (*SIDE_PINS, END_PIN)),
        )]  # fmt: skip
        pick_cell_shapes.add_fixture(spec, body, pins, SEAT_HEIGHT)


def pick_cell(
    robot: Arm,
    *,
    yaw: float = 0.0,
    actuators: Actuators = "position",
    timestep: float = TIMESTEP,
    visual: bool = True,
) -> mujoco.MjSpec:
    """Build the cell.

    Names: see `work_cell`, `add_ft_sensor`, `add_parallel_gripper` and `add_part`; site `tip` in the middle of the
    pads, with x across the jaws and z down; body `fixture` whose frame is that of a located part, with geoms
    `button_*`, `pin_*`, `fixture_plate`; body `bin` with geoms `bin_*`; for the cameras see
    `rgbd_camera`.

    Args:
        robot: the arm.
        yaw: of the fixture about the vertical, rad.
        actuators: kind of joint actuators.
        timestep: physics step, s.
        visual: also build what is only seen.
    """
    cell = work_cell(robot, actuators=actuators, timestep=timestep, visual=visual)
    spec = cell.spec
    spec.modelname = "pick_cell"
    grasp_options(spec)
    gripper = add_parallel_gripper(spec, add_ft_sensor(spec, robot.flange, visual=visual), visual=visual)
    gripper.add_site(name="tip", pos=[0.0, 0.0, parallel_gripper.TCP], size=[0.002, 0.0, 0.0], group=4)
    _add_bin(spec, cell)
    _add_fixture(spec, cell, yaw)
    add_part(spec, bin_floor(cell), visual)
    if visual:
        x, y = cell.station
        look.add_camera(spec.worldbody, "cell", (x + 0.62, y - 0.36, TABLE_TOP + 0.42), (x, y, TABLE_TOP + 0.10), 40.0)
        add_wrist_camera(spec, gripper, 0.056, parallel_gripper.TCP + 0.010)
        add_cell_camera(
            spec, (x + 0.34, y, TABLE_TOP + 0.58), (x - 0.02, y, TABLE_TOP + 0.07), fovy=50.0,
            post=(x + 0.30, y + 0.45), base=TABLE_TOP,
        )  # fmt: skip
    return spec
