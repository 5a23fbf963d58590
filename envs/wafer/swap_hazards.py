"""What moves in a swap against what it must not touch, and what meets at hand-offs, over recorded poses."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ...assets.cells.swap import BUMP_SPOTS, PIN_SPOTS, STATION_RADIUS
from ...assets.fixtures.process_module import BUMP_HEIGHT, PIN_REST
from ...assets.parts import wafer
from . import swap_clearance as clearance
from .slot_clearance import FAR

Array = NDArray[np.float64]

# Poses in the frame of the module, seats in that of the TCP, ways of the slides; see `cells.swap`.
POSES = (
    "paddle_a_position", "paddle_a_normal", "paddle_b_position", "paddle_b_normal", "processed_position",
    "processed_normal", "processed_seat_position", "processed_seat_quaternion", "fresh_position", "fresh_normal",
    "fresh_seat_position", "fresh_seat_quaternion", "pins", "valve_gate",
)  # fmt: skip
AT_STATION_M = 0.5e-3
OVER_M = 0.05  # m, a wafer is above supports from whose middle it is less than this away
SEAL_M = 20e-6  # gap up to which a wafer counts as carried


def seat_yaw(quaternion: Array) -> Array:
    """Turn (...) of a wafer on its paddle, rad, from its quaternion (..., 4) in the frame of the TCP."""
    yaw: Array = 2.0 * np.arctan2(np.ascontiguousarray(quaternion[..., 3]), np.ascontiguousarray(quaternion[..., 0]))
    return (yaw + np.pi) % (2.0 * np.pi) - np.pi


def seat_normal(quaternion: Array) -> Array:
    """Axis (..., 3) of a wafer from its quaternion (..., 4), wxyz."""
    w, x, y, z = (quaternion[..., i] for i in range(4))
    return np.stack((2.0 * (x * z + w * y), 2.0 * (y * z - w * x), 1.0 - 2.0 * (x * x + y * y)), axis=-1)


def _above(position: Array, gap: Array) -> Array:
    """The gap where the wafer is above the supports, `FAR` elsewhere."""
    over = (np.abs(position[..., 0]) < OVER_M) & (np.abs(position[..., 1]) < OVER_M)
    return np.where(over, gap, FAR)


def pad_gap(poses: Mapping[str, Array], wafer_name: str) -> Array:
    """Smallest height (...) of a wafer over the pads of its arm, m."""
    seat = poses[f"{wafer_name}_seat_position"]
    return _above(seat, clearance.seat_gap(seat, seat_normal(poses[f"{wafer_name}_seat_quaternion"])))


def handoff_gaps(poses: Mapping[str, Array]) -> Array:
    """Heights (..., 4) over what takes a wafer at each hand-off, m; see `swap_terms.HANDOFFS`."""
    tips = PIN_REST + poses["pins"][..., 0]
    old, new = ((poses[f"{k}_position"], poses[f"{k}_normal"]) for k in ("processed", "fresh"))
    return np.stack(
        (
            _above(old[0], clearance.spot_gap(*old, PIN_SPOTS, tips)),
            pad_gap(poses, "processed"),
            _above(new[0], clearance.spot_gap(*new, PIN_SPOTS, tips)),
            _above(new[0], clearance.spot_gap(*new, BUMP_SPOTS, BUMP_HEIGHT)),
        ),
        axis=-1,
    )


def distances(poses: Mapping[str, Array], hot_radius: Array, radii: Array) -> Array:
    """Distances (n, k, hazards) of what moves from each of `swap_clearance.HAZARDS`, at most `FAR`, m.

    At the station hand-off contacts are meant: there, pins and the wafer that is handed over do not count.

    Args:
        poses: (n, k, ...) each.
        hot_radius: (n,) of the processed wafer, m.
        radii: (n, k, 2) of both arms as planned, m.
    """
    shape = radii.shape[:2]
    radius = {"processed": np.broadcast_to(hot_radius[:, None], shape), "fresh": np.full(shape, wafer.RADIUS)}
    paddle = {k: (poses[f"paddle_{k}_position"], poses[f"paddle_{k}_normal"]) for k in "ab"}
    disc = {k: (poses[f"{k}_position"], poses[f"{k}_normal"]) for k in ("processed", "fresh")}
    blades = {k: clearance.paddle_slab(*v) for k, v in paddle.items()}
    slabs = {k: clearance.wafer_slab(*v, radius[k]) for k, v in disc.items()}
    gate, pins = poses["valve_gate"][..., 0], poses["pins"][..., 0]

    at_gate = np.minimum(clearance.gate_distance(blades["a"], gate), clearance.gate_distance(blades["b"], gate))
    at_frame = np.minimum(clearance.frame_distance(blades["a"]), clearance.frame_distance(blades["b"]))
    at_pins, at_wafer = np.full(shape, FAR), np.full(shape, FAR)
    for k, (name, arm) in enumerate((("processed", "a"), ("fresh", "b"))):
        away = radii[..., k] < STATION_RADIUS - AT_STATION_M
        carried = pad_gap(poses, name) < SEAL_M
        frame = np.minimum(clearance.frame_distance(slabs[name]), clearance.side_distance(disc[name][0], radius[name]))
        at_frame = np.minimum(at_frame, np.where(carried, frame, FAR))
        at_gate = np.minimum(at_gate, np.where(carried, clearance.gate_distance(slabs[name], gate), FAR))
        over_pins = clearance.pin_distance(*disc[name], radius[name], pins)
        at_pins = np.minimum(at_pins, np.where(carried & away, over_pins, FAR))
        # the costly one: every other sample, between which a wafer on rising pins moves by half a millimetre
        part = slice(1, None, 2)
        lying = clearance.paddle_wafer_distance(
            (paddle[arm][0][:, part], paddle[arm][1][:, part]), disc[name][0][:, part], disc[name][1][:, part],
            radius[name][:, part],
        )  # fmt: skip
        beside = np.where(away[:, part] & ~carried[:, part], lying, FAR)
        at_wafer[:, part] = np.minimum(at_wafer[:, part], beside)
    between = [
        clearance.stacked_distance(lower, upper)
        for lower in (blades["a"], slabs["processed"])
        for upper in (blades["b"], slabs["fresh"])
    ]
    at_arms = np.minimum(np.minimum(between[0], between[1]), np.minimum(between[2], between[3]))
    return np.minimum(np.stack((at_gate, at_frame, at_pins, at_wafer, at_arms), axis=-1), FAR)
