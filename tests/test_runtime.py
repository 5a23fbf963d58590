"""The controller runtime: the same commands as evaluation, deadlines, faults, logs, and nothing but numpy and ORT."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from deploy_toy import ToyArm, export_toy, export_untrained
from numpy.typing import NDArray

import shopfloor
from shopfloor.cli import main as command
from shopfloor.contract import Contract
from shopfloor.deploy.bundle import Bundle
from shopfloor.deploy.control_layer import Outcome, StateFrame
from shopfloor.deploy.log import Flag, State
from shopfloor.deploy.runtime import ControllerRuntime, Episode, deadline_statistics, intervention_counts
from shopfloor.deploy.twin import MujocoTwin
from shopfloor.envs.engine.core import BatchedCell
from shopfloor.envs.engine.task import Task
from shopfloor.envs.registry import env_ids, make_task
from shopfloor.errors import ShopfloorError
from shopfloor.eval.evaluate import evaluate
from shopfloor.eval.policies import BundlePolicy

pytest.importorskip("onnx")
pytest.importorskip("stable_baselines3")

Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return Bundle.load(export_toy(tmp_path_factory.mktemp("runtime") / "toy"))


def twin() -> MujocoTwin:
    return MujocoTwin.from_task(ToyArm(), "shopfloor/Toy-v0")


class Clock:
    """A clock that moves only when somebody sleeps or works, and by a nanosecond whenever it is read."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        self.now += 1e-9
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Machine:
    """A control layer that never ends by itself and does what a test tells it to."""

    def __init__(
        self, contract: Contract, ticks: int = 30, disturb: Callable[[int, StateFrame], StateFrame] | None = None
    ):
        self.contract = contract
        self.ticks = ticks
        self.disturb = disturb
        self.commands: list[Array] = []
        self.numbers: list[int] = []
        self.stops = 0
        self.work: Callable[[int], None] = lambda tick: None
        self._tick = -1

    def describe(self) -> Contract:
        return replace(self.contract, env_id="", fingerprint="")

    def start(self, seed: int) -> None:
        self._tick = -1
        self.commands, self.numbers = [], []

    def read(self) -> StateFrame:
        self._tick += 1
        readings = {t.name: np.full(t.size, 0.01 * self._tick) for t in self.contract.observation}
        frame = StateFrame(self._tick, 0.02 * self._tick, readings, self._tick >= self.ticks)
        return self.disturb(self._tick, frame) if self.disturb else frame

    def write(self, seq: int, setpoint: Array) -> None:
        self.work(self._tick)
        self.numbers.append(seq)
        self.commands.append(setpoint.copy())

    def stop(self) -> None:
        self.stops += 1

    def outcome(self) -> Outcome | None:
        return None


def run(bundle: Bundle, machine: Machine, **options: Any) -> tuple[ControllerRuntime, Episode]:
    runtime = ControllerRuntime(bundle, machine, realtime=False, **options)
    return runtime, runtime.run_episode(0)


# -- the same as evaluation ---------------------------------------------------------------------------------------


class Recording(BundlePolicy):
    """A bundle's policy that writes down what it commands, by seed."""

    def __init__(self, bundle: Bundle):
        super().__init__(bundle)
        self.commands: dict[int, list[Array]] = {}

    def act(self, cell: BatchedCell, rows: NDArray[np.intp]) -> Array:
        out = super().act(cell, rows)
        for row in rows.tolist():
            self.commands.setdefault(int(cell.s.seed[row]), []).append(out[row].copy())
        return out


def tasks() -> list[tuple[str, Callable[[], Task]]]:
    return [("shopfloor/Toy-v0", ToyArm), *((i, lambda i=i: make_task(i)) for i in env_ids())]


