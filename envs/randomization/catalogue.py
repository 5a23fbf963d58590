"""What a term may act on: the effects by name, each with its family, its operations and its physical limits."""

from __future__ import annotations

import difflib
import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import mujoco
import numpy as np

from ...errors import ShopfloorError

# Families in the order in which a machine applies them: the plant, then commands, then what disturbs it, then what is
# measured, then what is seen. Wrappers are stacked in this order.
PROCESS, MODEL, ACTUATION, DISTURBANCE, SENSING, VISUAL = (
    "process", "model", "actuation", "disturbance", "sensing", "visual",
)  # fmt: skip
FAMILIES: Final = (PROCESS, MODEL, ACTUATION, DISTURBANCE, SENSING, VISUAL)

SCALE, ADD, SET = "scale", "add", "set"
OPERATIONS: Final = (SCALE, ADD, SET)
STARTUP, RESET, INTERVAL, STEP = "startup", "reset", "interval", "step"
MODES: Final = (STARTUP, RESET, INTERVAL, STEP)

_ANY = (-math.inf, math.inf)
_NOT_NEGATIVE = (0.0, math.inf)
_SHARE = (0.0, 1.0)


@dataclass(frozen=True)
class Effect:
    """One thing that can be randomized.

    Attributes:
        name: as it stands in a spec.
        family: one of `FAMILIES`.
        operations: allowed operations, the default one first.
        modes: when it may be drawn.
        targets: kinds of things that it acts on; empty if it needs no target.
        limits: physical range of a value that is set; a scale must be positive.
        nominal: value that changes nothing, by operation; None where only the model or the task knows it.
        options: numbers that a term may give besides, with their defaults.
        unit: unit of a value that is set or added; "" where the field says it.
        description: one line.
    """

    name: str
    family: str
    operations: tuple[str, ...]
    modes: tuple[str, ...] = (RESET, STARTUP)
    targets: tuple[str, ...] = ()
    limits: tuple[float, float] = _ANY
    nominal: Mapping[str, float | None] = field(default_factory=lambda: {SCALE: 1.0, ADD: 0.0, SET: None})
    options: Mapping[str, float] = field(default_factory=dict)
    unit: str = ""
    description: str = ""

    def limits_of(self, operation: str) -> tuple[float, float]:
        """Physical range of a term's value under an operation."""
        if operation == SCALE:
            return math.ulp(0.0), math.inf
        return self.limits if operation == SET else _ANY


_PLANT = (RESET, STARTUP, INTERVAL, STEP)
_ZERO = {SET: 0.0}

