"""Specs from YAML files: inheritance, types, and errors that name the file, the key and the remedy.

A file may begin with `extends: other.yaml`, a path relative to itself; its terms replace or join that file's terms, and
a term that is null leaves it. Values are data: nothing in a file is evaluated.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from ...errors import ShopfloorError
from .catalogue import INTERVAL, RESET
from .constraint import Constraint
from .distributions import distribution_from
from .spec import OOD_FAR, OOD_NEAR, ShellSplit, Spec, Target, Term

SPEC_DIR: Final = Path(__file__).resolve().parent.parent.parent / "configs" / "randomization"
VERSION: Final = 1
# every environment reads its spec when it is made; the parser in C, where PyYAML has it, does so in a tenth of the time
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_KEYS: Final = ("version", "name", "description", "extends", "terms", "constraints", "splits")
_TERM_KEYS: Final = (
    "effect", "target", "distribution", "operation", "mode", "shared", "components", "per_component", "nominal",
    "limits", "options", "structural", "unit", "description",
)  # fmt: skip


def available_specs() -> list[str]:
    """Names of the specs that come with the package."""
    return sorted(p.stem for p in SPEC_DIR.glob("*.yaml"))


def load_spec(source: str | Path) -> Spec:
    """Read a spec.

    Args:
        source: the name of one that comes with the package, or the path of a YAML file.

    Raises:
        ShopfloorError: if there is none, or it is malformed; the message names file and key.
    """
    text = str(source)
    path = Path(text) if text.endswith((".yaml", ".yml")) else SPEC_DIR / f"{text}.yaml"
    if not path.is_file():
        raise ShopfloorError(
            f"no randomization {text!r}; give the path of a YAML file or one of {', '.join(available_specs())}"
        )
    data, folders = _read(path)
    try:
        return spec_from(data, folders, default_name=path.stem)
    except ShopfloorError as error:
        raise ShopfloorError(f"{path}: {error}") from None


def _read(path: Path, seen: tuple[Path, ...] = ()) -> tuple[dict[str, Any], dict[str, Path]]:
    """A file's data over those of the file that it extends, and the folder in which each term was written."""
    path = path.resolve()
    if path in seen:
        raise ShopfloorError(f"{seen[0]}: specs extend each other in a circle at {path.name}")
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except OSError as error:
        by = f" (extended by {seen[-1]})" if seen else ""
        raise ShopfloorError(f"cannot read the randomization {path}{by}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ShopfloorError(f"{path} is not YAML: {error}") from None
    if not isinstance(data, dict):
        raise ShopfloorError(f"{path} must hold keys and values, got {data!r}")
    _known(data, _KEYS, str(path))
    base = data.pop("extends", None)
    terms = _mapping(data.get("terms"), f"{path}: terms")
    folders = dict.fromkeys(terms, path.parent)
    if base is None:
        return {**data, "terms": terms}, folders
    below, folders_below = _read(path.parent / str(base), (*seen, path))
    joined = {**below["terms"], **terms}
    gone = sorted(k for k, v in terms.items() if v is None and k not in below["terms"])
    if gone:
        raise ShopfloorError(f"{path}: terms.{gone[0]} is null, but {base} has no such term to leave out")
    data["terms"] = {k: v for k, v in joined.items() if v is not None}
    for key in ("constraints", "splits"):
        data[key] = {**_mapping(below.get(key), key), **_mapping(data.get(key), key)}
    data["constraints"] = {k: v for k, v in data["constraints"].items() if v is not None}
    return {**below, **data}, {**folders_below, **folders}


def spec_from(
    data: Mapping[str, Any], folders: Mapping[str, Path] | Path | None = None, default_name: str = "custom"
) -> Spec:
    """A spec from plain data, of the form of a YAML file without `extends`.

    Args:
        data: the data.
        folders: folder to which paths of posteriors are relative, for all terms or by term.
        default_name: name of the spec if the data give none.

    Raises:
        ShopfloorError: naming the key and what would be right.
    """
    data = dict(data)
    _known(data, _KEYS, "randomization")
    if data.get("version", VERSION) != VERSION:
        raise ShopfloorError(f"version: this package reads version {VERSION}, got {data['version']!r}")
    terms = []
    for name, entry in _mapping(data.get("terms"), "terms").items():
        folder = folders.get(name) if isinstance(folders, Mapping) else folders
        terms.append(_term(str(name), entry, folder))
    constraints = tuple(Constraint(str(k), str(v)) for k, v in _mapping(data.get("constraints"), "constraints").items())
    splits = _mapping(data.get("splits"), "splits")
    _known(splits, (OOD_NEAR, OOD_FAR), "splits")
    return Spec(
        name=str(data.get("name", default_name)),
        terms=tuple(terms),
        constraints=constraints,
        near=_shell_split(splits.get(OOD_NEAR), OOD_NEAR, 1.5),
        far=_shell_split(splits.get(OOD_FAR), OOD_FAR, 2.5),
        description=str(data.get("description", "")),
    )


def _known(data: Mapping[str, Any], keys: Sequence[str], where: str) -> None:
    for key in data:
        if key not in keys:
            close = difflib.get_close_matches(str(key), keys, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise ShopfloorError(f"{where}: unknown key {key!r}; {hint}known: {', '.join(keys)}")


def _mapping(value: Any, where: str) -> dict[Any, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ShopfloorError(f"{where}: expected keys and values, got {value!r}")
    return dict(value)


def _pair(value: Any, where: str) -> tuple[float, float]:
    if not isinstance(value, (list, tuple)) or len(value) != 2 or not all(_is_number(v) for v in value):
        raise ShopfloorError(f"{where}: expected two numbers [low, high], got {value!r}")
    return float(value[0]), float(value[1])


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value)


def _optional_number(value: Any, where: str) -> float | None:
    if value is not None and not _is_number(value):
        raise ShopfloorError(f"{where}: expected a number, got {value!r}")
    return None if value is None else float(value)


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise ShopfloorError(f"{where}: expected true or false, got {value!r}")
    return value


def _term(name: str, data: Any, folder: Path | None) -> Term:
    where = f"terms.{name}"
    entry = _mapping(data, where)
    _known(entry, _TERM_KEYS, where)
    for key in ("effect", "distribution"):
        if key not in entry:
            raise ShopfloorError(f"{where}: {key} is missing")
    mode, interval = _mode(entry.get("mode", RESET), f"{where}.mode")
    components = entry.get("components")
    if components is not None and not (
        isinstance(components, (list, tuple)) and components and all(type(c) is int and c >= 0 for c in components)
    ):
        raise ShopfloorError(f"{where}.components: expected a list of component numbers, got {components!r}")
    options = _mapping(entry.get("options"), f"{where}.options")
    for key, value in options.items():
        if not _is_number(value):
            raise ShopfloorError(f"{where}.options.{key}: expected a number, got {value!r}")
    limits = entry.get("limits")
    return Term(
        name=name,
        effect=str(entry["effect"]),
        distribution=distribution_from(entry["distribution"], f"{where}.distribution", folder),
        target=_target(entry.get("target"), f"{where}.target"),
        operation=str(entry.get("operation", "")),
        mode=mode,
        interval_s=interval,
        shared=_flag(entry.get("shared", False), f"{where}.shared"),
        components=None if components is None else tuple(components),
        per_component=_flag(entry.get("per_component", False), f"{where}.per_component"),
        nominal=_optional_number(entry.get("nominal"), f"{where}.nominal"),
        limits=None if limits is None else _pair(limits, f"{where}.limits"),
        options={str(k): float(v) for k, v in options.items()},
        structural=_flag(entry.get("structural", False), f"{where}.structural"),
        unit=str(entry.get("unit", "")),
        description=str(entry.get("description", "")),
    )


def _target(data: Any, where: str) -> Target | None:
    if data is None:
        return None
    if not isinstance(data, Mapping) or len(data) != 1:
        raise ShopfloorError(f"{where}: expected one kind with a pattern, such as {{joint: 'elbow'}}, got {data!r}")
    kind, pattern = next(iter(data.items()))
    try:
        return Target(str(kind), str(pattern))
    except ShopfloorError as error:
        raise ShopfloorError(f"{where}: {error}") from None


def _mode(data: Any, where: str) -> tuple[str, tuple[float, float] | None]:
    if isinstance(data, Mapping):
        if set(data) != {"interval_s"}:
            raise ShopfloorError(f"{where}: expected startup, reset, step or {{interval_s: [low, high]}}, got {data!r}")
        return INTERVAL, _pair(data["interval_s"], f"{where}.interval_s")
    return str(data), None


def _shell_split(data: Any, name: str, widen: float) -> ShellSplit:
    where = f"splits.{name}"
    entry = _mapping(data, where)
    _known(entry, ("widen", "ranges"), where)
    factor = _optional_number(entry.get("widen"), f"{where}.widen")
    ranges = {
        str(k): _pair(v, f"{where}.ranges.{k}") for k, v in _mapping(entry.get("ranges"), f"{where}.ranges").items()
    }
    return ShellSplit(widen if factor is None else factor, ranges)
