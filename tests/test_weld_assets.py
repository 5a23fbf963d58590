"""Machines and parts of the welding family: torch, positioner, track, weldments and their seams, cell, drawn beads."""

from __future__ import annotations

import numpy as np
import pytest

mujoco = pytest.importorskip("mujoco")

from mujoco.batch import Batch  # noqa: E402

from shopfloor.assets.cells import weld_cell as cell  # noqa: E402
from shopfloor.assets.fixtures import positioner, rail  # noqa: E402
from shopfloor.assets.parts import weldments, weldments_bead  # noqa: E402
from shopfloor.assets.parts.weldments import WELDMENTS, Tack, add_weldment, ray_groups  # noqa: E402
from shopfloor.assets.robots import ar1440, arcmate100id  # noqa: E402
from shopfloor.assets.robots.arm import arm  # noqa: E402
from shopfloor.assets.tools import welding_torch  # noqa: E402
from shopfloor.assets.tools.welding_torch import add_welding_torch, torch_geometry  # noqa: E402
from shopfloor.assets.tools.welding_torch_feeder import add_wire_feeder  # noqa: E402
from shopfloor.errors import ShopfloorError  # noqa: E402

ROBOTS = tuple(cell.WELDERS)
GAPS = 1e-3 * np.array([0.0, 0.4, 1.1, 2.0, 3.0, 2.2, 0.9, 0.3])

PARTS = {
    "tee": weldments.tee(),
    "tee_gap": weldments.tee(gap=GAPS),
    "tee_bent": weldments.tee(radius=0.15, gap=0.001, pieces=40),
    "tee_bent_right": weldments.tee(radius=-0.4),
    "tee_askew": weldments.tee(offset=0.006, yaw=0.03, gap=0.0005),
    "tee_leaning": weldments.tee(angle_deg=84.0),
    "lap": weldments.lap(gap=0.5 * GAPS),
    "lap_bent": weldments.lap(radius=0.5),
    "corner": weldments.corner(gap=GAPS),
    "v_groove": weldments.v_groove(),
    "v_groove_gap": weldments.v_groove(gap=0.002 + GAPS, mismatch=0.0015, groove_deg=50.0, backing=0.006),
    "pipe_flange": weldments.pipe_flange(gap=0.0004),
    "bracket": weldments.bracket(gap=0.001),
    "u_cell": weldments.u_cell(gap=0.002),
}
SEAMS = [(part, seam.name) for part, weldment in PARTS.items() for seam in weldment.seams]


def model_of(weldment, **options):
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    add_weldment(spec, spec.worldbody, weldment, **options)
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data


@pytest.fixture(scope="module")
def models():
    return {name: model_of(part, visual=False) for name, part in PARTS.items()}


def cast(model, data, origin, direction):
    """Distance and name of the geom that a ray of the sensor meets."""
    geom = np.zeros(1, np.int32)
    distance = mujoco.mj_ray(model, data, origin, direction, ray_groups(), True, -1, geom)
    return distance, model.geom(int(geom[0])).name if geom[0] >= 0 else None


# --- seams ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("part", "name"), SEAMS)
def test_seam_frames_are_orthonormal_and_the_plate_is_on_the_right(part, name):
    s, p = PARTS[part].seam(name).table(1e-3)
    for vector in (p.tangent, p.normal_1, p.normal_2, p.bisector):
        assert np.allclose(np.linalg.norm(vector, axis=1), 1.0, atol=1e-12)
        assert len(vector) == len(s)
    for normal in (p.normal_1, p.normal_2, p.bisector):
        assert np.abs(np.sum(p.tangent * normal, axis=1)).max() < 1e-12
    assert np.all(np.sum(np.cross(p.tangent, p.normal_2) * p.normal_1, axis=1) > 0.5)
    # half way between the faces
    assert np.allclose(np.sum(p.bisector * p.normal_1, axis=1), np.sum(p.bisector * p.normal_2, axis=1), atol=1e-12)
    # steps along the table are the arc length that they claim
    step = np.linalg.norm(np.diff(p.position, axis=0), axis=1)
    assert np.all(step <= np.diff(s) + 1e-12) and step.sum() == pytest.approx(s[-1], rel=2e-3)


