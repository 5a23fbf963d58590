"""WeldTouchSense: distances to parts, what touches tell, the wire as a probe, and how searches end."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
import pytest

from shopfloor.envs.engine.core import BatchedCell
from shopfloor.envs.welding import touch_fit as fit
from shopfloor.envs.welding.touch_joint import JOINTS, to_place, to_world
from shopfloor.envs.welding.touch_motion import CHOICES, READY
from shopfloor.envs.welding.touch_sense import TOLERANCE_MM, WeldTouchSense
from shopfloor.envs.welding.touch_wire import (
    CUT_BEND,
    CUT_STICKOUT,
    ELASTIC,
    STICKOUT,
    WIRE_DIAMETER,
    YIELD_PA,
    YOUNG_PA,
)
from shopfloor.errors import ShopfloorError

QUIET: dict[str, Any] = {
    "fresh_wire": 1, "stickout_error": 0.0, "wire_bend": [0.0, 0.0], "latency_error": 0.0, "scale_share": 0.0,
    "spatter_share": 0.0, "part_roll": 0.0, "touch_noise": 0.02, "voltage_noise": 0.02,
}  # fmt: skip


def started(n: int, params: dict[str, Any] | None = None, **kwargs: Any) -> BatchedCell:
    cell = BatchedCell(WeldTouchSense(**kwargs), n, 1)
    cell.reset(seeds=np.arange(n), params=params)
    return cell


def decide(
    cell: BatchedCell, kind: str, place: float = 0.0, speed: float = 15.0, stop: float = 20.0, clear: float = 10.0,
    threshold: float = 0.6,
) -> None:  # fmt: skip
    """One decision in all rows, and as many control steps as its cycle takes."""
    scores = [1.0 if name == kind else -1.0 for name in CHOICES]
    action = np.tile([*scores, place, speed, stop, clear, threshold], (cell.n, 1))
    cell.step(action)
    for _ in range(25):
        busy = np.flatnonzero(cell.s.phase != READY)
        if not busy.size:
            return
        cell.step(action, busy)
    raise AssertionError("the cycle does not end")


def play(cell: BatchedCell) -> np.ndarray:
    """Reasons (n,) of one episode a row, under the expert."""
    expert, running, reason = cell.task.expert(), np.ones(cell.n, bool), np.zeros(cell.n, np.int64)
    while running.any():
        cell.step(expert.act(cell.s, cell.readings()), np.flatnonzero(running))
        over = running & (cell.terminated | cell.truncated)
        reason[over] = cell.reason[over]
        running &= ~over
    return np.array(cell.reasons, dtype=object)[reason]


# -- parts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("joint", JOINTS)
def test_distances_are_those_of_the_model(joint: str) -> None:
    """The wire meets what torch and rays meet: MuJoCo's distances to a small ball, at places around the root."""
    cell = started(2, joint=joint)
    part, model = cell.task._part, cell.task.cell(visual=False)
    ball = model.worldbody.add_body(name="ball", mocap=True)
    ball.add_geom(name="ball", size=[1e-4, 0.0, 0.0], contype=0, conaffinity=0)
    compiled = model.compile()
    data = mujoco.MjData(compiled)
    rng = np.random.default_rng(0)
    solids = [compiled.geom(f"part_{s.name}").id for s in part.joint.part.solids]
    for name in ("body_pos", "body_quat", "geom_pos"):
        values = getattr(compiled, name)
        ours = cell.sim.field(name)[0]
        values[: len(ours)] = ours
    for _ in range(20):
        place = rng.uniform([-0.11, -0.03, -0.02], [0.11, 0.03, 0.03])
        point = to_world(part.joint, place[None])
        data.mocap_pos[0] = point[0]
        mujoco.mj_forward(compiled, data)
        there = [mujoco.mj_geomDistance(compiled, data, compiled.geom("ball").id, g, 1.0, None) for g in solids]
        distance = part.distance(np.repeat(point, 2, axis=0))[0]
        if distance > 0.0:
            assert distance == pytest.approx(min(there) + 1e-4, abs=2e-6)
        else:
            assert min(there) < 0.0


@pytest.mark.parametrize("joint", JOINTS)
def test_quiet_touches_find_the_root_wherever_the_part_lies(joint: str) -> None:
    cell = started(2, QUIET, joint=joint)
    assert set(play(cell)) == {"success"}
    assert (cell.s.error_mm < [0.4, 0.2, 0.2]).all()
    assert np.abs(cell.s.true_root[:, fit.ACROSS]).max() > 3e-3  # they were not where the drawing has them
    place = to_place(cell.task.joint, np.stack([cell.task._part.seam(row)[1] for row in range(2)]))
    np.testing.assert_allclose(place, cell.s.true_root_ends[:, 1], atol=1e-9)


