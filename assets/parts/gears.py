"""Spur gears for assembly: teeth that mesh when a gear is slid along its axis beside another.

A tooth is a capsule along the axis on the pitch circle, as thick as a tooth of the standard proportions less a share of
the backlash: a round profile with round ends, which stand for the chamfer of its faces. Contact is between capsules, in
closed form. Such teeth bound phase and backlash as involute teeth do; they do not roll on each other like those, which
matters for running gears and not for putting them together.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from .. import look
from .fits import SOLIMP


@dataclass(frozen=True)
class Gear:
    """A spur gear.

    Attributes:
        module: pitch diameter over number of teeth, m.
        teeth: their number.
        width: of its face, m.
        backlash: play along the pitch circle between two such gears at the sum of their pitch radii, m.
        modelled: teeth on each side of the line of centres that can touch.
    """

    module: float = 0.001
    teeth: int = 40
    width: float = 0.008
    backlash: float = 0.0001
    modelled: int = 4

    @property
    def radius(self) -> float:
        """Pitch radius, m."""
        return 0.5 * self.module * self.teeth

    @property
    def pitch(self) -> float:
        """Angle from tooth to tooth, rad."""
        return 2.0 * np.pi / self.teeth

    @property
    def tooth_radius(self) -> float:
        """Radius of a tooth's capsule: four of them and the backlash fill a pitch of the circle."""
        # teeth of two gears alternate; neighbours are half a pitch apart as the crow flies
        apart = 2.0 * self.radius * np.sin(0.25 * self.pitch)
        return float(0.5 * (apart - 0.5 * self.backlash))


def add_teeth(body: mujoco.MjsBody, name: str, gear: Gear, phase: float, center: float, z0: float) -> list[str]:
    """Add teeth `NAME_tooth_k` around direction `center` (rad), the first of them `phase` pitches off it.

    Args:
        body: carrier; the gear's axis is its z.
        name: prefix.
        gear: dimensions.
        phase: 0 for a tooth in that direction, 0.5 for a gap.
        center: direction in which the other gear is.
        z0: lower face, m.

    Returns:
        Names of the geoms.
    """
    names = []
    r = gear.tooth_radius
    for k in range(-gear.modelled, gear.modelled + 1):
        angle = center + (k + phase) * gear.pitch
        x, y = gear.radius * np.cos(angle), gear.radius * np.sin(angle)
        names.append(f"{name}_tooth_{k + gear.modelled}")
        body.add_geom(
            name=names[-1], type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=[x, y, z0 + r, x, y, z0 + gear.width - r],
            size=[r, 0.0, 0.0], contype=0, conaffinity=0, mass=0.0, group=look.GROUP_COLLISION,
        )  # fmt: skip
    return names


def add_mesh_pairs(spec: mujoco.MjSpec, first: list[str], second: list[str], friction: float) -> None:
    """Let the teeth of two gears touch: pairs `FIRST_SECOND`."""
    timestep = float(spec.option.timestep)
    for one in first:
        for other in second:
            pair = spec.add_pair(name=f"{one}_{other}", geomname1=one, geomname2=other)
            pair.condim = 3
            pair.friction = [friction, friction, 0.005, 0.0001, 0.0001]
            pair.solref = [2.0 * timestep, 1.0]
            pair.solimp = list(SOLIMP)


def outline(gear: Gear, phase: float = 0.0, steps: int = 6) -> NDArray[np.float64]:
    """Outline (points, 2) of a gear with teeth of standard height, counter-clockwise, a tooth `phase` pitches off x."""
    root, tip = gear.radius - 1.1 * gear.module, gear.radius + 0.85 * gear.module
    # angles in pitches at root and tip of a tooth, a straight-sided stand-in for the involute
    marks = [(-0.36, root), (-0.25, gear.radius), (-0.13, tip), (0.13, tip), (0.25, gear.radius), (0.36, root)]
    points = [
        (r * np.cos((k + phase + a) * gear.pitch), r * np.sin((k + phase + a) * gear.pitch))
        for k in range(gear.teeth)
        for a, r in marks[:steps]
    ]
    return np.array(points)