@pytest.mark.parametrize(("part", "name"), [key for key in SEAMS if not key[0].startswith("v_groove")])
def test_rays_meet_both_faces_of_a_joint_where_its_seam_says(models, part, name):
    """From a point in the open joint, straight at either face: the distance is that to the plane through the root."""
    model, data = models[part]
    seam = PARTS[part].seam(name)
    clear = 0.0012 + seam.gap.max()
    for s in seam.length * np.array([0.013, 0.22, 0.37, 0.5, 0.71, 0.986]):
        p = seam.at(s)
        root, n1, n2 = p.position[0], p.normal_1[0], p.normal_2[0]
        for face, other, away, high in ((n1, n2, 0.002, 0.01), (n2, n1, clear, 0.01)):
            # `away` up the face that is hit, `high` over it
            along = other - np.sum(other * face) * face
            start = root + away * along / np.linalg.norm(along) + high * face
            distance, hit = cast(model, data, start, -face)
            assert hit is not None and distance == pytest.approx(high, abs=1e-9), (s, hit)


@pytest.mark.parametrize("part", ["v_groove", "v_groove_gap"])
def test_rays_meet_the_bevels_of_a_groove(models, part):
    model, data = models[part]
    seam = PARTS[part].seams[0]
    thickness, face, width = 0.012, 0.0015, 0.120
    bevel = np.deg2rad(30.0 if part == "v_groove" else 25.0)
    for s in seam.length * np.array([0.04, 0.3, 0.55, 0.93]):
        p = seam.at(s)
        x, half, step = p.position[0, 0], 0.5 * p.gap[0], p.mismatch[0]
        assert p.position[0, 2] == pytest.approx(0.5 * step)
        top = half + (thickness - face) * np.tan(bevel)
        for side, raised in ((-1.0, 0.0), (1.0, step)):
            for y in np.linspace(half + 1e-4, top + 0.02, 14):
                depth = face + (y - half) / np.tan(bevel)
                expected = raised + min(depth, thickness)
                distance, _ = cast(model, data, np.array([x, side * y, 0.2]), np.array([0.0, 0.0, -1.0]))
                assert 0.2 - distance == pytest.approx(expected, abs=1e-9), (side, y)
            # the root face, seen from the middle of the opening
            distance, _ = cast(model, data, np.array([x, 0.0, raised + 0.4 * face]), np.array([0.0, side, 0.0]))
            assert distance == pytest.approx(half, abs=1e-9)
            assert width > top
        down = cast(model, data, np.array([x, 0.0, 0.2]), np.array([0.0, 0.0, -1.0]))
        assert down[0] == (pytest.approx(0.2, abs=1e-9) if part == "v_groove_gap" else -1.0)


@pytest.mark.parametrize("name", ["tee_gap", "lap", "corner"])
def test_gap_is_open_as_far_as_the_seam_says(models, name):
    """A ray along the plate under the upper one passes below the gap, and meets the edge above it."""
    model, data = models[name]
    seam = PARTS[name].seams[0]
    for k, gap in enumerate(seam.gap):
        p = seam.at((k + 0.5) / len(seam.gap) * seam.length)
        assert p.gap[0] == gap
        start = p.position[0] + 0.02 * p.normal_2[0]
        if name == "corner":
            start = p.position[0] + 0.004 * p.normal_2[0]
        height = p.normal_1[0]
        if gap > 0.0:
            distance, _ = cast(model, data, start + (gap - 1e-6) * height, -p.normal_2[0])
            assert distance < 0.0 or distance > 0.0201
        distance, _ = cast(model, data, start + (gap + 1e-6) * height, -p.normal_2[0])
        assert distance == pytest.approx(0.02 if name != "corner" else 0.004, abs=1e-9)


def test_bent_web_follows_its_arc():
    length, radius, thickness = 0.4, 0.15, 0.009
    part = weldments.tee(length=length, radius=radius, web_thickness=thickness, pieces=48)
    for seam, r in zip(part.seams, (radius - thickness / 2, radius + thickness / 2), strict=True):
        _, p = seam.table(1e-3)
        off = np.hypot(p.position[:, 0], p.position[:, 1] - radius) - r
        # chords: inside the arc by at most their sagitta, and the corners a little outside
        chord = length / 48 * r / radius
        assert -1.05 * chord**2 / (8 * r) < off.min() and off.max() < 0.1 * chord**2 / (8 * r)
        assert seam.length == pytest.approx(length * r / radius, rel=1e-3)
    assert np.abs(weldments.tee(radius=1e4).seams[0].points - weldments.tee(pieces=48).seams[0].points).max() < 1e-5


