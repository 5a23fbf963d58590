"""Benchmarks. They are part of the repository, not of the wheel."""
