"""System identification: a hidden plant is found, and what cannot be known is said."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest

from shopfloor import cli
from shopfloor.deploy.twin import MujocoTwin
from shopfloor.envs.control import JointVelocity
from shopfloor.envs.engine.start import Uniform
from shopfloor.envs.engine.task import Metric, Rows, Task, Timing
from shopfloor.envs.randomization import Randomization, Sampler, Spec, load_spec, spec_from
from shopfloor.envs.registry import make_task
from shopfloor.envs.sensing import Channel
from shopfloor.errors import ShopfloorError
from shopfloor.limits import MotionLimits
from shopfloor.sysid.excitation import axes_of, clear_excitation, excitation
from shopfloor.sysid.identification import Identification, identify, parameters_for, split
from shopfloor.sysid.logs import Recording, find_files, read_recording
from shopfloor.sysid.outputs import posterior_samples, report_text, write_results
from shopfloor.sysid.recorder import hide_plant, record
from shopfloor.sysid.replay import Replay

JOINTS = ("shoulder", "elbow")
MJCF = """
<mujoco>
  <option timestep="0.002" integrator="implicitfast"/>
  <worldbody>
    <body name="upper">
      <joint name="shoulder" axis="0 1 0" damping="2" armature="0.02"/>
      <geom type="capsule" fromto="0 0 0 0.3 0 0" size="0.02" mass="1" contype="0" conaffinity="0"/>
      <body name="lower" pos="0.3 0 0">
        <joint name="elbow" axis="0 1 0" damping="1" armature="0.01"/>
        <geom type="capsule" fromto="0 0 0 0.3 0 0" size="0.02" mass="0.5" contype="0" conaffinity="0"/>
        <body name="load" pos="0.3 0 0">
          <inertial pos="0 0 0" mass="0.2" diaginertia="1e-4 1e-4 1e-4"/>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator>
    <position name="shoulder" joint="shoulder" kp="200" kv="10"/>
    <position name="elbow" joint="elbow" kp="80" kv="4"/>
  </actuator>
