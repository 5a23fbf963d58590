"""Arc-welding cell: an arm with torch and wire feeder, a part on a table or a positioner, power source and curtains.

World frame: z up, origin on the floor below the robot's base, +x from the robot over the work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from ...errors import ShopfloorError
from .. import look
from ..fixtures import rail as track
from ..fixtures.positioner import TABLE_HEIGHT, TILT_HEIGHT, add_positioner
from ..fixtures.power_source import add_power_source
from ..parts.weldments import Weldment, add_weldment, tee
from ..robots import ar1440, arcmate100id
from ..robots.arm import arm
from ..robots.arm_drive import Actuators
from ..tools.welding_torch import CTWD, STICKOUT, add_welding_torch
from ..tools.welding_torch_feeder import add_wire_feeder
from . import weld_cell_shapes

CAMERAS = ("overview", "work", "seam", "side", "top", "torch")
MOUNTS = ("table", "positioner", "floor")

PEDESTAL_HEIGHT = 0.35  # m, floor to robot base; on a rail its carriage is that high
WORK_X = 0.95  # m, middle of table or positioner
TABLE_TOP = 0.70  # m
TABLE_SIZE = (0.90, 1.20)  # m, depth (x) and width (y)
POSITIONER_PLINTH = 0.15  # m
BASE_POS = (0.0, 0.0, PEDESTAL_HEIGHT)
# The seam of a part runs along its x; it lies across the cell, its left side towards the robot, welded towards +y.
PART_QUAT = (float(np.sqrt(0.5)), 0.0, 0.0, float(np.sqrt(0.5)))
# On the floor stand blocks and cells, open side (-x) towards the robot.
FLOOR_X, FLOOR_QUAT = 1.02, (1.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Welder:
    """A robot that this cell knows.

    Attributes:
        home: joint angles (rad) with a torch of 22 degrees vertical over the work.
        feeder: where the wire feeder stands on link_3, m.
    """

    home: tuple[float, ...]
    feeder: tuple[float, float, float]


WELDERS: dict[str, Welder] = {
    "ar1440": Welder((0.0, -0.2529, -0.4624, 0.0, -0.9773, 0.0), ar1440.FEEDER_POS),
    "arcmate100id": Welder((0.0, -0.1938, -0.4576, 0.0, -0.9231, 0.0), arcmate100id.FEEDER_POS),
}


def work_height(mount: str) -> float:
    """Height (m) of the face that a part stands on."""
    return {"table": TABLE_TOP, "positioner": POSITIONER_PLINTH + TILT_HEIGHT + TABLE_HEIGHT, "floor": 0.0}[mount]


def _obstacle(
    body: mujoco.MjsBody, name: str, size: tuple[float, float, float], pos: tuple[float, float, float]
) -> None:
    body.add_geom(
        name=name, type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.5 * s for s in size], pos=pos, contype=1, conaffinity=0,
        group=look.GROUP_COLLISION,
    )  # fmt: skip


def _add_robot(
    spec: mujoco.MjSpec, robot: str, rail: bool, neck_deg: float, ctwd: float, stickout: float, actuators: Actuators,
    visual: bool,
) -> None:  # fmt: skip
    world = spec.worldbody
    description = arm(robot)
    if rail:
        quat = (float(np.sqrt(0.5)), 0.0, 0.0, float(np.sqrt(0.5)))
        carriage = track.add_rail(spec, world, quat=quat, actuators=actuators, visual=visual)
        back = (quat[0], 0.0, 0.0, -quat[3])
        description.add(spec, carriage, quat=back, actuators=actuators, visual=visual)
    else:
        half = 0.5 * PEDESTAL_HEIGHT
        _obstacle(world, "pedestal_collision", (0.32, 0.32, PEDESTAL_HEIGHT - 0.02), (0.0, 0.0, half - 0.01))
        description.add(spec, world, pos=BASE_POS, actuators=actuators, visual=visual)
    add_wire_feeder(spec, pos=WELDERS[robot].feeder, visual=visual)
    add_welding_torch(spec, neck_deg=neck_deg, ctwd=ctwd, stickout=stickout, visual=visual)


def _add_view(spec: mujoco.MjSpec, height: float) -> None:
    world = spec.worldbody
    look.render_settings(spec, center=(0.5, 0.0, 0.9), extent=2.4, headlight=0.16)
    # light is computed at corners: without small facets the lamp of the arc would leave no trace on a plate
    spec.visual.quality.numquads = 28
    lamp: dict[str, Any] = {"specular": 0.45, "shadow": True, "spot": True, "cutoff": 80.0, "exponent": 4.0}
    # from below the rim of the hood, which would shade the work
    look.add_light(spec, "key", (2.3, -2.3, 3.3), (0.65, 0.0, 0.7), 0.62, **lamp)
    look.add_light(spec, "fill", (-0.6, -3.0, 1.9), (0.9, 0.0, 0.8), 0.26, specular=0.2)
    look.add_light(spec, "back", (-3.0, -1.5, 3.2), (0.5, 0.0, 1.0), 0.14, specular=0.25)
    look.add_camera(world, "overview", (-0.02, -2.75, 1.92), (0.56, 0.0, 0.88), 40.0)
    look.add_camera(world, "work", (0.26, -0.86, height + 0.44), (0.84, 0.01, height + 0.09), 38.0)
    look.add_camera(world, "seam", (0.60, -0.52, height + 0.28), (WORK_X - 0.03, 0.02, height + 0.04), 34.0)
    look.add_camera(world, "side", (0.6, -3.2, 1.25), (0.55, 0.0, 0.90), 38.0)
    look.add_camera(world, "top", (0.6, 0.0, 4.2), (0.6, 0.0, 0.0), 38.0, up=(1.0, 0.0, 0.0))
    look.add_camera(spec.body("torch"), "torch", (0.075, -0.05, 0.14), (-0.04, 0.0, 0.37), 58.0, up=(0.0, -1.0, 0.0))


def weld_cell(
    *,
    robot: str = "arcmate100id",
    weldment: Weldment | None = None,
    mount: str = "table",
    rail: bool = False,
    neck_deg: float = 22.0,
    ctwd: float = CTWD,
    stickout: float = STICKOUT,
    actuators: Actuators = "position",
    visual: bool = True,
) -> mujoco.MjSpec:
    """Build the cell.

    Joints: `rail` if there is one, those of the arm, then `positioner_tilt` and `positioner_rotate` if there is one;
    actuators have the same names. Body `part` is the work, with the names of `add_weldment`; `tcp`, `contact_tip` and
    `wire_tip` are sites of the torch. Cameras are in `CAMERAS`; keyframe `home`. Without the visual part there are no
    drawn geoms, lights, textures and cameras; everything that is part of the state or of the dynamics is the same.

    Args:
        robot: key of `WELDERS`.
        weldment: the work, a T-fillet unless given.
        mount: "table", "positioner" or "floor", which is for what is as large as a `u_cell`.
        rail: put the arm on a linear track along y.
        neck_deg, ctwd, stickout: of the torch, see `add_welding_torch`.
        actuators: kind of joint actuators.
        visual: also build what is only seen.

    Returns:
        The specification, not yet compiled.

    Raises:
        ShopfloorError: unknown robot or mount.
    """
    if robot not in WELDERS:
        raise ShopfloorError(f"robot={robot!r}: a welding cell has one of {', '.join(WELDERS)}")
    if mount not in MOUNTS:
        raise ShopfloorError(f"mount={mount!r}: choose one of {', '.join(MOUNTS)}")
    work = tee() if weldment is None else weldment
    height = work_height(mount)
    spec = mujoco.MjSpec()
    spec.modelname = "weld_cell"
    spec.compiler.degree = False
    spec.option.timestep = 0.002
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    # rows may have parts of their own (`Weldment.fields`), for which the midphase's bounds do not hold
    spec.option.disableflags |= mujoco.mjtDisableBit.mjDSBL_MIDPHASE
    spec.memory = 2**18  # bytes of arena; a batch allocates one for every row
    world = spec.worldbody
    world.add_geom(
        name="floor_collision", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[4.0, 4.0, 0.1], contype=1, conaffinity=0,
        group=look.GROUP_COLLISION,
    )  # fmt: skip
    _add_robot(spec, robot, rail, neck_deg, ctwd, stickout, actuators, visual)
    if mount == "table":
        _obstacle(world, "table_collision", (*TABLE_SIZE, TABLE_TOP), (WORK_X, 0.0, 0.5 * TABLE_TOP))
        at = (WORK_X, 0.0, height - work.bottom)
        add_weldment(spec, world, work, pos=at, quat=PART_QUAT, visual=visual)
    elif mount == "floor":
        add_weldment(spec, world, work, pos=(FLOOR_X, 0.0, -work.bottom), quat=FLOOR_QUAT, visual=visual)
    else:
        table = add_positioner(
            spec, world, pos=(WORK_X, 0.0, 0.0), plinth=POSITIONER_PLINTH, actuators=actuators, visual=visual
        )
        add_weldment(spec, table, work, pos=(0.0, 0.0, -work.bottom), quat=PART_QUAT, visual=visual)
    add_power_source(spec, world, pos=(-0.85, 1.05, 0.0), quat=(0.9239, 0.0, 0.0, -0.3827), visual=visual)
    qpos = np.concatenate([[0.0] * rail, WELDERS[robot].home, [0.0] * (2 if mount == "positioner" else 0)])
    spec.add_key(name="home", qpos=qpos, ctrl=qpos if actuators == "position" else np.zeros_like(qpos))
    if visual:
        weld_cell_shapes.add_scene(spec, mount == "table", rail, -work.bottom)
        _add_view(spec, height)
    return spec
