"""Properties that hold for every registered environment, whatever it is about."""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
from engine_checks import (
    Case,
    actions,
    assert_same,
    differences,
    endless,
    leaves,
    registered_cases,
    row_of,
    variant_cases,
)
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from shopfloor.envs.engine.core import BatchedCell
from shopfloor.envs.engine.expert import Expert

SAME = AutoresetMode.SAME_STEP
HELD_OUT = 1_000_000
GOLDEN = Path(__file__).parent / "golden"

# -- determinism --------------------------------------------------------------------------------------------------


def test_two_instances_agree(case: Case):
    one, two = case.vector(3), case.vector(3)
    assert_same(one.reset(seed=12), two.reset(seed=12))
    for action in actions(case, 3, 20):
        assert_same(one.step(action), two.step(action))


def test_history_leaves_no_trace(case: Case):
    """Episodes of other seeds, then seed s, equal a fresh instance with seed s."""
    used, fresh = (case.vector(2, autoreset_mode=SAME, max_episode_steps=6) for _ in range(2))
    for seed in (900, 17, 1):
        used.reset(seed=seed)
        for action in actions(case, 2, 8, seed=seed):
            used.step(action)
    used.reset()
    script = actions(case, 2, 12)
    assert_same(used.reset(seed=42), fresh.reset(seed=42))
    for action in script:
        assert_same(used.step(action), fresh.step(action))


def test_actions_do_not_reach_later_episodes(case: Case):
    """Episode k of a seed is the same whatever was done in the episodes before."""
    one, two = endless(case.vector(2)), endless(case.vector(2))
    one.reset(seed=8), two.reset(seed=8)
    for action in actions(case, 2, 10, seed=1):
        one.step(action)
    assert_same(one.reset(), two.reset())
    for action in actions(case, 2, 10, seed=2):
        assert_same(one.step(action), two.step(action))


def test_resets_differ(case: Case):
    env = case.vector(6)
    episodes = [env.reset(seed=0)[0], env.reset()[0], env.reset()[0], env.reset(seed=1000)[0]]
    seen = [row_of(obs, row) for obs in episodes for row in range(6)]
    for i, a in enumerate(seen):
        for b in seen[:i]:
            assert list(differences(a, b)), "two episodes begin alike"


def test_every_start_term_varies_inside_its_range(case: Case):
    env = case.vector(40)
    params = env.reset(seed=0)[1]["task_params"]
    for term in case.task().start:
        values = params[term.name]
        low, high = term.support
        assert ((values >= low) & (values <= high)).all(), term.name
        if high > low:
            assert values.std() > 0.15 * (high - low) / np.sqrt(12), term.name


# -- what every step promises -------------------------------------------------------------------------------------


