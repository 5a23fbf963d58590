"""The throughput page says what the last measurement of all rows said."""

from __future__ import annotations

import json

from shopfloor.benchmarks.page import PAGE, throughput_page
from shopfloor.benchmarks.throughput import RESULTS, table
from shopfloor.envs.registry import env_ids, event_driven_ids


def test_the_page_is_that_of_the_numbers():
    document = json.loads((RESULTS / "throughput.json").read_text())
    # environments that are younger than the measurement are named when the page is written next
    written = [line for line in PAGE.read_text().splitlines() if not line.startswith("Not measured yet")]
    expected = throughput_page(document, [row["env_id"] for row in document["rows"]]).splitlines()
    assert [line for line in written if line] == [line for line in expected if line]


def test_every_environment_has_a_row():
    at_64 = {row.env_id for row in table() if row.n == 64}
    assert at_64 == {*env_ids(), *event_driven_ids()}


def test_what_was_not_measured_is_said():
    machine = {"cores": 2, "cpu": "a CPU", "mujoco": "3.17.0", "python": "3.11"}
    row = {"name": "CellVectorEnv", "env_id": "shopfloor/A-v0", "n": 64, "samples": []}
    good = {"steps_per_s": 800.0, "share_of_bound": 0.8, "samples": [{"steps_per_s": 800.0, "bound_per_s": 1000.0}]}
    document = {"machine": machine, "created_utc": "2026-01-01T00:00:00", "threads": 2,
                "rows": [{**row, "steps_per_s": None, "share_of_bound": None}, {**row, **good}]}  # fmt: skip
    page = throughput_page(document, ["shopfloor/A-v0", "shopfloor/B-v0"])
    assert "not measured: the machine did not have its cores" in page
    assert "| CellVectorEnv | A-v0 | 64 | 800 | 1,000 | 0.80 | 0.80 – 0.80 |" in page
    assert "Not measured yet: B-v0." in page
