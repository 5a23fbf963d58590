"""What the cells of the wafer family have in common: contact settings, pad pairs, home position, clean room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import mujoco
import numpy as np

from ...errors import ShopfloorError
from .. import look
from ..robots.vacuum_scara import set_integrator
from ..robots.wafer_arm import joint_home
from ..shapes import Assembly, box
from .transfer_chamber import SOLIMP, SOLREF, friction_damping

MAX_TIMESTEP = 0.002  # s

Placement = tuple[tuple[float, float, float], float]  # position (m) and turn about z (rad)


def new_cell(name: str, timestep: float) -> tuple[mujoco.MjSpec, float]:
    """Empty specification with the solver settings that `transfer_chamber` explains.

    Args:
        name: of the model.
        timestep: seconds.

    Returns:
        The specification and the bandwidth of servos that is safe at this timestep, Hz.

    Raises:
        ShopfloorError: timestep for which the contact springs would be unstable.
    """
    if not 0.0 < timestep <= MAX_TIMESTEP:
        raise ShopfloorError(f"timestep={timestep!r} s: choose a value in (0, {MAX_TIMESTEP}], contacts need it")
    spec = mujoco.MjSpec()
    spec.modelname = name
    spec.compiler.degree = False
    frequency_hz = set_integrator(spec, timestep)
    option = spec.option
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.solver = mujoco.mjtSolver.mjSOL_NEWTON
    option.impratio = 100.0
    option.tolerance = 1e-12  # the wafer is light against the robot, by which the engine scales the tolerance
    spec.memory = 2**20  # bytes of arena; a batch allocates one for every row
    return spec, frequency_hz


def pair_pads(
    spec: mujoco.MjSpec,
    wafers: Iterable[str],
    pads: Iterable[str],
    *,
    timestep: float,
    friction: float,
    adhesion: float = 0.0,
) -> None:
    """Let every wafer touch every pad: pairs `<wafer>_<pad>`.

    Args:
        spec: specification to extend.
        wafers: names of the wafers.
        pads: names of the pad geoms.
        timestep: seconds.
        friction: Coulomb coefficient.
        adhesion: force of each vacuum cup, N; 0 for pads without one. Switch it by writing `pair_adhesion`.
    """
    pads = tuple(pads)
    for wafer in wafers:
        for pad in pads:
            spec.add_pair(
                name=f"{wafer}_{pad}", geomname1=f"{wafer}_disc", geomname2=pad, condim=3,
                friction=[friction, friction, 0.005, 0.0001, 0.0001], solref=SOLREF, solimp=SOLIMP,
                # Direct format: no stiffness (friction rows have no position), damping as is.
                solreffriction=[0.0, -friction_damping(timestep)], adhesion=adhesion,
            )  # fmt: skip


def place_wafers(wafers: Mapping[str, str], stations: Mapping[str, Placement]) -> dict[str, Placement]:
    """Look up where each wafer starts.

    Raises:
        ShopfloorError: unknown station, two wafers at the same, or a name that is not usable as a prefix.
    """
    placed: dict[str, Placement] = {}
    for name, station in wafers.items():
        if not name.isidentifier():
            raise ShopfloorError(f"wafers: name {name!r}: choose letters, digits and underscores")
        if station not in stations:
            known = ", ".join(s for s in stations if ":" not in s)
            raise ShopfloorError(f"wafers: {name} at {station!r}: choose one of {known} or load_port_<n>:<slot>")
        placed[name] = stations[station]
    taken = list(wafers.values())
    twice = [s for s in taken if taken.count(s) > 1]
    if twice:
        raise ShopfloorError(f"wafers: two of them at {twice[0]!r}: one has to start elsewhere")
    return placed


def turn_quat(angle: float) -> tuple[float, float, float, float]:
    """Orientation (wxyz) of a turn about z by `angle` (rad)."""
    return float(np.cos(angle / 2)), 0.0, 0.0, float(np.sin(angle / 2))


def set_home(spec: mujoco.MjSpec, positions: Mapping[str, float]) -> None:
    """Add keyframe `home`: joints at `positions` (by name, others zero), set-points likewise, wafers where they are."""
    set_points = []
    for actuator in spec.actuators:
        joint = actuator.target
        set_points.append(0.0 if actuator.name == f"{joint}_velocity" else float(positions.get(joint, 0.0)))
    spec.add_key(name="home", qpos=joint_home(positions, spec), ctrl=np.array(set_points))


def add_clean_room(spec: mujoco.MjSpec, x_wall: float, y_wall: float) -> None:
    """Draw the perforated floor and two walls with windows at x = `x_wall` and y = `y_wall` (m)."""
    world = spec.worldbody
    world.add_geom(
        name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[7.0, 7.0, 0.1],
        material=look.material(spec, "clean_floor"), contype=0, conaffinity=0, group=look.GROUP_SCENE,
    )  # fmt: skip
    room = Assembly()
    for k in range(11):
        t = -6.0 + 1.2 * k
        room.add(
            "machined_aluminium", box((0.05, 0.05, 3.4), (x_wall, t, 1.7)), box((0.05, 0.05, 3.4), (t, y_wall, 1.7))
        )
    for z in (0.10, 1.05, 2.35):
        room.add(
            "machined_aluminium", box((0.05, 12.0, 0.05), (x_wall, 0.0, z)), box((12.0, 0.05, 0.05), (0.0, y_wall, z))
        )
    room.build(spec, world, "room", look.GROUP_SCENE)
    sx, sy = np.sign(x_wall), np.sign(y_wall)
    for name, size, pos, finish in (
        ("wall_x", (0.08, 12.0, 3.4), (x_wall + 0.07 * sx, 0.0, 1.7), "clean_wall"),
        ("wall_y", (12.0, 0.08, 3.4), (0.0, y_wall + 0.07 * sy, 1.7), "clean_wall"),
        ("window_x", (0.012, 12.0, 1.3), (x_wall + 0.025 * sx, 0.0, 1.70), "window"),
        ("window_y", (12.0, 0.012, 1.3), (0.0, y_wall + 0.025 * sy, 1.70), "window"),
    ):
        world.add_geom(
            name=name, type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.5 * s for s in size], pos=pos, contype=0, conaffinity=0,
            material=look.material(spec, finish), mass=0.0, group=look.GROUP_SCENE,
        )  # fmt: skip
