"""The section of a page that lists what is observed, channel by channel."""

from __future__ import annotations

from collections.abc import Sequence

from ..envs.engine.task import Task
from ..envs.sensing import POLICY, PRIVILEGED, Channel
from .markdown import code, number, table


def observations_section(task: Task) -> str:
    """The channels, group by group."""
    parts = []
    texts = {
        POLICY: "What the policy sees, in this order, in physical units.",
        PRIVILEGED: 'What only simulation knows; part of the observation with `observation=("policy", "privileged")`, '
        "for critics and analysis.",
    }
    for group, text in texts.items():
        channels = [c for c in task.channels if c.group == group]
        if channels:
            parts.append(f"### {group}\n\n{text}\n\n{_channel_table(channels)}")
    return "\n\n".join(parts)


def _channel_table(channels: Sequence[Channel]) -> str:
    rows: list[tuple[str, ...]] = []
    first = 0
    for channel in channels:
        low, high = channel.bounds
        same = bool((low == low[0]).all() and (high == high[0]).all()) and 1 in (channel.history, channel.size)
        labels = channel.component_names()
        after = first + channel.width
        common = (channel.frame or "–", _errors(channel), _latency(channel), channel.description)
        if same:
            num = str(first) if channel.width == 1 else f"{first}–{after - 1}"
            names = code(channel.name) + ("" if channel.size == 1 else f": {', '.join(labels)}")
            names += "" if channel.history == 1 else f": the last {channel.history}, oldest first"
            rows.append((num, names, channel.unit, number(low[0]), number(high[0]), *common))
        else:
            for i, label in enumerate(labels):
                where = first + i
                num = str(where) if channel.history == 1 else f"{where} and every {channel.size} up to {after - 1}"
                name = f"{code(channel.name)}: {label}"
                rows.append((num, name, channel.unit, number(low[i]), number(high[i]), *common))
        first = after
    head = ("Num", "Channel", "Unit", "Min", "Max", "Frame", "Noise", "Latency", "Description")
    return table(head, rows)


def _errors(channel: Channel) -> str:
    unit = "" if channel.unit == "1" else f" {channel.unit}"
    parts = []
    if channel.noise:
        parts.append(f"σ {number(channel.noise)}{unit}")
    if channel.bias:
        parts.append(f"bias σ {number(channel.bias)}{unit}")
    if channel.quantization:
        parts.append(f"step {number(channel.quantization)}{unit}")
    if channel.rate_hz:
        parts.append(f"{number(channel.rate_hz)} Hz")
    return ", ".join(parts) or "–"


def _latency(channel: Channel) -> str:
    return f"{number(1000 * channel.latency_s)} ms" if channel.latency_s else "–"
