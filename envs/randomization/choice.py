"""What a user says to ask for randomization, and what it means for a task."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...errors import ShopfloorError
from .spec import NOMINAL, SPLITS, TRAIN, Spec
from .spec_file import load_spec


@dataclass(frozen=True)
class Randomization:
    """A spec and the split that episodes are drawn from.

    Attributes:
        spec: the spec.
        split: one of `SPLITS`.
    """

    spec: Spec
    split: str = TRAIN

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise ShopfloorError(f"unknown split {self.split!r}; the splits are {', '.join(SPLITS)}")


def choose(request: object, default: str | None) -> Randomization | None:
    """What a request means.

    Args:
        request: None (nominal), a split of the task's own spec ("train"), a spec by name or path, with or without a
            split ("my.yaml", "my.yaml:ood_near"), a `Spec`, or a `Randomization`.
        default: the task's own spec by name or path; None if it has none.

    Returns:
        The spec and the split; None where there is nothing to randomize.

    Raises:
        ShopfloorError: if the request is none of these or the task has no spec.
    """
    if isinstance(request, Randomization):
        return request
    if isinstance(request, Spec):
        return Randomization(request)
    if request is None:
        return None if default is None else Randomization(load_spec(default), NOMINAL)
    if not isinstance(request, (str, Path)):
        raise ShopfloorError(
            f"randomization must be a split ({', '.join(SPLITS)}), a spec or the path of one, got {request!r}"
        )
    text = str(request)
    if text in SPLITS:
        if default is None:
            if text == NOMINAL:
                return None
            raise ShopfloorError(
                f"this task declares no randomization, so there is no {text!r}; give the path of a YAML file"
            )
        return Randomization(load_spec(default), text)
    source, colon, split = text.rpartition(":")
    if colon and split in SPLITS:
        return Randomization(load_spec(source), split)
    try:
        return Randomization(load_spec(text))
    except ShopfloorError as error:
        if text.endswith((".yaml", ".yml")):
            raise
        raise ShopfloorError(f"{error}; or one of the splits {', '.join(SPLITS)}") from None
