"""One episode with random actions and one with the scripted expert.

python examples/rollout.py [ID]
"""

from __future__ import annotations

import sys

import gymnasium
import numpy as np

import shopfloor  # noqa: F401  (registers the environments)


def main(env_id: str = "shopfloor/ArmReach-v0") -> None:
    env = gymnasium.make(env_id)

    env.reset(seed=0)
    env.action_space.seed(0)
    done, total = False, 0.0
    while not done:
        _, reward, terminated, truncated, info = env.step(env.action_space.sample())
        total += reward
        done = terminated or truncated
    print(f"random: return {total:.1f}, success {info['is_success']}")

    # a scripted policy reads the newest sensor readings by name and answers in physical units
    cell = env.unwrapped.cell
    expert = cell.task.expert()
    env.reset(seed=0)
    expert.reset(cell.s, np.array([0]))
    for _ in range(cell.timing.max_steps):
        setpoints = expert.act(cell.s, cell.readings())[0]
        _, _, terminated, _, info = env.unwrapped.step_setpoints(setpoints)
        if terminated:
            break
    metric = cell.task.main_metric
    print(
        f"expert: {info['termination_reason']}, {metric} {info['metrics'][metric]:.2f} {cell.task.metrics[metric].unit}"
    )
    env.close()


if __name__ == "__main__":
    main(*sys.argv[1:2])
