"""A two-joint arm, small enough to build in milliseconds: what the tests of the deployment road run on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from shopfloor.envs.control import JointVelocity
from shopfloor.envs.engine.start import Uniform
from shopfloor.envs.engine.task import Metric, Reward, Rows, Task, Timing
from shopfloor.envs.sensing import Channel
from shopfloor.limits import MotionLimits

Array = NDArray[np.float64]
Index = NDArray[np.intp]

JOINTS = ("shoulder", "elbow")
REACH_M = 0.5

MJCF = """
<mujoco model="toy_arm">
  <option timestep="0.002" integrator="implicitfast"/>
  <worldbody>
    <body name="upper">
      <joint name="shoulder" axis="0 0 1" damping="0.1"/>
      <geom type="capsule" fromto="0 0 0 0.25 0 0" size="0.02" mass="1"/>
      <body name="lower" pos="0.25 0 0">
        <joint name="elbow" axis="0 0 1" damping="0.1"/>
        <geom type="capsule" fromto="0 0 0 0.25 0 0" size="0.02" mass="0.5"/>
        <site name="tip" pos="0.25 0 0"/>
      </body>
    </body>
  </worldbody>
  <actuator>
    <position name="shoulder" joint="shoulder" kp="200" kv="20"/>
    <position name="elbow" joint="elbow" kp="100" kv="10"/>
  </actuator>
