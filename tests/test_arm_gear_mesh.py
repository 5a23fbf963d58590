"""Gears: teeth bound phase and backlash, block when out of phase, and the task that slides one into mesh."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
import pytest
from engine_checks import Case

from shopfloor.assets.cells.gear_cell import DRIVEN_RANGE, ENGAGED, GEAR, SEAT
from shopfloor.assets.parts.gears import add_mesh_pairs, add_teeth, outline
from shopfloor.assets.tools.mount import grasp_options
from shopfloor.envs.engine.core import BatchedCell

MESH = "shopfloor/ArmGearMesh-v0"


def two_gears() -> mujoco.MjModel:
    """Two gears in mesh on hinges, driven by torques."""
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    spec.option.timestep = 0.002
    spec.option.gravity = [0.0, 0.0, 0.0]
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    grasp_options(spec)
    teeth = []
    for name, x, phase, center in (("one", 0.0, 0.0, 0.0), ("other", 2.0 * GEAR.radius, 0.5, np.pi)):
        body = spec.worldbody.add_body(name=name, pos=[x, 0.0, 0.0])
        body.explicitinertial = True
        body.mass, body.inertia = 0.1, [1e-4] * 3
        body.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_HINGE, axis=[0.0, 0.0, 1.0], damping=0.005)
        teeth.append(add_teeth(body, name, GEAR, phase, center, 0.0))
    add_mesh_pairs(spec, *teeth, friction=0.1)
    return spec.compile()


def test_gears_in_mesh_have_their_backlash_and_turn_against_each_other():
    model = two_gears()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    assert data.ncon == 0
    ends = []
    for sign in (1.0, -1.0):
        mujoco.mj_resetData(model, data)
        # one gear pushes, the other is held by an equal torque
        data.qfrc_applied[:] = sign * 0.05, sign * 0.05
        mujoco.mj_step(model, data, nstep=2000)
        # in mesh they turn against each other: the sum is the play between them
        ends.append(data.qpos.sum() * GEAR.radius)
    assert ends[0] - ends[1] == pytest.approx(GEAR.backlash, rel=0.1)
    mujoco.mj_resetData(model, data)
    data.qfrc_applied[0] = 0.05
    while data.qpos[0] < 0.3:
        mujoco.mj_step(model, data)
    assert data.qpos[1] == pytest.approx(-data.qpos[0], abs=0.15 * GEAR.pitch)


def test_a_drawn_gear_has_its_teeth():
    points = outline(GEAR)
    radius = np.hypot(points[:, 0], points[:, 1])
    assert radius.max() == pytest.approx(GEAR.radius + 0.85 * GEAR.module)
    assert np.count_nonzero(np.diff((radius > GEAR.radius + 1e-9).astype(int)) == 1) == GEAR.teeth


def begun(n: int = 1, **params: Any) -> BatchedCell:
    cell = Case(MESH).cell(n)
    exact = {
        "taught_position": [0.0, 0.0, 0.0], "taught_tilt": [0.0, 0.0], "start_offset": [0.0, 0.0], "friction": 0.15,
        "start_height": 6.0, "grasp_offset": [0.0, 0.0], "grasp_tilt": [0.0, 0.0], "force_threshold": 60.0,
        "clearance_mm": 0.1, "phase": 0.0,
    }  # fmt: skip
    cell.reset(seeds=np.arange(n), params={**exact, **params})
    return cell


def play(cell: BatchedCell, act: Any) -> np.ndarray:
    ended, success = np.zeros(cell.n, bool), np.zeros(cell.n, bool)
    while not ended.all():
        cell.step(act(cell.s, cell.readings()), None if not ended.any() else np.flatnonzero(~ended))
        success |= cell.success & ~ended
        ended |= cell.terminated | cell.truncated
    return success


def pressing(cell: BatchedCell) -> Any:
    names = [t.name for t in cell.terms]

    def act(s: Any, readings: Any) -> np.ndarray:
        out = np.zeros((cell.n, len(names)))
        out[:, names.index("increment_z")] = np.where(readings["lead"][:, 2] > -0.003, -6e-4, 0.0)
        out[:, -1] = 30.0
        return out

    return act


def test_teeth_in_phase_let_the_gear_down_and_teeth_on_teeth_do_not():
    """Pressed straight down: in mesh it seats; tooth on tooth, the mounted gear blocked, it stands on the teeth."""
    meshed = begun(phase=0.0)
    assert play(meshed, pressing(meshed)).all()
    assert meshed.metrics()["depth"][0] == pytest.approx(1e3 * SEAT, abs=0.3)
    blocked = begun(phase=0.5, force_threshold=40.0)
    blocked.sim.field("dof_frictionloss")[:, blocked.sim.qvel_index(["driven"])] = 5.0
    assert not play(blocked, pressing(blocked)).any()
    assert blocked.metrics()["depth"][0] == pytest.approx(1e3 * ENGAGED, abs=0.5)
    assert blocked.metrics()["jams"][0] >= 1.0


def test_the_expert_brings_the_gears_into_mesh():
    cell = begun(6)
    cell.reset(seeds=np.arange(6))
    assert play(cell, cell.task.expert().act).all()
    phase = cell.task.observe_mesh_phase(cell.s)[:, 0]
    assert np.abs(phase - np.round(phase)).max() < 0.12
    turned = cell.sim.qpos[:, cell.sim.qpos_index(["driven"])[0]]
    assert np.abs(turned).max() < DRIVEN_RANGE


@pytest.mark.slow
@pytest.mark.parametrize("robot", ["m10id12", "fr3", "iiwa14", "scara"])
def test_other_arms_mesh_gears_too(robot: str):
    cell = Case(MESH, {"robot": robot}).cell(20)
    cell.reset(seeds=np.arange(20))
    assert play(cell, cell.task.expert().act).mean() >= (0.8 if robot == "scara" else 0.95)


@pytest.mark.slow
def test_the_expert_meshes_what_differs_from_plant_to_plant():
    cell = Case(MESH).cell(60, randomization="train")
    cell.reset(seeds=np.arange(60))
    assert play(cell, cell.task.expert().act).mean() >= 0.8
