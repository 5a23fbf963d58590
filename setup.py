"""Packages and data files of the wheel, computed so that a new subpackage or data file cannot be forgotten.

The repository root is the package ``shopfloor``; a finder configured in pyproject.toml would not prefix
what it finds with that name.
"""

from setuptools import find_packages, setup

NOT_SHIPPED = ("tests", "benchmarks", "examples", "docs", "build", "dist", "runs")
DATA_ONLY = ("configs",)
DATA = ["yaml", "json", "xml", "md", "html", "css", "js", "svg", "png", "obj", "stl", "csv"]

found = find_packages(exclude=[pattern for name in NOT_SHIPPED for pattern in (name, f"{name}.*")])
folders = {name.partition(".")[0] for name in found}.union(DATA_ONLY)

setup(
    script_name="setup.py",  # so that setuptools leaves it out of the root package whoever calls it
    packages=["shopfloor", *(f"shopfloor.{name}" for name in found)],
    package_data={
        "shopfloor": [
            "py.typed",
            "constraints.txt",
            *(f"{folder}/**/*.{suffix}" for folder in sorted(folders) for suffix in DATA),
            *(f"{folder}/**/LICENSE" for folder in sorted(folders)),
        ]
    },
)
