"""Four properties of every term of every preset: from nominal, felt, restored, and consistent.

"Every preset" is each environment's own spec in every variant, every other spec of the package that fits it, and a spec
with the effects that no preset uses; a new id or spec is tested by being there.
"""

from __future__ import annotations

import functools
import re
from typing import Any

import mujoco
import numpy as np
import pytest
from engine_checks import Case, assert_same
from randomization_checks import Preset, compiled, drive, model_terms, presets, selected

from shopfloor.envs.engine.core import BatchedCell
from shopfloor.envs.randomization import CORNERS, OOD_FAR, STRUCTURAL, TRAIN, Term
from shopfloor.envs.randomization.catalogue import DISTURBANCE, PROCESS, SENSING, VISUAL
from shopfloor.envs.randomization.model_effects import nominal_field

ROWS = np.arange(3)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "preset" in metafunc.fixturenames:
        metafunc.parametrize("preset", selected(presets()))


_CELLS: dict[tuple[str, int], BatchedCell] = {}


def used(preset: Preset, n: int) -> BatchedCell:
    """A cell that tests share: whatever they have done to it, a reset is to bring it where a new one would be."""
    key = (str(preset), n)
    if key not in _CELLS:
        _CELLS[key] = preset.cell(n)
    return _CELLS[key]


def fields(cell: BatchedCell) -> dict[str, Any]:
    return {k: v.copy() for k, v in cell.sim._fields.items()}


def models(cell: BatchedCell) -> list[dict[str, Any]]:
    """Every number of every row's model."""
    return [numbers(cell.sim.batch.get_model(row)) for row in range(cell.n)]


@functools.cache
def array_names() -> list[str]:
    model = mujoco.MjModel.from_xml_string("<mujoco/>")
    return [n for n in dir(model) if not n.startswith("_") and isinstance(getattr(model, n), np.ndarray)]


def numbers(model: mujoco.MjModel) -> dict[str, Any]:
    return {"gravity": model.opt.gravity.copy()} | {n: np.array(getattr(model, n)) for n in array_names()}


def of_row(trace: dict[str, Any], row: int) -> dict[str, Any]:
    return {k: v[:, row] for k, v in trace.items()}


def force(cell: BatchedCell, term: Term, value: Any, rows: list[int], seed: int) -> None:
    """Nothing but one term in these rows."""
    seeds = np.full(len(rows), seed)
    cell.reset(np.array(rows), seeds, randomization={term.name: value}, split="nominal")


def undeclared(preset: Preset, n: int) -> BatchedCell:
    """The same environment as if it had never heard of randomization."""
    task = preset.case.task()
    object.__setattr__(task, "randomization", None)
    cell = BatchedCell(task, n, 1)
    assert cell.randomizer is None
    return cell


# -- from nominal --------------------------------------------------------------------------------------------------


def test_values_start_from_nominal_and_never_compound(preset: Preset):
    cell, fresh = used(preset, 3), preset.cell(3)
    cell.reset(seeds=ROWS)
    once = fields(cell)
    for _ in range(3):
        cell.reset(seeds=ROWS)
        assert_same(fields(cell), once, "the same sample again")
    for split in (OOD_FAR, STRUCTURAL, CORNERS, None, None):
        cell.reset(split=split)
        drive(cell, 1)
    cell.reset(seeds=ROWS)
    assert_same(fields(cell), once, "after samples of other splits")
    fresh.reset(seeds=ROWS)
    assert_same(fields(cell), fields(fresh), "as if nothing had been before")
    assert_same(drive(cell, 3), drive(fresh, 3))
    fresh.reset(seeds=ROWS + 50)
    for row in (2, 0, 1):
        fresh.reset(np.array([row]), np.array([row]))
    assert_same(fields(fresh), once, "row by row")
    cell.reset(seeds=ROWS)
    assert_same(drive(fresh, 3), drive(cell, 3), "row by row")


