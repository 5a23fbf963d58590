"""From states to pictures: the RGB-D cameras of n rows, with rate, noise and latency."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from ..randomness import KeyedRandom
from ..sensing import POLICY, Camera, Rgbd
from ..sensing.camera import intrinsic_matrix
from .rendering import open_renderer, plain_pictures

if TYPE_CHECKING:
    from .core import BatchedCell

Index = NDArray[np.intp]
Integers = NDArray[np.int64]

# Up to so many pixels a side, round shapes are drawn with a third of their facets: 24 for a circle, which is within a
# hundredth of its radius.
_COARSE_UP_TO, _COARSE = 128, 1.0 / 3.0
_OUT_OF_VIEW = 5  # a geom group that no cell uses and no picture shows
_CORNERS = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))
_TO_OPENCV = np.diag([1.0, -1.0, -1.0])  # MuJoCo's cameras look along -z with y up


class Pictures(NamedTuple):
    """Pictures of one camera.

    Attributes:
        rgb: (n, height, width, 3) uint8.
        depth: (n, height, width) float32, m.
        pose: (n, 4, 4) of the camera, to the world, when they were taken.
    """

    rgb: NDArray[np.uint8]
    depth: NDArray[np.float32]
    pose: NDArray[np.float64]

    def copy_rows(self, other: Pictures, rows: Index) -> None:
        """Take over some rows of others."""
        self.rgb[rows], self.depth[rows], self.pose[rows] = other.rgb[rows], other.depth[rows], other.pose[rows]

    @classmethod
    def blank(cls, n: int, width: int, height: int) -> Pictures:
        """Room for n of them."""
        return cls(
            np.zeros((n, height, width, 3), np.uint8), np.zeros((n, height, width), np.float32), np.zeros((n, 4, 4))
        )


class _View:
    """One camera: its pictures as the policy gets them, and those still on their way."""

    def __init__(self, camera: Camera, model: mujoco.MjModel, n: int, size: tuple[int, int], control_hz: float):
        self.camera = camera
        self.id = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, camera.model_camera)
        if self.id < 0:
            names = ", ".join(model.camera(i).name for i in range(model.ncam))
            raise ShopfloorError(
                f"camera {camera.name!r}: the cell has no camera {camera.model_camera!r}; it has: {names}"
            )
        self.fovy = float(model.cam_fovy[self.id])  # as designed; a randomization may change it from row to row
        self.every, self.delay = camera.steps(control_hz)
        self.width, self.height = size
        self.taken = Pictures.blank(n, *size)
        self.line = [Pictures.blank(n, *size) for _ in range(self.delay)]  # oldest first
        self.mjv = mujoco.MjvCamera()
        self.mjv.type, self.mjv.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, self.id

    @property
    def newest(self) -> Pictures:
        """What has arrived."""
        return self.line[0] if self.line else self.taken

    def pass_on(self, rows: Index) -> None:
        """One control step in the line of these rows, before new pictures are taken."""
        for k, old in enumerate(self.line):
            following = self.line[k + 1] if k + 1 < self.delay else self.taken
            old.copy_rows(following, rows)

    def fill(self, rows: Index) -> None:
        """The line of these rows holds the picture just taken."""
        for old in self.line:
            old.copy_rows(self.taken, rows)


class CameraSuite:
    """Pictures of all cameras of a cell, for n rows.

    Rows are independent: a row's pictures depend on its state, its looks, its seed and its episode only. Rows are
    drawn one after another, since OpenGL draws one scene at a time; that is the one loop over rows in a step, and the
    reason why pictures cost what they cost. Shadows, reflections and antialiasing are off, which is ten times faster in
    software.

    Args:
        cell: the cell, built.
        rgbd: its cameras.
        size: width and height of the pictures.

    Raises:
        ShopfloorError: if there is no OpenGL here, saying what to install.
    """

    def __init__(self, cell: BatchedCell, rgbd: Rgbd, size: tuple[int, int]):
        self.cell = cell
        self.rgbd = rgbd
        self.width, self.height = size
        self.model = cell.render_model(_COARSE if max(size) <= _COARSE_UP_TO else 1.0)
        self.data = mujoco.MjData(self.model)
        self._views = [_View(c, self.model, cell.n, size, cell.timing.control_hz) for c in rgbd.cameras]
        names = [c.name for c in cell.task.channels if c.name in rgbd.replaces]
        self.columns = _columns_without(cell, names)
        plain_pictures(self.model, *size)
        self._renderer: Any = None
        self._open()
        self._options = mujoco.MjvOption()
        self._options.geomgroup[3:] = 0
        self._groups = self.model.geom_group.copy()
        self._options.sitegroup[:] = 0
        self._random = KeyedRandom()

    # -- one control step -------------------------------------------------------------------------------------

    def reset(self, rows: Index, seeds: Integers, episodes: Integers) -> None:
        """Begin an episode in the given rows: a first picture, which is also what is on its way.

        Args:
            rows: which.
            seeds, episodes: of all rows, (n,).
        """
        self._take([rows] * len(self._views), rows)
        self._develop([rows] * len(self._views), seeds, episodes, np.zeros(self.cell.n, dtype=np.int64))
        for view in self._views:
            view.fill(rows)

    def update(self, rows: Index, seeds: Integers, episodes: Integers, steps: Integers) -> None:
        """Take the pictures of one control step in the given rows; seeds, episodes and steps are those of all (n,)."""
        due = [rows[steps[rows] % view.every == 0] for view in self._views]
        for view in self._views:
            view.pass_on(rows)
        self._take(due, rows)
        self._develop(due, seeds, episodes, steps)

    def _open(self) -> None:
        if self._renderer is None:
            self._renderer = open_renderer(self.model, self.width, self.height)
            self._renderer.draw_plainly()

    def _take(self, due: Sequence[Index], rows: Index) -> None:
        """Draw, for each camera, the rows that are due."""
        self._open()
        wanted = [set(d.tolist()) for d in due]
        for row in rows.tolist():
            views = [v for v, w in zip(self._views, wanted, strict=True) if row in w]
            if views:
                self._prepare(row)
            for view in views:
                taken = view.taken
                in_view = geoms_in_view(self.model, self.data, view.id, view.width / view.height)
                self.model.geom_group[:] = np.where(in_view, self._groups, _OUT_OF_VIEW)
                self._renderer.shoot(self.data, view.mjv, self._options, taken.rgb[row], taken.depth[row])
                taken.pose[row] = self._pose(view.id)

    def _develop(self, due: Sequence[Index], seeds: Integers, episodes: Integers, steps: Integers) -> None:
        """From what was drawn to what the cameras report: noise and range."""
        for view, rows in zip(self._views, due, strict=True):
            camera, taken = view.camera, view.taken
            for row in rows.tolist():
                key = int(seeds[row]), int(episodes[row]), int(steps[row])
                self._disturb(camera, taken.rgb[row], taken.depth[row], *key)
            depth = taken.depth[rows]
            taken.depth[rows] = np.minimum(np.maximum(depth, np.float32(camera.near)), np.float32(camera.far))

    def _prepare(self, row: int) -> None:
        cell = self.cell
        if cell.randomizer is not None:
            cell.randomizer.visuals(self.model, row)
        cell.sim.copy_row(row, self.model, self.data)

    def _pose(self, camera: int) -> NDArray[np.float64]:
        pose = np.eye(4)
        pose[:3, :3] = self.data.cam_xmat[camera].reshape(3, 3) @ _TO_OPENCV
        pose[:3, 3] = self.data.cam_xpos[camera]
        return pose

    def _disturb(
        self, camera: Camera, rgb: NDArray[np.uint8], depth: NDArray[np.float32], seed: int, episode: int, step: int
    ) -> None:
        """Add noise, in place; a pure function of seed, camera, episode and step."""
        if camera.rgb_noise > 0.0:
            random = self._random.generator(seed, f"camera:rgb:{camera.name}", episode, step)
            noise = random.standard_normal(rgb.shape, dtype=np.float32)
            noise *= np.float32(camera.rgb_noise)
            noise += rgb
            np.rint(noise, out=noise)
            rgb[...] = np.minimum(np.maximum(noise, 0.0), 255.0)
        if camera.depth_noise > 0.0:
            random = self._random.generator(seed, f"camera:depth:{camera.name}", episode, step)
            noise = random.standard_normal(depth.shape, dtype=np.float32)
            noise *= np.float32(camera.depth_noise)
            noise *= depth
            noise *= depth
            depth += noise

    # -- results ----------------------------------------------------------------------------------------------

    def pictures(self) -> dict[str, NDArray[Any]]:
        """The newest pictures that have arrived, `<camera>_rgb` and `<camera>_depth`, fresh arrays."""
        out: dict[str, NDArray[Any]] = {}
        for view in self._views:
            out[f"{view.camera.name}_rgb"] = view.newest.rgb.copy()
            out[f"{view.camera.name}_depth"] = view.newest.depth.copy()
        return out

    def intrinsics(self) -> dict[str, NDArray[np.float64]]:
        """Camera matrix (3, 3) of each camera as designed."""
        return {v.camera.name: intrinsic_matrix(v.fovy, v.width, v.height) for v in self._views}

    def poses(self) -> dict[str, NDArray[np.float64]]:
        """Pose (n, 4, 4) of each camera when the pictures were taken that are in the observation; see `pixels_of`."""
        return {v.camera.name: v.newest.pose.copy() for v in self._views}

    # -- state ------------------------------------------------------------------------------------------------

    def _arrays(self) -> Iterator[tuple[str, NDArray[Any]]]:
        for view in self._views:
            for k, pictures in enumerate((view.taken, *view.line)):
                for name in Pictures._fields:
                    yield f"{view.camera.name}_{k}_{name}", getattr(pictures, name)

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Pictures that have been taken, copied; the next ones follow from the cell's state."""
        return {name: array.copy() for name, array in self._arrays()}

    def set_state(self, state: dict[str, NDArray[Any]]) -> None:
        """Restore what `get_state` returned.

        Raises:
            ShopfloorError: if the pictures are of another size or of other cameras.
        """
        ours = {name: array.shape for name, array in self._arrays()}
        theirs = {name: array.shape for name, array in state.items()}
        if ours != theirs:
            raise ShopfloorError(f"the saved pictures are of other cameras or sizes: {theirs}, here {ours}")
        for name, array in self._arrays():
            array[...] = state[name]

    def close(self) -> None:
        """Free the GL context; the next picture would create another."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None


def _columns_without(cell: BatchedCell, names: list[str]) -> Index:
    """Components of the policy's observation vector that are not of the named channels."""
    columns: list[int] = []
    start = 0
    for channel in cell.task.channels:
        if channel.group == POLICY:
            if channel.name not in names:
                columns += range(start, start + channel.width)
            start += channel.width
    return np.array(columns, dtype=np.intp)


