"""A saved state is complete: what follows a restore is what followed the save, here or in another process."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_checks import Case, actions, assert_same, breakers, copied, leaves, registered_cases, variant_cases
from gymnasium.vector import AutoresetMode

from shopfloor.errors import ShopfloorError

NEXT, SAME, DISABLED = AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED


def rollout(env: Any, script: np.ndarray) -> list[Any]:
    """Step and keep everything; single environments begin anew when an episode ends."""
    out = []
    for action in script:
        result = env.step(action)
        out.append(result)
        if isinstance(result[2], bool) and (result[2] or result[3]):
            out.append(env.reset())
    return out


def soil(env: Any, script: np.ndarray) -> None:
    """Leave as much behind in an environment as possible."""
    env.reset(seed=4321)
    rollout(env, script[::-1])
    env.cell.s.__dict__.pop("sensor_record", None)
    for array in leaves({"a": list(env.cell.reward_terms.values()), "b": list(env.cell.params.values())}):
        array[...] = 0.123


@pytest.mark.parametrize("mode", [NEXT, SAME])
def test_vector_environment_continues_where_it_was_saved(case: Case, mode: AutoresetMode):
    def make() -> Any:
        return case.vector(4, autoreset_mode=mode, max_episode_steps=7)

    env, other = make(), make()
    env.reset(seed=31)
    script = actions(case, 4, 16)
    rollout(env, script[:3])
    env.reset(options={"reset_mask": np.array([True, False, False, True])})  # the rows are out of step
    rollout(env, script[3:5])
    for pause in (5, 7, 8):  # in mid-episode, at the end of one (rows that wait for their reset), after it
        state = env.get_state()
        snapshot = copied(state)
        after = rollout(env, script[pause : pause + 8])
        assert_same(state, snapshot, "a saved state shares no memory with the environment")
        env.set_state(state)
        assert_same(env.get_state(), state, "what was restored is what was saved")
        assert_same(rollout(env, script[pause : pause + 8]), after, f"restored in place at {pause}")
        soil(other, script[:8])
        other.set_state(pickle.loads(pickle.dumps(state)))
        assert_same(rollout(other, script[pause : pause + 8]), after, f"restored elsewhere at {pause}")
        env.set_state(state)
        rollout(env, script[pause : {5: 7, 7: 8}.get(pause, pause)])


def test_disabled_autoreset_remembers_who_has_finished(base_case: Case):
    env, other = (base_case.vector(2, autoreset_mode=DISABLED, max_episode_steps=3) for _ in range(2))
    env.reset(seed=1)
    rollout(env, actions(base_case, 2, 3))
    other.reset(seed=2)
    other.set_state(env.get_state())
    with pytest.raises(ShopfloorError, match="have finished"):
        other.step(np.zeros(other.action_space.shape))
    assert_same(env.reset(), other.reset())


def test_single_environment_continues_where_it_was_saved(case: Case):
    env, other = case.single().unwrapped, case.single().unwrapped
    script = actions(case, 1, 18)[:, 0]
    env.reset(seed=5)
    rollout(env, script[:8])
    state = env.get_state()
    after = rollout(env, script[8:])
    env.set_state(state)
    assert_same(rollout(env, script[8:]), after)
    soil(other, script[:8])
    other.set_state(state)
    assert_same(rollout(other, script[8:]), after)


def test_wrapped_environment_keeps_its_place_in_a_pickle(base_case: Case):
    env = base_case.single(max_episode_steps=6)
    env.reset(seed=5)
    script = actions(base_case, 1, 12)[:, 0]
    rollout(env, script[:4])
    twin = pickle.loads(pickle.dumps(env))
    assert_same(rollout(env, script[4:]), rollout(twin, script[4:]))


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # NaN was put there on purpose
def test_state_of_a_row_whose_physics_failed(base_case: Case, tmp_path: Path):
    env, other = (base_case.vector(2, autoreset_mode=NEXT, dump_dir=str(tmp_path)) for _ in range(2))
    script = actions(base_case, 2, 8)
    env.reset(seed=3)
    env.step(script[0])
    breakers(env)[0](env, 1)
    env.step(script[1])
    state = env.get_state()
    after = rollout(env, script[2:])
    other.reset(seed=0)
    other.set_state(state)
    assert_same(rollout(other, script[2:]), after)
    other.set_state(state)
    assert other.cell.sim.failure.keys() == {1}


def test_reset_after_restore_takes_the_next_episode(case: Case):
    env, other = case.vector(2), case.vector(2)
    env.reset(seed=3), env.reset()
    other.reset(seed=9)
    other.set_state(env.get_state())
    assert_same(env.reset(), other.reset())


def test_state_of_another_number_of_rows_is_refused_before_anything_changes(base_case: Case):
    env = base_case.vector(3)
    env.reset(seed=1)
    before = env.get_state()
    for n in (1, 2):
        small = base_case.vector(n)
        small.reset(seed=2)
        with pytest.raises(ShopfloorError, match=f"the saved state has {n} rows, this cell has 3"):
            env.set_state(small.get_state())
        assert_same(env.get_state(), before)


CHILD = """
import pickle, sys
sys.path[:0] = {path!r}
from engine_checks import Case
from test_state import rollout
with open({file!r}, "rb") as f:
    jobs = pickle.load(f)
out = []
for env_id, kwargs, n, state, script in jobs:
    case = Case(env_id, kwargs)
    env = case.single().unwrapped if n is None else case.vector(n, autoreset_mode="SameStep", max_episode_steps=7)
    env.set_state(state)
    out.append(rollout(env, script))
pickle.dump(out, sys.stdout.buffer)
"""


@pytest.mark.parametrize("cases", [registered_cases, pytest.param(variant_cases, marks=pytest.mark.slow)])
def test_another_process_continues_bit_for_bit(cases: Callable[[], list[Case]], tmp_path: Path):
    jobs, expected = [], []
    for case in cases():
        for n in (None, 3):
            env: Any = (
                case.single().unwrapped if n is None else case.vector(n, autoreset_mode=SAME, max_episode_steps=7)
            )
            script = actions(case, 1, 13)[:, 0] if n is None else actions(case, n, 13)
            env.reset(seed=77)
            rollout(env, script[:4])
            jobs.append((case.env_id, dict(case.kwargs), n, env.get_state(), script[4:]))
            expected.append(rollout(env, script[4:]))
    file = tmp_path / "jobs.pickle"
    file.write_bytes(pickle.dumps(jobs))
    program = CHILD.format(path=[str(Path(__file__).parent)], file=str(file))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    for job, a, b in zip(jobs, expected, pickle.loads(done.stdout), strict=True):
        assert_same(a, b, f"{job[:3]}")


@pytest.mark.parametrize("copy", [pickle.dumps, copied], ids=["pickle", "copy"])
def test_state_is_plain_data(base_case: Case, copy: Callable[[Any], Any]):
    env = base_case.vector(2)
    env.reset(seed=0)
    copy(env.get_state())

    def kinds(value: Any) -> set[type]:
        if isinstance(value, dict):
            return set().union(*(kinds(v) for v in value.values()), {type(k) for k in value})
        return {type(value)}

    assert kinds(env.get_state()) <= {str, int, bool, float, type(None), np.ndarray}
    assert all(array.dtype != object for array in leaves(env.get_state()))
