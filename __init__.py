"""Reinforcement-learning environments for the factory floor.

Importing the package registers its environments with Gymnasium where Gymnasium is installed:

    import gymnasium
    import shopfloor

    env = gymnasium.make("shopfloor/ArmReach-v0")
"""

from __future__ import annotations

import importlib.util

__version__ = "0.1.0"


def register_envs() -> None:
    """Register every environment with Gymnasium; does nothing for ids that are registered already."""
    from .envs.registry import register_all

    register_all()


if importlib.util.find_spec("gymnasium") is not None:
    register_envs()