def test_round_seam_is_exact_between_its_chords():
    seam = PARTS["pipe_flange"].seams[0]
    s = np.linspace(0.0, seam.length, 777)[:-1]
    p = seam.at(s)
    assert np.abs(np.hypot(p.position[:, 0], p.position[:, 1]) - 0.05715).max() < 1e-15
    assert seam.length == pytest.approx(2 * np.pi * 0.05715)
    assert np.allclose(seam.at(seam.length + 0.01).position, seam.at(0.01).position)
    assert np.allclose(np.gradient(p.position, s, axis=0)[2:-2], p.tangent[2:-2], atol=1e-5)


def test_open_seam_stops_at_its_ends_and_a_boxed_one_goes_round():
    tee, bracket = PARTS["tee"].seam("left"), PARTS["bracket"].seam("around")
    assert np.array_equal(tee.at([-1.0, 9.0]).position, tee.at([0.0, tee.length]).position)
    assert bracket.length == pytest.approx(2 * (0.180 + 0.012))
    assert np.allclose(bracket.at(bracket.length).position, bracket.at(0.0).position)
    assert len(np.unique(np.round(bracket.table()[1].normal_2, 9), axis=0)) == 4
    with pytest.raises(ShopfloorError, match=r"seam='root': tee has left, right"):
        PARTS["tee"].seam("root")
    with pytest.raises(ShopfloorError, match=r"step=0\.0 m must be positive"):
        tee.table(0.0)


def test_sites_mark_the_ends_of_every_seam():
    for part in PARTS.values():
        _, data = model_of(part, name="work", pos=(0.3, -0.1, 0.5), quat=(0.5, 0.5, 0.5, 0.5), visual=False)
        rotation, origin = data.body("work").xmat.reshape(3, 3), data.body("work").xpos
        for seam in part.seams:
            for label, s in (("start", 0.0), ("stop", seam.length - 1e-12)):
                p, site = seam.at(s), data.site(f"work_{seam.name}_{label}")
                assert np.allclose(site.xpos, origin + rotation @ p.position[0], atol=1e-9)
                assert np.allclose(site.xmat.reshape(3, 3)[:, 0], rotation @ p.tangent[0], atol=1e-9)
                assert np.allclose(site.xmat.reshape(3, 3)[:, 2], rotation @ p.bisector[0], atol=1e-9)


# --- parts ------------------------------------------------------------------------------------------------------


def test_tacks_stand_out_of_the_joint_by_their_throat():
    part = weldments.tee(tacks=[Tack(0.10), Tack(0.30, length=0.02, throat=0.003, seam=1)])
    model, data = model_of(part, visual=False)
    for seam, s, throat, reach in ((0, 0.10, 0.004, 0.015), (1, 0.30, 0.003, 0.010)):
        for along, hit in ((0.0, True), (0.9 * (reach - throat), True), (reach + 0.002, False)):
            p = part.seams[seam].at(s + along)
            distance, name = cast(model, data, p.position[0] + 0.05 * p.bisector[0], -p.bisector[0])
            assert distance == pytest.approx(0.05 - throat if hit else 0.05, abs=1e-9)
            assert name.startswith("part_tack") == hit


def test_fields_rewrite_one_fit_up_into_another():
    """What a batch does: the geoms of one model take the fields of another part with as many solids."""
    one, other = weldments.tee(gap=np.zeros(8), tacks=[Tack(0.1)]), weldments.tee(
        gap=GAPS, offset=0.004, yaw=-0.02, web_thickness=0.011, tacks=[Tack(0.2)]
    )  # fmt: skip
    model, data = model_of(one, visual=False)
    wanted, _ = model_of(other, visual=False)
    for name, value in other.fields().items():
        if name != "geom_sameframe":
            assert np.allclose(value, getattr(wanted, name), atol=1e-12), name
        getattr(model, name)[:] = value
    mujoco.mj_forward(model, data)
    p = other.seam("left").at(0.111)
    distance, name = cast(model, data, p.position[0] + 0.05 * p.normal_2[0] + 0.02 * p.normal_1[0], -p.normal_2[0])
    assert distance == pytest.approx(0.05, abs=1e-9) and name.startswith("part_web")


