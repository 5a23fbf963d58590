"""Randomization of model fields: always from nominal, with what belongs together changed together.

Effects write into fields of shape (n, ...), a value for each row. They work the same on a batch of simulations and on
the model of one plain MuJoCo environment; see `Plant`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from .catalogue import SCALE, constant_inputs
from .inertia import perturbed_inertia
from .spec import Term, operate
from .targets import Found, resolve

Array = NDArray[np.float64]
Rows = NDArray[np.intp]


class Plant(Protocol):
    """What model effects need of a simulation."""

    n: int
    model: mujoco.MjModel

    def field(self, name: str) -> Array:
        """A model field with a value for each row, (n, ...), writable."""

    def stale(self, rows: Rows) -> None:
        """Note that derived constants of rows must be computed anew before physics goes on."""


class BoundTerm:
    """A term that knows what it acts on.

    Attributes:
        term: the declaration.
        names: a name for each component.
        size: number of components.
        nominal: (size,) the value of the machine as designed, NaN where only the task knows it.
        fields: model fields that it writes, with the columns of their flattened rows.
        apply: writes values (k, size) for rows (k,); restored fields are expected.
    """

    def __init__(
        self,
        term: Term,
        names: Sequence[str],
        nominal: Array | float,
        fields: Mapping[str, Rows],
        apply: Callable[[Rows, Array], None],
    ):
        self.term = term
        self.names = tuple(names)
        self.size = len(self.names)
        self.nominal = np.broadcast_to(np.asarray(nominal, dtype=np.float64), (self.size,)).copy()
        self.fields = dict(fields)
        self.apply = apply


class ModelEffects:
    """The model terms of a spec on one plant.

    Args:
        plant: the simulations.
        terms: terms of model fields.
    """

    def __init__(self, plant: Plant, terms: Sequence[Term]):
        self._plant = plant
        self.bound = [_bind(plant, term) for term in terms]
        columns: dict[str, set[int]] = {}
        for bound in self.bound:
            for name, cols in bound.fields.items():
                columns.setdefault(name, set()).update(cols.tolist())
        self.columns = {k: np.array(sorted(v), dtype=np.intp) for k, v in columns.items()}
        self._flat = {name: FlatField(plant, name) for name in self.columns}
        self._nominal = {name: _nominal(plant.model, name)[cols] for name, cols in self.columns.items()}
        self._rehearsal: ModelEffects | None = None
        self._derived = bool(constant_inputs().intersection(self.columns))

    def restore(self, rows: Rows) -> None:
        """Nominal values in the given rows, of every field value that a term may change."""
        for name, cols in self.columns.items():
            self._flat[name].values[rows[:, None], cols] = self._nominal[name]
        if self._derived:
            self._plant.stale(rows)

    def apply(self, rows: Rows, values: Mapping[str, Array], active: Mapping[str, NDArray[np.bool_]]) -> None:
        """Restore, then write the values (k, size) of the terms that are active in each row (k,)."""
        if not self.bound:
            return
        self.restore(rows)
        for bound in self.bound:
            name = bound.term.name
            on = active[name]
            if on.all():
                bound.apply(rows, values[name])
            elif on.any():
                bound.apply(rows[on], values[name][on])

    def rehearse(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """Field values (k, columns) that values (k, size) of all terms would lead to; the plant stays as it is."""
        count = len(next(iter(values.values())))
        if self._rehearsal is None or self._rehearsal._plant.n != count:
            self._rehearsal = ModelEffects(_Scratch(self._plant.model, count), [b.term for b in self.bound])
        rows = np.arange(count)
        self._rehearsal.apply(rows, values, dict.fromkeys(values, np.ones(count, dtype=bool)))
        return self._rehearsal.snapshot(rows)

    def put(self, row: int, fields: Mapping[str, Array], index: int) -> None:
        """Write row `index` of rehearsed field values into one row of the plant."""
        for name, values in fields.items():
            self._flat[name].values[row, self.columns[name]] = values[index]
        if self._derived:
            self._plant.stale(np.array([row]))

    def snapshot(self, rows: Rows) -> dict[str, Array]:
        """The field values that terms may have changed, (k, columns) by field."""
        return {name: self._flat[name].values[rows[:, None], cols] for name, cols in self.columns.items()}

    def overwritten(self, before: Mapping[str, Array], rows: Rows) -> str | None:
        """A field that somebody else has written since `snapshot`, if any."""
        now = self.snapshot(rows)
        return next((name for name, values in before.items() if not np.array_equal(values, now[name])), None)


class _Scratch:
    """The model fields of a few rows, apart from any simulation."""

    def __init__(self, model: mujoco.MjModel, n: int):
        self.model = model
        self.n = n
        self._fields: dict[str, Array] = {}

    def field(self, name: str) -> Array:
        """A field (n, ...), as designed when it is first asked for."""
        if name not in self._fields:
            self._fields[name] = np.repeat(nominal_field(self.model, name)[None], self.n, axis=0)
        return self._fields[name]

    def stale(self, rows: Rows) -> None:
        """Nothing derives from these."""


class FlatField:
    """A field with its rows flattened, taken from the plant when it is first written.

    A field that nobody randomizes stays the model's, which costs nothing in a step.
    """

    def __init__(self, plant: Plant, name: str):
        self._plant = plant
        self._name = name

    @functools.cached_property
    def values(self) -> Array:
        """(n, columns), a view."""
        array = self._plant.field(self._name)
        flat = array.reshape(self._plant.n, -1)
        if array.size and not np.shares_memory(flat, array):  # a copy would swallow every write
            raise ShopfloorError(f"the field {self._name} is not contiguous in memory")
        return flat


def nominal_field(model: mujoco.MjModel, name: str) -> Array:
    """A field of the compiled model, as designed."""
    owner: Any = model
    for part in name.split("."):
        owner = getattr(owner, part)
    return np.array(owner, dtype=np.float64)


def _nominal(model: mujoco.MjModel, name: str) -> Array:
    return nominal_field(model, name).reshape(-1)


def _bind(plant: Plant, term: Term) -> BoundTerm:
    special = _SPECIAL.get(term.effect)
    return special(plant, term) if special is not None else _bind_field(plant, term)


def _labels(term: Term, found: Found, width: int) -> list[str]:
    """Component names: one for each target (or one for all), times the components that have numbers of their own."""
    things = ["all"] if term.shared or not found.names else list(found.names)
    return things if width == 1 else [f"{t}[{c}]" for t in things for c in range(width)]


def _bind_field(plant: Plant, term: Term) -> BoundTerm:
    """A term on a model field as it is."""
    model, name = plant.model, term.effect
    nominal = nominal_field(model, name)
    found = resolve(model, term, name)
    if name.startswith("opt."):
        nominal = nominal.reshape(1, -1)
    per_target = nominal.reshape(nominal.shape[0], -1) if nominal.ndim else nominal.reshape(1, 1)
    count = per_target.shape[1]
    chosen = np.arange(count) if term.components is None else np.array(term.components)
    if chosen.max() >= count:
        raise ShopfloorError(f"term {term.name!r}: {name} has {count} components a target, got {chosen.max()}")
    _check_friction(model, term, found)
    designed = per_target[found.index][:, chosen]
    if term.operation == SCALE and not designed.any():
        raise ShopfloorError(
            f"term {term.name!r}: {name} is 0 in everything that its target matches, so that a factor changes nothing; "
            f"use operation 'add' or 'set'"
        )
    cols = (found.index[:, None] * count + chosen).reshape(-1)
    whole = found.index[:, None] * count + np.arange(count)
    unit = name.endswith(("quat", "jnt_axis"))
    width = chosen.size if term.per_component else 1
    # which of the term's numbers each column takes
    target = np.zeros(found.index.size, np.intp) if term.shared else np.arange(found.index.size)
    part = np.arange(chosen.size) if term.per_component else np.zeros(chosen.size, np.intp)
    spread = (target[:, None] * width + part).reshape(-1)
    labels = _labels(term, found, width)
    given = term.nominal
    if given is None:
        first = designed[:1] if term.shared else designed
        known = (first if term.per_component else first[:, :1]).reshape(-1)
    else:
        known = np.full(len(labels), given)
    field, operation = FlatField(plant, name), term.operation

    def apply(rows: Rows, values: Array) -> None:
        flat, spot = field.values, (rows[:, None], cols)
        flat[spot] = _possible(term, operate(operation, flat[spot], values[:, spread]))
        if unit:  # MuJoCo takes for granted what a compiler has made so
            vectors = flat[rows[:, None, None], whole]
            flat[rows[:, None, None], whole] = vectors / np.sqrt((vectors * vectors).sum(axis=-1, keepdims=True))

    _possible(term, operate(operation, designed, np.array(term.distribution.support[0])))
    inputs = {name: whole.reshape(-1) if unit else cols}
    stale = name in constant_inputs()
    return BoundTerm(term, labels, known, inputs, _with_stale(plant, apply) if stale else apply)


def _possible(term: Term, values: Any) -> Array:
    """The values of a field, or of a mass, that a term comes to.

    Raises:
        ShopfloorError: if one lies outside what the effect allows; what is added to a value may lead there.
    """
    values, (least, most) = np.asarray(values), term.info.limits
    if values.size and (values.min() < least or values.max() > most):
        worst = float(values.min() if values.min() < least else values.max())
        raise ShopfloorError(
            f"term {term.name!r}: {term.effect} would become {worst:g}, outside [{least:g}, {most:g}]; narrow the "
            f"range or give the term limits"
        )
    return values


def _with_stale(plant: Plant, apply: Callable[[Rows, Array], None]) -> Callable[[Rows, Array], None]:
    def both(rows: Rows, values: Array) -> None:
        apply(rows, values)
        plant.stale(rows)

    return both


def _check_friction(model: mujoco.MjModel, term: Term, found: Found) -> None:
    """A contact takes the larger friction of its two geoms unless one has priority: the smaller one is never felt."""
    if term.effect != "geom_friction":
        return
    dynamic = model.geom_contype | model.geom_conaffinity
    for geom in found.index.tolist():
        meets = (model.geom_contype[geom] & model.geom_conaffinity) | (
            model.geom_conaffinity[geom] & model.geom_contype
        )
        others = np.flatnonzero((meets != 0) & (dynamic != 0) & (model.geom_bodyid != model.geom_bodyid[geom]))
        others = np.setdiff1d(others, found.index)
        lowest = operate(term.operation, model.geom_friction[geom, 0], term.distribution.support[0])
        hidden = others[
            (model.geom_priority[others] == model.geom_priority[geom]) & (model.geom_friction[others, 0] > lowest)
            | (model.geom_priority[others] > model.geom_priority[geom])
        ]  # fmt: skip
        if hidden.size:
            name, other = (mujoco.mj_id2name(model, int(mujoco.mjtObj.mjOBJ_GEOM), int(g)) for g in (geom, hidden[0]))
            raise ShopfloorError(
                f"term {term.name!r}: contacts take the larger friction, so that of geom {name!r} can stay hidden "
                f"behind {other!r}; give {name!r} a higher priority, or randomize explicit pairs (pair_friction)"
            )


def _bind_mass(plant: Plant, term: Term) -> BoundTerm:
    """Mass of a body, with an inertia that follows."""
    model, found = plant.model, resolve(plant.model, term)
    if (model.body_mass[found.index] <= 0.0).any():
        bad = found.names[int(np.argmin(model.body_mass[found.index]))]
        raise ShopfloorError(f"term {term.name!r}: body {bad!r} has no mass to randomize")
    body, operation = found.index, term.operation
    compensation = _Compensation(plant, body)
    spread = np.zeros(body.size, np.intp) if term.shared else np.arange(body.size)

    def apply(rows: Rows, values: Array) -> None:
        mass, inertia, spot = plant.field("body_mass"), plant.field("body_inertia"), (rows[:, None], body)
        before = mass[spot]
        ratio = _possible(term, operate(operation, before, values[:, spread])) / before
        mass[spot] = before * ratio
        inertia[spot] *= ratio[:, :, None]
        compensation.keep(rows, ratio)
        plant.stale(rows)

    _possible(term, operate(operation, model.body_mass[body], term.distribution.support[0]))
    labels = _labels(term, found, 1)
    known = model.body_mass[body][: len(labels)] if term.nominal is None else term.nominal
    fields = {"body_mass": body, "body_inertia": (body[:, None] * 3 + np.arange(3)).reshape(-1)}
    fields |= compensation.fields
    return BoundTerm(term, labels, known, fields, apply)


class _Compensation:
    """Gravity compensation of bodies whose mass changes: a controller that compensates knows the nominal mass only."""

    def __init__(self, plant: Plant, body: Rows):
        self._plant = plant
        self._on = np.flatnonzero(plant.model.body_gravcomp[body] != 0.0)
        self._body = body[self._on]
        self.fields: dict[str, Rows] = {"body_gravcomp": self._body} if self._body.size else {}

    def keep(self, rows: Rows, ratio: Array) -> None:
        """Leave the compensating force as it is where masses change by ratios (k, bodies)."""
        if self._body.size:
            self._plant.field("body_gravcomp")[rows[:, None], self._body] /= ratio[:, self._on]


_PSEUDO = ("alpha", "d1", "d2", "d3", "s12", "s23", "s13", "t1", "t2", "t3")


def _bind_pseudo_inertia(plant: Plant, term: Term) -> BoundTerm:
    """Mass, centre of mass and inertia of a body together; see `perturbed_inertia`."""
    model, found = plant.model, resolve(plant.model, term)
    simple = [n for n, i in zip(found.names, found.index.tolist(), strict=True) if model.body_simple[i]]
    if simple:
        raise ShopfloorError(
            f"term {term.name!r}: MuJoCo has compiled body {simple[0]!r} as one whose centre of mass cannot move; "
            'build it with simple="false"'
        )
    names = ("body_mass", "body_ipos", "body_inertia", "body_iquat")
    body = found.index
    compensation = _Compensation(plant, body)
    count = 1 if term.shared else body.size

    def apply(rows: Rows, values: Array) -> None:
        mass, ipos, inertia, iquat = (plant.field(n) for n in names)
        spot = (rows[:, None], body)
        theta = np.broadcast_to(values.reshape(rows.size, count, 10), (rows.size, body.size, 10))
        before = mass[spot]
        new = perturbed_inertia(before, ipos[spot], inertia[spot], iquat[spot], theta)
        mass[spot], ipos[spot], inertia[spot], iquat[spot] = new
        compensation.keep(rows, new[0] / before)
        plant.stale(rows)

    things = ["all"] if term.shared else list(found.names)
    fields = {
        n: (body[:, None] * w + np.arange(w)).reshape(-1) for n, w in zip(names, (1, 3, 3, 4), strict=True)
    } | compensation.fields
    return BoundTerm(term, [f"{t}.{p}" for t in things for p in _PSEUDO], 0.0, fields, apply)


def _bind_gravity_tilt(plant: Plant, term: Term) -> BoundTerm:
    """Gravity turned about x, then about y: the floor is not level."""

    def apply(rows: Rows, values: Array) -> None:
        gravity = plant.field("opt.gravity")
        x, y, z = (gravity[rows, i] for i in range(3))
        (cx, sx), (cy, sy) = ((np.cos(v), np.sin(v)) for v in (values[:, 0], values[:, 1]))
        y, z = cx * y - sx * z, sx * y + cx * z
        gravity[rows] = np.stack((cy * x + sy * z, y, cy * z - sy * x), axis=-1)

    return BoundTerm(term, ["x", "y"], 0.0, {"opt.gravity": np.arange(3)}, apply)


_AFFINE = int(mujoco.mjtBias.mjBIAS_AFFINE)


def _bind_servo(plant: Plant, term: Term) -> BoundTerm:
    """Position or velocity gain of servos, in gain and bias together: a servo whose two disagree has a wrong rest."""
    model, found = plant.model, resolve(plant.model, term)
    width = model.actuator_gainprm.shape[1]
    stiffness = term.effect == "servo_stiffness"
    column = 1 if stiffness else 2
    bias = model.actuator_biasprm[found.index]
    bad = (model.actuator_biastype[found.index] != _AFFINE) | (bias[:, column] == 0.0)
    if bad.any():
        what = "position servo" if stiffness else "servo with velocity feedback"
        raise ShopfloorError(f"term {term.name!r}: actuator {found.names[int(np.argmax(bad))]!r} is no {what}")
    # the gain multiplies the command, which is a position where there is position feedback and a velocity otherwise
    with_gain = found.index[bias[:, 1] != 0.0] if stiffness else found.index[bias[:, 1] == 0.0]
    fields = {"actuator_biasprm": found.index * width + column}
    if with_gain.size:
        fields["actuator_gainprm"] = with_gain * width
    return _scaled(plant, term, found, fields, {"actuator_gainprm": np.isin(found.index, with_gain)})


def _bind_torque_limit(plant: Plant, term: Term) -> BoundTerm:
    """Force range of actuators, both ends."""
    model, found = plant.model, resolve(plant.model, term)
    free = model.actuator_forcelimited[found.index] == 0
    if free.any():
        raise ShopfloorError(
            f"term {term.name!r}: actuator {found.names[int(np.argmax(free))]!r} has no force range to scale"
        )
    cols = (found.index[:, None] * 2 + np.arange(2)).reshape(-1)
    return _scaled(plant, term, found, {"actuator_forcerange": cols}, {})


def _scaled(
    plant: Plant,
    term: Term,
    found: Found,
    fields: Mapping[str, Rows],
    which: Mapping[str, NDArray[np.bool_]],
) -> BoundTerm:
    """A factor on columns of several fields; `which` says which targets a field has columns of."""
    number = np.zeros(found.index.size, np.intp) if term.shared else np.arange(found.index.size)
    parts = []
    for name, cols in fields.items():
        own = number[which[name]] if name in which else number
        parts.append((FlatField(plant, name), cols, np.repeat(own, cols.size // own.size)))

    def apply(rows: Rows, values: Array) -> None:
        for field, cols, spread in parts:
            field.values[rows[:, None], cols] *= values[:, spread]

    return BoundTerm(term, _labels(term, found, 1), 1.0, fields, apply)


_SPECIAL: dict[str, Callable[[Plant, Term], BoundTerm]] = {
    "mass": _bind_mass,
    "pseudo_inertia": _bind_pseudo_inertia,
    "gravity_tilt": _bind_gravity_tilt,
    "servo_stiffness": _bind_servo,
    "servo_damping": _bind_servo,
    "torque_limit": _bind_torque_limit,
}
