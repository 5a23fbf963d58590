"""Reinforcement-learning environments for the factory floor."""

from __future__ import annotations

__version__ = "0.1.0"
