"""RGB-D observations: pictures that are where geometry says, of the right moment, and nobody else's business."""

from __future__ import annotations

import dataclasses
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from engine_checks import assert_same
from gymnasium.utils.env_checker import check_env

import shopfloor
from shopfloor import doctor
from shopfloor.envs.engine.cameras import geoms_in_view
from shopfloor.envs.engine.vector_env import CellVectorEnv
from shopfloor.envs.registry import env_ids, make_task, make_vector_env
from shopfloor.envs.sensing import Camera, Rgbd
from shopfloor.envs.sensing.camera import intrinsic_matrix, picture_size, pixels_of, points_of, stereo_noise
from shopfloor.errors import ShopfloorError

needs_gl = pytest.mark.skipif(
    subprocess.run([sys.executable, "-m", doctor.__name__, "--can-render"], check=False).returncode != 0,
    reason="no OpenGL here",
)
# software rendering with as many threads as cores gets in the way of the tests that run beside it
os.environ.setdefault("LP_NUM_THREADS", "1")

PICK, PEG, BELT = (f"shopfloor/Arm{name}-v0" for name in ("PickPlace", "PegInsert", "ConveyorPick"))
IDS = (PICK, PEG, BELT)
every_id = pytest.mark.parametrize("env_id", IDS)


def perfect(env_id: str, n: int, size: int = 16, **changes: Any) -> CellVectorEnv:
    """An environment whose cameras have neither noise nor latency, or what `changes` says."""
    task = make_task(env_id)
    ideal = {"latency_s": 0.0, "rgb_noise": 0.0, "depth_noise": 0.0, **changes}
    assert task.rgbd is not None
    task.rgbd = Rgbd(tuple(dataclasses.replace(c, **ideal) for c in task.rgbd.cameras), task.rgbd.replaces)
    return CellVectorEnv(task, n, observation="rgbd", camera_size=size)


def look_again(env: CellVectorEnv) -> dict[str, Any]:
    """Pictures of what the simulation holds now."""
    cell = env.cell
    cell.sim.forward()
    assert cell.cameras is not None
    cell.cameras.reset(np.arange(cell.n), cell.s.seed, cell.s.episode)
    return cell.cameras.pictures()


def actions(env: CellVectorEnv, steps: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    return rng.uniform(-1.0, 1.0, (steps, *env.action_space.shape)).astype(np.float32)


# -- declaration ------------------------------------------------------------------------------------------------


def test_tasks_with_cameras_are_those_of_the_page():
    assert {i for i in env_ids() if make_task(i).rgbd is not None} == set(IDS)


def test_stereo_noise_is_that_of_the_formula():
    # D435 class at 1 m: a disparity of 22.35 pixels; 0.08 pixels less are 3.6 mm more
    disparity = 447.0 * 0.050
    assert stereo_noise(0.050, 447.0) == pytest.approx(447.0 * 0.050 / (disparity - 0.08) - 1.0, rel=0.01)


def test_pixels_and_points_are_each_others_inverse():
    intrinsic = intrinsic_matrix(50.0, 12, 8)
    assert intrinsic[0, 0] == pytest.approx(4.0 / np.tan(np.deg2rad(25.0)))
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn * np.sign(np.linalg.det(turn)), (0.3, -0.2, 1.0)
    depth = np.random.default_rng(1).uniform(0.2, 1.0, (8, 12))
    pixels, far = pixels_of(points_of(depth, intrinsic, pose).reshape(-1, 3), intrinsic, pose)
    v, u = np.divmod(np.arange(96), 12)
    np.testing.assert_allclose(pixels, np.stack([u, v], axis=1), atol=1e-9)
    np.testing.assert_allclose(far, depth.ravel(), atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"near": 0.5, "far": 0.2}, "needs 0 < near < far"),
        ({"latency_s": -0.1}, "must be finite and not negative"),
        ({"rate_hz": 0.0}, "rate_hz must be positive"),
    ],
)
def test_impossible_cameras_are_refused(changes: dict[str, float], words: str):
    with pytest.raises(ShopfloorError, match=words):
        Camera(**{"name": "eye", "model_camera": "eye", "near": 0.1, "far": 1.0, **changes})