def random_actions(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[Any]:
    return rng.uniform(-1.0, 1.0, shape)


def bang_bang(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[Any]:
    return rng.choice([-1.0, 1.0], shape)


def out_of_range(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[Any]:
    return rng.choice([-1e30, -7.0, -1.0, 0.0, 1.0 + 1e-9, 50.0, 1e30, np.finfo(np.float64).max], shape)


def sustained(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[Any]:
    """Every component held at one end for whole episodes: into every stop there is."""
    return np.sign(np.sin(np.arange(shape[0] * shape[1]) ** 2 + 1.0)).reshape(shape)


def keeps_its_promises(case: Case, policy: Any, rows: int, steps: int, unending: bool = False) -> None:
    env = case.vector(rows, autoreset_mode=SAME)
    if unending:
        endless(env)
    task = env.task
    boxes = boxes_of(env.single_observation_space)
    rng = np.random.default_rng(5)
    obs, _ = env.reset(seed=6)
    weights = {name: reward.weight for name, reward in task.rewards.items()}
    for _ in range(steps):
        obs, reward, terminated, truncated, info = env.step(policy(rng, (rows, len(env.cell.terms))))
        for observation in (obs, *(o for o in info.get("final_obs", ()) if o is not None)):
            for name, box in boxes.items():
                array = observation[name] if name else observation
                assert np.isfinite(array).all()
                assert (array >= box.low).all() and (array <= box.high).all()
        done = terminated | truncated
        assert not (terminated & truncated).any()
        terms = {k: v for k, v in info["reward_terms"].items() if not k.startswith("_")}
        reasons, success = info["termination_reason"].copy(), info["is_success"].copy()
        if done.any():
            final = info["final_info"]
            terms = {k: np.where(done, final["reward_terms"][k], v) for k, v in terms.items()}
            reasons[done], success[done] = final["termination_reason"][done], final["is_success"][done]
        total = np.zeros(rows)
        for name, values in terms.items():
            share = values / weights[name]
            assert ((share >= 0.0) & (share <= 1.0 + 1e-12)).all(), f"reward term {name} leaves [0, 1]"
            total += values
        assert_same(total, reward, "reward == sum(reward_terms)")
        assert set(reasons[~done]) <= {""}
        assert set(reasons[truncated]) <= {"time_limit"}
        assert set(reasons[terminated]) <= {"success", *task.failure_texts}, "nothing here may break the physics"
        assert_same(success & terminated, reasons == "success")


def boxes_of(space: spaces.Space[Any]) -> dict[str, spaces.Box]:
    return dict(space.items()) if isinstance(space, spaces.Dict) else {"": space}


@pytest.mark.slow
@pytest.mark.parametrize("policy", [random_actions, bang_bang, out_of_range])
def test_ten_thousand_steps_stay_in_bounds(base_case: Case, policy: Any):
    keeps_its_promises(base_case, policy, rows=50, steps=200)


@pytest.mark.parametrize(
    "policy", [out_of_range, sustained, *(pytest.param(p, marks=pytest.mark.slow) for p in (random_actions, bang_bang))]
)
def test_steps_stay_in_bounds(case: Case, policy: Any):
    """With failures ignored, so that the environment is driven far beyond where episodes end."""
    keeps_its_promises(case, policy, rows=6, steps=40, unending=True)


def test_episodes_that_end_stay_in_bounds(case: Case):
    keeps_its_promises(case, bang_bang, rows=6, steps=40)


def test_declarations_are_sound(case: Case):
    task = case.task()
    task.check()
    names = [c.name for c in task.channels]
    assert len(names) == len(set(names))
    for channel in task.channels:
        offset, scale = channel.normalization
        low, high = channel.bounds
        assert (scale > 0).all() and np.isfinite(offset).all(), channel.name
        assert channel.description and channel.unit, channel.name
        # an observation that a network sees is of order one
        assert (np.abs((np.stack([low, high]) - offset) / scale) < 100.0).all(), channel.name
    assert all(t.description and t.unit for t in task.start)
    assert all(r.description for r in task.rewards.values())
    assert all(m.unit and m.better in ("lower", "higher") and m.description for m in task.metrics.values())
    assert task.title and task.success_text and task.versions and task.references and task.__doc__
    assert all(t.unit and t.description and t.low < t.high for t in task.make_action().terms)
    json.dumps(task.make_action().limits())


# -- experts ------------------------------------------------------------------------------------------------------


def play(cell: BatchedCell, act: Any, seeds: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """One episode of each seed: success and metrics at its end, reasons and return."""
    cell.reset(seeds=seeds)
    out = {"success": np.zeros(cell.n, bool), "reason": np.zeros(cell.n, object), "return": np.zeros(cell.n)}
    out.update({name: np.full(cell.n, np.nan) for name in cell.task.metrics})
    running = np.ones(cell.n, dtype=bool)
    while running.any():
        cell.step(act(cell), None if running.all() else np.flatnonzero(running))
        out["return"] += np.where(running, cell.reward, 0.0)
        ended = running & (cell.terminated | cell.truncated)
        if ended.any():
            out["success"][ended] = cell.success[ended]
            out["reason"][ended] = np.array(cell.reasons, dtype=object)[cell.reason[ended]]
            for name, values in cell.metrics().items():
                out[name][ended] = values[ended]
        running &= ~ended
    return out


def scripted(expert: Expert, cell: BatchedCell) -> Any:
    expert.reset(cell.s, np.arange(cell.n))
    return lambda c: expert.act(c.s, c.readings())


def random_policy(seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    return lambda c: c.setpoints(rng.uniform(-1.0, 1.0, (c.n, len(c.terms))))


def scripted_cases() -> list[Any]:
    # how it is observed makes no difference to a script
    variants = [c for c in variant_cases() if "observation" not in c.kwargs]
    return [
        *(pytest.param(c, 20, id=str(c)) for c in registered_cases()),
        *(pytest.param(c, 100, id=f"{c}-many", marks=pytest.mark.slow) for c in registered_cases()),
        *(pytest.param(c, 30, id=str(c), marks=pytest.mark.slow) for c in variants),
    ]


@pytest.mark.parametrize(("scripted_case", "episodes"), scripted_cases())
def test_expert_succeeds_and_random_does_not(scripted_case: Case, episodes: int):
    cell = scripted_case.cell(episodes)
    seeds = HELD_OUT + np.arange(episodes)
    expert = play(cell, scripted(cell.task.expert(), cell), seeds)
    few = scripted_case.cell(max(episodes // 3, 6))
    chance = play(few, random_policy(), seeds[: few.n])
    assert not cell.task.expert().privileged
    # of 20 episodes an expert that succeeds in 95 % loses more than three once in sixty times
    least = 0.95 if episodes > 20 else 0.85
    assert expert["success"].mean() >= least, dict(zip(*np.unique(expert["reason"], return_counts=True), strict=True))
    assert chance["success"].mean() <= 0.05
    assert expert["return"].mean() > chance["return"].mean()
    main, better = cell.task.main_metric, cell.task.metrics[cell.task.main_metric].better
    assert np.isfinite(expert[main][expert["success"]]).all()
    oracle = cell.task.oracle()
    if oracle is not None:
        assert oracle.privileged
        best = play(cell, scripted(oracle, cell), seeds)
        assert best["success"].mean() >= least
        sign = 1.0 if better == "lower" else -1.0
        # who succeeds more often may take longer for it
        more = best["success"].mean() > expert["success"].mean()
        assert more or sign * np.nanmedian(best[main]) < sign * np.nanmedian(expert[main])


def test_expert_reads_what_a_policy_reads(case: Case):
    """An expert that is not privileged acts on readings: spoiling what only simulation knows changes nothing."""
    cell = case.cell(2)
    cell.reset(seeds=np.arange(2))
    expert = cell.task.expert()
    for _ in range(3):
        cell.step(expert.act(cell.s, cell.readings()))
    readings = cell.readings()
    before = expert.act(cell.s, readings)
    for name in cell.s.get_state():
        if name not in ("step", "time_s"):
            getattr(cell.s, name)[...] = 0
    assert_same(expert.act(cell.s, readings), before)


# -- golden trajectories ------------------------------------------------------------------------------------------


def golden_run(case: Case) -> tuple[str, list[list[float]]]:
    """Hash of everything that 50 steps of two rows return, and a few numbers a step to compare loosely."""
    env = case.vector(2, autoreset_mode=SAME)
    obs, _ = env.reset(seed=2024)
    digest = hashlib.sha256()
    figures = []
    for action in actions(case, 2, 50, seed=2024):
        for array in leaves(obs):
            digest.update(np.ascontiguousarray(array).tobytes())
        obs, reward, terminated, truncated, _ = env.step(action)
        for array in (reward, terminated, truncated):
            digest.update(np.ascontiguousarray(array).tobytes())
        normalized = [(env.cell.readings()[c.name] - c.normalization[0]) / c.normalization[1]
                      for c in env.task.channels if c.group == "policy"]  # fmt: skip
        figures.append([*reward.tolist(), *np.concatenate(normalized, axis=1)[:, :6].ravel().tolist()])
    return digest.hexdigest(), [[round(x, 5) for x in step] for step in figures[::7]]


def build() -> dict[str, str]:
    """What decides the last bit: the engine, numpy's kernels for this processor, and the C library's functions."""
    features = np._core._multiarray_umath.__cpu_features__
    kernels = next((k for k in ("AVX512_SKX", "AVX2", "ASIMD") if features.get(k)), "baseline")
    return {
        "mujoco": mujoco.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
        "kernels": kernels,
        "libc": "-".join(platform.libc_ver()),
    }


def test_golden_trajectory(base_case: Case, request: pytest.FixtureRequest):
    """What an id does cannot change unnoticed: a change that can alter learning needs a new version of the id."""
    digest, figures = golden_run(base_case)
    path = GOLDEN / f"{base_case.env_id.partition('/')[2]}.json"
    if request.config.getoption("--write-golden"):
        path.parent.mkdir(exist_ok=True)
        record = {"build": build(), "sha256": digest, "figures": figures}
        path.write_text(json.dumps(record, indent=1) + "\n")
        pytest.skip(f"wrote {path.name}")
    if not path.exists():
        pytest.fail(f"{path.name} is missing: write it with --write-golden")
    golden = json.loads(path.read_text())
    np.testing.assert_allclose(figures, golden["figures"], rtol=1e-3, atol=2e-3, err_msg="--write-golden if intended")
    if golden["build"] == build():
        assert digest == golden["sha256"], "the same numbers to three digits, but not to the last bit"