def test_every_row_of_a_batch_can_have_its_own_fit_up():
    parts = [
        weldments.tee(gap=scale * GAPS, yaw=yaw, offset=1e-3 * scale)
        for scale, yaw in ((0, 0), (0.5, 0.02), (1, -0.03))
    ]
    model, _ = model_of(parts[0], visual=False)
    batch = Batch(model, 3, 1)
    rows = [part.fields() for part in parts]
    for name in rows[0]:
        batch.expand(name)[:] = np.stack([row[name] for row in rows])
    points = [part.seam("left").at([0.07, 0.22, 0.33]) for part in parts]
    start = np.stack([p.position + 0.02 * p.normal_2 + 0.01 * p.normal_1 for p in points])
    distance, _ = batch.ray(start, -np.stack([p.normal_2 for p in points]), geomgroup=ray_groups())
    assert np.allclose(distance, 0.02, atol=1e-9)


def test_bounds_of_every_solid_are_those_of_the_compiler():
    for part in (*PARTS.values(), weldments.tee(tacks=[Tack(0.1)])):
        model, _ = model_of(part, visual=False)
        fields = part.fields()
        assert np.allclose(fields["geom_rbound"], model.geom_rbound, atol=1e-12)
        assert np.allclose(fields["geom_aabb"], model.geom_aabb, atol=1e-12)


def test_weight_is_that_of_the_plates():
    model, _ = model_of(weldments.tee(web_height=0.1), visual=True)
    volume = 0.46 * 0.2 * 0.012 + 0.4 * 0.009 * 0.1
    assert model.body("part").mass[0] == pytest.approx(7850 * volume)
    assert PARTS["tee"].bottom == pytest.approx(-0.012) and PARTS["pipe_flange"].bottom == pytest.approx(-0.016)
    assert PARTS["v_groove"].bottom == pytest.approx(0.0, abs=1e-12)
    assert PARTS["v_groove_gap"].bottom == pytest.approx(-0.006)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: weldments.tee(length=-0.1), "tee: length=-0.1 m must be positive"),
        (lambda: weldments.tee(gap=-1e-3), "gap=-0.001 m must not be negative"),
        (lambda: weldments.tee(gap=[0.0, 1e-3], pieces=3), "gap has 2 values.*pieces=3"),
        (lambda: weldments.tee(radius=0.05), "radius=0.05 m must exceed"),
        (lambda: weldments.tee(angle_deg=20.0), "60 to 120"),
        (lambda: weldments.lap(radius=0.1), "must exceed width"),
        (lambda: weldments.v_groove(root_face=0.02), "root_face=0.02"),
        (lambda: weldments.v_groove(groove_deg=5.0), "10 to 120"),
        (lambda: weldments.pipe_flange(flange_radius=0.04), "must exceed the pipe's"),
        (lambda: weldments.tee(tacks=[Tack(0.1, throat=0.0)]), "tack 0: throat=0.0"),
    ],
)
def test_impossible_parts_are_refused(call, message):
    with pytest.raises(ShopfloorError, match=message):
        call()


# --- torch ------------------------------------------------------------------------------------------------------


def with_torch(robot="arcmate100id", **options):
    description = arm(robot)
    spec = description.spec(visual=False)
    add_welding_torch(spec, visual=False, **options)
    model = spec.compile()
    data = mujoco.MjData(model)
    data.qpos[: description.dof] = description.home
    mujoco.mj_forward(model, data)
    return model, data