</mujoco>
"""
SPEC = spec_from(
    {
        "name": "arm",
        "terms": {
            "payload": {
                "effect": "mass", "target": {"body": "load"}, "operation": "add", "unit": "kg",
                "distribution": {"uniform": [0.0, 1.0]},
            },
            "joint_damping": {
                "effect": "dof_damping", "target": {"joint": ".*"}, "distribution": {"log_uniform": [0.5, 2.0]},
            },
            "command_delay": {
                "effect": "command.delay", "target": {"actuator": ".*"}, "shared": True,
                "distribution": {"uniform": [0.0, 0.02]},
            },
            "probe": {
                "effect": "mass", "target": {"body": "load"}, "operation": "add",
                "distribution": {"uniform": [0.0, 1.0]},
            },
            "encoder_noise": {
                "effect": "sensor.noise", "target": {"channel": "joint_position"},
                "distribution": {"uniform": [0.0, 0.001]},
            },
        },
    }
)  # fmt: skip
HIDDEN = {"payload": 0.43, "joint_damping": [1.4, 0.7], "command_delay": 0.0087, "encoder_noise": 5e-5}
TERMS = ("payload", "joint_damping", "command_delay")


class Arm(Task):
    """Two joints with position servos in a vertical plane."""

    title = "arm"
    timing = Timing(control_hz=50.0, timestep_s=0.002, horizon_s=4.0)
    channels = (
        Channel("joint_position", 2, "rad", -3.2, 3.2, noise=5e-5),
        Channel("joint_velocity", 2, "rad/s", -6.0, 6.0, noise=2e-3),
    )
    rewards: Mapping[str, Any] = {}
    metrics = {"time": Metric("s")}
    main_metric = "time"
    success_text = "never"
    start = (Uniform("angles", -0.5, 0.5, "rad", size=2),)

    def cell(self, visual: bool) -> mujoco.MjSpec:
        return mujoco.MjSpec.from_string(MJCF)

    def make_action(self) -> JointVelocity:
        limits = MotionLimits.of(
            low=(-2.5, -2.5), high=(2.5, 2.5), velocity=(3.0, 3.0), acceleration=(25.0, 25.0), jerk=(600.0, 600.0)
        )
        return JointVelocity(JOINTS, limits)

    def allocate(self, s: Rows) -> None:
        self._qpos, self._qvel = s.sim.qpos_index(JOINTS), s.sim.qvel_index(JOINTS)

    def begin(self, s: Rows, rows: Any, params: Any) -> None:
        s.sim.qpos[rows[:, None], self._qpos] = params["angles"]
        s.sim.ctrl[rows] = params["angles"]

    def measure(self, s: Rows) -> None:
        pass

    def succeeded(self, s: Rows) -> Any:
        return np.zeros(s.n, dtype=bool)

    def observe_joint_position(self, s: Rows) -> Any:
        return s.sim.qpos[:, self._qpos]

    def observe_joint_velocity(self, s: Rows) -> Any:
        return s.sim.qvel[:, self._qvel]

    def metric_time(self, s: Rows) -> Any:
        return s.time_s


def log_of(folder: Path, hidden: Mapping[str, Any], seeds: Sequence[int], ticks: int = 150) -> list[Recording]:
    """Excitation of a hidden plant, recorded by the controller runtime."""
    tables, _ = clear_excitation(Arm(), seeds, ticks, 1.0)
    twin = MujocoTwin.from_task(Arm(), max_steps=ticks + 1, randomization=Randomization(SPEC, "nominal"))
    hide_plant(twin, 0, hidden)
    record(twin, tables, list(seeds), folder)
    return [read_recording(p, 2, {"joint_position": 2, "joint_velocity": 2}) for p in find_files([folder])]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[Recording]:
    return log_of(tmp_path_factory.mktemp("log"), HIDDEN, (0, 1, 2, 3))


@pytest.fixture(scope="module")
def found(recordings: list[Recording]) -> Identification:
    return identify(Arm(), parameters_for(Arm(), SPEC, TERMS), *split(recordings), threads=1)


# -- replay -------------------------------------------------------------------------------------------------------


def test_replay_of_the_true_plant_leaves_noise_only(recordings: list[Recording]) -> None:
    parameters = parameters_for(Arm(), SPEC, TERMS)
    assert [p.name for p in parameters] == [
        "payload", "joint_damping_shoulder", "joint_damping_elbow", "command_delay",
    ]  # fmt: skip
    truth = np.array([[0.43, 1.4, 0.7, 0.0087]])
    nominal = np.array([[p.nominal for p in parameters]])
    replay = Replay(Arm(), parameters, recordings, 2, threads=1)
    residual = replay.residuals(np.concatenate((truth, nominal)))
    rms = {name: np.sqrt((r * r).mean(axis=(1, 2, 3))) for name, r in residual.items()}
    # noise of the reading and of the first one, each of two sources of 5e-5
    assert rms["joint_position"][0] < 1.3e-4
    assert 1.6e-3 < rms["joint_velocity"][0] < 2.4e-3
    assert (rms["joint_position"][1] > 50 * rms["joint_position"][0]).all()


def test_a_plant_does_not_depend_on_its_neighbours(recordings: list[Recording]) -> None:
    parameters = parameters_for(Arm(), SPEC, TERMS)
    plants = np.array([[0.1, 1.0, 1.0, 0.001], [0.9, 0.5, 2.0, 0.015], [0.3, 1.1, 0.9, 0.004]])
    replay = Replay(Arm(), parameters, recordings[:1], 3, threads=1)
    together = replay.predict(plants)["joint_position"]
    alone = replay.predict(plants[1:2])["joint_position"]
    assert np.array_equal(together[1], alone[0])


# -- the fit ------------------------------------------------------------------------------------------------------


def test_the_hidden_plant_is_found(found: Identification) -> None:
    values = dict(zip((p.name for p in found.fit.parameters), found.fit.values.tolist(), strict=True))
    assert values["payload"] == pytest.approx(0.43, rel=0.01)
    assert values["command_delay"] == pytest.approx(0.0087, abs=5e-4)
    assert values["joint_damping_shoulder"] == pytest.approx(1.4, rel=0.05)
    assert values["joint_damping_elbow"] == pytest.approx(0.7, rel=0.05)
    truth = np.array([0.43, 1.4, 0.7, 0.0087])
    assert (np.abs(found.fit.values - truth) < 2.0 * found.judged.half_width).all()
    assert found.accepted
    assert found.held_out.improvement > 20.0
    assert found.held_out.nominal["joint_position"] > 50.0 * found.held_out.identified["joint_position"]


def test_noise_is_what_the_fit_leaves(found: Identification) -> None:
    # declared and hidden noise of an encoder, without that of the first reading
    assert found.fit.sigma["joint_velocity"] == pytest.approx(2e-3, rel=0.15)
    assert found.held_out.identified["joint_position"] == pytest.approx(5e-5 * np.sqrt(2.0), rel=0.25)


def test_two_masses_in_one_place_are_a_group(recordings: list[Recording]) -> None:
    parameters = parameters_for(Arm(), SPEC, ("payload", "probe", "joint_damping", "command_delay"))
    found = identify(Arm(), parameters, recordings[:1], recordings[1:2], threads=1)
    (group,) = (g for g in found.judged.groups if "payload" in g.members)
    assert group.members == ("payload", "probe")
    assert group.correlation > 0.99
    assert group.combination == pytest.approx((np.sqrt(0.5), np.sqrt(0.5)), abs=1e-3)
    assert found.judged.condition > 1e3
    text = report_text(found)
    assert "group A: not to be read alone" in text or "not determined" in text
    assert "payload, probe" in text
    # what the data do say survives in every sample, although the range cuts most of them
    samples = posterior_samples(found.fit, 200)
    total = samples[:, :2].sum(axis=1)
    assert total.mean() == pytest.approx(0.43, rel=0.05)
    assert total.std() < 0.05 * samples[:, 0].std()
    assert (samples >= 0.0).all()


def test_one_episode_is_split_in_time(recordings: list[Recording]) -> None:
    (first,), (rest,) = split(recordings[:1])
    assert rest.ticks == recordings[0].ticks == 151
    assert first.ticks == 106
    seen = np.isfinite(rest.readings["joint_position"]).all(axis=1)
    assert seen[0] and not seen[1:106].any() and seen[106:].all()


# -- what is written ----------------------------------------------------------------------------------------------


def test_the_posterior_is_a_randomization_that_keeps_correlations(found: Identification, tmp_path: Path) -> None:
    write_results(found, tmp_path, {"log": "test"}, 2000, 1.0)
    spec = load_spec(tmp_path / "randomization.yaml")
    names = [p.name for p in found.fit.parameters]
    assert [t.name for t in spec.terms] == names
    sampler = Sampler(spec)
    draws = np.array([[sampler.sample("train", 0, e).values[n][0] for n in names] for e in range(2000)])
    assert np.abs(np.corrcoef(draws.T) - found.judged.correlation).max() < 0.1
    deviation = np.sqrt(np.diag(found.fit.covariance))
    assert draws.mean(axis=0) == pytest.approx(found.fit.values, abs=0.2 * deviation.max(), rel=0.01)
    assert draws.std(axis=0) == pytest.approx(deviation, rel=0.1)
    # the same effects on the same targets as the terms that were identified
    twin = MujocoTwin.from_task(Arm(), randomization=Randomization(spec, "train"))
    twin.start(3)
    damping = twin.cell.sim.field("dof_damping")[0]
    assert damping == pytest.approx([2.0 * 1.4, 1.0 * 0.7], rel=0.1)
    assert json.loads((tmp_path / "report.json").read_text())["accepted"] is True


def test_samples_stay_inside_and_widen(found: Identification) -> None:
    low, high = np.array([p.bounds for p in found.fit.parameters]).T
    narrow, wide = (posterior_samples(found.fit, 500, widen) for widen in (1.0, 3.0))
    for samples in (narrow, wide):
        assert ((samples >= low) & (samples <= high)).all()
    assert wide.std(axis=0) == pytest.approx(3.0 * narrow.std(axis=0), rel=0.1)


def test_it_refuses_what_predicts_worse(recordings: list[Recording], tmp_path: Path) -> None:
    others = log_of(tmp_path / "other", {"encoder_noise": 5e-5}, (7,))
    found = identify(Arm(), parameters_for(Arm(), SPEC, TERMS), recordings[:1], others, threads=1)
    assert not found.accepted
    assert found.held_out.improvement < 0.2
    assert "times as badly" in found.refusal
    write_results(found, tmp_path / "out", {}, 10, 1.0)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["report.json", "report.txt"]


# -- terms and logs -----------------------------------------------------------------------------------------------


def test_terms_are_named_chosen_and_checked() -> None:
    task = make_task("ArmReach-v0")
    spec = load_spec("arm_reach")
    parameters = parameters_for(task, spec, None)
    assert {p.source for p in parameters} == {"payload", "rotor_inertia", "joint_damping", "command_delay"}
    assert len(parameters) == 14
    for wrong in ("encoder_offset", "floor_tilt", "knocks"):
        with pytest.raises(ShopfloorError, match="cannot be identified"):
            parameters_for(task, spec, [wrong])
    with pytest.raises(ShopfloorError, match="no term 'paylod'"):
        parameters_for(task, spec, ["paylod"])
    with pytest.raises(ShopfloorError, match="has no added mass"):
        parameters_for(Arm(), Spec("empty", ()), None)


def test_a_log_ends_where_frames_are_missing(recordings: list[Recording], tmp_path: Path) -> None:
    source = recordings[0].source
    data = dict(np.load(source))
    data["seq"][60:] += 1
    np.savez(tmp_path / "episode_0.npz", **data)
    cut = read_recording(tmp_path / "episode_0.npz", 2, {"joint_position": 2})
    assert cut.ticks == 60


def test_bad_logs_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"not a log")
    short = tmp_path / "short.npz"
    frames = {"seq": np.arange(5), "command": np.zeros((5, 6))}
    readings = {f"reading.joint_{k}": np.zeros((5, 6)) for k in ("position", "velocity")}
    np.savez(short, **frames, **readings)
    narrow = tmp_path / "narrow.npz"
    np.savez(narrow, seq=np.arange(30), command=np.zeros((30, 3)), **readings)
    columns = tmp_path / "columns.npz"
    np.savez(columns, time=np.arange(3))
    for path, message in (
        (tmp_path / "none", "no log"), (tmp_path / "empty", "holds no episode"), (broken, "is not a log"),
        (short, "needs 20"), (narrow, "takes 6 set-points"), (columns, "has no column"),
    ):  # fmt: skip
        assert cli.main(["identify", str(path), "--env", "ArmReach-v0"]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


def test_a_log_of_another_environment_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = {"environment": {"id": "shopfloor/WaferTransfer-v0", "task_kwargs": {}}}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    assert cli.main(["identify", str(tmp_path), "--env", "ArmReach-v0"]) == 2
    assert "recorded in shopfloor/WaferTransfer-v0" in capsys.readouterr().err


# -- excitation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_excitations_keep_limits_and_come_back(seed: int) -> None:
    task = Arm()
    dt = task.timing.control_dt
    axes = axes_of(task.make_action(), dt)
    rate = excitation(axes, 300, dt, 0.8, np.random.default_rng(seed))
    assert rate.shape == (300, 2)
    assert (np.abs(rate) <= axes.rate).all()
    path = np.cumsum(rate, axis=0) * dt
    assert np.abs(path).max() < 1.7
    assert np.abs(path[-1]).max() < 0.4
    acceleration = np.abs(np.diff(rate[:140], axis=0)) / dt
    assert (acceleration.max(axis=0) <= axes.acceleration).all()
    assert acceleration.max() > 0.2 * axes.acceleration.min()


def test_excitation_needs_a_rate_to_command() -> None:
    with pytest.raises(ShopfloorError, match="neither rates nor increments"):
        axes_of(make_task("ArmReach-v0", action="joint_torque").make_action(), 0.02)


def test_a_hidden_plant_is_the_same_in_every_episode() -> None:
    twin = MujocoTwin("ArmReach-v0", randomization="train", max_steps=10)
    plant = hide_plant(twin, 4, {"payload": 1.5})
    assert plant["payload"] == [1.5]
    assert "knocks" not in plant
    seen = []
    for seed in (1, 2):
        twin.start(seed)
        seen.append(twin.cell.sim.field("dof_damping")[0].copy())
    assert np.array_equal(*seen)
    assert not np.array_equal(seen[0], twin.cell.model.dof_damping)


# -- the acceptance -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_armreach_is_identified_from_the_command_line(tmp_path: Path) -> None:
    """Payload to 1 %, delay to 1 ms, held-out prediction 50 times better, from noisy encoders."""
    import time

    base = Path(cli.__file__).parent / "configs" / "randomization" / "arm_reach.yaml"
    noisy = tmp_path / "noisy.yaml"
    noisy.write_text(
        f"extends: {base}\nterms:\n  encoder_noise: {{effect: sensor.noise, target: {{channel: joint_position}}, "
        "distribution: {uniform: [0.0, 0.001]}}\n"
    )
    log = tmp_path / "log"
    hidden = {
        "payload": 1.37, "joint_damping": [1.5, 0.6, 1.4, 0.7, 0.55, 1.3], "command_delay": 0.0085,
        "rotor_inertia": [1.1, 0.85, 0.9, 1.15, 1.05, 0.88], "encoder_noise": 1e-4, "speed_noise": 4.58e-3,
    }  # fmt: skip
    words = [f"{k}={json.dumps(v)}" for k, v in hidden.items()]
    line = ["excite", "--env", "ArmReach-v0", "--out", str(log), "--randomization", f"{noisy}:nominal", "--set", *words]
    assert cli.main(line) == 0
    begin = time.process_time()
    assert cli.main(["identify", str(log), "--env", "ArmReach-v0", "--quiet"]) == 0
    assert time.process_time() - begin < 2 * 120.0
    report = json.loads((log / "identified" / "report.json").read_text())
    estimate = {k: v["estimate"] for k, v in report["parameters"].items()}
    assert estimate["payload"] == pytest.approx(1.37, rel=0.01)
    assert estimate["command_delay"] == pytest.approx(0.0085, abs=1e-3)
    held = report["held_out"]
    assert held["nominal_rms"]["joint_position"] >= 50.0 * held["identified_rms"]["joint_position"]
    load_spec(log / "identified" / "randomization.yaml")
