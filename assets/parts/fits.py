"""Pegs and holes of a given fit: contact geometry that is true to micrometres, with closed-form contacts.

A convex collision routine knows a hole only as a ring of walls, and a cylinder inside it by an iterative search that
costs a hundred microseconds a step and leaves the contact point along a line open. Here every contact is a sphere
against a box or a cylinder, which MuJoCo solves in closed form. What touches in a fit is the rim of the peg's tip
against walls, chamfer and plate, and the edge of the mouth against the side of the peg; where peg and hole are parallel
these are the ends of the line of contact. The peg's rim is a ring of spheres whose radius is that of its broken edge,
the edges of the mouth are rings of spheres, walls are boxes.

A round peg of radius r in a ring of n walls at distance R has the gap (R - r) - d cos(angle) to each: seen from the
peg's axis, displaced by d, the hole is a polygon whose corners are 1 / cos(pi / n) times the clearance away. With 12
walls the effective clearance is 1.000 to 1.035 times the nominal one, by direction. This needs every sphere of the rim
to face its wall: turned about its axis by t, the peg has r (1 - cos t) more room, 1.2 um for 1 deg and 8 mm, so cells
hold the yaw of round pegs.

Frames: the hole's z points out of it, origin in the middle of the mouth; the peg's z points from its tip into the
peg, origin in the middle of the tip. Where both frames agree the peg stands aligned on the mouth.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from .. import look
from ..tools.mount import grasp_options

Array = NDArray[np.float64]
Vector = tuple[float, float, float]

WALL = 0.006  # m, thickness of the walls' boxes
MOUTH_EDGE = 0.0003  # m, radius of the spheres along the edges of a mouth
FRICTION = 0.15  # ground steel on ground steel, little oil
# Hard contact: at 100 N on 0.1 kg the surfaces overlap by less than a micrometre.
SOLIMP = (0.999, 0.9999, 1e-4, 0.5, 2.0)


@dataclass(frozen=True)
class Fit:
    """Nominal dimensions of a hole and of the peg that belongs into it, m.

    Attributes:
        size: diameter of a round hole, or (x, y) of a rectangular one.
        depth: of the hole.
        chamfer: 45 degree chamfer of the mouth.
        edge: radius of the peg's broken edge.
        length: of the peg.
        reach: how far from the mouth's rim the plate around it is modelled.
        sides: walls of a round hole.
    """

    size: float | tuple[float, float]
    depth: float
    chamfer: float = 0.0005
    edge: float = 0.0003
    length: float = 0.045
    reach: float = 0.015
    sides: int = 12

    @property
    def round(self) -> bool:
        """Whether hole and peg are round."""
        return not isinstance(self.size, tuple)

    @property
    def half(self) -> tuple[float, float]:
        """Half sizes of the hole along x and y; twice the radius of a round one."""
        return (
            (0.5 * self.size[0], 0.5 * self.size[1])
            if isinstance(self.size, tuple)
            else (0.5 * self.size, 0.5 * self.size)
        )

    def facets(self) -> list[tuple[float, float, float]]:
        """Walls as (direction of the outward normal in rad, distance from the axis, half width)."""
        if self.round:
            r = self.half[0]
            # wider than the facet: what stands out lies behind the neighbours' faces
            return [(2.0 * np.pi * k / self.sides, r, 1.3 * r * np.tan(np.pi / self.sides)) for k in range(self.sides)]
        a, b = self.half
        return [(0.0, a, b), (0.5 * np.pi, b, a), (np.pi, a, b), (1.5 * np.pi, b, a)]

    def rim(self, clearance: float | Array) -> Array:
        """Centres of the spheres of the peg's rim, (..., spheres, 3), for a diametral clearance (...)."""
        half = [np.asarray(h - 0.5 * np.asarray(clearance) - self.edge) for h in self.half]
        angle = 2.0 * np.pi * np.arange(self.sides) / self.sides
        x, y = np.cos(angle), np.sin(angle)
        if not self.round:
            x = np.array([1.0, 1.0, 0.0, -1.0, -1.0, -1.0, 0.0, 1.0])
            y = np.array([0.0, 1.0, 1.0, 1.0, 0.0, -1.0, -1.0, -1.0])
        out = np.empty((*half[0].shape, x.size, 3))
        out[..., 0], out[..., 1] = half[0][..., None] * x, half[1][..., None] * y
        out[..., 2] = self.edge
        return out

    def side(self, clearance: float | Array) -> Array:
        """Size (..., 3) of the geom of the peg's side, for a diametral clearance (...)."""
        half = [np.asarray(h - 0.5 * np.asarray(clearance)) for h in self.half]
        length = np.full(half[0].shape, 0.5 * (self.length - self.edge))
        zero = np.zeros(half[0].shape)
        return np.stack((half[0], length, zero) if self.round else (half[0], half[1], length), axis=-1)

    def faces(self, sphere: int) -> list[int]:
        """Facets that a sphere of the rim can meet, with the peg off-centre by up to half its size."""
        if not self.round:
            return [0, 1, 2, 3]
        return [(sphere + k) % self.sides for k in (-1, 0, 1)]