_EFFECTS = (
    Effect(
        "mass", MODEL, (SCALE, ADD, SET), _PLANT, ("body",), _NOT_NEGATIVE, unit="kg",
        description="mass of a body; its inertia scales with it, as of a body of the same shape and other density",
    ),
    Effect(
        "pseudo_inertia", MODEL, (ADD,), _PLANT, ("body",), nominal={ADD: 0.0}, unit="1",
        description="ten log-Cholesky parameters of mass, centre of mass and inertia: every value is a possible body",
    ),
    Effect(
        "gravity_tilt", MODEL, (SET,), _PLANT, nominal=_ZERO, unit="rad",
        description="tilt of the floor about x and y",
    ),
    Effect(
        "servo_stiffness", ACTUATION, (SCALE,), _PLANT, ("actuator",), unit="1",
        description="position gain of a servo, in gain and bias together",
    ),
    Effect(
        "servo_damping", ACTUATION, (SCALE,), _PLANT, ("actuator",), unit="1",
        description="velocity gain of a servo",
    ),
    Effect(
        "torque_limit", ACTUATION, (SCALE,), _PLANT, ("actuator",), unit="1",
        description="force range of an actuator, both ends",
    ),
    Effect(
        "command.delay", ACTUATION, (SET,), (RESET, STARTUP, STEP), ("actuator",), _NOT_NEGATIVE, _ZERO, unit="s",
        description="age of the command that reaches the servo, to fractions of a physics step",
    ),
    Effect(
        "command.dropout", ACTUATION, (SET,), (RESET, STARTUP), ("actuator",), _SHARE, _ZERO, unit="1",
        description="probability that a control step's command is lost and the servo keeps the one before",
    ),
    Effect(
        "command.gain", ACTUATION, (SET,), (RESET, STARTUP), ("actuator",), (math.ulp(0.0), math.inf), {SET: 1.0},
        unit="1", description="factor on the change of the command since the start of the episode",
    ),
    Effect(
        "command.offset", ACTUATION, (SET,), (RESET, STARTUP), ("actuator",), nominal=_ZERO, unit="",
        description="constant error of the command, in the actuator's unit",
    ),
    Effect(
        "command.quantization", ACTUATION, (SET,), (RESET, STARTUP), ("actuator",), _NOT_NEGATIVE, _ZERO, unit="",
        description="step to which the command is rounded, in the actuator's unit",
    ),
    Effect(
        "command.backlash", ACTUATION, (SET,), (RESET, STARTUP), ("actuator",), _NOT_NEGATIVE, _ZERO, unit="",
        description="width of the play between command and servo, in the actuator's unit",
    ),
    Effect(
        "force.joint", DISTURBANCE, (SET,), (INTERVAL, STEP, RESET, STARTUP), ("joint",), nominal=_ZERO,
        unit="N m or N", description="generalized force on a joint",
    ),
    Effect(
        "force.body", DISTURBANCE, (SET,), (INTERVAL, STEP, RESET, STARTUP), ("body",), nominal=_ZERO,
        options={"duration_s": 0.0}, unit="N",
        description="force on a body's centre of mass, world frame; with duration_s a push that ends",
    ),
    Effect(
        "sensor.noise", SENSING, (SET,), (RESET, STARTUP), ("channel",), _NOT_NEGATIVE, _ZERO,
        description="standard deviation of white noise beside the declared one",
    ),
    Effect(
        "sensor.bias", SENSING, (SET,), (RESET, STARTUP), ("channel",), nominal=_ZERO,
        description="constant error of a reading",
    ),
    Effect(
        "sensor.gain", SENSING, (SET,), (RESET, STARTUP), ("channel",), nominal={SET: 1.0}, unit="1",
        description="calibration factor of a reading",
    ),
    Effect(
        "sensor.drift", SENSING, (SET,), (RESET, STARTUP), ("channel",), _NOT_NEGATIVE, _ZERO,
        options={"time_constant_s": 1.0},
        description="standard deviation of an error that wanders (Ornstein-Uhlenbeck) with time_constant_s",
    ),
    Effect(
        "sensor.dropout", SENSING, (SET,), (RESET, STARTUP), ("channel",), _SHARE, _ZERO, unit="1",
        description="probability that a reading is lost and the one before stays",
    ),
    Effect(
        "sensor.latency", SENSING, (SET,), (RESET, STARTUP), ("channel",), _NOT_NEGATIVE, _ZERO, unit="s",
        description="age of the reading beside the declared latency, rounded to control steps",
    ),
)  # fmt: skip

EFFECTS: Final = {e.name: e for e in _EFFECTS}

# what a field's first index counts, by the beginning of its name; the most specific first
_PREFIXES: Final = (
    ("body_", "body"), ("jnt_", "joint"), ("dof_", "joint"), ("qpos_spring", "joint"), ("qpos0", "joint"),
    ("geom_", "geom"), ("site_", "site"), ("pair_", "pair"), ("actuator_", "actuator"), ("cam_", "camera"),
    ("light_", "light"), ("mat_", "material"), ("tendon_", "tendon"), ("eq_", "equality"),
)  # fmt: skip
_SEEN: Final = (
    "geom_rgba", "site_rgba", "mat_rgba", "mat_emission", "mat_specular", "mat_shininess", "mat_reflectance",
    "mat_metallic", "mat_roughness", "light_pos", "light_dir", "light_diffuse", "light_ambient", "light_specular",
    "light_cutoff", "light_exponent", "light_attenuation", "cam_pos", "cam_quat", "cam_fovy",
)  # fmt: skip
_GLOBAL: Final = ("opt.gravity", "opt.wind", "opt.density", "opt.viscosity", "opt.magnetic")
_POSITIVE: Final = (
    "body_mass", "body_inertia", "dof_damping", "dof_armature", "dof_frictionloss", "jnt_stiffness", "geom_friction",
    "pair_friction", "geom_size", "actuator_armature", "actuator_damping", "opt.density", "opt.viscosity",
)  # fmt: skip


