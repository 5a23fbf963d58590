"""Laser line sensor: real rays against the geometry of the row's part, and the errors of a triangulation sensor.

A fan of rays in the plane of light meets the solids of the part (`ray_groups`), so that misplacement, gaps, tacks and
occlusion are those of the geometry. On the distances come, in this order: noise and quantization of each point, points
that spatter and reflections put somewhere else, points that nothing comes back from, more of them near the arc.

Ranges of trackers of this class: field of view 25 to 60 mm, standoff 45 to 200 mm; a protocol that sends features in
steps of 0.1 mm, with results 80 ms after the exposure, is that of the weld sensors of Riftek (RF627 user's manual).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....assets.parts.weldments import ray_groups
from ....assets.tools.laser_tracker import STANDOFF
from ...control.chain import transform
from ...engine.task import Rows
from ...randomness import counter_normal, counter_uniform, episode_key
from .profile import Features, Window, extract

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]

RAYS = 64
VIEW_MM = 40.0  # width of the line at the standoff
QUANTUM_MM = 0.02  # of a point's range
NEAR_ARC_MM = 15.0  # distance over which the light of the arc fades
ARC_DROPOUT = 0.3  # share of points that are lost at the arc itself
SPATTER_SHARE = 0.2  # of the points of a frame that spatter crosses
SPATTER_MM = 15.0  # by which such points are off, at most
FIRST_FRAME = 1000  # number of the exposure at step 0
_STREAM = 101


@dataclass(frozen=True)
class LaserErrors:
    """Errors of the sensor of each row, all (k,).

    Attributes:
        noise_mm: standard deviation of a point's range.
        spatter: share of frames in which spatter crosses the light.
        dropout: share of points from which nothing comes back, besides those near the arc.
    """

    noise_mm: Array
    spatter: Array
    dropout: Array


class LaserLine:
    """The sensors of all rows.

    Args:
        s: rows, whose model has the site of the sensor.
        window: the joint that its firmware looks for.
        preview_mm: of the plane of light ahead of the arc.
        rays: points of a profile.
        site: of the sensor, see `assets.tools.laser_tracker`.
    """

    def __init__(self, s: Rows, window: Window, preview_mm: float, rays: int = RAYS, site: str = "laser"):
        self.window = window
        self.arc_dropout = ARC_DROPOUT * float(np.exp(-preview_mm / NEAR_ARC_MM))
        self._preview = 1e-3 * preview_mm
        self._position = s.sim.output("site_xpos", "site", site)
        self._matrix = s.sim.output("site_xmat", "site", site)
        self._groups = ray_groups()
        angle = np.linspace(-1.0, 1.0, rays) * np.arctan(0.5 * VIEW_MM / (1e3 * STANDOFF))
        self._sin, self._cos = np.sin(angle), np.cos(angle)

    @property
    def fan(self) -> tuple[Array, Array]:
        """Components (rays,) of the rays' directions along u and w."""
        return self._sin, self._cos

    def frame(self) -> tuple[Array, Array]:
        """Position (n, 3), m, and rotation (n, 3, 3) of every row's sensor now."""
        return self._position, self._matrix.reshape(-1, 3, 3)

    def at_tcp(self, position: Array, rotation: Array) -> Array:
        """Where the sensor is (k, 3) when the TCP is at poses (k, 3), (k, 3, 3); it is turned as the TCP is."""
        local = np.array([0.0, -self._preview, -STANDOFF])
        return position + transform(rotation, np.broadcast_to(local, position.shape))

    def distances_mm(self, s: Rows, position: Array, rotation: Array, rows: RowIndex | None = None) -> Array:
        """True ranges (k, stations, rays) in mm of sensors at poses (k, stations, 3) and (k, stations, 3, 3).

        Infinite where a ray meets nothing.
        """
        k, stations = position.shape[:2]
        rays = self._sin.size
        x, z = rotation[:, :, None, :, 0], rotation[:, :, None, :, 2]
        direction = self._sin[:, None] * x + self._cos[:, None] * z
        origin = np.broadcast_to(position[:, :, None], direction.shape)
        flat = (k, stations * rays, 3)
        hit = s.sim.ray(np.ascontiguousarray(origin).reshape(flat), direction.reshape(flat), self._groups, rows)
        return np.where(hit < 0.0, np.inf, 1e3 * hit).reshape(k, stations, rays)

    def profile(
        self, distance_mm: Array, errors: LaserErrors, key: NDArray[np.int64], frame: NDArray[np.int64]
    ) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Points u, w (m, rays) in mm and whether they were seen, from true ranges (m, rays).

        Args:
            distance_mm: see `distances_mm`.
            errors: (m,) each.
            key: (m,) of the episode, see `randomness.episode_key`.
            frame: (m,) number of the exposure within it.
        """
        rays = self._sin.size
        key = key[:, None]
        index = frame[:, None] * rays + np.arange(rays)
        seen = np.isfinite(distance_mm)
        seen &= counter_uniform(key, index, _STREAM) >= errors.dropout[:, None] + self.arc_dropout
        distance = np.where(seen, distance_mm, 0.0)
        distance = distance + errors.noise_mm[:, None] * counter_normal(key, index, _STREAM + 1)
        crossed = counter_uniform(key, frame[:, None], _STREAM + 3) < errors.spatter[:, None]
        where = counter_uniform(key, index, _STREAM + 4)
        hit = crossed & (where < SPATTER_SHARE)
        distance = distance + np.where(hit, SPATTER_MM * (2.0 * where / SPATTER_SHARE - 1.0), 0.0)
        distance = np.round(distance / QUANTUM_MM) * QUANTUM_MM
        return distance * self._sin, distance * self._cos, seen

    def expose(self, s: Rows, errors: LaserErrors) -> Features:
        """Take the frame of this control step in all rows."""
        position, rotation = self.frame()
        distance = self.distances_mm(s, position[:, None], rotation[:, None])[:, 0]
        # frames of the scan before the arc have the numbers before
        points = self.profile(distance, errors, episode_key(s.seed, s.episode), s.step + FIRST_FRAME)
        return self.features(*points)

    def features(self, u: Array, w: Array, seen: NDArray[np.bool_]) -> Features:
        """What the firmware finds in profiles (m, rays)."""
        return extract(u, w, seen, self.window)


def world_point(position: Array, rotation: Array, u_mm: Array, w_mm: Array) -> Array:
    """World points (k, 3), m, of features (k,) of sensors at poses (k, 3), (k, 3, 3)."""
    local = np.stack((1e-3 * u_mm, np.zeros_like(u_mm), 1e-3 * w_mm), axis=-1)
    return position + transform(rotation, local)
