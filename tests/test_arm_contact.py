"""Contact as the arm tasks use it, against closed forms: sliding, rest, clearances, wedging and jamming."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from shopfloor.assets.parts.fits import MOUTH_EDGE, SOLIMP, Fit, add_hole, add_pairs, add_peg, pair_names, peg_geoms
from shopfloor.assets.tools.mount import grasp_options

GRAVITY = 9.81
ROUND, RECTANGULAR = Fit(size=0.016, depth=0.025), Fit(size=(0.016, 0.012), depth=0.025)


def spec_of(timestep: float) -> mujoco.MjSpec:
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    spec.option.timestep = timestep
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    grasp_options(spec)
    return spec


# --- a block on a table -------------------------------------------------------------------------------------------


def block(mu: float, timestep: float = 0.002) -> mujoco.MjModel:
    spec = spec_of(timestep)
    hard = {"friction": [mu, 0.005, 0.0001], "solref": [2 * timestep, 1.0], "solimp": list(SOLIMP)}
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[5.0, 5.0, 0.1], **hard)
    body = spec.worldbody.add_body(name="block", pos=[0.0, 0.0, 0.02])
    body.add_freejoint()
    body.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.05, 0.04, 0.02], mass=1.0, **hard)
    return spec.compile()


@pytest.mark.parametrize("mu", [0.1, 0.3, 0.8])
def test_a_block_slides_as_far_as_friction_says_in_every_direction(mu: float):
    model = block(mu)
    data = mujoco.MjData(model)
    for angle in np.deg2rad([0.0, 17.0, 30.0, 45.0, 71.0, 90.0, 200.0]):
        mujoco.mj_resetData(model, data)
        mujoco.mj_step(model, data, nstep=20)
        start, speed = data.qpos[:3].copy(), 1.0
        data.qvel[:2] = speed * np.cos(angle), speed * np.sin(angle)
        mujoco.mj_step(model, data, nstep=int(1.2 * speed / (mu * GRAVITY) / model.opt.timestep) + 10)
        assert np.abs(data.qvel).max() < 1e-3
        way = data.qpos[:2] - start[:2]
        assert np.hypot(*way) == pytest.approx(speed**2 / (2 * mu * GRAVITY), rel=0.02)
        off = np.arctan2(way[1], way[0]) - angle
        assert abs(np.arctan2(np.sin(off), np.cos(off))) < 0.02


@pytest.mark.parametrize("share", [0.0, 0.5, 0.8])
def test_a_block_at_rest_does_not_creep(share: float):
    """On a slope of a share of the friction angle: far less than 0.1 mm/s."""
    mu = 0.3
    model = block(mu)
    slope = np.arctan(share * mu)
    model.opt.gravity[:] = GRAVITY * np.array([np.sin(slope), 0.0, -np.cos(slope)])
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data, nstep=500)
    start = data.qpos[:2].copy()
    mujoco.mj_step(model, data, nstep=1000)
    assert np.hypot(*(data.qpos[:2] - start)) / (1000 * model.opt.timestep) < 2e-5


# --- peg and hole -------------------------------------------------------------------------------------------------


class Rig:
    """A peg on slides and hinges in a hole, without gravity; coordinates x, y, z of its tip and angles about x, y."""

    def __init__(
        self, fit: Fit, clearance: float, friction: float = 0.15, timestep: float = 0.002, mass: float = 1.0,
        damping: float = 0.0, hold: float = 0.0,
    ):  # fmt: skip
        spec = spec_of(timestep)
        spec.option.gravity = [0.0, 0.0, 0.0]
        add_hole(spec.worldbody.add_body(name="hole"), "hole", fit, floor=False)
        peg = spec.worldbody.add_body(name="peg")
        peg.explicitinertial = True
        peg.mass, peg.inertia, peg.ipos = mass, [1e-3 * mass] * 3, [0.0, 0.0, 0.02]
        for name, axis in (("x", (1, 0, 0)), ("y", (0, 1, 0)), ("z", (0, 0, 1))):
            peg.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=axis, damping=damping)
        for name, axis in (("rx", (1, 0, 0)), ("ry", (0, 1, 0))):
            peg.add_joint(
                name=name, type=mujoco.mjtJoint.mjJNT_HINGE, axis=axis, damping=1e-3 * damping, stiffness=hold
            )
        add_peg(peg, "peg", fit, clearance)
        add_pairs(spec, "hole", "peg", fit, friction=friction, floor=False)
        self.model = spec.compile()
        self.data = mujoco.MjData(self.model)

    def push(self, x: float = 0.0, y: float = 0.0, z: float = 0.0, mx: float = 0.0, my: float = 0.0) -> None:
        """Forces at the tip and moments about it."""
        self.data.qfrc_applied[:] = x, y, z, mx, my

    def step(self, seconds: float) -> None:
        mujoco.mj_step(self.model, self.data, nstep=round(seconds / self.model.opt.timestep))

    def forces(self) -> np.ndarray:
        """Normal forces of all contacts."""
        out = np.zeros((self.data.ncon, 6))
        for i in range(self.data.ncon):
            mujoco.mj_contactForce(self.model, self.data, i, out[i])
        return out[:, 0]


@pytest.mark.parametrize("clearance", [1e-3, 1e-4, 2e-5])
@pytest.mark.parametrize("fit", [ROUND, RECTANGULAR], ids=["round", "rectangular"])
def test_the_peg_moves_sideways_by_its_clearance(fit: Fit, clearance: float):
    """Pressed flat against the wall: half the diametral clearance, in 12 walls at most 1 / cos(15 deg) times that."""
    rig = Rig(fit, clearance, damping=100.0)
    for degrees in (0.0, 7.5, 15.0, 30.0, 90.0) if fit.round else (0.0, 90.0, 180.0, 270.0):
        angle = np.deg2rad(degrees)
        mujoco.mj_resetData(rig.model, rig.data)
        rig.data.qpos[2] = -0.012
        # halfway between the rim of the tip and the edge of the mouth
        lever = 0.5 * (0.012 - fit.chamfer - MOUTH_EDGE + fit.edge)
        fx, fy = 10.0 * np.cos(angle), 10.0 * np.sin(angle)
        rig.push(fx, fy, mx=-lever * fy, my=lever * fx)
        rig.step(1.0)
        moved = np.hypot(*rig.data.qpos[:2]) / (0.5 * clearance)
        assert 0.998 < moved < (1.04 if fit.round else 1.005)
        if fit.round and degrees % 30.0 == 0.0:
            # true to a fraction of a micrometre; the pads of the sphere meet the middle of a wall
            assert moved == pytest.approx(1.0, abs=0.04)


def test_sizes_of_rows_are_those_of_the_built_peg():
    for fit in (ROUND, RECTANGULAR):
        side, rim = peg_geoms("peg", fit)
        for clearance in (1e-3, 2e-5):
            model = Rig(fit, clearance).model
            assert np.allclose(model.geom(side).size, fit.side(clearance), atol=1e-12)
            built = np.array([model.geom(name).pos for name in rim])
            assert np.allclose(built, fit.rim(np.array([clearance]))[0], atol=1e-12)
        assert len(pair_names("hole", "peg", fit)) > model.npair


@pytest.mark.parametrize("fit", [ROUND, RECTANGULAR], ids=["round", "rectangular"])
def test_an_aligned_peg_goes_into_a_hole_0_02_mm_wider_without_force_spikes(fit: Fit):
    rig = Rig(fit, 2e-5, mass=0.2, damping=2.0)
    rig.data.qpos[:2], rig.data.qpos[2] = 2e-6, 0.001
    rig.data.qvel[2] = -0.02
    worst = 0.0
    for _ in range(500):
        rig.push(z=-2.0 * 0.02)  # what the damping takes at this speed
        rig.step(0.002)
        worst = max(worst, float(rig.forces().max(initial=0.0)))
    assert rig.data.qpos[2] < -0.018
    assert worst < 0.5


@pytest.mark.parametrize(("clearance", "tilt_mrad"), [(1e-4, 10.0), (1e-4, 20.0), (2e-5, 4.0), (1e-3, 60.0)])
def test_a_tilted_peg_meets_two_points_at_the_depth_of_clearance_over_tilt(clearance: float, tilt_mrad: float):
    """Whitney (1982): the second contact comes at l = (D - d cos t) / sin t, about clearance / tilt."""
    fit, t = ROUND, 1e-3 * tilt_mrad
    hold = 400.0
    rig = Rig(fit, clearance, friction=0.01, damping=100.0, hold=hold)
    rig.data.qpos[4] = t
    # tip on the axis of the mouth, then down without turning
    rig.data.qpos[2] = 0.0005
    depth = None
    for _ in range(3000):
        rig.push(z=-1.0, my=hold * t)
        rig.step(0.002)
        # the torque of the wall on the held tilt tells two-point contact from one-point contact
        if abs(rig.data.qpos[4] - t) > 2e-5:
            depth = -rig.data.qpos[2]
            break
    assert depth is not None
    outer = 0.016
    expected = (outer - (outer - clearance) * np.cos(t)) / np.sin(t)
    # the mouth's edge lies below the chamfer, the rim's contact above the tip, both rounded
    assert depth - fit.chamfer - MOUTH_EDGE - fit.edge == pytest.approx(expected, abs=0.12 * expected + 2e-4)


@pytest.mark.parametrize("side", [-2.0, 0.0, 3.0])
@pytest.mark.parametrize(("share", "slides"), [(0.9, False), (1.12, True)])
def test_a_peg_jams_below_and_slides_above_whitneys_force(side: float, share: float, slides: bool):
    """Two-point contact under side force F at the tip and moment M about it, at depth l, with friction mu and radius r:
    the peg slides if pushed by more than mu (2 (M - r mu F) / l - F)."""
    mu, moment, depth, clearance = 0.15, 0.4, 0.010, 1e-4
    fit = ROUND
    rig = Rig(fit, clearance, friction=mu, damping=5.0)
    rig.data.qpos[2], rig.data.qpos[4] = -(depth + fit.chamfer + MOUTH_EDGE + fit.edge), 0.8 * clearance / depth
    rig.push(x=side, my=moment)
    rig.step(0.5)
    assert rig.data.ncon >= 2
    start = rig.data.qpos[2]
    # between the centres of the two contacts' spheres
    lever = -start - fit.chamfer - MOUTH_EDGE - fit.edge
    at_tip = moment - fit.edge * side  # about the height of the rim's contact
    limit = mu * (2.0 * (at_tip - 0.008 * mu * side) / lever - side)
    rig.push(x=side, z=-share * limit, my=moment)
    rig.step(0.3)
    moved = start - rig.data.qpos[2]
    assert (moved > 1e-3) if slides else (abs(moved) < 1e-4), f"moved {1e3 * moved:.3f} mm at {share} of {limit:.2f} N"


def test_a_push_that_is_stuck_at_the_mouth_goes_in_deeper_down():
    """The same moment and the same push: 2 mu M / l is 60 N at 3 mm and 12 N at 15 mm, and 20 N push."""
    mu, clearance = 0.3, 1e-4
    moved = {}
    for depth in (0.003, 0.015):
        rig = Rig(ROUND, clearance, friction=mu, damping=5.0)
        below = ROUND.chamfer + MOUTH_EDGE + ROUND.edge
        rig.data.qpos[2], rig.data.qpos[4] = -(depth + below), 0.8 * clearance / depth
        rig.push(my=0.3)
        rig.step(0.5)
        start = rig.data.qpos[2]
        rig.push(z=-20.0, my=0.3)
        rig.step(0.2)
        moved[depth] = start - rig.data.qpos[2]
    assert moved[0.003] < 1e-4 and moved[0.015] > 1e-3


def test_halving_the_timestep_changes_outcomes_by_little():
    """A compliantly held, tilted peg is pressed into a hole: its depth and tilt over time at two steps of time."""
    found = []
    for timestep in (0.002, 0.001):
        rig = Rig(ROUND, 5e-5, timestep=timestep, mass=0.5, damping=20.0, hold=20.0)
        rig.data.qpos[:2] = 0.0002, 0.0001
        rig.data.qpos[2], rig.data.qpos[4] = 0.0015, 0.004
        path = []
        for _ in range(60):
            rig.push(z=-1.0, my=20.0 * 0.004)
            rig.step(0.01)
            path.append((-rig.data.qpos[2], rig.data.qpos[4]))
        found.append(np.array(path))
    coarse, fine = found
    assert fine[-1, 0] > 0.01 and fine[-1, 1] < 0.0028
    assert np.abs(coarse[:, 0] - fine[:, 0]).max() < 0.03 * fine[:, 0].max()
    assert np.abs(coarse[:, 1] - fine[:, 1]).mean() < 0.06 * 0.004
