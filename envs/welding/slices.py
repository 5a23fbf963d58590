"""The frozen bead: one record of named quantities for every slice of every seam.

Slices are written once, in order, when the arc leaves them; nothing changes them afterwards. All records are one
array, so that copying it saves the welds of all rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from .arc import Allocate


@dataclass(frozen=True)
class Quantity:
    """One column of the record."""

    unit: str
    description: str


QUANTITIES: Mapping[str, Quantity] = {
    "deposit_mm2": Quantity("mm2", "deposited area; zero where nothing was welded"),
    "leg_1_mm": Quantity("mm", "leg on the standing plate, measured from its edge"),
    "leg_2_mm": Quantity("mm", "leg on the base plate"),
    "throat_mm": Quantity("mm", "throat of a fillet; filled thickness of a butt weld"),
    "convexity_mm": Quantity("mm", "of a fillet's face over its chord, negative if hollow"),
    "width_mm": Quantity("mm", "chord of a fillet's face; width of a butt's reinforcement"),
    "reinforcement_mm": Quantity("mm", "height of a butt weld over the plate"),
    "underfill_mm": Quantity("mm", "depth by which a butt weld falls short of the plate"),
    "toe_angle_deg": Quantity("deg", "smallest angle between face and plate, through the air"),
    "fused_mm": Quantity("mm", "width fused at the plate's surface"),
    "penetration_mm": Quantity("mm", "depth of fusion under the arc"),
    "root_mm": Quantity(
        "mm", "fusion past the corner of a fillet; past the back of a butt weld at its worse edge, if positive"
    ),
    "undercut_mm": Quantity("mm", "depth along the toe"),
    "overlap_mm": Quantity("mm", "metal on the plate that is not fused to it"),
    "lack_of_fusion_mm": Quantity("mm", "by how much root or wall falls short of being fused"),
    "incomplete_root_mm": Quantity("mm", "thickness at the root of a butt weld that is not fused"),
    "excess_root_mm": Quantity("mm", "metal that hangs through the root of a butt weld"),
    "burn_through_mm": Quantity("mm", "by how much depth or gap exceed what the plate carries; positive is a hole"),
    "pore_mm": Quantity("mm", "diameter of the largest pore in the surface"),
    "crater_mm": Quantity("mm", "depth of the crater pipe where the arc stopped"),
    "gap_mm": Quantity("mm", "root gap"),
    "mismatch_mm": Quantity("mm", "linear misalignment of the plates"),
    "offset_mm": Quantity("mm", "lateral miss of the arc, positive to the standing plate"),
    "heat_kj_mm": Quantity("kJ/mm", "heat input after EN 1011-1"),
    "t85_s": Quantity("s", "cooling time from 800 to 500 degC after EN 1011-2"),
    "interpass_c": Quantity("degC", "plate temperature before the arc"),
    "current_a": Quantity("A", "mean current"),
    "voltage_v": Quantity("V", "mean voltage between contact tip and work"),
    "travel_mm_s": Quantity("mm/s", "travel speed"),
    "transfer": Quantity("1", "metal transfer, see `electrode.TRANSFER_MODES`"),
    "spatter_g_m": Quantity("g/m", "metal lost as spatter"),
    "angular_rad": Quantity("rad", "tilt of the unrestrained plate"),
    "time_s": Quantity("s", "when the arc left the slice"),
}
COLUMN = {name: k for k, name in enumerate(QUANTITIES)}


class Slices:
    """The slices of n seams.

    Args:
        n: rows.
        length_mm: of the seam.
        slice_mm: of one slice.
        allocate: makes the arrays.

    Attributes:
        values: the records (n, count, quantities), float32; column names in `COLUMN`.
        frozen: number of slices that are final (n,).
    """

    def __init__(self, n: int, length_mm: float, slice_mm: float, allocate: Allocate):
        if not (slice_mm > 0.0 and length_mm >= slice_mm):
            raise ShopfloorError(f"a seam of {length_mm!r} mm does not hold a slice of {slice_mm!r} mm")
        self.slice_mm = slice_mm
        self.count = round(length_mm / slice_mm)
        self.values: NDArray[np.float32] = allocate("slices", (self.count, len(QUANTITIES)), np.float32)
        self.frozen: NDArray[np.int64] = allocate("frozen", (), np.int64)

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        """The quantity `name` of all slices, a view (n, count)."""
        if name not in COLUMN:
            raise ShopfloorError(f"slices have no quantity {name!r}; known: {', '.join(COLUMN)}")
        return self.values[:, :, COLUMN[name]]

    def take(self, rows: NDArray[np.intp], index: NDArray[np.intp]) -> dict[str, NDArray[np.float32]]:
        """All quantities of chosen slices (m,), each (m, 1), as `inspection.grade` takes them."""
        # whole records first, which `take` copies, and then by quantity, so that each is contiguous
        records = self.values.reshape(-1, len(COLUMN)).take(rows * self.count + index, axis=0)
        quantities = np.ascontiguousarray(records.T)
        return {name: quantities[k][:, None] for name, k in COLUMN.items()}

    def clear(self, rows: NDArray[np.intp]) -> None:
        """Forget the slices of `rows`."""
        self.values[rows] = 0.0
        self.frozen[rows] = 0
