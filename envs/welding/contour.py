"""Seams around what stands on a plate: a contour in the plate's plane, with the direction that the joint faces.

The wire is led a little outside of the root, on the plate, so that a corner is a short arc about its edge and not a
point at which the torch would have to turn on the spot. The torch's own direction is blended over some millimetres on
either side of a corner, as robot programs do.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...assets.parts.weldments import Weldment, bracket, pipe_flange

Array = NDArray[np.float64]

AIM = 0.0025  # m, of the wire from the root, on the plate
PITCH = 0.00025  # m, of the table
BAR = (0.180, 0.012, 0.100)  # m, length, thickness and height of the bracket's bar
BLEND = 0.006  # m, before and behind a place over which the torch's direction is averaged
SIDE = 0.045  # m, of weld along either side of the bar
PIPE_RADIUS, PIPE_ARC = 0.05715, 0.110  # m, outer radius and length of weld


@dataclass(frozen=True)
class Contour:
    """A seam as a table in the frame of its part, the plate at z = 0.

    Attributes:
        part: what is welded.
        s: (m,) arc length of the wire's path, m.
        position: (m, 2) of the wire, m.
        heading: (m,) direction away from what stands on the plate, rad from the part's +x; falls along the seam.
        torch: (m,) the same, blended, from which the torch comes.
    """

    part: Weldment
    s: Array
    position: Array
    heading: Array
    torch: Array = field(init=False)

    def __post_init__(self) -> None:
        """Blend the heading; the seam goes straight on beyond its ends."""
        count = round(BLEND / PITCH)
        wide = np.concatenate((np.full(count, self.heading[0]), self.heading, np.full(count, self.heading[-1])))
        sums = np.concatenate(([0.0], np.cumsum(wide)))
        object.__setattr__(self, "torch", (sums[2 * count + 1 :] - sums[: -2 * count - 1]) / (2 * count + 1))

    @property
    def length(self) -> float:
        """Of the wire's path, m."""
        return float(self.s[-1])

    def at(self, s: Array) -> tuple[Array, Array]:
        """Position (..., 2) and heading (...) at arc lengths (...), m; straight on beyond the ends."""
        inside = np.minimum(np.maximum(s, 0.0), self.length)
        heading = np.interp(inside, self.s, self.heading)
        beyond = s - inside
        x = np.interp(inside, self.s, self.position[:, 0]) + beyond * np.sin(heading)
        y = np.interp(inside, self.s, self.position[:, 1]) - beyond * np.cos(heading)
        return np.stack((x, y), axis=-1), heading

    def torch_at(self, s: Array) -> Array:
        """Blended heading (...) at arc lengths (...), m."""
        return np.interp(s, self.s, self.torch)

    def locate(self, point: Array, near: Array) -> Array:
        """Arc length (n,), m, of the path's point nearest to `point` (n, 2), looked for within 15 mm of `near` (n,).

        The neighbourhood keeps apart the two sides of a thin bar.
        """
        count = round(0.015 / PITCH)
        middle = np.clip(np.round(near / PITCH).astype(np.intp), 0, self.s.size - 1)
        index = np.clip(middle[:, None] + np.arange(-count, count + 1), 0, self.s.size - 1)
        dx = point[:, :1] - self.position[index, 0]
        dy = point[:, 1:] - self.position[index, 1]
        nearest = index[np.arange(len(point)), np.argmin(dx * dx + dy * dy, axis=1)]
        at, heading = self.position[nearest], self.heading[nearest]
        along = (point[:, 0] - at[:, 0]) * np.sin(heading) - (point[:, 1] - at[:, 1]) * np.cos(heading)
        # within the table the rest is less than its pitch; beyond the ends the path goes straight on
        inner = (nearest > 0) & (nearest < self.s.size - 1)
        out: Array = self.s[nearest] + np.where(inner, np.clip(along, -PITCH, PITCH), along)
        return out


def _sampled(length: float) -> Array:
    return np.linspace(0.0, length, round(length / PITCH) + 1)


def bracket_end() -> Contour:
    """Along a bar, around its end and back on the other side: two corners 12 mm apart."""
    length, thickness, height = BAR
    part = bracket(length=length, thickness=thickness, height=height, base_size=(0.26, 0.16))
    quarter = 0.5 * np.pi * AIM
    ends = np.cumsum([0.0, SIDE, quarter, thickness, quarter, SIDE])
    s = _sampled(float(ends[-1]))
    x, y = 0.5 * length, 0.5 * thickness
    half = np.pi / 2
    corners = [(x, y, half), (x, -y, 0.0)]
    heading = np.interp(s, ends, [half, half, 0.0, 0.0, -half, -half])
    position = np.empty((s.size, 2))
    piece = np.clip(np.searchsorted(ends, s, side="right") - 1, 0, 4)
    for k, (start, direction) in enumerate((
        ((x - SIDE, y + AIM), (1.0, 0.0)), (None, None), ((x + AIM, y), (0.0, -1.0)), (None, None),
        ((x, -y - AIM), (-1.0, 0.0)),
    )):  # fmt: skip
        here = piece == k
        if start is None or direction is None:
            cx, cy, _ = corners[k // 2]
            position[here, 0] = cx + AIM * np.cos(heading[here])
            position[here, 1] = cy + AIM * np.sin(heading[here])
        else:
            along = s[here] - ends[k]
            position[here, 0] = start[0] + along * direction[0]
            position[here, 1] = start[1] + along * direction[1]
    return Contour(part, s, position, heading)


def pipe_arc() -> Contour:
    """Around a pipe on a flange, over a third of its circumference."""
    part = pipe_flange(pipe_radius=PIPE_RADIUS, pipe_height=0.100)
    radius = PIPE_RADIUS + AIM
    s = _sampled(PIPE_ARC)
    heading = np.pi / 2 - s / radius
    return Contour(part, s, radius * np.stack((np.cos(heading), np.sin(heading)), axis=1), heading)


CONTOURS = {"bracket": bracket_end, "pipe": pipe_arc}