@pytest.mark.parametrize("neck", welding_torch.NECKS_DEG)
def test_neck_turns_the_wire_by_its_angle(neck):
    _, data = with_torch(neck_deg=neck, ctwd=0.018, stickout=0.013)
    flange, tcp = data.site("flange"), data.site("tcp")
    out, wire = flange.xmat.reshape(3, 3)[:, 2], tcp.xmat.reshape(3, 3)[:, 2]
    assert np.rad2deg(np.arccos(np.clip(out @ wire, -1, 1))) == pytest.approx(neck, abs=1e-6)
    tip = data.site("contact_tip").xpos
    assert np.allclose(tcp.xpos - tip, 0.018 * wire, atol=1e-12)
    assert np.allclose(data.site("wire_tip").xpos - tip, 0.013 * wire, atol=1e-12)
    # axial and lateral distance of the TCP by hand: mount and body, bend, straight end
    a, straight = np.deg2rad(neck), 0.040 + 0.065 - 0.002 + 0.018
    axial = 0.240 + 0.050 * np.sin(a) + straight * np.cos(a)
    lateral = 0.050 * (1 - np.cos(a)) + straight * np.sin(a)
    shift = flange.xmat.reshape(3, 3).T @ (tcp.xpos - flange.xpos)
    assert np.allclose(shift, (-lateral, 0.0, axial), atol=1e-12)
    # what integrators measure on such torches
    if neck > 0:
        assert 0.30 < axial < 0.45 and 0.04 < lateral < 0.11


def test_nozzle_fits_into_a_square_corner_at_the_nominal_distance():
    """The nozzle's rim keeps clear of both plates of a T-joint at 45 degrees, and touches them when pushed in."""
    g = torch_geometry(0.0, 0.020)
    reach = g.tcp[2] - g.rim[2]
    clearance = (reach - welding_torch.NOZZLE_RADIUS) / np.sqrt(2.0)
    assert 0.003 < clearance < 0.008


def test_torch_and_feeder_refuse_what_cannot_be():
    with pytest.raises(ShopfloorError, match=r"neck_deg=30: choose one of 0, 22, 35, 45"):
        with_torch(neck_deg=30)
    with pytest.raises(ShopfloorError, match=r"stickout=0.2 m"):
        with_torch(stickout=0.2)
    with pytest.raises(ShopfloorError, match=r"link='elbow'"):
        add_wire_feeder(arm("ar1440").spec(), "elbow")


def test_torch_runs_into_a_plate_but_the_wire_does_not_push():
    model, data = with_torch()
    tip = data.site("tcp").xpos.copy()
    for depth, hit in ((0.001, False), (0.030, True)):
        spec = arm("arcmate100id").spec(visual=False)
        add_welding_torch(spec, visual=False)
        spec.worldbody.add_geom(
            name="plate", type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.2, 0.2, 0.005], contype=1, conaffinity=0,
            pos=tip + np.array([0.0, 0.0, depth - 0.005]),
        )  # fmt: skip
        model = spec.compile()
        data = mujoco.MjData(model)
        data.qpos[:6] = arm("arcmate100id").home
        mujoco.mj_forward(model, data)
        assert bool(data.ncon) == hit
    assert model.geom("torch_wire").contype[0] == 0 and model.geom("torch_wire").conaffinity[0] == 0


# --- positioner and track ---------------------------------------------------------------------------------------


def test_positioner_moves_its_table_like_a_tilting_turntable():
    model = positioner.positioner(visual=False).compile()
    data = mujoco.MjData(model)
    for tilt, turn in ((0.0, 0.0), (np.pi / 2, 0.0), (-0.7, 2.0), (1.2, -5.0)):
        data.qpos[:] = tilt, turn
        mujoco.mj_kinematics(model, data)
        site = data.site("positioner_table")
        up = np.array([np.sin(tilt), 0.0, np.cos(tilt)])
        assert np.allclose(site.xpos, np.array([0.0, 0.0, 0.380]) + 0.150 * up, atol=1e-12)
        assert np.allclose(site.xmat.reshape(3, 3)[:, 2], up, atol=1e-12)
        forward = np.array([np.cos(tilt), 0.0, -np.sin(tilt)])
        assert np.allclose(site.xmat.reshape(3, 3)[:, 0], np.cos(turn) * forward + np.sin(turn) * np.array([0, 1, 0]))
    assert np.allclose(np.rad2deg(model.jnt_range), [(-95, 95), (-344, 344)])