@pytest.mark.parametrize(("env_id", "make"), tasks(), ids=[name for name, _ in tasks()])
def test_commands_are_bit_equal_to_those_of_evaluation(env_id: str, make: Callable[[], Task], tmp_path: Path) -> None:
    bundle = Bundle.load(export_untrained(tmp_path / "bundle", make, env_id))
    seeds = [1_000_000, 1_000_004]
    policy = Recording(bundle)
    records = {r.seed: r for r in evaluate(policy, make(), seeds, num_envs=2)}
    runtime = ControllerRuntime(bundle, MujocoTwin.from_task(make(), env_id), realtime=False)
    for seed in seeds[1:]:
        episode = runtime.run_episode(seed)
        commands = episode.log.column("command")
        assert commands.tobytes() == np.array(policy.commands[seed]).tobytes()
        record, outcome = records[seed], episode.outcome
        assert outcome is not None
        assert (len(commands), outcome.success, outcome.reason) == (
            record.steps,
            record.success,
            record.termination_reason,
        )
        np.testing.assert_array_equal(list(outcome.metrics.values()), list(record.metrics.values()))
        assert intervention_counts([episode])["held"] == intervention_counts([episode])["limited"] == 0


# -- before the first command -------------------------------------------------------------------------------------


def test_a_layer_that_offers_something_else_is_refused_with_all_differences(bundle: Bundle) -> None:
    other = replace(bundle.contract, control_hz=100.0, action=bundle.contract.action[:1])
    with pytest.raises(ShopfloorError) as caught:
        ControllerRuntime(bundle, Machine(other))
    assert "set-point 'elbow_velocity' is expected but not offered" in str(caught.value)
    assert "control rate (Hz): expected 50.0, offered 100.0" in str(caught.value)
    with pytest.raises(ShopfloorError, match="environment fingerprint: the policy was trained on"):
        ControllerRuntime(bundle, MujocoTwin.from_task(ToyArm(gravity=5.0), "shopfloor/Toy-v0"))


def test_a_policy_that_fails_its_self_test_never_commands(bundle: Bundle, tmp_path: Path) -> None:
    broken = Bundle.load(export_toy(tmp_path / "toy"))
    broken.policy = lambda observation: np.zeros(2)
    machine = Machine(bundle.contract)
    with pytest.raises(ShopfloorError, match="does not reproduce its golden pairs"):
        ControllerRuntime(broken, machine)
    assert machine.commands == []


# -- deadlines ----------------------------------------------------------------------------------------------------


def realtime(bundle: Bundle, work: Callable[[int], float], ticks: int = 20) -> tuple[Machine, Episode]:
    """An episode in simulated real time, in which writing the command of a tick takes `work(tick)` seconds."""
    clock = Clock()
    machine = Machine(bundle.contract, ticks)

    def busy(tick: int) -> None:
        clock.now += work(tick)

    machine.work = busy
    # waking up half a millisecond early and spinning would take forever on this clock
    runtime = ControllerRuntime(bundle, machine, clock=clock, sleep=lambda s: clock.sleep(s + 0.0005))
    return machine, runtime.run_episode(0)


def test_deadlines_are_absolute(bundle: Bundle) -> None:
    _, episode = realtime(bundle, lambda tick: 0.015)
    starts = episode.log.column("start_s")
    # work of 15 ms in a period of 20 ms shifts nothing, not even a little each time
    np.testing.assert_allclose(starts, 0.02 * np.arange(20), atol=1e-6)
    assert episode.missed == episode.skipped == 0
    assert deadline_statistics([episode])["busy"]["p50_ms"] == pytest.approx(15.0, abs=1e-3)


def test_late_ticks_skip_deadlines_and_never_burst(bundle: Bundle) -> None:
    _, episode = realtime(bundle, lambda tick: 0.05 if tick == 4 else 0.001)
    index, starts = episode.log.column("index"), episode.log.column("start_s")
    np.testing.assert_array_equal(index[:8], [0, 1, 2, 3, 4, 7, 8, 9])
    np.testing.assert_allclose(starts, 0.02 * index, atol=1e-6)
    assert np.diff(starts).min() > 0.0199
    assert (episode.missed, episode.skipped) == (1, 2)


def test_work_that_never_fits_is_counted_at_every_tick(bundle: Bundle) -> None:
    _, episode = realtime(bundle, lambda tick: 0.021)
    assert episode.missed == 20
    np.testing.assert_allclose(np.diff(episode.log.column("start_s")), 0.04, atol=1e-6)


