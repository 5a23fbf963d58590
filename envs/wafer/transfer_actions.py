"""Action interfaces of WaferTransfer and where joint angles put the wafer with respect to the path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...assets.robots.vacuum_scara import LINK_LENGTH, WRIST_TO_WAFER
from ...limits import MotionLimits
from ..control import ActionInterface
from ..control.joint_motion import JointMotion
from ..control.path import PathTimeScaling
from ..control.path_acceleration import PathAcceleration
from ..control.path_parameters import MoveParameters
from ..engine.task import Rows, Timing
from .transfer_terms import ARM_JOINTS, GENERIC

if TYPE_CHECKING:
    from .transfer import WaferTransfer

Array = NDArray[np.float64]

ACTIONS = ("path_time_scaling", "move_parameters", "path_acceleration", "joint_motion")
CORRIDOR_M, HEADING_RAD = 0.005, 0.05  # how far joint set-points may take the paddle off the path, and turn it
# Ranges with room for braking on both sides of what the task needs; the shoulder turns freely.
JOINT_LIMITS = MotionLimits.of(
    low=(-12.0, -3.9, -0.4), high=(12.0, 0.4, 2.1), velocity=(5.0, 8.0, 5.0), acceleration=(40.0, 80.0, 40.0),
    jerk=(2000.0, 4000.0, 2000.0),
)  # fmt: skip


def make_action(name: str, task: WaferTransfer, timing: Timing) -> ActionInterface:
    """The action interface `name` of a task; the machine can do more acceleration than any pads hold."""
    if name == "joint_motion":
        return JointMotion(task, ARM_JOINTS, JOINT_LIMITS)
    limits: dict[str, Any] = {
        "velocity": 1.6,
        "acceleration": 7.0 if task.pads == GENERIC else 14.0,
        "shaper_period": (0.025, 0.25),
        "periods": (0.5, 2.0),
        "profile": task.path.profile,
    }
    if name == "path_acceleration":
        return PathAcceleration(
            task, ARM_JOINTS, timing.control_hz, utilization=(0.3, 1.5), interpolator_hz=200.0, **limits
        )
    if name == "move_parameters":
        return MoveParameters(task, ARM_JOINTS, utilization=(0.3, 3.0), interpolator_hz=500.0, **limits)
    return PathTimeScaling(task, ARM_JOINTS, utilization=(0.3, 1.5), interpolator_hz=500.0, **limits)


def wafer_polar(position: Array) -> tuple[Array, Array, Array]:
    """Radius (m), direction and heading of the paddle (rad) from joint angles (..., 3), the arm being rigid."""
    shoulder = np.ascontiguousarray(position[..., 0])
    elbow = shoulder + position[..., 1]
    heading = elbow + position[..., 2]
    x = LINK_LENGTH * (np.cos(shoulder) + np.cos(elbow)) + WRIST_TO_WAFER * np.cos(heading)
    y = LINK_LENGTH * (np.sin(shoulder) + np.sin(elbow)) + WRIST_TO_WAFER * np.sin(heading)
    return np.sqrt(x * x + y * y), np.arctan2(y, x), heading


def along_path(s: Rows, position: Array) -> tuple[Array, Array, Array]:
    """See `PathProjection.along`; a heading that is off counts as a distance from the path, in proportion."""
    radius, angle, heading = wafer_polar(position)
    sign, start = s.path_sign[:, None], s.path_radius[:, None]
    curved, length = (s.path_curvature > 0.0)[:, None], s.path_length[:, None]
    turned = angle - s.path_angle[:, None]
    # the continuous angle is the one next to the shoulder's, which turns with the arm
    turned = turned + 2.0 * np.pi * np.round((heading - angle) / (2.0 * np.pi))
    # on a line, along and across its direction
    x, y = radius * np.cos(turned), radius * np.sin(turned)
    distance = np.where(curved, sign * turned * start, sign * (x - start))
    beside = np.where(curved, radius - start, y)
    before, behind = np.minimum(distance, 0.0), np.maximum(distance - length, 0.0)
    off = np.abs(heading - s.path_angle[:, None] - np.where(curved, turned, 0.0)) * (CORRIDOR_M / HEADING_RAD)
    deviation = np.maximum(np.sqrt(beside * beside + before * before + behind * behind), off)
    left = np.sqrt(beside * beside + (length - distance) ** 2)
    return distance, deviation, left