@pytest.mark.parametrize("size", positioner.CLASSES)
def test_positioner_carries_and_moves_its_payload(size):
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    spec.option.timestep, spec.option.integrator = 0.002, mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    table = positioner.add_positioner(spec, spec.worldbody, payload_class=size, visual=False)
    load = table.add_body(name="load", pos=[0.0, 0.0, 0.15], gravcomp=1.0)
    load.explicitinertial = True
    m = load.mass = float(size)
    load.inertia = [m * 0.3**2 / 4 + m * 0.3**2 / 12] * 2 + [m * 0.3**2 / 2]
    model = spec.compile()
    data = mujoco.MjData(model)
    goal = np.array([1.2, 2.0])
    axes = positioner.CLASSES[size].axes
    mujoco.mj_forward(model, data)
    inertia = np.zeros((2, 2))
    mujoco.mj_fullM(model, data, inertia)
    assert np.all(np.diag(inertia) <= [axis.load for axis in axes])
    weight = m * 9.81 * 0.30
    assert weight + inertia[0, 0] * 0.5 * axes[0].acceleration < axes[0].effort
    duration = 3.0
    for k in range(2000):
        s = min(1.0, k * 0.002 / duration)
        data.ctrl[:] = goal * s**3 * (10 - 15 * s + 6 * s * s)
        mujoco.mj_step(model, data)
        assert np.all(np.abs(data.qfrc_actuator) < [axis.effort for axis in axes])
    assert np.abs(data.qpos - goal).max() < 2e-3
    with pytest.raises(ShopfloorError, match="payload_class=300 kg: choose one of 500, 250"):
        positioner.add_positioner(mujoco.MjSpec(), mujoco.MjSpec().worldbody, payload_class=300)


def test_track_carries_an_arm_along_it():
    model = cell.weld_cell(rail=True, visual=False).compile()
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    mujoco.mj_forward(model, data)
    at = data.site("tcp").xpos.copy()
    data.joint("rail").qpos[0] = 0.4
    mujoco.mj_forward(model, data)
    assert np.allclose(data.site("tcp").xpos - at, (0.0, 0.4, 0.0), atol=1e-9)
    assert np.allclose(model.joint("rail").range, (-1.5, 1.5))
    with pytest.raises(ShopfloorError, match=r"0\.5 to 20 m"):
        rail.add_rail(mujoco.MjSpec(), mujoco.MjSpec().worldbody, stroke=50.0)


# --- cell -------------------------------------------------------------------------------------------------------


def build(visual=False, **options):
    model = cell.weld_cell(visual=visual, **options).compile()
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    mujoco.mj_forward(model, data)
    return model, data


CELLS = [
    {"robot": "ar1440"},
    {"robot": "arcmate100id"},
    {"robot": "ar1440", "mount": "positioner", "weldment": PARTS["pipe_flange"], "neck_deg": 45.0},
    {"robot": "arcmate100id", "mount": "positioner", "rail": True, "weldment": PARTS["bracket"]},
    {"robot": "ar1440", "mount": "floor", "weldment": PARTS["u_cell"]},
    {"robot": "arcmate100id", "weldment": PARTS["v_groove"], "neck_deg": 35.0, "actuators": "velocity"},
]


@pytest.mark.parametrize("options", CELLS)
def test_cell_starts_clear_with_the_torch_over_the_work(options):
    model, data = build(**options)
    assert data.ncon == 0
    tcp, part = data.site("tcp").xpos, data.body("part").xpos
    clearance = 1.1 if options.get("mount") == "floor" else 0.35
    assert 0.1 < tcp[2] - part[2] < clearance and np.hypot(*(tcp - part)[:2]) < 0.25
    lean = np.rad2deg(np.arccos(-data.site("tcp").xmat.reshape(3, 3)[2, 2]))
    assert lean == pytest.approx(abs(options.get("neck_deg", 22.0) - 22.0), abs=0.02)
    before = data.qpos.copy()
    mujoco.mj_step(model, data, nstep=100)
    assert np.abs(data.qpos - before).max() < 1e-4


@pytest.mark.parametrize("options", CELLS)
def test_drawn_cell_has_the_state_layout_and_dynamics_of_the_physics_cell(options):
    (physics, a), (drawn, b) = build(**options), build(visual=True, **options)
    for size in ("nq", "nv", "na", "nu", "nbody", "njnt", "nsite", "nsensor", "nkey", "neq"):
        assert getattr(physics, size) == getattr(drawn, size), size
    for kind, count in (("body", physics.nbody), ("joint", physics.njnt), ("site", physics.nsite)):
        assert [getattr(physics, kind)(i).name for i in range(count)] == [
            getattr(drawn, kind)(i).name for i in range(count)
        ]
    assert set(physics.geom_group) == {3, weldments.RAY_GROUP}
    seen = drawn.geom_group < 3
    assert not drawn.geom_contype[seen].any() and not drawn.geom_conaffinity[seen].any()
    assert {drawn.camera(i).name for i in range(drawn.ncam)} == set(cell.CAMERAS)
    assert physics.ncam == physics.nlight == physics.nmesh == physics.ntex == 0
    for data, model in ((a, physics), (b, drawn)):
        data.ctrl[0] += 0.01
        mujoco.mj_step(model, data, nstep=40)
    assert np.array_equal(a.qpos, b.qpos)


