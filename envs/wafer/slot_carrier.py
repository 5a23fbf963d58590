"""The carrier of an episode: where it really stands, what lies in it, and what the mapper makes of that.

Frame of the port: origin at the datum point of an ideal carrier, x towards the robot, z up. A carrier is tilted and
shifted about the centre of the slot in question, where the robot was taught.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...assets.fixtures.beam import horizontal_beam_span
from ...assets.fixtures.foup import PITCH, seat_height
from ...assets.fixtures.load_port import MAPPER_CHORD
from ...assets.fixtures.support import SHELF_Y
from ...assets.parts.wafer import RADIUS, RIM_CIRCLE, THICKNESS, median_height

Array = NDArray[np.float64]

FAULT_SHARE = 0.02  # of the episodes
EMPTY_MM = 0.0  # what the mapper reports as the thickness of nothing
# Half the length of the beam inside a wafer, where a roll makes it look thicker (m).
HALF_CHORD = float(np.sqrt(RADIUS**2 - MAPPER_CHORD**2))


@dataclass(frozen=True)
class Carrier:
    """What `k` episodes find on the load port; lengths in m, angles in rad, frame of the carrier unless said.

    Attributes:
        position: (k, 3) of the carrier in the frame of the port.
        quaternion: (k, 4) its orientation there, wxyz.
        tops: (k, 2) heights of the supports of the slot, left and right.
        wafer_position, wafer_normal: (k, 3) centre and axis of a wafer that rests in the slot.
        warp: (k, 3) rim minus centre of the wafer and its neighbours below and above.
        neighbours: (k, 2) centres of mass of the wafers below and above; far away where there is none.
        present: (k, 2) whether the mapper finds one below and above.
        mapped_mm: (k, 3) mapped heights of wafer, below and above against an ideal carrier, mm; 0 where none is.
        thickness_mm: (k, 3) mapped thickness of the same, `EMPTY_MM` where none is.
        fault: (k,) whether the carrier is one to stay out of.
    """

    position: Array
    quaternion: Array
    tops: Array
    wafer_position: Array
    wafer_normal: Array
    warp: Array
    neighbours: Array
    present: NDArray[np.bool_]
    mapped_mm: Array
    thickness_mm: Array
    fault: NDArray[np.bool_]


def carrier(params: Mapping[str, Array], takes: bool) -> Carrier:
    """Build the carriers of `k` episodes from the task's parameters.

    Args:
        params: sample of the start distribution, by name.
        takes: whether the slot holds the wafer (a get) or is to receive it (a put).
    """
    seat = seat_height(params["slot"])
    errors = 0.001 * params["slot_error"]
    fault = params["fault_draw"] < FAULT_SHARE
    skew = 0.5 * 0.001 * params["shelf_skew"]
    # a wafer in a fault lies in two slots, one side higher; a slot that should be empty is not
    lifted = np.where(fault, PITCH, 0.0) if takes else np.zeros_like(seat)
    tops = np.stack((seat + errors[:, 0] + skew, seat + errors[:, 0] - skew + lifted), axis=-1)
    slope = (tops[:, 0] - tops[:, 1]) / (2.0 * SHELF_Y)  # of the wafer's surface along y
    lean = np.sqrt(1.0 + slope * slope)
    normal = np.stack((np.zeros_like(slope), -slope / lean, 1.0 / lean), axis=-1)
    warp = 0.001 * params["warp"]
    rest = 0.5 * THICKNESS - median_height(warp, RIM_CIRCLE)
    offset = 0.001 * params["wafer_offset"] if takes else np.zeros((seat.size, 2))
    middle = 0.5 * (tops[:, 0] + tops[:, 1]) + rest[:, 0] * lean + slope * offset[:, 1]
    wafer = np.column_stack((offset, middle))
    present = np.column_stack((params["below"] > 0.5, params["above"] > 0.5))
    taken = fault & (not takes)
    present[:, 0] |= taken
    levels = np.column_stack((np.where(taken, seat, seat - PITCH), seat + PITCH)) + errors[:, 1:] + rest[:, 1:]
    holds = np.full(seat.size, takes)
    mapped, thickness = _mapped(params, np.column_stack((holds, present)), taken, seat, middle, slope, levels)
    # what the mapper sees in a slot that is taken belongs to the slot, not to the one below
    mapped[:, 0], thickness[:, 0] = np.where(taken, (mapped[:, 1], thickness[:, 1]), (mapped[:, 0], thickness[:, 0]))
    mapped[:, 1], thickness[:, 1] = np.where(taken, 0.0, mapped[:, 1]), np.where(taken, 0.0, thickness[:, 1])
    far = seat[:, None] - 10.0
    return Carrier(
        *_pose(params, seat), tops, wafer, normal, warp, np.where(present, levels, far), present & ~taken[:, None],
        mapped, thickness, fault,
    )  # fmt: skip


def _pose(params: Mapping[str, Array], seat: Array) -> tuple[Array, Array]:
    """Position and orientation of carriers tilted about the slot at height `seat` (k,)."""
    roll, pitch = np.deg2rad(params["tilt"]).T
    cr, sr, cp, sp = np.cos(0.5 * roll), np.sin(0.5 * roll), np.cos(0.5 * pitch), np.sin(0.5 * pitch)
    quaternion = np.stack((cr * cp, sr * cp, cr * sp, sr * sp), axis=-1)  # pitch about y, then roll about x
    arm = rotate(quaternion, np.column_stack((np.zeros_like(seat), np.zeros_like(seat), seat)))
    shift = 0.001 * params["teach_error"]
    return np.column_stack(
        (shift[:, 0] - arm[:, 0], shift[:, 1] - arm[:, 1], seat + shift[:, 2] - arm[:, 2])
    ), quaternion


def _mapped(
    params: Mapping[str, Array],
    seen: NDArray[np.bool_],
    taken: NDArray[np.bool_],
    seat: Array,
    middle: Array,
    slope: Array,
    levels: Array,
) -> tuple[Array, Array]:
    """Heights against an ideal carrier and thicknesses (k, 3) in mm that the beam at the front of the carrier finds."""
    roll, pitch = np.deg2rad(params["tilt"]).T
    low, high = horizontal_beam_span(MAPPER_CHORD, THICKNESS, 0.001 * params["warp"])
    drop = 0.001 * params["teach_error"][:, 2] - MAPPER_CHORD * np.sin(pitch)
    centres = np.column_stack((middle, levels))
    ideal = np.column_stack((seat, np.where(taken, seat, seat - PITCH), seat + PITCH)) + 0.5 * THICKNESS
    height = centres - ideal + drop[:, None] + 0.5 * (low + high)
    leaning = np.abs(roll[:, None] + np.column_stack((slope, np.zeros((slope.size, 2)))))
    thickness = high - low + 2.0 * HALF_CHORD * leaning
    return (
        np.where(seen, 1000.0 * height + params["mapping_error"], 0.0),
        np.where(seen, 1000.0 * thickness, EMPTY_MM),
    )


def rotate(quaternion: Array, vector: Array) -> Array:
    """Vectors (k, 3) turned by unit quaternions (k, 4), wxyz."""
    w, x, y, z = quaternion.T
    a, b, c = vector.T
    tx, ty, tz = 2.0 * (y * c - z * b), 2.0 * (z * a - x * c), 2.0 * (x * b - y * a)
    return np.stack((a + w * tx + y * tz - z * ty, b + w * ty + z * tx - x * tz, c + w * tz + x * ty - y * tx), axis=-1)


def compose(first: Array, second: Array) -> Array:
    """Quaternion products first * second, (k, 4)."""
    a, b, c, d = first.T
    e, f, g, h = second.T
    return np.stack(
        (
            a * e - b * f - c * g - d * h,
            a * f + b * e + c * h - d * g,
            a * g - b * h + c * e + d * f,
            a * h + b * g - c * f + d * e,
        ),
        axis=-1,
    )


def tilt_quaternion(slope_x: Array, slope_y: Array) -> Array:
    """Quaternions (k, 4) of a body whose upper face rises by `slope_x` along x and `slope_y` along y (small)."""
    x, y = np.arctan(slope_y), -np.arctan(slope_x)
    angle = np.sqrt(x * x + y * y)
    share = 0.5 * np.sinc(angle / (2.0 * np.pi))
    return np.stack((np.cos(0.5 * angle), share * x, share * y, np.zeros_like(x)), axis=-1)