def test_the_real_clock_is_kept_on_average(bundle: Bundle) -> None:
    runtime = ControllerRuntime(bundle, twin())
    episode = runtime.run_episode(3)
    ticks = episode.log.ticks
    assert ticks[-1].start_s == pytest.approx(0.02 * ticks[-1].index, abs=0.015)
    statistics = deadline_statistics([episode])
    assert statistics["ticks"] == len(ticks)
    assert statistics["lateness"]["p50_ms"] < 5.0


# -- faults -------------------------------------------------------------------------------------------------------


def stale(tick: int, frame: StateFrame) -> StateFrame:
    return replace(frame, seq=frame.seq - 1) if tick == 10 else frame


def lost(tick: int, frame: StateFrame) -> StateFrame:
    if tick == 10:
        raise ConnectionResetError("peer is gone")
    return frame


def frozen(tick: int, frame: StateFrame) -> StateFrame:
    return replace(frame, time_s=0.02 * 9) if tick == 10 else frame


def not_a_number(tick: int, frame: StateFrame) -> StateFrame:
    return replace(frame, readings={**frame.readings, "speed": np.array([np.nan, 0.0])}) if tick == 10 else frame


def missing(tick: int, frame: StateFrame) -> StateFrame:
    return replace(frame, readings={"angle": frame.readings["angle"]}) if tick == 10 else frame


@pytest.mark.parametrize(
    ("disturb", "words"),
    [
        (stale, "frame 9 is stale"),
        (lost, "no frame: peer is gone"),
        (frozen, "the clock of frame 10 stands still"),
        (not_a_number, "the reading 'speed' is not finite"),
        (missing, "the reading 'speed' is missing"),
    ],
)
def test_one_bad_frame_holds_the_last_command(
    bundle: Bundle, disturb: Callable[[int, StateFrame], StateFrame], words: str
) -> None:
    machine = Machine(bundle.contract, disturb=disturb)
    runtime, episode = run(bundle, machine)
    tick = episode.log.ticks[10]
    assert words in tick.note and tick.flags & Flag.HELD and tick.state is State.HOLD
    np.testing.assert_array_equal(machine.commands[10], machine.commands[9])
    assert np.isnan(tick.output).all()
    assert not episode.fault and len(machine.commands) == 30
    assert [s for _, s in episode.log.transitions] == [
        State.INIT, State.SELFTEST, State.ACTIVE, State.HOLD, State.ACTIVE, State.STOPPED
    ]  # fmt: skip
    assert intervention_counts([episode])["held"] == 1
    assert runtime.run_episode(1).fault is False


def test_a_policy_that_yields_no_number_is_held_and_then_stopped(bundle: Bundle, tmp_path: Path) -> None:
    broken = Bundle.load(export_toy(tmp_path / "toy"))
    machine = Machine(bundle.contract)
    runtime = ControllerRuntime(broken, machine, realtime=False, max_holds=4)
    exact, calls = broken.policy, iter(range(1000))

    def diverging(observation: NDArray[np.float32]) -> Array:
        out = exact(observation)
        return np.array([np.nan, out[1]]) if next(calls) >= 6 else out

    broken.policy = diverging
    episode = runtime.run_episode(0)
    assert (
        episode.fault
        and "4 ticks in a row without a valid command: the policy's output is not finite" in episode.reason
    )
    assert len(machine.commands) == 10 and np.isfinite(machine.commands).all()
    np.testing.assert_array_equal(machine.commands[6:], [machine.commands[5]] * 4)
    assert machine.stops == 1 and runtime.state is State.STOPPED
    with pytest.raises(ShopfloorError, match="a fault has stopped this runtime"):
        runtime.run_episode(1)


def test_without_any_command_yet_the_nearest_to_rest_is_written(bundle: Bundle) -> None:
    machine = Machine(bundle.contract, disturb=lambda tick, frame: replace(frame, readings={}))
    _, episode = run(bundle, machine, max_holds=3)
    assert episode.fault
    np.testing.assert_array_equal(machine.commands, np.zeros((3, 2)))


def test_a_command_that_is_not_accepted_counts_as_held(bundle: Bundle) -> None:
    machine = Machine(bundle.contract)

    def refuse(tick: int) -> None:
        if tick == 5:
            raise TimeoutError("no answer")

    machine.work = refuse
    _, episode = run(bundle, machine)
    assert "command not accepted: no answer" in episode.log.ticks[5].note
    # numbers of commands have no gap: the one that failed is sent again with the next tick's content
    assert machine.numbers == list(range(29))


