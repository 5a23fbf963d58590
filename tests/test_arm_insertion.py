"""Insertion by force: geometry of an episode, what counts as seated, jams, force limits, and the experts on any arm."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from engine_checks import Case
from numpy.typing import NDArray

from shopfloor.envs.arms.insertion import JAM_S, SEATED_MM
from shopfloor.envs.engine.core import BatchedCell
from shopfloor.errors import ShopfloorError

PEG = "shopfloor/ArmPegInsert-v0"
EXACT = {
    "taught_position": [0.0, 0.0, 0.0], "taught_tilt": [0.0, 0.0], "start_offset": [0.0, 0.0], "start_height": 6.0,
    "grasp_offset": [0.0, 0.0], "grasp_tilt": [0.0, 0.0], "force_threshold": 80.0, "friction": 0.15,
}  # fmt: skip


def begun(n: int = 1, kwargs: dict[str, Any] | None = None, **params: Any) -> BatchedCell:
    cell = Case(PEG, kwargs or {}).cell(n)
    cell.reset(seeds=np.arange(n), params={**EXACT, **params})
    return cell


def run(cell: BatchedCell, act: Any) -> NDArray[np.bool_]:
    """Play until every row has ended; success of each."""
    ended, success = np.zeros(cell.n, bool), np.zeros(cell.n, bool)
    while not ended.all():
        cell.step(act(cell.s, cell.readings()), None if not ended.any() else np.flatnonzero(~ended))
        success |= cell.success & ~ended
        ended |= cell.terminated | cell.truncated
    return success


def test_an_episode_begins_where_its_sample_says():
    cell = begun(
        clearance_mm=0.05, taught_position=[0.2, -0.3, 0.4], start_offset=[1.0, -1.5], start_height=9.0,
        grasp_offset=[0.1, -0.05], grasp_tilt=[0.2, 0.0],
    )  # fmt: skip
    s = cell.s
    assert np.allclose(1e3 * s.tip[0], [1.0, -1.5, 9.0], atol=1e-3)
    hole = cell.sim.output("xpos")[0, cell.sim.id("body", "fixture")]
    tip = cell.sim.output("site_xpos", "site", "tip")[0]
    assert np.allclose(1e3 * (tip - hole), [1.2, -1.8, 9.4], atol=1e-3)
    # the peg is off-centre in the gripper and askew about its middle between the pads, 38 mm above its tip
    part = cell.sim.output("site_xpos", "site", "part")[0] - tip
    assert 1e3 * np.linalg.norm(part[:2]) == pytest.approx(np.hypot(0.1, 0.05 + 38.0 * np.deg2rad(0.2)), abs=0.09)
    side = cell.sim.field("geom_size")[0, cell.sim.id("geom", "peg_side")]
    assert 2e3 * side[0] == pytest.approx(16.0 - 0.05, abs=1e-9)
    assert cell.readings()["clearance_mm"][0, 0] == pytest.approx(0.05)


def test_rows_have_their_own_clearance_and_friction():
    cell = Case(PEG).cell(6)
    cell.reset(seeds=np.arange(6))
    sizes = cell.sim.field("geom_size")[:, cell.sim.id("geom", "peg_side"), 0]
    assert np.allclose(2e3 * sizes, 16.0 - cell.params["clearance_mm"], atol=1e-9)
    friction = cell.sim.field("pair_friction")[:, cell.sim.id("pair", "hole_peg_0"), 0]
    assert np.array_equal(friction, cell.params["friction"])
    assert np.unique(sizes).size == 6


def test_seated_means_at_the_stop_for_the_hold_time():
    cell = begun(clearance_mm=0.1)
    expert = cell.task.expert()
    held = 0
    while not (cell.terminated[0] or cell.truncated[0]):
        cell.step(expert.act(cell.s, cell.readings()))
        depth = -cell.s.part_position_mm[0, 2]
        held = held + 1 if depth >= 20.0 - SEATED_MM else 0
        assert cell.success[0] == (held >= round(0.2 * cell.timing.control_hz))
    assert cell.success[0] and cell.metrics()["depth"][0] == pytest.approx(depth)
    assert cell.metrics()["cycle_time"][0] == pytest.approx(cell.s.time_s[0] - (held - 1) / cell.timing.control_hz)
    assert cell.metrics()["peak_force"][0] < 80.0


def pressing(cell: BatchedCell, limit: float, tilt: float = 0.0) -> Any:
    """Straight down, as far as the command goes, at a force limit; `tilt` is turned in first (rad a step)."""
    names = [t.name for t in cell.terms]

    def act(s: Any, readings: Any) -> NDArray[np.float64]:
        out = np.zeros((cell.n, len(names)))
        out[:, names.index("increment_z")] = -1.0
        out[:, names.index("increment_ry")] = np.where(s.tip_turn[:, 1] < tilt, 2e-3, 0.0) if tilt else 0.0
        out[:, -1] = limit
        return out

    return act


def test_the_force_limit_bounds_what_a_lasting_contact_presses_with():
    for limit in (15.0, 40.0):
        cell = begun(clearance_mm=0.5)
        object.__setattr__(cell.task, "succeeded", lambda s: np.zeros(s.n, bool))
        act, late = pressing(cell, limit), []
        for k in range(160):
            cell.step(act(cell.s, cell.readings()))
            if k >= 140:
                late.append(float(np.linalg.norm(cell.s.tcp_wrench[0, :3])))
        assert cell.s.seated[0]
        assert max(late) < 1.1 * limit and np.mean(late) > 0.5 * limit


def test_a_peg_that_is_pressed_askew_jams_and_is_counted_once():
    cell = begun(clearance_mm=0.03, friction=0.2)
    act, jams = pressing(cell, 60.0, tilt=0.05), []
    for _ in range(cell.max_steps):
        cell.step(act(cell.s, cell.readings()))
        jams.append(cell.metrics()["jams"][0])
        if cell.terminated[0]:
            break
    assert not cell.success.any() and cell.metrics()["depth"][0] < 15.0
    assert jams[-1] >= 1.0 and max(np.diff(jams)) <= 1.0
    # a jam that lasts is one jam
    assert jams[-1] <= 3.0
    first = jams.index(1.0)
    assert first > JAM_S * cell.timing.control_hz


def test_one_peak_above_the_allowed_force_ends_the_episode_and_pays_worst():
    cell = begun(force_threshold=30.0, start_offset=[1.5, 1.5], taught_position=[0.5, 0.5, 0.5])
    act, total = pressing(cell, 100.0), 0.0
    while not (cell.terminated[0] or cell.truncated[0]):
        cell.step(act(cell.s, cell.readings()))
        total += cell.reward[0]
    assert cell.reasons[cell.reason[0]] == "over_force"
    assert cell.s.peak_force[0] > 30.0
    # never better than staying to the end with every penalty
    weights = [r.weight for name, r in cell.task.rewards.items() if r.weight < 0.0 and name != "over_force"]
    assert total <= sum(weights) * cell.max_steps * (1.0 - cell.s.step[0] / cell.max_steps)


def test_arguments_are_checked():
    for kwargs, message in (
        ({"peg": "square"}, "peg must be one of round, rectangular"),
        ({"clearance_mm": 0.001}, r"clearance_mm must lie in \[0\.02, 1\.0\]"),
        ({"robot": "kr16"}, "choose one of ur10e"),
    ):
        with pytest.raises(ShopfloorError, match=message):
            Case(PEG, kwargs).task()


@pytest.mark.slow
@pytest.mark.parametrize("robot", ["m10id12", "fr3", "iiwa14", "scara"])
def test_other_arms_insert_too(robot: str):
    cell = Case(PEG, {"robot": robot}).cell(20)
    cell.reset(seeds=np.arange(20))
    assert run(cell, cell.task.expert().act).mean() >= (0.8 if robot == "scara" else 0.95)


@pytest.mark.slow
@pytest.mark.parametrize("clearance_mm", [1.0, 0.1, 0.02])
def test_the_expert_inserts_at_every_clearance(clearance_mm: float):
    cell = Case(PEG, {"clearance_mm": clearance_mm}).cell(40)
    cell.reset(seeds=np.arange(40))
    assert run(cell, cell.task.expert().act).mean() >= 0.95


@pytest.mark.slow
def test_the_expert_inserts_what_differs_from_plant_to_plant():
    cell = Case(PEG).cell(60, randomization="train")
    cell.reset(seeds=np.arange(60))
    assert run(cell, cell.task.expert().act).mean() >= 0.8
