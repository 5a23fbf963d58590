"""The policy contract: what a policy reads, what it commands, at which rate, and what it was trained on.

A contract travels with every exported policy. The controller runtime compares it with what the control layer offers
before the first command, and builds the observation vector from it. Only numpy and the standard library are needed.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import ShopfloorError

SCHEMA_VERSION = 1

T = TypeVar("T")


@dataclass(frozen=True)
class ObservationTerm:
    """One named reading and how it enters the observation vector.

    Attributes:
        name: reading name.
        size: components of one reading.
        unit: SI unit of every component, "1" for a ratio.
        frame: frame in which a vector is expressed, "" where that means nothing.
        low, high: range (size,) of a reading; values outside are clipped to it.
        offset, scale: (size,), how the policy's graph normalises a reading: `(reading - offset) / scale`.
        history: successive readings in the vector, oldest first, all the first one when an episode begins.
        rate_hz: rate of new readings.
        latency_s: age of the newest reading.
        noise, bias, quantization: standard deviations and step that the policy was trained with, in `unit`.
        labels: a name for each component, or none.
    """

    name: str
    size: int
    unit: str
    frame: str
    low: tuple[float, ...]
    high: tuple[float, ...]
    offset: tuple[float, ...]
    scale: tuple[float, ...]
    history: int
    rate_hz: float
    latency_s: float
    noise: float
    bias: float
    quantization: float
    labels: tuple[str, ...]


@dataclass(frozen=True)
class SetpointTerm:
    """One component of the set-point vector: its name, unit, range and frame."""

    name: str
    unit: str
    low: float
    high: float
    frame: str


@dataclass(frozen=True)
class Provenance:
    """Where a policy comes from; empty in the description of an environment or a control layer.

    Attributes:
        packages: versions by name.
        git_commit, run, training_steps, seed, created_utc: the training.
        randomization: what machines it was trained on: `split` of the randomization, and unless that is nominal its
            `spec` by name, that spec's `hash` and the `curriculum`; empty in contracts that say nothing of it.
    """

    packages: dict[str, str] = field(default_factory=dict)
    git_commit: str = ""
    run: str = ""
    training_steps: int = 0
    seed: int = 0
    created_utc: str = ""
    # contracts of the first releases lack it
    randomization: dict[str, str] = field(default_factory=dict, metadata={"optional": True})


@dataclass(frozen=True)
class Contract:
    """The policy contract.

    A policy commands set-points at a rate, or it decides: asked whenever the machine is ready for its next decision, it
    names one of numbered `decisions` that a mask allows, and what was decided takes as long as it takes. A contract of
    the second kind has no rates (`control_hz`, `timestep_s`, `decimation` and each `rate_hz` are 0) and no set-points.

    Attributes:
        schema_version: of this file format.
        env_id, task_kwargs: the environment the policy was trained in, with all its task arguments.
        fingerprint: of its physics model and declaration; "" where a control layer has none to give.
        control_hz: commands a second.
        timestep_s, decimation: physics step of the training, and physics steps a command.
        interface: name of the action interface.
        limits: what the action interface enforced in training, as plain data.
        expected_latency_s: time from reading to command that training assumed.
        observation, action: terms in vector order.
        provenance: where the policy comes from.
        decisions: what each number means that a deciding policy may answer; empty for one that commands set-points.
    """

    schema_version: int
    env_id: str
    task_kwargs: dict[str, Any]
    fingerprint: str
    control_hz: float
    timestep_s: float
    decimation: int
    interface: str
    limits: dict[str, Any]
    expected_latency_s: float
    observation: tuple[ObservationTerm, ...]
    action: tuple[SetpointTerm, ...]
    provenance: Provenance = Provenance()
    # contracts of policies that command set-points lack it
    decisions: tuple[str, ...] = field(default=(), metadata={"optional": True})

    @property
    def width(self) -> int:
        """Components of the observation vector, history included."""
        return sum(t.size * t.history for t in self.observation)

    @property
    def inputs(self) -> int:
        """Numbers that the policy takes: the observation vector, and after it the mask of decisions if it decides."""
        return self.width + len(self.decisions)

    @property
    def outputs(self) -> int:
        """Numbers that the policy gives: the set-point vector, or a logit for each decision."""
        return len(self.decisions) or len(self.action)

    @property
    def setpoint_bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Range of the set-point vector, two arrays (size,)."""
        return np.array([t.low for t in self.action]), np.array([t.high for t in self.action])

    def to_json(self) -> str:
        """Readable JSON, the content of a bundle's contract.json."""
        return json.dumps(self._plain(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @property
    def sha256(self) -> str:
        """Hash of the canonical JSON, independent of layout."""
        return sha256_of(self._plain())

    def _plain(self) -> dict[str, Any]:
        data = dataclasses.asdict(self)
        if not self.provenance.randomization:  # as before there was this entry, so that old contracts keep their hash
            del data["provenance"]["randomization"]
        if not self.decisions:
            del data["decisions"]
        return data

    @classmethod
    def from_json(cls, text: str | bytes, source: str = "contract") -> Contract:
        """Parse and check a contract.

        Args:
            text: the JSON.
            source: what errors call it.

        Raises:
            ShopfloorError: at the first unknown, missing, wrongly typed or inconsistent entry, with its JSON path.
        """
        data = parse_json(text, source)
        version = data.get("schema_version") if isinstance(data, dict) else None
        if isinstance(version, int) and version != SCHEMA_VERSION:
            raise ShopfloorError(
                f"{source}: schema version {version}, this shopfloor reads {SCHEMA_VERSION}; "
                "export the policy again with this version"
            )
        contract = decode(cls, data, source)
        _check(contract, source)
        return contract


# -- JSON -------------------------------------------------------------------------------------------------------


def plain(value: Any, where: str = "value") -> Any:
    """`value` as JSON data: arrays and tuples become lists, infinite numbers (no bound) become null.

    Raises:
        ShopfloorError: if something in it has no JSON form.
    """
    if isinstance(value, Mapping):
        return {str(k): plain(v, f"{where}.{k}") for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist(), where)
    if isinstance(value, (list, tuple)):
        return [plain(v, f"{where}[{i}]") for i, v in enumerate(value)]
    if isinstance(value, np.generic):
        return plain(value.item(), where)
    if isinstance(value, float):
        if math.isnan(value):
            raise ShopfloorError(f"{where} is not a number")
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    raise ShopfloorError(f"{where} is a {type(value).__name__}, which cannot be written to JSON: {value!r}")


def canonical_json(data: Any) -> str:
    """One text for equal data: sorted keys, no white space, floats in their shortest exact form."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256_of(data: Any) -> str:
    """Hex SHA-256 of the canonical JSON of plain data."""
    return hashlib.sha256(canonical_json(data).encode()).hexdigest()


def parse_json(text: str | bytes, source: str) -> Any:
    """JSON data; a key that stands twice and a number that is not finite are errors."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        out = dict(pairs)
        if len(out) != len(pairs):
            names = [k for k, _ in pairs]
            twice = next(k for k in names if names.count(k) > 1)
            raise ShopfloorError(f"{source}: the key {twice!r} stands twice in one object")
        return out

    def refuse(constant: str) -> Any:
        raise ShopfloorError(f"{source}: {constant} is not a number that JSON has")

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ShopfloorError(f"{source} is not JSON: {error}") from None


def decode(kind: type[T], data: Any, source: str) -> T:
    """A dataclass from JSON data, strictly.

    Raises:
        ShopfloorError: at the first unknown, missing or wrongly typed entry, with its JSON path.
    """
    decoded: T = _decode(kind, data, f"{source}: $")
    return decoded


_SCALARS: dict[Any, tuple[tuple[type, ...], str]] = {
    str: ((str,), "text"),
    int: ((int,), "an integer"),
    float: ((int, float), "a number"),
    bool: ((bool,), "true or false"),
}


def _decode(kind: Any, data: Any, path: str) -> Any:
    if kind is Any:
        return data
    if kind in _SCALARS:
        types, noun = _SCALARS[kind]
        if not isinstance(data, types) or (isinstance(data, bool) and kind is not bool):
            raise ShopfloorError(f"{path} must be {noun}, got {_short(data)}")
        value = kind(data)
        # 1e999 parses to infinity
        if kind is float and not math.isfinite(value):
            raise ShopfloorError(f"{path} must be a finite number, got {value}")
        return value
    if get_origin(kind) is tuple:
        if not isinstance(data, list):
            raise ShopfloorError(f"{path} must be a list, got {_short(data)}")
        return tuple(_decode(get_args(kind)[0], item, f"{path}[{i}]") for i, item in enumerate(data))
    if not isinstance(data, dict):
        raise ShopfloorError(f"{path} must be an object, got {_short(data)}")
    if get_origin(kind) is dict:
        return {key: _decode(get_args(kind)[1], item, f"{path}.{key}") for key, item in data.items()}
    hints = get_type_hints(kind)
    for key in data:
        if key not in hints:
            close = difflib.get_close_matches(key, hints, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise ShopfloorError(f"{path}.{key} is unknown; {hint}known here: {', '.join(hints)}")
    for entry in dataclasses.fields(kind):
        if entry.name not in data and not entry.metadata.get("optional"):
            raise ShopfloorError(f"{path}.{entry.name} is missing")
    return kind(**{key: _decode(hint, data[key], f"{path}.{key}") for key, hint in hints.items() if key in data})


def _short(data: Any) -> str:
    text = json.dumps(data, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _check(contract: Contract, source: str) -> None:
    """What types cannot say: sizes, ranges, rates and unique names."""
    _check_timing(contract, source)
    named = [("observation", [t.name for t in contract.observation])]
    named.append(("decisions", list(contract.decisions)) if contract.decisions else
                 ("action", [t.name for t in contract.action]))  # fmt: skip
    for part, names in named:
        if not names or len(set(names)) != len(names):
            raise ShopfloorError(f"{source}: $.{part} must hold terms of different names, got {names}")
    for i, term in enumerate(contract.observation):
        where = f"{source}: $.observation[{i}]"
        if term.size < 1 or term.history < 1:
            raise ShopfloorError(f"{where} ({term.name}): size and history must be positive")
        for key in ("low", "high", "offset", "scale"):
            if len(getattr(term, key)) != term.size:
                raise ShopfloorError(f"{where}.{key} must hold {term.size} numbers, got {len(getattr(term, key))}")
        if not all(a < b for a, b in zip(term.low, term.high, strict=True)) or 0.0 in term.scale:
            raise ShopfloorError(f"{where} ({term.name}): needs low < high and a scale that is not 0")
    for i, component in enumerate(contract.action):
        if not component.low < component.high:
            raise ShopfloorError(f"{source}: $.action[{i}] ({component.name}): needs low < high")


def _check_timing(contract: Contract, source: str) -> None:
    """Rates are positive, or 0 throughout where a policy decides, which has no set-points either."""
    rates = {name: float(getattr(contract, name)) for name in ("control_hz", "timestep_s", "decimation")}
    rates |= {f"observation[{i}].rate_hz": term.rate_hz for i, term in enumerate(contract.observation)}
    for name, value in rates.items():
        if contract.decisions and value != 0.0:
            raise ShopfloorError(f"{source}: $.{name} must be 0 for a policy that decides, got {value}")
        if not contract.decisions and not value > 0.0:
            raise ShopfloorError(f"{source}: $.{name} must be positive, got {value}")
    if contract.decisions and (contract.action or len(contract.decisions) < 2):
        raise ShopfloorError(f"{source}: a policy that decides has two $.decisions or more and an empty $.action")


# -- compatibility ----------------------------------------------------------------------------------------------

_OBSERVATION_FIELDS = ("size", "unit", "frame", "low", "high", "history", "rate_hz", "latency_s")
_ACTION_FIELDS = ("unit", "low", "high", "frame")


def check_compatible(contract: Contract, other: Contract) -> list[str]:
    """Every difference between what a policy was trained for and what is offered, each in words; empty if none.

    Args:
        contract: of the policy.
        other: of an environment or a control layer. Its provenance does not matter, and what it leaves empty
            (`env_id`, `fingerprint`) is not compared: a machine has no physics model.
    """
    if contract.env_id and other.env_id and contract.env_id != other.env_id:
        # every other difference follows from this one
        return [f"environment: the policy is for {contract.env_id}, this is {other.env_id}"]
    out = list(_differences("control rate (Hz)", contract.control_hz, other.control_hz))
    out += _compare_terms("reading", contract.observation, other.observation, _OBSERVATION_FIELDS)
    out += _compare_terms("set-point", contract.action, other.action, _ACTION_FIELDS)
    out += list(_differences("decisions", contract.decisions, other.decisions))
    out += list(_differences("action interface", contract.interface, other.interface))
    out += list(_differences("limits", contract.limits, other.limits))
    if contract.fingerprint and other.fingerprint:
        offered = other.task_kwargs
        if contract.fingerprint == other.fingerprint:
            # an argument that is younger than the policy has a value that changes nothing
            offered = {k: v for k, v in offered.items() if k in contract.task_kwargs}
        out += list(_differences("task arguments", contract.task_kwargs, offered))
        out += list(_differences("physics step (s)", contract.timestep_s, other.timestep_s))
        if contract.fingerprint != other.fingerprint:
            out.append(
                f"environment fingerprint: the policy was trained on {contract.fingerprint[:12]}, this is "
                f"{other.fingerprint[:12]}: model, rewards, sensors or start distribution have changed"
            )
    return out


def _compare_terms(noun: str, ours: Sequence[Any], theirs: Sequence[Any], fields: Sequence[str]) -> list[str]:
    mine, offered = {t.name: t for t in ours}, {t.name: t for t in theirs}
    out = [f"{noun} {name!r} is expected but not offered" for name in mine if name not in offered]
    out += [f"{noun} {name!r} is offered but the policy does not know it" for name in offered if name not in mine]
    if not out and list(mine) != list(offered):
        out.append(f"{noun}s are in another order: expected {', '.join(mine)}; offered {', '.join(offered)}")
    for name in mine:
        for key in fields if name in offered else ():
            where = f"{noun} {name!r}, {key}"
            out += list(_differences(where, getattr(mine[name], key), getattr(offered[name], key)))
    return out


def _differences(where: str, expected: Any, offered: Any) -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(offered, dict):
        for key in sorted({*expected, *offered}):
            yield from _differences(f"{where}, {key}", expected.get(key), offered.get(key))
    elif expected != offered:
        yield f"{where}: expected {_readable(expected)}, offered {_readable(offered)}"


def _readable(value: Any) -> str:
    if value is None or value == "":
        return "nothing"
    return _short(list(value)) if isinstance(value, tuple) else str(value)


# -- observation ------------------------------------------------------------------------------------------------


class ObservationAssembler:
    """Builds the observation vector from named readings, bit for bit as the simulated sensors do in training.

    Args:
        terms: the contract's observation terms.

    Attributes:
        width: components of the vector.
        saturated: names of readings that were outside their range in the last call.
    """

    def __init__(self, terms: Sequence[ObservationTerm]):
        self._terms = tuple(terms)
        self.width = sum(t.size * t.history for t in self._terms)
        self.saturated: tuple[str, ...] = ()
        self._low = [np.array(t.low) for t in self._terms]
        self._high = [np.array(t.high) for t in self._terms]
        self._history: list[NDArray[np.float64]] | None = None

    def reset(self) -> None:
        """Forget the past: the next readings are the first of an episode."""
        self._history = None

    def __call__(self, readings: Mapping[str, ArrayLike]) -> NDArray[np.float32]:
        """Observation (width,) float32, a fresh array, with these readings, each (size,), as the newest.

        Raises:
            ShopfloorError: if a reading is missing, of another size or not finite; the past is then left as it was.
        """
        values = [self._reading(t, readings) for t in self._terms]
        clipped = [
            np.where(v < low, low, np.where(v > high, high, v))
            for v, low, high in zip(values, self._low, self._high, strict=True)
        ]
        self.saturated = tuple(
            t.name for t, v, c in zip(self._terms, values, clipped, strict=True) if not np.array_equal(v, c)
        )
        if self._history is None:
            self._history = [np.tile(c, (t.history, 1)) for t, c in zip(self._terms, clipped, strict=True)]
        else:
            for past, newest in zip(self._history, clipped, strict=True):
                past[:-1] = past[1:].copy()
                past[-1] = newest
        return np.concatenate([past.reshape(-1) for past in self._history]).astype(np.float32)

    @staticmethod
    def _reading(term: ObservationTerm, readings: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
        if term.name not in readings:
            raise ShopfloorError(f"the reading {term.name!r} is missing; there are: {', '.join(readings) or 'none'}")
        value = np.atleast_1d(np.asarray(readings[term.name], dtype=np.float64))
        if value.shape != (term.size,):
            raise ShopfloorError(f"the reading {term.name!r} must hold {term.size} numbers, got shape {value.shape}")
        if not np.isfinite(value).all():
            raise ShopfloorError(f"the reading {term.name!r} is not finite: {value.tolist()}")
        return value
