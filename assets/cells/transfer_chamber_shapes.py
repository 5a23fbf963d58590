"""Drawn surroundings of the transfer chamber."""

from __future__ import annotations

from collections.abc import Mapping

import mujoco

from .. import look


def add_scene(
    spec: mujoco.MjSpec, base: float, plane: float, apothem: float, station_radius: float, stations: Mapping[str, float]
) -> None:  # fmt: skip
    """Add everything around the robot that is only seen."""
    spec.worldbody.add_geom(
        name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[6.0, 6.0, 0.1], material=look.material(spec, "clean_floor"),
        contype=0, conaffinity=0, group=look.GROUP_SCENE,
    )  # fmt: skip
