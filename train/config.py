"""What a training run is made of: a typed, frozen tree, read from YAML and the command line by `config_file`."""

from __future__ import annotations

import functools
import hashlib
import operator
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any, Literal

import yaml

from ..envs.randomization import NOMINAL, TRAIN, Randomization, load_spec
from ..envs.randomization.curriculum import CurriculumSettings
from ..errors import ShopfloorError

# `shopfloor eval` scores seeds from 1,000,000 on and validation during training from 2,000,000 on. Training rows
# stay below both: run `seed` gives row i the seed `seed * ROW_STRIDE + i`.
HELD_OUT_SEEDS = 1_000_000
VALIDATION_SEEDS = 2_000_000
ROW_STRIDE = 1_000


def option(default: Any, text: str) -> Any:
    """A field with the line that `shopfloor train --help` prints for it."""
    return field(default=default, metadata={"help": text})


def section(cls: type, text: str) -> Any:
    """A field that holds a nested section."""
    return field(default_factory=cls, metadata={"help": text})


@dataclass(frozen=True)
class Linear:
    """A value that changes in proportion to progress, from `start` to `end` at the last step."""

    start: float
    end: float

    def __call__(self, progress_remaining: float) -> float:
        """The value when the share `progress_remaining` of all steps is still to come, as SB3 asks for it."""
        return self.end + (self.start - self.end) * progress_remaining


Schedule = float | Linear


@dataclass(frozen=True)
class EnvSection:
    """Which environment."""

    id: str = option("", "environment id")
    kwargs: dict[str, Any] = field(default_factory=dict, metadata={"help": "arguments of the environment"})


@dataclass(frozen=True)
class RandomizationSection:
    """Which machines the policy is trained and validated on.

    It is no argument of the environment: a policy is deployed on whatever machine there is, so that its contract says
    nothing of this; the run's manifest and the bundle's provenance do.
    """

    split: Literal["nominal", "train", "corners", "ood_near", "ood_far", "structural"] = option(
        "nominal", "part of the randomization that episodes are drawn from"
    )
    spec: str | None = option(None, "name or path of another randomization; null for the environment's own")
    curriculum: CurriculumSettings = section(CurriculumSettings, "curriculum")

    def __post_init__(self) -> None:
        if self.curriculum.kind != "fixed" and self.split != TRAIN:
            raise ShopfloorError(
                f"randomization.curriculum.kind={self.curriculum.kind} needs randomization.split=train, whose ranges "
                f"it opens, got {self.split}"
            )

    def request(self) -> object:
        """What an environment takes as its `randomization`.

        Raises:
            ShopfloorError: if there is no such spec.
        """
        if self.spec is not None:
            return Randomization(load_spec(self.spec), self.split)
        return None if self.split == NOMINAL else self.split


@dataclass(frozen=True)
class NetworkSection:
    """The policy network and its critic, which has a network of its own of the same shape."""

    sizes: tuple[int, ...] = option((64, 64), "units of the hidden layers")
    activation: Literal["tanh", "relu", "elu", "silu"] = option("tanh", "activation function")
    log_std_init: float = option(-0.5, "log of the initial standard deviation of actions (PPO)")
    resolutions: tuple[float, ...] = option(
        (1.0,), "factors by which normalized readings enter, a copy for each; those magnified are clipped to [-1, 1]"
    )


@dataclass(frozen=True)
class PPOSection:
    """Proximal policy optimization; names and meanings are those of Stable-Baselines3."""

    learning_rate: Schedule = option(3e-4, "Adam's step size")
    n_steps: int = option(32, "steps of each environment between updates")
    batch_size: int = option(1024, "transitions in a minibatch")
    n_epochs: int = option(5, "passes over the collected steps in an update")
    gamma: float = option(0.99, "discount factor")
    gae_lambda: float = option(0.95, "bias against variance of the advantage estimate")
    clip_range: Schedule = option(0.2, "clip range of the probability ratio")
    normalize_advantage: bool = option(True, "whether advantages are standardized in each minibatch")
    ent_coef: float = option(0.0, "weight of the entropy bonus")
    vf_coef: float = option(0.5, "weight of the value loss")
    max_grad_norm: float = option(0.5, "gradient norm above which gradients are scaled down")
    target_kl: float | None = option(None, "KL divergence at which an update stops early; null for never")
    use_sde: bool = option(False, "state-dependent exploration: smooth in time, where white noise would average out")
    sde_sample_freq: int = option(-1, "steps between new exploration matrices; -1 for one a rollout")


@dataclass(frozen=True)
class SACSection:
    """Soft actor-critic; names and meanings are those of Stable-Baselines3."""

    learning_rate: Schedule = option(3e-4, "Adam's step size")
    buffer_size: int = option(300_000, "transitions in the replay buffer")
    learning_starts: int = option(2_000, "steps of random actions before the first update")
    batch_size: int = option(256, "transitions in a minibatch")
    tau: float = option(0.005, "share of the new weights in a target network's update")
    gamma: float = option(0.99, "discount factor")
    train_freq: int = option(1, "steps of each environment between updates")
    gradient_steps: int = option(1, "gradient steps an update; -1 for one for each collected transition")
    ent_coef: float | str = option("auto", 'entropy temperature, a number or "auto" or "auto_<initial value>"')
    target_entropy: float | str = option("auto", 'entropy that "auto" aims at, a number or "auto"')
    hindsight: int = option(
        0, "goals reached later in an episode that are learned from for each one that was set (HER); 0 for none"
    )


