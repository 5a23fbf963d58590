"""Dual-arm swap: the cluster tool with one process module that moves, a wafer on its pedestal, another on an arm.

World frame: that of `cluster_tool`. The other stations are there, with gates and pins fixed. What the task measures it
measures in the frame of the module, body `MODULE`: origin in the middle of the pedestal's top, x along the way of the
wafer into the module. Contact settings: see `transfer_chamber`.

The robot carries its paddles one above the other, so that it swaps without turning: arm a, the lower one, takes the
processed wafer, arm b brings the fresh one. Each wafer meets the pads of its own arm alone, the pins and the pedestal.
"""

from __future__ import annotations

import mujoco
import numpy as np

from .. import look
from ..fixtures import process_module
from ..fixtures.slit_valve import GATE_X, SLIT_HEIGHT, SLIT_WIDTH
from ..fixtures.slit_valve import THICKNESS as VALVE
from ..parts.wafer import THICKNESS, add_wafer
from ..robots import dual_scara
from ..robots.vacuum_scara import PAD_TOP, SEAT_PENETRATION
from . import cluster_tool, cluster_tool_shapes
from .wafer_cell import add_clean_room, new_cell, pair_pads, set_home, turn_quat

CAMERAS = ("overview", "module", "top", "slit")

MODULE = "process_2"
PRESENT = (MODULE, "process_3", "load_lock_1", "load_lock_2")
HEADING = cluster_tool.STATIONS[MODULE]  # rad, direction of the module from the robot axis
STATION_RADIUS = cluster_tool.STATION_RADIUS  # m, robot axis to the wafer centre in the module
HOME_RADIUS = cluster_tool.HOME_RADIUS  # m, wafer centre to robot axis with the arm retracted
MODULE_HEIGHT = cluster_tool.HANDOFF_HEIGHT - process_module.PINS_UP  # m, top of the pedestal above the floor

WAFERS = {"processed": "a", "fresh": "b"}  # and the arm that carries it
PAD_PAIRS = {name: tuple(f"{name}_{arm}_pad_{k}" for k in range(3)) for name, arm in WAFERS.items()}

# In the frame of the module (m): faces of the valve and of its gate along x, edges of the slit, height of the gate's
# top edge when it is shut.
VALVE_X = (-process_module.HALF_LENGTH - VALVE, -process_module.HALF_LENGTH)
GATE_FACES = (VALVE_X[0] + GATE_X - 0.008, VALVE_X[0] + GATE_X + 0.008)
SLIT_LOW = process_module.SLIT_MIDDLE - 0.5 * SLIT_HEIGHT
SLIT_HIGH = process_module.SLIT_MIDDLE + 0.5 * SLIT_HEIGHT
SLIT_HALF_WIDTH = 0.5 * SLIT_WIDTH
GATE_TOP = SLIT_HIGH + 0.012
PIN_SPOTS = tuple(
    (process_module.PIN_CIRCLE * float(np.cos(a)), process_module.PIN_CIRCLE * float(np.sin(a)))
    for a in process_module.PIN_ANGLES
)
BUMP_SPOTS = tuple((-process_module.BUMP_CIRCLE / process_module.PIN_CIRCLE * x,
                    -process_module.BUMP_CIRCLE / process_module.PIN_CIRCLE * y) for x, y in PIN_SPOTS)  # fmt: skip


def pad_lift(arm: str, height: float) -> float:
    """Lift position (m) that brings the tops of the pads of arm `arm` to `height` (m) above the pedestal."""
    return MODULE_HEIGHT + height - cluster_tool.BASE_HEIGHT - dual_scara.PADDLE_HEIGHT[arm] - PAD_TOP


# Height of the pads below a wafer that they are about to take, or above the pins when they carry one (m).
PASSING = 0.004
HOME_LIFT = pad_lift("a", process_module.PINS_UP - PASSING)


def _add_stations(spec: mujoco.MjSpec, visual: bool) -> None:
    """The stations; what can touch nothing in this cell is left out of the physics."""
    cluster_tool.add_stations(spec, PRESENT, (MODULE,), {MODULE: "raised", "process_3": "shut"}, visual)
    for geom in list(spec.geoms):
        if geom.group == look.GROUP_COLLISION and geom.name.startswith(PRESENT[1:]):
            spec.delete(geom)


def _add_wafers(spec: mujoco.MjSpec, timestep: float, visual: bool) -> None:
    c, s = float(np.cos(HEADING)), float(np.sin(HEADING))
    heights = {
        "processed": MODULE_HEIGHT + process_module.BUMP_HEIGHT,
        "fresh": cluster_tool.BASE_HEIGHT + HOME_LIFT + dual_scara.PADDLE_HEIGHT["b"] + PAD_TOP - SEAT_PENETRATION,
    }
    for name, radius in (("processed", STATION_RADIUS), ("fresh", HOME_RADIUS)):
        at = (radius * c, radius * s, heights[name] + 0.5 * THICKNESS)
        body = add_wafer(spec, name=name, pos=at, rests=True, visual=visual)
        body.quat = turn_quat(HEADING)
        spec.delete(spec.geom(f"{name}_rim"))  # nothing here carries a wafer at its rim
        pads = [f"{WAFERS[name]}_pad_{k}" for k in range(3)]
        pair_pads(spec, [name], pads, timestep=timestep, friction=cluster_tool.FRICTION)