def test_frames_that_were_never_seen_are_counted(bundle: Bundle) -> None:
    machine = Machine(
        bundle.contract,
        disturb=lambda tick, frame: replace(frame, seq=frame.seq + 3) if tick >= 7 else frame,
    )
    _, episode = run(bundle, machine)
    assert episode.lost_frames == 3 and not episode.fault


def test_readings_out_of_range_are_flagged(bundle: Bundle) -> None:
    machine = Machine(
        bundle.contract,
        disturb=lambda tick, frame: replace(frame, readings={**frame.readings, "speed": np.array([99.0, 0.0])}),
    )
    _, episode = run(bundle, machine)
    assert intervention_counts([episode])["saturated_readings"] == 30


def test_a_rate_bound_cuts_commands_and_says_so(bundle: Bundle) -> None:
    machine = Machine(
        bundle.contract,
        disturb=lambda t, f: replace(f, readings={k: np.sin(v * 50 * t) for k, v in f.readings.items()}),
    )
    _, episode = run(bundle, machine, rate=(1.0, 2.0))
    commands = np.array(machine.commands)
    assert (np.abs(np.diff(commands, axis=0)) <= np.array([0.02, 0.04]) + 1e-12).all()
    assert intervention_counts([episode])["limited"] > 10


def test_interrupting_stops_the_layer_and_keeps_the_log(bundle: Bundle) -> None:
    def interrupt(tick: int, frame: StateFrame) -> StateFrame:
        if tick == 12:
            raise KeyboardInterrupt
        return frame

    machine = Machine(bundle.contract, disturb=interrupt)
    _, episode = run(bundle, machine)
    assert episode.reason == "interrupted" and len(episode.log.ticks) == 12 and machine.stops == 1


def test_a_bug_in_the_layer_stops_it_too(bundle: Bundle) -> None:
    def fail(tick: int, frame: StateFrame) -> StateFrame:
        raise RuntimeError("bug")

    machine = Machine(bundle.contract, disturb=fail)
    with pytest.raises(RuntimeError, match="bug"):
        run(bundle, machine)
    assert machine.stops == 1


# -- the twin -----------------------------------------------------------------------------------------------------


def test_the_twin_insists_on_order() -> None:
    layer = twin()
    with pytest.raises(ShopfloorError, match=r"the twin does not run: start\(\) begins an episode"):
        layer.write(0, np.zeros(2))
    layer.start(1)
    assert layer.read().seq == layer.read().seq == 0 and layer.outcome() is None
    layer.write(0, np.zeros(2))
    with pytest.raises(ShopfloorError, match="command 3 is out of sequence: the twin expects 1"):
        layer.write(3, np.zeros(2))
    assert layer.read().time_s == pytest.approx(0.02)
    layer.stop()
    with pytest.raises(ShopfloorError, match="does not run"):
        layer.write(1, np.zeros(2))


# -- the log ------------------------------------------------------------------------------------------------------


def test_the_log_replays_bit_for_bit(bundle: Bundle, tmp_path: Path) -> None:
    episode = ControllerRuntime(bundle, twin(), realtime=False).run_episode(8)
    sizes = {t.name: t.size for t in bundle.contract.observation}
    episode.log.save(tmp_path / "log.npz", sizes)
    with np.load(tmp_path / "log.npz", allow_pickle=False) as file:
        log = {name: file[name] for name in file.files}
    ticks = len(episode.log.ticks)
    assert all(len(values) == ticks for name, values in log.items() if not name.startswith("transition"))
    for observation, output, written in zip(log["observation"], log["output"], log["command"], strict=True):
        np.testing.assert_array_equal(bundle.policy(observation), output)
        np.testing.assert_array_equal(output, written)
    layer = twin()
    layer.start(8)
    for tick in range(ticks):
        frame = layer.read()
        assert frame.seq == log["seq"][tick]
        for name in sizes:
            np.testing.assert_array_equal(frame.readings[name], log[f"reading.{name}"][tick])
        layer.write(tick, log["command"][tick])
    assert layer.outcome() == episode.outcome or np.isnan(episode.outcome.metrics["duration"])


