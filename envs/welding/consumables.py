"""Wires and shielding gases: what a welding engineer picks before the arc is struck.

A wire melts at `w = alpha I + beta L I^2` (see `electrode`). Both coefficients follow from a heat balance of the wire
tip, so they are known for every diameter once they are known for one:

    linear density * enthalpy * w = anode potential * I + (resistivity / section) * L * I^2

gives alpha inversely proportional to the linear density, and beta to linear density times current-carrying section.

Sources: coefficients of 1.2 mm plain carbon steel, electrode positive, J. Norrish, "Advanced Welding Processes",
Woodhead 2006, chapter 7; the heat balance, E. Halmoy, "Wire melting rate, droplet temperature and effective anode
melting potential", Proc. Int. Conf. Arc Physics and Weld Pool Behaviour, Welding Institute 1979, and A. Lesnewich,
"Control of melting rate and metal transfer in gas-shielded metal-arc welding", Welding Journal 37, 1958. Melt-off of
the metal-cored wire: Lincoln Electric, Metalshield MC-715 data sheet. Deposition efficiencies: AWS Welding Handbook,
vol. 2, and ESAB MIG handbook (solid wire 0.98 spray, 0.93 short-circuiting, 0.88 to 0.90 globular; flux-cored 0.85).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from ...errors import ShopfloorError

STEEL_DENSITY = 7.85e-3  # g/mm^3
REFERENCE_DIAMETER_MM = 1.2
REFERENCE_ALPHA = 0.30  # mm/(A s)
REFERENCE_BETA = 5.0e-5  # 1/(A^2 s)
# Resistance of the hot extension, 0.7 milliohm/mm at 1.2 mm: mean resistivity of steel between the contact tip and
# the melting point. Order of magnitude in models of GMAW control, e.g. Z. Bingul and G. E. Cook, "A real-time
# prediction model of electrode extension for GMAW", IEEE/ASME Trans. Mechatronics 11, 2006.
WIRE_RESISTIVITY = 0.79e-3  # ohm mm
SMALLEST_WIRE_MM, LARGEST_WIRE_MM = 0.8, 1.6


def _section(diameter_mm: float) -> float:
    return 0.25 * math.pi * diameter_mm**2


@dataclass(frozen=True)
class Wire:
    """A consumable electrode.

    Attributes:
        name: for reports.
        kind: "solid", "metal_cored" or "flux_cored".
        diameter_mm: outer diameter.
        density_g_mm: mass per length.
        alpha: anode-heating coefficient of the burn-off law, mm/(A s).
        beta: extension-heating coefficient of the burn-off law, 1/(A^2 s).
        resistance_ohm_mm: resistance per length of the hot extension.
        metal_yield: share of the melted mass that can become weld metal; the rest is slag.
    """

    name: str
    kind: str
    diameter_mm: float
    density_g_mm: float
    alpha: float
    beta: float
    resistance_ohm_mm: float
    metal_yield: float = 1.0

    @property
    def metal_section_mm2(self) -> float:
        """Section of the solid steel bar with the same mass per length, mm^2."""
        return self.density_g_mm / STEEL_DENSITY


def _checked(diameter_mm: float) -> float:
    if not SMALLEST_WIRE_MM <= diameter_mm <= LARGEST_WIRE_MM:
        raise ShopfloorError(
            f"wire diameter must lie in [{SMALLEST_WIRE_MM}, {LARGEST_WIRE_MM}] mm, got {diameter_mm!r}"
        )
    return diameter_mm


def solid_wire(diameter_mm: float) -> Wire:
    """Plain carbon steel wire (ER70S-6, G3Si1) of 0.8 to 1.6 mm."""
    section = _section(_checked(diameter_mm))
    scale = _section(REFERENCE_DIAMETER_MM) / section
    return Wire(
        name=f"solid {diameter_mm:g} mm",
        kind="solid",
        diameter_mm=diameter_mm,
        density_g_mm=STEEL_DENSITY * section,
        alpha=REFERENCE_ALPHA * scale,
        beta=REFERENCE_BETA * scale**2,
        resistance_ohm_mm=WIRE_RESISTIVITY / section,
    )


FLUX_SHARE = 0.15  # of the mass of a rutile wire; makers give 12 to 20 %
FLUX_CORED_DENSITY = 5.35e-3  # g/mm per mm^2 of diameter squared; 130 m/kg at 1.2 mm


def flux_cored_wire(diameter_mm: float) -> Wire:
    """Rutile gas-shielded flux-cored wire (E71T-1) of 1.2 to 1.6 mm.

    Only the sheath carries current while sheath and flux are melted, so the same heat balance gives a faster burn-off
    than a solid wire's. The flux is taken to need as much heat per gram as steel, which is a simplification.
    """
    density = FLUX_CORED_DENSITY * _checked(diameter_mm) ** 2
    sheath = (1.0 - FLUX_SHARE) * density / STEEL_DENSITY
    solid = solid_wire(diameter_mm)
    lighter = solid.density_g_mm / density
    return Wire(
        name=f"flux-cored {diameter_mm:g} mm",
        kind="flux_cored",
        diameter_mm=diameter_mm,
        density_g_mm=density,
        alpha=solid.alpha * lighter,
        beta=solid.beta * lighter * _section(diameter_mm) / sheath,
        resistance_ohm_mm=WIRE_RESISTIVITY / sheath,
        metal_yield=0.90,
    )


# Metal-cored wire in 75 to 95 % argon. The maker publishes feed speed over current at a contact-tip distance of 25 to
# 32 mm; the two coefficients are the least-squares burn-off law of that table with 24 mm of extension, and hold for
# this wire alone.
METAL_CORED_1_6 = Wire(
    name="metal-cored 1.6 mm",
    kind="metal_cored",
    diameter_mm=1.6,
    density_g_mm=13.7e-3,
    alpha=0.128,
    beta=2.60e-5,
    resistance_ohm_mm=WIRE_RESISTIVITY / (0.8 * 13.7e-3 / STEEL_DENSITY),
)


@dataclass(frozen=True)
class Gas:
    """A shielding gas.

    Attributes:
        name: for reports.
        co2_share: volume share of CO2, the rest argon.
        fall_v: current-independent part of the arc voltage (anode and cathode falls), V.
        field_v_mm: voltage gradient of the arc column, V/mm.
    """

    name: str
    co2_share: float
    fall_v: float = 15.5
    field_v_mm: float = 0.9


def argon_co2(co2_share: float) -> Gas:
    """Argon with a share of CO2 between 0.05 and 1.

    Column gradients of 0.9 V/mm for mixtures with 18 % CO2 and 1.4 V/mm for pure CO2 (range 1.2 to 1.6), linear
    between; falls of 15.5 V. Orders of magnitude of models for GMAW control, as in K. L. Moore, D. S. Naidu and S.
    Ozcelik, "Modeling, Sensing and Control of Gas Metal Arc Welding", Elsevier 2003.
    """
    if not 0.05 <= co2_share <= 1.0:
        raise ShopfloorError(f"share of CO2 must lie in [0.05, 1], got {co2_share!r}")
    name = "CO2" if co2_share == 1.0 else f"Ar + {100 * co2_share:g} % CO2"
    return Gas(name=name, co2_share=co2_share, field_v_mm=0.9 + 0.5 * (co2_share - 0.18) / 0.82)


CO2 = argon_co2(1.0)
M21 = argon_co2(0.18)  # ISO 14175 M21: argon with 15 to 25 % CO2


class FluxCoredSetting(NamedTuple):
    """One row of a maker's setting guide: horizontal fillet in CO2."""

    leg_mm: float
    diameter_mm: float
    current_a: float
    voltage_v: float
    travel_mm_s: float


def _guide() -> tuple[FluxCoredSetting, ...]:
    legs = {
        4: ((250, 27, 50), (330, 29, 100), (350, 31, 105)),
        5: ((270, 29, 50), (330, 30, 90), (370, 33, 90)),
        6: ((270, 29, 45), (330, 31, 80), (380, 34, 80)),
        7: ((280, 30, 40), (350, 32, 50), (380, 34, 65)),
        8: ((300, 31, 30), (350, 33, 45), (380, 34, 52)),
        9: ((320, 32, 30), (350, 34, 40), (380, 34, 40)),
    }
    return tuple(
        FluxCoredSetting(leg, diameter, amps, volts, cm_min / 6.0)
        for leg, rows in legs.items()
        for diameter, (amps, volts, cm_min) in zip((1.2, 1.4, 1.6), rows, strict=True)
    )


# Setting guide of OTC/DAIHEN (Welbee P400L manual) for 1.2, 1.4 and 1.6 mm flux-cored wire in CO2. A guide for
# set-points, not a mass balance: the currents hardly rise where the legs double.
FLUX_CORED_GUIDE = _guide()