# -- wire ------------------------------------------------------------------------------------------------------------


def test_a_wire_stays_straight_up_to_the_elastic_limit_of_a_cantilever() -> None:
    # an end load whose bending stress at the clamp is the yield strength
    inertia = np.pi * WIRE_DIAMETER**4 / 64.0
    force = YIELD_PA * inertia / (0.5 * WIRE_DIAMETER) / STICKOUT
    assert pytest.approx(force * STICKOUT**3 / (3.0 * YOUNG_PA * inertia)) == ELASTIC
    cell = started(2, QUIET)
    decide(cell, "flat", speed=12.0, clear=20.0)
    assert (cell.s.touches[:, fit.FLAT] == 1.0).all() and (cell.s.bent == 0.0).all()
    decide(cell, "flat", speed=60.0, clear=20.0)
    assert (cell.s.bent > 0.3e-3).all()
    # pushed from below, the end now points up
    assert (cell.s.bend[:, 0] > 0.2e-3).all()
    before = cell.s.fit_cov[:, fit.BEND, fit.BEND].copy()
    decide(cell, "cut")
    assert (cell.s.cuts == 1.0).all() and (np.abs(cell.s.bend) < 6 * CUT_BEND).all()
    assert (cell.s.fit_cov[:, fit.BEND, fit.BEND] < before).all()
    assert (np.abs(cell.s.stickout) < 6 * CUT_STICKOUT).all()


def test_scale_lets_the_wire_in_the_further_the_lower_the_threshold() -> None:
    depth = []
    for threshold in (0.3, 0.8):
        # nearly every touch meets scale
        cell = BatchedCell(WeldTouchSense(), 16, 1)
        cell.reset(seeds=np.arange(16), params=QUIET)
        cell.s.scale_share[:] = 1.0
        decide(cell, "flat", speed=8.0, clear=20.0, threshold=threshold)
        found = cell.s.touches[:, fit.FLAT] > 0.0
        true = cell.s.true_root[:, fit.UP] + cell.s.true_root[:, fit.SLOPE] * cell.s.latched[:, 0]
        depth.append(np.mean((true - cell.s.latched[:, 2])[found]))
    assert depth[0] > depth[1] + 0.2e-3 > 0.2e-3
    # what scale does to the voltage at rest is seen, and such a touch counts for less
    assert (cell.s.rest_voltage[found] > 0.01).any()


def test_a_search_past_the_part_finds_nothing() -> None:
    cell = started(2, {**QUIET, "part_shift": [0.0, 15.0], "part_yaw": 0.0})
    decide(cell, "wall", stop=5.0)
    assert (cell.s.missed == 1.0).all() and (cell.s.touches == 0.0).all()
    assert (cell.s.fit_cov[:, fit.BEND, fit.BEND] < 1e-7).all()  # in free air nothing bends


def test_a_joint_of_which_nothing_is_known_is_not_declared() -> None:
    cell = started(1)
    scores = [*(-1.0 for _ in CHOICES[:-1]), 1.0, 0.0, 10.0, 5.0, 5.0, 0.5]
    cell.step(np.array([scores]))
    assert not cell.terminated[0]
    decide(cell, "flat", clear=20.0)
    cell.step(np.array([scores]))
    assert cell.reasons[cell.reason[0]] == "mislocated" and cell.s.error_mm.max() > TOLERANCE_MM


# -- fit -------------------------------------------------------------------------------------------------------------


def test_touches_of_one_place_do_not_tell_the_wire_from_the_part() -> None:
    mean, cov = np.zeros((1, fit.SIZE)), np.eye(fit.SIZE)[None] * 1e-6
    every = np.ones(1, bool)
    for _ in range(50):
        fit.update(mean, cov, fit.touch_row(fit.WALL, np.zeros(1)), np.full(1, 1e-3), np.full(1, 1e-10), every)
    # across, stick-out and bend share a millimetre by their variances
    assert mean[0, fit.ACROSS] == pytest.approx(0.5e-3, rel=1e-3)
    end = fit.wire_end(mean[:, fit.STICKOUT], mean[:, fit.BEND :])
    assert mean[0, fit.ACROSS] - end[0, 1] == pytest.approx(1e-3, rel=1e-3)
    assert np.sqrt(cov[0, fit.ACROSS, fit.ACROSS]) > 0.6e-3


# -- episodes --------------------------------------------------------------------------------------------------------


def test_the_schedule_finds_nearly_all_joints() -> None:
    assert (play(started(32)) == "success").mean() >= 0.9


def test_arguments() -> None:
    for kwargs in ({"joint": "butt"}, {"robot": "ur10e"}):
        with pytest.raises(ShopfloorError, match="must be one of"):
            WeldTouchSense(**kwargs)
