"""What the comparisons with other rigid-body engines share: which models, in which states, compared how.

The other engine's model is built from the numbers of the compiled `MjModel` (tree, frames, inertias, axes), not by its
own reader of MJCF: the comparison is one of equations of motion, not of parsers. Contacts, joint limits, dry friction
and equalities are constraints, which the engines define differently, and are off. Springs, dampers, rotor inertias and
gravity compensation stay, and each referee computes them for itself.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

import shopfloor.assets

Array = NDArray[np.float64]

HINGE, SLIDE, FREE = mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE, mujoco.mjtJoint.mjJNT_FREE


Builder = Callable[..., mujoco.MjSpec]


def builders() -> dict[str, Builder]:
    """Robots, cells and parts by name: what can be built without arguments, or mounted on nothing but a parent.

    A robot that is added to the assets is compared by being there: `add_name(spec, parent)` in a module of its own.
    """
    alone: dict[str, Builder] = {}
    mounted: dict[str, Builder] = {}
    for module in pkgutil.walk_packages(shopfloor.assets.__path__, "shopfloor.assets."):
        for name, function in inspect.getmembers(importlib.import_module(module.name), inspect.isfunction):
            if function.__module__ != module.name or name.startswith("_"):
                continue
            signature = inspect.signature(function)
            required = [key for key, p in signature.parameters.items() if p.default is p.empty]
            if signature.return_annotation == "mujoco.MjSpec" and not required:
                alone[name] = function
            elif name.startswith("add_") and required == ["spec", "parent"]:
                mounted[name.removeprefix("add_")] = functools.partial(_mounted, function)
    return mounted | alone


def _mounted(add: Callable[..., Any], **options: Any) -> mujoco.MjSpec:
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    add(spec, spec.worldbody, **options)
    return spec


def moving_models(*, free_bodies: bool = True) -> list[str]:
    """Names of the builders whose models can move; without free bodies, only those in which nothing is loose."""
    kinds = {name: {joint.type for joint in build(visual=False).joints} for name, build in builders().items()}
    return [name for name, found in kinds.items() if found and (free_bodies or FREE not in found)]


def rigid_model(name: str) -> mujoco.MjModel:
    """The physics model of one builder without constraints, its servos off; joint forces are then ours to choose."""
    model = builders()[name](visual=False).compile()
    model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_CONSTRAINT
    model.actuator_gainprm[:] = 0.0
    model.actuator_biasprm[:] = 0.0
    return model


def require_plain_tree(model: mujoco.MjModel) -> None:
    """Refuse, by name, what the referees do not model, so that nothing is left out in silence."""
    absent = {
        "tendons": model.ntendon,
        "ball joints": np.count_nonzero(model.jnt_type == mujoco.mjtJoint.mjJNT_BALL),
        "polynomial springs": np.count_nonzero(model.jnt_stiffnesspoly),
        "polynomial dampers": np.count_nonzero(model.dof_dampingpoly),
        "fluid or wind": np.count_nonzero([model.opt.density, model.opt.viscosity, *model.opt.wind]),
        "springs, dampers or inertia on free joints": sum(
            np.count_nonzero(model.dof_damping[at : at + 6]) + np.count_nonzero(model.dof_armature[at : at + 6])
            for at in free_dofs(model)
        ) + np.count_nonzero(model.jnt_stiffness[model.jnt_type == FREE]),
    }  # fmt: skip
    present = [what for what, count in absent.items() if count]
    if present:
        raise NotImplementedError(f"the referees do not model {', '.join(present)}: extend them")


def free_dofs(model: mujoco.MjModel) -> list[int]:
    """First velocity index of each free joint."""
    return [int(at) for at in model.jnt_dofadr[model.jnt_type == FREE]]


def scalar_joints(model: mujoco.MjModel) -> NDArray[np.int64]:
    """Indices of hinges and slides."""
    return np.flatnonzero(model.jnt_type != FREE)


def randomized(model: mujoco.MjModel, rng: np.random.Generator) -> mujoco.MjModel:
    """A copy with other masses, inertias, centres of mass and rotor inertias, its constants recomputed.

    Args:
        model: nominal model, left as it is.
        rng: masses and rotors within a factor of two, centres of mass within 2 cm, principal axes anywhere.
    """
    other = model.__copy__()
    moving = np.flatnonzero(model.body_weldid != 0)
    scale = rng.uniform(0.5, 2.0, len(moving))
    other.body_mass[moving] *= scale
    # one factor for all three axes: a factor for each could break the triangle inequality of a flat body
    other.body_inertia[moving] *= (scale * rng.uniform(0.5, 2.0, len(moving)))[:, None]
    other.body_ipos[moving] += rng.uniform(-0.02, 0.02, (len(moving), 3))
    turn = rng.normal(size=(len(moving), 4))
    other.body_iquat[moving] = turn / np.linalg.norm(turn, axis=1, keepdims=True)
    other.dof_armature[:] *= rng.uniform(0.5, 2.0, model.nv)
    mujoco.mj_setConst(other, mujoco.MjData(other))
    return other


@dataclass(frozen=True)
class States:
    """Positions (n, nq), velocities (n, nv) and applied generalized forces (n, nv)."""

    qpos: Array
    qvel: Array
    qfrc: Array


def joint_ranges(model: mujoco.MjModel) -> Array:
    """(njnt, 2) range of each hinge and slide; one without limits turns once round or slides 5 cm either way."""
    reach = np.where(model.jnt_type == SLIDE, 0.05, np.pi)[:, None] * [-1.0, 1.0]
    return np.where(model.jnt_limited[:, None] != 0, model.jnt_range, reach)


def random_states(model: mujoco.MjModel, n: int, rng: np.random.Generator) -> States:
    """States over the whole joint ranges.

    Forces are those that would accelerate each degree of freedom alone by up to 20 rad/s^2 (m/s^2).
    """
    qpos = np.empty((n, model.nq))
    for j, (low, high) in enumerate(joint_ranges(model)):
        at = model.jnt_qposadr[j]
        if model.jnt_type[j] == FREE:
            turn = rng.normal(size=(n, 4))
            qpos[:, at : at + 3] = rng.uniform(-1.0, 1.0, (n, 3))
            qpos[:, at + 3 : at + 7] = turn / np.linalg.norm(turn, axis=1, keepdims=True)
        else:
            qpos[:, at] = rng.uniform(low, high, n)
    slide = model.jnt_type[model.dof_jntid] == SLIDE
    qvel = rng.uniform(-1.0, 1.0, (n, model.nv)) * np.where(slide, 0.5, 3.0)
    qfrc = rng.uniform(-20.0, 20.0, (n, model.nv)) * model.dof_M0
    return States(qpos, qvel, qfrc)


def accelerations(model: mujoco.MjModel, states: States) -> Array:
    """(n, nv) accelerations that MuJoCo computes."""
    data = mujoco.MjData(model)
    out = np.empty_like(states.qvel)
    for row in range(len(out)):
        data.qpos[:], data.qvel[:], data.qfrc_applied[:] = states.qpos[row], states.qvel[row], states.qfrc[row]
        mujoco.mj_forward(model, data)
        assert data.nefc == 0
        out[row] = data.qacc
    return out


def spring_and_damper_forces(model: mujoco.MjModel, qpos: Array, qvel: Array) -> Array:
    """(nv,) forces of joint springs and viscous dampers: -k (q - q_spring) - c qdot."""
    force = -model.dof_damping * qvel
    for j in scalar_joints(model):
        at = model.jnt_qposadr[j]
        force[model.jnt_dofadr[j]] -= model.jnt_stiffness[j] * (qpos[at] - model.qpos_spring[at])
    return force


def relative_error(found: Array, expected: Array) -> float:
    """Largest difference in units of what is usual for that column (root mean square over the rows).

    A quotient per column lets no stiff or light joint hide the others, and no passage through zero looks like an error.
    """
    usual = np.sqrt(np.mean(expected**2, axis=0))
    return float(np.max(np.abs(found - expected) / usual))
