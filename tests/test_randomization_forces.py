"""Forces and other terms that change within an episode: when, how long, how much, and where."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from engine_checks import Case, assert_same
from randomization_checks import ARM, drive, kolmogorov

from shopfloor.envs.engine.core import BatchedCell
from shopfloor.envs.randomization import Normal, Target, Term, Uniform, spec_from
from shopfloor.envs.randomization.dynamic import DynamicValues

BODY, JOINT = {"body": "tool"}, {"joint": "elbow"}


def arm(terms: dict[str, Any], n: int = 1) -> BatchedCell:
    return Case(ARM).cell(n, randomization=spec_from({"terms": terms}))


def force(effect: str = "force.body", **more: Any) -> dict[str, Any]:
    target = BODY if effect == "force.body" else JOINT
    return {"effect": effect, "target": target, "distribution": {"normal": [0.0, 20.0]}, **more}


def run(cell: BatchedCell, steps: int) -> dict[str, Any]:
    """Applied forces at every physics-relevant moment: after the randomizer has set them, before the step."""
    names, out = ("xfrc_applied", "qfrc_applied"), {"xfrc_applied": [], "qfrc_applied": []}
    views = {k: cell.sim.batch.bind(k) for k in names}
    for _ in range(steps):
        cell.step(cell.setpoints(np.zeros((cell.n, len(cell.terms)))))
        for name in names:
            out[name].append(views[name].copy())
    return {k: np.array(v) for k, v in out.items()}


# -- when ----------------------------------------------------------------------------------------------------------


def events(interval: tuple[float, float], seconds: float, hz: float = 1000.0, rows: int = 8, **more: Any) -> Any:
    """Times of changes (row by row) and values of an interval term."""
    term = Term("t", "force.body", Normal(0.0, 1.0), Target("body", "x"), mode="interval", interval_s=interval, **more)
    dynamic = DynamicValues(term, rows, 3)
    index, seeds, episodes = np.arange(rows), np.arange(rows), np.zeros(rows, dtype=np.int64)
    dynamic.begin(index, seeds, episodes, term.distribution, np.zeros(3))
    times: list[list[float]] = [[] for _ in range(rows)]
    values: list[list[Any]] = [[] for _ in range(rows)]
    for step in range(round(seconds * hz)):
        for row in dynamic.advance(index, seeds, episodes, np.full(rows, step / hz)):
            times[row].append(step / hz)
            values[row].append(dynamic.value[row].copy())
    return times, values


def test_intervals_are_uniform_in_simulated_time():
    times, values = events((0.1, 0.3), 60.0, hz=500.0)
    gaps = np.concatenate([np.diff([0.0, *t]) for t in times])
    assert gaps.size > 2000
    assert gaps.min() > 0.1 - 0.0021 and gaps.max() < 0.3 + 0.0021
    assert abs(gaps.mean() - 0.2) < 4.5 * (0.2 / math.sqrt(12.0)) / math.sqrt(gaps.size)
    assert (
        kolmogorov(
            gaps + np.random.default_rng(0).uniform(-1e-3, 1e-3, gaps.size), lambda x: np.clip((x - 0.1) / 0.2, 0, 1)
        )
        < 2.2
    )
    drawn = np.concatenate([np.array(v) for v in values])
    low, high = (0.5 * math.erfc(c / math.sqrt(2.0)) for c in (3.0, -3.0))
    phi = np.vectorize(lambda z: (0.5 * math.erfc(-z / math.sqrt(2.0)) - low) / (high - low))
    assert kolmogorov(drawn.ravel(), phi) < 2.0
    assert len({v.tobytes() for v in drawn}) == len(drawn), "no value comes twice"


def test_intervals_shorter_than_a_step_lose_no_time():
    """Several changes may fall into one control step: the clock of the changes runs on, it is not restarted."""
    times, _ = events((0.001, 0.003), 4.0, hz=100.0, rows=2)
    fine, _ = events((0.001, 0.003), 4.0, hz=5000.0, rows=2)
    assert all(abs(len(f) - 2000) < 5.0 * math.sqrt(2000) * 0.29 for f in fine)
    assert all(len(t) == 399 for t in times)


def test_changes_do_not_depend_on_the_control_rate():
    (slow,), (slow_values,) = events((0.1, 0.3), 10.0, hz=50.0, rows=1)
    (fast,), (fast_values,) = events((0.1, 0.3), 10.0, hz=1000.0, rows=1)
    assert abs(len(slow) - len(fast)) <= 1
    count = min(len(slow), len(fast))
    assert_same(slow_values[:count], fast_values[:count])
    late = np.array(slow[:count]) - np.array(fast[:count])
    assert late.min() >= -1e-9 and late.max() <= 0.02 + 1e-9


def test_changes_belong_to_seed_and_episode():
    def values(rows: int, row: int, seed: int, episode: int) -> Any:
        term = Term(
            "t", "force.joint", Uniform(-1.0, 1.0), Target("joint", "x"), mode="interval", interval_s=(0.1, 0.2)
        )
        dynamic = DynamicValues(term, rows, 2)
        index = np.arange(rows)
        seeds, episodes = np.full(rows, 77), np.full(rows, 3)
        seeds[row], episodes[row] = seed, episode
        dynamic.begin(index[::-1].copy(), seeds[::-1].copy(), episodes[::-1].copy(), term.distribution, np.zeros(2))
        out = []
        for step in range(500):
            dynamic.advance(index, seeds, episodes, np.full(rows, 0.02 * step))
            out.append(dynamic.value[row].copy())
        return np.array(out)

    assert_same(values(1, 0, 5, 2), values(4, 2, 5, 2))
    assert not np.array_equal(values(1, 0, 5, 2), values(1, 0, 5, 3))
    assert not np.array_equal(values(1, 0, 5, 2), values(1, 0, 6, 2))


def test_a_state_in_mid_interval_goes_on():
    term = Term("t", "force.joint", Uniform(-1.0, 1.0), Target("joint", "x"), mode="interval", interval_s=(0.02, 0.05))
    one, two = DynamicValues(term, 3, 2), DynamicValues(term, 3, 2)
    index, seeds, episodes = np.arange(3), np.arange(3), np.zeros(3, dtype=np.int64)
    one.begin(index, seeds, episodes, term.distribution, np.zeros(2))

    def go(dynamic: DynamicValues, first: int, last: int) -> Any:
        out = []
        for step in range(first, last):
            dynamic.advance(index, seeds, episodes, np.full(3, 0.01 * step))
            out.append(dynamic.value.copy())
        return out

    go(one, 0, 100)
    two.set_state(one.get_state())
    assert_same(go(two, 100, 400), go(one, 100, 400))


# -- how long and how much -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("duration_s", [0.06, 0.05, 0.013, 0.1])
def test_a_push_has_the_impulse_of_force_times_duration(duration_s: float):
    """Whatever the control rate: the last control step gives what is left."""
    cell = arm({"push": force(mode={"interval_s": [0.3, 0.5]}, options={"duration_s": duration_s})}, 6)
    cell.reset(seeds=np.arange(6))
    dt = cell.timing.control_dt
    tool = cell.model.body("tool").id
    applied, drawn = [], []
    for _ in range(150):
        cell.step(cell.setpoints(np.zeros((6, len(cell.terms)))))
        applied.append(cell.sim.batch.bind("xfrc_applied")[:, tool, :3].copy())
        drawn.append(cell.randomizer.values["push"].copy())
    applied_array, drawn_array = np.array(applied), np.array(drawn)
    count = 0
    for row in range(6):
        on = np.abs(applied_array[:, row]).sum(axis=1) > 0.0
        assert not on[0], "something that ends waits for its first interval"
        starts = np.flatnonzero(on & ~np.concatenate(([False], on[:-1])))
        for start in starts[: -1 if on[-1] else None]:
            end = start + np.flatnonzero(~on[start:])[0]
            np.testing.assert_allclose(
                applied_array[start:end, row].sum(axis=0) * dt, drawn_array[start, row] * duration_s, rtol=1e-9
            )
            assert end - start == math.ceil(duration_s / dt - 1e-9)
            assert_same(applied_array[start, row] if duration_s >= dt else None,
                        drawn_array[start, row] if duration_s >= dt else None)  # fmt: skip
            count += 1
    assert count > 30


def test_a_force_without_duration_lasts_until_the_next():
    cell = arm({"push": force(mode={"interval_s": [0.1, 0.2]})}, 3)
    cell.reset(seeds=np.arange(3))
    tool = cell.model.body("tool").id
    assert (cell.sim.batch.bind("xfrc_applied")[:, tool, :3] == cell.randomizer.values["push"]).all()
    out = run(cell, 60)["xfrc_applied"][:, :, tool]
    assert (np.abs(out[..., :3]).sum(axis=-1) > 0.0).all() and (out[..., 3:] == 0.0).all()


@pytest.mark.parametrize("options", [{}, {"duration_s": 0.05}])
def test_a_forced_value_holds_for_the_episode_whatever_came_before(options: dict[str, float]):
    cell = arm({"push": force(mode={"interval_s": [0.1, 0.2]}, options=options)}, 2)
    tool = cell.model.body("tool").id
    runs = []
    for _ in range(2):
        cell.reset(seeds=np.array([1, 2]), randomization={"push": [1.0, 2.0, -3.0]}, split="nominal")
        out = run(cell, 40)["xfrc_applied"][:, :, tool, :3]
        assert (out == [1.0, 2.0, -3.0]).all()
        runs.append(drive(cell, 5))
        cell.reset()
        run(cell, 70)  # leave clocks and forces behind
    assert_same(runs[0], runs[1])


# -- where ---------------------------------------------------------------------------------------------------------


def test_forces_act_where_they_are_declared_and_nowhere_else():
    terms = {
        "push": force(components=[0, 2], distribution={"uniform": [1.0, 2.0]}),
        "twist": force("force.joint", target={"joint": "elbow|wrist_1"}, distribution={"uniform": [3.0, 4.0]}),
        "more": force("force.joint", distribution={"uniform": [10.0, 20.0]}),
    }
    cell = arm(terms, 2)
    cell.reset(seeds=np.arange(2))
    assert cell.randomizer.component_names == {
        "push": ["tool.x", "tool.z"], "twist": ["elbow", "wrist_1"], "more": ["elbow"],
    }  # fmt: skip
    values = cell.randomizer.values
    tool, elbow, wrist = cell.model.body("tool").id, *(int(cell.model.joint(j).dofadr[0]) for j in ("elbow", "wrist_1"))
    out = run(cell, 3)
    x, q = out["xfrc_applied"][-1], out["qfrc_applied"][-1]
    assert_same(x[:, tool, [0, 2]], values["push"])
    assert_same(q[:, elbow], values["twist"][:, 0] + values["more"][:, 0], "terms on one joint add up")
    assert_same(q[:, wrist], values["twist"][:, 1])
    x[:, tool, [0, 2]] = 0.0
    q[:, [elbow, wrist]] = 0.0
    assert not x.any() and not q.any()


def test_a_joint_force_accelerates_as_newton_says():
    """M qacc + ... changes by exactly the generalized force: M (a1 - a0) = f, the servo being told nothing new."""
    import mujoco

    cell = arm({"twist": force("force.joint", distribution={"uniform": [-9.0, 9.0]})}, 2)
    cell.reset(seeds=np.array([4, 4]), randomization={"twist": 7.0}, split="nominal")
    elbow = int(cell.model.joint("elbow").dofadr[0])
    data = mujoco.MjData(cell.model)
    mujoco.mj_setState(cell.model, data, cell.sim.batch.state[0], int(mujoco.mjtState.mjSTATE_INTEGRATION))
    mujoco.mj_forward(cell.model, data)
    with_force = data.qacc.copy()
    assert data.qfrc_applied[elbow] == 7.0
    data.qfrc_applied[:] = 0.0
    mujoco.mj_forward(cell.model, data)
    mass = np.zeros((cell.model.nv, cell.model.nv))
    mujoco.mj_fullM(cell.model, data, mass)
    expected = np.zeros(cell.model.nv)
    expected[elbow] = 7.0
    np.testing.assert_allclose(mass @ (with_force - data.qacc), expected, atol=1e-9)


def test_forces_end_with_their_episode():
    cell = arm({"push": force(mode={"interval_s": [0.1, 0.2]}), "twist": force("force.joint")}, 2)
    cell.reset(seeds=np.arange(2))
    run(cell, 5)
    cell.reset(np.array([1]), split="nominal")
    out = run(cell, 5)
    for name, values in out.items():
        assert values[:, 0].any() and not values[:, 1].any(), name
