"""What the tests of randomization share: which specs go with which environments, and a compiler to compare with."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
import pytest
from engine_checks import Case, all_cases, registered_cases
from numpy.typing import NDArray

from shopfloor.envs.engine.core import BatchedCell
from shopfloor.envs.randomization import Randomization, Spec, Term, available_specs, load_spec, spec_from
from shopfloor.envs.randomization.catalogue import MODEL
from shopfloor.envs.sensing import POLICY
from shopfloor.errors import ShopfloorError

Array = NDArray[np.float64]
ARM = "shopfloor/ArmReach-v0"
WAFER = "shopfloor/WaferTransfer-v0"

# Every effect that the presets leave out, so that what holds for every preset holds for every effect.
REST: dict[str, dict[str, Any]] = {
    ARM: {
        "terms": {
            "shape": {"effect": "pseudo_inertia", "target": {"body": "forearm|tool"},
                      "distribution": {"uniform": [-0.05, 0.05]}},
            "center": {"effect": "body_ipos", "target": {"body": "wrist_[12]"}, "operation": "add",
                       "per_component": True, "distribution": {"uniform": [-0.01, 0.01]}},
            "geometry": {"effect": "body_pos", "target": {"body": "forearm"}, "operation": "add", "components": [0, 2],
                         "per_component": True, "distribution": {"normal": [0.0, 0.0005]}},
            "alignment": {"effect": "body_quat", "target": {"body": "wrist_1"}, "operation": "add",
                          "components": [1, 2, 3], "per_component": True, "distribution": {"normal": [0.0, 0.001]}},
            "load": {"effect": "mass", "target": {"body": "wrist_3"}, "operation": "set",
                     "distribution": {"uniform": [0.3, 0.9]}},
            "coulomb": {"effect": "dof_frictionloss", "target": {"joint": "wrist_.*"}, "operation": "set",
                        "distribution": {"log_uniform": [0.1, 1.0]}},
            "axis": {"effect": "jnt_axis", "target": {"joint": "elbow"}, "operation": "add", "per_component": True,
                     "distribution": {"uniform": [-0.002, 0.002]}},
            "lossy": {"effect": "command.dropout", "target": {"actuator": "wrist.*"},
                      "distribution": {"uniform": [0.2, 0.5]}},
            "gain": {"effect": "command.gain", "target": {"actuator": ".*"}, "shared": True,
                     "distribution": {"uniform": [0.98, 1.02]}},
            "zero": {"effect": "command.offset", "target": {"actuator": "elbow"},
                     "distribution": {"normal": [0.0, 0.001]}},
            "words": {"effect": "command.quantization", "target": {"actuator": ".*"}, "shared": True,
                      "distribution": {"uniform": [0.001, 0.002]}},
            "jitter": {"effect": "command.delay", "target": {"actuator": ".*"}, "shared": True, "mode": "step",
                       "distribution": {"uniform": [0.0, 0.01]}},
            "pull": {"effect": "force.joint", "target": {"joint": "elbow"}, "distribution": {"uniform": [-8.0, 8.0]}},
            "breeze": {"effect": "force.body", "target": {"body": "forearm"}, "components": [0, 1], "mode": "step",
                       "distribution": {"normal": [0.0, 3.0]}},
            "thump": {"effect": "force.body", "target": {"body": "tool"}, "mode": {"interval_s": [0.1, 0.2]},
                      "options": {"duration_s": 0.05}, "distribution": {"normal": [0.0, 20.0]}},
            "grease": {"effect": "dof_damping", "target": {"joint": "shoulder.*"},
                       "mode": {"interval_s": [0.05, 0.1]}, "distribution": {"log_uniform": [0.5, 2.0]}},
            "hiss": {"effect": "sensor.noise", "target": {"channel": "joint_position"},
                     "distribution": {"uniform": [0.0001, 0.001]}},
            "factor": {"effect": "sensor.gain", "target": {"channel": "joint_velocity"},
                       "distribution": {"uniform": [0.95, 1.05]}},
            "wander": {"effect": "sensor.drift", "target": {"channel": "joint_velocity"},
                       "options": {"time_constant_s": 0.5}, "distribution": {"uniform": [0.001, 0.01]}},
            "gaps": {"effect": "sensor.dropout", "target": {"channel": "joint_.*"},
                     "distribution": {"uniform": [0.2, 0.5]}},
            "once": {"effect": "sensor.bias", "target": {"channel": "joint_position"}, "mode": "startup",
                     "distribution": {"normal": [0.0, 0.001]}},
        },
        "constraints": {"one side": "pull <= 6", "not both": "load + gain <= 1.8"},
    },
    WAFER: {
        "terms": {
            "thickness": {"effect": "pseudo_inertia", "target": {"body": "wafer"},
                          "distribution": {"uniform": [-0.03, 0.03]}},
            "drives": {"effect": "torque_limit", "target": {"actuator": "(shoulder|elbow|wrist)_position"},
                       "distribution": {"uniform": [0.5, 1.0]}},
            "shaking": {"effect": "gravity_tilt", "mode": {"interval_s": [0.02, 0.04]},
                        "distribution": {"normal": [0.0, 0.001]}},
            "lossy": {"effect": "command.dropout", "target": {"actuator": ".*"}, "shared": True,
                      "distribution": {"uniform": [0.1, 0.3]}},
            "late": {"effect": "sensor.latency", "target": {"channel": "joint_position"},
                     "distribution": {"uniform": [0.004, 0.012]}},
        }
    },
}  # fmt: skip


@dataclass(frozen=True)
class Preset:
    """A spec together with an environment that it fits."""

    case: Case
    spec: Spec

    def __str__(self) -> str:
        return f"{self.case}:{self.spec.name}"

    def cell(self, n: int, split: str = "train", threads: int = 1) -> BatchedCell:
        """A cell randomized by this preset."""
        return self.case.cell(n, threads, randomization=Randomization(self.spec, split))


@functools.cache
def presets() -> list[Preset]:
    """Each environment's own spec, every other one of the package that fits it, and the rest of the catalogue."""
    specs = {name: load_spec(name) for name in available_specs()}
    found = [Preset(c, specs[name]) for c in all_cases() if (name := c.task().randomization) is not None]
    known = {(p.case.env_id, p.spec.name) for p in found}
    for case in registered_cases():
        rest = [spec_from(REST[case.env_id], default_name="rest")] if case.env_id in REST else []
        for spec in (*specs.values(), *rest):
            if (case.env_id, spec.name) not in known and fits(case, spec):
                found.append(Preset(case, spec))
    return found


