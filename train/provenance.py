"""Where a policy comes from: versions, git state, machine, environment fingerprint, seeds, command."""

from __future__ import annotations

import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .. import __version__
from ..envs.engine.core import BatchedCell
from ..envs.engine.describe import fingerprint
from ..envs.engine.simulation import default_threads
from ..envs.randomization import NOMINAL
from .config import TrainConfig

PACKAGES = ("mujoco", "gymnasium", "stable-baselines3", "torch", "numpy")
PACKAGE_ROOT = Path(__file__).resolve().parent.parent


def manifest(config: TrainConfig, cell: BatchedCell) -> dict[str, Any]:
    """The manifest of a run in a cell, as plain data."""
    evaluation = config.evaluation
    return {
        "environment": {"id": config.env.id, "fingerprint": fingerprint(cell.task)},
        "randomization": randomization_record(config, cell),
        "config_digest": config.digest(),
        "seeds": {
            "run": config.seed,
            "training_rows": [config.row_seeds.start, config.row_seeds.stop - 1],
            "validation": [evaluation.first_seed, evaluation.first_seed + evaluation.episodes - 1],
        },
        **session(),
        "resumed": [],
    }


def randomization_record(config: TrainConfig, cell: BatchedCell) -> dict[str, str]:
    """The randomization that a policy is trained under: its split and, unless that is nominal, spec and curriculum."""
    chosen = cell.randomization
    if chosen is None or chosen.split == NOMINAL:
        return {"split": NOMINAL}
    return {
        "split": chosen.split,
        "spec": chosen.spec.name,
        "hash": chosen.spec.hash,
        "curriculum": config.randomization.curriculum.kind,
    }


def session() -> dict[str, Any]:
    """What differs from one process of a run to the next: time, command, code, versions, machine."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "shopfloor": __version__,
        "git": git_state(PACKAGE_ROOT),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        "machine": {"system": platform.platform(), "cpu": cpu_name(), "cores": default_threads(sys.maxsize)},
    }


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit of the checkout whose top is `folder`, and whether it has changes; None where it is no checkout."""

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    # an installed package may lie inside somebody else's checkout, whose commit says nothing about it
    top = git("rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != folder.resolve():
        return None
    return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}


def cpu_name() -> str:
    """The processor's model name."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
