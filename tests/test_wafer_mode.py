"""WaferTransfer with a flexible mode that follows the extension of the arm."""

from __future__ import annotations

import numpy as np
import pytest
from engine_checks import Case
from test_wafer_physics import ring_down

from shopfloor.assets.robots.vacuum_scara import LINK_LENGTH, WRIST_TO_WAFER
from shopfloor.envs.wafer.transfer_mode import FULL_REACH, MASS, frequencies, sag
from shopfloor.errors import ShopfloorError

WAFER = "shopfloor/WaferTransfer-v0"
FOLLOWS = {"mode": "extension", "frequency_error": 0.0}


def test_lateral_mode_at_full_extension_is_the_stated_one_and_the_lowest():
    radii = np.linspace(0.36, FULL_REACH, 30)
    radial, lateral = frequencies(np.full(30, 12.0), radii)
    assert lateral[-1] == pytest.approx(12.0) and (np.diff(lateral) < 0.0).all() and (radial > lateral).all()


def test_frequencies_are_those_of_springs_in_the_joints():
    """Compliance of the tip by virtual work: joints that give way alike, and a column that adds its share."""
    radius, full, column = 0.7, 12.0, 0.35

    def joints(r: float) -> tuple[float, float]:
        phi = np.arccos((r - WRIST_TO_WAFER) / (2.0 * LINK_LENGTH))
        pivots = np.array([[0, 0], [0, 0], [np.cos(phi), np.sin(phi)], [2.0 * np.cos(phi), 0.0]]) * LINK_LENGTH
        lever = np.array([r, 0.0]) - pivots
        return float((lever[:, 1] ** 2).sum()), float((lever[:, 0] ** 2).sum())

    whole = joints(FULL_REACH)[1]
    expected = [full / np.sqrt(column + (1.0 - column) * c / whole) for c in joints(radius)]
    assert [float(f) for f in frequencies(np.array(full), np.array(radius))] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("axis", [0, 1], ids=["radial", "lateral"])
def test_arm_rings_at_the_frequency_of_its_extension(axis: int):
    cell = Case(WAFER, FOLLOWS).cell(2)
    cell.reset(seeds=np.arange(2), params={"frequency": 12.0, "damping_ratio": 0.02, "droop": 0.0, "move_kind": 0.0,
                                           "direction": 1.0, "line_length": 0.25, "friction": 0.35})  # fmt: skip
    sim, radius = cell.sim, cell.s.path_radius.copy()
    sim.field("dof_armature")[:, sim.qvel_index(("shoulder", "elbow", "wrist"))] = 1e6
    sim.set_const(np.arange(2))
    sim.step(100)
    joint = int(sim.qpos_index(("flex_x", "flex_y"))[axis])
    # paddle and wafer together, along the paddle's axis in the world
    free, angle = int(sim.qpos_index(("wafer_free",))[0]), cell.s.path_angle + 0.5 * np.pi * axis
    rest = sim.qpos[:, joint].copy()
    sim.qpos[:, joint] += 2e-4
    sim.qpos[:, free] += 2e-4 * np.cos(angle)
    sim.qpos[:, free + 1] += 2e-4 * np.sin(angle)
    trace = np.empty((1500, 2))
    for k in range(len(trace)):
        sim.step(1)
        trace[k] = sim.qpos[:, joint] - rest
    for row in range(2):
        expected = float(frequencies(np.array(12.0), radius[row])[axis])
        assert ring_down(trace[:, row], cell.sim.timestep)[0] == pytest.approx(expected, rel=0.01)


def test_springs_follow_the_move_and_the_target_allows_for_the_sag():
    cell = Case(WAFER, FOLLOWS).cell(12)
    cell.reset(seeds=np.arange(12), params={"move_kind": 0.0, "direction": 1.0})
    s, joints = cell.s, cell.task._flex_joints
    end = s.path_radius + s.path_length
    assert s.frequency == pytest.approx(frequencies(s.full_frequency, end)[0])
    assert (s.frequency_estimate == s.frequency).all()
    expert = cell.task.expert()
    for _ in range(180):
        cell.step(expert.act(s, cell.readings()))
    at = np.hypot(*cell.sim.output("site_xpos", "site", "tcp")[:, :2].T)
    lateral = cell.sim.field("jnt_stiffness")[:, joints[1]]
    np.testing.assert_allclose(lateral, MASS * (2.0 * np.pi * frequencies(s.full_frequency, at)[1]) ** 2, rtol=1e-9)
    # long after the move it stands at the target but for the servos' error
    assert s.path_complete.all() and (s.settle_error_mm < 0.02).all()
    assert np.abs(1e3 * sag(s.droop, frequencies(s.full_frequency, at)[0])).max() > 0.001


def test_unknown_mode_is_refused():
    with pytest.raises(ShopfloorError, match="mode must be one of fixed, extension, got 'soft'"):
        Case(WAFER, {"mode": "soft"}).task()