def geoms_in_view(model: mujoco.MjModel, data: mujoco.MjData, camera: int, aspect: float) -> NDArray[np.bool_]:
    """Geoms (ngeom,) of which something may be in a camera's picture, by their bounding boxes.

    MuJoCo hands every triangle to OpenGL, and where that runs in software triangles outside of the picture cost as much
    as those inside, which is half of the time of a camera close to the work.

    Args:
        model, data: with up-to-date poses of geoms and cameras.
        camera: number of the camera.
        aspect: width of the picture by its height.
    """
    axes, position = data.cam_xmat[camera].reshape(3, 3), data.cam_xpos[camera]
    center, half = model.geom_aabb[:, None, :3], model.geom_aabb[:, None, 3:]
    # a margin, since sizes that differ from row to row need not come with boxes of their own
    corners = center + _CORNERS * (1.1 * half + 0.005)
    turn = np.matmul(axes.T, data.geom_xmat.reshape(-1, 3, 3))
    seen = np.matmul(corners, turn.transpose(0, 2, 1)) + ((data.geom_xpos - position) @ axes)[:, None]
    x, y, ahead = seen[..., 0], seen[..., 1], -seen[..., 2]
    high = np.tan(0.5 * np.deg2rad(model.cam_fovy[camera])) * ahead
    wide = aspect * high
    outside = np.zeros(model.ngeom, dtype=bool)
    for beyond in (ahead < 0.0, x > wide, x < -wide, y > high, y < -high):
        outside |= beyond.all(axis=1)
    endless: NDArray[np.bool_] = model.geom_rbound == 0.0  # planes
    return ~outside | endless


def camera_parameters(cell: BatchedCell) -> dict[str, dict[str, NDArray[np.float64]]]:
    """`intrinsic` (3, 3) and `pose` (n, 4, 4) of each camera that is observed.

    Raises:
        ShopfloorError: if there is none.
    """
    if cell.cameras is None:
        raise ShopfloorError('no pictures are observed here; make the environment with observation="rgbd"')
    poses = cell.cameras.poses()
    return {name: {"intrinsic": k, "pose": poses[name]} for name, k in cell.cameras.intrinsics().items()}
