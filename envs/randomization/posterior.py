"""The file in which system identification leaves what it knows: samples of all parameters together."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError


@dataclass(frozen=True)
class PosteriorFile:
    """Samples of identified parameters.

    Attributes:
        names: parameter names.
        units: unit of each.
        samples: (m, parameters) float64; a row is one plant that explains the data.
        meta: where it comes from, as plain data.
        digest: hash of the file's bytes.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    samples: NDArray[np.float64]
    meta: Mapping[str, Any]
    digest: str


def write_posterior(
    path: Path,
    names: Sequence[str],
    units: Sequence[str],
    samples: NDArray[np.float64],
    meta: Mapping[str, Any] | None = None,
) -> None:
    """Write samples (m, parameters) as an npz file that needs no pickle.

    Raises:
        ShopfloorError: if shapes disagree or a sample is not finite.
    """
    samples = np.asarray(samples, dtype=np.float64)
    if samples.ndim != 2 or samples.shape[1] != len(names) or len(units) != len(names) or not samples.shape[0]:
        raise ShopfloorError(f"a posterior needs samples (m, {len(names)}) with a unit each, got {samples.shape}")
    if not np.isfinite(samples).all():
        raise ShopfloorError("a posterior's samples must be finite")
    np.savez(
        path,
        allow_pickle=False,
        names=np.array(names, dtype=np.str_),
        units=np.array(units, dtype=np.str_),
        samples=samples,
        meta=np.array(json.dumps(dict(meta or {}), sort_keys=True)),
    )


def read_posterior(path: Path) -> PosteriorFile:
    """Read what `write_posterior` wrote.

    Raises:
        ShopfloorError: if the file is missing or is something else.
    """
    try:
        content = path.read_bytes()
        with np.load(io.BytesIO(content), allow_pickle=False) as data:
            names, units = (tuple(str(v) for v in data[k]) for k in ("names", "units"))
            samples = np.array(data["samples"], dtype=np.float64)
            meta = json.loads(str(data["meta"]))
    except FileNotFoundError:
        raise ShopfloorError(f"no posterior file {path}; `shopfloor identify` writes one") from None
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ShopfloorError(f"{path} is not a posterior that `shopfloor identify` wrote: {error}") from None
    if samples.ndim != 2 or samples.shape[1] != len(names) or not samples.shape[0] or not np.isfinite(samples).all():
        raise ShopfloorError(f"{path}: samples of shape {samples.shape} for {len(names)} parameters, or not finite")
    return PosteriorFile(names, units, samples, meta, hashlib.sha256(content).hexdigest()[:16])