def _add_sensors(spec: mujoco.MjSpec) -> None:
    site, module = mujoco.mjtObj.mjOBJ_SITE, mujoco.mjtObj.mjOBJ_XBODY
    kind = mujoco.mjtSensor
    for arm in ("a", "b"):
        for name, what in (("position", kind.mjSENS_FRAMEPOS), ("normal", kind.mjSENS_FRAMEZAXIS)):
            spec.add_sensor(
                name=f"paddle_{arm}_{name}", type=what, objtype=site, objname=f"{arm}_tcp", reftype=module,
                refname=MODULE,
            )  # fmt: skip
    for wafer, arm in WAFERS.items():
        for name, what in (("position", kind.mjSENS_FRAMEPOS), ("normal", kind.mjSENS_FRAMEZAXIS)):
            spec.add_sensor(
                name=f"{wafer}_{name}", type=what, objtype=site, objname=f"{wafer}_centre", reftype=module,
                refname=MODULE,
            )  # fmt: skip
        for name, what in (("position", kind.mjSENS_FRAMEPOS), ("quaternion", kind.mjSENS_FRAMEQUAT)):
            spec.add_sensor(
                name=f"{wafer}_seat_{name}", type=what, objtype=site, objname=f"{wafer}_centre", reftype=site,
                refname=f"{arm}_tcp",
            )  # fmt: skip
    for name in ("pins", "valve_gate"):
        spec.add_sensor(
            name=name, type=kind.mjSENS_JOINTPOS, objtype=mujoco.mjtObj.mjOBJ_JOINT, objname=f"{MODULE}_{name}"
        )


def _add_view(spec: mujoco.MjSpec) -> None:
    z = cluster_tool.HANDOFF_HEIGHT
    world = spec.worldbody
    x, y = STATION_RADIUS * float(np.cos(HEADING)), STATION_RADIUS * float(np.sin(HEADING))
    look.render_settings(
        spec, center=(0.3, 0.2, z), extent=2.6, horizon=(0.90, 0.92, 0.93), zenith=(0.72, 0.78, 0.82), headlight=0.14
    )
    look.add_light(
        spec, "key", (-1.4, -1.7, 4.4), (0.4, 0.2, z), 0.42, specular=0.4, shadow=True, spot=True, cutoff=45.0
    )
    look.add_light(spec, "ceiling", (0.4, 0.3, 5.0), (0.0, 0.0, z), 0.15, specular=0.25)
    look.add_light(spec, "fill", (2.5, 2.4, 3.0), (0.0, 0.0, z), 0.13, specular=0.25)
    look.add_light(spec, "back", (-2.5, 1.5, 2.2), (0.0, 0.0, z), 0.13, specular=0.2)
    look.add_camera(world, "overview", (-0.62, -1.22, 2.30), (0.47, 0.25, z - 0.04), 40.0)
    look.add_camera(world, "module", (0.32, -0.50, 1.62), (0.86 * x, 0.92 * y, z), 46.0)
    look.add_camera(world, "top", (0.35, 0.2, 4.1), (0.35, 0.2, z), 40.0, up=(1.0, 0.0, 0.0))
    look.add_camera(world, "slit", (-0.10, 0.10, 1.24), (x, y, z), 34.0)


def swap_cell(*, timestep: float = 0.001, visual: bool = True) -> mujoco.MjSpec:
    """Build the cell.

    Names: see `add_dual_scara`, `add_process_module` (`process_2`, the one that moves) and `add_wafer` (`processed` on
    the pedestal, `fresh` on arm b); contact pairs `PAD_PAIRS`; cameras `CAMERAS`; sensors, in the frame of the module,
    `paddle_<arm>_position` and `_normal` of the TCP of each arm and `<wafer>_position` and `_normal` of each wafer; in
    the frame of the TCP, `<wafer>_seat_position` and `_quaternion`; `pins` and `valve_gate` (m). Keyframe `home`: arms
    retracted, in front of the module, `PASSING` below the height at which arm a takes a wafer; gate shut, pins down.

    Args:
        timestep: seconds; servos and contacts follow it.
        visual: also build what is only seen.

    Returns:
        The specification, not yet compiled.

    Raises:
        ShopfloorError: timestep for which the contacts would be unstable.
    """
    spec, frequency_hz = new_cell("swap", timestep)
    dual_scara.add_dual_scara(
        spec, spec.worldbody, pos=(0.0, 0.0, cluster_tool.BASE_HEIGHT), servo_frequency_hz=frequency_hz, visual=visual
    )
    _add_stations(spec, visual)
    _add_wafers(spec, timestep, visual)
    _add_sensors(spec)
    set_home(
        spec,
        dual_scara.joint_positions(lift=HOME_LIFT, theta=HEADING, radius_a=HOME_RADIUS, radius_b=HOME_RADIUS),
    )
    if visual:
        cluster_tool_shapes.add_chamber(
            spec, cluster_tool.BASE_HEIGHT, (cluster_tool.APOTHEM, cluster_tool.WALL),
            {n: cluster_tool.STATIONS[n] for n in PRESENT}, cluster_tool.HANDOFF_HEIGHT,
            (cluster_tool.BEAM_RADIUS, cluster_tool.BEAM_OFFSET),
        )  # fmt: skip
        add_clean_room(spec, 3.6, 3.6)
        _add_view(spec)
    return spec
