"""Pictures of one row: created only when asked for, with software GL where there is no display."""

from __future__ import annotations

import atexit
import functools
import importlib
import itertools
import os
import sys
import weakref
from typing import TYPE_CHECKING, Any, ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from .task import Overlay, Task

if TYPE_CHECKING:
    from .core import BatchedCell


def has_display() -> bool:
    """Whether an interactive window can be opened here."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


# `human` is declared where it can work, so that whatever walks through the declared modes does not trip over it
RENDER_MODES = ("rgb_array", "depth_array", "human") if has_display() else ("rgb_array", "depth_array")


QUALITIES = ("full", "fast")


def choose_gl_backend() -> None:
    """Without a display, render through EGL unless the user has chosen a backend; call before the first context."""
    if sys.platform == "linux" and not os.environ.get("DISPLAY") and "MUJOCO_GL" not in os.environ:
        os.environ["MUJOCO_GL"] = "egl"
        os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
        # MuJoCo chooses when it is imported, which was before anyone asked for a picture
        chosen = sys.modules.get("mujoco.rendering.classic.gl_context")
        if chosen is not None:
            importlib.reload(chosen)


def check_render_mode(mode: str | None) -> None:
    """Reject a render mode that does not exist."""
    if mode == "human" and not has_display():
        raise ShopfloorError(
            "render_mode='human' needs a display and DISPLAY is not set; use render_mode='rgb_array', "
            "or `shopfloor view ID` for the viewer in a browser"
        )
    if mode is not None and mode not in RENDER_MODES:
        raise ShopfloorError(f"render_mode must be one of {', '.join(RENDER_MODES)} or None, got {mode!r}")


def check_picture(task: Task, width: int, height: int, camera: str | None, quality: str) -> None:
    """Reject a picture that cannot be drawn, long before it is."""
    for name, size in (("width", width), ("height", height)):
        if not isinstance(size, (int, np.integer)) or size < 1:
            raise ShopfloorError(f"{name} must be a whole number of pixels, at least 1, got {size!r}")
    if camera is not None and camera not in task.cameras:
        raise ShopfloorError(f"no camera {camera!r}; this cell has: {', '.join(task.cameras)}")
    if quality not in QUALITIES:
        raise ShopfloorError(f"render_quality must be one of {', '.join(QUALITIES)}, got {quality!r}")


class _Renderer(mujoco.Renderer):
    """MuJoCo's renderer, but one that leaves the pictures of others alone when it is closed.

    Its own frees textures and lists by number in whichever context is current, and at exit only when EGL has gone.
    """

    _open: ClassVar[weakref.WeakSet[_Renderer]] = weakref.WeakSet()

    def __init__(self, model: mujoco.MjModel, height: int, width: int):
        super().__init__(model, height, width)
        _close_all_at_exit()
        self._open.add(self)

    @classmethod
    def close_all(cls) -> None:
        for renderer in list(cls._open):
            renderer.close()

    def close(self) -> None:
        if self._gl_context is not None:
            self._gl_context.make_current()
        super().close()
        self._open.discard(self)

    def draw_plainly(self) -> None:
        """Leave out shadows and reflections."""
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            self.scene.flags[flag] = False

    def shoot(
        self,
        data: mujoco.MjData,
        camera: mujoco.MjvCamera,
        options: mujoco.MjvOption,
        rgb: NDArray[np.uint8],
        depth: NDArray[np.float32],
    ) -> None:
        """Colours (height, width, 3) and distances along the optical axis (height, width), m, in one pass.

        `render` draws the scene once for each of them.
        """
        mujoco.mjv_updateScene(self.model, data, options, None, camera, mujoco.mjtCatBit.mjCAT_ALL.value, self.scene)
        if self._gl_context is not None:
            self._gl_context.make_current()
        mujoco.mjr_render(self._rect, self.scene, self._mjr_context)
        mujoco.mjr_readPixels(rgb, depth, self._rect, self._mjr_context)
        if self._gl_context is not None:  # whose first line is the lowest
            rgb[...] = rgb[::-1].copy()
            depth[...] = depth[::-1].copy()
        # MuJoCo draws with reversed depth: 1 in the near plane, 0 in the far one
        extent = self.model.stat.extent
        near, far = self.model.vis.map.znear * extent, self.model.vis.map.zfar * extent
        depth[...] = near * far / (near + depth.astype(np.float64) * (far - near))


@functools.cache
def _close_all_at_exit() -> None:
    """Once, after the first context has registered the end of EGL, so as to be called before it."""
    atexit.register(_Renderer.close_all)


def open_renderer(model: mujoco.MjModel, width: int, height: int) -> _Renderer:
    """MuJoCo's renderer for pictures of a size.

    Raises:
        ShopfloorError: if there is no OpenGL here, saying what to install.
    """
    try:
        choose_gl_backend()
        return _Renderer(model, height, width)
    except Exception as error:  # the GL layers raise whatever they like, ImportError to FatalError
        raise ShopfloorError(
            f"cannot create a GL context (MUJOCO_GL={os.environ.get('MUJOCO_GL', 'unset')}): {error}. "
            "Run `shopfloor doctor`; on Debian `apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri` is enough"
        ) from error


def plain_pictures(model: mujoco.MjModel, width: int, height: int) -> None:
    """Give a model for pictures buffers of this size, and none for shadows and antialiasing."""
    visual = model.vis
    visual.global_.offwidth, visual.global_.offheight = width, height
    visual.quality.offsamples = 0
    visual.quality.shadowsize = 0


class CellRenderer:
    """Renders any row of a cell.

    Args:
        cell: the cell.
        width, height: picture size in pixels.
        camera: camera name; None for the task's first.
        quality: "full" (shadows, antialiasing) or "fast" (neither; about ten times faster in software).
    """

    def __init__(
        self, cell: BatchedCell, width: int = 960, height: int = 720, camera: str | None = None, quality: str = "full"
    ):
        check_picture(cell.task, width, height, camera, quality)
        self.cell = cell
        self.model = cell.render_model()
        self.data = mujoco.MjData(self.model)
        self.camera = self._checked(camera if camera is not None else cell.task.cameras[0])
        visual = self.model.vis
        visual.global_.offwidth = max(visual.global_.offwidth, width)
        visual.global_.offheight = max(visual.global_.offheight, height)
        if quality == "fast":
            visual.quality.offsamples = 0
        self._renderer = open_renderer(self.model, width, height)
        if quality == "fast":
            self._renderer.draw_plainly()
        self._options = mujoco.MjvOption()
        self._options.geomgroup[3:] = 0
        self._options.sitegroup[:] = 0

    def render(self, row: int = 0, depth: bool = False, camera: str | None = None) -> NDArray[Any]:
        """A picture of one row: uint8 (height, width, 3), or with `depth` float32 (height, width) in m."""
        if not 0 <= row < self.cell.n:
            raise ShopfloorError(f"row must be in [0, {self.cell.n}), got {row}")
        camera = self.camera if camera is None else self._checked(camera)
        if self.cell.randomizer is not None:
            self.cell.randomizer.visuals(self.model, row)
        self.cell.sim.copy_row(row, self.model, self.data)
        renderer = self._renderer
        if depth:
            renderer.enable_depth_rendering()
        try:
            renderer.update_scene(self.data, camera, self._options)
            if not depth:
                draw_overlay(renderer.scene, self.cell.task.overlay(self.cell.s, row))
            return np.array(renderer.render())
        finally:
            if depth:
                renderer.disable_depth_rendering()

    def _checked(self, camera: str) -> str:
        names = [self.model.camera(i).name for i in range(self.model.ncam)]
        if camera not in names:
            raise ShopfloorError(f"no camera {camera!r}; this cell has: {', '.join(names)}")
        return camera

    def close(self) -> None:
        """Free the GL context."""
        self._renderer.close()


class HumanViewer:
    """MuJoCo's interactive window on one row; needs a display."""

    def __init__(self, cell: BatchedCell):
        import mujoco.viewer

        self.cell = cell
        self.model = cell.render_model()
        self.data = mujoco.MjData(self.model)
        self._viewer = mujoco.viewer.launch_passive(self.model, self.data, show_left_ui=False, show_right_ui=False)

    def render(self, row: int = 0) -> None:
        """Show the present state of one row."""
        with self._viewer.lock():
            if self.cell.randomizer is not None:
                self.cell.randomizer.visuals(self.model, row)
            self.cell.sim.copy_row(row, self.model, self.data)
            self._viewer.user_scn.ngeom = 0
            draw_overlay(self._viewer.user_scn, self.cell.task.overlay(self.cell.s, row))
        self._viewer.sync()

    def close(self) -> None:
        """Close the window."""
        self._viewer.close()


