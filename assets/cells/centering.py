"""Transfer chamber whose stations have two through-beams before the slit valve: the cell of active wafer centring.

A wafer on its way into a station cuts both beams twice. Where the robot's encoders stand at these four edges tells
where the wafer lies on the paddle.
"""

from __future__ import annotations

import mujoco
import numpy as np

from .. import look
from ..fixtures.beam import add_through_beam
from ..robots.vacuum_scara import Flexure
from ..shapes import Assembly, box
from . import transfer_chamber as chamber
from .transfer_chamber_shapes import WALL_TOP
from .wafer_cell import turn_quat

CAMERAS = ("beams", "overview", "top", "wafer")

# Damping of the friction directions times the timestep. Closer to 2, where contacts become unstable, than in the
# transfer chamber: the drift that is left of a carried wafer (see there) is half as large, which at 1 ms is as small as
# the chamber's at 0.5 ms, and there are no contacts but those of the pads.
FRICTION_DAMPING_RATIO = 1.95

BEAM_RADIUS = 0.70  # m, robot axis to the line of the beams, inside the chamber wall
BEAM_OFFSETS = (0.075, -0.075)  # m, beams beside the way of the wafer
# Free length of a beam above the chamber floor (m): receiver in the floor, emitter under a bar at the wall.
BEAM_LOW, BEAM_HIGH = 0.022, WALL_TOP - 0.022


def _add_sensors(spec: mujoco.MjSpec) -> None:
    kind = mujoco.mjtSensor
    for name, which in (("wafer_position", kind.mjSENS_FRAMEPOS), ("wafer_quaternion", kind.mjSENS_FRAMEQUAT)):
        spec.add_sensor(name=name, type=which, objtype=mujoco.mjtObj.mjOBJ_SITE, objname="wafer_centre")


def _holder() -> Assembly:
    """Bar across the way of the wafer with two brackets on the chamber wall, in the frame of a station's direction."""
    parts = Assembly()
    z = chamber.BASE_HEIGHT + BEAM_HIGH + 0.022
    width = 2.0 * max(BEAM_OFFSETS) + 0.06
    parts.add("anodised", box((0.022, width, 0.012), (BEAM_RADIUS, 0.0, z), bevel=0.002))
    length = chamber.CLEAR_RADIUS - BEAM_RADIUS + 0.011
    for y in (-0.5 * width + 0.011, 0.5 * width - 0.011):
        parts.add("anodised", box((length, 0.018, 0.010), (BEAM_RADIUS - 0.011 + 0.5 * length, y, z), bevel=0.0015))
        parts.add("dark_steel", box((0.008, 0.030, 0.034), (chamber.CLEAR_RADIUS - 0.004, y, z - 0.012), bevel=0.001))
    return parts


def centering(*, timestep: float = 0.001, soft: Flexure | None = None, visual: bool = True) -> mujoco.MjSpec:
    """Build the cell.

    Names: see `transfer_chamber`; besides, for each of its stations a body `<station>_beams` with the sites
    `<station>_beam_<k>_emitter` and `_receiver` for k = 0 (left of the wafer's way) and 1; sensors `wafer_position`
    (m) and `wafer_quaternion` in the world; cameras `CAMERAS`.

    Args:
        timestep: seconds; the contact parameters follow it.
        soft: flexure of the wrist; by default 14 Hz and 2 % damping.
        visual: also build what is only seen.

    Returns:
        The specification, not yet compiled.

    Raises:
        ShopfloorError: timestep for which the contact would be unstable.
    """
    spec = chamber.transfer_chamber(
        timestep=timestep, friction_damping_ratio=FRICTION_DAMPING_RATIO, soft=soft, visual=visual
    )
    spec.modelname = "centering"
    world = spec.worldbody
    low, high = chamber.BASE_HEIGHT + BEAM_LOW, chamber.BASE_HEIGHT + BEAM_HIGH
    for name, theta in chamber.STATIONS.items():
        body = world.add_body(name=f"{name}_beams", quat=turn_quat(theta))
        for k, y in enumerate(BEAM_OFFSETS):
            at = (BEAM_RADIUS, y)
            add_through_beam(spec, body, f"{name}_beam_{k}", (*at, high), (*at, low), visual=visual)
        if visual:
            _holder().build(spec, body, f"{name}_beam_holder", look.GROUP_MACHINE)
    _add_sensors(spec)
    if visual:
        z = chamber.BASE_HEIGHT + 0.5 * (BEAM_LOW + BEAM_HIGH)
        look.add_camera(world, "beams", (-0.68, -1.06, 1.86), (0.46, 0.10, z - 0.04), 48.0)
    return spec


def beam_positions(station: str) -> np.ndarray:
    """(2, 2) positions x, y (m) of a station's beams in the world."""
    c, s = np.cos(chamber.STATIONS[station]), np.sin(chamber.STATIONS[station])
    return np.array([(BEAM_RADIUS * c - y * s, BEAM_RADIUS * s + y * c) for y in BEAM_OFFSETS])
