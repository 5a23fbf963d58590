"""Welding along a seam: paths and sections, kinematics, fit-up of rows, judgement, and the two tracking tasks."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
import pytest
from engine_checks import Case, assert_same
from numpy.typing import NDArray

from shopfloor.assets.cells.weld_cell import WELDERS, weld_cell
from shopfloor.assets.parts.weldments import ray_groups, tee
from shopfloor.assets.robots.arm import arm
from shopfloor.envs.control.chain import SerialChain
from shopfloor.envs.engine.core import BatchedCell
from shopfloor.envs.engine.task import Rows
from shopfloor.envs.welding.fit_up import bent_line
from shopfloor.envs.welding.seam_frame import SeamLine, TaughtPath, section_axes
from shopfloor.envs.welding.tracking import Tracking
from shopfloor.envs.welding.weave import Weave
from shopfloor.errors import ShopfloorError

Array = NDArray[np.float64]
TRACK, ARC = Case("shopfloor/WeldSeamTrack-v0"), Case("shopfloor/WeldArcSense-v0")


class Arrays:
    """Rows without an engine."""

    def __init__(self, n: int):
        self.n = n

    def new(self, name: str, shape: tuple[int, ...] = (), dtype: Any = np.float64, fill: float = 0) -> Any:
        return np.full((self.n, *shape), fill, dtype=dtype)

    def __contains__(self, name: str) -> bool:
        return False


def rows(n: int) -> Rows:
    return Arrays(n)  # type: ignore[return-value]


# -- kinematics ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("robot", list(WELDERS))
def test_chain_agrees_with_the_engine_and_inverts(robot: str):
    model = weld_cell(robot=robot, visual=False).compile()
    data = mujoco.MjData(model)
    chain = SerialChain(model, arm(robot).joints, "tcp")
    angles = np.array(WELDERS[robot].home) + np.random.default_rng(0).uniform(-0.4, 0.4, (20, 6))
    position, rotation = chain.forward(angles)
    for row, q in enumerate(angles):
        data.qpos[:] = q
        mujoco.mj_kinematics(model, data)
        np.testing.assert_allclose(position[row], data.site("tcp").xpos, atol=1e-12)
        np.testing.assert_allclose(rotation[row], data.site("tcp").xmat.reshape(3, 3), atol=1e-12)
    near = angles + np.random.default_rng(1).uniform(-0.1, 0.1, angles.shape)
    solved = chain.solve(near, position, rotation, iterations=6)
    np.testing.assert_allclose(chain.forward(solved)[0], position, atol=1e-9)
    # one step over what a torch moves in a control step is good to a micrometre
    step = chain.solve(angles, position + 3e-4, rotation)
    assert np.abs(chain.forward(step)[0] - position - 3e-4).max() < 1e-6
    assert_same(chain.solve(near[3:4], position[3:4], rotation[3:4], 6), solved[3:4])


def test_chain_refuses_joints_that_are_not_its_own():
    model = weld_cell(visual=False).compile()
    with pytest.raises(ShopfloorError, match="are the joints"):
        SerialChain(model, ("j1", "j2"), "tcp")
    with pytest.raises(ShopfloorError, match="no site"):
        SerialChain(model, arm("ar1440").joints, "tip")


# -- paths -----------------------------------------------------------------------------------------------------------


def path_of(curvature: Array) -> TaughtPath:
    path = TaughtPath()
    path.bind(rows(len(curvature)))
    path.origin[:] = [0.9, -0.1, 0.7]
    path.heading[:] = np.linspace(-3.0, 3.0, len(curvature))
    path.curvature[:] = curvature
    return path


CURVATURES = np.array([-6.0, -2.5, -1e-4, -1e-8, 0.0, 1e-10, 1e-5, 2.5, 6.0])


def test_locate_is_the_inverse_of_at_on_arcs_and_lines():
    path = path_of(CURVATURES)
    rng = np.random.default_rng(0)
    for _ in range(20):
        s, lateral, height = rng.uniform(-30.0, 200.0, 9), rng.uniform(-8.0, 8.0, 9), rng.uniform(-8.0, 8.0, 9)
        frames = path.at(s)
        back = path.locate(frames.point(lateral, height))
        for found, given in zip(back, (s, lateral, height), strict=True):
            np.testing.assert_allclose(found, given, atol=2e-6)


def test_frames_are_those_of_the_seam_that_weldments_have():
    """A bent web's seam, exact as an arc, and a path of its curvature: same places, same sections."""
    seam = tee(length=0.150, radius=0.2, offset=-0.003, web_thickness=0.006, pieces=200).seam("left")
    path = path_of(np.array([1.0 / 0.197]))  # the web's midline is 3 mm further from the centre
    path.origin[:] = seam.at(0.0).position
    path.heading[:] = -0.075 / 0.2
    for s in (5.0, 75.0, 140.0):
        p, f = seam.at(1e-3 * s), path.at(np.array([s]))
        np.testing.assert_allclose(f.position, p.position, atol=3e-5)
        np.testing.assert_allclose(f.out, p.bisector, atol=3e-3)
        np.testing.assert_allclose(np.sum(f.lateral * p.normal_2, axis=1), -np.sqrt(0.5), atol=3e-3)


