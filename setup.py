"""Computes the package list: the repository root is the package ``shopfloor``, which no setuptools finder prefixes."""

from setuptools import find_packages, setup

NOT_SHIPPED = ("tests", "benchmarks", "examples", "docs", "build", "dist", "runs")

found = find_packages(exclude=[pattern for name in NOT_SHIPPED for pattern in (name, f"{name}.*")])

setup(packages=["shopfloor", *(f"shopfloor.{name}" for name in found)])