def add_hole(body: mujoco.MjsBody, name: str, fit: Fit, *, floor: bool = True) -> None:
    """Add the geoms of a hole to `body`, in the hole's frame, without mass.

    Per facet k: `NAME_wall_k`, `NAME_chamfer_k`, `NAME_plate_k`; spheres `NAME_edge_j` along both edges of the chamfer;
    `NAME_floor` for a blind hole. Nothing touches them but by the pairs of `add_pairs`.
    """
    c = fit.chamfer
    for k, (angle, distance, width) in enumerate(fit.facets()):
        height = 0.5 * (fit.depth - c)
        _box(body, f"{name}_wall_{k}", angle, (distance + WALL, 0.0, -c - height), (WALL, width, height))
        outer = width * (distance + c) / distance if fit.round else width + c
        thick = 0.002
        # the middle of the sloping face, less half the thickness along its normal
        middle = (distance + 0.5 * c + thick * np.sqrt(0.5), 0.0, -0.5 * c - thick * np.sqrt(0.5))
        _box(body, f"{name}_chamfer_{k}", angle, middle, (thick, outer, c * np.sqrt(0.5)), lean=0.25 * np.pi)
        span = 0.5 * fit.reach
        spread = (distance + c + fit.reach) * np.tan(np.pi / fit.sides) if fit.round else width + c + fit.reach
        _box(body, f"{name}_plate_{k}", angle, (distance + c + span, 0.0, -0.002), (span, spread, 0.002))
    for j, centre in enumerate(_edges(fit)):
        _geom(body, f"{name}_edge_{j}", mujoco.mjtGeom.mjGEOM_SPHERE, [MOUTH_EDGE, 0.0, 0.0], pos=centre)
    if floor:
        a, b = fit.half
        _geom(
            body, f"{name}_floor", mujoco.mjtGeom.mjGEOM_BOX, [a + WALL, b + WALL, 0.003],
            pos=(0.0, 0.0, -fit.depth - 0.003),
        )  # fmt: skip


def add_peg(body: mujoco.MjsBody, name: str, fit: Fit, clearance: float) -> None:
    """Add the geoms of a peg to `body`, in the peg's frame, without mass: `NAME_side` and spheres `NAME_rim_i`.

    Args:
        body: carrier.
        name: prefix of the geoms' names.
        fit: dimensions.
        clearance: diametral clearance, m: what the hole is wider than the peg.
    """
    kind = mujoco.mjtGeom.mjGEOM_CYLINDER if fit.round else mujoco.mjtGeom.mjGEOM_BOX
    size = fit.side(clearance).tolist()
    _geom(body, f"{name}_side", kind, size, pos=(0.0, 0.0, fit.edge + 0.5 * (fit.length - fit.edge)))
    for i, centre in enumerate(fit.rim(clearance).tolist()):
        _geom(body, f"{name}_rim_{i}", mujoco.mjtGeom.mjGEOM_SPHERE, [fit.edge, 0.0, 0.0], pos=centre)


