"""Rigid links: inertial data of castings, and the collision capsules that all arms share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import ArrayLike

from .. import look

# Bit 0 of contype: surroundings and work pieces. Bit 1: the near half of an arm, which only its far half can hit.
SURROUNDINGS, NEAR_HALF = 1, 2


@dataclass(frozen=True)
class Casting:
    """A link whose inertia is estimated as that of a homogeneous box with the size of its casting.

    Attributes:
        body: name of the body.
        mass: kg.
        com: (3,) centre of mass in the body's frame (m).
        size: (3,) full edge lengths of the box (m).
    """

    body: str
    mass: float
    com: tuple[float, float, float]
    size: tuple[float, float, float]

    def apply(self, body: mujoco.MjsBody) -> None:
        """Set the inertial data of `body`."""
        x, y, z = (edge * edge for edge in self.size)
        body.explicitinertial = True
        body.mass = self.mass
        body.ipos = self.com
        body.inertia = [self.mass * (y + z) / 12.0, self.mass * (x + z) / 12.0, self.mass * (x + y) / 12.0]


def set_inertia(body: mujoco.MjsBody, mass: float, com: Sequence[float], inertia: Sequence[float]) -> None:
    """Inertial data of `body`: mass (kg), centre (3,) in its frame (m), tensor about it (kg m^2), xx yy zz xy xz yz."""
    body.explicitinertial = True
    body.mass = mass
    body.ipos = list(com)
    body.fullinertia = list(inertia)


def capsule(
    body: mujoco.MjsBody, name: str, start: ArrayLike, stop: ArrayLike, radius: float, *, contype: int = 0,
    conaffinity: int = 0,
) -> None:  # fmt: skip
    """Add a collision capsule from `start` to `stop` (3,), metres, that weighs nothing."""
    body.add_geom(
        name=name, type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=np.concatenate([start, stop]), size=[radius, 0.0, 0.0],
        contype=contype, conaffinity=conaffinity, mass=0.0, group=look.GROUP_COLLISION,
    )  # fmt: skip


def near_capsule(body: mujoco.MjsBody, name: str, start: ArrayLike, stop: ArrayLike, radius: float) -> None:
    """Capsule of a moving link in the near half: hits the surroundings, and is hit by the far half."""
    capsule(body, name, start, stop, radius, contype=NEAR_HALF, conaffinity=SURROUNDINGS)


def far_capsule(body: mujoco.MjsBody, name: str, start: ArrayLike, stop: ArrayLike, radius: float) -> None:
    """Capsule of a link in the far half, or of a tool: hits the surroundings and the near half."""
    capsule(body, name, start, stop, radius, conaffinity=SURROUNDINGS | NEAR_HALF)


def base_capsule(body: mujoco.MjsBody, name: str, start: ArrayLike, stop: ArrayLike, radius: float) -> None:
    """Capsule of the fixed base: only the far half can hit it, the surroundings stand around it."""
    capsule(body, name, start, stop, radius, contype=NEAR_HALF)


def add_flange(body: mujoco.MjsBody, pos: Sequence[float], quat: Sequence[float] = (1.0, 0.0, 0.0, 0.0)) -> None:
    """Site `flange` in the face that tools are screwed to, z out of it."""
    body.add_site(name="flange", pos=pos, quat=quat, size=[0.004, 0.0, 0.0], group=4)