def test_sections_are_orthonormal_and_lateral_leads_to_the_standing_plate():
    tangent = np.array([[0.0, 1.0, 0.0], [0.6, 0.8, 0.0]])
    for lean in (0.0, np.pi / 4):
        lateral, out = section_axes(tangent, lean)
        np.testing.assert_allclose(np.cross(tangent, out), lateral, atol=1e-15)
    lateral, _ = section_axes(tangent, np.pi / 4)
    assert (lateral[:, 2] > 0.0).all() and lateral[0, 0] > 0.0


def test_true_seam_is_found_from_beside_it():
    line = SeamLine(rows(3).new, 12, start_mm=12.0)
    corners = bent_line(np.full(3, 0.174), np.array([0.0, 4.0, -4.0]), np.zeros((3, 13)))
    line.points[:] = corners
    line.position[:] = [0.9, 0.0, 0.7]
    c, s = np.cos(1.2), np.sin(1.2)
    line.rotation[:] = [[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]
    for place in (3.0, 60.0, 149.0):
        s_mm = np.full(3, place)
        root, ahead = line.at(s_mm), line.at(s_mm + 0.01)
        tangent = (ahead - root) / np.linalg.norm(ahead - root, axis=1, keepdims=True)
        lateral, out = section_axes(tangent, np.pi / 4)
        found = line.locate(root + 1e-3 * (0.4 * lateral - 0.7 * out))
        np.testing.assert_allclose(found[0], place, atol=0.05)
        np.testing.assert_allclose(found[1], 0.4, atol=5e-3)
        np.testing.assert_allclose(found[2], -0.7, atol=5e-3)
    np.testing.assert_allclose(line.length_mm, 174.0, rtol=2e-3)


# -- parts of rows ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kwargs", [{}, {"seam": "curved"}, {"joint": "lap", "seam": "curved"}])
def test_rays_meet_both_faces_where_each_rows_seam_says(kwargs: dict[str, Any]):
    n = 6
    cell = Case(TRACK.env_id, kwargs).cell(n)
    cell.reset(seeds=np.arange(n))
    line, sim = cell.task._part.line, cell.sim
    for place in (20.0, 75.0, 133.0):  # between the tacks
        s_mm = np.full(n, place)
        root, ahead = line.at(s_mm), line.at(s_mm + 0.1)
        tangent = (ahead - root) / np.linalg.norm(ahead - root, axis=1, keepdims=True)
        up = line.rotation[:, :, 2]
        left = np.cross(up, tangent)
        gap = 1e-3 * cell.task._part.gap_mm(s_mm)[:, None]
        for face, other, away in ((up, left, 0.004 + 0.0 * gap), (left, up, 0.002 + gap)):
            start = root + away * other + 0.010 * face
            distance = sim.ray(start[:, None], -face[:, None], ray_groups())
            np.testing.assert_allclose(distance, 0.010, atol=2e-5)
        # through the gap, past the standing plate's edge
        if (gap > 2e-4).all():
            start = root + 0.5 * gap * up + 0.01 * left
            assert (np.abs(sim.ray(start[:, None], -left[:, None], ray_groups()) - 0.010) > 1e-3).all()


def test_pictures_show_the_part_of_their_row():
    cell = TRACK.cell(2)
    cell.reset(seeds=np.arange(2))
    model = cell.render_model()
    data = mujoco.MjData(model)
    for row in range(2):
        cell.sim.copy_row(row, model, data)
        for name in ("part_web_3", "part_tack_1"):
            ours = cell.sim.field("geom_pos")[row, cell.sim.id("geom", name)]
            np.testing.assert_array_equal(model.geom(f"{name}_drawn").pos, ours)
            np.testing.assert_array_equal(model.geom(name).pos, ours)


def test_bead_grows_in_the_picture():
    cell = ARC.cell(1)
    cell.reset(seeds=np.arange(1))
    expert = cell.task.expert()
    assert not cell.task.overlay(cell.s, 0).drawings
    for _ in range(40):
        cell.step(expert.act(cell.s, cell.readings()))
    scene = mujoco.MjvScene(cell.model, maxgeom=500)
    for draw in cell.task.overlay(cell.s, 0).drawings:
        draw(scene)
    assert scene.ngeom > 5 and scene.nlight == 1, "ripples, and the light of the arc"


# -- judgement -------------------------------------------------------------------------------------------------------


def test_deviation_is_judged_by_length_and_nothing_twice():
    tracking = Tracking(rows(2), 5.0, 100.0)
    tracking.begin(np.arange(2), np.zeros(2))
    place, step = np.zeros(2), np.array([0.2, 0.5])  # one goes slowly
    for _ in range(600):
        place = place + step
        deviation = np.where(place < 52.5, 1.0, 2.0)
        tracking.add(place, deviation, -deviation)
    assert tracking.complete.all()
    np.testing.assert_allclose(tracking.judged_mm, 95.0)
    np.testing.assert_allclose(tracking.rms_mm(0), np.sqrt(2.5), rtol=5e-3)
    np.testing.assert_allclose(tracking.largest_mm(1), 2.0)
    tracking.add(np.full(2, 30.0), np.full(2, 50.0), np.zeros(2))  # back again
    np.testing.assert_allclose(tracking.judged_mm, 95.0)
    np.testing.assert_allclose(tracking.largest_mm(0), 2.0)


def test_weave_swings_evenly_and_ends_at_its_quarters():
    for pattern in ("sine", "triangle"):
        weave = Weave(2.5, 12, pattern)
        swing = weave.lateral_mm(weave.phase(np.arange(24)))
        assert swing[3] == pytest.approx(2.5) and swing[9] == pytest.approx(-2.5) and swing[0] == pytest.approx(0.0)
        np.testing.assert_allclose(swing[:12], swing[12:])
        assert swing.sum() == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(ShopfloorError, match="multiple of 4"):
        Weave(2.5, 10)


# -- tasks -----------------------------------------------------------------------------------------------------------


def run(cell: BatchedCell, act: Any, split: str | None = None, **params: Any) -> dict[str, Array]:
    """One episode in every row: metrics, return and success at its end."""
    seeds = 7000 + (np.zeros(cell.n, np.int64) if params else np.arange(cell.n))
    cell.reset(seeds=seeds, split=split, params=params or None)
    out = {"return": np.zeros(cell.n), "success": np.zeros(cell.n), "reason": np.zeros(cell.n)}
    out.update({name: np.full(cell.n, np.nan) for name in cell.task.metrics})
    running = np.ones(cell.n, dtype=bool)
    while running.any():
        cell.step(act(cell), None if running.all() else np.flatnonzero(running))
        out["return"] += np.where(running, cell.reward, 0.0)
        ended = running & (cell.terminated | cell.truncated)
        for name, value in {**cell.metrics(), "success": cell.success, "reason": cell.reason}.items():
            out[name][ended] = value[ended]
        running &= ~ended
    return out


def scripted(cell: BatchedCell) -> Any:
    expert = cell.task.expert()
    return lambda c: expert.act(c.s, c.readings())


@pytest.mark.parametrize(("task", "most"), [(TRACK, 0.35), (ARC, 0.6)])
def test_experts_track_on_machines_that_differ(task: Case, most: float):
    cell = task.cell(6, randomization="train")
    out = run(cell, scripted(cell), split="train")
    rms, p99 = out["lateral_rms"], out["lateral_p99"]
    assert (rms < p99).all() and (p99 <= out["lateral_largest"] + 0.05).all()
    assert np.sqrt(np.mean(rms * rms)) <= most


def test_reward_is_paid_by_the_millimetre():
    """A weld at half the speed earns what a fast one does, though it takes twice the steps."""
    cell = Case(TRACK.env_id, {"travel": "action"}).cell(2)
    steer = scripted(cell)

    def act(c: BatchedCell) -> Array:
        return np.column_stack((steer(c)[:, :2], [6.0, 12.0]))

    clean = {"bow": 0.0, "wave": 0.0, "part_turn": [0.0, 0.0], "hand_eye": [0.0, 0.0], "wire_cast": 0.0,
             "heat_drift": 0.0, "start_error": [0.0, 0.0]}  # fmt: skip
    out = run(cell, act, **clean)
    assert out["success"].all() and out["weld_time"][0] > 1.6 * out["weld_time"][1]
    assert out["return"][0] == pytest.approx(out["return"][1], rel=0.04)


def test_running_away_ends_early_and_never_pays():
    cell = TRACK.cell(5)
    setpoints = np.array([[0.0, -6.0], [0.0, 6.0], [6.0, 0.0], [-6.0, 0.0], [0.0, 0.0]])
    out = run(cell, lambda c: setpoints)
    reasons = [cell.reasons[int(k)] for k in out["reason"]]
    ends = ("collision", "arc_lost", "seam_lost")
    assert all(reason in ends for reason in reasons[:4]) and reasons[1] in ("arc_lost", "seam_lost")
    assert (out["weld_time"][:4] < 4.0).all()
    assert (out["return"][:4] < out["return"][4] - 1.0).all()


def test_torch_in_the_plate_is_a_collision():
    cell = TRACK.cell(1)
    cell.reset(seeds=np.array([0]))
    task, s = cell.task, cell.s
    assert not s.touched[0]
    s.correction_mm[0] = [9.0, -9.0]
    task._torch.place(s, np.array([0]), task._ready)
    cell.sim.forward()
    task.measure(s)
    assert s.touched[0] and task.failures(s)["collision"][0]


def test_seam_drifts_with_heat_and_loose_clamps():
    cell = TRACK.cell(3)
    cell.reset(seeds=np.zeros(3, np.int64))
    s, steer = cell.s, scripted(cell)
    s.drift_rate[:] = [0.0, 0.0, 0.004]
    cell.task._weld.process.inputs["restraint"][:] = [1.0, 0.0, 1.0]
    for _ in range(120):
        cell.step(steer(cell))
    welded = cell.task._weld.process.travelled_mm
    assert s.moved_mm[0] == 0.0 and s.moved_mm[1] > 0.02
    assert s.moved_mm[2] == pytest.approx(0.004 * welded[2])
    home = cell.task._part._home
    np.testing.assert_allclose(np.linalg.norm(cell.task._part.line.position - home, axis=1), 1e-3 * s.moved_mm)


def test_arguments_that_do_not_exist_are_refused():
    for kwargs in ({"joint": "butt"}, {"seam": "wavy"}, {"travel": "fast"}, {"robot": "ur10e"}):
        with pytest.raises(ShopfloorError, match="must be one of"):
            Case(TRACK.env_id, kwargs).task()
    with pytest.raises(ShopfloorError, match="pattern must be one of"):
        Case(ARC.env_id, {"pattern": "circle"}).task()
