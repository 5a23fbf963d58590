"""Machine-tending cell: any arm with a wrist sensor and a compliant gripper, a tray of raw blanks, a milling machine.

The machine stands before the robot with its front across the world's x axis: a sill, fixed panels and a door that
slides to the left, and behind them a vise whose fixed jaw is the far one. The tray stands in front, to the right.
"""

from __future__ import annotations

import mujoco
import numpy as np

from .. import look
from ..fixtures.support import add_slide
from ..fixtures.vise import add_vise
from ..robots.arm import Arm
from ..robots.arm_drive import Actuators
from ..tools import parallel_gripper
from ..tools.compliance_unit import add_compliance_unit
from ..tools.ft_sensor import add_ft_sensor
from ..tools.mount import grasp_options
from ..tools.parallel_gripper import add_parallel_gripper
from . import tend_cell_shapes
from .work_cell import CAMERAS as WORK_CELL_CAMERAS
from .work_cell import TABLE_TOP, WorkCell, work_cell

__all__ = [
    "CAMERAS", "DOOR_STROKE", "DOOR_X", "GRIP_HEIGHT", "PART", "SEAT", "TIMESTEP", "TRAY", "TRAY_FLOOR", "station",
    "tend_cell",
]  # fmt: skip

CAMERAS = ("cell", *WORK_CELL_CAMERAS)
TIMESTEP = 0.002  # s
PART = (0.036, 0.050, 0.050)  # m: a sawn blank; x across the jaws, y is gripped
PART_DENSITY = 2700.0  # kg/m^3, aluminium
GRIP_HEIGHT = 0.035  # m, middle of the pads over the part's lower face: they stay above jaws and stop
# Everything below is relative to the station, a point of the table, x away from the robot and y to its left, m.
TRAY, TRAY_FLOOR = (-0.105, -0.170), 0.012
TRAY_SIZE = (0.110, 0.230, 0.012)  # inside, and height of the rim
SEAT = (0.105, 0.030, 0.075)  # of the part in the vise
DOOR_X = 0.0  # middle of the door
DOOR_SIZE = (0.016, 0.520, 0.780)  # thickness, width and height
DOOR_STROKE = 0.480  # m, to the left
SILL = 0.060  # over the table, lower edge of the opening
HALF_OPENING = 0.240
REACHED = 0.20  # m, of the left panel, that can be touched
FRONT = (-0.400, 0.790)  # ends of the machine's front beside the seat, along y
SPREAD = 0.8  # of the arm's reach, at which the vise stands at most
FRICTION, LEAST_FRICTION = 0.25, 0.05  # sawn aluminium on hardened steel and on polypropylene
CONTACT = {"solref": [0.010, 1.0], "solimp": [0.98, 0.995, 1e-3, 0.5, 2.0]}


def station(cell: WorkCell) -> tuple[float, float, float]:
    """The point of the table that the cell is built around, world frame, m: before short arms nearer to them."""
    x, y = cell.station
    return min(x, SPREAD * cell.robot.reach - SEAT[0]), y, TABLE_TOP


def _box(body: mujoco.MjsBody, name: str, low: tuple[float, float, float], high: tuple[float, float, float]) -> None:
    a, b = np.array(low), np.array(high)
    body.add_geom(
        name=name, type=mujoco.mjtGeom.mjGEOM_BOX, size=0.5 * (b - a), pos=0.5 * (a + b), contype=1, conaffinity=0,
        mass=0.0, group=look.GROUP_COLLISION, friction=[LEAST_FRICTION, 0.002, 0.0001], **CONTACT,
    )  # fmt: skip


def _add_part(spec: mujoco.MjSpec, pos: tuple[float, float, float], visual: bool) -> None:
    """The free body `part`, its origin in the middle of its lower face; geom `part`, joint `part_free`."""
    x, y, z = PART
    part = spec.worldbody.add_body(name="part", pos=pos, simple=False)
    part.add_freejoint(name="part_free")
    part.explicitinertial = True
    part.mass = mass = PART_DENSITY * x * y * z
    part.ipos = [0.0, 0.0, 0.5 * z]
    part.inertia = [mass * (a * a + b * b) / 12.0 for a, b in ((y, z), (x, z), (x, y))]
    part.add_geom(
        name="part", type=mujoco.mjtGeom.mjGEOM_BOX, size=[x / 2, y / 2, z / 2], pos=[0.0, 0.0, z / 2], mass=0.0,
        contype=1, conaffinity=1, friction=[FRICTION, 0.002, 0.0001], group=look.GROUP_COLLISION, **CONTACT,
    )  # fmt: skip
    if visual:
        tend_cell_shapes.add_blank(spec, part, "part", PART)


def _add_tray(spec: mujoco.MjSpec, at: tuple[float, float, float], visual: bool) -> None:
    body = spec.worldbody.add_body(name="tray", pos=[at[0] + TRAY[0], at[1] + TRAY[1], at[2] + TRAY_FLOOR])
    (x, y, rim), t = TRAY_SIZE, 0.005
    _box(body, "tray_floor", (-x / 2 - t, -y / 2 - t, -TRAY_FLOOR), (x / 2 + t, y / 2 + t, 0.0))
    for name, low, high in (
        ("near", (-x / 2 - t, -y / 2 - t, 0.0), (-x / 2, y / 2 + t, rim)),
        ("far", (x / 2, -y / 2 - t, 0.0), (x / 2 + t, y / 2 + t, rim)),
        ("right", (-x / 2, -y / 2 - t, 0.0), (x / 2, -y / 2, rim)),
        ("left", (-x / 2, y / 2, 0.0), (x / 2, y / 2 + t, rim)),
    ):
        _box(body, f"tray_{name}", low, high)
    if visual:
        tend_cell_shapes.add_tray(spec, body, TRAY_SIZE, TRAY_FLOOR, PART)


