"""Configs from YAML files and the command line: inheritance, types, and errors that say what would be right.

A file may begin with `extends: other.yaml`, a path relative to itself; what it says replaces what that file says, key
by key. Values are data: nothing in a file is evaluated. A schedule is a number or `{linear: [start, end]}`.
"""

from __future__ import annotations

import difflib
import math
import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import yaml

from ..envs.registry import EVENT_DRIVEN, NAMESPACE, TASKS
from ..errors import ShopfloorError
from .config import Linear, TrainConfig

CONFIG_DIR = Path(__file__).resolve().parent.parent / "configs" / "train"
Layer = dict[str, Any]


def available() -> list[str]:
    """Names of the configs that come with the package; those that others extend are left out."""
    return sorted(p.stem for p in CONFIG_DIR.glob("*.yaml") if not p.stem.startswith("base_"))


def find(target: str) -> Path | str:
    """What the first argument of `shopfloor train` means: a YAML file, or an environment id without a config.

    Args:
        target: a path, the name of a config of the package, or an environment id.

    Raises:
        ShopfloorError: if it is none of these; lists what there is.
    """
    if target.endswith((".yaml", ".yml")):
        path = Path(target)
        if not path.is_file():
            raise ShopfloorError(f"no config file {target}; configs of the package: {', '.join(available())}")
        return path
    if target in available():
        return CONFIG_DIR / f"{target}.yaml"
    name = target.removeprefix(f"{NAMESPACE}:").removeprefix(f"{NAMESPACE}/")
    if name in TASKS or name in EVENT_DRIVEN:
        path = CONFIG_DIR / f"{_snake(name)}.yaml"
        return path if path.is_file() else f"{NAMESPACE}/{name}"
    near = nearest(name, [*TASKS, *EVENT_DRIVEN, *available()])
    known = ", ".join([*TASKS, *EVENT_DRIVEN])
    raise ShopfloorError(
        f"no environment or config {target!r}; {f'did you mean {near}? ' if near else ''}"
        f"environments: {known}; configs: {', '.join(available())}; or give the path of a YAML file"
    )


def load(target: str | Path, overrides: Layer | None = None) -> TrainConfig:
    """Read a config.

    Args:
        target: see `find`; an id without a config of its own trains with `base_ppo.yaml`.
        overrides: what replaces values of the file, from `parse_overrides`.

    Raises:
        ShopfloorError: if a file is missing or malformed, a key is unknown or a value is wrong.
    """
    found = find(str(target))
    if isinstance(found, Path):
        layer = read_layer(found)
    else:
        layer = merge(read_layer(CONFIG_DIR / "base_ppo.yaml"), {"env": {"id": found}})
    try:
        return build(TrainConfig, merge(layer, overrides or {}))
    except ShopfloorError as error:
        raise ShopfloorError(f"{found}: {error}") from None