def fits(case: Case, spec: Spec) -> bool:
    """Whether everything that a spec acts on is there."""
    parameters, channels = _names(case.env_id)
    for term in spec.terms:  # most do not fit, which names tell without building anything
        if term.effect.startswith("task.") and term.effect.removeprefix("task.") not in parameters:
            return False
        of_channel = term.target is not None and term.target.kind == "channel"
        if of_channel and not any(re.fullmatch(term.target.pattern, c) for c in channels):
            return False
    try:
        case.cell(1, randomization=spec)
    except ShopfloorError as error:
        assert "there are:" in str(error), error
        return False
    return True


@functools.cache
def _names(env_id: str) -> tuple[frozenset[str], tuple[str, ...]]:
    """Parameters of an environment's start distribution, and channels of its policy."""
    task = Case(env_id).task()
    return frozenset(t.name for t in task.start), tuple(c.name for c in task.channels if c.group == POLICY)


def selected(found: Iterable[Preset]) -> list[Any]:
    """Presets as parameters of a test: variants, and specs of other environments, are left to `make test-all`."""
    return [
        pytest.param(p, id=str(p), marks=[pytest.mark.slow] if p.case.kwargs or _borrowed(p) else []) for p in found
    ]


def _borrowed(preset: Preset) -> bool:
    """Whether the spec was made for another environment, and only happens to fit."""
    own = preset.case.task().randomization
    return own is not None and preset.spec.name != "rest" and not preset.spec.name.startswith(own)


def drive(cell: BatchedCell, steps: int, seed: int = 0) -> dict[str, Any]:
    """Step a cell with actions that are the same in every row; what could be noticed on the way, by name."""
    rng = np.random.default_rng([seed, 77])
    out: dict[str, list[Any]] = {"state": [], "ctrl": [], "readings": [], "reward": []}
    observation: list[Any] = []
    for _ in range(steps):
        action = np.tile(rng.uniform(-1.0, 1.0, len(cell.terms)), (cell.n, 1))
        cell.step(cell.setpoints(action))
        out["state"].append(np.concatenate([cell.sim.qpos, cell.sim.qvel], axis=1))
        out["ctrl"].append(cell.sim.ctrl.copy())
        out["reward"].append(cell.reward.copy())
        out["readings"].append(np.concatenate(list(cell.readings().values()), axis=1))
        observation.append(cell.observation())
    return {k: np.stack(v) for k, v in out.items()}


