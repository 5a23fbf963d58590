"""The declaration of RGB-D cameras, and how points of the world and pixels belong together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError

Array = NDArray[np.float64]

RGBD = "rgbd"  # what an environment calls pictures in its argument `observation`
STATE = "state"  # key of the readings beside them
SIZES = (8, 1024)  # pixels along a side


@dataclass(frozen=True)
class Camera:
    """One RGB-D camera of a cell; the observation has its pictures as `<name>_rgb` and `<name>_depth`.

    A picture goes through what a real one does: rate (a new one only every 1/rate), noise, range, latency.

    Attributes:
        name: what the pictures are called.
        model_camera: the camera of the cell's visual model, which has place, direction and field of view.
        near, far: range of the depth in m; nearer and farther points read as these.
        rate_hz: pictures a second; None for one at every control step. Must divide the control rate.
        latency_s: age of the picture that the policy gets, from exposure to readout; rounded to whole control steps.
        rgb_noise: standard deviation of white noise of each pixel and colour, of 255.
        depth_noise: standard deviation of the depth of each pixel, divided by the depth's square, 1/m. A stereo camera
            of baseline b and focal length f (pixels) that finds disparities to s pixels has s / (f b).
        description: one line for the documentation page.
    """

    name: str
    model_camera: str
    near: float
    far: float
    rate_hz: float | None = None
    latency_s: float = 0.0
    rgb_noise: float = 0.0
    depth_noise: float = 0.0
    description: str = ""

    def __post_init__(self) -> None:
        where = f"camera {self.name!r}"
        if not 0.0 < self.near < self.far < np.inf:
            raise ShopfloorError(f"{where}: needs 0 < near < far, got {self.near} and {self.far} m")
        if not all(0 <= x < np.inf for x in (self.latency_s, self.rgb_noise, self.depth_noise)):
            raise ShopfloorError(f"{where}: latency_s, rgb_noise and depth_noise must be finite and not negative")
        if self.rate_hz is not None and not self.rate_hz > 0.0:
            raise ShopfloorError(f"{where}: rate_hz must be positive, got {self.rate_hz}")

    def steps(self, control_hz: float) -> tuple[int, int]:
        """Control steps from a picture to the next, and control steps that a picture is old.

        Raises:
            ShopfloorError: if the rate does not divide the control rate.
        """
        ratio = 1.0 if self.rate_hz is None else control_hz / self.rate_hz
        if ratio < 1.0 - 1e-9 or abs(ratio - round(ratio)) > 1e-9:
            raise ShopfloorError(
                f"camera {self.name!r}: rate_hz={self.rate_hz} must divide the control rate {control_hz:g} Hz"
            )
        return round(ratio), round(self.latency_s * control_hz)


@dataclass(frozen=True)
class Rgbd:
    """What `observation="rgbd"` consists of: pictures, and those readings that no camera is needed for.

    Attributes:
        cameras: the cameras, in order.
        replaces: channels of the policy that a camera's software would have to find in these pictures; they are left
            out of the readings.
    """

    cameras: tuple[Camera, ...]
    replaces: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [c.name for c in self.cameras]
        if not names or len(set(names)) != len(names):
            raise ShopfloorError(f"cameras must have different names and be at least one, got {names}")


def stereo_noise(baseline: float, focal: float, subpixel: float = 0.08) -> float:
    """`depth_noise` of a stereo camera, 1/m: depth is f b / disparity, so an error of the latter has depth^2 / (f b).

    Grunnet-Jepsen, Sweetser, Woodfill: Best-known-methods for tuning Intel RealSense D400 depth cameras, 2018, which
    has the same formula and finds 0.05 to 0.1 pixels.

    Args:
        baseline: m.
        focal: focal length, pixels.
        subpixel: standard deviation of the disparity, pixels.
    """
    return subpixel / (focal * baseline)


def picture_size(size: object) -> tuple[int, int]:
    """Width and height of pictures, from a side in pixels or the two.

    Raises:
        ShopfloorError: if they are no whole numbers of pixels that a camera can have.
    """
    sides = size if isinstance(size, (tuple, list)) else (size, size)
    whole = len(sides) == 2 and all(isinstance(s, (int, np.integer)) and not isinstance(s, bool) for s in sides)
    if not whole or not all(SIZES[0] <= s <= SIZES[1] for s in sides):
        raise ShopfloorError(
            f"camera_size must be a whole number of pixels in {list(SIZES)}, or a pair (width, height), got {size!r}"
        )
    return int(sides[0]), int(sides[1])


def intrinsic_matrix(fovy: float, width: int, height: int) -> Array:
    """Camera matrix (3, 3) of a pinhole camera with square pixels: fx and fy on the diagonal, cx and cy beside.

    Pixel (0, 0) is the middle of the upper left pixel, u runs to the right and v downwards, as in OpenCV.

    Args:
        fovy: vertical field of view, deg.
        width, height: of the picture, pixels.
    """
    focal = 0.5 * height / np.tan(0.5 * np.deg2rad(fovy))
    return np.array([[focal, 0.0, 0.5 * (width - 1)], [0.0, focal, 0.5 * (height - 1)], [0.0, 0.0, 1.0]])


def pixels_of(points: Array, intrinsic: Array, pose: Array) -> tuple[Array, Array]:
    """Where points of the world appear: pixels (k, 2) as (u, v), and depths (k,) in m, negative behind the camera.

    Args:
        points: (k, 3) in the world, m.
        intrinsic: camera matrix (3, 3).
        pose: (4, 4), from camera to world; camera axes are x to the right, y down, z forward.
    """
    seen = (points - pose[:3, 3]) @ pose[:3, :3]
    depth = seen[:, 2]
    plane = seen @ intrinsic.T
    return plane[:, :2] / depth[:, None], depth


def points_of(depth: Array, intrinsic: Array, pose: Array) -> Array:
    """The world's points (height, width, 3) that a depth picture (height, width) shows, m: a point cloud.

    Args:
        depth: m along the optical axis.
        intrinsic, pose: see `pixels_of`.
    """
    height, width = depth.shape
    u, v = np.meshgrid(np.arange(width), np.arange(height))
    rays = np.stack(
        [(u - intrinsic[0, 2]) / intrinsic[0, 0], (v - intrinsic[1, 2]) / intrinsic[1, 1], np.ones((height, width))],
        axis=-1,
    )
    points: Array = (rays * depth[..., None]) @ pose[:3, :3].T + pose[:3, 3]
    return points
