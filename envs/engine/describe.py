"""Descriptions of a task for what lies downstream: its fingerprint and its deployment contract."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

from ...contract import SCHEMA_VERSION, Contract, ObservationTerm, SetpointTerm, plain, sha256_of
from ...errors import ShopfloorError
from ..control import ActionInterface
from ..registry import NAMESPACE, declaration_arguments, env_ids, event_driven_ids
from ..sensing import POLICY, Channel
from .core import BatchedCell
from .task import Task

# words for readers; changing them changes nothing that a policy meets
_PROSE = ("description",)


def fingerprint(task: Task) -> str:
    """Hex SHA-256 of everything about a task that training and evaluation depend on and that is data.

    It covers the physics model (MuJoCo's XML of the compiled spec, which rounds to six digits, and the content of
    asset files) and the declaration: timing, channels, action interface with its limits, rewards, metrics, start
    distribution, success and failures. Floats enter in their shortest exact form, so it is the same in every process
    and on every machine. Code is not covered: what changes behaviour through code needs a new version of the id.
    Where actions are decisions, there is neither physics nor timing, and the decisions stand for them.
    """
    return sha256_of(
        {
            **({"decisions": list(task.decisions)} if task.decisions else _plant(task)),
            "channels": [_fields(c) for c in task.channels],
            "rewards": {name: reward.weight for name, reward in task.rewards.items()},
            "metrics": {name: _fields(metric) for name, metric in task.metrics.items()},
            "main_metric": task.main_metric,
            "start": [{"kind": term.kind, **_fields(term)} for term in task.start],
            "success": [task.success_text, task.success_hold_s, task.terminate_on_success],
            "failures": dict(task.failure_texts),
            "goal_size": task.goal_size,
        }
    )


def _plant(task: Task) -> dict[str, Any]:
    """Physics, rates and commands of a task."""
    spec = task.cell(visual=False)
    spec.compile()
    action = task.make_action()
    return {
        "model": spec.to_xml(),
        "assets": {name: hashlib.sha256(data).hexdigest() for name, data in spec.assets.items()},
        "timing": _fields(task.timing),
        "action": {"interface": action.name, "limits": plain(action.limits(), "limits")},
        "setpoints": [_fields(t) for t in action.terms],
    }


def contract_of(source: BatchedCell | Task, env_id: str, task_kwargs: Mapping[str, Any] | None = None) -> Contract:
    """The contract that a policy of this task is trained under, with empty provenance.

    Args:
        source: the task, or a cell that was built from it.
        env_id, task_kwargs: how the task was made; arguments must have a JSON form. The defaults of a registered
            task are filled in, so that the contract means the same when they change.

    Raises:
        ShopfloorError: if the task has no channels in the policy group or an argument has no JSON form.
    """
    task = source.task if isinstance(source, BatchedCell) else source
    channels = [c for c in task.channels if c.group == POLICY]
    if not channels:
        raise ShopfloorError(f"{env_id} has no channels in the group {POLICY!r}, so there is nothing to read")
    bare = Contract(
        schema_version=SCHEMA_VERSION,
        env_id=env_id,
        task_kwargs=plain(_all_arguments(env_id, task_kwargs or {}), "task_kwargs"),
        fingerprint=fingerprint(task),
        control_hz=0.0,
        timestep_s=0.0,
        decimation=0,
        interface="decision",
        limits={},
        # the simulation computes a command in no time: it acts from the tick at which its readings were taken
        expected_latency_s=0.0,
        observation=tuple(_observation_term(c, 0.0) for c in channels),
        action=(),
        decisions=task.decisions,
    )
    if task.decisions:
        return bare
    action: ActionInterface = task.make_action()
    return dataclasses.replace(
        bare,
        control_hz=float(task.timing.control_hz),
        timestep_s=float(task.timing.timestep_s),
        decimation=task.timing.substeps,
        interface=action.name,
        limits=plain(action.limits(), "limits"),
        observation=tuple(_observation_term(c, task.timing.control_hz) for c in channels),
        action=tuple(SetpointTerm(t.name, t.unit, float(t.low), float(t.high), t.frame) for t in action.terms),
    )


def _all_arguments(env_id: str, given: Mapping[str, Any]) -> dict[str, Any]:
    if env_id not in (*env_ids(), *event_driven_ids()):
        return dict(given)
    defaults = {k: p.default for k, p in declaration_arguments(env_id).items() if p.default is not p.empty}
    return {**defaults, **given}


def canonical_id(env_id: str) -> str:
    """An environment id as the registry spells it: `ArmReach-v0` and `shopfloor:ArmReach-v0` become one."""
    name = env_id.removeprefix(f"{NAMESPACE}:").removeprefix(f"{NAMESPACE}/")
    return f"{NAMESPACE}/{name}"


def _observation_term(channel: Channel, control_hz: float) -> ObservationTerm:
    low, high = channel.bounds
    offset, scale = channel.normalization
    return ObservationTerm(
        name=channel.name,
        size=channel.size,
        unit=channel.unit,
        frame=channel.frame,
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        offset=tuple(offset.tolist()),
        scale=tuple(scale.tolist()),
        history=channel.history,
        rate_hz=float(channel.rate_hz or control_hz),
        latency_s=float(channel.latency_s),
        noise=float(channel.noise),
        bias=float(channel.bias),
        quantization=float(channel.quantization),
        labels=tuple(channel.labels),
    )


def _fields(declared: Any) -> dict[str, Any]:
    """The fields of a declaration as plain data, without prose."""
    data = {f.name: getattr(declared, f.name) for f in dataclasses.fields(declared) if f.name not in _PROSE}
    return {key: plain(value, key) for key, value in data.items()}
