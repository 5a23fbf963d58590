"""Randomize an environment of your own: any `gymnasium.Env` that has a MuJoCo `model` and `data`.

A gantry carries a load on a rope. The environment below is written as for any other library; the ten lines further
down say what varies between gantries, and wrap it.

    python examples/randomize_your_own.py
"""

from __future__ import annotations

from typing import Any

import gymnasium
import mujoco
import numpy as np

MODEL = """
<mujoco>
  <option timestep="0.002" integrator="implicitfast"/>
  <worldbody>
    <body name="trolley" pos="0 0 3">
      <joint name="rail" type="slide" axis="1 0 0" damping="20"/>
      <geom type="box" size="0.1 0.1 0.05" mass="15" contype="0" conaffinity="0"/>
      <body name="load">
        <joint name="swing" axis="0 1 0" damping="0.02"/>
        <geom type="capsule" fromto="0 0 0 0 0 -1.5" size="0.01" mass="0.5" contype="0" conaffinity="0"/>
        <geom type="box" pos="0 0 -1.6" size="0.1 0.1 0.1" mass="8" contype="0" conaffinity="0"/>
      </body>
    </body>
  </worldbody>
  <actuator><position name="drive" joint="rail" kp="4000" kv="800" ctrlrange="-2 2" forcerange="-400 400"/></actuator>
</mujoco>
"""


class Gantry(gymnasium.Env[Any, Any]):
    """Bring the trolley to 0 with a load that does not swing; actions are drive positions in m."""

    dt = 0.02

    def __init__(self) -> None:
        self.model = mujoco.MjModel.from_xml_string(MODEL)
        self.data = mujoco.MjData(self.model)
        self.action_space = gymnasium.spaces.Box(-2.0, 2.0, (1,), np.float64)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (4,), np.float64)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[0] = self.np_random.uniform(-1.0, 1.0)
        mujoco.mj_forward(self.model, self.data)
        return np.concatenate([self.data.qpos, self.data.qvel]), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.data.ctrl[:] = action
        mujoco.mj_step(self.model, self.data, 10)
        reward = -float(abs(self.data.qpos[0]) + abs(self.data.qpos[1]))
        return np.concatenate([self.data.qpos, self.data.qvel]), reward, False, False, {}


# -- ten lines
from shopfloor.envs.randomization.wrappers import randomize  # noqa: E402

TERMS = {
    "load": {"effect": "mass", "target": {"body": "load"}, "distribution": {"uniform": [0.5, 2.0]}},
    "grease": {"effect": "dof_damping", "target": {"joint": "rail"}, "distribution": {"log_uniform": [0.5, 2.0]}},
    "delay": {"effect": "command.delay", "target": {"actuator": "drive"}, "distribution": {"uniform": [0.0, 0.06]}},
    "gust": {"effect": "force.joint", "target": {"joint": "swing"}, "mode": "step", "distribution": {"normal": [0, 2]}},
    "scale": {"effect": "sensor.gain", "target": {"channel": "angle"}, "distribution": {"uniform": [0.95, 1.05]}},
}
env = randomize(Gantry(), {"terms": TERMS}, channels={"angle": slice(1, 2)})
# --


def swing(seed: int, split: str) -> tuple[float, dict[str, Any]]:
    """Largest swing in rad while the trolley is driven to 0 along a ramp, and what the episode was randomized with."""
    observation, info = env.reset(seed=seed, options={"split": split})
    start, largest = observation[0], 0.0
    for step in range(200):
        env.step(np.array([start * max(0.0, 1.0 - step / 100)]))
        largest = max(largest, abs(env.unwrapped.data.qpos[1]))
    return largest, info["randomization"]


def main(episodes: int = 10) -> None:
    for split in ("nominal", "train", "ood_near", "ood_far"):
        found = [swing(seed, split) for seed in range(episodes)]
        angles = np.degrees([angle for angle, _ in found])
        loads = [sample["load"] for _, sample in found]
        print(f"{split}: swing up to {angles.max():.1f} deg, loads {min(loads):.2f} to {max(loads):.2f} of the nominal")
    assert swing(3, "train")[0] == swing(3, "train")[0]  # a seed is an episode, whatever was run before
    print("episodes repeat")


if __name__ == "__main__":
    main()