def add_pairs(
    spec: mujoco.MjSpec, hole: str, peg: str, fit: Fit, *, friction: float = FRICTION, floor: bool = True
) -> None:
    """Let the peg called `peg` touch the hole called `hole`: pairs `HOLE_PEG_k`, and elliptic friction cones."""
    timestep = float(spec.option.timestep)
    grasp_options(spec)
    for k, (one, other) in enumerate(_touching(hole, peg, fit, floor)):
        pair = spec.add_pair(name=f"{hole}_{peg}_{k}", geomname1=one, geomname2=other)
        pair.condim = 3
        pair.friction = [friction, friction, 0.005, 0.0001, 0.0001]
        pair.solref = [2.0 * timestep, 1.0]
        pair.solimp = list(SOLIMP)


def pair_names(hole: str, peg: str, fit: Fit, floor: bool = True) -> list[str]:
    """Names of the pairs that `add_pairs` makes."""
    return [f"{hole}_{peg}_{k}" for k, _ in enumerate(_touching(hole, peg, fit, floor))]


def peg_geoms(name: str, fit: Fit) -> tuple[str, list[str]]:
    """Names of the side's geom and of the rim's, in the order of `Fit.rim`."""
    return f"{name}_side", [f"{name}_rim_{i}" for i in range(len(fit.rim(0.0)))]


def _touching(hole: str, peg: str, fit: Fit, floor: bool) -> Iterator[tuple[str, str]]:
    for j in range(len(_edges(fit))):
        yield f"{hole}_edge_{j}", f"{peg}_side"
    for i in range(len(fit.rim(0.0))):
        for k in fit.faces(i):
            if not fit.round or k == i:
                yield f"{hole}_wall_{k}", f"{peg}_rim_{i}"
            yield f"{hole}_chamfer_{k}", f"{peg}_rim_{i}"
            yield f"{hole}_plate_{k}", f"{peg}_rim_{i}"
        if floor:
            yield f"{hole}_floor", f"{peg}_rim_{i}"


def _edges(fit: Fit) -> list[Vector]:
    """Centres of spheres that are tangent to the wall below the chamfer, and to wall and plate at its outer edge."""
    out: list[Vector] = []
    for back, depth in ((0.0, fit.chamfer), (fit.chamfer, 0.0)):
        for angle, distance, width in fit.facets():
            along = [0.0] if fit.round else [-width + 0.001, 0.0, width - 0.001]
            radius = distance + back + MOUTH_EDGE
            for t in along:
                c, s = np.cos(angle), np.sin(angle)
                out.append((float(radius * c - t * s), float(radius * s + t * c), -depth - MOUTH_EDGE))
    return out


def _box(
    body: mujoco.MjsBody, name: str, angle: float, pos: Vector, size: Vector, lean: float = 0.0
) -> None:  # fmt: skip
    """Box at `pos` with axes leaning about y by `lean`, all of it turned about z by `angle`."""
    c, s = np.cos(angle), np.sin(angle)
    turn, tip = (
        np.array([np.cos(0.5 * angle), 0.0, 0.0, np.sin(0.5 * angle)]),
        np.array([np.cos(0.5 * lean), 0.0, np.sin(0.5 * lean), 0.0]),
    )
    quat = np.zeros(4)
    mujoco.mju_mulQuat(quat, turn, tip)
    place = (float(c * pos[0] - s * pos[1]), float(s * pos[0] + c * pos[1]), pos[2])
    _geom(body, name, mujoco.mjtGeom.mjGEOM_BOX, size, pos=place, quat=quat.tolist())


def _geom(
    body: mujoco.MjsBody, name: str, kind: mujoco.mjtGeom, size: Sequence[float], *, pos: Sequence[float],
    quat: Sequence[float] = (1.0, 0.0, 0.0, 0.0),
) -> None:  # fmt: skip
    body.add_geom(
        name=name, type=kind, size=list(size), pos=list(pos), quat=list(quat), contype=0, conaffinity=0, mass=0.0,
        group=look.GROUP_COLLISION,
    )  # fmt: skip
