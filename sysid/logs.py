"""Controller-runtime logs as trajectories: commands as sent, readings as read, nothing else."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import ShopfloorError

Array = NDArray[np.float64]

SUMMARY: Final = "summary.json"
EPISODES: Final = "episode_*.npz"
LEAST_TICKS: Final = 20
_READING: Final = "reading."


@dataclass(frozen=True)
class Recording:
    """One episode of a log.

    Attributes:
        source: the file.
        commands: (ticks, size) set-points as written, in the contract's units.
        readings: reading name -> (ticks, size); NaN in ticks without a frame. Entry k was read before command k.
    """

    source: Path
    commands: Array
    readings: dict[str, Array]

    @property
    def ticks(self) -> int:
        """Number of control ticks."""
        return len(self.commands)


def find_files(sources: Sequence[Path]) -> list[Path]:
    """Episode files of logs: files as they are, folders by the episodes in them, in the order of their numbers.

    Raises:
        ShopfloorError: if a source is missing or a folder holds no episode.
    """
    out: list[Path] = []
    for source in sources:
        if source.is_dir():
            found = sorted(source.glob(EPISODES), key=lambda p: [int(d) for d in re.findall(r"\d+", p.stem)])
            if not found:
                raise ShopfloorError(f"{source} holds no {EPISODES}; give the log folder of a controller run")
            out += found
        elif source.is_file():
            out.append(source)
        else:
            raise ShopfloorError(f"no log {source}; `shopfloor excite` and `shopfloor run` write logs")
    return out


def environment_of(source: Path) -> dict[str, Any] | None:
    """What the summary beside a log says about the environment: `id` and `task_kwargs`; None without a summary.

    Raises:
        ShopfloorError: if the summary is damaged.
    """
    path = (source if source.is_dir() else source.parent) / SUMMARY
    if not path.is_file():
        return None
    try:
        environment = json.loads(path.read_text(encoding="utf-8"))["environment"]
        return {"id": str(environment["id"]), "task_kwargs": dict(environment["task_kwargs"])}
    except (ValueError, KeyError, TypeError) as error:
        raise ShopfloorError(f"{path} is not the summary of a controller run: {error!r}") from None


def read_recording(path: Path, width: int, sizes: dict[str, int]) -> Recording:
    """Read one episode.

    Commands act one control period each, so the episode is used up to the first frame that does not follow the one
    before it: what a plant did between frames that were lost is not known.

    Args:
        path: npz file of the controller runtime.
        width: number of set-point components.
        sizes: readings that are needed, with their sizes.

    Raises:
        ShopfloorError: if the file is no log, of another environment, or too short to say anything.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            arrays = {k: data[k] for k in ("seq", "command", *(_READING + name for name in sizes))}
    except KeyError as error:
        raise ShopfloorError(f"{path} has no column {error.args[0]}; is it a log of this environment?") from None
    except (ValueError, OSError, zipfile.BadZipFile, EOFError) as error:
        raise ShopfloorError(f"{path} is not a log of the controller runtime: {error}") from None
    commands = np.asarray(arrays["command"], dtype=np.float64)
    if commands.ndim != 2 or commands.shape[1] != width:
        raise ShopfloorError(
            f"{path}: commands of shape {commands.shape}, but this environment takes {width} set-points"
        )
    for name, size in sizes.items():
        shape = arrays[_READING + name].shape
        if shape != (len(commands), size):
            raise ShopfloorError(f"{path}: reading {name} of shape {shape}, expected {(len(commands), size)}")
    good = _unbroken(np.asarray(arrays["seq"]), commands)
    if good < LEAST_TICKS:
        raise ShopfloorError(f"{path}: {good} ticks in a row with a frame and a finite command; needs {LEAST_TICKS}")
    readings = {name: np.asarray(arrays[_READING + name][:good], dtype=np.float64) for name in sizes}
    for name, values in readings.items():
        if not np.isfinite(values[0]).all():
            raise ShopfloorError(f"{path}: the first reading of {name} is not finite; it is where the replay starts")
    return Recording(path, commands[:good], readings)


def _unbroken(seq: NDArray[Any], commands: Array) -> int:
    """Ticks from the first on in which frames follow one another and commands are finite."""
    broken: NDArray[np.bool_] = np.logical_not(np.isfinite(commands).all(axis=1))
    broken[1:] |= np.diff(seq) != 1
    return int(np.argmax(broken)) if broken.any() else len(commands)