def draw_overlay(scene: mujoco.MjvScene, overlay: Overlay) -> None:
    """Append an overlay's drawings, frames, points and traces to a scene, as far as it has room."""
    for draw in overlay.drawings:
        draw(scene)
    identity = np.eye(3).ravel()
    for position, rotation, length in overlay.frames:
        for axis in range(3):
            rgba = np.array([axis == 0, axis == 1, axis == 2, 1.0], dtype=np.float32)
            _segment(scene, position, position + length * rotation[:, axis], 0.05 * length, rgba)
    for position, radius, color in overlay.points:
        geom = _next_geom(scene)
        if geom is None:
            return
        mujoco.mjv_initGeom(
            geom,
            mujoco.mjtGeom.mjGEOM_SPHERE,
            np.full(3, radius),
            np.asarray(position, dtype=np.float64),
            identity,
            np.asarray(color, dtype=np.float32),
        )
    for points, width, color in overlay.traces:
        for a, b in itertools.pairwise(points):
            _segment(scene, a, b, width, np.asarray(color, dtype=np.float32))


def _next_geom(scene: mujoco.MjvScene) -> Any:
    if scene.ngeom >= scene.maxgeom:
        return None
    scene.ngeom += 1
    return scene.geoms[scene.ngeom - 1]


def _segment(scene: mujoco.MjvScene, start: Any, end: Any, width: float, rgba: NDArray[np.float32]) -> None:
    geom = _next_geom(scene)
    if geom is None:
        return
    kind = mujoco.mjtGeom.mjGEOM_CAPSULE
    mujoco.mjv_initGeom(geom, kind, np.zeros(3), np.zeros(3), np.eye(3).ravel(), rgba)
    mujoco.mjv_connector(geom, kind, width, np.asarray(start, np.float64), np.asarray(end, np.float64))
