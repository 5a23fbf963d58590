"""Markdown of the pages: tables, numbers, and what docstrings say."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Any


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; bars inside cells are escaped."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(head), "|" + "---|" * len(head), *(line(row) for row in rows)])


def number(value: float) -> str:
    """A number as short as six digits allow."""
    return f"{value:.6g}" if value else "0"


def code(text: object) -> str:
    """Text set as code."""
    return f"`{text}`"


def docstring(owner: Any) -> tuple[str, dict[str, str]]:
    """Text of a Google-style docstring before its sections, and the entries of its Args section."""
    text = inspect.getdoc(owner) or ""
    body = re.split(r"\n(?=(?:Args|Attributes|Returns|Raises):\n)", text)
    arguments: dict[str, str] = {}
    for section in body[1:]:
        if section.startswith("Args:"):
            for entry in re.split(r"\n    (?=\S)", section.removeprefix("Args:")):
                names, _, meaning = entry.strip().partition(":")
                for name in filter(None, re.split(r",\s*", names)):
                    arguments[name] = " ".join(meaning.split())
    return body[0].strip(), arguments


def quoted(meaning: str) -> list[str]:
    """The values that the description of an argument names, in quotes."""
    return re.findall(r'"([^"]+)"', meaning)


def sentence(text: str) -> str:
    """A line of a table as a sentence."""
    return f"{text[:1].upper()}{text[1:]}."
