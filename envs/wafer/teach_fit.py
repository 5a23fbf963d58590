"""Least squares for a station's pose, one measurement after the other, with what the fit does not know for certain.

Unknowns, in this order (m, rad or as stated):

    0, 1  x, y      centre of the station in the robot's frame, less the drawing's
    2     z         height at which the robot's own coordinates meet the station, less the drawing's
    3, 4  slope     rise of the plane along x and along y
    5     play      half of the play of the radial drive
    6     softness  compliance of the paddle at the stylus beyond the nominal, m/N
    7     droop     sag of the arm at full extension beyond the taught one

The last four enter as nuisances with a prior: what a single direction of approach, or a single force, cannot tell
apart from the pose stays in the covariance, and is told apart by another direction or another force. Measurements are
linear in the unknowns, so that the sequential form (Plackett 1950) gives what weighted least squares over all of them
gives, with the prior as further measurements, and its covariance is (P0^-1 + sum h h^T / r)^-1.

Measurement equations:

    edge    n . c + side radius = n . (p - height slope) + n_r direction play
            a beam with unit normal n through c (by the encoders) touches a pin of `radius` that leans with the plane
    touch   z_ball - radius + force compliance = z + slope . u + droop lever(r) - force softness
            a ball at u from the centre rests on the plane with `force`
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..sensing.sequential import update as update
from ..sensing.sequential import variance_along as variance_along

Array = NDArray[np.float64]

NAMES = ("x", "y", "z", "slope_x", "slope_y", "play", "softness", "droop")
SIZE = len(NAMES)
X, Y, Z, SLOPE_X, SLOPE_Y, PLAY, SOFTNESS, DROOP = range(SIZE)


def edge_row(normal: Array, height: Array, direction: Array, radial: Array) -> Array:
    """Row (n, SIZE) of the measurement matrix of a beam's edge.

    Args:
        normal: (n, 2) unit normal of the beam.
        height: (n,) of the beam above the plane, m.
        direction: (n,) +1 outward, -1 inward.
        radial: (n, 2) unit vector along the arm.
    """
    h = np.zeros((len(height), SIZE))
    h[:, X], h[:, Y] = normal[:, 0], normal[:, 1]
    h[:, SLOPE_X], h[:, SLOPE_Y] = -height * normal[:, 0], -height * normal[:, 1]
    h[:, PLAY] = direction * (normal[:, 0] * radial[:, 0] + normal[:, 1] * radial[:, 1])
    return h


def touch_row(place: Array, force: Array, lever: Array) -> Array:
    """Row (n, SIZE) of the measurement matrix of a touch.

    Args:
        place: (n, 2) of the ball from the centre of the station, m.
        force: (n,) N.
        lever: (n,) sag at the ball here less that at the station's centre, for a unit of droop.
    """
    h = np.zeros((len(force), SIZE))
    h[:, Z], h[:, SLOPE_X], h[:, SLOPE_Y] = 1.0, place[:, 0], place[:, 1]
    h[:, SOFTNESS], h[:, DROOP] = -force, lever
    return h
