"""U-cell of a double hull with a portable welding robot in it: a cobot arm on a skid, its torch, the plates around it.

World frame: z up, origin on the shop floor below the middle of the robot's base, +x into the cell, towards the
transverse. The skid is pushed to a stop, so that the transverse stands `TRANSVERSE_X` in front of the base whatever the
size of the cell, and a little right of the middle, for an arm reaches around its elbow; in a short cell the skid stands
in its opening.
"""

from __future__ import annotations

import mujoco
import numpy as np

from .. import look
from ..fixtures.power_source import add_power_source
from ..parts.weldments import Weldment, add_weldment, u_cell
from ..robots.arm import arm
from ..robots.arm_drive import Actuators
from ..tools.welding_torch import CTWD, STICKOUT, add_welding_torch
from . import weld_u_cell_shapes

CAMERAS = ("cell", "overview", "stiffener", "corner", "top", "torch")
ROBOT = "ur10e"
# Torch with the wire at 45 degrees to the flange: over a fillet on the floor the flange looks straight down.
NECK_DEG = 45.0
TRANSVERSE_X, MIDDLE_Y = 0.68, 0.02  # m, of the transverse's face, and of the middle of the cell
BASE_HEIGHT = 0.12  # m, of the robot's base over the plate that the skid stands on
SKID = (0.36, 0.26, 0.03)  # m, its top plate
# Torch over the stiffener's foot on the right, elbow up, wrist clear of both longitudinals (rad).
HOME = (0.05, -1.40, -2.19, -0.96, 1.55, 0.22)

# The nominal cell, m.
LENGTH, WIDTH, HEIGHT = 0.800, 0.800, 0.600
FLOOR, WALL = 0.014, 0.012
STIFFENER, STIFFENER_HEIGHT, STIFFENER_LENGTH, SCALLOP = 0.011, 0.150, 0.090, 0.042


def nominal_cell() -> Weldment:
    """The cell as drawn: a short flat bar, a scallop wide, stands on the floor before the transverse."""
    return u_cell(
        length=LENGTH, width=WIDTH, height=HEIGHT, floor_thickness=FLOOR, wall_thickness=WALL,
        stiffener_thickness=STIFFENER, stiffener_height=STIFFENER_HEIGHT, stiffener_length=STIFFENER_LENGTH,
        scallop=SCALLOP,
    )  # fmt: skip


def _add_view(spec: mujoco.MjSpec) -> None:
    world = spec.worldbody
    look.render_settings(spec, center=(0.4, 0.0, 0.4), extent=1.8, headlight=0.30)
    # light is computed at corners: without small facets the lamp of the arc would leave no trace on a plate
    spec.visual.quality.numquads = 28
    look.add_light(spec, "key", (-0.2, -1.6, 3.0), (0.6, 0.0, 0.1), 0.62, specular=0.4, shadow=True, spot=True,
                   cutoff=80.0, exponent=4.0)  # fmt: skip
    look.add_light(spec, "fill", (1.6, 1.8, 2.6), (0.6, 0.0, 0.2), 0.34, specular=0.2)
    look.add_light(spec, "back", (-2.4, 0.6, 1.8), (0.5, 0.0, 0.3), 0.18, specular=0.2)
    look.add_camera(world, "cell", (0.24, -0.28, 0.62), (0.585, 0.035, 0.075), 33.0)
    look.add_camera(world, "overview", (-1.45, -1.55, 1.75), (0.28, 0.0, 0.30), 40.0)
    look.add_camera(world, "stiffener", (0.34, -0.22, 0.30), (0.59, 0.03, 0.05), 40.0)
    look.add_camera(world, "corner", (0.50, -0.10, 0.55), (0.67, 0.22, 0.08), 50.0)
    look.add_camera(world, "top", (0.35, 0.0, 2.6), (0.35, 0.0, 0.0), 38.0, up=(1.0, 0.0, 0.0))
    look.add_camera(spec.body("torch"), "torch", (0.09, -0.07, 0.16), (-0.05, 0.0, 0.36), 58.0, up=(0.0, -1.0, 0.0))


def weld_u_cell(
    *,
    weldment: Weldment | None = None,
    ctwd: float = CTWD,
    stickout: float = STICKOUT,
    actuators: Actuators = "position",
    visual: bool = True,
) -> mujoco.MjSpec:
    """Build the cell.

    Joints and actuators are those of the arm. Body `part` is the U-cell with the names of `add_weldment`; `tcp`,
    `contact_tip` and `wire_tip` are sites of the torch. Cameras are in `CAMERAS`; keyframe `home`. Without the visual
    part there are no drawn geoms, lights, textures and cameras; everything that is part of the state or of the dynamics
    is the same.

    Args:
        weldment: the U-cell, `nominal_cell` unless given; its transverse stands at `TRANSVERSE_X` if it is as long.
        ctwd, stickout: of the torch, see `add_welding_torch`.
        actuators: kind of joint actuators.
        visual: also build what is only seen.

    Returns:
        The specification, not yet compiled.
    """
    part = nominal_cell() if weldment is None else weldment
    spec = mujoco.MjSpec()
    spec.modelname = "weld_u_cell"
    spec.compiler.degree = False
    spec.option.timestep = 0.002
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    # rows may have cells of their own (`Weldment.fields`), for which the midphase's bounds do not hold
    spec.option.disableflags |= mujoco.mjtDisableBit.mjDSBL_MIDPHASE
    spec.memory = 2**18  # bytes of arena; a batch allocates one for every row
    world = spec.worldbody
    base = -part.bottom + BASE_HEIGHT
    arm(ROBOT).add(spec, world, pos=(0.0, 0.0, base), actuators=actuators, visual=visual)
    world.add_geom(
        name="skid_collision", type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.5 * s for s in SKID],
        pos=[0.0, 0.0, base - 0.5 * SKID[2] - 0.002], contype=1, conaffinity=0, group=look.GROUP_COLLISION,
    )  # fmt: skip
    add_welding_torch(spec, neck_deg=NECK_DEG, ctwd=ctwd, stickout=stickout, cable=True, visual=visual)
    add_weldment(spec, world, part, pos=(TRANSVERSE_X - 0.5 * LENGTH, MIDDLE_Y, -part.bottom), visual=visual)
    add_power_source(spec, world, pos=(-1.15, 0.85, 0.0), quat=(0.9239, 0.0, 0.0, -0.3827), visual=visual)
    spec.add_key(name="home", qpos=HOME, ctrl=HOME if actuators == "position" else np.zeros(len(HOME)))
    if visual:
        weld_u_cell_shapes.add_scene(spec, base, -part.bottom)
        _add_view(spec)
    return spec
