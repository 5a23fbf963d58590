"""Mechanized welding: a torch on a carriage that runs along its track beside the joint, without a robot.

World frame as in `weld_cell`: the part lies on the same table, its seam along y, welded towards +y. The carriage
is one slide, whose place the process commands.
"""

from __future__ import annotations

import mujoco
import numpy as np

from ...errors import ShopfloorError
from ...frames import quat_from_matrix
from .. import look
from ..fixtures.power_source import add_power_source
from ..fixtures.weld_finishes import add_finishes
from ..parts.weldments import Weldment, add_weldment, lap, tee, v_groove
from ..shapes import Assembly, box, cylinder, sweep
from ..tools.welding_torch import CTWD, add_welding_torch, torch_geometry
from . import weld_cell_shapes
from .weld_cell import PART_QUAT, TABLE_TOP, WORK_X

CAMERAS = ("seam", "bench", "overview", "top")
JOINTS = ("fillet", "lap", "butt", "groove")
MARGIN = 0.020  # m of plate beyond either end of the seam
BEAM_X, BEAM_Z = WORK_X - 0.36, TABLE_TOP + 0.30  # m, track of the carriage


def bench_part(joint: str, thickness: float, length: float, gap: float = 0.001, margin: float = MARGIN) -> Weldment:
    """The part of a kind of joint; its seam is `margin` longer than `length` at either end, m."""
    whole = length + 2.0 * margin
    if joint == "fillet":
        return tee(length=whole, base_thickness=thickness, web_thickness=thickness, web_height=0.08, gap=gap)
    if joint == "lap":
        return lap(length=whole, lower_thickness=thickness, upper_thickness=thickness, gap=gap)
    if joint == "butt":
        # square edges, but for a bevel that nobody sees
        return v_groove(length=whole, thickness=thickness, groove_deg=10.0, root_face=0.95 * thickness, gap=gap)
    if joint == "groove":
        return v_groove(length=whole, thickness=thickness, groove_deg=50.0, root_face=0.001, gap=0.005, backing=0.006)
    raise ShopfloorError(f"joint must be one of {', '.join(JOINTS)}, got {joint!r}")


def _place(part: Weldment) -> np.ndarray:
    """Where the part's frame is in the world, m."""
    return np.array([WORK_X, 0.0, TABLE_TOP - part.bottom])


def part_place(joint: str, thickness: float, length: float) -> np.ndarray:
    """Where the frame of the part of a bench is in the world, m; see `bench_part`."""
    return _place(bench_part(joint, thickness, length))


def _turn(vector: np.ndarray) -> np.ndarray:
    """From the part's frame to the world: a quarter turn about z."""
    return np.stack([-vector[..., 1], vector[..., 0], vector[..., 2]], axis=-1)