def test_impossible_requests_are_refused():
    for size in (0, 4, 64.0, True, (64, 64, 3), "big"):
        with pytest.raises(ShopfloorError, match="camera_size must be a whole number of pixels in"):
            picture_size(size)
    assert picture_size((32, 24)) == (32, 24) and picture_size(16) == (16, 16)
    with pytest.raises(ShopfloorError, match="no pictures of ArmReach which declares no cameras"):
        make_vector_env("shopfloor/ArmReach-v0", 1, observation="rgbd")
    with pytest.raises(ShopfloorError, match="no pictures of ArmPickPlace with goals, which tell"):
        make_vector_env(PICK, 1, observation="rgbd", goal_conditioned=True)
    with pytest.raises(ShopfloorError, match=r"rate_hz=10 must divide the control rate 25 Hz"):
        Camera("eye", "eye", 0.1, 1.0, rate_hz=10).steps(25.0)
    task = make_task(PICK)
    task.rgbd = Rgbd(task.rgbd.cameras, ("part_colour",))
    with pytest.raises(ShopfloorError, match="rgbd replaces 'part_colour', the policy's channels are"):
        task.check()


def test_no_opengl_is_said_when_the_environment_is_made():
    program = (
        "import gymnasium, shopfloor\n"
        f"env = gymnasium.make({PICK!r}); env.reset(seed=0); env.step(env.action_space.sample())\n"
        "try: gymnasium.make("
        f"{PICK!r}, observation='rgbd')\n"
        "except shopfloor.errors.ShopfloorError as error: print(error)\n"
    )
    # a vendor library that is not there
    broken = {**os.environ, "MUJOCO_GL": "egl", "PYOPENGL_PLATFORM": "egl", "__EGL_VENDOR_LIBRARY_FILENAMES": "/none"}
    done = subprocess.run([sys.executable, "-c", program], env=broken, capture_output=True, text=True, check=False)
    assert "cannot create a GL context" in done.stdout and "shopfloor doctor" in done.stdout, done
    assert "apt-get install libegl1" in done.stdout


# -- spaces -----------------------------------------------------------------------------------------------------


@needs_gl
@every_id
def test_it_is_an_environment(env_id: str):
    env = gym.make(env_id, observation="rgbd", camera_size=(24, 16), disable_env_checker=True)
    space: Any = env.observation_space
    assert list(space) == ["cell_depth", "cell_rgb", "state", "wrist_depth", "wrist_rgb"]
    assert space["wrist_rgb"].shape == (16, 24, 3) and space["wrist_rgb"].dtype == np.uint8
    assert space["cell_depth"].shape == (16, 24) and space["cell_depth"].dtype == np.float32
    check_env(env.unwrapped, skip_render_check=True)
    env.close()
    envs = gym.make_vec(env_id, num_envs=2, observation=("rgbd", "privileged"), camera_size=16)
    observation, _ = envs.reset(seed=0)
    assert envs.observation_space.contains(observation) and "privileged" in observation
    envs.close()


@needs_gl
def test_the_state_lacks_what_the_pictures_show():
    task = make_task(PICK)
    env = perfect(PICK, 1)
    env.reset(seed=0)
    kept = [c for c in task.channels if c.group == "policy" and c.name not in task.rgbd.replaces]
    assert env.single_observation_space["state"].shape == (sum(c.width for c in kept),)
    readings = env.cell.readings()
    state = np.concatenate([readings[c.name] for c in kept], axis=1).astype(np.float32)
    assert_same(env._observe()["state"], state)
    assert not any("part" in c.name or "seat" in c.name for c in kept)
    env.close()


# -- geometry ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pick() -> Iterator[CellVectorEnv]:
    env = perfect(PICK, 1, size=64)
    env.reset(seed=0)
    yield env
    env.close()