def _add_machine(spec: mujoco.MjSpec, at: tuple[float, float, float], visual: bool) -> None:
    """Body `machine` with the fixed front, origin on the table in the door's plane before the vise; the door on it."""
    machine = spec.worldbody.add_body(name="machine", pos=[at[0] + DOOR_X, at[1] + SEAT[1], at[2]])
    right, t, top = FRONT[0], 0.5 * DOOR_SIZE[0], SILL + DOOR_SIZE[2]
    # the panels are behind the door, which slides in front of the left one
    front, back = t + 0.002, t + 0.016
    _box(machine, "sill", (-t, -HALF_OPENING, 0.0), (back, HALF_OPENING, SILL))
    _box(machine, "panel_right", (front, right, 0.0), (back, -HALF_OPENING, top))
    # farther to the left, and above the opening, no arm comes near
    _box(machine, "panel_left", (front, HALF_OPENING, 0.0), (back, HALF_OPENING + REACHED, top))
    door = add_slide(
        spec, machine, "door", pos=(0.0, 0.0, SILL), axis=(0.0, 1.0, 0.0), stroke=DOOR_STROKE, mass=14.0,
        frequency_hz=6.0,
    )  # fmt: skip
    _, width, height = DOOR_SIZE
    _box(door, "door", (-t, -width / 2, 0.004), (t, width / 2, height))
    if visual:
        tend_cell_shapes.add_machine(spec, machine, at[2], FRONT, (HALF_OPENING, SILL, top), SEAT[0] - DOOR_X)
        tend_cell_shapes.add_door(spec, door, DOOR_SIZE)


def tend_cell(
    robot: Arm,
    *,
    actuators: Actuators = "position",
    timestep: float = TIMESTEP,
    visual: bool = True,
) -> mujoco.MjSpec:
    """Build the cell.

    Names: see `work_cell`, `add_ft_sensor`, `add_compliance_unit`, `add_parallel_gripper` and `add_vise`; site `tip` in
    the middle of the pads, with x across the jaws of the gripper and z down; free body `part`; body `tray`; body
    `vise`; body `machine` with the joint and actuator `door` (m; 0 shut, `DOOR_STROKE` open) and the sensor
    `machine_touched`, which counts contacts of door, sill and panels with anything.

    Args:
        robot: the arm.
        actuators: kind of joint actuators.
        timestep: physics step, s.
        visual: also build what is only seen.
    """
    cell = work_cell(robot, actuators=actuators, timestep=timestep, visual=visual)
    spec, at = cell.spec, station(cell)
    spec.modelname = "tend_cell"
    grasp_options(spec)
    wrist = add_compliance_unit(spec, add_ft_sensor(spec, robot.flange, visual=visual), visual=visual)
    gripper = add_parallel_gripper(spec, wrist, visual=visual)
    gripper.add_site(name="tip", pos=[0.0, 0.0, parallel_gripper.TCP], size=[0.002, 0.0, 0.0], group=4)
    _add_tray(spec, at, visual)
    _add_machine(spec, at, visual)
    seat = (at[0] + SEAT[0], at[1] + SEAT[1], at[2] + SEAT[2])
    add_vise(spec, spec.worldbody, "vise", PART, pos=seat, height=SEAT[2], visual=visual)
    _add_part(spec, (at[0] + TRAY[0], at[1] + TRAY[1], at[2] + TRAY_FLOOR), visual)
    _add_touch_sensor(spec)
    if visual:
        _add_view(spec, at)
    return spec


def _add_touch_sensor(spec: mujoco.MjSpec) -> None:
    touched = spec.add_sensor(
        name="machine_touched", type=mujoco.mjtSensor.mjSENS_CONTACT, objtype=mujoco.mjtObj.mjOBJ_XBODY,
        objname="machine",
    )  # fmt: skip
    touched.intprm[:3] = [1 << int(mujoco.mjtConDataField.mjCONDATA_FOUND), 0, 1]


def _add_view(spec: mujoco.MjSpec, at: tuple[float, float, float]) -> None:
    x, y, z = at
    look.add_light(
        spec, "cabin", (x + 0.10, y - 0.25, z + 0.70), (x + 0.12, y + 0.05, z), 0.32, specular=0.3, spot=True,
        cutoff=70.0, exponent=1.0,
    )  # fmt: skip
    # the machine stands where the work cell's cameras look from
    for name, pos, target in (
        ("overview", (x - 1.55, y - 1.75, z + 1.05), (x + 0.10, y + 0.05, z + 0.22)),
        ("close", (x - 0.30, y - 0.44, z + 0.42), (x + 0.09, y + 0.03, z + 0.10)),
    ):
        camera = spec.camera(name)
        camera.pos = pos
        camera.alt.xyaxes = look.look_at(pos, target)
    look.add_camera(spec.worldbody, "cell", (x - 0.66, y - 0.68, z + 0.66), (x + 0.06, y - 0.01, z + 0.15), 42.0)
