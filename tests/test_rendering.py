"""Pictures: created when asked for, of any row, through every camera, and without a trace in the simulation."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import subprocess
import sys
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import pytest
from engine_checks import Case, actions, assert_same, endless, registered_cases

from shopfloor import doctor
from shopfloor.envs.engine.core import BatchedCell
from shopfloor.envs.engine.rendering import RENDER_MODES, CellRenderer
from shopfloor.errors import ShopfloorError

pytestmark = pytest.mark.skipif(
    subprocess.run([sys.executable, "-m", doctor.__name__, "--can-render"], check=False).returncode != 0,
    reason="no OpenGL here",
)


@pytest.fixture(autouse=True)
def compiled_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling what is only seen takes most of the time of a small picture."""
    if request.node.originalname == "test_render_model_must_fit_the_physics_model":
        return
    compile_model = BatchedCell.render_model

    def cached(cell: BatchedCell) -> mujoco.MjModel:
        key = (type(cell.task), cell.model.nu, cell.model.actuator_biastype.tobytes())
        if key not in _MODELS:
            _MODELS[key] = compile_model(cell)
        return copy.copy(_MODELS[key])

    monkeypatch.setattr(BatchedCell, "render_model", cached)


_MODELS: dict[Any, mujoco.MjModel] = {}
# what the renderer does whatever it draws: one cell of MuJoCo's bodies alone and one that draws more on top
RENDERED = [Case("shopfloor/ArmReach-v0"), Case("shopfloor/WeldMultipass-v0")]
every_kind = pytest.mark.parametrize("kind", RENDERED, ids=str)
# software rendering with as many threads as cores gets in the way of the tests that run beside it
os.environ.setdefault("LP_NUM_THREADS", "1")
SMALL: dict[str, Any] = {"width": 160, "height": 120, "render_quality": "fast"}


def contrast(picture: np.ndarray) -> float:
    return float(picture.astype(float).std())


@pytest.mark.parametrize("mode", [m for m in RENDER_MODES if m != "human"])
def test_every_declared_mode_draws(base_case: Case, mode: str):
    env = base_case.single(render_mode=mode, **SMALL)
    assert mode in env.metadata["render_modes"]
    assert env.metadata["render_fps"] == round(env.unwrapped.task.timing.control_hz)
    env.reset(seed=0)
    picture = env.render()
    if mode == "rgb_array":
        assert picture.dtype == np.uint8 and picture.shape == (120, 160, 3)
        assert contrast(picture) > 15, "something is to be seen"
    else:
        assert picture.dtype == np.float32 and picture.shape == (120, 160)
        assert np.isfinite(picture).all() and (picture > 0.05).all() and picture.max() > picture.min() + 0.1
    assert not np.shares_memory(picture, env.render())
    env.close()
    env.close()


@every_kind
def test_human_mode_needs_a_display(kind: Case):
    if "human" in RENDER_MODES:
        pytest.skip("there is a display")
    for make in (gym.make, gym.make_vec):
        with pytest.raises(ShopfloorError, match=r"needs a display.*rgb_array"):
            make(kind.env_id, render_mode="human")


def test_vector_environment_draws_every_row(base_case: Case):
    env = endless(base_case.vector(2, render_mode="rgb_array", **SMALL))
    env.reset(seed=0)
    for action in actions(base_case, 2, 12):
        env.step(action)
    pictures = env.render()
    assert len(pictures) == 2
    for row in range(2):
        assert_same(pictures[row], env.render_row(row))
        alone = base_case.single(render_mode="rgb_array", **SMALL)
        alone.reset(seed=row)
        for action in actions(base_case, 2, 12):
            alone.step(action[row])
        close = np.abs(pictures[row].astype(int) - alone.render().astype(int)) <= 2
        assert close.mean() > 0.999, "a row looks like the single environment of its seed"
    assert not np.array_equal(pictures[0], pictures[1])
    with pytest.raises(ShopfloorError, match=r"row must be in \[0, 2\), got 2"):
        env.render_row(2)