def place(env: CellVectorEnv, position: np.ndarray) -> None:
    """The part upright at a place, its lower face's middle in the world, parallel to the world's axes."""
    at = int(env.cell.sim.qpos_index(["part_free"])[0])
    env.cell.sim.qpos[0, at : at + 7] = [*position, 1.0, 0.0, 0.0, 0.0]


def face_pixels(env: CellVectorEnv, name: str, middle: np.ndarray, half: np.ndarray, hole: float) -> tuple[Any, Any]:
    """Pixels whose middle looks at a level face, well inside of it, and the depths at which the face is there."""
    parameters = env.camera_parameters()[name]
    intrinsic, pose = parameters["intrinsic"], parameters["pose"][0]
    rays = points_of(np.ones((64, 64)), intrinsic, pose) - pose[:3, 3]
    depth = (middle[2] - pose[2, 3]) / rays[..., 2]  # rays advance by 1 m along the optical axis
    off = pose[:3, 3] + depth[..., None] * rays - middle
    inside = (np.abs(off[..., :2]) < half).all(axis=-1) & (np.hypot(off[..., 0], off[..., 1]) > hole) & (depth > 0)
    return inside, depth


@needs_gl
@pytest.mark.parametrize(("name", "below_the_tip"), [("cell", None), ("wrist", 0.06)])
def test_depth_is_that_of_geometry(pick: CellVectorEnv, name: str, below_the_tip: float | None):
    """The upper face of the part, ray by ray; its bore has a radius of 9 mm."""
    tip = np.array(pick.cell.sim.output("site_xpos", "site", "tip")[0])
    where = tip + np.array([0.0, 0.0, -below_the_tip - 0.03] if below_the_tip else [0.10, 0.05, -0.05])
    place(pick, where)
    depth = look_again(pick)[f"{name}_depth"][0]
    middle = where + np.array([0.0, 0.0, 0.030])
    inside, expected = face_pixels(pick, name, middle, np.array([0.013, 0.028]), 0.0125)
    assert inside.sum() >= 4
    error = np.abs(depth - expected)[inside]
    # fingers may stand before a part that is seen from the wrist
    assert (error < 1e-3).mean() > (0.99 if name == "cell" else 0.6), (error, inside.sum())
    assert (depth - expected)[inside].max() < 1e-3, "nothing is seen through the part"


@needs_gl
def test_what_moves_moves_in_the_picture(pick: CellVectorEnv):
    tip = np.array(pick.cell.sim.output("site_xpos", "site", "tip")[0])
    start, way = tip + np.array([0.10, 0.08, -0.05]), np.array([0.0, -0.12, 0.0])
    place(pick, start)
    before = look_again(pick)["cell_rgb"][0].astype(int)
    place(pick, start + way)
    after = look_again(pick)["cell_rgb"][0].astype(int)
    v, u = np.nonzero(np.abs(after - before).max(axis=2) > 12)
    camera = pick.camera_parameters()["cell"]
    corners = np.array([[x, y, z] for x in (-0.015, 0.015) for y in (-0.03, 0.03) for z in (0.0, 0.03)])
    shown = [pixels_of(start + k * way + corners, camera["intrinsic"], camera["pose"][0])[0] for k in (0, 1)]
    for part in shown:  # something has changed where it was and where it is
        low, high = part.min(axis=0), part.max(axis=0)
        assert ((u >= low[0]) & (u <= high[0]) & (v >= low[1]) & (v <= high[1])).sum() >= 4
    low, high = np.concatenate(shown).min(axis=0) - 1.0, np.concatenate(shown).max(axis=0) + 1.0
    assert ((u >= low[0]) & (u <= high[0]) & (v >= low[1]) & (v <= high[1])).all(), "and nowhere else"


