"""Behaviour cloning: an actor that does what the teacher did, and a critic that knows what came of it.

PPO then goes on from there. What would undo the clone is an advantage estimated by a critic that is still wrong, so the
critic is fitted to the returns of the demonstrations, and for the first `demonstrations.critic_steps` of PPO it learns
alone. The rest is in the config: little exploration (`network.log_std_init`) and `ppo.target_kl`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from torch import nn
from torch.nn import functional

from .config import DemonstrationSection, Linear
from .demonstrations import Demonstrations, Demonstrator

Say = Callable[[str], None]
Record = Callable[[dict[str, float]], None]


def warm_start(
    learner: PPO,
    demonstrator: Demonstrator,
    settings: DemonstrationSection,
    check: Callable[[], None],
    say: Say,
    record: Record,
) -> None:
    """Collect all rounds of demonstrations, with the actor fitted after each and the critic after the last.

    Args:
        learner: a fresh learner.
        demonstrator: around its environment.
        settings: the config's section.
        check: called often; what it raises ends it all.
        say: shows a line for every round.
        record: takes the figures of a round by TensorBoard tag.
    """
    rows = demonstrator.venv.num_envs
    steps = -(-settings.steps // rows)
    parts: list[Demonstrations] = []
    for number in range(settings.rounds):
        found = demonstrator.collect(learner, steps, settings.beta**number, check)
        parts.append(found.steps)
        data = Demonstrations.joined(parts)
        fit_actor(learner, data, settings, check)
        figures = {
            "demonstrations/steps": float(len(data.actions)),
            "demonstrations/action_error": error(learner, data),
        }
        for driver, share in ((demonstrator.name, found.teacher_success), ("learner", found.learner_success)):
            if share is not None:
                figures[f"demonstrations/{driver}_success_rate"] = share
        if number == settings.rounds - 1:
            figures |= _finish(learner, data, settings, check, say)
        record(figures)
        drove = [
            f"{driver} {share:.0%}"
            for driver, share in ((demonstrator.name, found.teacher_success), ("learner", found.learner_success))
            if share is not None
        ]
        say(
            f"demonstrations {number + 1} of {settings.rounds}: {len(data.actions):,} steps, success "
            f"{', '.join(drove) or 'unknown'}; action error of the clone {figures['demonstrations/action_error']:.3g}"
        )


def _finish(
    learner: PPO, data: Demonstrations, settings: DemonstrationSection, check: Callable[[], None], say: Say
) -> dict[str, float]:
    if not np.isfinite(data.returns).any():
        say("no demonstration came to its end: the critic starts untrained; raise demonstrations.steps")
        return {}
    return {"demonstrations/value_error": fit_critic(learner, data, settings, check)}


def fit_actor(learner: PPO, data: Demonstrations, settings: DemonstrationSection, check: Callable[[], None]) -> None:
    """Bring the mean of the policy towards the teacher's actions, or make its decisions likely.

    Least squares give the mean of what the teacher does thereabouts. Where it switches, such as a gripper that closes
    or a tip that goes down, nobody does what lies between, and its rare large steps outweigh the fine ones; least
    absolute errors give the median, which is one of the two, and count fine steps too.
    """
    distance = functional.l1_loss if settings.loss == "absolute" else functional.mse_loss
    observations, actions = _tensors(learner, data.observations), _tensors(learner, data.actions)

    def loss(chosen: torch.Tensor) -> torch.Tensor:
        if decides(learner):
            policy: Any = learner.policy
            return -policy.get_distribution(_take(observations, chosen)).log_prob(actions[chosen]).mean()
        return distance(mean_action(learner, _take(observations, chosen)), actions[chosen])

    _fit(actor_parameters(learner), loss, len(actions), settings, check)


def fit_critic(learner: PPO, data: Demonstrations, settings: DemonstrationSection, check: Callable[[], None]) -> float:
    """Bring the critic towards the returns that are known; returns the root mean square of what is left."""
    observations = _tensors(learner, data.observations)
    known = torch.as_tensor(np.flatnonzero(np.isfinite(data.returns)), device=learner.device)
    returns = _tensors(learner, data.returns)

    def loss(chosen: torch.Tensor) -> torch.Tensor:
        where = known[chosen]
        return functional.mse_loss(learner.policy.predict_values(_take(observations, where))[:, 0], returns[where])

    policy: Any = learner.policy
    with torch.no_grad():  # from level and spread of the returns on, which may be far from those of a fresh network
        policy.value_net.bias.fill_(returns[known].mean())
        policy.value_net.weight.mul_(returns[known].std(correction=0))
    _fit(critic_parameters(learner), loss, len(known), settings, check)
    with torch.no_grad():
        return float(loss(torch.arange(len(known))).sqrt())


def error(learner: PPO, data: Demonstrations) -> float:
    """Root mean square of the deterministic policy's action less the teacher's, in actions from -1 to 1; or the share
    of decisions that differ.
    """  # noqa: D205
    with torch.no_grad():
        if decides(learner):
            decided = mean_action(learner, _tensors(learner, data.observations))
            return float((decided != _tensors(learner, data.actions)).float().mean())
        off = mean_action(learner, _tensors(learner, data.observations)) - _tensors(learner, data.actions)
        return float(off.square().mean().sqrt())


def mean_action(learner: PPO, observations: Any) -> torch.Tensor:
    """Actions (k, size) of the deterministic policy before they are clipped, or decisions (k,), for observations."""
    policy: Any = learner.policy
    mean: torch.Tensor = policy.get_distribution(observations).mode()
    return mean


def actor_parameters(learner: PPO) -> list[nn.Parameter]:
    """Weights on which the mean action depends."""
    policy: Any = learner.policy
    return [*policy.mlp_extractor.policy_net.parameters(), *policy.action_net.parameters()]


def critic_parameters(learner: PPO) -> list[nn.Parameter]:
    """Weights on which the value depends; the critic shares none with the actor."""
    policy: Any = learner.policy
    return [*policy.mlp_extractor.value_net.parameters(), *policy.value_net.parameters()]


def let_actor_learn(learner: PPO, learns: bool) -> None:
    """Whether updates change the actor and its exploration, or the critic alone."""
    policy: Any = learner.policy
    for parameter in (*actor_parameters(learner), *(() if decides(learner) else (policy.log_std,))):
        parameter.requires_grad_(learns)


def decides(learner: PPO) -> bool:
    """Whether actions are numbers of decisions."""
    return isinstance(learner.action_space, spaces.Discrete)


def _fit(
    parameters: list[nn.Parameter],
    loss: Callable[[torch.Tensor], torch.Tensor],
    size: int,
    settings: DemonstrationSection,
    check: Callable[[], None],
) -> None:
    rate, batches = settings.learning_rate, settings.epochs * -(-size // settings.batch_size)
    # not the learner's optimizer, whose moments would carry the clone's gradients into PPO
    optimizer = torch.optim.Adam(parameters, lr=rate.start if isinstance(rate, Linear) else rate, fused=True)
    for number, chosen in enumerate(_batches(size, settings)):
        check()
        if isinstance(rate, Linear):
            optimizer.param_groups[0]["lr"] = rate(1.0 - number / batches)
        optimizer.zero_grad()
        loss(chosen).backward()
        optimizer.step()


def _batches(size: int, settings: DemonstrationSection) -> Iterator[torch.Tensor]:
    for _ in range(settings.epochs):
        yield from torch.randperm(size).split(settings.batch_size)


def _tensors(learner: PPO, arrays: Any) -> Any:
    if isinstance(arrays, dict):
        return {key: torch.as_tensor(value, device=learner.device) for key, value in arrays.items()}
    return torch.as_tensor(arrays, device=learner.device)


def _take(observations: Any, chosen: torch.Tensor) -> Any:
    if isinstance(observations, dict):
        return {key: value[chosen] for key, value in observations.items()}
    return observations[chosen]
