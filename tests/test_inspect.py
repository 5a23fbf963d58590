"""`shopfloor list`, `render` and `view`."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shopfloor.envs import inspect_cli
from shopfloor.envs.playback import Playback, playback
from shopfloor.envs.registry import env_ids, event_driven_ids, make_task
from shopfloor.errors import ShopfloorError

web_viewer = pytest.importorskip("shopfloor.envs.web_viewer")


@pytest.fixture(scope="module")
def gl() -> None:
    """Skip where nothing can be rendered."""
    from shopfloor.envs.engine.core import BatchedCell
    from shopfloor.envs.engine.rendering import CellRenderer

    try:
        CellRenderer(BatchedCell(make_task("ArmReach-v0"), 1), 32, 32).close()
    except ShopfloorError as error:
        pytest.skip(str(error))


def run(*words: str) -> int:
    return inspect_cli.main(words)


def test_list_names_every_environment(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [*env_ids(), *event_driven_ids()]
    for line, env_id in zip(lines[1:], env_ids(), strict=False):
        assert make_task(env_id).title in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["render", "ArmReech-v0"], "did you mean shopfloor/ArmReach-v0"),
        (["render", "ArmReach-v0", "--camera", "fron"], "this cell has: overview, side, top, tool"),
        (["render", "ArmReach-v0", "--out", "nowhere/x.png"], "'nowhere' does not exist"),
        (["render", "ArmReach-v0", "--out", "x.jpg"], "must end in .png"),
        (["render", "ArmReach-v0", "--animate", "x.mp4"], "must end in .gif"),
        (["render", "ArmReach-v0", "--policy", "oracle"], "has no oracle"),
        (["render", "ArmReach-v0", "--kwargs", "gaol=pose"], "did you mean 'goal'"),
        (["render", "ArmReach-v0", "--kwargs", "goal"], "takes name=value"),
        (["view", "ArmReach-v0", "--camera", "fron"], "no camera 'fron'"),
        (["view", "ArmReach-v0", "--host", "no.such.host.invalid"], "cannot listen on 'no.such.host.invalid'"),
    ],
)
def test_wrong_input_is_one_clear_error(words: list[str], message: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ShopfloorError, match=message.replace("(", r"\(")):
        run(*words)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [["--seed", "-1"], ["--width", "0"], ["--steps", "many"], ["--policy", "exprt"]])
def test_values_outside_their_range_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("render", "ArmReach-v0", *words)
    assert words[0] in capsys.readouterr().err


@pytest.mark.parametrize("env_id", env_ids())
def test_the_expert_plays_to_success(env_id: str) -> None:
    play = Playback(make_task(env_id), "expert", seed=1)
    while play.step():
        pass
    assert play.outcome.startswith("success")
    assert make_task(env_id).main_metric in play.outcome
    first = {name: value.copy() for name, value in play.cell.params.items()}
    play.next_episode()
    assert play.outcome.startswith("running after 0.00 s")
    assert any((value != first[name]).any() for name, value in play.cell.params.items())


@pytest.mark.parametrize("policy", inspect_cli.POLICIES)
def test_playback_repeats_itself(policy: str) -> None:
    task = make_task("WaferTransfer-v0" if policy == "oracle" else "ArmReach-v0")
    states = []
    for _ in range(2):
        play = Playback(task, policy, seed=4)
        for _ in range(5):
            play.step()
        states.append(play.cell.sim.qpos.copy())
    assert np.array_equal(*states)


def test_render_writes_a_picture(gl: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a.png"
    words = ("--steps", "5", "--camera", "side", "--width", "64", "--height", "48", "--quality", "fast")
    assert run("render", "ArmReach-v0", "--out", str(out), *words) == 0
    picture = np.asarray(Image.open(out))
    assert picture.shape == (48, 64, 3)
    assert picture.std() > 10  # not one colour
    assert "camera side, running after 0.10 s" in capsys.readouterr().out


def test_render_tells_what_it_randomizes(gl: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("render", "ArmReach-v0", "--out", str(tmp_path / "a.png"), "--width", "64", "--height", "48")
    assert run(*words) == 0
    assert "payload" not in capsys.readouterr().out
    assert run(*words, "--randomization", "train", "--seed", "3") == 0
    out = capsys.readouterr().out
    value = Playback(make_task("ArmReach-v0"), seed=3, randomization="train").sample["payload"][0]
    assert f"payload: {value:.4g}\n" in out
    with pytest.raises(ShopfloorError, match="or one of the splits"):
        run(*words, "--randomization", "trian")


def test_render_animates_an_episode(gl: None, tmp_path: Path) -> None:
    out = tmp_path / "a.gif"
    words = ("--steps", "12", "--width", "64", "--height", "48", "--quality", "fast")
    assert run("render", "WaferTransfer-v0", "--animate", str(out), *words) == 0
    with Image.open(out) as animation:
        assert animation.n_frames == 7  # the start, and every other of 12 steps at 50 Hz
        assert animation.info["duration"] == 40


# -- live ---------------------------------------------------------------------------------------------------------


def test_a_taken_port_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ShopfloorError, match=f"127.0.0.1 port {port}: Address already in use"):
            web_viewer.bind("127.0.0.1", port)


def test_any_port_is_found() -> None:
    first = web_viewer.bind("127.0.0.1", 0)
    first.listen()
    second = web_viewer.bind("127.0.0.1", 0)
    assert first.getsockname()[1] != second.getsockname()[1]
    first.close()
    second.close()


@pytest.mark.parametrize(
    ("host", "url", "warns"),
    [
        ("127.0.0.1", "http://localhost:8080/", False),
        ("::1", "http://localhost:8080/", False),
        ("192.0.2.1", "http://192.0.2.1:8080/", True),
        ("0.0.0.0", ":8080/", True),
    ],
)
def test_the_url_and_who_can_open_it(host: str, url: str, warns: bool) -> None:
    text = web_viewer.announce(host, 8080)
    assert url in text
    assert ("no authentication" in text) == warns


def test_view_serves_the_page_on_loopback_until_ctrl_c() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "shopfloor", "view", "ArmReach-v0", "--port", str(port)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # a shell's background job ignores Ctrl-C, and so would all that it starts
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        page = ""
        deadline = time.monotonic() + 60
        while not page and time.monotonic() < deadline and process.poll() is None:
            try:
                page = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10).read().decode()
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.2)
        assert "<html" in page.lower()
        # what is bound to all interfaces answers on every loopback address
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.2", port), timeout=5).close()
    finally:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert process.returncode in (0, 130), output
    assert f"http://localhost:{port}/" in output
    assert "Traceback" not in output


def test_a_film_of_decisions_shows_the_tool_between_them() -> None:
    play = playback("ClusterTool-v0", {"lot_size": 2}, seed=1)
    assert play.longest * play.period_s == pytest.approx(30.0)
    before, shares, decided = play.cell.s.step[0], [], []
    while play.step():
        shares.append(play.cell.sim.share)
        decided.append(int(play.cell.s.step[0]))
    assert play.outcome.startswith("success") and "lot_time_ratio" in play.outcome
    assert all(0.0 <= share <= 1.0 for share in shares) and any(0.1 < share < 0.9 for share in shares)
    assert decided[0] == before + 1 and (np.diff(decided) >= 0).all()
    # a picture every 0.4 s of the tool
    assert len(shares) == pytest.approx(play.time_s / 0.4, abs=2)
    play.next_episode()
    assert play.time_s == 0.0