@needs_gl
@every_id
def test_the_wrist_camera_sees_the_tool_and_hides_nothing(env_id: str):
    env = perfect(env_id, 1, size=32)
    env.reset(seed=0)
    suite = env.cell.cameras
    assert suite is not None
    seen = look_again(env)
    camera = env.camera_parameters()["wrist"]
    tip = env.cell.sim.output("site_xpos", "site", "tip")
    pixel, depth = pixels_of(np.array(tip), camera["intrinsic"], camera["pose"][0])
    assert (np.abs(pixel[0] - 15.5) < 8).all() and 0.05 < depth[0] < 0.25, "the tip is in the middle"
    # without boxes that are out of view the picture is the same; without the tool it is another
    everything = suite._groups.copy()
    names = [suite.model.body(int(b)).name for b in suite.model.geom_bodyid]
    tool = np.array([n.startswith(("finger", "cup", "peg")) for n in names])
    suite._groups[tool & (everything < 3)] = 4
    assert (look_again(env)["wrist_depth"] != seen["wrist_depth"]).mean() > 0.05
    suite._groups[:] = everything
    drawn = geoms_in_view(suite.model, suite.data, suite.model.camera("wrist_camera").id, 1.0)
    assert 0.1 < drawn.mean() < 0.9
    env.close()


@needs_gl
def test_what_is_out_of_view_is_not_missed(pick: CellVectorEnv, monkeypatch: pytest.MonkeyPatch):
    culled = look_again(pick)
    monkeypatch.setattr(
        "shopfloor.envs.engine.cameras.geoms_in_view", lambda model, *_: np.ones(model.ngeom, dtype=bool)
    )
    assert_same(look_again(pick), culled)


@needs_gl
def test_coarse_shapes_look_like_fine_ones(pick: CellVectorEnv, monkeypatch: pytest.MonkeyPatch):
    coarse = pick.reset(seed=0)[0]
    monkeypatch.setattr("shopfloor.envs.engine.cameras._COARSE_UP_TO", 32)
    fine_env = perfect(PICK, 1, size=64)
    fine = fine_env.reset(seed=0)[0]
    assert fine_env.cell.cameras.model.nmeshface > 1.8 * pick.cell.cameras.model.nmeshface
    for name in ("wrist", "cell"):
        assert (np.abs(fine[f"{name}_rgb"].astype(int) - coarse[f"{name}_rgb"]) > 20).mean() < 0.01
        assert (np.abs(fine[f"{name}_depth"] - coarse[f"{name}_depth"]) > 2e-3).mean() < 0.01
    fine_env.close()


# -- time, noise, rows ------------------------------------------------------------------------------------------


@needs_gl
def test_pictures_are_as_old_and_as_frequent_as_declared():
    now, late, slow = perfect(PICK, 1), perfect(PICK, 1, latency_s=0.08), perfect(PICK, 1, rate_hz=12.5)
    first = [e.reset(seed=0)[0]["wrist_rgb"] for e in (now, late, slow)]
    assert_same(first[0], first[1]), assert_same(first[0], first[2])
    seen, poses = [first[0]], [now.camera_parameters()["wrist"]["pose"]]
    for k, action in enumerate(actions(now, 5), start=1):
        seen.append(now.step(action)[0]["wrist_rgb"])
        poses.append(now.camera_parameters()["wrist"]["pose"])
        assert_same(late.step(action)[0]["wrist_rgb"], seen[max(k - 2, 0)])
        assert_same(late.camera_parameters()["wrist"]["pose"], poses[max(k - 2, 0)])
        assert_same(slow.step(action)[0]["wrist_rgb"], seen[k - k % 2])
    assert not np.array_equal(seen[-1], seen[0])
    for env in (now, late, slow):
        env.close()


@needs_gl
def test_noise_is_as_large_as_declared():
    clean, noisy = perfect(PEG, 1, size=48), perfect(PEG, 1, size=48, rgb_noise=3.0, depth_noise=0.02)
    a, b = clean.reset(seed=0)[0], noisy.reset(seed=0)[0]
    middle = (a["cell_rgb"] > 20) & (a["cell_rgb"] < 235)
    off = (b["cell_rgb"].astype(float) - a["cell_rgb"])[middle]
    assert abs(off.mean()) < 0.2 and abs(off.std() / 3.0 - 1.0) < 0.1
    seen = a["cell_depth"] < 1.9
    relative = ((b["cell_depth"] - a["cell_depth"]) / a["cell_depth"] ** 2)[seen]
    assert abs(relative.mean()) < 0.002 and abs(relative.std() / 0.02 - 1.0) < 0.1
    clean.close(), noisy.close()