@dataclass(frozen=True)
class DemonstrationSection:
    """Learning from a scripted teacher of the task before PPO: behaviour cloning, in rounds (DAgger)."""

    teacher: Literal["expert", "oracle"] = option(
        "expert", "who is asked: the task's expert, or its oracle, which knows what the policy cannot see"
    )
    steps: int = option(0, "environment steps of a round of demonstrations; 0 for none")
    rounds: int = option(1, "rounds; from the second on the learner drives some rows and the teacher corrects")
    beta: float = option(0.5, "share of rows that the teacher drives in the second round; squared in the third, ...")
    epochs: int = option(10, "passes over all demonstrations after a round")
    batch_size: int = option(512, "steps in a minibatch")
    learning_rate: Schedule = option(1e-3, "Adam's step size; a schedule runs anew in each fit")
    loss: Literal["squared", "absolute"] = option(
        "squared", "of the actor's error in continuous actions; absolute where the expert switches"
    )
    critic_steps: int = option(0, "environment steps of PPO in which only the critic learns")


@dataclass(frozen=True)
class EvaluationSection:
    """Validation during training: the deterministic policy on held-out seeds, one episode each."""

    every_steps: int = option(100_000, "environment steps between validations")
    episodes: int = option(64, "episodes of a validation")
    first_seed: int = option(VALIDATION_SEEDS, "episode i has the seed first_seed + i")


@dataclass(frozen=True)
class CheckpointSection:
    """Checkpoints, from which a run continues exactly."""

    every_steps: int = option(200_000, "environment steps between checkpoints")
    keep: int = option(2, "how many of the newest are kept")


@dataclass(frozen=True)
class TrainConfig:
    """A training run.

    Raises:
        ShopfloorError: if a value is outside its range; the message names the key.
    """

    name: str = option("", "a word for the run directory's name")
    env: EnvSection = section(EnvSection, "environment")
    randomization: RandomizationSection = section(RandomizationSection, "randomization")
    algorithm: Literal["ppo", "sac"] = option("ppo", "learning algorithm")
    total_steps: int = option(1_000_000, "environment steps in all")
    num_envs: int = option(64, "environments stepped together")
    seed: int = option(0, f"seed of everything; 0 to {HELD_OUT_SEEDS // ROW_STRIDE - 1}")
    threads: int | None = option(None, "threads of physics; null for all cores")
    # Two OpenMP threads save a tenth of an update of small networks on idle cores, and on a shared core wait for
    # each other a hundred times longer than they compute.
    update_threads: int | None = option(1, "threads of updates; null for all cores, for networks from 256 units")
    device: Literal["cpu", "cuda"] = option("cpu", "where the networks live; runs resume exactly on cpu only")
    network: NetworkSection = section(NetworkSection, "network")
    ppo: PPOSection = section(PPOSection, "PPO")
    sac: SACSection = section(SACSection, "SAC")
    demonstrations: DemonstrationSection = section(DemonstrationSection, "learning from demonstrations")
    evaluation: EvaluationSection = section(EvaluationSection, "validation")
    checkpoint: CheckpointSection = section(CheckpointSection, "checkpoints")

    def __post_init__(self) -> None:
        if not self.env.id:
            raise ShopfloorError("env.id is missing: name an environment such as shopfloor/ArmReach-v0")
        if "randomization" in self.env.kwargs:
            raise ShopfloorError(
                "env.kwargs.randomization: say it as randomization.split and randomization.spec, which are recorded "
                "with the policy and stay out of its deployment contract"
            )
        for key, value in flatten(self).items():
            check_range(key, value)
        if not self.network.sizes or min(self.network.sizes) < 1:
            raise ShopfloorError(f"network.sizes must hold positive numbers of units, got {list(self.network.sizes)}")
        if not self.network.resolutions or min(self.network.resolutions) < 1.0:
            raise ShopfloorError(
                f"network.resolutions must hold factors of at least 1, got {list(self.network.resolutions)}"
            )
        for key, words in (("ent_coef", r"auto(_\d*\.?\d+)?"), ("target_entropy", "auto")):
            value = getattr(self.sac, key)
            if isinstance(value, str) and not re.fullmatch(words, value):
                raise ShopfloorError(f"sac.{key} must be a number or auto, got {value!r}")
        if self.algorithm == "ppo" and self.ppo.batch_size > self.num_envs * self.ppo.n_steps:
            raise ShopfloorError(
                f"ppo.batch_size={self.ppo.batch_size} is more than an update has: num_envs * ppo.n_steps = "
                f"{self.num_envs * self.ppo.n_steps}"
            )
        if self.demonstrations.steps and self.algorithm != "ppo":
            raise ShopfloorError(f"demonstrations.steps needs algorithm=ppo, got {self.algorithm}")
        if self.row_seeds.stop > HELD_OUT_SEEDS:
            most = (HELD_OUT_SEEDS - self.num_envs) // ROW_STRIDE
            raise ShopfloorError(
                f"seed={self.seed} with num_envs={self.num_envs} reaches the held-out seeds; "
                f"use a seed of at most {most}"
            )
        if self.evaluation.first_seed < HELD_OUT_SEEDS:
            raise ShopfloorError(
                f"evaluation.first_seed must be at least {HELD_OUT_SEEDS}, above the training seeds, "
                f"got {self.evaluation.first_seed}"
            )

    @property
    def row_seeds(self) -> range:
        """Seeds of the training rows."""
        return range(self.seed * ROW_STRIDE, self.seed * ROW_STRIDE + self.num_envs)

    def as_dict(self) -> dict[str, Any]:
        """Plain data that reads back into an equal config; sections of what is not chosen are left out."""
        plain: dict[str, Any] = _plain(asdict(self))
        for key in self.unused_sections:
            *path, last = key.split(".")
            del functools.reduce(operator.getitem, path, plain)[last]
        return plain

    @property
    def unused_sections(self) -> list[str]:
        """Sections, by dotted key, of the algorithms and curricula that are not chosen."""
        curricula = [
            f.name for f in fields(CurriculumSettings) if f.name not in ("kind", self.randomization.curriculum.kind)
        ]
        return [
            *(["sac"] if self.algorithm == "ppo" else ["ppo", "demonstrations"]),
            *(f"randomization.curriculum.{name}" for name in curricula),
        ]

    def to_yaml(self) -> str:
        """The resolved config as YAML."""
        text: str = yaml.dump(self.as_dict(), Dumper=_Dumper, sort_keys=False, width=100)
        return text

    def digest(self) -> str:
        """Eight hexadecimal digits that differ where configs differ."""
        return hashlib.sha256(self.to_yaml().encode()).hexdigest()[:8]


