"""`shopfloor train` and `shopfloor resume`, also as `python -m shopfloor.train`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ShopfloorError
from .config import EnvSection, TrainConfig, flatten
from .config_file import available, keys, load, parse_overrides

if TYPE_CHECKING:
    from .runner import TrainResult

USAGE = """usage: shopfloor train ID|CONFIG [--runs DIR] [--dry-run] [--key value | key=value ...]
       shopfloor resume RUN

Train a policy. ID is an environment such as ArmReach-v0, CONFIG a YAML file or one of the package's:
  {configs}

  --runs DIR    where run directories are made (default: runs)
  --dry-run     print the resolved config and stop
  --resume RUN  continue a run that was stopped, from its latest checkpoint

Every value of a config can be replaced; a schedule is a number or '{{linear: [start, end]}}':
{options}
  --env.kwargs.NAME value        an argument of the environment"""


def main(argv: list[str]) -> int:
    """Run one command line, without the program's name.

    Returns:
        0 for success, 130 after SIGINT and 143 after SIGTERM, once the checkpoint is written.

    Raises:
        ShopfloorError: if the command line or the config is wrong.
    """
    words = list(argv)
    if not words or {"-h", "--help"}.intersection(words):
        print(help_text())
        return 0
    if words[0].partition("=")[0] == "--resume":
        return _resume(words)
    target, options = words[0], words[1:]
    if target.startswith("-"):
        raise ShopfloorError(f"the first argument is an environment id or a config, got {target!r}")
    dry = "--dry-run" in options
    options = [word for word in options if word != "--dry-run"]
    root, options = _take(options, "--runs", "runs")
    config = load(target, parse_overrides(options))
    _check_sections(config, options)
    if dry:
        print(config.to_yaml(), end="")
        return 0
    from .runner import train

    return _finish(train(config, root))


def _resume(words: list[str]) -> int:
    path, rest = _take(words, "--resume", "")
    if not path or rest:
        raise ShopfloorError(f"--resume takes one run directory and nothing else, got {' '.join(words[1:])!r}")
    from .runner import resume

    return _finish(resume(Path(path)))


def _take(words: list[str], flag: str, default: str) -> tuple[str, list[str]]:
    """The value of one flag, and the other words."""
    for i, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name == flag and equals:
            return value, words[:i] + words[i + 1 :]
        if name == flag:
            if i + 1 == len(words):
                raise ShopfloorError(f"{flag} needs a value")
            return words[i + 1], words[:i] + words[i + 2 :]
    return default, words


def _check_sections(config: TrainConfig, options: list[str]) -> None:
    chosen = f"the algorithm is {config.algorithm}, the curriculum {config.randomization.curriculum.kind}"
    for word in options:
        key = word.removeprefix("--").replace("-", "_")
        if any(key.startswith(f"{section}.") for section in config.unused_sections):
            raise ShopfloorError(f"{word.partition('=')[0]} has no effect: {chosen}")


def help_text() -> str:
    """What `--help` prints."""
    defaults = flatten(TrainConfig(env=EnvSection(id="-")))
    lines = []
    for key, (_, text) in keys().items():
        if key not in ("env.id", "env.kwargs"):
            lines.append(f"  --{key:<28} {text} ({_shown(defaults[key])})")
    return USAGE.format(configs=", ".join(available()), options="\n".join(lines))


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value) or '""'


def _finish(result: TrainResult) -> int:
    from .progress import duration, short

    path, seconds = result.run.path, result.seconds
    work = {phase: seconds[phase] for phase in ("env", "policy", "update")}
    total = sum(work.values())
    shares = ", ".join(f"{phase} {spent / total:.0%}" for phase, spent in work.items()) if total else ""
    print(f"run: {path}")
    if result.signal is not None:
        print(f"stopped at {result.steps:,} steps; continue with: shopfloor resume {path}")
        return 128 + result.signal
    evaluations = result.run.evaluations()
    best = json.loads((path / "best" / "evaluation.json").read_text())
    print(
        f"trained {short(result.steps)} steps in {duration(evaluations[-1]['trained_s'])}; last process: "
        f"{short(result.trained / total if total else 0.0)} steps/s ({shares})"
    )
    print(f"best: {best['successes']}/{best['episodes']} successes in validation, at {best['step']:,} steps")
    print(f"next: shopfloor export {path}")
    return 0


if __name__ == "__main__":
    from ..cli import main as command

    sys.exit(command(["train", *sys.argv[1:]]))
