"""A new environment: a cell, a task and an expert, and nothing else.

A two-axis welding positioner turns and tilts a part until its seam lies flat. Everything that the built-in environments
have follows from these declarations: spaces, vector environments, autoreset, seeds, noise, limits, pictures, state.

    python examples/add_an_environment.py [PICTURE.png]
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import gymnasium
import mujoco
import numpy as np
from numpy.typing import NDArray

from shopfloor.assets import look
from shopfloor.envs.control import JointVelocity
from shopfloor.envs.engine.start import Term, Uniform
from shopfloor.envs.engine.task import Metric, Reward, Rows, Task, Timing
from shopfloor.envs.registry import register_task
from shopfloor.envs.sensing import Channel
from shopfloor.limits import MotionLimits

Array = NDArray[np.float64]
JOINTS = ("tilt", "turn")
LIMITS = MotionLimits.of(low=[-1.6, -3.2], high=[1.6, 3.2], velocity=[1.0, 2.0], acceleration=[4, 8], jerk=[80, 160])
TOLERANCE_RAD = 0.01


def positioner(visual: bool) -> mujoco.MjSpec:
    """The cell. Physics and pictures come from one description; `visual` only adds what is merely seen."""
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    spec.option.timestep = 0.002
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    box, cylinder = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CYLINDER
    free = {"contype": 0, "conaffinity": 0}  # nothing here can meet
    world = spec.worldbody
    for side in (-1, 1):
        world.add_geom(type=box, size=[0.12, 0.06, 0.45], pos=[0, 0.62 * side, 0.45], rgba=[0.93, 0.73, 0.1, 1], **free)
    yoke = world.add_body(name="yoke", pos=[0, 0, 0.8])
    yoke.add_joint(name="tilt", axis=[0, 1, 0], range=[-1.6, 1.6], damping=20, armature=2)
    yoke.add_geom(type=box, size=[0.1, 0.56, 0.03], pos=[0, 0, -0.08], density=4000, rgba=[0.3, 0.32, 0.35, 1], **free)
    table = yoke.add_body(name="table")
    table.add_joint(name="turn", axis=[0, 0, 1], range=[-3.2, 3.2], damping=20, armature=2)
    table.add_geom(type=cylinder, size=[0.4, 0.03, 0], density=4000, rgba=[0.62, 0.65, 0.68, 1], **free)
    table.add_geom(type=box, size=[0.25, 0.02, 0.12], pos=[0, 0, 0.15], density=7800, rgba=[0.35, 0.5, 0.65, 1], **free)
    for joint, torque in zip(JOINTS, (800.0, 300.0), strict=True):
        servo = spec.add_actuator(name=joint, target=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        servo.set_to_position(kp=10 * torque, kv=torque)
        servo.forcelimited, servo.forcerange = True, [-torque, torque]
    if visual:
        world.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[4, 4, 0.1], rgba=[0.5, 0.52, 0.54, 1], **free)
        look.render_settings(spec, center=(0, 0, 0.7), extent=2)
        look.add_light(spec, "key", (2, -2, 4), (0, 0, 0.7), 0.6, shadow=True)
        look.add_camera(world, "overview", (2.0, -1.6, 1.9), (0, 0, 0.65), 40.0)
    return spec


class PositionerExpert:
    """Turns both axes toward their targets at a speed in proportion to the distance."""

    privileged = False

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Nothing is kept between steps."""

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """Joint velocities."""
        return np.clip(4.0 * readings["error"], -LIMITS.velocity, LIMITS.velocity)


class Positioner(Task):
    """A two-axis welding positioner brings a part's seam into the flat position."""

    title = "welding positioner turns a part until its seam lies flat"
    timing = Timing(control_hz=50.0, timestep_s=0.002, horizon_s=6.0)
    channels = (
        Channel("joint_position", 2, "rad", -3.3, 3.3, scale=1.0, noise=1e-4, labels=JOINTS),
        Channel("error", 2, "rad", -6.6, 6.6, scale=1.0, noise=1e-4, labels=JOINTS, description="target minus angle"),
    )
    rewards: Mapping[str, Reward] = {"distance": Reward(-1.0, "tanh of the larger error, in rad")}
    metrics: Mapping[str, Metric] = {"largest_error": Metric("rad", "lower", "larger error of the two axes")}
    main_metric = "largest_error"
    start: tuple[Term, ...] = (
        Uniform("target_tilt", -1.4, 1.4, "rad", description="tilt at which the seam lies flat"),
        Uniform("target_turn", -3.0, 3.0, "rad", description="turn at which the seam lies flat"),
    )
    success_text = f"both axes within {TOLERANCE_RAD:g} rad of the target for 0.1 s"
    success_hold_s = 0.1

    def cell(self, visual: bool) -> mujoco.MjSpec:
        return positioner(visual)

    def make_action(self) -> JointVelocity:
        return JointVelocity(JOINTS, LIMITS)

    def expert(self) -> PositionerExpert:
        return PositionerExpert()

    def allocate(self, s: Rows) -> None:
        self._angles = s.sim.qpos_index(JOINTS)
        s.new("target", (2,))
        s.new("error", (2,))
        s.new("largest_error")

    def begin(self, s: Rows, rows: NDArray[np.intp], params: Mapping[str, Any]) -> None:
        s.target[rows] = np.stack((params["target_tilt"], params["target_turn"]), axis=-1)

    def measure(self, s: Rows) -> None:
        s.error = s.target - s.sim.qpos[:, self._angles]
        s.largest_error = np.abs(s.error).max(axis=1)

    def succeeded(self, s: Rows) -> NDArray[np.bool_]:
        return s.largest_error < TOLERANCE_RAD

    def observe_joint_position(self, s: Rows) -> Array:
        return s.sim.qpos[:, self._angles]

    def reward_distance(self, s: Rows) -> Array:
        return np.tanh(s.largest_error)

    # the channel `error` and the metric `largest_error` are the row arrays of these names


ENV_ID = register_task("Positioner-v0", Positioner)


def main(picture: str | None = None) -> None:
    envs = gymnasium.make_vec(ENV_ID, num_envs=16)
    envs.reset(seed=0)
    cell, expert = envs.unwrapped.cell, envs.unwrapped.task.expert()
    solved = np.zeros(16, dtype=bool)
    for _ in range(cell.timing.max_steps):
        _, _, _, _, info = envs.unwrapped.step_setpoints(expert.act(cell.s, cell.readings()))
        solved |= info["is_success"] & (cell.s.episode == 0)
    print(f"{ENV_ID}: the expert solves {solved.sum()} of 16 episodes")
    envs.close()
    if picture:
        from PIL import Image

        env = gymnasium.make(ENV_ID, render_mode="rgb_array")
        env.reset(seed=1, options={"task_params": {"target_tilt": 0.6}})
        for _ in range(40):
            env.unwrapped.step_setpoints(np.array([0.8, 0.5]))
        Image.fromarray(env.render()).save(picture)
        env.close()


if __name__ == "__main__":
    main(*sys.argv[1:2])
