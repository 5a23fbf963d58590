"""Parametrization over environments: a test with an argument `case` or `env_id` runs for all of them.

`case` is every registered id and the variants worth testing, `base_case` every registered id with default arguments,
`variant` the variants alone. Variants are slow tests: every id is tested always, in all its forms by `make test-all`.
Variants are left to `make test-all`: with them the tests of every environment would take twice as long.
"""

from __future__ import annotations

import pytest
from engine_checks import registered_cases, variant_cases


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-golden",
        action="store_true",
        help="write tests/golden/*.json anew; say in the commit why the trajectories changed",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    ids = [pytest.param(c, id=str(c)) for c in registered_cases()]
    variants = [pytest.param(c, id=str(c), marks=pytest.mark.slow) for c in variant_cases()]
    for name, cases in (("case", ids + variants), ("base_case", ids), ("variant", variants)):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, cases)