</mujoco>
"""


class ToyArm(Task):
    """Bring the tip of a planar arm to a target; success within `tolerance_m`."""

    title = "toy arm"
    start = (Uniform("angles", -1.0, 1.0, "rad", size=2), Uniform("goal", -1.2, 1.2, "rad", size=2))
    rewards = {"closeness": Reward(1.0)}
    metrics = {"distance": Metric("m"), "duration": Metric("s")}
    main_metric = "duration"
    success_text = "tip within tolerance of the target"
    failure_texts = {"spin": "the shoulder has turned too far"}

    def __init__(self, tolerance_m: float = 0.05, gravity: float = 9.81, latency_s: float = 0.04):
        self.tolerance_m = tolerance_m
        self.gravity = gravity
        self.timing = Timing(control_hz=50.0, timestep_s=0.002, horizon_s=1.2)
        self.channels = (
            Channel("angle", 2, "rad", -3.2, 3.2, noise=1e-3, bias=1e-3, history=3, labels=JOINTS),
            Channel("speed", 2, "rad/s", -4.0, 4.0, rate_hz=25.0, noise=1e-2, scale=2.0),
            Channel("target", 2, "m", -0.5, 0.5, frame="base", latency_s=latency_s, quantization=1e-4),
            Channel("truth", 1, "m", 0.0, 1.0, group="privileged"),
        )

    def cell(self, visual: bool) -> mujoco.MjSpec:
        spec = mujoco.MjSpec.from_string(MJCF)
        spec.option.gravity = (0.0, 0.0, -self.gravity)
        return spec

    def make_action(self) -> JointVelocity:
        limits = MotionLimits.of(
            low=(-2.0, -2.5), high=(2.0, 2.5), velocity=(2.5, 3.0), acceleration=(20.0, 25.0), jerk=(800.0, 900.0)
        )
        return JointVelocity(JOINTS, limits)

    def allocate(self, s: Rows) -> None:
        s.new("goal", (2,))
        s.new("distance")
        self._tip = s.sim.output("site_xpos", "site", "tip")

    def begin(self, s: Rows, rows: Index, params: Mapping[str, Array]) -> None:
        s.sim.qpos[rows] = params["angles"]
        a, b = params["goal"][:, 0], params["goal"].sum(axis=1)
        s.goal[rows] = 0.25 * np.stack((np.cos(a) + np.cos(b), np.sin(a) + np.sin(b)), axis=1)

    def measure(self, s: Rows) -> None:
        dx, dy = self._tip[:, 0] - s.goal[:, 0], self._tip[:, 1] - s.goal[:, 1]
        s.distance[...] = np.sqrt(dx * dx + dy * dy)

    def succeeded(self, s: Rows) -> NDArray[np.bool_]:
        return s.distance < self.tolerance_m

    def failures(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        return {"spin": np.abs(s.sim.qpos[:, 0]) > 1.95}

    def observe_angle(self, s: Rows) -> Array:
        return s.sim.qpos

    def observe_speed(self, s: Rows) -> Array:
        return s.sim.qvel

    def observe_target(self, s: Rows) -> Array:
        return s.goal - self._tip[:, :2]

    def observe_truth(self, s: Rows) -> Array:
        return s.distance[:, None]

    def reward_closeness(self, s: Rows) -> Array:
        return np.maximum(1.0 - s.distance / REACH_M, 0.0)

    def metric_distance(self, s: Rows) -> Array:
        return s.distance

    def metric_duration(self, s: Rows) -> Array:
        return np.where(self.succeeded(s), s.time_s, np.nan)

    def expert(self) -> Any:
        return ToyExpert()


class ToyExpert:
    """Jacobian-transpose steps toward the target."""

    privileged = False

    def reset(self, s: Rows, rows: Index) -> None:
        pass

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        q, error = readings["angle"], readings["target"]
        a, b = q[:, 0], q[:, 0] + q[:, 1]
        lower = 0.25 * np.stack((-np.sin(b), np.cos(b)), axis=1)
        upper = lower + 0.25 * np.stack((-np.sin(a), np.cos(a)), axis=1)
        pull = [arm[:, 0] * error[:, 0] + arm[:, 1] * error[:, 1] for arm in (upper, lower)]
        return np.clip(40.0 * np.stack(pull, axis=1), -2.5, 2.5)


def export_toy(out: Path, algorithm: str = "ppo", activation: str = "tanh") -> Path:
    """A bundle of an untrained policy, whose last layer is scaled up so that it uses, and exceeds, its whole range."""
    return export_untrained(out, ToyArm, "shopfloor/Toy-v0", algorithm, activation)


def export_untrained(
    out: Path,
    make: Callable[[], Task],
    env_id: str,
    algorithm: str = "ppo",
    activation: str = "tanh",
    **kwargs: Any,
) -> Path:
    """A bundle of an untrained policy of any task."""
    from shopfloor.train.export import export_learner

    folder, _ = export_learner(untrained(make(), algorithm, activation), make(), out, env_id=env_id, **kwargs)
    return folder


def untrained(
    task: Task, algorithm: str = "ppo", activation: str = "tanh", resolutions: tuple[float, ...] = (1.0,)
) -> Any:
    """A learner with random weights, always the same ones."""
    import torch
    from stable_baselines3 import PPO, SAC

    from shopfloor.envs.engine.env import CellEnv
    from shopfloor.train.learner import ACTIVATIONS
    from shopfloor.train.policy import ChannelNormalizer, normalization

    torch.set_num_threads(1)
    env = CellEnv(task)
    arguments: dict[str, Any] = {"buffer_size": 1} if algorithm == "sac" else {}
    learner = {"ppo": PPO, "sac": SAC}[algorithm](
        "MlpPolicy",
        env,
        policy_kwargs={
            "net_arch": [32, 32],
            "activation_fn": ACTIVATIONS[activation],
            "features_extractor_class": ChannelNormalizer,
            "features_extractor_kwargs": {
                "normalization": normalization(task, ("policy",), env.observation_space),
                "resolutions": resolutions,
            },
        },
        device="cpu",
        seed=1,
        **arguments,
    )
    # SB3 starts PPO with actions next to zero
    last, gain = (learner.policy.action_net, 300.0) if algorithm == "ppo" else (learner.actor.mu, 10.0)
    with torch.no_grad():
        last.weight *= gain
    return learner