def seam_frame(part: Weldment) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First point (3,) of the seam that is welded, its direction and the direction out of the joint, in the world."""
    at = part.seams[0].at(np.array([MARGIN]))
    return _place(part) + _turn(at.position[0]), _turn(at.tangent[0]), _turn(at.bisector[0])


def _draw_track(spec: mujoco.MjSpec, carriage: mujoco.MjsBody) -> None:
    add_finishes(spec)
    track, slide = Assembly(), Assembly()
    track.add("machine_grey", box((0.06, 0.80, 0.08), (BEAM_X, 0.0, BEAM_Z), bevel=0.004))
    track.add("bright_steel", *(box((0.012, 0.78, 0.010), (BEAM_X + dx, 0.0, BEAM_Z + 0.045)) for dx in (-0.02, 0.02)))
    for y in (-0.34, 0.34):
        track.add(
            "graphite", box((0.06, 0.05, BEAM_Z - TABLE_TOP), (BEAM_X, y, 0.5 * (BEAM_Z + TABLE_TOP)), bevel=0.004)
        )
    slide.add("safety_yellow", box((0.11, 0.16, 0.06), (BEAM_X, 0.0, BEAM_Z + 0.085), bevel=0.006))
    slide.add("graphite", box((0.09, 0.10, 0.10), (BEAM_X - 0.01, 0.0, BEAM_Z + 0.165), bevel=0.008))
    slide.add("dark_steel", cylinder(0.035, 0.21, 0.225).moved((BEAM_X - 0.01, 0.0, BEAM_Z)))
    track.build(spec, spec.worldbody, "track")
    slide.build(spec, carriage, "carriage")


def _draw_arm(spec: mujoco.MjSpec, carriage: mujoco.MjsBody, flange: np.ndarray, back: np.ndarray) -> None:
    """Cross-slide from the carriage to the flange, and the hose package."""
    arm = Assembly()
    reach = flange - 0.03 * back
    start = np.array([BEAM_X, 0.0, BEAM_Z + 0.30])
    arm.add("machine_grey", box((0.05, 0.05, 0.22), (BEAM_X, 0.0, BEAM_Z + 0.22), bevel=0.004))
    arm.add("machine_grey", sweep([start, reach + np.array([0.0, 0.0, 0.02]), reach], 0.018, 16, 48))
    arm.add("dark_steel", sweep([reach, flange], 0.042, 24, 8))
    hose = [flange - 0.02 * back, flange + np.array([-0.10, 0.0, 0.16]), start + np.array([-0.12, 0.05, 0.22]),
            start + np.array([-0.55, 0.25, 0.05])]  # fmt: skip
    arm.add("black_rubber", sweep(hose, 0.014, 12, 64))
    arm.build(spec, carriage, "cross_slide")


def _add_view(spec: mujoco.MjSpec) -> None:
    world = spec.worldbody
    look.render_settings(spec, center=(0.8, 0.0, 0.8), extent=1.6, headlight=0.16)
    spec.visual.quality.numquads = 28
    look.add_light(spec, "key", (2.0, -2.2, 2.9), (0.8, 0.0, 0.7), 0.6, specular=0.45, shadow=True, spot=True,
                   cutoff=80.0, exponent=4.0)  # fmt: skip
    look.add_light(spec, "fill", (-0.6, -2.6, 1.9), (0.9, 0.0, 0.8), 0.28, specular=0.2)
    look.add_light(spec, "back", (-2.4, 1.5, 2.8), (0.7, 0.0, 0.7), 0.16, specular=0.25)
    top = TABLE_TOP + 0.02
    look.add_camera(world, "seam", (WORK_X - 0.22, -0.30, top + 0.16), (WORK_X - 0.02, -0.01, top + 0.01), 40.0)
    look.add_camera(world, "overview", (-0.35, -1.75, 1.85), (0.82, 0.02, 0.78), 40.0)
    look.add_camera(
        world, "bench", (WORK_X - 0.20, -1.00, TABLE_TOP + 0.52), (WORK_X - 0.16, 0.0, TABLE_TOP + 0.16), 42.0
    )
    look.add_camera(world, "top", (WORK_X - 0.05, 0.0, 2.2), (WORK_X - 0.05, 0.0, 0.0), 40.0, up=(1.0, 0.0, 0.0))


def weld_bench(
    *,
    joint: str = "fillet",
    thickness: float = 0.006,
    length: float = 0.200,
    timestep: float = 0.01,
    visual: bool = True,
) -> mujoco.MjSpec:
    """Build the bench.

    Joint `carriage`: place of the torch along the seam, 0 where the weld begins. Body `part` is the work with the names
    of `add_weldment`; `tcp`, `contact_tip` and `wire_tip` are sites of the torch. Cameras are in `CAMERAS`.

    Args:
        joint: "fillet", "lap", "butt" (square edges) or "groove" (V on a ceramic backing).
        thickness: of the plates, m.
        length: of the weld, m.
        timestep: seconds.
        visual: also build what is only seen.

    Raises:
        ShopfloorError: unknown joint or impossible plates.
    """
    part = bench_part(joint, thickness, length)
    spec = mujoco.MjSpec()
    spec.modelname = "weld_bench"
    spec.compiler.degree = False
    spec.option.timestep = timestep
    world = spec.worldbody
    add_weldment(spec, world, part, pos=tuple(_place(part)), quat=PART_QUAT, visual=visual)
    root, along, out = seam_frame(part)
    carriage = world.add_body(name="carriage", gravcomp=1.0)
    carriage.add_joint(
        name="carriage", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=along, range=[-0.05, length + 0.05], damping=200.0
    )
    carriage.add_geom(
        name="carriage_collision", type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.055, 0.08, 0.08],
        pos=[BEAM_X, 0.0, BEAM_Z + 0.13], mass=12.0, contype=0, conaffinity=0, group=look.GROUP_COLLISION,
    )  # fmt: skip
    geometry = torch_geometry(22.0, CTWD)
    # wire against the bisector, neck in the plane across the seam, bent so that the body leans to the track
    z = -out
    tcp = np.stack([np.cross(along, z), along, z], axis=1)
    flange = tcp @ geometry.rotation.T
    place = root - flange @ geometry.tcp
    carriage.add_site(
        name="flange", pos=place, quat=quat_from_matrix(flange.reshape(9)), size=[0.003, 0.0, 0.0], group=4
    )
    add_welding_torch(spec, "flange", neck_deg=22.0, visual=visual)
    add_power_source(spec, world, pos=(-0.05, 1.00, 0.0), quat=(0.9239, 0.0, 0.0, -0.3827), visual=visual)
    if visual:
        weld_cell_shapes.add_scene(spec, True, True, -part.bottom)
        _draw_track(spec, carriage)
        _draw_arm(spec, carriage, place, flange[:, 2])
        _add_view(spec)
    return spec
