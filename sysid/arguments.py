"""Command-line arguments that `identify` and `excite` share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import yaml

from ..errors import ShopfloorError


def values_of(items: Sequence[str], option: str) -> dict[str, Any]:
    """Values by name, from words like `name=value` with YAML values.

    Raises:
        ShopfloorError: if a word is something else.
    """
    out = {}
    for item in items:
        name, equals, text = item.partition("=")
        if not equals or not name:
            raise ShopfloorError(f"{option} takes NAME=VALUE, got {item!r}")
        try:
            out[name] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise ShopfloorError(f"{option} {name}: {text!r} is not a YAML value") from None
    return out


def whole(text: str) -> int:
    """A whole number from 0 on."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must not be negative, got {value}")
    return value


def positive(text: str) -> float:
    """A positive number."""
    value = float(text)
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be positive, got {text}")
    return value
