"""The joint: what is welded to what, how thick, and what the drawing asks for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import ShopfloorError

Array = NDArray[np.float64]

FILLET, LAP, BUTT = "fillet", "lap", "butt"
KINDS = (FILLET, LAP, BUTT)

# Shape factors F2 and F3 of EN 1011-2:2001 table D.1. For a single fillet on a T-joint the table gives F2 = 0.45 to
# 0.67 without a rule in between; the middle of the range stands here, and `Joint.shape_thin` may be scattered over it.
SHAPE_FACTORS = {FILLET: (0.56, 0.67), LAP: (0.7, 0.67), BUTT: (0.9, 0.9)}


@dataclass(frozen=True)
class Joint:
    """One kind of joint with per-row dimensions.

    Attributes:
        n: rows.
        kind: "fillet" (T or corner), "lap" or "butt" (a bead on plate is a butt weld without gap and groove).
        thickness_mm: of the thinner plate (n,).
        throat_mm: nominal throat a of a fillet, or nominal butt thickness s (n,).
        groove_deg: included angle of a V-groove (n,).
        root_face_mm: unbevelled part of the edge (n,).
        shape_thin, shape_thick: F2 and F3 of EN 1011-2 for cooling times (n,).
        backed: whether the root of a butt joint rests on backing.
    """

    n: int
    kind: str
    thickness_mm: Array
    throat_mm: Array
    groove_deg: Array
    root_face_mm: Array
    shape_thin: Array
    shape_thick: Array
    backed: bool = False

    @property
    def bevel_mm(self) -> Array:
        """Depth of the groove from the plate's surface (n,), 0 between square edges."""
        return np.where(self.groove_deg > 0.0, np.maximum(self.thickness_mm - self.root_face_mm, 0.0), 0.0)

    def of(self, rows: NDArray[np.intp]) -> Joint:
        """The same joint for a selection of rows (m,)."""
        return Joint(
            n=rows.size,
            kind=self.kind,
            thickness_mm=self.thickness_mm.take(rows),
            throat_mm=self.throat_mm.take(rows),
            groove_deg=self.groove_deg.take(rows),
            root_face_mm=self.root_face_mm.take(rows),
            shape_thin=self.shape_thin.take(rows),
            shape_thick=self.shape_thick.take(rows),
            backed=self.backed,
        )


def make_joint(
    n: int,
    kind: str,
    thickness_mm: ArrayLike,
    throat_mm: ArrayLike | None = None,
    groove_deg: ArrayLike = 0.0,
    root_face_mm: ArrayLike = 0.0,
    backed: bool = False,
) -> Joint:
    """A joint of n rows from numbers or arrays (n,).

    Args:
        n: rows.
        kind: one of `KINDS`.
        thickness_mm, throat_mm, groove_deg, root_face_mm, backed: see `Joint`; the throat defaults to half the
            thickness of a fillet, which is what drawings commonly ask for, and to the thickness of a butt weld.

    Raises:
        ShopfloorError: for an unknown kind or dimensions that are not positive.
    """
    if kind not in KINDS:
        raise ShopfloorError(f"joint kind must be one of {', '.join(KINDS)}, got {kind!r}")

    def full(value: ArrayLike) -> Array:
        return np.broadcast_to(np.asarray(value, dtype=np.float64), (n,)).copy()

    thickness = full(thickness_mm)
    throat = (thickness if kind == BUTT else 0.5 * thickness).copy() if throat_mm is None else full(throat_mm)
    for name, value in (("thickness_mm", thickness), ("throat_mm", throat)):
        if not (value > 0.0).all():
            raise ShopfloorError(f"joint {name} must be positive, got {value.min():g}")
    shape_thin, shape_thick = (full(factor) for factor in SHAPE_FACTORS[kind])
    groove, root_face = full(groove_deg), full(root_face_mm)
    return Joint(n, kind, thickness, throat, groove, root_face, shape_thin, shape_thick, backed)