def model_terms(spec: Spec) -> list[Term]:
    """The terms that write model fields."""
    servo = ("servo_stiffness", "servo_damping", "torque_limit")
    return [t for t in spec.terms if t.info.family == MODEL or t.effect in servo]


# -- a second opinion on model fields ------------------------------------------------------------------------------


# of no use to a compiler, which derives them; they are compared with what it makes of the rest
DERIVED = ("geom_rbound", "geom_aabb", "geom_sameframe")


def compiled(cell: BatchedCell, row: int) -> mujoco.MjModel:
    """A row's model compiled anew from a spec with the row's values, instead of changed in place."""
    spec, model = cell.task.cell(visual=False), cell.model
    values = {name: array[row] for name, array in cell.sim._fields.items()}
    spec.compiler.inertiafromgeom = mujoco.mjtInertiaFromGeom.mjINERTIAFROMGEOM_FALSE
    bodies = {n: values.get(n, getattr(model, n)) for n in _INERTIAL}
    for body in spec.bodies[1:]:  # by hand, as a row's geoms say nothing of its masses
        _set_inertia(body, {n: v[model.body(body.name).id] for n, v in bodies.items()})
    for name, value in values.items():
        kind, _, field = name.partition("_")
        if name == "opt.gravity":
            spec.option.gravity = value
        elif kind in ("jnt", "dof"):
            _set_joints(spec, model, kind, field, value)
        elif name not in (*DERIVED, *_INERTIAL):
            _set_named(spec, model, kind, field, value)
    if any(b.startswith("body_i") for b in values):
        for body in spec.bodies[1:]:
            body.simple = False
    result = spec.compile()
    result.opt.disableflags = model.opt.disableflags
    return result


_INERTIAL = ("body_mass", "body_ipos", "body_inertia", "body_iquat")


def _set_inertia(body: Any, values: dict[str, Any]) -> None:
    body.explicitinertial = True
    body.mass, body.ipos, body.iquat = values["body_mass"], values["body_ipos"], values["body_iquat"]
    body.fullinertia = [
        math.nan,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
    ]  # principal moments instead of the tensor that may stand there
    body.inertia = values["body_inertia"]


def _set_named(spec: mujoco.MjSpec, model: mujoco.MjModel, kind: str, field: str, value: Array) -> None:
    """Values of bodies, geoms, actuators or pairs where they are not as designed."""
    assert kind in ("body", "geom", "actuator", "pair"), f"the test cannot set {kind}_{field}: extend it"
    designed = getattr(model, f"{kind}_{field}")
    for k, item in enumerate({"body": spec.bodies, "geom": spec.geoms}.get(kind) or getattr(spec, f"{kind}s")):
        index = k if kind == "pair" else getattr(model, kind)(item.name).id
        if np.array_equal(value[index], designed[index]):
            continue
        if kind == "geom":
            assert item.type != mujoco.mjtGeom.mjGEOM_MESH, "the place of a mesh is not the one in its file"
            item.fromto = [math.nan] * 6  # or its ends would say what place and size are
        setattr(item, field, value[index])


def _set_joints(spec: mujoco.MjSpec, model: mujoco.MjModel, kind: str, field: str, value: Array) -> None:
    for joint in spec.joints:
        index = model.joint(joint.name).id
        at = index if kind == "jnt" else int(model.jnt_dofadr[index])
        if int(model.jnt_type[index]) == int(mujoco.mjtJoint.mjJNT_FREE):
            assert np.array_equal(value[at], getattr(model, f"{kind}_{field}")[at]), "a free joint has no such thing"
            continue
        if field in ("damping", "stiffness"):  # the first of a polynomial's coefficients
            setattr(joint, field, [value[at], *np.asarray(getattr(joint, field))[1:]])
        else:
            setattr(joint, field, value[at])


# -- distributions -------------------------------------------------------------------------------------------------


def kolmogorov(sample: Array, cdf: Any) -> float:
    """Kolmogorov's statistic times the root of the sample's size: 1.95 is exceeded by chance once in a thousand."""
    x = np.sort(np.asarray(sample, dtype=np.float64))
    value, n = cdf(x), x.size
    above = np.arange(1, n + 1) / n - value
    below = value - np.arange(n) / n
    return float(max(above.max(), below.max()) * math.sqrt(n))