def reach_seam(model, data, position, rotation):
    """Joint angles at which the torch has this pose, by Newton's method from home; the largest error that is left."""
    site = model.site("tcp").id
    for _ in range(150):
        mujoco.mj_fwdPosition(model, data)
        jacobian = np.zeros((6, model.nv))
        mujoco.mj_jacSite(model, data, jacobian[:3], jacobian[3:], site)
        now = data.site_xmat[site].reshape(3, 3)
        error = np.concatenate([position - data.site_xpos[site], 0.5 * np.cross(now.T, rotation.T).sum(axis=0)])
        j = jacobian[:, :6]
        step = j.T @ np.linalg.solve(j @ j.T + 1e-6 * np.eye(6), error)
        data.qpos[:6] += np.clip(step, -0.1, 0.1)
    return np.abs(error).max()


@pytest.mark.parametrize("robot", ROBOTS)
@pytest.mark.parametrize("neck", [22.0, 35.0, 45.0])
def test_torch_follows_the_fillet_at_45_degrees_without_touching(robot, neck):
    part = PARTS["tee"]
    model, data = build(robot=robot, neck_deg=neck, weldment=part)
    frame, origin = data.body("part").xmat.reshape(3, 3).copy(), data.body("part").xpos.copy()
    seam = part.seam("left")
    for s in np.linspace(0.0, seam.length, 9):
        p = seam.at(s)
        out, along = frame @ p.bisector[0], frame @ p.tangent[0]
        # flange over the wire: its y axis along the seam, so that the neck bends in the plane across it
        rotation = np.stack([np.cross(along, -out), along, -out], axis=1)
        assert reach_seam(model, data, origin + frame @ p.position[0], rotation) < 1e-6
        assert np.all(data.qpos[:6] > model.jnt_range[:6, 0]) and np.all(data.qpos[:6] < model.jnt_range[:6, 1])
        assert data.ncon == 0


def test_laser_line_in_front_of_the_torch_finds_the_root():
    """Rays of a line sensor through the cell's own geoms: the corner of the profile is the root of the seam."""
    part = weldments.tee(gap=0.0)
    model, data = build(weldment=part)
    frame, origin = data.body("part").xmat.reshape(3, 3), data.body("part").xpos
    p = part.seam("left").at(0.137)
    root = origin + frame @ p.position[0]
    out, side = frame @ p.bisector[0], np.cross(frame @ p.tangent[0], frame @ p.bisector[0])
    eye = root + 0.12 * out
    angle = np.linspace(-0.15, 0.15, 101)
    ray = -np.cos(angle)[:, None] * out + np.sin(angle)[:, None] * side
    geom, distance = np.zeros(101, np.int32), np.zeros(101)
    mujoco.mj_multiRay(model, data, eye, ray.ravel(), ray_groups(), True, -1, geom, distance, None, 101, 1e3)
    # in the plane of the sensor both faces are lines at 45 degrees through the root
    expected = 0.12 / (np.cos(angle) + np.abs(np.sin(angle)))
    assert np.allclose(distance, expected, atol=1e-9)
    assert {model.geom(int(g)).name for g in geom} == {"part_base", "part_web_0"}


def test_cell_refuses_what_it_has_not():
    with pytest.raises(ShopfloorError, match=r"robot='fr3': a welding cell has one of ar1440, arcmate100id"):
        cell.weld_cell(robot="fr3")
    with pytest.raises(ShopfloorError, match=r"mount='crane': choose one of table, positioner, floor"):
        cell.weld_cell(mount="crane")


def test_every_kind_of_part_fits_under_the_torch():
    for name, make in WELDMENTS.items():
        _, data = build(weldment=make(), mount="floor" if name == "u_cell" else "table")
        assert data.ncon == 0, name


