"""Motion profiles and closed-form minimum times of a wafer that is held by friction alone.

The wafer follows as long as the acceleration in the plane of the paddle stays below `limit = mu g`. Two classical
facts give the reference that every policy is compared with:

* On a line the fastest such move is bang-bang. On an arc of radius R the tangential acceleration may only use what
  the centripetal one leaves, `a_t^2 + (v^2/R)^2 <= limit^2`, and the fastest move has
  `omega^2 = (limit/R) sin(2 theta)` while it speeds up.
* Averaging any profile over one period of a vibration removes the vibration that it excites, and by the triangle
  inequality never needs more friction than the profile itself. Averaging a bang-bang profile gives the S-curve whose
  jerk time is one period; the move takes one period longer.

Sources: acceleration limited by friction and a jerk limit chosen for the arm's resonance, US patent 5655060 (Brooks
Automation, 1997); zero residual vibration of a ramp of one period, e.g. Meckl and Arestides, "Optimized s-curve motion
profiles for minimum residual vibration", ACC 1998.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

GRAVITY = 9.81  # m/s^2
# integral of dx / sqrt(1 - x^4) from 0 to 1, half the lemniscate constant
LEMNISCATE = 1.3110287771460599


@dataclass(frozen=True)
class SCurve:
    """A symmetric seven-segment S-curve.

    Attributes:
        time: duration, s.
        peak_velocity, peak_acceleration: m/s, m/s^2.
        jerk_time: duration of each jerk segment, s.
        regime: which limit shapes it, "velocity", "acceleration" or "jerk".
    """

    time: float
    peak_velocity: float
    peak_acceleration: float
    jerk_time: float
    regime: str


def s_curve(length: float, velocity: float, acceleration: float, jerk: float) -> SCurve:
    """Fastest rest-to-rest S-curve over `length` m under symmetric limits in m/s, m/s^2 and m/s^3."""
    ramp = velocity / acceleration + acceleration / jerk
    if velocity * jerk < acceleration**2:
        ramp = 2.0 * math.sqrt(velocity / jerk)
    if length >= velocity * ramp:
        peak = min(acceleration, math.sqrt(velocity * jerk))
        return SCurve(length / velocity + ramp, velocity, peak, peak / jerk, "velocity")
    if length >= 2.0 * acceleration**3 / jerk**2:
        half = acceleration / (2.0 * jerk)
        ramp = half + math.sqrt(half * half + length / acceleration)
        return SCurve(2.0 * ramp, length / ramp, acceleration, acceleration / jerk, "acceleration")
    jerk_time = (length / (2.0 * jerk)) ** (1.0 / 3.0)
    return SCurve(4.0 * jerk_time, jerk * jerk_time**2, jerk * jerk_time, jerk_time, "jerk")


def line_time(length: Array | float, speeding: Array | float, slowing: Array | float | None = None) -> Array:
    """Shortest rest-to-rest time in s over a line of `length` m.

    Args:
        length: m.
        speeding: largest acceleration while speeding up, m/s^2.
        slowing: the same while slowing down; default equal.
    """
    down = speeding if slowing is None else slowing
    return np.sqrt(2.0 * np.asarray(length) * (1.0 / np.asarray(speeding) + 1.0 / np.asarray(down)))


def arc_half_time(angle: Array) -> Array:
    """Dimensionless time sqrt(limit/R) t in which a friction-limited start covers `angle` rad, up to pi/4.

    The integral of d theta / sqrt(sin 2 theta) from 0 to `angle`; the substitution sin(2 theta) = x^2 turns it into
    that of dx / sqrt(1 - x^4), which is smooth away from x = 1 and is evaluated by Gauss-Legendre quadrature after
    x = sin(u).
    """
    x = np.sqrt(np.sin(np.minimum(2.0 * np.asarray(angle, dtype=np.float64), 0.5 * math.pi)))
    u = np.arcsin(np.minimum(x, 1.0))
    nodes, weights = np.polynomial.legendre.leggauss(24)
    points = 0.5 * u[..., None] * (nodes + 1.0)
    # dx / sqrt(1 - x^4) = du / sqrt(1 + sin^2 u)
    values = weights / np.sqrt(1.0 + np.sin(points) ** 2)
    return 0.5 * u * np.sum(values, axis=-1)


def arc_time(radius: Array | float, angle: Array | float, limit: Array | float) -> Array:
    """Shortest rest-to-rest time in s over an arc.

    Args:
        radius: m.
        angle: rad, positive.
        limit: largest acceleration in the plane of the paddle, m/s^2.
    """
    angle = np.asarray(angle, dtype=np.float64)
    rate = np.sqrt(np.asarray(limit) / np.asarray(radius))
    cruise = np.maximum(angle - 0.5 * math.pi, 0.0)
    return (2.0 * arc_half_time(0.5 * np.minimum(angle, 0.5 * math.pi)) + cruise) / rate


def tangential_limit(velocity: Array, curvature: Array, limit: Array) -> Array:
    """Tangential acceleration in m/s^2 that the friction circle leaves at `velocity` m/s on `curvature` 1/m."""
    centripetal = velocity * velocity * curvature
    return np.sqrt(np.maximum(limit * limit - centripetal * centripetal, 0.0))


def stopping_speed_squared(remaining: Array, curvature: Array, limit: Array) -> Array:
    """Square of the largest speed from which the wafer can still stop within `remaining` m without slip.

    `2 limit s` on a line; `(limit / kappa) sin(2 kappa s)` on an arc up to an eighth of a turn before the end, and
    the speed `sqrt(limit / kappa)` at which the centripetal acceleration takes all friction before that.
    """
    turn = np.minimum(2.0 * curvature * remaining, 0.5 * math.pi)
    # sin(x)/x is smooth at zero, where the arc becomes a line
    sinc = np.where(turn > 1e-4, np.sin(turn) / np.maximum(turn, 1e-4), 1.0 - turn * turn / 6.0)
    straight = np.minimum(remaining, 0.25 * math.pi / np.maximum(curvature, 1e-9))
    return 2.0 * limit * straight * sinc


def tilt_limits(friction: Array, tilt: Array) -> tuple[Array, Array]:
    """Largest outward and inward radial accelerations in m/s^2 of a wafer on a paddle with drooping tip.

    Args:
        friction: Coulomb coefficient.
        tilt: droop in rad, positive with the tip below the wrist. Gravity then pulls the wafer outward, which adds to
            friction when the paddle accelerates outward and takes from it inward.
    """
    slope = np.tan(tilt)
    outward = GRAVITY * (friction + slope) / (1.0 - friction * slope)
    inward = GRAVITY * (friction - slope) / (1.0 + friction * slope)
    return outward, inward


def zv_shaper(frequency: float, damping: float) -> tuple[Array, Array]:
    """Amplitudes and times in s of the zero-vibration input shaper (Singer and Seering 1990)."""
    ratio = math.exp(-damping * math.pi / math.sqrt(1.0 - damping**2))
    half_period = 1.0 / (2.0 * frequency * math.sqrt(1.0 - damping**2))
    return np.array([1.0, ratio]) / (1.0 + ratio), np.array([0.0, half_period])


def zvd_shaper(frequency: float, damping: float) -> tuple[Array, Array]:
    """Amplitudes and times in s of the shaper whose residual and its slope over frequency vanish (ibid.)."""
    amplitudes, times = zv_shaper(frequency, damping)
    return np.convolve(amplitudes, amplitudes), np.array([0.0, times[1], 2.0 * times[1]])


def shaper_residual(amplitudes: ArrayLike, times: ArrayLike, frequency: ArrayLike, damping: float) -> Array:
    """Residual vibration (...) of a train of impulses, as a share of that of one impulse at time 0.

    Args:
        amplitudes, times: of the impulses, the times in s.
        frequency: (...) undamped frequency of the mode, Hz.
        damping: its damping ratio.

    Returns:
        `exp(-zeta omega t_n) |sum A_i exp(zeta omega t_i) exp(j omega_d t_i)|`, amplitude after the last impulse t_n.
    """
    weights, at = np.asarray(amplitudes, float), np.asarray(times, float)
    omega = 2.0 * math.pi * np.asarray(frequency, float)[..., None]
    growth = np.exp(damping * omega * (at - at[-1]))
    turn = omega * math.sqrt(1.0 - damping**2) * at
    cosine, sine = (weights * growth * f(turn) for f in (np.cos, np.sin))
    return np.hypot(cosine.sum(axis=-1), sine.sum(axis=-1))


def step_residual(steps: ArrayLike, times: ArrayLike, frequency: ArrayLike, damping: float = 0.0) -> Array:
    """Amplitude in m of the deflection that steps of base acceleration leave in a flexible mode.

    Args:
        steps: changes of acceleration, m/s^2, e.g. `a, -2a, a` of a bang-bang move.
        times: at which they happen, s.
        frequency: (...) undamped frequency of the mode, Hz.
        damping: its damping ratio.

    Returns:
        (...) amplitude right after the last step: a step A alone deflects by `A / omega^2` and rings with
        `A / (omega^2 sqrt(1 - zeta^2))`.
    """
    omega = 2.0 * math.pi * np.asarray(frequency, float)
    return shaper_residual(steps, times, frequency, damping) / (omega * omega * math.sqrt(1.0 - damping**2))


def ramp_residual(slopes: ArrayLike, times: ArrayLike, frequency: ArrayLike, damping: float = 0.0) -> Array:
    """Amplitude in m that changes of jerk leave in a flexible mode, as `step_residual` for S-curves.

    Args:
        slopes: changes of jerk, m/s^3, e.g. `j, -j, -j, j, ...` of an S-curve; they sum to zero.
        times, frequency, damping: see `step_residual`.
    """
    omega = 2.0 * math.pi * np.asarray(frequency, float)
    return step_residual(slopes, times, frequency, damping) / omega


def pulse_slip(launch: Array, base: Array, limit: Array, period: Array) -> Array:
    """How far in m a wafer slides during a move that begins with a short pulse of acceleration; all broadcast.

    The pulse is what averaging over `period` makes of `launch` during the first period and `base` from then on: the
    acceleration rises to `launch` within one period and falls to `base` within another. The wafer slides from where
    the acceleration passes `limit`, and is caught when its friction has made up for the speed it lost: Coulomb friction
    on a line, the two equations of motion integrated piece by piece. A flexible arm whose mode has this period makes
    the peak blunt; the wafer then slides further than this.

    Args:
        launch, base: m/s^2, positive. Where the pulse is not higher than the base, there is no pulse to slide in.
        limit: friction limit, m/s^2.
        period: s.

    Returns:
        Distance in m: 0 where nothing exceeds `limit`, infinite where `base` does.
    """
    launch, base, limit, period = np.broadcast_arrays(launch, base, limit, period)
    pulses = (launch > base) & (limit > base)
    excess = np.where(pulses, np.maximum(launch - limit, 0.0), 0.0)
    rise, fall = np.where(pulses, launch, 1.0) / period, np.where(pulses, launch - base, 1.0) / period
    # up to the peak, and down from it to the limit
    gained = 0.5 * excess * excess * (1.0 / rise + 1.0 / fall)
    distance = excess**3 / (6.0 * rise * rise) + 0.5 * excess * excess / rise * (excess / fall)
    distance = distance + excess**3 / (3.0 * fall * fall)
    # slowing down: first with a deceleration that grows along the falling edge, then with a constant one
    left = np.where(pulses, limit - base, 1.0)
    edge, caught = left / fall, np.sqrt(2.0 * gained / fall)
    along = np.minimum(edge, caught)
    distance = distance + gained * along - fall * along**3 / 6.0
    rest = np.maximum(gained - 0.5 * fall * along * along, 0.0)
    distance = distance + np.where(caught > edge, 0.5 * rest * rest / left, 0.0)
    return np.where(np.maximum(launch, base) <= limit, 0.0, np.where(pulses, distance, np.inf))


def yaw_friction_factor(radius: Array | float, pad_radius: float, gyration_sq: float, pad_phase: float) -> Array:
    """Share of `mu g` that is left for tangential acceleration when a disc on three pads turns with the arm.

    A wafer carried round an arc must also be spun up, by a moment that the pads supply out of the same friction. The
    wrench that three pads can supply is bounded by the power of every rigid sliding motion (the limit surface;
    Goyal, Ruina and Papadopoulos, Wear 143, 1991): `F . v + M w <= mu (m g / 3) sum |v_i|`.

    Args:
        radius: arc radius, m.
        pad_radius: radius of the pad circle, m.
        gyration_sq: squared radius of gyration of the wafer about its axis, m^2.
        pad_phase: direction of the first pad from the outward radius, rad.
    """
    radius = np.asarray(radius, dtype=np.float64)
    phases = pad_phase + np.arange(3) * (2.0 * math.pi / 3.0)
    pads = pad_radius * np.stack((np.cos(phases), np.sin(phases)), axis=-1)
    # twists by their angle in the (v, w rho) sphere: direction of v, and share of rotation
    heading, spin = np.meshgrid(np.linspace(0, 2 * math.pi, 121), np.linspace(-1.55, 1.55, 241), indexing="ij")
    vx, vy = np.cos(spin) * np.cos(heading), np.cos(spin) * np.sin(heading)
    w = np.sin(spin) / pad_radius
    slip = sum(np.hypot(vx - w * p[1], vy + w * p[0]) for p in pads) / 3.0
    # tangential is +y when the radius is +x; a_t = 1 comes with angular acceleration 1 / radius
    power = vy[..., None] + w[..., None] * (gyration_sq / radius.reshape(-1))
    ratio = np.where(power > 1e-9, slip[..., None] / np.maximum(power, 1e-9), np.inf)
    return ratio.min(axis=(0, 1)).reshape(radius.shape)
