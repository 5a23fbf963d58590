"""The `shopfloor` command: dispatch, help, and how errors reach the user."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import types
from collections.abc import Callable

import pytest

from shopfloor import __version__, cli
from shopfloor.errors import ShopfloorError

Main = Callable[[list[str]], int]


@pytest.fixture
def owner(monkeypatch: pytest.MonkeyPatch) -> Callable[[Main], None]:
    """Put a function in the place of every module that owns a subcommand."""

    def install(main: Main) -> None:
        module = types.SimpleNamespace(main=main)
        importer = types.SimpleNamespace(import_module=lambda name, package: module)
        monkeypatch.setattr(cli, "importlib", importer)

    return install


def shopfloor(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "shopfloor", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["--help"], ["-h"], ["help"]):
        assert cli.main(arguments) == 0
        text = capsys.readouterr().out
        for name, command in cli.COMMANDS.items():
            assert f"\n  {name}" in text
            assert command.summary in text
        assert max(map(len, text.splitlines())) <= 110


def test_help_imports_nothing_heavy() -> None:
    program = """
import sys
from shopfloor.cli import main
main(["--help"])
heavy = {"torch", "stable_baselines3", "onnxruntime", "mujoco", "tyro", "rich"}.intersection(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_version_from_a_process() -> None:
    done = shopfloor("--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"shopfloor {__version__}")


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_an_owner_with_main(name: str) -> None:
    module = cli.COMMANDS[name].module
    assert importlib.util.find_spec(module, "shopfloor"), f"{module} does not exist"
    owner = importlib.import_module(module, "shopfloor")
    assert callable(owner.main)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    done = shopfloor(name, "--help")
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout.lower()


@pytest.mark.parametrize(
    ("line", "received"),
    [
        (["train", "shopfloor/ArmReach-v0", "--seed", "3"], ["shopfloor/ArmReach-v0", "--seed", "3"]),
        (["resume", "runs/a", "--x"], ["--resume", "runs/a", "--x"]),
        (["resume", "--help"], ["--help"]),
        (["render", "--help"], ["render", "--help"]),
        (["help", "eval"], ["--help"]),
        (["list"], ["list"]),
    ],
)
def test_arguments_are_forwarded(owner: Callable[[Main], None], line: list[str], received: list[str]) -> None:
    seen: list[list[str]] = []

    def main(argv: list[str]) -> int:
        seen.append(argv)
        return 7

    owner(main)
    assert cli.main(line) == 7
    assert seen == [received]


@pytest.mark.parametrize(("typed", "meant"), [("trian", "train"), ("evaluate", "eval"), ("docter", "doctor")])
def test_unknown_command_suggests_the_nearest(typed: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([typed]) == cli.EXIT_USAGE
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"'{typed}'" in error
    assert f"did you mean '{meant}'?" in error


def test_unknown_command_without_a_near_one_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["zzz"]) == cli.EXIT_USAGE
    assert "list, render, inspect, view" in capsys.readouterr().err


def test_wrong_input_is_one_line(owner: Callable[[Main], None], capsys: pytest.CaptureFixture[str]) -> None:
    def main(argv: list[str]) -> int:
        raise ShopfloorError("no key 'sed' in demo.yaml;\n  did you mean 'seed'?")

    owner(main)
    assert cli.main(["train", "demo"]) == cli.EXIT_USAGE
    captured = capsys.readouterr()
    assert captured.err == "shopfloor: error: no key 'sed' in demo.yaml; did you mean 'seed'?\n"
    assert captured.out == ""


@pytest.mark.parametrize(
    ("module", "remedy"),
    [
        ("torch.nn", 'pip install "shopfloor[train]"'),
        ("onnxruntime", 'pip install "shopfloor[deploy]"'),
        ("PIL", 'pip install "shopfloor[render]"'),
        ("mujoco", "pip install shopfloor"),
        ("shopfloor.benchmarks", "run this from a checkout"),
    ],
)
def test_missing_package_names_what_brings_it(
    owner: Callable[[Main], None], module: str, remedy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def main(argv: list[str]) -> int:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    owner(main)
    assert cli.main(["demo"]) == cli.EXIT_FAILURE
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert remedy in error


def test_a_bug_keeps_its_traceback(owner: Callable[[Main], None]) -> None:
    def main(argv: list[str]) -> int:
        raise ModuleNotFoundError("No module named 'shopfloor.nowhere'", name="shopfloor.nowhere")

    owner(main)
    with pytest.raises(ModuleNotFoundError):
        cli.main(["demo"])


def test_ctrl_c_has_its_exit_status(owner: Callable[[Main], None], capsys: pytest.CaptureFixture[str]) -> None:
    def main(argv: list[str]) -> int:
        raise KeyboardInterrupt

    owner(main)
    assert cli.main(["demo"]) == cli.EXIT_INTERRUPTED
    assert capsys.readouterr().err == "shopfloor: interrupted\n"


def test_a_closed_pipe_is_quiet() -> None:
    program = f"{sys.executable} -m shopfloor --help | true"
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr == ""
