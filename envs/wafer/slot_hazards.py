"""What moves in a get or put against what it must not touch, over the poses recorded within a control step."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ...assets.parts import wafer
from . import slot_clearance as clearance

Array = NDArray[np.float64]

# Poses in the frame of the carrier, the last two in that of the TCP; see `cells.slot`.
POSES = (
    "wafer_position", "wafer_normal", "paddle_position", "paddle_along", "paddle_normal", "seat_position",
    "seat_normal",
)  # fmt: skip
SEAL_M = 20e-6  # gap up to which a cup holds vacuum and a wafer counts as carried


def touch_gap(poses: Mapping[str, Array], warp: Array, tops: Array, takes: bool) -> Array:
    """Smallest height (...) of the wafer above what will take it: pads (get) or supports (put), m.

    Args:
        poses: (..., 3) each.
        warp: (...) of the wafer, m.
        tops: (..., 2) of the supports, m.
        takes: which of the two.
    """
    if takes:
        gaps = clearance.pad_gaps(poses["seat_position"], poses["seat_normal"], warp)
    else:
        gaps = clearance.support_gaps(poses["wafer_position"], poses["wafer_normal"], warp, tops)
    least: Array = np.min(gaps, axis=-1)
    return least


def distances(
    poses: Mapping[str, Array],
    warp: Array,
    neighbours: Array,
    tops: Array,
    shelf_tops: Array,
    away: NDArray[np.bool_],
) -> Array:
    """Distances (n, k, hazards) of what moves from each of `slot_clearance.HAZARDS`, at most `FAR`, m.

    At the station hand-off contacts are meant: there, the wafer in the slot, its supports and its stops do not count.

    Args:
        poses: (n, k, 3) each.
        warp: (n, 3) of the wafer and its neighbours below and above, m.
        neighbours: (n, 2) heights of the centres of the neighbours, m.
        tops: (n, 2) of the supports, left and right, m.
        shelf_tops: (n, 2, 2) upper faces of the shelves of this slot and the one above, left and right, m.
        away: (n, k) whether the paddle is off the station.
    """
    at, normal = poses["wafer_position"], poses["wafer_normal"]
    shape = at.shape[:2]
    level = np.zeros((*shape, 3))
    level[..., 2] = 1.0
    bent = [np.broadcast_to(warp[:, i, None], shape) for i in range(3)]
    centres = np.zeros((2, *shape, 3))
    centres[..., 2] = neighbours.T[:, :, None]
    paddle = poses["paddle_position"], poses["paddle_along"], poses["paddle_normal"]
    blade = clearance.place(*paddle, clearance.PADDLE)
    disc = clearance.place_wafer(at, normal, bent[0])
    carried = np.min(clearance.pad_gaps(poses["seat_position"], poses["seat_normal"], bent[0]), axis=-1) < SEAL_M
    supports = np.min(clearance.support_gaps(at, normal, bent[0], tops[:, None]), axis=-1)
    shelves = shelf_tops[:, None]
    far = clearance.FAR

    half = clearance.PADDLE_HALF
    below = np.min(clearance.disc_distance(blade, half, centres[0], level, bent[1]), axis=-1)
    above = np.min(clearance.disc_distance(disc, clearance.HALF, centres[1], level, bent[2]), axis=-1)
    above = np.where(carried, above, far)
    target = np.min(clearance.disc_distance(blade, half, at, normal, bent[0]), axis=-1)
    target = np.where(away & ~carried, target, far)
    over, own = (np.min(clearance.shelf_distance(disc, clearance.HALF, shelves[:, :, k]), axis=-1) for k in (1, 0))
    own = np.minimum(own, supports)
    inside = np.abs(at[..., 0]) < 2.0 * wafer.RADIUS
    shelf = np.where(carried, np.where(away & inside, np.minimum(over, own), over), far)
    stop = np.where(carried & away, clearance.stop_distance(at), far)
    return np.minimum(np.stack((below, above, target, shelf, stop), axis=-1), far)
