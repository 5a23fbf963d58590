"""The wrappers of single environments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import VectorEnv
from numpy.typing import ArrayLike

from ....errors import ShopfloorError
from ...engine.env import CellEnv
from ..catalogue import ACTUATION, DISTURBANCE, FAMILIES, MODEL, PROCESS, SENSING, VISUAL
from . import vector
from .plain import PlainRandomization
from .stack import WRAPPERS, Source, check_part, check_place, join, requested


class FamilyWrapper(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Randomizes with the effects of one family.

    On an environment of the suite the terms join the environment's randomization, and samples are those of the keyword
    `randomization`, bit for bit. On any other environment whose `unwrapped` has a MuJoCo `model` and `data`, the
    wrappers around it share one randomizer: `reset(seed=...)` begins with episode 0 of that seed, each `reset()` takes
    the next one, `reset(options={"randomization": {...}, "split": ...})` forces values, and `info["randomization"]`
    tells them. Until something is randomized, actions, observations and model are left as they are.

    Args:
        env: the environment, before its first reset.
        spec: terms of the family: a `Spec`, its data, the name or path of one.
        split: where values are drawn from; None for the one that `spec` names, or `train`.
        control_dt: control period in s, for an environment that has no `dt`.

    Raises:
        ShopfloorError: if the spec has terms of another family, the wrapper is stacked twice or in the wrong order, or
            the model does not have what a term names.
    """

    family: ClassVar[str]

    def __init__(
        self,
        env: gym.Env[Any, Any],
        spec: Source,
        split: str | None = None,
        *,
        control_dt: float | None = None,
        **options: Any,
    ):
        if isinstance(env, VectorEnv):
            raise ShopfloorError(
                f"{type(self).__name__} of {__package__} wraps single environments; for a vector environment take "
                f"{vector.__name__}.{type(self).__name__}, or randomize(env, spec) for either"
            )
        RecordConstructorArgs.__init__(self, spec=spec, split=split, control_dt=control_dt, **options)
        gym.Wrapper.__init__(self, env)
        below = _below(env)
        check_place([w.family for w in below], self.family)
        base = env.unwrapped
        chosen = requested(spec, split, base.task.randomization if isinstance(base, CellEnv) else None)
        check_part(chosen.spec, self.family)
        self._innermost = not below
        self._plain: PlainRandomization | None = None
        if isinstance(base, CellEnv):
            given = {"control_dt": control_dt, **options}
            surplus = next((k for k, v in given.items() if v is not None), None)
            if surplus is not None:
                raise ShopfloorError(
                    f"{surplus} is for plain MuJoCo environments; a task of the suite declares its own"
                )
            join(base, chosen.spec, chosen.split, first=not below)
            return
        self._plain = plain = below[0]._plain if below else PlainRandomization(env)
        assert plain is not None
        plain.set_control_dt(control_dt)
        self._prepare(plain, **options)
        plain.join(chosen.spec, chosen.split)

    def _prepare(self, plain: PlainRandomization) -> None:
        """Tell what the family needs to know of a plain environment."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; see the class for what `seed` and `options` mean to randomization."""
        plain = self._plain
        if plain is None or not self._innermost:
            observation, info = self.env.reset(seed=seed, options=options)
        else:
            options = plain.begin(seed, options)
            observation, info = self.env.reset(seed=seed, options=options)
            plain.started()
            info = {**info, "randomization": plain.info()}
        return self._read(observation), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Advance one control step."""
        observation, reward, terminated, truncated, info = self.env.step(self._send(action))
        if self._plain is not None and self._innermost:
            info = {**info, "randomization": self._plain.info()}  # what was in force in this step
            self._plain.advance()
        return self._read(observation), reward, terminated, truncated, info

    def _send(self, action: Any) -> Any:
        return action

    def _read(self, observation: Any) -> Any:
        return observation


def _below(env: gym.Env[Any, Any]) -> list[FamilyWrapper]:
    """The wrappers of this module that are there, from the environment outwards."""
    found = []
    while isinstance(env, gym.Wrapper):
        if isinstance(env, FamilyWrapper):
            found.append(env)
        env = env.env
    return found[::-1]


class ProcessRandomization(FamilyWrapper):
    """Parameters of a task's start distribution: `task.<parameter>`. Only the suite's environments have them."""

    family = PROCESS


class ModelRandomization(FamilyWrapper):
    """The plant: masses, inertias, damping, friction, gravity, any float field of the MuJoCo model."""

    family = MODEL


class ActuationRandomization(FamilyWrapper):
    """Drives and the way of a command to them: servo gains, torque limit, delay, loss, gain, offset, resolution, play.

    On a plain environment the command path acts on the action where this wrapper stands, once a control step: actions
    must have one number for each actuator, in its unit unless a wrapper below converts. A delay by a fraction of a step
    gives the mean of the delayed command over the step. What arrives is clipped to the action space.

    Args:
        env, spec, split, control_dt: see `FamilyWrapper`.
        start_action: the action that holds the start state and fills the delay buffer; None takes the present length
            of position servos and `data.ctrl` of other actuators, which is right where actions are controls.
    """

    family = ACTUATION

    def __init__(
        self,
        env: gym.Env[Any, Any],
        spec: Source,
        split: str | None = None,
        *,
        control_dt: float | None = None,
        start_action: ArrayLike | None = None,
    ):
        super().__init__(env, spec, split, control_dt=control_dt, start_action=start_action)

    def _prepare(self, plain: PlainRandomization, start_action: ArrayLike | None = None) -> None:
        plain.set_actions(self.env.action_space, start_action)

    def _send(self, action: Any) -> Any:
        return action if self._plain is None else self._plain.command(action)


class DisturbanceRandomization(FamilyWrapper):
    """Forces that no model explains, on joints and bodies: pushes and random force injection.

    On a plain environment they are written to `data.qfrc_applied` and `data.xfrc_applied`, for the joints and bodies
    that terms name and no others.
    """

    family = DISTURBANCE


class SensingRandomization(FamilyWrapper):
    """Errors of readings: noise, bias, calibration, drift, loss, latency.

    On a plain environment they act on the observation where this wrapper stands, which must be a flat `Box`, and the
    result is clipped to it. Wrappers that normalize or stack observations belong outside.

    Args:
        env, spec, split, control_dt: see `FamilyWrapper`.
        channels: slices of the observation by name, which terms take as targets; None makes the whole observation one
            channel called `observation`.
    """

    family = SENSING

    def __init__(
        self,
        env: gym.Env[Any, Any],
        spec: Source,
        split: str | None = None,
        *,
        control_dt: float | None = None,
        channels: Mapping[str, slice] | None = None,
    ):
        super().__init__(env, spec, split, control_dt=control_dt, channels=channels)

    def _prepare(self, plain: PlainRandomization, channels: Mapping[str, slice] | None = None) -> None:
        plain.set_observations(self.env.observation_space, channels)

    def _read(self, observation: Any) -> Any:
        return observation if self._plain is None else self._plain.reading(observation)


class VisualRandomization(FamilyWrapper):
    """Looks: colours, materials, lights and cameras.

    On a plain environment they are written to its model, so they show if `render` draws that model.
    """

    family = VISUAL


_CLASSES: dict[str, type[FamilyWrapper]] = {
    c.family: c
    for c in (
        ProcessRandomization,
        ModelRandomization,
        ActuationRandomization,
        DisturbanceRandomization,
        SensingRandomization,
        VisualRandomization,
    )
}


def randomize(
    env: Any,
    spec: Source,
    split: str | None = None,
    *,
    control_dt: float | None = None,
    start_action: ArrayLike | None = None,
    channels: Mapping[str, slice] | None = None,
) -> Any:
    """Stack the wrappers that a spec needs, in the right order.

    Args:
        env: a single environment, or a vector environment of the suite, before its first reset.
        spec: a `Spec`, its data, the name or path of one with or without a split ("my.yaml:ood_near"), or, for
            environments of the suite, a split of the task's own ("train").
        split: where values are drawn from; None for the one that `spec` names, or `train`.
        control_dt, start_action, channels: of plain environments; see the wrappers.

    Returns:
        The wrapped environment. Its samples are those of `randomization=` with the same spec, and so is its spec hash.

    Raises:
        ShopfloorError: see `FamilyWrapper`; or if an argument belongs to a family that the spec does not have.
    """
    options: dict[str, Any] = {"control_dt": control_dt, "start_action": start_action, "channels": channels}
    given = {k: v for k, v in options.items() if v is not None}
    if isinstance(env, VectorEnv):
        if given:
            raise ShopfloorError(f"{next(iter(given))} is for plain MuJoCo environments, one at a time")
        return vector.randomize(env, spec, split)
    base = env.unwrapped
    ours = isinstance(base, CellEnv)
    chosen = requested(spec, split, base.task.randomization if isinstance(base, CellEnv) else None)
    families = [f for f in FAMILIES if chosen.spec.part([f]).terms]
    for option, family in _FAMILY_OF.items():
        if option in given and family not in families:
            raise ShopfloorError(f"{option} is for {WRAPPERS[family]}, and the spec has no terms of its family")
    if ours:
        base.randomize(chosen)  # whole, and the wrappers then find their terms there
    for family in families:
        own = {k: v for k, v in given.items() if _FAMILY_OF.get(k, family) == family}
        env = _CLASSES[family](env, chosen.spec.part([family]), chosen.split, **own)
    plain = getattr(env, "_plain", None)
    if not ours and families and isinstance(plain, PlainRandomization):
        plain.adopt(chosen)  # constraints between families belong to no single wrapper
    return env


# arguments that one wrapper takes and the others do not
_FAMILY_OF = {"start_action": ACTUATION, "channels": SENSING}
