"""The ``shopfloor`` command: finds the module that owns a subcommand and hands it the rest of the line.

Nothing is imported before it is needed: ``shopfloor --help`` answers at once, and ``shopfloor doctor`` works
with half of the packages missing. Each owner has ``main(argv: list[str]) -> int`` and answers ``--help``.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from . import __version__
from .errors import ShopfloorError

EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it


@dataclass(frozen=True)
class Command:
    """One subcommand: what it is called with, what it does, and the module whose ``main`` does it.

    ``prefix`` stands before the user's arguments in what the module receives.
    """

    usage: str
    summary: str
    module: str
    prefix: tuple[str, ...] = ()


COMMANDS: dict[str, Command] = {
    "list": Command("", "the environments, one line each", ".envs.inspect_cli", ("list",)),
    "render": Command(
        "ID [--out PNG] [--camera NAME]", "a picture of an environment", ".envs.inspect_cli", ("render",)
    ),
    "inspect": Command("ID [--out SVG]", "weld one seam and draw its inspection report", ".report.weld_cli"),
    "view": Command("ID", "an environment live, in the browser", ".envs.inspect_cli", ("view",)),
    "train": Command("ID|CONFIG [--key value ...]", "train a policy, from an id or a YAML file", ".train.__main__"),
    "resume": Command("RUN", "continue a training run that was stopped", ".train.__main__", ("--resume",)),
    "export": Command("RUN [--out DIR]", "write a policy bundle", ".train.export"),
    "eval": Command("BUNDLE|RUN|expert|random --env ID", "score a policy on held-out episodes", ".eval.__main__"),
    "sweep": Command(
        "POLICY... --parameter NAME --values X ...", "success against one value of the start", ".report.sweep_cli"
    ),
    "baseline": Command("RUN", "make a run a baseline of the repository", ".train.baseline"),
    "run": Command("BUNDLE", "run a bundle in a controller loop against the twin", ".deploy.__main__"),
    "excite": Command("--env ID --out LOG", "record a motion that shows the plant", ".sysid.excite_cli"),
    "identify": Command("LOG --env ID", "fit the plant to logs, for randomization", ".sysid.identify_cli"),
    "demo": Command("", "train, export, evaluate and run once, with a report", ".demo"),
    "doctor": Command("", "what is installed, what works, what to install", ".doctor"),
    "docs": Command("", "write the environment pages", ".docgen.pages"),
    "bench": Command("", "throughput against the raw engine", ".benchmarks.throughput"),
}

# Which extra brings a module that is not there; what every installation has is not listed.
EXTRAS = {
    "torch": "train",
    "stable_baselines3": "train",
    "tensorboard": "train",
    "onnx": "train",
    "onnxruntime": "deploy",
    "PIL": "render",
}
BASE = ("numpy", "mujoco", "gymnasium", "packaging", "tyro", "rich", "yaml")


def help_text() -> str:
    """What ``shopfloor --help`` prints."""
    calls = {name: f"{name} {command.usage}".rstrip() for name, command in COMMANDS.items()}
    width = max(map(len, calls.values())) + 2
    lines = [f"  {calls[name]:<{width}}{command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: shopfloor COMMAND [arguments]",
            "",
            "Reinforcement-learning environments for the factory floor, from training to the controller.",
            "",
            *lines,
            "",
            "  shopfloor COMMAND --help    the arguments of one command",
            "  shopfloor --version         the version",
        ]
    )


def resolve(name: str) -> Command:
    """The command called ``name``.

    Raises:
        ShopfloorError: there is none; the message suggests the nearest.
    """
    if name in COMMANDS:
        return COMMANDS[name]
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    remedy = f"did you mean {near[0]!r}?" if near else f"the commands are {', '.join(COMMANDS)}"
    raise ShopfloorError(f"no command {name!r}; {remedy}")


def dispatch(argv: Sequence[str]) -> int:
    """Run one command line (without the program's name) and return its exit status; errors propagate."""
    name, arguments = (argv[0], list(argv[1:])) if argv else ("--help", [])
    if name == "help" and arguments:
        name, arguments = arguments[0], ["--help"]
    if name in ("-h", "--help", "help"):
        print(help_text())
        return 0
    if name in ("-V", "--version"):
        print(f"shopfloor {__version__}")
        return 0
    command = resolve(name)
    # `shopfloor resume --help` asks for help, not for a run of that name.
    asks_for_help = bool({"-h", "--help"}.intersection(arguments))
    prefix = [word for word in command.prefix if not (asks_for_help and word.startswith("-"))]
    owner = importlib.import_module(command.module, __package__)
    return int(owner.main([*prefix, *arguments]) or 0)


def missing_module(error: ModuleNotFoundError) -> str | None:
    """The remedy for a package that is not installed, or ``None`` where it is not one of our requirements."""
    if (error.name or "").startswith(f"{__package__}.benchmarks"):
        return "the benchmarks are part of the repository, not of the wheel: run this from a checkout"
    name = (error.name or "").partition(".")[0]
    if name in EXTRAS:
        return f'this needs {name}, which is not installed: pip install "shopfloor[{EXTRAS[name]}]"'
    if name in BASE:
        return f"{name} is not installed: pip install shopfloor brings it"
    return None


def report(message: str) -> None:
    """Print an error as one line on stderr, however it was wrapped."""
    print(f"shopfloor: error: {' '.join(message.split())}", file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the command and of ``python -m shopfloor``.

    Args:
        argv: The command line without the program's name; ``sys.argv`` where omitted.

    Returns:
        0 for success, 1 for a failure, 2 for a wrong command line or wrong input, 130 after Ctrl-C.
    """
    try:
        return dispatch(sys.argv[1:] if argv is None else argv)
    except ShopfloorError as error:
        report(str(error))
        return EXIT_USAGE
    except ModuleNotFoundError as error:
        remedy = missing_module(error)
        if remedy is None:
            raise
        report(remedy)
        return EXIT_FAILURE
    except KeyboardInterrupt:
        print("shopfloor: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe (`shopfloor list | head`) left; the flush at exit must not fail on it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILURE
