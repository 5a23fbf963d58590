"""Admittance control: a position-controlled arm with a wrist force/torque sensor that yields, and presses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from ...limits import MotionLimiter, MotionLimits
from ..engine.task import Rows
from .interface import ActionTerm
from .joint import _JointInterface, ramp, track_velocity
from .operational_space_model import AXES, ArmModel, apply, axis_index, cross
from .operational_space_reference import (
    PoseReference,
    PoseTarget,
    TcpLimits,
    check_frame,
    increment_terms,
    pose_error,
    six,
    ticks_of,
    to_frame,
    to_world,
)
from .tcp import damped_least_squares

Array = NDArray[np.float64]

TRACKING_S = 0.05  # time constant with which joint references return to the Cartesian one after a detour
LEAD_TICKS = 2.0  # ticks of full acceleration by which the virtual tool may be faster than the joints' references


class Admittance(_JointInterface):
    """A virtual tool of mass and damping, pulled by a spring to the commanded pose, that shares the real one's forces.

    M v' = f_contact + u - D v, with u = K (commanded - virtual pose) + D v_commanded + M a_commanded + f_set, and the
    linear part of u shortened to the commanded force limit. In free space u is what moving takes, and the virtual
    tool is where it was commanded to be; against a wall the contact force settles at u, that is at f_set plus spring
    force and never above the limit. One limit therefore bounds the force of a contact that lasts and the speed at
    which one can begin, `limit / D`: who wants to go fast has to allow force (in the spirit of ISO/TS 15066).
    The virtual tool's velocity, acceleration and jerk are limited, joint velocities come from damped least squares,
    are limited by the joints' own limits, and position servos follow.

    A position servo follows a moving reference late, by kv / kp of its gains; its speed times that is added to the
    command, as drives do with velocity feed-forward. What is left, with the joints' jerk limits, is an answer within
    10 ms on most of this package's arms and 30 ms on the one with the lowest limits (iiwa14). With a contact of
    stiffness k (arm, tool and part in series) force is stable for D > k times that and does not overshoot for twice as
    much: the default suits 100 kN/m. Halve the stiffness of the contact, and force control may be twice as fast, which
    is why grinding tools are compliant.

    The sensor reads at every tick of the inner loop, through a first-order filter; the weight of the tool beyond it is
    taken off, as designed. What accelerates the tool is not. Row arrays: `tcp_wrench` is the filtered contact wrench,
    `tcp_force_peak` the largest length of its force at any tick of the control step, N.

    Args:
        joints: joint names; actuators of the same names are position servos.
        limits: joint limits, rad and s.
        site: name of the TCP site.
        tcp: limits of the commanded and of the virtual pose.
        control_hz: control rate for which default increments are computed.
        force_limit: (low, high) of the commanded limit, N.
        force: largest commanded force along each axis, N; 0 leaves forces out of the set-points. A positive force
            presses the tool along the axis.
        torque_limit: largest moment of u, N m.
        mass: kg and kg m^2: one value, two (linear, angular) or six.
        damping: N s/m and N m s/rad, likewise.
        stiffness: N/m and N m/rad, likewise; 0 lets a contact push the tool away for good.
        increment: as for `TorqueInterface`.
        axes, frame: likewise.
        inner_hz: rate of the loop; that of the position interfaces of robots, 125 to 500 Hz.
        filter_hz: corner frequency of the sensor's filter.
        interpolate: let drives run on straight lines between the ticks' commands, which come a tick later then. Held
            commands are stairs, and the sensor reads at the same place of every step: the tool's inertia looks like a
            force that grows with speed, by 50 N s/m on the UR10e class. Fast motion needs this, slow contact does not.
        headroom: by how much velocity, acceleration and jerk limits of the virtual tool exceed those of the commanded
            pose. With 1 it is late by some ticks whenever the command accelerates, and overshoots by what it was late.
        sensors: names of force and torque sensor at one site, as `add_ft_sensor` makes them.
        suction: name of the sensor of a vacuum gripper's pull, as `add_vacuum_gripper` makes it, see `WristSensor`.
        singular_damping, threshold: of the damped least squares, see `TcpTwist`.
    """

    name = "admittance"

    def __init__(
        self,
        joints: Sequence[str],
        limits: MotionLimits,
        site: str,
        tcp: TcpLimits,
        control_hz: float,
        *,
        force_limit: tuple[float, float] = (5.0, 500.0),
        force: float = 50.0,
        torque_limit: float = 30.0,
        mass: float | Sequence[float] = (10.0, 0.1),
        damping: float | Sequence[float] = (3000.0, 20.0),
        stiffness: float | Sequence[float] = (6000.0, 60.0),
        increment: float | Sequence[float] | None = None,
        axes: Sequence[str] = AXES,
        frame: str = "world",
        inner_hz: float = 500.0,
        filter_hz: float = 100.0,
        interpolate: bool = False,
        headroom: float = 1.0,
        sensors: tuple[str, str] = ("ft_force", "ft_torque"),
        suction: str | None = None,
        singular_damping: float = 0.05,
        threshold: float = 0.02,
    ):
        super().__init__(joints, limits)
        check_frame(frame)
        self.axes, self.frame = axis_index(axes), frame
        if self.axes.size > limits.dof or (frame != "world" and self.axes.size < 6):
            raise ShopfloorError(
                f"{self.axes.size} task axes for {limits.dof} joints in frame {frame!r}: name at most as many axes as "
                "joints, and all six for frame='tool'"
            )
        if not (0.0 < force_limit[0] < force_limit[1] and force >= 0.0 and torque_limit > 0.0 and filter_hz > 0.0):
            raise ShopfloorError(
                f"force_limit={force_limit}, force={force}, torque_limit={torque_limit}, filter_hz={filter_hz}: give a "
                "range of positive forces, a force that is not negative, a positive torque and a positive frequency"
            )
        self.site, self.tcp = site, tcp
        self.force_limit, self.force, self.torque_limit = force_limit, force, torque_limit
        self.mass, self.damping = six("mass", mass), six("damping", damping)
        self.stiffness = six("stiffness", stiffness, positive=False)
        self._tcp_motion = tcp.motion()
        self.increment = self._tcp_motion.velocity / control_hz if increment is None else six("increment", increment)
        self.inner_hz, self.filter_hz, self.sensors, self.suction = inner_hz, filter_hz, sensors, suction
        self.interpolate, self.headroom = interpolate, headroom
        self.singular_damping, self.threshold = singular_damping, threshold
        self._pressed = self.axes[self.axes < 3] if force > 0.0 else self.axes[:0]

    @property
    def terms(self) -> tuple[ActionTerm, ...]:
        """Increments, force along each controlled axis, force limit."""
        forces = tuple(
            ActionTerm(
                f"force_{AXES[i]}", "N", -self.force, self.force, self.frame,
                f"force with which the tool presses along {AXES[i]}",
            )
            for i in self._pressed
        )  # fmt: skip
        limit = ActionTerm("force_limit", "N", *self.force_limit, self.frame, "largest force of a lasting contact")
        return (*increment_terms(self.axes, self.increment, self.frame), *forces, limit)

    def limits(self) -> dict[str, Any]:
        """Joint, TCP and force limits, the virtual tool and the rate of the inner loop, as plain data."""
        return {
            **super().limits(),
            "tcp": self.tcp.as_dict(),
            "force_limit": list(self.force_limit),
            "torque_limit": self.torque_limit,
            "mass": self.mass.tolist(),
            "damping": self.damping.tolist(),
            "stiffness": self.stiffness.tolist(),
            "inner_hz": self.inner_hz,
            "filter_hz": self.filter_hz,
        }

    def bind(self, s: Rows) -> None:
        """Resolve names and register poses and the contact wrench."""
        super().bind(s)
        self._ticks, self._steps = ticks_of(self.inner_hz, s, "inner_hz")
        self.dt = 1.0 / self.inner_hz
        self._limiter = MotionLimiter(self.motion, self.dt)
        self.arm = ArmModel(s, self.joints, self.site, np.arange(6), 1.0)
        self.reference = PoseReference(s, "tcp_reference", self._tcp_motion, self.dt)
        self.virtual = PoseReference(s, "tcp_virtual", self._virtual_motion(), self.dt)
        self.target = PoseTarget(s, self.increment, self.reference.limiter, s.timing.control_dt)
        model = s.sim.model
        gain, bias = model.actuator_gainprm[self._ctrl, 0], model.actuator_biasprm[self._ctrl]
        if not ((gain > 0.0) & (bias[:, 1] == -gain)).all():
            raise ShopfloorError("Admittance needs position servos: build the arm with actuators='position'")
        self._lag = -bias[:, 2] / gain
        self._sensor = WristSensor(s, self.sensors, self.suction)
        self._lead = self._tcp_motion.velocity * (0.5 * self.dt)
        self._free = np.zeros(6)
        self._free[self.axes] = 1.0
        s.new("tcp_wrench", (6,))
        s.new("tcp_force_peak")
        if self.interpolate:
            s.new("tcp_command", (self.motion.dof,))

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Commanded = virtual = present pose, at rest, no contact."""
        super().reset(s, rows)
        position, quaternion = self.arm.position[rows], self.arm.quaternion[rows]
        for pose in (self.reference, self.virtual):
            pose.reset(rows, position, quaternion)
        self.target.reset(rows, position, quaternion)
        s.tcp_wrench[rows] = 0.0
        s.tcp_force_peak[rows] = 0.0
        if self.interpolate:
            s.tcp_command[rows] = s.joint_reference[rows]

    @property
    def frame_quaternion(self) -> Array | None:
        """Orientation (n, 4) of the set-points' axes, None for the world's."""
        return None if self.frame == "world" else self.reference.quaternion

    def apply(self, s: Rows, setpoints: Array, rows: NDArray[np.intp] | None) -> None:
        """Move the target, then run the inner loop: virtual tool, joint references, physics, sensor."""
        increment, press = np.zeros((s.n, 6)), np.zeros((s.n, 6))
        increment[:, self.axes] = setpoints[:, : self.axes.size]
        press[:, self._pressed] = setpoints[:, self.axes.size : -1]
        self.target.move(to_world(increment, self.frame_quaternion), self.reference)
        # first-order filter, exact for a reading that is held over a tick
        share = 1.0 - np.exp(-2.0 * np.pi * self.filter_hz * self.dt)
        s.tcp_force_peak[...] = 0.0
        for _ in range(self._ticks):
            self.reference.toward_pose(self.target.position, self.target.quaternion)
            self.virtual.toward_velocity(self._virtual_velocity(s, press, setpoints[:, -1]))
            self._advance_joints(s)
            commands = np.repeat(s.sim.ctrl[:, None, :], self._steps, axis=1)
            if self.interpolate:
                commands[:, :, self._ctrl] = ramp(s.tcp_command, self._commands(s), self._steps)
                s.tcp_command[...] = commands[:, -1, self._ctrl]
            else:
                commands[:, :, self._ctrl] = self._commands(s)[:, None, :]
            s.sim.follow(commands if rows is None else commands[rows], rows)
            s.tcp_wrench += share * (self._sensor.contact(self.arm.position) - s.tcp_wrench)
            np.maximum(s.tcp_force_peak, _length(s.tcp_wrench[:, :3]), out=s.tcp_force_peak)

    def _virtual_motion(self) -> MotionLimits:
        """Limits of the virtual tool."""
        lim, more = self._tcp_motion, self.headroom
        return MotionLimits(lim.low, lim.high, more * lim.velocity, more * lim.acceleration, more * lim.jerk)

    def _commands(self, s: Rows) -> Array:
        """Position commands (n, dof) that make up for the servos' lag behind a moving reference."""
        lead: Array = s.joint_reference + self._lag * s.joint_reference_velocity
        return np.minimum(np.maximum(lead, self.motion.low), self.motion.high)

    def _virtual_velocity(self, s: Rows, press: Array, limit: Array) -> Array:
        """Velocity (n, 6) of the virtual tool after a tick, world frame, before its limits."""
        here, aim, frame = self.virtual, self.reference, self.frame_quaternion
        left = pose_error(aim.position, aim.quaternion, here.position, here.quaternion)
        left, speed, rise = (to_frame(v, frame) for v in (left, aim.velocity, aim.acceleration))
        drive = self.stiffness * left + self.damping * speed + self.mass * rise + press
        _shorten(drive[:, :3], limit)
        _shorten(drive[:, 3:], np.full(s.n, self.torque_limit))
        force = (drive + to_frame(s.tcp_wrench, frame)) * self._free
        # implicit in the damping, so that it is stable at any tick
        now = to_frame(here.velocity, frame)
        return to_world((self.mass * now + self.dt * force) / (self.mass + self.dt * self.damping), frame)

    def _advance_joints(self, s: Rows) -> None:
        """Bring the joint references to the virtual tool's pose, inside the joint limits."""
        arm, virtual = self.arm, self.virtual
        arm.measure()
        # the pose of the joint references, to first order about the measured one, which they keep close to
        pose = pose_error(virtual.position, virtual.quaternion, arm.position, arm.quaternion)
        pose -= arm.task(s.joint_reference - arm.q)
        twist = (virtual.velocity + pose / TRACKING_S) * self._free
        jacobian = np.ascontiguousarray(arm.jacobian.transpose(0, 2, 1)) * self._free[:, None]
        if self.axes.size < 6:
            # a component that the arm lacks is given a direction of its own, which asks for nothing
            jacobian = np.concatenate((jacobian, np.broadcast_to(np.diag(1.0 - self._free), (s.n, 6, 6))), axis=2)
        velocity = damped_least_squares(jacobian, twist, self.singular_damping, self.threshold)
        velocity = velocity[:, : self.motion.dof]
        excess = np.max(np.abs(velocity) / self.motion.velocity, axis=1, keepdims=True)
        velocity /= np.maximum(excess, 1.0)
        track_velocity(self._limiter, s, velocity)
        self._hold_back(s)

    def _hold_back(self, s: Rows) -> None:
        """Keep the virtual tool close to where the joint references are and to how they move.

        A tool that ran on while a joint is at a limit would have to be caught up with afterwards, at speed and, in a
        contact, with a force that nobody commanded.
        """
        arm, virtual, lim = self.arm, self.virtual, self.virtual.limits
        pose = pose_error(virtual.position, virtual.quaternion, arm.position, arm.quaternion)
        ahead = pose - arm.task(s.joint_reference - arm.q)
        back = (np.minimum(np.maximum(ahead, -self._lead), self._lead) - ahead) * self._free
        virtual.shift(back)
        moving, most = arm.task(s.joint_reference_velocity), lim.acceleration * (LEAD_TICKS * self.dt)
        held = np.minimum(np.maximum(virtual.velocity, moving - most), moving + most)
        held = np.minimum(np.maximum(held, -lim.velocity), lim.velocity)
        virtual.velocity[...] = np.where(self._free > 0.0, held, virtual.velocity)


