"""Nested state as one file without pickle: arrays in an npz archive, their structure as JSON beside them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShopfloorError

_STRUCTURE = "structure"


def save_state(path: Path, state: Any) -> None:
    """Write dictionaries, lists, tuples, arrays, numbers, strings and None, nested in any way.

    Raises:
        TypeError: if anything else is in there.
    """
    arrays: dict[str, NDArray[Any]] = {}
    structure = json.dumps(_encode(state, arrays))
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **{_STRUCTURE: np.array(structure)}, **arrays)


def load_state(path: Path) -> Any:
    """Read what `save_state` wrote; types, dtypes and bits are those that were saved.

    Raises:
        ShopfloorError: if the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return _decode(json.loads(str(arrays[_STRUCTURE])), arrays)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ShopfloorError(f"cannot read the saved state {path}: {error}") from None


def _encode(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return _encode(value.item(), arrays)
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise TypeError("arrays of objects cannot be saved")
        name = f"array_{len(arrays)}"
        arrays[name] = value
        return {"array": name}
    if isinstance(value, Mapping):
        return {"dict": [[_encode(k, arrays), _encode(v, arrays)] for k, v in value.items()]}
    if isinstance(value, (list, tuple)):
        return {type(value).__name__: [_encode(v, arrays) for v in value]}
    raise TypeError(f"cannot save a {type(value).__name__}")


def _decode(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    if not isinstance(value, dict):
        return value
    kind, content = next(iter(value.items()))
    if kind == "array":
        return arrays[content]
    if kind == "dict":
        return {_decode(k, arrays): _decode(v, arrays) for k, v in content}
    items = [_decode(v, arrays) for v in content]
    return tuple(items) if kind == "tuple" else items