def expected_fields(preset: Preset, cell: BatchedCell, row: int) -> dict[str, Any]:
    """What the terms of a sample make of the compiled model, written down once more, target by target."""
    model, randomizer = cell.model, cell.randomizer
    out: dict[str, Any] = {}

    def field(name: str) -> Any:
        return out.setdefault(name, nominal_field(model, name))

    for term in model_terms(preset.spec):
        if term.effect == "pseudo_inertia" or not randomizer._active[term.name][row]:
            continue
        values = dict(zip(randomizer.component_names[term.name], randomizer.values[term.name][row], strict=True))
        if term.effect == "gravity_tilt":
            data = np.zeros(9)
            for axis, angle in (([1.0, 0.0, 0.0], values["x"]), ([0.0, 1.0, 0.0], values["y"])):
                quat = np.zeros(4)
                mujoco.mju_axisAngle2Quat(quat, np.array(axis), angle)
                mujoco.mju_quat2Mat(data, quat)
                field("opt.gravity")[...] = data.reshape(3, 3) @ field("opt.gravity")
            continue
        things = {t: v for n, v in values.items() for t in things_of(term, model, n)}
        for name, value in things.items():
            change(term, model, field, name, value)
    return out


def things_of(term: Term, model: mujoco.MjModel, name: str) -> list[str]:
    """What a component acts on: the thing that it is called after, or everything that a shared term names."""
    thing, bracket, part = name.partition("[")
    if thing != "all":
        return [name]
    assert term.target is not None
    kind = term.target.kind
    count = {"joint": model.njnt, "actuator": model.nu}.get(kind) or getattr(model, f"n{kind}")
    names = [getattr(model, kind)(i).name for i in range(count)]
    return [n + bracket + part for n in names if re.fullmatch(term.target.pattern, n)]


def change(term: Term, model: mujoco.MjModel, field: Any, name: str, value: float) -> None:
    def operated(x: Any) -> Any:
        return {"scale": x * value, "add": x + value, "set": value}[term.operation]

    target, _, part = name.partition("[")
    if term.effect == "mass":
        body = model.body(target).id
        before = field("body_mass")[body]
        ratio = operated(before) / before
        field("body_mass")[body] *= ratio
        field("body_inertia")[body] *= ratio
        if model.body_gravcomp[body]:
            field("body_gravcomp")[body] /= ratio
    elif term.effect in ("servo_stiffness", "servo_damping", "torque_limit"):
        actuator = model.actuator(target).id
        if term.effect == "torque_limit":
            field("actuator_forcerange")[actuator] *= value
        else:
            column = 1 if term.effect == "servo_stiffness" else 2
            bias = field("actuator_biasprm")[actuator]
            if column == 1 or bias[1] == 0.0:
                field("actuator_gainprm")[actuator, 0] *= value
            bias[column] *= value
    else:
        assert term.target is not None
        index = getattr(model, term.target.kind)(target).id
        if term.effect.startswith("dof_"):
            index = int(model.jnt_dofadr[index])
        block = field(term.effect)[index : index + 1].reshape(-1)
        chosen = list(range(block.size)) if term.components is None else list(term.components)
        chosen = [chosen[int(part[:-1])]] if part else chosen
        block[chosen] = operated(block[chosen])


def test_model_fields_are_what_the_sample_says(preset: Preset):
    cell = used(preset, 3)
    bound = {b.term.effect: b.fields for b in cell.randomizer.model.bound}
    shaped = bound.get("pseudo_inertia", {})  # has closed forms and a test of its own
    for split in (TRAIN, OOD_FAR, CORNERS):
        cell.reset(seeds=ROWS, split=split)
        for row in range(3):
            for name, value in expected_fields(preset, cell, row).items():
                if name.endswith(("quat", "axis")):
                    value = value / np.linalg.norm(value, axis=-1, keepdims=True)
                cols = cell.randomizer.model.columns[name]  # the task itself writes others
                cols = np.setdiff1d(cols, shaped.get(name, []))
                got, want = cell.sim.field(name)[row].reshape(-1)[cols], value.reshape(-1)[cols]
                np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-15, err_msg=f"{split} {name}")


