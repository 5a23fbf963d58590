"""Progress on the terminal: a bar with the time to go, or a line every ten seconds where there is no terminal."""

from __future__ import annotations

import sys
import time
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

LINE_EVERY_S = 10.0


class Display(Protocol):
    """Shows how far training is."""

    def update(self, step: int, speed: float, success: float | None, mean_return: float | None) -> None:
        """Show a state: steps done, steps a second, and recent success rate and return."""

    def say(self, text: str) -> None:
        """Print a line that stays."""

    def close(self) -> None:
        """Leave the terminal in order."""


class Bar:
    """A bar on a terminal.

    Args:
        total: steps of the run.
        step: steps done already.
    """

    def __init__(self, total: int, step: int):
        self._progress = Progress(
            TextColumn("[bold]{task.percentage:3.0f}%[/bold]"),
            BarColumn(bar_width=10),  # fits 80 columns together with the figures
            TextColumn("{task.fields[figures]}"),
            TextColumn("ETA"),
            TimeRemainingColumn(compact=True),
            console=Console(highlight=False),
        )
        self._task = self._progress.add_task("", total=total, completed=step, figures="")
        self._progress.start()

    def update(self, step: int, speed: float, success: float | None, mean_return: float | None) -> None:
        """Move the bar."""
        self._progress.update(self._task, completed=step, figures=figures(step, speed, success, mean_return))

    def say(self, text: str) -> None:
        """Print above the bar."""
        self._progress.console.print(text, markup=False)

    def close(self) -> None:
        """Stop drawing."""
        self._progress.stop()


class Lines:
    """Plain lines, for logs.

    Args:
        total: steps of the run.
        step: steps done already.
    """

    def __init__(self, total: int, step: int):
        self.total = total
        self._first = step
        self._begin = self._last = time.monotonic()

    def update(self, step: int, speed: float, success: float | None, mean_return: float | None) -> None:
        """Print a line if the last one is old enough."""
        now = time.monotonic()
        if now - self._last < LINE_EVERY_S:
            return
        self._last = now
        rate = (step - self._first) / (now - self._begin)
        left = (self.total - step) / rate if rate > 0 else 0.0
        share = min(1.0, step / self.total)
        self.say(f"{share:4.0%}  {figures(step, speed, success, mean_return)}  {duration(left)} left")

    def say(self, text: str) -> None:
        """Print a line."""
        print(text, flush=True)

    def close(self) -> None:
        """Nothing to do."""


def make_display(total: int, step: int) -> Display:
    """A bar on a terminal, lines elsewhere."""
    return Bar(total, step) if sys.stdout.isatty() else Lines(total, step)


def figures(step: int, speed: float, success: float | None, mean_return: float | None) -> str:
    """The figures of a progress line."""
    parts = [f"{short(step)} steps", f"{short(speed)} steps/s"]
    if success is not None and mean_return is not None:
        parts += [f"success {success:.0%}", f"return {mean_return:.2f}"]
    return "  ".join(parts)


def short(number: float) -> str:
    """Three digits and a suffix: 1.23M, 45.6k, 789."""
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{suffix}"
    return f"{number:.3g}"


def duration(seconds: float) -> str:
    """Hours, minutes and seconds: 1:02:03."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
