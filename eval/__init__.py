"""Evaluation: held-out episodes, metrics with units, and intervals that say how much they can be trusted."""
