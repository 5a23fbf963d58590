"""Parts to be welded: plates with gaps, bends, misfits and tacks, and the seams that join them.

Each function builds a `Weldment`, which is data: solids and seams in one frame, z up, lengths in m. `add_weldment` puts
it into a model. Solids are in geom group `RAY_GROUP` alone, so that a laser line reads them and nothing else:
`batch.ray(origin, direction, geomgroup=ray_groups())`. They also collide with arms and tools.

Fit-up may differ from row to row of a batch: build one weldment per row with the same number of solids and write what
`Weldment.fields()` gives to the geoms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import ShopfloorError
from ...frames import quat_from_matrix
from .. import look
from ..fixtures.weld_finishes import add_finishes
from ..robots.arm_links import SURROUNDINGS
from .weldments_plates import BOX, CAPSULE, CYLINDER, Solid, Wall, bevelled, block
from .weldments_seam import BUTT, CORNER, FILLET, LAP, Seam, chain, circle

Array = NDArray[np.float64]

RAY_GROUP = 4  # geom group of the solids; hidden, the drawn copies are in `look.GROUP_PART`
DENSITY = 7850.0  # kg/m^3, structural steel
BENT_PIECES = 48  # boxes of a bent plate: over 0.4 m at a radius of 0.15 m, chords stay within 0.06 mm of the arc

_UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class Tack:
    """A short weld that holds the plates: a round bead along the root.

    Attributes:
        s: middle along its seam, m.
        length: m.
        throat: height over the root, m.
        seam: index of its seam.
    """

    s: float
    length: float = 0.030
    throat: float = 0.004
    seam: int = 0


@dataclass(frozen=True)
class Weldment:
    """A part to be welded.

    Attributes:
        kind: name of the function that made it.
        solids: plates and tacks.
        seams: in the order in which they are usually welded.
    """

    kind: str
    solids: tuple[Solid, ...]
    seams: tuple[Seam, ...]

    def seam(self, name: str) -> Seam:
        """The seam called `name`.

        Raises:
            ShopfloorError: if there is none.
        """
        for seam in self.seams:
            if seam.name == name:
                return seam
        raise ShopfloorError(f"seam={name!r}: {self.kind} has {', '.join(seam.name for seam in self.seams)}")

    def fields(self) -> dict[str, Array]:
        """Model fields of the k solids' geoms, by name: pose, size, and the bounds that depend on them.

        Rays and contacts skip what is out of bounds, and a model whose geom was parallel to its body remembers that in
        `geom_sameframe`; so all of them have to be written together (`Batch.expand`). Cells switch
        the midphase off, whose tree of bounds cannot be rewritten.
        """
        pos, size = (np.stack([getattr(solid, key) for solid in self.solids]) for key in ("pos", "size"))
        extent = np.stack([_half_extent(solid) for solid in self.solids])
        bound = np.array([_bound(solid) for solid in self.solids])
        quat = quat_from_matrix(np.stack([solid.rotation.reshape(9) for solid in self.solids]))
        aabb = np.concatenate([np.zeros_like(extent), extent], axis=1)
        return {
            "geom_pos": pos, "geom_quat": quat, "geom_size": size, "geom_rbound": bound, "geom_aabb": aabb,
            "geom_sameframe": np.zeros(len(pos)),
        }  # fmt: skip

    @property
    def bottom(self) -> float:
        """Lowest point of the plates, m: what lies on a table."""
        return float(min(s.pos[2] - np.abs(s.rotation[2]) @ _half_extent(s) for s in self.solids if s.kind != CAPSULE))


def _half_extent(solid: Solid) -> Array:
    """(3,) half edges of the box around a solid, in its own frame."""
    if solid.kind == BOX:
        return solid.size
    radius, half = solid.size[:2]
    return np.array([radius, radius, half + (radius if solid.kind == CAPSULE else 0.0)])


def _bound(solid: Solid) -> float:
    """Radius of the ball around a solid."""
    if solid.kind == CAPSULE:
        return float(solid.size[0] + solid.size[1])
    extent = _half_extent(solid)
    return float(np.hypot(*solid.size[:2]) if solid.kind == CYLINDER else np.sqrt(np.sum(extent * extent)))


def ray_groups() -> NDArray[np.uint8]:
    """(6,) mask for rays that see the solids of weldments only."""
    mask = np.zeros(mujoco.mjNGROUP, np.uint8)
    mask[RAY_GROUP] = 1
    return mask


def _positive(kind: str, **lengths: float) -> None:
    for name, value in lengths.items():
        if not value > 0.0:
            raise ShopfloorError(f"{kind}: {name}={value!r} m must be positive")


def _gaps(kind: str, gap: ArrayLike, pieces: int | None, bent: bool) -> Array:
    """(k,) gap of each piece: as many as were given, else `pieces`, else what a bend needs."""
    g = np.atleast_1d(np.asarray(gap, float))
    count = len(g) if len(g) > 1 else pieces or (BENT_PIECES if bent else 1)
    if len(g) > 1 and pieces not in (None, len(g)):
        raise ShopfloorError(f"{kind}: gap has {len(g)} values, one for each piece, but pieces={pieces}")
    if not (g >= 0.0).all():
        raise ShopfloorError(f"{kind}: gap={g.min():g} m must not be negative")
    return np.broadcast_to(g, (count,)).copy()


def _midline(length: float, pieces: int, radius: float | None, offset: float, yaw: float) -> Array:
    """(pieces + 1, 2) straight line or arc through (0, offset), at its middle `yaw` off +x, centre on the left."""
    s = length * np.linspace(-0.5, 0.5, pieces + 1)
    if radius is None:
        x, y = s, np.zeros_like(s)
    else:
        x, y = radius * np.sin(s / radius), radius * (1.0 - np.cos(s / radius))
    c, w = np.cos(yaw), np.sin(yaw)
    return np.stack([c * x - w * y, w * x + c * y + offset], axis=1)


def _on_plane(points: Array, z: float = 0.0) -> Array:
    return np.column_stack([points, np.full(len(points), z)])


def _with_tacks(kind: str, solids: list[Solid], seams: Sequence[Seam], tacks: Sequence[Tack]) -> Weldment:
    """Add the tacks: capsules whose axes are the root line."""
    for k, tack in enumerate(tacks):
        _positive(f"{kind}: tack {k}", length=tack.length, throat=tack.throat)
        at = seams[tack.seam].at(tack.s)
        t, n = at.tangent[0], at.bisector[0]
        rotation = np.stack([n, np.cross(t, n), t], axis=1)
        size = np.array([tack.throat, max(0.5 * tack.length - tack.throat, 1e-4), 0.0])
        solids.append(Solid(f"tack_{k}", at.position[0], rotation, size, CAPSULE, "weld_bead"))
    return Weldment(kind, tuple(solids), tuple(seams))


def tee(
    *,
    length: float = 0.400,
    base_thickness: float = 0.012,
    web_thickness: float = 0.009,
    base_width: float = 0.200,
    web_height: float = 0.100,
    gap: ArrayLike = 0.0,
    radius: float | None = None,
    offset: float = 0.0,
    yaw: float = 0.0,
    angle_deg: float = 90.0,
    pieces: int | None = None,
    tacks: Sequence[Tack] = (),
) -> Weldment:
    """T-fillet: a web on a base plate. Seams "left" (towards +x) and, of a square web, "right" (towards -x).

    Origin: on the base plate, in the middle of the web when it is neither bent nor offset.

    Args:
        length: of the web's midline, m.
        base_thickness, web_thickness, base_width, web_height: m; the height is that of the upper edge over the base.
        gap: under the web, m; one value, or one for each piece of it.
        radius: of a bent web's midline, m; its centre lies to the left, on the right for a negative radius.
        offset, yaw: of the web on the plate, m and rad.
        angle_deg: between plate and web on the left; 80 to 100 for what was tacked badly.
        pieces: boxes of the web; by default one for each gap, `BENT_PIECES` when bent.
        tacks: on these seams.

    Raises:
        ShopfloorError: impossible dimensions.
    """
    _positive("tee", length=length, base_thickness=base_thickness, web_thickness=web_thickness, web_height=web_height)
    if radius is not None and not abs(radius) > max(web_thickness, length / np.pi):
        raise ShopfloorError(f"tee: radius={radius!r} m must exceed length / pi = {length / np.pi:.3f} m")
    if not 60.0 <= angle_deg <= 120.0:
        raise ShopfloorError(f"tee: angle_deg={angle_deg!r} must be 60 to 120")
    g = _gaps("tee", gap, pieces, radius is not None)
    wall = Wall(_midline(length, len(g), radius, offset, yaw), web_thickness, g, np.full(len(g), web_height))
    lean = np.deg2rad(angle_deg - 90.0)
    n = wall.normals
    seams = [chain("left", FILLET, _on_plane(wall.edge(1.0)), _UP, np.cos(lean) * n + np.sin(lean) * _UP, g)]
    if angle_deg == 90.0:
        seams.append(chain("right", FILLET, _on_plane(wall.edge(-1.0))[::-1], _UP, -n[::-1], g[::-1]))
    reach = np.abs(wall.midline).max(axis=0)
    x, y = max(0.5 * length, reach[0]) + 0.03, max(0.5 * base_width, reach[1] + 0.25 * base_width)
    base = block("base", (-x, -y, -base_thickness), (x, y, 0.0))
    return _with_tacks("tee", [base, *wall.solids("web", float(lean))], seams, tacks)


def lap(
    *,
    length: float = 0.400,
    lower_thickness: float = 0.0032,
    upper_thickness: float = 0.0032,
    width: float = 0.120,
    overlap: float = 0.040,
    gap: ArrayLike = 0.0,
    radius: float | None = None,
    yaw: float = 0.0,
    pieces: int | None = None,
    tacks: Sequence[Tack] = (),
) -> Weldment:
    """Lap joint: a sheet on a sheet, seam "edge" along the upper one's edge, which follows y = 0 towards +x.

    Origin: on the lower sheet, in the middle of that edge. Arguments as for `tee`; `width` is that of each sheet, and
    `overlap` how far the lower one reaches under the upper, m.
    """
    _positive("lap", length=length, lower_thickness=lower_thickness, upper_thickness=upper_thickness, width=width)
    if radius is not None and not abs(radius) > max(width, length / np.pi):
        raise ShopfloorError(f"lap: radius={radius!r} m must exceed width and length / pi")
    g = _gaps("lap", gap, pieces, radius is not None)
    wall = Wall(_midline(length, len(g), radius, -0.5 * width, yaw), width, g, g + upper_thickness)
    seams = [chain("edge", LAP, _on_plane(wall.edge(1.0)), _UP, wall.normals, g)]
    x = 0.5 * length + 0.01
    lower = block("lower", (-x, -overlap, -lower_thickness), (x, width - overlap, 0.0))
    return _with_tacks("lap", [lower, *wall.solids("upper")], seams, tacks)


def corner(
    *,
    length: float = 0.400,
    top_thickness: float = 0.006,
    side_thickness: float = 0.006,
    width: float = 0.120,
    height: float = 0.120,
    gap: ArrayLike = 0.0,
    pieces: int | None = None,
    tacks: Sequence[Tack] = (),
) -> Weldment:
    """Outside corner, fully open: a plate whose edge meets the inner upper edge of a standing one; seam "corner".

    Origin: at the root in the middle of the seam; the lying plate at y < 0, the standing one at z < 0. Arguments as for
    `tee`; `width` of the lying and `height` of the standing plate, m.
    """
    _positive("corner", length=length, top_thickness=top_thickness, side_thickness=side_thickness, width=width)
    g = _gaps("corner", gap, pieces, False)
    wall = Wall(_midline(length, len(g), None, -0.5 * width, 0.0), width, g, g + top_thickness)
    side = block("side", (-0.5 * length, 0.0, -height), (0.5 * length, side_thickness, 0.0))
    seams = [chain("corner", CORNER, _on_plane(wall.edge(1.0)), _UP, wall.normals, g)]
    return _with_tacks("corner", [side, *wall.solids("top")], seams, tacks)


def v_groove(
    *,
    length: float = 0.400,
    thickness: float = 0.012,
    groove_deg: float = 60.0,
    root_face: float = 0.0015,
    gap: ArrayLike = 0.002,
    mismatch: float = 0.0,
    width: float = 0.120,
    backing: float = 0.0,
    pieces: int | None = None,
    tacks: Sequence[Tack] = (),
) -> Weldment:
    """Butt joint with V-groove, seam "groove" along y = 0 towards +x.

    Origin: in the middle of the root opening, at the underside of the plate at y < 0.

    Args:
        length, thickness: m.
        groove_deg: included angle of the groove.
        root_face: unbevelled part of the edges, m.
        gap: root opening, m; one value, or one for each piece along the seam.
        mismatch: how much the plate at y > 0 stands higher, m.
        width: of the two plates, each from y = 0, m.
        backing: thickness of a ceramic strip under the root, m; 0 for none.
        pieces: along the seam; by default one for each gap.
        tacks: on this seam.

    Raises:
        ShopfloorError: impossible dimensions.
    """
    _positive("v_groove", length=length, thickness=thickness, root_face=root_face, width=width)
    if not 10.0 <= groove_deg <= 120.0 or root_face >= thickness:
        raise ShopfloorError(
            f"v_groove: groove_deg={groove_deg!r} must be 10 to 120 and root_face={root_face!r} m less than thickness"
        )
    g = _gaps("v_groove", gap, pieces, False)
    bevel = 0.5 * np.deg2rad(groove_deg)
    x = np.linspace(-0.5 * length, 0.5 * length, len(g) + 1)
    solids = [
        solid
        for label, side, raised in (("right", -1.0, 0.0), ("left", 1.0, mismatch))
        for k, opening in enumerate(0.5 * g)
        for solid in bevelled(
            f"{label}_{k}", (x[k], x[k + 1]), side, float(opening), width, thickness, root_face, float(bevel), raised
        )
    ]
    if backing > 0.0:
        low, high = (-0.5 * length, -0.02, -backing), (0.5 * length, 0.02, 0.0)
        solids.append(block("backing", low, high, "ceramic"))
    root = np.column_stack([x, np.zeros(len(x)), np.full(len(x), 0.5 * mismatch)])
    c, s = np.cos(bevel), np.sin(bevel)
    seams = [chain("groove", BUTT, root, (0.0, -c, s), (0.0, c, s), g, mismatch)]
    return _with_tacks("v_groove", solids, seams, tacks)


def pipe_flange(
    *,
    pipe_radius: float = 0.05715,
    wall: float = 0.0063,
    pipe_height: float = 0.150,
    flange_radius: float = 0.110,
    flange_thickness: float = 0.016,
    gap: float = 0.0,
    tacks: Sequence[Tack] = (),
) -> Weldment:
    """Pipe on a round flange, seam "around": a full circle, clockwise seen from above, from +x.

    Origin: on the flange, on the axis. The default pipe is 114.3 mm wide (DN 100). Lengths in m. The pipe is a solid
    cylinder, since nothing goes inside; a dark disc on its end shows the bore.

    Raises:
        ShopfloorError: impossible dimensions.
    """
    _positive(
        "pipe_flange",
        wall=wall,
        bore_radius=pipe_radius - wall,
        pipe_height=pipe_height,
        flange_thickness=flange_thickness,
    )
    if not (flange_radius > pipe_radius and gap >= 0.0):
        raise ShopfloorError(f"pipe_flange: flange_radius={flange_radius!r} m must exceed the pipe's, gap not negative")
    half = 0.5 * pipe_height
    pipe = Solid("pipe", np.array([0.0, 0.0, gap + half]), np.eye(3), np.array([pipe_radius, half, 0.0]), CYLINDER)
    size = np.array([flange_radius, 0.5 * flange_thickness, 0.0])
    flange = Solid("flange", np.array([0.0, 0.0, -0.5 * flange_thickness]), np.eye(3), size, CYLINDER)
    top = np.array([0.0, 0.0, gap + pipe_height])
    bore = Solid("bore", top, np.eye(3), np.array([pipe_radius - wall, 2e-4, 0.0]), CYLINDER, "slit_dark")
    return _with_tacks("pipe_flange", [flange, pipe, bore], [circle("around", FILLET, pipe_radius, 0.0, gap)], tacks)


def _flat_bar(name: str, x: tuple[float, float], thickness: float, height: float, gap: float) -> Solid:
    return block(name, (x[0], -0.5 * thickness, gap), (x[1], 0.5 * thickness, gap + height))


def bracket(
    *,
    length: float = 0.180,
    thickness: float = 0.012,
    height: float = 0.120,
    base_size: tuple[float, float] = (0.320, 0.220),
    base_thickness: float = 0.012,
    gap: float = 0.0,
    tacks: Sequence[Tack] = (),
) -> Weldment:
    """Bracket: a flat bar on a plate, welded all round with boxed ends; seam "around", clockwise seen from above.

    Origin: on the plate, under the middle of the bar, which lies along x. Lengths in m.
    """
    _positive("bracket", length=length, thickness=thickness, height=height, base_thickness=base_thickness)
    h, w = 0.5 * length, 0.5 * thickness
    corners = [(-h, w, 0.0), (h, w, 0.0), (h, -w, 0.0), (-h, -w, 0.0), (-h, w, 0.0)]
    outward = [(0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (-1.0, 0.0, 0.0)]
    x, y = 0.5 * base_size[0], 0.5 * base_size[1]
    base = block("base", (-x, -y, -base_thickness), (x, y, 0.0))
    seam = chain("around", FILLET, corners, _UP, outward, gap, closed=True)
    return _with_tacks("bracket", [base, _flat_bar("bar", (-h, h), thickness, height, gap)], [seam], tacks)


def u_cell(
    *,
    length: float = 0.800,
    width: float = 0.800,
    height: float = 0.600,
    floor_thickness: float = 0.014,
    wall_thickness: float = 0.012,
    stiffener_thickness: float = 0.011,
    stiffener_height: float = 0.150,
    stiffener_length: float | None = None,
    scallop: float = 0.045,
    gap: float = 0.0,
    tacks: Sequence[Tack] = (),
) -> Weldment:
    """U-cell of a double hull: floor plate, two longitudinals and a transverse, open towards -x and upwards.

    Seams: "right", "end" and "left" are the fillets on the floor, one after the other; "up_right" and "up_left" the
    vertical ones, upwards; "stiffener" goes along the flat bar on the floor and round its free end. The bar reaches the
    transverse over its scallop.

    Origin: on the floor, in the middle.

    Args:
        length, width, height: clear inside, m.
        floor_thickness, wall_thickness, stiffener_thickness, stiffener_height: m.
        stiffener_length: of its foot, from the free end to the scallop, m; default to a quarter of the cell.
        scallop: width and height of the cut-out between the stiffener's foot and the transverse, m.
        gap: under walls and stiffener, m.
        tacks: on these seams.
    """
    _positive("u_cell", length=length, width=width, height=height, floor_thickness=floor_thickness)
    _positive("u_cell", wall_thickness=wall_thickness, stiffener_thickness=stiffener_thickness)
    x, y, t, s = 0.5 * length, 0.5 * width, wall_thickness, 0.5 * stiffener_thickness
    far = x - scallop
    free = -0.25 * length if stiffener_length is None else far - stiffener_length
    solids = [
        block("floor", (-x, -y - t, -floor_thickness), (x + t, y + t, 0.0)),
        block("longitudinal_right", (-x, -y - t, gap), (x + t, -y, gap + height), "shop_primer"),
        block("longitudinal_left", (-x, y, gap), (x + t, y + t, gap + height), "shop_primer"),
        block("transverse", (x, -y, gap), (x + t, y, gap + height), "shop_primer"),
        _flat_bar("stiffener", (free, far), stiffener_thickness, scallop, gap),
        _flat_bar("stiffener_web", (free, x), stiffener_thickness, stiffener_height - scallop, gap + scallop),
    ]
    right, left, back = (0.0, 1.0, 0.0), (0.0, -1.0, 0.0), (-1.0, 0.0, 0.0)
    a, b, c, d = (-x, -y, 0.0), (x, -y, 0.0), (x, y, 0.0), (-x, y, 0.0)
    bar = [(far, -s, 0.0), (free, -s, 0.0), (free, s, 0.0), (far, s, 0.0)]
    seams = [
        chain("right", FILLET, [a, b], _UP, right, gap),
        chain("end", FILLET, [b, c], _UP, back, gap),
        chain("left", FILLET, [c, d], _UP, left, gap),
        chain("up_right", FILLET, [b, (x, -y, gap + height)], back, right),
        chain("up_left", FILLET, [c, (x, y, gap + height)], left, back),
        chain("stiffener", FILLET, bar, _UP, [left, back, right], gap),
    ]
    return _with_tacks("u_cell", solids, seams, tacks)


WELDMENTS: dict[str, Callable[..., Weldment]] = {
    f.__name__: f for f in (tee, lap, v_groove, corner, pipe_flange, bracket, u_cell)
}


def add_weldment(
    spec: mujoco.MjSpec,
    parent: mujoco.MjsBody,
    weldment: Weldment,
    *,
    name: str = "part",
    pos: tuple[float, float, float] = (0.0, 0.0, 0.0),
    quat: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0),
    visual: bool = True,
) -> mujoco.MjsBody:
    """Clamp a weldment to `parent`.

    Geoms `<name>_<solid>`; sites `<name>_<seam>_start` and `_stop`, x along the seam and z along the bisector. Drawn
    copies `<name>_<solid>_drawn`, one for each solid, can be given the same fields.

    Args:
        spec: specification to extend.
        parent: body that carries it.
        weldment: what to build.
        name: of the body, and prefix.
        pos: (3,) of the part's frame in `parent`, m.
        quat: (4,) its orientation, wxyz.
        visual: also add the drawn copies.

    Returns:
        The body `name`.
    """
    body = parent.add_body(name=name, pos=pos, quat=quat, gravcomp=1.0)
    for solid in weldment.solids:
        shape = {"type": solid.kind, "pos": solid.pos, "quat": solid.quat, "size": solid.size}
        body.add_geom(
            name=f"{name}_{solid.name}", contype=SURROUNDINGS, conaffinity=0, density=DENSITY, group=RAY_GROUP, **shape
        )
        if visual:
            add_finishes(spec)
            material = solid.finish if spec.material(solid.finish) else look.material(spec, solid.finish)
            body.add_geom(
                name=f"{name}_{solid.name}_drawn", contype=0, conaffinity=0, mass=0.0, group=look.GROUP_PART,
                material=material, **shape,
            )  # fmt: skip
    for seam in weldment.seams:
        ends = seam.at(np.array([0.0, seam.length * (1.0 - 1e-12)]))
        for k, end in enumerate(("start", "stop")):
            x, z = ends.tangent[k], ends.bisector[k]
            rotation = np.stack([x, np.cross(z, x), z], axis=1)
            body.add_site(
                name=f"{name}_{seam.name}_{end}", pos=ends.position[k], quat=quat_from_matrix(rotation.reshape(9)),
                size=[0.003, 0.0, 0.0], group=4,
            )  # fmt: skip
    return body
