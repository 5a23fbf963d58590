"""The limited pose reference that the Cartesian interfaces follow, and its limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from ...frames import quat_conjugate, quat_multiply, quat_to_rotation_vector, rotate
from ...limits import MotionLimiter, MotionLimits
from ..engine.task import Rows
from .interface import ActionTerm
from .operational_space_model import AXES

Array = NDArray[np.float64]

FRAMES = ("world", "tool")


@dataclass(frozen=True)
class TcpLimits:
    """Limits of the motion of a TCP reference, each for every component of its own.

    Attributes:
        low, high: corners of the box that the reference stays in, world frame, m.
        linear: velocity (m/s), acceleration (m/s^2) and jerk (m/s^3) along x, y, z.
        angular: the same about x, y, z, in rad.
    """

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    linear: tuple[float, float, float] = (0.5, 4.0, 80.0)
    angular: tuple[float, float, float] = (1.5, 12.0, 240.0)

    def motion(self) -> MotionLimits:
        """As limits of six axes; the range of rotations is half a turn and bounds nothing.

        Raises:
            ShopfloorError: if the box is empty or a limit is not positive.
        """
        both = [[a] * 3 + [b] * 3 for a, b in zip(self.linear, self.angular, strict=True)]
        return MotionLimits.of(
            low=[*self.low, *([-np.pi] * 3)], high=[*self.high, *([np.pi] * 3)],
            velocity=both[0], acceleration=both[1], jerk=both[2],
        )  # fmt: skip

    def as_dict(self) -> dict[str, list[float]]:
        """Plain lists of six components, for the deployment contract."""
        return self.motion().as_dict()


class PoseReference:
    """A pose that follows a target inside `TcpLimits`, in n rows.

    Position goes through `MotionLimiter` component by component, orientation through the same limiter in the
    components of the rotation that is left, which an integrated quaternion follows. Row arrays carry `prefix`:
    `_position` (6: metres, and turned angles, which say nothing), `_quaternion`, `_velocity` and `_acceleration` (6).

    Args:
        s: the rows, which get the arrays.
        prefix: of the arrays' names.
        limits: limits of motion.
        dt: tick, s.
    """

    def __init__(self, s: Rows, prefix: str, limits: MotionLimits, dt: float):
        self.limits = limits
        self.dt = dt
        self.limiter = MotionLimiter(limits, dt)
        self._position = s.new(f"{prefix}_position", (6,))
        self.quaternion = s.new(f"{prefix}_quaternion", (4,))
        self.velocity = s.new(f"{prefix}_velocity", (6,))
        self.acceleration = s.new(f"{prefix}_acceleration", (6,))

    @property
    def position(self) -> Array:
        """Position (n, 3), m."""
        return self._position[:, :3]

    def reset(self, rows: NDArray[np.intp], position: Array, quaternion: Array) -> None:
        """Rows (k,) rest at poses (k, 3), (k, 4)."""
        self._position[rows] = 0.0
        self._position[rows, :3] = position
        self.quaternion[rows] = quaternion
        self.velocity[rows] = 0.0
        self.acceleration[rows] = 0.0

    def shift(self, by: Array) -> None:
        """Move by (n, 6) at once, m and rotation vector in rad: for who has to give way to something else."""
        self._position[:, :3] += by[:, :3]
        self.quaternion[...] = quat_multiply(small_turn(by[:, 3:]), self.quaternion)

    def error(self, position: Array, quaternion: Array) -> Array:
        """What is left from here to poses (n, 3), (n, 4): (n, 6), m and rotation vector in rad, world frame."""
        return pose_error(position, quaternion, self.position, self.quaternion)

    def toward_pose(self, position: Array, quaternion: Array) -> None:
        """One tick toward target poses (n, 3), (n, 4)."""
        left = self.error(np.minimum(np.maximum(position, self.limits.low[:3]), self.limits.high[:3]), quaternion)
        self.toward_velocity(np.copysign(self.limiter.approach_speed(np.abs(left)), left))

    def toward_velocity(self, velocity: Array) -> None:
        """One tick toward velocities (n, 6)."""
        self.limiter.toward_velocity(self._position, self.velocity, self.acceleration, velocity)
        turned = quat_multiply(small_turn(self.velocity[:, 3:] * self.dt), self.quaternion)
        w, x, y, z = (turned[:, i] for i in range(4))
        turned /= np.sqrt(w * w + x * x + y * y + z * z)[:, None]
        self.quaternion[...] = turned


class PoseTarget:
    """The target pose that increments move: never outside the box, never further ahead than a stop takes.

    Args:
        s: the rows, which get `tcp_target_position` and `tcp_target_quaternion`.
        limits: limits of the reference.
        increment: (6,) largest increment a control step, m and rad.
        control_dt: control period, s.
        limiter: that of the reference.
    """

    def __init__(self, s: Rows, increment: Array, limiter: MotionLimiter, control_dt: float):
        self._limits = limiter.limits
        self._lead = limiter.approach_distance(np.minimum(increment / control_dt, self._limits.velocity))
        self.position = s.new("tcp_target_position", (3,))
        self.quaternion = s.new("tcp_target_quaternion", (4,))

    def reset(self, rows: NDArray[np.intp], position: Array, quaternion: Array) -> None:
        """Rows (k,) aim at poses (k, 3), (k, 4)."""
        self.position[rows] = position
        self.quaternion[rows] = quaternion

    def move(self, increment: Array, reference: PoseReference) -> None:
        """Move by increments (n, 6) in the world frame, and forget what runs too far ahead of the reference."""
        turned = quat_multiply(small_turn(increment[:, 3:]), self.quaternion)
        ahead = reference.error(self.position + increment[:, :3], turned)
        np.minimum(np.maximum(ahead, -self._lead, out=ahead), self._lead, out=ahead)
        position = reference.position + ahead[:, :3]
        self.position[...] = np.minimum(np.maximum(position, self._limits.low[:3]), self._limits.high[:3])
        self.quaternion[...] = quat_multiply(small_turn(ahead[:, 3:]), reference.quaternion)


def pose_error(position: Array, quaternion: Array, from_position: Array, from_quaternion: Array) -> Array:
    """Translation and rotation vector (n, 6), world frame, from one pose to another."""
    out = np.empty((len(position), 6))
    np.subtract(position, from_position, out=out[:, :3])
    out[:, 3:] = quat_to_rotation_vector(quat_multiply(quaternion, quat_conjugate(from_quaternion)))
    return out


def small_turn(vector: Array) -> Array:
    """Unit quaternions (n, 4) of rotation vectors (n, 3) in rad."""
    angle = np.sqrt(vector[:, 0] ** 2 + vector[:, 1] ** 2 + vector[:, 2] ** 2)
    out = np.empty((len(vector), 4))
    half = 0.5 * angle
    out[:, 0] = np.cos(half)
    # sin(x / 2) / x tends to 1 / 2 at zero
    out[:, 1:] = vector * np.where(angle > 1e-9, np.sin(half) / np.maximum(angle, 1e-9), 0.5)[:, None]
    return out


def to_world(vector: Array, quaternion: Array | None) -> Array:
    """Linear and angular components (n, 6) from the frame of quaternions (n, 4), None for the world itself."""
    if quaternion is None:
        return vector
    return np.concatenate((rotate(quaternion, vector[:, :3]), rotate(quaternion, vector[:, 3:])), axis=1)


def to_frame(vector: Array, quaternion: Array | None) -> Array:
    """Linear and angular components (n, 6) of the world in the frame of quaternions (n, 4), None for the world."""
    return vector if quaternion is None else to_world(vector, quat_conjugate(quaternion))


def check_frame(frame: str) -> None:
    """Refuse an unknown frame.

    Raises:
        ShopfloorError: if it is not one of `FRAMES`.
    """
    if frame not in FRAMES:
        raise ShopfloorError(f"frame={frame!r}: choose one of {', '.join(FRAMES)}")


def increment_terms(index: NDArray[np.intp], increment: Array, frame: str) -> tuple[ActionTerm, ...]:
    """The declaration of pose increments: components `index`, each up to `increment` (6,)."""
    return tuple(
        ActionTerm(
            f"increment_{AXES[i]}", "m" if i < 3 else "rad", -float(increment[i]), float(increment[i]), frame,
            f"change of the TCP target {'along' if i < 3 else 'about'} {AXES[i][-1]} a step",
        )
        for i in index
    )  # fmt: skip


def ticks_of(rate_hz: float, s: Rows, what: str) -> tuple[int, int]:
    """Ticks a control step and physics steps a tick, of an inner loop.

    Raises:
        ShopfloorError: if the rate does not fit between control and physics.
    """
    timing = s.timing
    ticks, steps = rate_hz / timing.control_hz, 1.0 / (rate_hz * timing.timestep_s)
    if min(ticks, steps) < 1.0 - 1e-9 or abs(ticks - round(ticks)) > 1e-6 or abs(steps - round(steps)) > 1e-6:
        raise ShopfloorError(
            f"{what}={rate_hz:g} must be a multiple of the control rate {timing.control_hz:g} Hz and divide the "
            f"physics rate {1.0 / timing.timestep_s:g} Hz"
        )
    return round(ticks), round(steps)


def six(name: str, values: float | Sequence[float], positive: bool = True) -> Array:
    """A value a component (6,), from six, from two (linear, angular) or from one for all.

    Raises:
        ShopfloorError: if the size does not fit or a value is not positive (or, where allowed, is negative).
    """
    array = np.atleast_1d(np.asarray(values, dtype=np.float64))
    if array.shape == (2,):
        array = np.repeat(array, 3)
    if array.shape not in ((1,), (6,)) or not np.isfinite(array).all() or (array < 0.0).any():
        raise ShopfloorError(f"{name}={values!r}: give one, two (linear, angular) or six positive numbers")
    if positive and not (array > 0.0).all():
        raise ShopfloorError(f"{name}={values!r}: every value must be positive")
    return np.broadcast_to(array, (6,)).copy()