# -- nothing but numpy and ONNX Runtime ---------------------------------------------------------------------------

ALONE = """
import sys
import numpy as np
from shopfloor.deploy.bundle import Bundle
from shopfloor.deploy.control_layer import StateFrame
from shopfloor.deploy.runtime import ControllerRuntime

class Line:
    def __init__(self, contract): self.contract = contract
    def describe(self): return self.contract
    def start(self, seed): self.tick = 0
    def read(self):
        readings = {t.name: np.zeros(t.size) for t in self.contract.observation}
        return StateFrame(self.tick, 0.02 * self.tick, readings, self.tick == 5)
    def write(self, seq, setpoint): self.tick += 1
    def stop(self): pass
    def outcome(self): return None

bundle = Bundle.load(sys.argv[1])
episode = ControllerRuntime(bundle, Line(bundle.contract), realtime=False).run_episode(0)
assert len(episode.log.ticks) == 5 and episode.reason == "finished"
heavy = {"torch", "gymnasium", "stable_baselines3", "mujoco", "onnx", "yaml", "rich"} & set(sys.modules)
assert not heavy, heavy
"""


@pytest.fixture
def bare_site(tmp_path: Path) -> Iterator[Path]:
    """A folder of packages in which only numpy, ONNX Runtime and shopfloor are installed."""
    site = tmp_path / "site"
    site.mkdir()
    for package in (np, onnxruntime):
        folder = Path(package.__file__).parent
        for path in (folder, folder.with_name(f"{folder.name}.libs")):
            if path.is_dir():
                (site / path.name).symlink_to(path)
    (site / "shopfloor").symlink_to(Path(shopfloor.__file__).parent)
    yield site


def test_the_runtime_needs_numpy_and_onnxruntime_only(bundle: Bundle, bare_site: Path) -> None:
    program = f"import sys; sys.path.insert(0, {str(bare_site)!r})\n{ALONE}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, str(bundle.path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


WITHOUT_GYMNASIUM = """
import sys
for name in ("gymnasium", "torch", "stable_baselines3", "onnx"):
    sys.modules[name] = None
import numpy as np
from shopfloor.deploy.twin import MujocoTwin
twin = MujocoTwin("ArmReach-v0")
twin.start(1)
twin.write(0, np.zeros(len(twin.describe().action)))
assert twin.read().seq == 1
"""


def test_the_twin_needs_no_gymnasium() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_GYMNASIUM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# -- the command --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    env_id = "shopfloor/ArmReach-v0"
    return export_untrained(tmp_path_factory.mktemp("command") / "arm", lambda: make_task(env_id), env_id)


def test_shopfloor_run_prints_a_summary_and_writes_a_log(
    arm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    assert command(["run", str(arm), "--seed", "5", "--episodes", "2", "--no-realtime", "--log", str(log)]) == 0
    out = capsys.readouterr().out
    assert "self-test" in out and "in every bit" in out and "not a safety function" in out
    assert "seed 5" in out and "seed 6" in out and str(log) in out
    summary = json.loads((log / "summary.json").read_text())
    assert summary["environment"]["id"] == "shopfloor/ArmReach-v0"
    assert [e["seed"] for e in summary["episodes"]] == [5, 6]
    assert summary["episodes"][0]["states"] == ["INIT", "SELFTEST", "ACTIVE", "STOPPED"]
    assert summary["episodes"][0]["metrics"].keys() == summary["episodes"][0]["units"].keys()
    assert summary["deadlines"]["ticks"] == sum(e["ticks"] for e in summary["episodes"])
    assert sorted(os.listdir(log)) == ["episode_5.npz", "episode_6.npz", "summary.json"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["run", "nowhere"], "there is no bundle at nowhere"),
        (["run", "BUNDLE", "--episodes", "0"], "must be at least 1"),
        (["run", "BUNDLE", "--seed", "-1"], "must not be negative"),
        (["run"], "BUNDLE"),
    ],
)
def test_a_wrong_command_line_is_one_clear_error(
    words: list[str], expected: str, arm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = command([str(arm) if word == "BUNDLE" else word for word in words])
    except SystemExit as stop:
        status = stop.code
    assert status == 2
    assert expected in capsys.readouterr().err
