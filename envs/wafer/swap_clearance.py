"""Clearances of a swap, in the frame of the module: closed forms over batches, as in `slot_clearance`.

Everything that moves between the two chambers is level to a few milliradians and moves along x, so that what counts
is seen from the side: paddles and wafers are slabs, straight from end to end, and gate, frame and pedestal are blocks
as wide as the slit. Pins are points. Distances are negative inside.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...assets.cells.swap import GATE_FACES, GATE_TOP, PIN_SPOTS, SLIT_HALF_WIDTH, SLIT_HIGH, SLIT_LOW, VALVE_X
from ...assets.fixtures.process_module import PIN_RADIUS, PIN_REST
from .slot_clearance import BLADE_BOTTOM, FAR, HALF, PAD_PLANE, PADDLE, PADDLE_HALF, PADS, _join, place

Array = NDArray[np.float64]

HAZARDS = ("gate", "frame", "pins", "wafer", "arms")
# Ends of a paddle along x from its TCP: fingertips, and where the bracket begins, which stays outside of the valve (m).
PADDLE_ENDS = (-0.236, 0.090)
PEDESTAL_HALF = 0.160  # m


class Slab(NamedTuple):
    """Nearly level plates, all (...): ends along x, height of the middle surface at x = 0, slope, half thickness."""

    low: Array
    high: Array
    height: Array
    slope: Array
    half: float

    def at(self, x: Array) -> Array:
        """Height of the middle surface at x, m."""
        z: Array = self.height + self.slope * x
        return z

    def nearest(self, x: Array | float) -> Array:
        """Height of the middle surface at x, or at the end that is nearest to it, m."""
        return self.at(np.minimum(np.maximum(x, self.low), self.high))


def _slope(normal: Array) -> Array:
    """Slope (...) along x of a plate with axis `normal` (..., 3); a wafer that has turned over counts as steep."""
    slope: Array = -normal[..., 0] / np.maximum(normal[..., 2], 0.1)
    return slope


def paddle_slab(position: Array, normal: Array) -> Slab:
    """Blade and pads of a paddle whose TCP is at `position` (..., 3) with axis `normal` (..., 3)."""
    slope = _slope(normal)
    x = position[..., 0]
    middle, half = 0.5 * (PAD_PLANE + BLADE_BOTTOM), 0.5 * (PAD_PLANE - BLADE_BOTTOM)
    return Slab(x + PADDLE_ENDS[0], x + PADDLE_ENDS[1], position[..., 2] + middle - slope * x, slope, half)


def wafer_slab(position: Array, normal: Array, radius: Array) -> Slab:
    """A wafer of `radius` (...) with its centre at `position` (..., 3) and axis `normal` (..., 3)."""
    slope = _slope(normal)
    x = position[..., 0]
    return Slab(x - radius, x + radius, position[..., 2] - slope * x, slope, HALF)


def block_distance(slab: Slab, faces: tuple[float, float], edge: Array | float, above: bool) -> Array:
    """Distance (...) of a slab from a block between two `faces` along x that ends at the height `edge`.

    Args:
        slab: what moves.
        faces: x of the block's faces, m.
        edge: its upper edge, or its lower one, m.
        above: whether the block is above the slab.
    """
    beside = np.maximum(faces[0] - slab.high, slab.low - faces[1])
    near = [slab.nearest(x) for x in faces]
    over = edge - np.maximum(near[0], near[1]) if above else np.minimum(near[0], near[1]) - edge
    return _join(beside, over - slab.half)


def stacked_distance(lower: Slab, upper: Slab) -> Array:
    """Distance (...) of two slabs of which one stays above the other."""
    first, last = np.maximum(lower.low, upper.low), np.minimum(lower.high, upper.high)
    beside = first - last
    gaps = [
        upper.nearest(x) - lower.nearest(x)  # where they do not overlap, from end to end
        for x in (first, last)
    ]
    return _join(beside, np.minimum(gaps[0], gaps[1]) - upper.half - lower.half)


def side_distance(position: Array, radius: Array) -> Array:
    """Distance (...) of a wafer inside the valve from the ends of the slit, `FAR` elsewhere."""
    x, y = position[..., 0], position[..., 1]
    inside = (x + radius > VALVE_X[0]) & (x - radius < VALVE_X[1])
    return np.where(inside, SLIT_HALF_WIDTH - np.abs(y) - radius, FAR)


def gate_distance(slab: Slab, opening: Array) -> Array:
    """Distance (...) of a slab from the gate, which has gone down by `opening` (...), m."""
    return block_distance(slab, GATE_FACES, GATE_TOP - opening, above=False)


def frame_distance(slab: Slab) -> Array:
    """Distance (...) of a slab from the frame of the valve, below and above, and from the pedestal."""
    low = block_distance(slab, VALVE_X, SLIT_LOW, above=False)
    high = block_distance(slab, VALVE_X, SLIT_HIGH, above=True)
    return np.minimum(np.minimum(low, high), block_distance(slab, (-PEDESTAL_HALF, PEDESTAL_HALF), 0.0, above=False))


def pin_distance(position: Array, normal: Array, radius: Array, pins: Array) -> Array:
    """Distance (...) of a wafer from the pins, whose joint is at `pins` (...), m."""
    gap = np.full(position.shape[:-1], FAR)
    for x, y in PIN_SPOTS:
        dx, dy = x - position[..., 0], y - position[..., 1]
        beside = np.sqrt(dx * dx + dy * dy) - radius - PIN_RADIUS
        gap = np.minimum(gap, _join(beside, _height_over(position, normal, dx, dy) - (PIN_REST + pins)))
    return gap


def _height_over(position: Array, normal: Array, dx: Array, dy: Array) -> Array:
    """Height (...) of a wafer's lower face beside its centre, m."""
    height: Array = (
        position[..., 2] - (normal[..., 0] * dx + normal[..., 1] * dy) / np.maximum(normal[..., 2], 0.1) - HALF
    )
    return height


def spot_gap(position: Array, normal: Array, spots: tuple[tuple[float, float], ...], top: Array | float) -> Array:
    """Smallest height (...) of a wafer's lower face over three supports whose tops are at `top`, m."""
    gaps = [_height_over(position, normal, x - position[..., 0], y - position[..., 1]) for x, y in spots]
    least: Array = np.minimum(np.minimum(gaps[0], gaps[1]), gaps[2]) - top
    return least


def seat_gap(seat: Array, normal: Array) -> Array:
    """Smallest height (...) of a wafer's lower face over the pads, from its pose in the frame of the TCP, m."""
    return spot_gap(seat, normal, tuple((float(x), float(y)) for x, y in PADS), PAD_PLANE)


def paddle_wafer_distance(paddle: tuple[Array, Array], position: Array, normal: Array, radius: Array) -> Array:
    """Distance (...) of the paddle at (position, normal), each (..., 3), from a wafer that it does not carry, m."""
    along = np.stack((paddle[1][..., 2], np.zeros_like(radius), -paddle[1][..., 0]), axis=-1)
    x, y, z = place(paddle[0], along, paddle[1], PADDLE)
    dx, dy, dz = x - position[..., 0, None], y - position[..., 1, None], z - position[..., 2, None]
    nx, ny, nz = (normal[..., i, None] for i in range(3))
    axial = dx * nx + dy * ny + dz * nz
    rho = np.sqrt(np.maximum(dx * dx + dy * dy + dz * dz - axial * axial, 0.0))
    gaps = _join(rho - radius[..., None], np.abs(axial) - HALF - PADDLE_HALF)
    least: Array = np.min(gaps, axis=-1)
    return least