# -- felt ----------------------------------------------------------------------------------------------------------

DYNAMICS, CONTROL, READINGS = "state", "ctrl", "readings"


def where_felt(term: Term) -> str:
    """Where a term must be noticed first."""
    if term.info.family == SENSING:
        return READINGS
    return CONTROL if term.effect.startswith("command.") else DYNAMICS


def strong(preset: Preset, term: Term, split: str = TRAIN) -> float:
    """A value of the training range, or a split's, that is far from nominal; a loss that shows within seconds."""
    low, high = preset.spec.distributions(split).get(term.name, term.distribution).support
    if term.effect.endswith(("dropout", "spatter_share")):
        return 0.5
    nominal = term.nominal if term.nominal is not None else 0.5 * (low + high)
    return high if abs(high - nominal) >= abs(low - nominal) else low


def overdriven(preset: Preset, term: Term, value: float) -> Any:
    """Where drives get that are asked for more than they have."""
    cell = preset.cell(1)
    force(cell, term, value, [0], 4)
    cell.sim.ctrl[...] += 1000.0
    cell.sim.step(5)
    return cell.sim.qvel.copy()


def differs(trace: dict[str, Any], row: int) -> set[str]:
    """What is not as in the first row."""
    return {k for k, v in trace.items() if not np.array_equal(v[:, row], v[:, 0], equal_nan=True)}


def felt_by_the_expert(preset: Preset, terms: list[Term]) -> list[Term]:
    """Terms that are noticed in an episode of the expert, which gets to where they matter: into contact, say.

    They are at the far end of what robustness is tested with, as some mistakes cost nothing until they are large.
    """
    cell = used(preset, 1 + len(terms))
    cell.reset(seeds=np.full(cell.n, 4), split="nominal")
    for k, term in enumerate(terms):
        force(cell, term, strong(preset, term, OOD_FAR), [1 + k], 4)
    expert = cell.task.expert()
    expert.reset(cell.s, np.arange(cell.n))
    felt = np.zeros(cell.n, dtype=bool)
    for _ in range(cell.task.timing.max_steps):
        cell.step(expert.act(cell.s, cell.readings()))
        for values in (cell.sim.qpos, cell.reward, *cell.readings().values(), *cell.metrics().values()):
            same = (values == values[:1]) | (np.isnan(values) & np.isnan(values[:1]))
            felt |= ~same.reshape(cell.n, -1).all(axis=1)
        if felt[1:].all():
            break
    return [t for k, t in enumerate(terms) if felt[1 + k]]


def test_every_term_is_felt_where_it_should_be_and_not_before(preset: Preset):
    """All terms at once, each forced in two rows of its own; the first row is the machine as designed."""
    terms = preset.spec.terms
    cell = used(preset, 1 + 2 * len(terms))
    rows = {t.name: [1 + 2 * k, 2 + 2 * k] for k, t in enumerate(terms)}
    cell.reset(seeds=np.full(cell.n, 4), split="nominal")
    for term in terms:
        force(cell, term, strong(preset, term), rows[term.name], 4)
    written = {b.term.name: set(b.fields) for b in cell.randomizer.model.bound}
    changed = {k: [not np.array_equal(x, v[0]) for x in v] for k, v in fields(cell).items()}
    params = {k: [not np.array_equal(x, v[0]) for x in v] for k, v in cell.params.items()}
    trace = drive(cell, 10)
    unfelt = []
    for term in terms:
        row, twin = rows[term.name]
        if term.effect == "torque_limit":
            weak, whole = (overdriven(preset, term, value) for value in (strong(preset, term), 1.0))
            assert not np.array_equal(weak, whole), term.name
            continue
        assert_same(of_row(trace, row), of_row(trace, twin), f"{term.name} treats equal rows alike")
        found, place = differs(trace, row), where_felt(term)
        moved = {k for k, v in params.items() if v[row]}
        if term.info.family == PROCESS:
            assert moved == {term.effect.removeprefix("task.")}, term.name
            unfelt += [] if found else [term]
            continue
        assert not moved, term.name
        if term.info.family == VISUAL:  # pictures show it, and nothing else does
            assert not found and not any(v[row] for v in changed.values()), term.name
            continue
        if place == DYNAMICS:
            unfelt += [] if place in found else [term]
        else:
            assert place in found, f"{term.name} is not felt"
        fields_of_term = written.get(term.name, set())
        assert {k for k, v in changed.items() if v[row]} <= fields_of_term, f"{term.name} writes fields of others"
        if place == READINGS:
            assert not found & {DYNAMICS, CONTROL}, f"{term.name} moves what it should only measure"
        elif place == DYNAMICS:
            assert fields_of_term or term.info.family == DISTURBANCE
    assert not unfelt or felt_by_the_expert(preset, unfelt) == unfelt


