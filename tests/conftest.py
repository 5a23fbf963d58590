"""Parametrization over environments: a test with an argument `case` or `env_id` runs for all of them.

`case` is every registered id and the variants worth testing, `base_case` every registered id with default arguments.
Variants are left to `make test-all`: with them the tests of every environment would take twice as long.
"""

from __future__ import annotations

import pytest
from engine_checks import all_cases, registered_cases


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-golden",
        action="store_true",
        help="write tests/golden/*.json anew; say in the commit why the trajectories changed",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for name, cases in (("case", all_cases), ("base_case", registered_cases)):
        if name in metafunc.fixturenames:
            found = cases()
            metafunc.parametrize(
                name, [pytest.param(c, id=str(c), marks=[pytest.mark.slow] * bool(c.kwargs)) for c in found]
            )
