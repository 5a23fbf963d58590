"""Gymnasium wrappers that randomize, one for each family of effects, on the suite's environments and on one's own.

    from shopfloor.envs.randomization.wrappers import randomize

    env = randomize(env, "my.yaml")

The classes here wrap single environments; those of the same names in `.vector` wrap the suite's vector environments.
"""

from .single import (
    ActuationRandomization,
    DisturbanceRandomization,
    ModelRandomization,
    ProcessRandomization,
    SensingRandomization,
    VisualRandomization,
    randomize,
)

__all__ = [
    "ActuationRandomization",
    "DisturbanceRandomization",
    "ModelRandomization",
    "ProcessRandomization",
    "SensingRandomization",
    "VisualRandomization",
    "randomize",
]
