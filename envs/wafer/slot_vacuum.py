"""Vacuum of an end effector: one manifold, a supply, cups that seal or leak, in closed form.

Air of a volume V flows to the supply through a conductance G and in through the cups' leaks, together `leak` times G:

    V dp/dt = G (p_supply - p) - leak G p        valve open
    V dp/dt = -(G_vent + leak G) p               valve shut, manifold vented

so that the pressure goes exponentially to p_supply / (1 + leak) with the time constant tau / (1 + leak), where
tau = V / G. Pressures are gauge pressures in kPa, negative below the atmosphere. The lumped model is that of any text
on vacuum technology, e.g. O'Hanlon, A User's Guide to Vacuum Technology (2003), chapter 4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OPEN_CUP_LEAK = 1.0  # what a cup that touches nothing lets in beside its line, as a share of the supply's conductance
# Gap under the lip at which the leak of a cup has doubled. Flow between parallel faces grows with the gap's cube.
LIP_GAP = 25e-6  # m


def lip_gap(warp: Array, circle: float, radius: float, diameter: float) -> Array:
    """Gap (m) across the lip of a cup under a bowl-shaped wafer: slope of the bowl times the cup's diameter.

    Args:
        warp: rim minus centre, m.
        circle: distance of the cup from the wafer's axis, m.
        radius: of the wafer, m.
        diameter: of the cup, m.
    """
    gap: Array = np.abs(warp) * (2.0 * circle * diameter / radius**2)
    return gap


def manifold_leak(sealed: Array, seal_leak: Array, gap: Array, cups: int = 3) -> Array:
    """Conductance of all leaks as a share of the supply's, (n,).

    Args:
        sealed: (n,) number of cups that touch the wafer.
        seal_leak: (n,) of each cup's line and of its lip on a flat wafer.
        gap: (n,) under the lip, m.
        cups: how many there are.
    """
    bent = gap / LIP_GAP
    leak: Array = seal_leak * (cups + sealed * bent * bent * bent) + (cups - sealed) * OPEN_CUP_LEAK
    return leak


def pressures(
    pressure: Array,
    is_open: NDArray[np.bool_],
    supply: Array,
    leak: Array,
    tau: Array,
    vent_tau: Array,
    times: Array,
) -> Array:
    """Pressure (n, k) at `times` (k,) in s after it was `pressure` (n,), in kPa.

    Args:
        pressure: (n,) now.
        is_open: (n,) whether the valve connects the supply; otherwise the manifold is vented.
        supply: (n,) of the supply, kPa.
        leak: (n,) see `manifold_leak`.
        tau, vent_tau: (n,) time constants without leaks, s.
        times: (k,) s.
    """
    target = np.where(is_open, supply / (1.0 + leak), 0.0)
    rate = np.where(is_open, (1.0 + leak) / tau, 1.0 / vent_tau + leak / tau)
    decay: Array = np.exp(-rate[:, None] * times[None, :])
    return target[:, None] + (pressure - target)[:, None] * decay
