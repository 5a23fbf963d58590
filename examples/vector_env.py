"""Many environments in one call, all cores, no subprocesses; and what the rows share and do not share.

python examples/vector_env.py
"""

from __future__ import annotations

import time

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode

import shopfloor  # noqa: F401  (registers the environments)

ENV_ID = "shopfloor/WaferTransfer-v0"


def main(num_envs: int = 64, steps: int = 100) -> None:
    envs = gymnasium.make_vec(ENV_ID, num_envs=num_envs, autoreset_mode=AutoresetMode.SAME_STEP)
    observations, info = envs.reset(seed=0)  # row i has seed i
    print(f"observations {observations.shape}, friction of row 3: {info['task_params']['friction'][3]:.3f}")

    envs.action_space.seed(0)
    begin, ended = time.perf_counter(), 0
    for _ in range(steps):
        _, _, terminated, truncated, info = envs.step(envs.action_space.sample())
        done = terminated | truncated
        if done.any():
            ended += int(done.sum())
            reasons = info["final_info"]["termination_reason"][done]
            assert all(reasons)  # how each of them ended
    rate = steps * num_envs / (time.perf_counter() - begin)
    print(f"{rate:,.0f} steps/s, {ended} episodes ended")

    # a row is the single environment of its seed, bit for bit
    single = gymnasium.make(ENV_ID)
    first, _ = single.reset(seed=3)
    observations, _ = envs.reset(seed=0)
    assert np.array_equal(first, observations[3])
    single.close()
    envs.close()


if __name__ == "__main__":
    main()
