"""What friction on three pads can hold: closed forms and the limit surface of a disc.

A wafer accelerated by `a` and turned with `alpha` needs the force `m a` and the moment `I alpha` from its pads.
Whether Coulomb friction supplies them is decided by the limit surface (Goyal, Ruina and Papadopoulos, "Planar sliding
with dry friction", Wear 143, 1991): it does if no rigid sliding motion of the wafer would gain power,

    m a . v + I alpha w <= mu sum N_i |v_i|     for every velocity v and spin w of the wafer on the pads,

where pad i slides with `v_i` and carries `N_i`. Everything here is per unit of mass, and in the frame of the paddle: x
outward, y to the left, origin where the wafer's centre should be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...assets.parts import wafer
from ...assets.robots.vacuum_scara import PAD_ANGLES, PAD_CIRCLE_RADIUS
from ...errors import ShopfloorError
from .profiles import GRAVITY

Array = NDArray[np.float64]

PADS = PAD_CIRCLE_RADIUS * np.stack((np.cos(PAD_ANGLES), np.sin(PAD_ANGLES)), axis=-1)
GYRATION_SQ = wafer.RADIUS**2 / 2.0  # m^2, of a thin disc about its axis
_GRID, _ZOOMS = 41, 14


def gripped_limit(friction: ArrayLike, force: ArrayLike, mass: ArrayLike = wafer.MASS) -> Array:
    """Largest acceleration in m/s^2 of a wafer of `mass` kg that vacuum presses on its pads with `force` N in all.

    `mu (g + F / m)`; the pads share the force like the weight.
    """
    return np.asarray(friction, float) * (GRAVITY + np.asarray(force, float) / np.asarray(mass, float))


def lifted_limit(friction: ArrayLike, vertical: ArrayLike) -> Array:
    """Largest horizontal acceleration in m/s^2 while the paddle accelerates upward by `vertical` m/s^2."""
    return np.asarray(friction, float) * (GRAVITY + np.asarray(vertical, float))


def pad_loads(
    pads: ArrayLike = PADS,
    center: Sequence[float] = (0.0, 0.0),
    acceleration: ArrayLike = (0.0, 0.0),
    height: float = 0.0,
    grip: ArrayLike = (0.0, 0.0, 0.0),
) -> Array:
    """Normal forces (..., 3) of three pads per unit of mass, m/s^2.

    Args:
        pads: (3, 2) positions, m.
        center: (2,) of the wafer, m: one that lies off-centre loads the nearer pads more.
        acceleration: (..., 2) in the plane, m/s^2, which tips the wafer back.
        height: of its centre of mass above the pads, m.
        grip: (3,) vacuum force of each pad per mass of the wafer, m/s^2.

    Raises:
        ShopfloorError: if the wafer would tip off its pads.
    """
    at = np.asarray(pads, float)
    if at.shape != (3, 2):
        raise ShopfloorError(f"pads must be three points in the plane, got shape {at.shape}")
    a = np.asarray(acceleration, float)
    balance = np.array([np.ones(3), at[:, 0], at[:, 1]])
    weight = np.broadcast_to(GRAVITY, a.shape[:-1])
    moments = (GRAVITY * np.asarray(center, float) - height * a)[..., :]
    right = np.concatenate((weight[..., None], moments), axis=-1)
    loads = right @ np.linalg.inv(balance).T
    if (loads <= 0.0).any():
        raise ShopfloorError(f"the wafer tips: loads of the pads {np.round(loads, 3).tolist()} m/s^2")
    return loads + np.asarray(grip, float)


def required_friction(
    acceleration: ArrayLike,
    spin: ArrayLike = 0.0,
    *,
    pads: ArrayLike = PADS,
    center: Sequence[float] = (0.0, 0.0),
    gyration_sq: float = GYRATION_SQ,
    height: float = 0.0,
    grip: ArrayLike = (0.0, 0.0, 0.0),
    tilt: float = 0.0,
) -> Array:
    """Smallest Coulomb coefficient (...) with which a disc on three pads follows.

    The largest ratio of power to sliding over all motions of the wafer, which is unimodal on the half of them that gain
    power; found on a grid that closes in, to better than 1e-5 of its value.

    Args:
        acceleration: (..., 2) of the wafer's centre, horizontal, m/s^2.
        spin: (...) angular acceleration, rad/s^2.
        tilt: droop in rad, the outer end of the paddle lower: gravity then pulls the wafer outward.
        pads, center, height, grip: see `pad_loads`; the acceleration is that of a centre of mass at `center`.
        gyration_sq: squared radius of gyration about the wafer's axis, m^2.
    """
    a, alpha = np.asarray(acceleration, float), np.asarray(spin, float)
    shape = np.broadcast_shapes(a.shape[:-1], alpha.shape)
    a = np.broadcast_to(a, (*shape, 2)).reshape(-1, 2)
    alpha = np.broadcast_to(alpha, shape).reshape(-1)
    # along the paddle and across it, of the acceleration less gravity
    along: Array = a[:, 0] * math.cos(tilt) - GRAVITY * math.sin(tilt)
    pressing: Array = (a[:, 0] * math.sin(tilt) + GRAVITY * math.cos(tilt)) / GRAVITY
    a = np.stack((along, a[:, 1]), axis=-1)
    weight = pad_loads(pads, center, a / pressing[:, None], height)
    loads = pressing[:, None] * weight + np.asarray(grip, float)
    at = np.asarray(pads, float) - np.asarray(center, float)
    arm = math.sqrt(float((at * at).sum()) / 3.0)
    heading, turning = np.zeros(len(a)), np.zeros(len(a))
    best = np.zeros(len(a))
    span_h, span_t = math.pi, 0.5 * math.pi
    steps = np.linspace(-1.0, 1.0, _GRID)
    for _ in range(_ZOOMS):
        h = heading[:, None, None] + span_h * steps[:, None]
        t = turning[:, None, None] + span_t * steps[None, :]
        vx, vy, w = np.cos(t) * np.cos(h), np.cos(t) * np.sin(h), np.sin(t) / arm
        power = a[:, 0, None, None] * vx + a[:, 1, None, None] * vy + (alpha * gyration_sq)[:, None, None] * w
        slid = np.zeros_like(power)
        for k in range(3):
            sx, sy = vx - w * at[k, 1], vy + w * at[k, 0]
            slid += loads[:, k, None, None] * np.sqrt(sx * sx + sy * sy)
        ratio = (power / np.maximum(slid, 1e-12)).reshape(len(a), -1)
        index = np.argmax(ratio, axis=1)
        best = np.maximum(best, np.take_along_axis(ratio, index[:, None], axis=1)[:, 0])
        heading = heading + span_h * steps[index // _GRID]
        turning = turning + span_t * steps[index % _GRID]
        span_h, span_t = 0.3 * span_h, 0.3 * span_t
    return best.reshape(shape)


def turning_friction(radius: ArrayLike, rate: ArrayLike, spin: ArrayLike, **disc: object) -> Array:
    """Smallest Coulomb coefficient with which a wafer follows a turn; arguments broadcast.

    Args:
        radius: robot axis to the wafer's centre, m.
        rate: rad/s.
        spin: angular acceleration, rad/s^2.
        disc: as for `required_friction`.
    """
    r, omega, alpha = np.broadcast_arrays(*(np.asarray(x, float) for x in (radius, rate, spin)))
    acceleration = np.stack((-omega * omega * r, alpha * r), axis=-1)
    return required_friction(acceleration, alpha, **disc)  # type: ignore[arg-type]


def spin_limit(radius: ArrayLike, friction: ArrayLike, rate: ArrayLike = 0.0, **disc: object) -> Array:
    """Largest angular acceleration in rad/s^2 of a turn at `radius` m and `rate` rad/s; 0 where the rate is too high.

    The point mass has `sqrt((mu g)^2 - (omega^2 R)^2) / R`, up to a tenth more: it needs no moment to be spun up.
    """
    r, mu, omega = np.broadcast_arrays(*(np.asarray(x, float) for x in (radius, friction, rate)))
    low, high = np.zeros(r.shape), mu * GRAVITY / r * 1.5
    for _ in range(40):
        middle = 0.5 * (low + high)
        holds = turning_friction(r, omega, middle, **disc) <= mu
        low, high = np.where(holds, middle, low), np.where(holds, high, middle)
    return low


def rate_limit(radius: ArrayLike, friction: ArrayLike, spin: ArrayLike = 0.0, **disc: object) -> Array:
    """Largest rate in rad/s of a turn at `radius` m that is sped up by `spin` rad/s^2; 0 where that alone slips."""
    r, mu, alpha = np.broadcast_arrays(*(np.asarray(x, float) for x in (radius, friction, spin)))
    low, high = np.zeros(r.shape), np.sqrt(1.5 * mu * GRAVITY / r)
    for _ in range(40):
        middle = 0.5 * (low + high)
        holds = turning_friction(r, middle, alpha, **disc) <= mu
        low, high = np.where(holds, middle, low), np.where(holds, high, middle)
    return low
