"""The randomization of a plain MuJoCo environment: one that has a `model` and a `data` and knows nothing of the suite.

The randomizer is the one of the suite's environments, on a plant of one row. What differs is where it reaches in: the
model between two episodes, actions and observations at the control rate, and the applied forces of `data`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

import gymnasium as gym
import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ....errors import ShopfloorError
from ...randomness import MAX_SEED
from ..catalogue import PROCESS, VISUAL
from ..choice import Randomization
from ..drawn import Episodes
from ..randomizer import Randomizer
from ..sensor_errors import ChannelPlace
from ..spec import SPLITS, Spec
from ..targets import resolve
from .stack import joined

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

_ROW: Final = np.zeros(1, dtype=np.intp)
_MARK: Final = "_shopfloor_randomization"
_TIMED: Final = ("command.delay", "sensor.latency", "sensor.drift")
_MOVES_FRAME: Final = ("body_ipos", "body_iquat")


class PlainPlant:
    """The model of one environment as a plant of one row.

    Attributes:
        n: 1.
        model: a copy of the model as designed, which nothing changes.
        live: the model that the environment steps.
        written: names of the fields that were handed out.
    """

    n = 1

    def __init__(self, live: mujoco.MjModel, designed: mujoco.MjModel | None = None):
        self.live = live
        self.model = copy.copy(live) if designed is None else designed
        self.written: set[str] = set()
        self._scalars: dict[str, Array] = {}
        self._stale = False

    def field(self, name: str) -> Array:
        """A field of the live model, (1, ...), writable; `refresh` makes what is written count."""
        self.written.add(name)
        value = _attribute(self.live, name)
        if isinstance(value, np.ndarray):
            return value[None]
        return self._scalars.setdefault(name, np.array([[value]], dtype=np.float64))

    def stale(self, rows: Rows) -> None:
        """Note that derived constants must be computed anew."""
        self._stale = True

    def refresh(self) -> None:
        """Let the live model follow its fields."""
        for name, value in self._scalars.items():
            owner, _, attribute = name.rpartition(".")
            setattr(_attribute(self.live, owner), attribute, float(value[0, 0]))
        if self._stale:
            # mj_setConst works in the data that it is given and leaves them at the model's zero position
            mujoco.mj_setConst(self.live, mujoco.MjData(self.live))
            self._stale = False

    def restore(self, *names: str) -> None:
        """Give fields the values of the machine as designed."""
        for name in names:
            value = _attribute(self.model, name)
            if isinstance(value, np.ndarray):
                _attribute(self.live, name)[...] = value
            else:
                self._scalars[name][...] = value
        self._stale = True
        self.refresh()


def _attribute(owner: Any, path: str) -> Any:
    for part in path.split("."):
        owner = getattr(owner, part)
    return owner


class PlainRandomization:
    """What randomizes one plain environment, shared by the wrappers around it.

    The innermost wrapper draws and applies; actuation and sensing act where their wrappers stand.

    Args:
        env: the environment, with or without wrappers.

    Attributes:
        plant: the model, as it is and as designed.

    Raises:
        ShopfloorError: if the environment has no `model` and `data` of MuJoCo.
    """

    def __init__(self, env: gym.Env[Any, Any]):
        self._base = base = env.unwrapped
        model, data = getattr(base, "model", None), getattr(base, "data", None)
        if not isinstance(model, mujoco.MjModel) or not isinstance(data, mujoco.MjData):
            raise ShopfloorError(
                f"{type(base).__name__} has no `model` (mujoco.MjModel) and `data` (mujoco.MjData) to randomize; "
                "give the environment these two attributes"
            )
        # whoever wraps an environment anew wants the machine as designed, not the last sample of the wrappers before
        before: PlainRandomization | None = getattr(base, _MARK, None)
        designed: mujoco.MjModel | None = None
        if before is not None and before.plant.live is model:
            before.release()
            designed = before.plant.model
        self.plant: PlainPlant = PlainPlant(model, designed)
        setattr(base, _MARK, self)
        self._data = data
        self._dt: float | None = None
        self._channels: tuple[ChannelPlace, ...] = ()
        self._start_action: Array | None = None
        self._chosen: Randomization | None = None
        self._randomizer: Randomizer | None = None
        self._copied: Mapping[str, Any] | None = None
        self._seed, self._episode, self._step = np.zeros((3, 1), dtype=np.int64)
        self._begun = self._checked = False

    # -- what wrappers declare --------------------------------------------------------------------------------

    def join(self, part: Spec, split: str) -> None:
        """Add the terms of one more wrapper.

        Raises:
            ShopfloorError: if an episode has begun, or the model does not have what a term names.
        """
        if self._begun:
            raise ShopfloorError("wrap before the first reset(), or wrap env.unwrapped anew")
        self.adopt(joined(self._chosen, part, split))

    def adopt(self, chosen: Randomization) -> None:
        """Use a randomization instead of what wrappers have joined: the same terms, but whole."""
        for term in chosen.spec.terms:
            if term.info.family == PROCESS:
                raise ShopfloorError(
                    f"term {term.name!r}: {term.effect} is a parameter of a task of the suite, and "
                    f"{type(self._base).__name__} is none; draw what it starts with in its own reset()"
                )
            if term.effect in _MOVES_FRAME:
                found = resolve(self.plant.model, term)
                fixed = [n for n, i in zip(found.names, found.index, strict=True) if self.plant.model.body_simple[i]]
                if fixed:
                    raise ShopfloorError(
                        f"term {term.name!r}: MuJoCo has compiled body {fixed[0]!r} as one whose centre of mass cannot "
                        "move; set `simple` of the body to false in its MjSpec, and compile again"
                    )
        self._randomizer = self._build(chosen)
        self._chosen = chosen

    def _build(self, chosen: Randomization) -> Randomizer:
        dt = self._control_dt(chosen.spec)
        return Randomizer(
            chosen.spec,
            chosen.split,
            plant=self.plant,
            channels=self._channels,
            control_hz=1.0 / dt,
            timestep=dt,
            applied=(self._data.qfrc_applied[None], self._data.xfrc_applied[None]),
            process={},
            pictures=lambda: self.plant.model,
        )

    @property
    def chosen(self) -> Randomization:
        """Spec and split."""
        assert self._chosen is not None, "a wrapper joins when it is made"
        return self._chosen

    @property
    def randomizer(self) -> Randomizer:
        """What draws and applies."""
        if self._randomizer is None:
            self._randomizer = self._build(self.chosen)
            if self._copied is not None:
                self._randomizer.set_state(self._copied)
        return self._randomizer

    def __getstate__(self) -> dict[str, Any]:
        # the randomizer looks into the memory of this model and this data, and a copy must look into its own
        state = {k: v for k, v in self.__dict__.items() if k not in ("_randomizer", "_copied")}
        return {**state, "_randomizer": None, "_copied": self.randomizer.get_state()}

    def set_control_dt(self, seconds: float | None) -> None:
        """Set the control period; None leaves it.

        Raises:
            ShopfloorError: if it is not positive, or differs from what another wrapper has said.
        """
        if seconds is None:
            return
        if not 0.0 < seconds < float("inf"):
            raise ShopfloorError(f"control_dt must be a positive time in s, got {seconds!r}")
        if self._dt not in (None, seconds):
            raise ShopfloorError(f"two wrappers give different control_dt: {self._dt:g} s and {seconds:g} s")
        self._dt = float(seconds)

    def _control_dt(self, spec: Spec) -> float:
        if self._dt is not None:
            return self._dt
        model = self.plant.model
        own = getattr(self._base, "dt", None) or getattr(self._base, "control_dt", None)
        if own is None and (skip := getattr(self._base, "frame_skip", None)):
            own = skip * model.opt.timestep
        if own is not None:
            return float(own)
        timed = next((t for t in spec.terms if t.dynamic or t.effect in _TIMED), None)
        if timed is not None:
            raise ShopfloorError(
                f"term {timed.name!r} needs the control period, and {type(self._base).__name__} has no `dt`; "
                "pass control_dt in s"
            )
        return 1.0

    def set_actions(self, space: gym.Space[Any], start: ArrayLike | None) -> None:
        """Check that actions are commands of the actuators; `start` is the one that holds the start state.

        Raises:
            ShopfloorError: if they are not.
        """
        nu = self.plant.model.nu
        if not isinstance(space, gym.spaces.Box) or space.shape != (nu,):
            raise ShopfloorError(
                f"ActuationRandomization takes actions with one number for each of the model's {nu} actuators, "
                f"got the action space {space}"
            )
        self._action_space = space
        if start is not None:
            array = np.asarray(start, dtype=np.float64)
            if array.shape != (nu,) or not np.isfinite(array).all():
                raise ShopfloorError(f"start_action must be {nu} finite numbers, got {start!r}")
            self._start_action = array

    def set_observations(self, space: gym.Space[Any], channels: Mapping[str, slice] | None) -> None:
        """Say which parts of the observation are channels; None makes all of it one, called `observation`.

        Raises:
            ShopfloorError: if the observation is no flat box, or slices are empty, overlap or leave it.
        """
        if not isinstance(space, gym.spaces.Box) or len(space.shape) != 1:
            raise ShopfloorError(
                f"SensingRandomization takes a flat Box as observation, got {space}; "
                "put gymnasium.wrappers.FlattenObservation below it"
            )
        self._observation_space = space
        self._channels = _places(space.shape[0], {"observation": slice(None)} if channels is None else channels)

    # -- episodes ---------------------------------------------------------------------------------------------

    def begin(self, seed: int | None, options: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """Draw and apply the sample of the next episode, before the environment resets; returns its own options.

        Raises:
            ShopfloorError: if a forced value or the split is unknown; nothing has changed then.
        """
        if self._base.model is not self.plant.live or self._base.data is not self._data:  # type: ignore[attr-defined]
            raise ShopfloorError(
                f"{type(self._base).__name__} has replaced its model or data since it was wrapped; keep one of each, "
                "and let reset() call mj_resetData"
            )
        if getattr(self._base, _MARK) is not self:
            raise ShopfloorError(f"{type(self._base).__name__} has been wrapped again; use the newer wrappers")
        own = dict(options or {})
        forced, split = own.pop("randomization", None), own.pop("split", None)
        seeds, episodes = self._key(seed)
        drawn = self.randomizer.draw(seeds, episodes, forced, split)
        self._seed, self._episode, self._step = seeds, episodes, np.zeros(1, dtype=np.int64)
        self.randomizer.apply(_ROW, seeds, episodes, drawn)
        if self._looks and self.randomizer.engaged:
            self.randomizer.visuals(self.plant.live, 0)
            self.plant.stale(_ROW)
        self.plant.refresh()
        self._before = None if self._checked else self.randomizer.model.snapshot(_ROW)
        self._begun = True
        return own or None

    def _key(self, seed: int | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if seed is None and self._begun:
            return self._seed, self._episode + 1
        if seed is None:
            seed = int(self._base.np_random.integers(0, 2**31))
        if not isinstance(seed, (int, np.integer)) or not 0 <= seed <= MAX_SEED:
            raise ShopfloorError(f"a seed must be a whole number in [0, {MAX_SEED}], got {seed!r}")
        return np.array([seed], dtype=np.int64), np.zeros(1, dtype=np.int64)

    def started(self) -> None:
        """Go on once the environment has reset.

        Raises:
            ShopfloorError: if its reset has written a field that a term acts on, which would undo the term.
        """
        if self._before is not None:
            name = self.randomizer.model.overwritten(self._before, _ROW)
            if name is not None:
                term = next(b.term.name for b in self.randomizer.model.bound if name in b.fields)
                raise ShopfloorError(
                    f"term {term!r} writes {name}, which {type(self._base).__name__} sets itself at every reset; "
                    "leave it to one of them"
                )
            self._checked = self.randomizer.engaged
        if self.randomizer.engaged:
            self.randomizer.begin(_ROW, self._resting_command()[None], self._now())

    def advance(self) -> None:
        """Go on after a control step: bring up to date what changes within an episode."""
        self._step = self._step + 1
        if self.randomizer.engaged:
            self.randomizer.before_step(self._now())
            self.plant.refresh()

    def _now(self) -> Episodes:
        time_s: Array = self._step.astype(np.float64) * self._control_dt(self.chosen.spec)
        return Episodes(_ROW, self._seed, self._episode, self._step, time_s)

    @property
    def _looks(self) -> list[str]:
        return [t.effect for t in self.chosen.spec.terms if t.info.family == VISUAL]

    def _resting_command(self) -> Array:
        """The action that has stood before the episode: what a position servo holds, or what reset has left."""
        if self._start_action is not None:
            return self._start_action
        model, data = self.plant.live, self._data
        gain, bias = model.actuator_gainprm[:, 0], model.actuator_biasprm[:, 1]
        servo = (gain != 0.0) & (bias == -gain)
        now = copy.copy(data)  # lengths belong to the present positions only after a forward pass
        mujoco.mj_fwdPosition(model, now)
        command = np.where(servo, now.actuator_length, data.ctrl)
        limited = model.actuator_ctrllimited.astype(bool)
        low, high = np.where(limited, model.actuator_ctrlrange.T, [[-np.inf], [np.inf]])
        return np.minimum(np.maximum(command, low), high)

    # -- at the wrappers' places ------------------------------------------------------------------------------

    def command(self, action: Any) -> Any:
        """What arrives at the environment of an action."""
        if not self.randomizer.engaged or not self.randomizer.commands.terms:
            return action
        sent = np.asarray(action, dtype=np.float64)
        if sent.shape != self._action_space.shape:
            raise ShopfloorError(f"the action must have shape {self._action_space.shape}, got {sent.shape}")
        arrived = self.randomizer.drive(sent[None, None], self._now())[0, 0]
        arrived = np.minimum(np.maximum(arrived, self._action_space.low), self._action_space.high)
        return arrived.astype(self._action_space.dtype)

    def reading(self, observation: Any) -> Any:
        """What is read of an observation."""
        sensors = self.randomizer.sensors
        if not self.randomizer.engaged or not sensors.terms:
            return observation
        when = (_ROW, self._seed, self._episode, self._step)
        value = np.asarray(observation, dtype=np.float64)[None]
        value = sensors.transmit(sensors.measure(value, *when), *when)[0]
        space = self._observation_space
        return np.minimum(np.maximum(value, space.low), space.high).astype(space.dtype)

    # -- what can be read -------------------------------------------------------------------------------------

    def info(self) -> dict[str, Any]:
        """Split, spec, rejected draws and all values, as the suite's environments tell them."""
        randomizer = self.randomizer
        return {
            "split": SPLITS[int(randomizer.split[0])],
            "spec": randomizer.spec.hash,
            "rejected": int(randomizer.rejected[0]),
            **{k: float(v[0, 0]) if v.shape[1] == 1 else v[0].copy() for k, v in randomizer.values.items()},
        }

    def release(self) -> None:
        """Leave the machine as designed."""
        if self._chosen is None:
            return
        self.plant.restore(*self.plant.written, *self._looks)
        disturbances, names = self.randomizer.disturbances, self.randomizer.component_names
        disturbances.write(_ROW, {t.name: np.zeros((1, len(names[t.name]))) for t in disturbances.terms})


def _places(size: int, channels: Mapping[str, slice]) -> tuple[ChannelPlace, ...]:
    """Channels of an observation, in order; what no slice names is there without a name."""
    spans = []
    for name, part in channels.items():
        if not isinstance(part, slice) or part.step not in (None, 1):
            raise ShopfloorError(f"channel {name!r} must be a slice of neighbours such as slice(0, 3), got {part!r}")
        start, stop, _ = part.indices(size)
        if stop <= start or (part.stop is not None and part.stop > size):
            raise ShopfloorError(f"channel {name!r} is {part!r}, but the observation has {size} components")
        spans.append((start, stop, name))
    places: list[ChannelPlace] = []
    at = 0
    for start, stop, name in sorted(spans):
        if start < at:
            raise ShopfloorError(f"channel {name!r} begins at {start}, inside {places[-1].name!r}, which ends at {at}")
        if start > at:
            places.append(ChannelPlace("", at, start - at))
        places.append(ChannelPlace(name, start, stop - start))
        at = stop
    if at < size:
        places.append(ChannelPlace("", at, size - at))
    return tuple(places)