@needs_gl
def test_a_row_is_the_single_environment_and_pictures_change_nothing():
    """Over the end of an episode, and under a reset of one row alone."""
    kwargs: dict[str, Any] = {"observation": "rgbd", "camera_size": 16, "randomization": "train"}
    envs = make_vector_env(PICK, 2, autoreset_mode="Disabled", **kwargs)
    plain = make_vector_env(PICK, 2, autoreset_mode="Disabled", randomization="train")
    single = gym.make(PICK, **kwargs).unwrapped
    row, alone = envs.reset(seed=4)[0], single.reset(seed=5)[0]
    plain.reset(seed=4)
    for action in actions(envs, 3):
        assert_same({k: v[1] for k, v in row.items()}, alone)
        row, reward, *_ = envs.step(action)
        alone = single.step(action[1])[0]
        assert_same(reward, plain.step(action)[1])
    states = [{k: v for k, v in e.cell.get_state().items() if k != "cameras"} for e in (envs, plain)]
    assert_same(states[0], states[1])
    mask = np.array([True, False])
    again = envs.reset(options={"reset_mask": mask})[0]
    assert_same({k: v[1] for k, v in again.items()}, alone, "the other row keeps its picture")
    assert not np.array_equal(again["cell_rgb"][0], row["cell_rgb"][0])
    for env in (envs, plain, single):
        env.close()


@needs_gl
def test_saved_and_copied_environments_see_on():
    env = make_vector_env(BELT, 2, observation="rgbd", camera_size=16)
    env.reset(seed=1)
    moves = actions(env, 4)
    env.step(moves[0])
    state, twin = env.get_state(), pickle.loads(pickle.dumps(env))
    after = [env.step(m)[0] for m in moves[1:]]
    assert_same([twin.step(m)[0] for m in moves[1:]], after)
    env.set_state(state)
    env.close()  # a picture after that opens the cameras again
    assert_same([env.step(m)[0] for m in moves[1:]], after)
    other = make_vector_env(BELT, 2, observation="rgbd", camera_size=24)
    with pytest.raises(ShopfloorError, match="the saved pictures are of other cameras or sizes"):
        other.set_state(state)
    for e in (env, twin, other):
        e.close()


# -- who reads observations -------------------------------------------------------------------------------------


@needs_gl
def test_stable_baselines_learns_from_them():
    sb3 = pytest.importorskip("stable_baselines3")
    from shopfloor.train.sb3_adapter import CellVecEnv

    env = make_vector_env(PEG, 2, autoreset_mode="SameStep", observation="rgbd", camera_size=36)
    learner = sb3.PPO("MultiInputPolicy", CellVecEnv(env), n_steps=2, batch_size=4, n_epochs=1, device="cpu", seed=0)
    learner.learn(4)
    action, _ = learner.predict(env.reset(seed=0)[0], deterministic=True)
    assert action.shape == (2, 6) and np.isfinite(action).all()
    env.close()


@needs_gl
def test_the_guides_examples_run():
    guide = Path(shopfloor.__file__).parent / "docs" / "cameras.md"
    if not guide.is_file():
        pytest.skip("not a checkout")
    blocks = re.findall(r"^```python\n(.*?)^```", guide.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    program = "\n".join(b for b in blocks if "PPO" not in b)  # which is the test above
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_training_and_bundles_say_that_they_read_numbers():
    pytest.importorskip("stable_baselines3")
    from shopfloor.train.config_file import load
    from shopfloor.train.learner import make_cells

    config = load("arm_reach", {})
    config = dataclasses.replace(config, env=dataclasses.replace(config.env, kwargs={"observation": ["rgbd"]}))
    with pytest.raises(ShopfloorError, match="what is trained here reads numbers, and so does an exported"):
        make_cells(config, 1)
    with pytest.raises(ShopfloorError, match=r"no pictures are observed here; make the environment with"):
        make_vector_env(PICK, 1).camera_parameters()