class WristSensor:
    """Contact force and moment at the TCP from a wrist force/torque sensor, the weight of the tool taken off.

    Args:
        s: the rows.
        sensors: names of the force and the torque sensor, at one site.
        suction: name of a sensor of the pull of an adhesion actuator along the sensor's z axis, N. A vacuum presses cup
            and part together, which no real sensor behind the cup feels; the engine's sensor counts the contacts that
            are pressed and not what presses them, so that the pull has to be taken off.

    Raises:
        ShopfloorError: if they are not at one site.
    """

    def __init__(self, s: Rows, sensors: tuple[str, str], suction: str | None = None):
        sim, model = s.sim, s.sim.model
        sites = [int(model.sensor_objid[sim.id("sensor", name)]) for name in sensors]
        if sites[0] != sites[1]:
            raise ShopfloorError(f"sensors={sensors!r}: force and torque must be measured at one site")
        self._force, self._torque = (sim.sensor(name) for name in sensors)
        self._suction = None if suction is None else sim.sensor(suction)
        self._position = sim.output("site_xpos")[:, sites[0]]
        self._matrix = sim.output("site_xmat")[:, sites[0]].reshape(s.n, 3, 3)
        body = int(model.site_bodyid[sites[0]])
        data = mujoco.MjData(model)
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        axes = data.site_xmat[sites[0]].reshape(3, 3)
        # (3,) centre of what hangs on the sensor, in its frame
        offset = data.subtree_com[body] - data.site_xpos[sites[0]]
        self._centre = axes[0] * offset[0] + axes[1] * offset[1] + axes[2] * offset[2]
        self._weight = float(model.body_subtreemass[body]) * model.opt.gravity

    def _world(self, vector: Array) -> Array:
        """Vectors (n, 3) of the sensor's frame in the world."""
        return apply(self._matrix, vector)

    def contact(self, point: Array) -> Array:
        """Force and moment about points (n, 3) that the surroundings exert on the tool, world frame, (n, 6)."""
        centre = self._world(np.broadcast_to(self._centre, self._force.shape))
        weight = np.broadcast_to(self._weight, centre.shape)
        force = -self._world(self._force) - weight
        if self._suction is not None:
            force += self._matrix[:, :, 2] * self._suction
        moment = -self._world(self._torque) - cross(centre, weight) + cross(self._position - point, force)
        return np.concatenate((force, moment), axis=1)


def _length(vector: Array) -> Array:
    """Lengths (n,) of vectors (n, 3)."""
    length: Array = np.sqrt(vector[:, 0] ** 2 + vector[:, 1] ** 2 + vector[:, 2] ** 2)
    return length


def _shorten(vector: Array, longest: Array) -> None:
    """Shorten vectors (n, 3) to lengths (n,), in place."""
    length = _length(vector)
    vector *= (longest / np.maximum(length, np.maximum(longest, 1e-12)))[:, None]