def test_terms_that_change_within_an_episode_do(preset: Preset):
    """Interval and step terms: constant between two changes, different after, and felt."""
    names = [t.name for t in preset.spec.terms if t.dynamic and not t.structural]
    if not names:
        return
    cell = preset.cell(1)
    cell.reset(seeds=np.array([1]))
    seen: dict[str, list[float]] = {n: [] for n in names}
    for action in np.zeros((60, 1, len(cell.terms))):
        cell.step(cell.setpoints(action))
        for name in names:
            seen[name].append(cell.randomizer.values[name][0, 0])
    for name in names:
        term, values = preset.spec.term(name), np.array(seen[name])
        jumps = np.flatnonzero(np.diff(values) != 0.0)
        if term.mode == "step":
            assert jumps.size == 59, name
        else:
            low, high = term.interval_s
            held = np.diff(jumps) * cell.timing.control_dt
            assert jumps.size >= 2, name
            slack = 1.001 * cell.timing.control_dt
            assert ((held > low - slack) & (held < high + slack)).all()
        lowest, highest = term.distribution.support
        assert ((values >= min(lowest, 0.0)) & (values <= highest)).all()


@functools.cache
def as_designed(case: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Models and motion of rows of a cell that has never been randomized."""
    preset = next(p for p in presets() if str(p) == case)
    cell = preset.cell(3, "nominal")
    cell.reset(seeds=ROWS)
    assert not cell.randomizer.engaged
    return models(cell), drive(cell, 8)


def test_a_term_at_its_nominal_value_changes_nothing(preset: Preset):
    terms = preset.spec.terms
    cell = used(preset, len(terms))
    cell.reset(seeds=np.arange(cell.n))  # now everything is engaged, with buffers that are not empty
    drive(cell, 2)
    nominal = {t.name: cell.randomizer._nominal[t.name] for t in terms}
    for row, term in enumerate(terms):
        value = nominal[term.name]
        if np.isnan(value).any():
            cell.reset(np.array([row]), ROWS[1:2], split="nominal")
        else:
            force(cell, term, value, [row], ROWS[1])
    plain_models, plain = as_designed(str(preset))
    models_now, trace = models(cell), drive(cell, 8)
    for row, term in enumerate(terms):
        assert_same(models_now[row], plain_models[1], term.name)
        assert_same(of_row(trace, row), of_row(plain, 1), term.name)


# -- restored ------------------------------------------------------------------------------------------------------


def test_nominal_restores_the_machine_as_designed(preset: Preset):
    cell, never = used(preset, 3), undeclared(preset, 3)
    for split in (TRAIN, OOD_FAR, STRUCTURAL):
        cell.reset(seeds=ROWS + 9, split=split)
        drive(cell, 2)
    for each in (cell, never):
        each.reset(seeds=ROWS, split="nominal")
    assert cell.randomizer.engaged
    assert cell.randomizer.split.tolist() == [0, 0, 0]
    untouched_models, untouched = as_designed(str(preset))
    assert_same(models(cell), untouched_models, "fields and derived constants")
    for name, cols in cell.randomizer.model.columns.items():
        design = nominal_field(cell.model, name).reshape(-1)[cols]
        got = cell.sim.field(name).reshape(3, -1)[:, cols]
        assert_same(got, np.tile(design, (3, 1)), name)
    trace = drive(cell, 8)
    assert_same(trace, untouched)
    loosened = not np.array_equal(cell.model.body_simple, never.model.body_simple)
    bare = drive(never, 8)
    if loosened:  # the general algorithm adds the same numbers in another order
        np.testing.assert_allclose(trace["state"], bare["state"], rtol=1e-6, atol=1e-8)
    else:
        assert_same(trace, bare, "an environment without randomization")


# -- consistent ----------------------------------------------------------------------------------------------------

# the tree of bounding boxes may be another one; see `boxes`
CONSTANTS = [n for n in mujoco.MjModel._setconst_outputs if n != "bvh_aabb"]


def boxes(model: mujoco.MjModel) -> dict[str, Any]:
    """Bounding box of every body, and of every geom in its body's tree: what another tree has as well."""
    bodies = np.flatnonzero(model.body_bvhnum)
    root = model.body_bvhadr[bodies]
    static = model.bvh_nodeid[: model.nbvhstatic]
    leaf = np.flatnonzero(static >= 0)
    tree_of = np.repeat(bodies, model.body_bvhnum[bodies])  # those of meshes come after those of bodies
    leaf = leaf[leaf < tree_of.size]
    order = np.lexsort((static[leaf], tree_of[leaf]))
    return {"bodies": model.bvh_aabb[root], "geoms": model.bvh_aabb[leaf[order]]}


def test_no_constant_is_stale_after_a_start(base_case: Case):
    """Whether a term of the randomization happens to have them computed anew or not: the task writes fields too."""
    cell = base_case.cell(3)
    cell.reset(seeds=ROWS, split="nominal")
    drive(cell, 1)
    found = models(cell)
    cell.sim.set_const(ROWS)
    assert_same(models(cell), found)


@pytest.mark.parametrize("split", [TRAIN, OOD_FAR])
def test_derived_constants_are_those_of_a_fresh_compile(preset: Preset, split: str):
    cell = used(preset, 3)
    cell.reset(seeds=ROWS, split=split)
    drive(cell, 3)  # terms that change within the episode have changed
    for row in range(3):
        theirs, ours = compiled(cell, row), cell.sim.batch.get_model(row)
        constants = {n: tuple(np.asarray(getattr(m, n)) for m in (theirs, ours)) for n in CONSTANTS}
        constants |= {n: (v, boxes(ours)[n]) for n, v in boxes(theirs).items()}
        for name, (want, got) in constants.items():
            finite = want[np.abs(want) < 1e9] if want.dtype.kind == "f" else want[:0]  # planes have no end
            scale = float(np.abs(finite).max()) if finite.size else 1.0
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12 * scale, err_msg=f"row {row}, {name}")


def test_motion_is_that_of_a_fresh_compile(preset: Preset):
    cell = used(preset, 3)
    cell.reset(seeds=ROWS)
    state = int(mujoco.mjtState.mjSTATE_INTEGRATION)
    for row in range(2):
        theirs = compiled(cell, row)
        data = mujoco.MjData(theirs)
        mujoco.mj_setState(theirs, data, cell.sim.batch.state[row], state)
        data.ctrl[:] = cell.sim.ctrl[row] + 0.01
        cell.sim.ctrl[row] += 0.01
        for _ in range(10):
            mujoco.mj_step(theirs, data)
        cell.sim.step(10, np.array([row]))
        np.testing.assert_allclose(cell.sim.qpos[row], data.qpos, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(cell.sim.qvel[row], data.qvel, rtol=1e-9, atol=1e-10)
