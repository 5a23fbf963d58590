"""What varies in WaferTransfer and what a controller sees of it: start distribution and observation channels."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ...assets.cells.transfer_chamber import STATIONS
from ..engine.start import Choice, Normal, Term, Uniform
from ..sensing import PRIVILEGED, Channel
from .pads import pad_terms
from .transfer_paths import AHEAD_M

ARM_JOINTS = ("shoulder", "elbow", "wrist")
GENERIC = "generic"  # friction of no pads in particular
KINDS = {"any": (0, 1), "line": (0, 0), "arc": (1, 1)}


_CURVATURE = (
    Channel("path_curvature", 1, "1/m", 0.0, 2.6, offset=1.0, scale=1.0, frame="path",
            description="0 on a line, 1/radius on an arc"),
)  # fmt: skip
_VIA_CURVATURE = (
    Channel("path_curvature", 1, "1/m", 0.0, 60.0, offset=5.0, scale=5.0, frame="path",
            description="1/radius where the commanded tool is"),
    Channel("path_curvature_ahead", len(AHEAD_M), "1/m", 0.0, 60.0, offset=5.0, scale=5.0, frame="path",
            labels=tuple(f"{1000.0 * d:g} mm" for d in AHEAD_M),
            description="curvature further along the path; 0 from its end on"),
    Channel("path_by_via", 5, "1", -4.0, 4.0, offset=0.5, scale=0.5, frame="path",
            labels=("radius of the start in m", "of the via point in m", "of the end in m", "turn in rad", "blend"),
            description="the path, see `via_path`"),
    Channel("path_sharpest", 1, "1/m", 0.0, 60.0, offset=20.0, scale=10.0, frame="path",
            description="largest curvature of the path"),
)  # fmt: skip
PAD_PARAMETERS = ("pad_set", "pad_celsius", "pads_warmed")


def start_terms(
    move: str, friction_error: float, frequency_error: float, sets: tuple[int, int] | None = None
) -> tuple[Term, ...]:
    """What varies from move to move.

    Args:
        move: the task's.
        friction_error, frequency_error: standard deviations of the two estimates, relative.
        sets: first and last index of the pad sets; None for friction of no pads in particular.
    """
    cut = 3.0
    return (
        *(_VIA if move == "via" else _line_or_arc(*KINDS[move])),
        *(_GENERIC if sets is None else (*pad_terms(*sets), *_TEMPERATURES)),
        Uniform("droop", -0.3, 0.3, "deg", description="tilt of the paddle, positive with the tip down"),
        Uniform("frequency", 10.0, 20.0, "Hz", description="frequency of the lowest mode"),
        Uniform("damping_ratio", 0.01, 0.03, "1", description="damping ratio of the lowest mode"),
        Normal(
            "friction_error", -cut * friction_error, cut * friction_error, "1", cut=cut,
            description="relative error of the friction estimate",
        ),
        Normal(
            "frequency_error", -cut * frequency_error, cut * frequency_error, "1", cut=cut,
            description="relative error of the frequency estimate",
        ),
    )  # fmt: skip


def _line_or_arc(first: int, last: int) -> tuple[Term, ...]:
    return (
        Choice("move_kind", first, last, "1", description="0: line, 1: arc"),
        Choice("direction", 0, 1, "1", description="0: retract or turn right, 1: extend or turn left"),
        Choice("station", 0, len(STATIONS) - 1, "1", description="station at which a line or arc begins"),
        Uniform("line_length", 0.25, 0.60, "m", description="length of a line"),
        Uniform("line_place", 0.0, 1.0, "1", description="place of a line between shortest and longest reach"),
        Uniform("arc_radius", 0.40, 0.60, "m", description="radius of an arc, wafer centre"),
        Uniform("arc_angle", 0.8, 3.1, "rad", description="angle of an arc"),
    )


_VIA = (
    Choice("station", 0, len(STATIONS) - 1, "1", description="station at which the move begins"),
    Choice("turn", 1, len(STATIONS) - 1, "1", description="stations further to the one where it ends"),
    Uniform("begin_reach", 0.86, 0.98, "m", description="radius of the wafer's centre at the start"),
    Uniform("end_reach", 0.86, 0.98, "m", description="radius at the end"),
    Uniform("via_radius", 0.40, 0.60, "m", description="radius of the via point"),
    # with more, a wafer that turns before it has left a slit comes close to its side
    Uniform("via_blend", 0.45, 0.60, "1", description="share of retraction and extension in which the arm turns"),
)
_GENERIC = (Uniform("friction", 0.10, 0.35, "1", description="Coulomb friction of the pads"),)
_TEMPERATURES = (
    Uniform("pad_celsius", 25.0, 150.0, "degC", description="temperature of the pads"),
    Uniform("pads_warmed", -20.0, 60.0, "K", description="how much warmer they are than in the moves of the estimate"),
)


def channels(action: str, via: bool = False, pads: tuple[str, ...] = (), follows: bool = False) -> tuple[Channel, ...]:
    """What the policy sees under an action interface, and what only simulation knows.

    Args:
        action: the task's.
        via: whether the path is one by way of a via point.
        pads: names of the pad sets; none for friction of no pads in particular.
        follows: whether the mode follows the arm's extension.
    """
    arm = ARM_JOINTS
    own = {
        "joint_motion": (
            Channel("path_start", 3, "1", -4.0, 4.0, labels=("radius in m", "direction in rad", "sign"), scale=1.0,
                    offset=0.0, frame="path", description="of the path; sign 1 outward or left, -1 inward or right"),
            Channel("joint_reference", 3, "rad", -15.0, 15.0, scale=2.0, frame="joint", labels=arm,
                    description="commanded angles"),
            Channel("joint_reference_velocity", 3, "rad/s", -12.0, 12.0, scale=3.0, frame="joint", labels=arm,
                    description="commanded joint speeds"),
        ),
        "path_acceleration": (
            Channel("raw_remaining", 1, "m", 0.0, 2.5, offset=0.4, scale=0.4, frame="path",
                    description="commanded distance to the target before averaging"),
            Channel("raw_speed", 1, "m/s", 0.0, 1.7, offset=0.4, scale=0.4, frame="path",
                    description="commanded speed before averaging"),
        ),
    }.get(action, ())  # fmt: skip
    shaper = () if action == "joint_motion" else (
        Channel("shaper_period", 1, "s", 0.0, 0.25, offset=0.06, scale=0.03,
                description="averaging period in force, 0 before the first step"),
    )  # fmt: skip
    # elastomers hold much more than the friction that is usual without them, worn ceramics less
    friction = partial(replace, low=0.02, high=2.0, offset=0.4, scale=0.3) if pads else replace
    most = 16.0 if pads else 8.0
    frequency = partial(replace, high=60.0, offset=20.0, scale=6.0) if follows else replace
    of_pads = (
        Channel("pad_set", 1, "1", 0.0, float(max(1, len(pads) - 1)), description="kind of pads: " + ", ".join(
            f"{k} {name}" for k, name in enumerate(pads))),
        Channel("pad_celsius", 1, "degC", 0.0, 400.0, offset=90.0, scale=40.0, noise=1.0,
                description="temperature of the pads"),
        Channel("pads_warmed", 1, "K", -100.0, 100.0, offset=20.0, scale=25.0,
                description="how much warmer the pads are than in the moves of the friction estimate"),
    ) if pads else ()  # fmt: skip
    return (
        Channel("joint_position", 3, "rad", -7.0, 7.0, scale=2.0, frame="joint", noise=2e-5, quantization=1.745e-5,
                labels=arm, description="encoder angles, resolution 0.001 deg"),
        Channel("joint_velocity", 3, "rad/s", -12.0, 12.0, scale=3.0, frame="joint", noise=2e-3, labels=arm,
                description="joint speeds, from encoder differences"),
        friction(Channel("friction_estimate", 1, "1", 0.05, 0.5, offset=0.225, scale=0.08,
                         description="friction coefficient as past moves suggest it")),
        *of_pads,
        frequency(Channel("frequency_estimate", 1, "Hz", 7.0, 25.0, offset=15.0, scale=3.0,
                          description="frequency of the lowest mode as past moves suggest it")),
        Channel("path_length", 1, "m", 0.0, 2.5, offset=0.7, scale=0.4, frame="path", description="length of move"),
        *(_VIA_CURVATURE if via else _CURVATURE),
        Channel("path_remaining", 1, "m", 0.0, 2.5, offset=0.4, scale=0.4, frame="path",
                description="commanded distance to the target"),
        Channel("path_speed", 1, "m/s", 0.0, 1.7, offset=0.4, scale=0.4, frame="path",
                description="commanded speed"),
        Channel("path_acceleration", 1, "m/s^2", -most, most, scale=1.5, frame="path",
                description="commanded acceleration, mean over the last step"),
        *shaper,
        *own,
        friction(Channel("friction", 1, "1", 0.05, 0.5, group=PRIVILEGED, description="friction coefficient")),
        Channel("droop", 1, "rad", -0.01, 0.01, group=PRIVILEGED, description="tilt of the paddle, tip down"),
        frequency(Channel("frequency", 1, "Hz", 7.0, 25.0, group=PRIVILEGED,
                          description="frequency of the lowest mode")),
        Channel("damping_ratio", 1, "1", 0.0, 0.1, group=PRIVILEGED, description="damping ratio of that mode"),
        Channel("slip_mm", 1, "mm", 0.0, 10.0, group=PRIVILEGED, description="largest slip on a pad so far"),
        Channel("deflection_mm", 2, "mm", -20.0, 20.0, group=PRIVILEGED, frame="paddle",
                labels=("radial", "lateral"), description="deflection of the flexible mode"),
    )  # fmt: skip
