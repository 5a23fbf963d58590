"""Looks: colours, lights and cameras of the model that pictures are drawn from, and of nothing else."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
import pytest
from engine_checks import Case, assert_same
from randomization_checks import ARM, drive

from shopfloor.envs.engine.core import BatchedCell
from shopfloor.envs.engine.rendering import CellRenderer
from shopfloor.envs.randomization import Randomization, spec_from
from shopfloor.errors import ShopfloorError

LOOKS: dict[str, Any] = {
    "paint": {"effect": "mat_rgba", "target": {"material": ".*"}, "components": [0, 1, 2], "per_component": True,
              "distribution": {"uniform": [0.2, 1.8]}},
    "lamp": {"effect": "light_diffuse", "target": {"light": ".*"}, "distribution": {"uniform": [0.3, 1.2]}},
    "mount": {"effect": "cam_pos", "target": {"camera": ".*"}, "operation": "add", "per_component": True,
              "distribution": {"normal": [0.0, 0.02]}},
    "aim": {"effect": "cam_quat", "target": {"camera": ".*"}, "operation": "add", "per_component": True,
            "distribution": {"normal": [0.0, 0.01]}},
    "lens": {"effect": "cam_fovy", "target": {"camera": ".*"}, "distribution": {"uniform": [0.9, 1.1]}},
}  # fmt: skip
FIELDS = ("mat_rgba", "light_diffuse", "cam_pos", "cam_quat", "cam_fovy")


def named(model: mujoco.MjModel) -> dict[str, Any]:
    """The looks that can be asked for by name in this model."""
    there = {"paint": model.nmat, "lamp": model.nlight, "mount": model.ncam, "aim": model.ncam, "lens": model.ncam}
    names = {"lamp": mujoco.mjtObj.mjOBJ_LIGHT, "paint": mujoco.mjtObj.mjOBJ_MATERIAL}
    return {
        k: v for k, v in LOOKS.items()
        if there[k] and (k not in names or any(mujoco.mj_id2name(model, int(names[k]), i) for i in range(there[k])))
    }  # fmt: skip


def cell_with_looks(n: int = 2) -> BatchedCell:
    case = Case(ARM)
    picture = case.task().cell(visual=True).compile()
    spec = spec_from({"terms": named(picture)})
    return case.cell(n, randomization=Randomization(spec, "train"))


def looks(model: mujoco.MjModel) -> dict[str, Any]:
    return {k: np.array(getattr(model, k)) for k in FIELDS}


def test_there_is_something_to_see():
    spec = cell_with_looks(1).randomizer.spec
    assert {"mount", "aim", "lens"} <= {t.name for t in spec.terms}
    assert {t.info.family for t in spec.terms} == {"visual"}


def test_looks_come_from_nominal_whatever_was_seen_before():
    """Two renderers of one cell, any order of rows and episodes: pictures depend on the sample alone."""
    cell = cell_with_looks()
    first, second, fresh = (cell.render_model() for _ in range(3))
    design = looks(fresh)
    cell.reset(seeds=np.arange(2))
    for model, row in ((first, 0), (second, 1), (first, 1), (second, 0), (first, 0), (first, 0)):
        cell.randomizer.visuals(model, row)
    cell.randomizer.visuals(fresh, 0)
    assert_same(looks(first), looks(fresh))
    cell.randomizer.visuals(first, 1)
    assert any(not np.array_equal(looks(first)[k], looks(fresh)[k]) for k in FIELDS)
    late = cell.render_model()  # a renderer that is made in mid-episode
    cell.randomizer.visuals(late, 1)
    assert_same(looks(late), looks(first))
    cell.reset(seeds=np.arange(2), split="nominal")
    for model in (first, second, late):
        cell.randomizer.visuals(model, 0)
        for name, value in looks(model).items():
            np.testing.assert_allclose(value, design[name], rtol=1e-6, err_msg=name)


def test_values_are_what_the_sample_says_within_what_looks_can_be():
    cell = cell_with_looks()
    model = cell.render_model()
    design = looks(model)
    cell.reset(seeds=np.arange(2))
    cell.randomizer.visuals(model, 1)
    values = {k: v[1] for k, v in cell.randomizer.values.items()}
    np.testing.assert_allclose(model.cam_fovy, design["cam_fovy"] * values["lens"], rtol=1e-6)
    np.testing.assert_allclose(model.cam_pos, design["cam_pos"] + values["mount"].reshape(-1, 3), atol=1e-6)
    np.testing.assert_allclose((np.array(model.cam_quat) ** 2).sum(axis=1), 1.0, rtol=1e-6)
    for name in ("mat_rgba", "light_diffuse"):
        shares = looks(model)[name]
        assert (shares >= 0.0).all() and (shares <= 1.0).all()
    if "paint" in values:
        assert_same(looks(model)["mat_rgba"][:, 3], design["mat_rgba"][:, 3], "transparency is no colour")


def test_looks_move_nothing():
    cell = cell_with_looks()
    plain = Case(ARM).cell(2)
    for each in (cell, plain):
        each.reset(seeds=np.arange(2))
    assert_same(drive(cell, 10), drive(plain, 10))


def test_pictures_differ_between_samples_and_repeat():
    cell = cell_with_looks()
    try:
        renderer = CellRenderer(cell, 64, 48, quality="fast")
    except ShopfloorError as error:
        pytest.skip(str(error))
    cell.reset(seeds=np.array([5, 5]), split="nominal")
    design = renderer.render(0)
    assert_same(renderer.render(1), design)
    cell.reset(seeds=np.array([5, 5]), randomization={"lens": 0.8}, split="nominal")
    assert not np.array_equal(renderer.render(0), design)
    cell.reset(np.array([0]), np.array([5]), split="nominal")
    assert not np.array_equal(renderer.render(1), design)
    assert_same(renderer.render(0), design, "row 0 is nominal again while row 1 is not")
    renderer.close()
