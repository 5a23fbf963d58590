"""The bead of steady set-points, without integrating the arc: what a procedure qualification on test plates finds out.

Feed, voltage and distance give the arc where burn-off and circuit meet, the arc gives deposit and power, and these the
slice. `WeldProcess` at constant inputs comes to the same slices.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .arc import Parameters, steady_arc
from .electrode import deposition_efficiency, short_charge
from .joint import Joint
from .process import INPUT_COLUMN, INPUTS, SUMS
from .section import Means, weld_record
from .slices import COLUMN

Array = NDArray[np.float64]


def steady_bead(
    parameters: Parameters, joint: Joint, co2_share: float, inputs: Mapping[str, Array | float]
) -> dict[str, NDArray[np.float32]]:
    """Slices (n, 1) by quantity, as `inspection.grade` takes them; pores are left out.

    Args:
        parameters: constants of the n rows.
        joint: of the n rows.
        co2_share: of the gas.
        inputs: process inputs that differ from `process.INPUTS`, numbers or (n,).
    """
    n = parameters.n
    values = np.tile(np.array(list(INPUTS.values())), (n, 1))
    for name, value in inputs.items():
        values[:, INPUT_COLUMN[name]] = value
    x = {name: values[:, k] for name, k in INPUT_COLUMN.items()}
    feed, voltage, ctwd = x["wire_feed_mm_s"], x["voltage_v"], x["ctwd_mm"]
    current, extension = steady_arc(parameters, feed, voltage, ctwd)
    short = short_charge(ctwd - extension, parameters.diameter_mm, parameters.most_short(feed))
    share = deposition_efficiency(current, short, parameters.spray_a) * parameters.efficiency_factor
    metal = feed * parameters.metal_mm2
    volume = metal * np.minimum(share, 1.0)
    terminal = voltage - parameters.source_ohm * current
    rates = {
        "time_s": np.ones(n), "volume_mm3": volume, "spatter_mm3": metal - volume, "energy_j": terminal * current,
        "current": current, "voltage": terminal, "short": short, "interpass_c": x["plate_c"],
    }  # fmt: skip
    time = 1.0 / np.maximum(x["travel_mm_s"], 1e-3)
    sums = np.stack([rates[name] * time for name in SUMS], axis=1)
    means = Means(sums, values * time[:, None], INPUT_COLUMN, 1.0)
    record = weld_record(means, joint, parameters, np.arange(n), co2_share, np.zeros(n))
    return {name: record[:, k : k + 1] for name, k in COLUMN.items()}
