"""The throughput page says what the last measurement of all rows said."""

from __future__ import annotations

import json

import pytest

from shopfloor.benchmarks.page import PAGE, PICTURES, throughput_page
from shopfloor.benchmarks.throughput import RESULTS, merged, table
from shopfloor.envs.registry import env_ids, event_driven_ids
from shopfloor.errors import ShopfloorError


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
    assert "| CellVectorEnv | A-v0 | 64 | 800 | 1,000 | 0.80 | 0.80 – 0.80 | 2026-01-01 |" in page
    assert "Not measured yet: B-v0." in page


def test_pictures_stand_beside_readings_of_as_many_rows():
    def row(name: str, n: int, rate: float) -> dict[str, object]:
        samples = [{"steps_per_s": rate, "bound_per_s": 1000.0}]
        return {"name": name, "env_id": "shopfloor/A-v0", "n": n, "steps_per_s": rate, "share_of_bound": rate / 1000.0,
                "samples": samples}  # fmt: skip

    machine = {"cores": 2, "cpu": "a CPU", "mujoco": "3.17.0", "python": "3.11"}
    rows = [row("CellVectorEnv", 64, 900.0), row("CellVectorEnv", 8, 500.0), row(PICTURES, 8, 100.0)]
    document = {"machine": machine, "created_utc": "2026-01-01T00:00:00", "threads": 2, "rows": rows}
    assert "| A-v0 | 8 | 500 | 100 | 5.0 | 8.0 |" in throughput_page(document, ["shopfloor/A-v0"])
    document["rows"] = rows[:2]
    assert "Cost of pictures" not in throughput_page(document, ["shopfloor/A-v0"])


def test_rows_that_are_measured_again_take_the_place_of_theirs():
    machine = {"cpu": "a CPU", "cores": 2, "system": "Linux"}
    first, second = ({"name": "CellVectorEnv", "env_id": i, "n": 64, "rate": 1} for i in (env_ids()[0], env_ids()[1]))
    old = {"machine": machine, "created_utc": "2026-01-01T00:00:00", "rows": [first, second]}
    new = {"machine": machine, "created_utc": "2026-02-01T00:00:00", "rows": [{**first, "rate": 2, "measured": "now"}]}
    rows = merged(new, old)["rows"]
    assert {(r["env_id"], r["rate"], r["measured"]) for r in rows} == {
        (first["env_id"], 2, "now"), (second["env_id"], 1, "2026-01-01"),
    }  # fmt: skip
    with pytest.raises(ShopfloorError, match="measured with cores 4, those of before with 2"):
        merged({**new, "machine": {**machine, "cores": 4}}, old)