@functools.cache
def _plain_fields() -> frozenset[str]:
    """Model fields that hold physical numbers, and are given rather than derived from others."""
    model = mujoco.MjModel.from_xml_string("<mujoco/>")
    derived = derived_fields()
    numbers = {
        name
        for name in dir(model)
        if name.startswith(tuple(p for p, _ in _PREFIXES))
        and np.asarray(getattr(model, name)).dtype == np.float64
        and not name.endswith("_user")
    }
    # a delay needs history buffers that a model has or has not; `command.delay` needs none
    return frozenset((numbers | set(_GLOBAL)) - derived - {"actuator_delay", *_SEEN})


def constant_inputs() -> frozenset[str]:
    """Model fields whose change makes derived constants stale."""
    return frozenset(_names("_setconst_inputs", _INPUTS))


def derived_fields() -> frozenset[str]:
    """Model fields that MuJoCo computes from others."""
    # sizes and equality data are both: given where the user gives them
    return frozenset(_names("_setconst_outputs", _OUTPUTS)) - constant_inputs()


def _names(attribute: str, otherwise: tuple[str, ...]) -> tuple[str, ...]:
    # MuJoCo tells them itself, under a private name; a test compares the tables for the day it is gone
    return tuple(getattr(mujoco.MjModel, attribute, otherwise))


_INPUTS: Final = (
    "actuator_armature", "actuator_cranklength", "actuator_damping", "actuator_dampingpoly", "actuator_gear",
    "body_gravcomp", "body_inertia", "body_ipos", "body_iquat", "body_mass", "body_pos", "body_quat", "cam_pos",
    "cam_quat", "dof_armature", "eq_data", "geom_adhesion", "geom_fluid", "geom_gap", "geom_margin", "geom_pos",
    "geom_quat", "geom_size", "geom_surfacevel", "jnt_axis", "jnt_pos", "light_dir", "light_pos", "pair_adhesion",
    "qpos0", "qpos_spring", "site_pos", "site_quat", "tendon_armature", "tendon_damping", "tendon_dampingpoly",
    "tendon_stiffness", "tendon_stiffnesspoly",
)  # fmt: skip
_OUTPUTS: Final = (
    "actuator_acc0", "actuator_length0", "body_invweight0", "body_subtreemass", "cam_mat0", "cam_pos0", "cam_poscom0",
    "dof_M0", "dof_invweight0", "light_dir0", "light_pos0", "light_poscom0", "tendon_invweight0", "tendon_length0",
)  # fmt: skip


def target_kind(model_field: str) -> str:
    """What a model field has a value for: "joint", "geom", ...; "" for a global one."""
    for prefix, kind in _PREFIXES:
        if model_field.startswith(prefix):
            return kind
    return ""


def effect(name: str) -> Effect:
    """The effect of a name: one of the catalogue, a model field, or `task.<parameter>`.

    Raises:
        ShopfloorError: if there is none; names close ones.
    """
    if name in EFFECTS:
        return EFFECTS[name]
    if name.startswith("task.") and len(name) > 5:
        return Effect(
            name, PROCESS, (SET, SCALE, ADD), (RESET, STARTUP), description="parameter of the task's start distribution"
        )
    if name in _SEEN:
        kind = target_kind(name)
        return Effect(name, VISUAL, (SCALE, ADD, SET), (RESET, STARTUP), (kind,), description=f"MuJoCo's {name}")
    if name in _plain_fields():
        kind = target_kind(name)
        limits = _NOT_NEGATIVE if name in _POSITIVE else _ANY
        targets = (kind,) if kind else ()
        return Effect(name, MODEL, (SCALE, ADD, SET), _PLANT, targets, limits, description=f"MuJoCo's {name}")
    if name in derived_fields():
        raise ShopfloorError(f"{name} is derived by MuJoCo from other fields; randomize those instead")
    close = difflib.get_close_matches(name, [*EFFECTS, *_plain_fields(), *_SEEN], n=1)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    raise ShopfloorError(
        f"unknown effect {name!r}{hint} An effect is one of {', '.join(EFFECTS)}, task.<parameter> or a model field"
    )