@pytest.mark.parametrize("robot", ROBOTS)
def test_every_seam_of_a_u_cell_can_be_reached_without_touching(robot):
    """At some turn of the torch about its wire, at a torch angle of 45 degrees to both plates."""
    part = PARTS["u_cell"]
    model, data = build(robot=robot, weldment=part, mount="floor")
    home, frame = data.qpos.copy(), data.body("part").xmat.reshape(3, 3).copy()
    origin = data.body("part").xpos.copy()
    for seam, s in (
        ("right", 0.3),
        ("end", 0.1),
        ("left", 0.3),
        ("up_right", 0.3),
        ("up_left", 0.3),
        ("stiffener", 0.56),
    ):
        p = part.seam(seam).at(s)
        out, along = frame @ p.bisector[0], frame @ p.tangent[0]

        def clear(turn, p=p, out=out, along=along):
            x = np.cos(turn) * along + np.sin(turn) * np.cross(out, along)
            rotation = np.stack([x, np.cross(-out, x), -out], axis=1)
            data.qpos[:] = home
            error = reach_seam(model, data, origin + frame @ p.position[0], rotation)
            inside = (data.qpos > model.jnt_range[:, 0]).all() and (data.qpos < model.jnt_range[:, 1]).all()
            return error < 1e-6 and inside and data.ncon == 0

        assert any(clear(turn) for turn in np.arange(12) * np.pi / 6), seam


def test_published_reach_of_the_welding_arms():
    for module, spans in ((ar1440, (0.155, 0.614, 0.200, 0.640)), (arcmate100id, (0.075, 0.640, 0.195, 0.700))):
        first, upper, rise, fore = spans
        assert first + upper + np.hypot(rise, fore) == pytest.approx(module.REACH, abs=0.002)


# --- pictures ---------------------------------------------------------------------------------------------------


def test_bead_covers_the_corner_from_toe_to_toe():
    """The surface of the drawn ellipsoids passes through both toes, and its crown is throat plus convexity."""
    _, p = PARTS["tee"].seam("left").table(weldments_bead.RIPPLE)
    leg, convexity = 0.0065, 0.0006
    bead = weldments_bead.fillet_bead(p.position, p.tangent, p.bisector, leg, convexity)
    assert np.allclose(np.einsum("kij,kil->kjl", bead.rotation, bead.rotation), np.eye(3), atol=1e-12)
    half = leg / np.sqrt(2.0)
    middle = np.sum((bead.position - p.position) * p.bisector, axis=1)
    assert np.allclose(middle + bead.size[:, 2], half + convexity)
    assert np.allclose((half / bead.size[:, 1]) ** 2 + ((half - middle) / bead.size[:, 2]) ** 2, 1.0)


def test_bead_glows_where_it_is_hot():
    color, glow = weldments_bead.heat_color([20.0, 700.0, 1400.0])
    assert np.all(np.diff(glow) > 0.0) and glow[0] == 0.0
    assert color[1, 0] > color[1, 2] and color[2, 1] > color[1, 1]
    age = np.linspace(0.0, 60.0, 20)
    assert np.all(np.diff(weldments_bead.cooling(age)) < 0.0)
    assert weldments_bead.cooling(0.0) == pytest.approx(1500.0)


def test_bead_and_arc_are_added_to_a_scene_as_far_as_it_has_room():
    model, _ = model_of(PARTS["tee"])
    _, p = PARTS["tee"].seam("left").table(weldments_bead.RIPPLE)
    bead = weldments_bead.fillet_bead(p.position, p.tangent, p.bisector, 0.006)
    scene = mujoco.MjvScene(model, 1000)
    weldments_bead.draw_bead(scene, bead)
    assert scene.ngeom == len(p.position) and model.ngeom == 4
    lights = scene.nlight
    weldments_bead.draw_arc(scene, p.position[-1], p.bisector[-1])
    assert scene.ngeom == len(p.position) + weldments_bead.GLOW_SHELLS and scene.nlight == lights + 1
    small = mujoco.MjvScene(model, 20)
    weldments_bead.draw_bead(small, bead)
    weldments_bead.draw_arc(small, p.position[-1], p.bisector[-1])
    assert small.ngeom == 20