def read_layer(path: Path, seen: tuple[Path, ...] = ()) -> Layer:
    """A file's values, checked and merged over those of the file that it extends."""
    path = path.resolve()
    if path in seen:
        chain = " -> ".join(p.name for p in (*seen, path))
        raise ShopfloorError(f"{seen[0]}: configs extend each other in a circle: {chain}")
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        by = f" (extended by {seen[-1]})" if seen else ""
        raise ShopfloorError(f"cannot read the config {path}{by}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ShopfloorError(f"{path} is not YAML: {error}") from None
    data = {} if data is None else data
    if not isinstance(data, dict):
        raise ShopfloorError(f"{path} must hold keys and values, got {_shown(data)}")
    base = data.pop("extends", None)
    if base is not None and not isinstance(base, str):
        raise ShopfloorError(f"{path}: extends must be the path of a YAML file, got {_shown(base)}")
    layer = _located(typed(data, TrainConfig, str(path)), path.parent)
    return layer if base is None else merge(read_layer(path.parent / base, (*seen, path)), layer)


def _located(layer: Layer, folder: Path) -> Layer:
    """The layer with the path of a randomization made absolute, so that it means the same from everywhere."""
    spec = layer.get("randomization", {}).get("spec")
    if spec is None or not spec.endswith((".yaml", ".yml")):
        return layer
    return merge(layer, {"randomization": {"spec": str((folder / spec).resolve())}})


def merge(base: Layer, top: Layer) -> Layer:
    """`top` over `base`, section by section."""
    out = dict(base)
    for key, value in top.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = merge(out[key], value) if both else value
    return out


def build(cls: type, layer: Mapping[str, Any]) -> Any:
    """The dataclass of checked values."""
    hints = typing.get_type_hints(cls)
    return cls(**{k: build(hints[k], v) if is_dataclass(hints[k]) else v for k, v in layer.items()})


def typed(data: Mapping[Any, Any], cls: type, source: str, prefix: str = "") -> Layer:
    """Check keys and types of raw values against a dataclass, without filling in what is missing.

    Raises:
        ShopfloorError: naming the source, the key, the value and what is expected.
    """
    hints = typing.get_type_hints(cls)
    known = [f.name for f in fields(cls)]
    out: Layer = {}
    for key, value in data.items():
        if key not in known:
            near = nearest(f"{prefix}{key}", [*(f"{prefix}{k}" for k in known), *keys()])
            hint = f"did you mean {near}? " if near else ""
            raise ShopfloorError(f"{source}: unknown key {prefix}{key}; {hint}known here: {', '.join(known)}")
        hint_type = hints[key]
        if is_dataclass(hint_type) and isinstance(hint_type, type):
            if not isinstance(value, Mapping):
                raise ShopfloorError(f"{source}: {prefix}{key} must be a section of keys, got {_shown(value)}")
            out[key] = typed(value, hint_type, source, f"{prefix}{key}.")
        else:
            out[key] = convert(value, hint_type, f"{source}: {prefix}{key}")
    return out


def convert(value: Any, hint: Any, where: str) -> Any:
    """A raw value as the type that a field wants.

    Raises:
        ShopfloorError: naming the place, the value and what is expected.
    """
    origin, options = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        for kind in options:
            try:
                return convert(value, kind, where)
            except ShopfloorError:
                continue
    elif origin is Literal:
        if value in options:
            return value
    elif origin is tuple:
        if isinstance(value, (list, tuple)):
            return tuple(convert(v, options[0], where) for v in value)
    elif origin is dict:
        if isinstance(value, Mapping) and all(isinstance(k, str) for k in value):
            return dict(value)
    elif hint is Linear:
        if isinstance(value, Mapping) and value.keys() == {"linear"} and _is_pair(value["linear"]):
            start, end = (convert(v, float, where) for v in value["linear"])
            return Linear(start, end)
    elif hint is float or hint is int:
        number = _number(value)
        if number is not None and (hint is float or number == int(number)):
            return hint(number)
    elif value is None and hint is type(None):
        return None
    elif isinstance(value, hint):
        return value
    raise ShopfloorError(f"{where} must be {_expected(hint)}, got {_shown(value)}")


def _is_pair(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2


def _number(value: Any) -> float | int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str):
        # YAML reads 1e-3 as text because it has no decimal point; whoever writes it means the number
        if not re.fullmatch(r"[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d+)?", value):
            return None
        value = float(value.replace("_", ""))
    return value if math.isfinite(value) else None


def _expected(hint: Any) -> str:
    origin, options = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(_expected(kind) for kind in options)
    if origin is Literal:
        return f"one of {', '.join(options)}"
    if origin is tuple:
        return "a list of whole numbers"
    if origin is dict:
        return "a section of keys"
    names: dict[Any, str] = {
        int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "null",
        Linear: "{linear: [start, end]}",
    }  # fmt: skip
    return names[hint]


# -- command line ---------------------------------------------------------------------------------------------


def keys(cls: type = TrainConfig, prefix: str = "") -> dict[str, tuple[Any, str]]:
    """Type and help line of every value by dotted key."""
    out: dict[str, tuple[Any, str]] = {}
    hints = typing.get_type_hints(cls)
    for f in fields(cls):
        hint = hints[f.name]
        if is_dataclass(hint) and isinstance(hint, type):
            out.update(keys(hint, f"{prefix}{f.name}."))
        else:
            out[f"{prefix}{f.name}"] = hint, f.metadata["help"]
    return out


def parse_overrides(words: Sequence[str]) -> Layer:
    """Values from `--section.key value`, `--section.key=value` or `section.key=value`.

    Dashes and underscores are the same, and a relative path is relative to the working directory.

    Raises:
        ShopfloorError: if a flag is unknown, lacks its value or has a wrong one.
    """
    layer: Layer = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        bare = re.match(r"[a-z][\w.-]*=", word)
        if not bare and not word.startswith("--"):
            raise ShopfloorError(f"unexpected argument {word!r}; options are given as --key value or key=value")
        flag, equals, value = f"--{word}".partition("=") if bare else word.partition("=")
        if not equals:
            if not rest or re.match(r"--[a-zA-Z]", rest[0]):
                raise ShopfloorError(f"{flag} needs a value")
            value = rest.pop(0)
        key = flag[2:].replace("-", "_")
        layer = merge(layer, _override(flag, key, value))
    return _located(layer, Path.cwd())


def _override(flag: str, key: str, text: str) -> Layer:
    known = keys()
    if key.startswith("env.kwargs.") and key != "env.kwargs.":
        value, path = _parsed(text), key.split(".", 2)
    elif key in known:
        hint = known[key][0]
        raw = text if hint is str else _parsed(text)
        one = get_origin(hint) is tuple and not isinstance(raw, list)  # --network.sizes 64 is a list of one
        value = convert([raw] if one else raw, hint, flag)
        path = key.split(".")
    else:
        near = nearest(key, list(known))
        hint = f"did you mean --{near}? " if near else ""
        raise ShopfloorError(f"unknown option {flag}; {hint}`shopfloor train --help` lists all options")
    for part in reversed(path):
        value = {part: value}
    return dict(value)


def _parsed(text: str) -> Any:
    if re.fullmatch(r"\s*[^\[\]{}:,]+(,[^\[\]{}:,]+)+\s*", text):  # 64,64 is [64, 64]
        text = f"[{text}]"
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The known word that `word` was probably meant to be: the same last part, or a similar spelling."""
    last = word.rpartition(".")[2]
    same = [k for k in known if k.rpartition(".")[2] == last]
    close = same or difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return close[0] if close else None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 80 else f"{text[:76]} ..."


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.rpartition("-v")[0] or name).lower()