class _Dumper(yaml.SafeDumper):
    """Sections as blocks, lists in one line."""


_Dumper.add_representer(
    list, lambda dumper, items: dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=True)
)

# smallest and largest value of a key, both allowed
RANGES: dict[str, tuple[float, float]] = {
    "total_steps": (1, 1e12), "num_envs": (1, 100_000), "seed": (0, HELD_OUT_SEEDS), "threads": (1, 4096),
    "update_threads": (1, 4096),
    "ppo.n_steps": (2, 1e7), "ppo.batch_size": (2, 1e9), "ppo.n_epochs": (1, 1e4), "ppo.gamma": (0, 1),
    "ppo.gae_lambda": (0, 1), "ppo.vf_coef": (0, 1e6), "ppo.max_grad_norm": (1e-9, 1e9), "ppo.target_kl": (1e-9, 1e9),
    "ppo.sde_sample_freq": (-1, 1e7),
    "ppo.learning_rate": (0, 1), "ppo.clip_range": (0, 100), "sac.learning_rate": (0, 1), "sac.buffer_size": (1, 1e10),
    "sac.learning_starts": (0, 1e10), "sac.batch_size": (1, 1e9), "sac.tau": (0, 1), "sac.gamma": (0, 1),
    "sac.train_freq": (1, 1e7), "sac.gradient_steps": (-1, 1e7), "sac.hindsight": (0, 1000),
    "demonstrations.steps": (0, 1e9), "demonstrations.rounds": (1, 1000), "demonstrations.beta": (0, 1),
    "demonstrations.epochs": (1, 1e4), "demonstrations.batch_size": (1, 1e9), "demonstrations.learning_rate": (0, 1),
    "demonstrations.critic_steps": (0, 1e12),
    "evaluation.every_steps": (1, 1e12), "evaluation.episodes": (1, 1e6), "checkpoint.every_steps": (1, 1e12),
    "checkpoint.keep": (1, 1e6),
}  # fmt: skip


def check_range(key: str, value: Any) -> None:
    """Reject a number outside the range of its key."""
    if key not in RANGES or value is None:
        return
    low, high = RANGES[key]
    for number in (value.start, value.end) if isinstance(value, Linear) else (value,):
        if not low <= number <= high:  # also false for NaN
            raise ShopfloorError(f"{key} must lie in [{low:g}, {high:g}], got {number}")


def flatten(config: Any, prefix: str = "") -> dict[str, Any]:
    """Values of a section by dotted key; sections themselves do not appear."""
    out: dict[str, Any] = {}
    for f in fields(config):
        value, key = getattr(config, f.name), f"{prefix}{f.name}"
        if is_dataclass(value) and not isinstance(value, Linear):
            out.update(flatten(value, f"{key}."))
        else:
            out[key] = value
    return out


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        if value.keys() == {"start", "end"}:
            return {"linear": [value["start"], value["end"]]}
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value