@every_kind
def test_closing_one_renderer_leaves_the_others_alone(kind: Case):
    env = kind.vector(1, **SMALL)
    env.reset(seed=0)
    picture = env.render_row(0)
    other = kind.vector(1, **SMALL)
    other.reset(seed=1)
    other.render_row(0)
    other.close()
    assert_same(env.render_row(0), picture)
    third = kind.vector(1, **SMALL)
    third.reset(seed=1)
    third.render_row(0)
    del other, third  # never closed
    gc.collect()
    assert_same(env.render_row(0), picture)


@every_kind
def test_forgetting_to_close_is_no_crime(kind: Case):
    program = (
        "import gymnasium, shopfloor\n"
        f"envs = [gymnasium.make({kind.env_id!r}, render_mode='rgb_array', width=32, height=32) for _ in 'ab']\n"
        "for env in envs: env.reset(seed=0); env.render()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_camera_sees_something_else(base_case: Case):
    env = base_case.vector(1, **SMALL)
    env.reset(seed=0)
    assert env.task.cameras
    pictures = {camera: env.render_row(0, camera) for camera in env.task.cameras}
    assert_same(pictures[env.task.cameras[0]], env.render_row(0), "the first camera is the default")
    for name, picture in pictures.items():
        assert contrast(picture) > 10, name
        assert sum(np.array_equal(picture, other) for other in pictures.values()) == 1, name
    with pytest.raises(ShopfloorError, match="no camera 'nowhere'; this cell has: "):
        env.render_row(0, "nowhere")


def test_rendering_changes_nothing(case: Case):
    env, twin = case.vector(2, render_mode="rgb_array", **SMALL), case.vector(2)
    env.reset(seed=6), twin.reset(seed=6)
    for step, action in enumerate(actions(case, 2, 10)):
        assert_same(env.step(action), twin.step(action))
        if step in (1, 2, 6):
            env.render()
            env.render_row(step % 2, depth=True)
            assert_same(env.get_state(), twin.get_state())
    assert_same(env.reset(), twin.reset())


def test_picture_shows_the_motion(base_case: Case):
    env = base_case.single(render_mode="rgb_array", **SMALL)
    env.reset(seed=3)
    before = env.render()
    for action in actions(base_case, 1, 15)[:, 0]:
        env.step(action)
    moved = np.abs(env.render().astype(int) - before.astype(int)).max(axis=2) > 20
    assert 0.001 < moved.mean() < 0.6


def test_overlay_is_drawn_into_pictures_and_not_into_depth(base_case: Case):
    env = endless(base_case.vector(1, **{**SMALL, "width": 320, "height": 240}))
    env.reset(seed=2)
    for action in actions(base_case, 1, 12):  # what is drawn as it is laid has to be there
        env.step(action)
    overlay = env.task.overlay(env.cell.s, 0)
    assert overlay.points or overlay.frames or overlay.traces or overlay.drawings
    drawn, depth = env.render_row(0), env.render_row(0, depth=True)
    object.__setattr__(env.task, "overlay", lambda s, row: type(overlay)())
    bare = env.render_row(0)
    assert (drawn != bare).any(axis=2).sum() >= 4
    assert_same(depth, env.render_row(0, depth=True))


def test_nothing_is_created_before_it_is_asked_for():
    program = (
        "import sys, gymnasium, shopfloor\n"
        f"for env_id in {[c.env_id for c in registered_cases()]!r}:\n"
        "    env = gymnasium.make(env_id, render_mode='rgb_array'); env.reset(seed=0)\n"
        "    env.step(env.action_space.sample())\n"
        "    assert env.unwrapped._renderer is None, env_id\n"
        "    assert not any(m.startswith(('OpenGL', 'mujoco.egl', 'mujoco.viewer')) for m in sys.modules), env_id\n"
        "    env.close()\n"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("MUJOCO_GL", "PYOPENGL_PLATFORM")}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_mujoco_may_be_imported_first():
    """The backend is chosen when the first picture is drawn, whatever MuJoCo settled for at its import."""
    program = (
        "import mujoco, mujoco.rendering.classic.gl_context, gymnasium, shopfloor\n"
        "env = gymnasium.make('shopfloor/ArmReach-v0', render_mode='rgb_array', width=32, height=32)\n"
        "env.reset(seed=0); print(env.render().shape); env.close()\n"
    )
    hidden = ("MUJOCO_GL", "PYOPENGL_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY")
    environment = {k: v for k, v in os.environ.items() if k not in hidden}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "(32, 32, 3)", done.stderr


@every_kind
def test_render_without_a_mode_warns(kind: Case):
    for env in (kind.single().unwrapped, kind.vector(1)):
        env.reset(seed=0)
        with pytest.warns(UserWarning, match="render_mode"):
            assert env.render() is None


@every_kind
def test_copies_draw_for_themselves(kind: Case):
    env = kind.single(render_mode="rgb_array", **SMALL).unwrapped
    env.reset(seed=1)
    picture = env.render()
    twin = pickle.loads(pickle.dumps(env))
    assert_same(twin.render(), picture)
    env.close()
    assert_same(twin.render(), picture)
    assert_same(copy.deepcopy(twin).render(), picture)


@every_kind
def test_drawing_after_close_starts_anew(kind: Case):
    env = kind.single(render_mode="rgb_array", **SMALL).unwrapped
    env.reset(seed=1)
    picture = env.render()
    env.close()
    assert_same(env.render(), picture)
    env.close()


@every_kind
def test_full_quality_is_the_same_scene(kind: Case):
    full = kind.vector(1, width=160, height=120)
    fast = kind.vector(1, **SMALL)
    full.reset(seed=1), fast.reset(seed=1)
    a, b = full.render_row(0).astype(float), fast.render_row(0).astype(float)
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.8
    assert not np.array_equal(a, b)


@every_kind
def test_picture_larger_than_the_models_buffer(kind: Case):
    env = kind.single(render_mode="rgb_array", width=1301, height=977, render_quality="fast")
    env.reset(seed=0)
    assert env.render().shape == (977, 1301, 3)
    env.close()


def test_depth_is_in_metres():
    """Through the camera straight above, the table of the reach cell is as far away as it is."""
    env = Case("shopfloor/ArmReach-v0").vector(1, width=101, height=101, render_quality="fast")
    env.reset(seed=0)
    depth = env.render_row(0, "top", depth=True)
    model = env.renderer().model
    camera = model.camera("top")
    table = model.geom("table_collision")
    expected = camera.pos[2] - (table.pos[2] + table.size[2])
    assert (np.abs(depth - expected) < 0.03).mean() > 0.1, f"{expected:.3f} m is not in the picture"


def test_per_row_model_fields_reach_the_picture():
    """The droop of the paddle is a model field of its own in every row."""
    case = Case("shopfloor/WaferTransfer-v0")
    env = case.vector(2, **SMALL)
    env.reset(seed=0)
    renderer = env.renderer()
    for row in range(2):
        renderer.render(row)
        droop = env.cell.s.droop[row]
        quat = renderer.model.body("paddle").quat
        assert abs(2.0 * np.arctan2(quat[2], quat[0]) - droop) < 1e-12


@every_kind
def test_render_model_must_fit_the_physics_model(kind: Case):
    cell = kind.cell(1)
    original = cell.task.cell

    def other(visual: bool) -> Any:
        spec = original(visual)
        if visual:
            spec.worldbody.add_body(name="extra", mass=1.0, inertia=[1.0, 1.0, 1.0]).add_freejoint()
        return spec

    object.__setattr__(cell.task, "cell", other)
    with pytest.raises(ShopfloorError, match=r"visual model has nq="):
        CellRenderer(cell, 32, 32)
