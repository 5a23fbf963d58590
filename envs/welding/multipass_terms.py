"""What varies in WeldMultipass and what is seen of it. Ranges without a source are engineering judgement."""

from __future__ import annotations

import numpy as np

from ..engine.start import Normal, Term, Uniform
from ..sensing import PRIVILEGED, Channel
from .groove import HALF_MM

PROFILE_MM = np.arange(-20.0, 20.5, 1.0)  # places across the groove that the section scan gives


def start_terms() -> tuple[Term, ...]:
    """What varies from joint to joint, and from machine to machine."""

    def error(name: str, sigma: float, unit: str, text: str) -> Term:
        return Normal(name, -3.0 * sigma, 3.0 * sigma, unit, 1, text)

    return (
        Uniform("groove_angle", 45.0, 60.0, "deg", description="included angle of the V-groove"),
        Uniform("root_face", 0.0, 1.5, "mm", description="unbevelled part of the edges"),
        Uniform("root_gap", 4.0, 7.0, "mm", description="root opening over the ceramic backing"),
        error("efficiency_error", 0.005, "1", "relative error of the deposition efficiency"),
        error("burn_off_error", 0.01, "1", "relative error of the burn-off"),
        error("ctwd_error", 0.2, "mm", "contact tip further from the work than the procedure says"),
        error("aim_error", 0.1, "mm", "torch beside the place asked for"),
        error("pyrometer_error", 2.0, "K", "pyrometer shows too much"),
        Uniform("plate_temperature", 15.0, 30.0, "degC", description="of the plates before the weld"),
    )


def channels(thickness_mm: float) -> tuple[Channel, ...]:
    """What the controller sees before each bead, and what only simulation knows."""
    t = thickness_mm
    return (
        Channel("section", PROFILE_MM.size, "mm", -30.0, 12.0, offset=-0.4 * t, scale=0.5 * t, frame="groove",
                noise=0.05, labels=tuple(f"at {y:g} mm" for y in PROFILE_MM),
                description="face of the joint over the plate's surface, from a laser line across the groove"),
        Channel("fit_up", 3, "mm", (0.0, 0.0, 0.0), (12.0, 4.0, 40.0), offset=(5.5, 0.75, 0.7 * t),
                scale=(1.5, 0.75, 0.3 * t), labels=("root gap", "root face", "half opening"), noise=0.05,
                description="of the empty groove, as it was measured before the first bead"),
        Channel("temperature", 1, "degC", -30.0, 500.0, offset=120.0, scale=80.0, noise=2.0,
                description="of the weld now, from a pyrometer"),
        Channel("beads", 1, "1", 0.0, 31.0, offset=8.0, scale=6.0, description="beads so far"),
        Channel("current", 1, "A", 0.0, 700.0, offset=230.0, scale=60.0, noise=2.0,
                description="mean of the last bead, 0 before the first"),
        Channel("unfused", 1, "mm", 0.0, 100.0, scale=2.0, group=PRIVILEGED,
                description="length of the longest face that is covered without being fused"),
        Channel("root_open", 2, "mm", 0.0, 10.0, scale=1.0, group=PRIVILEGED, labels=("left", "right"),
                description="root face that no arc has reached"),
        Channel("t85", 1, "s", 0.0, 500.0, offset=12.0, scale=8.0, group=PRIVILEGED,
                description="cooling time of the last bead"),
        Channel("interpass", 1, "degC", -30.0, 500.0, offset=120.0, scale=80.0, group=PRIVILEGED,
                description="true temperature before the last bead"),
    )  # fmt: skip


assert PROFILE_MM[-1] < HALF_MM
