"""The two RGB-D cameras of `observation="rgbd"` in the arms' cells."""

from __future__ import annotations

from ...assets.tools.rgbd_camera import CELL_CAMERA, WRIST_CAMERA
from ..sensing import Camera
from ..sensing.camera import stereo_noise

LATENCY_S = 0.04  # exposure, stereo matching and transfer: one frame of a camera with 30 a second, and a little
RGB_NOISE = 2.0  # of 255, a small sensor under workshop lamps
# Baselines and ranges are those of the classes of Intel RealSense D405 (7 to 50 cm) and D435 (from 28 cm on); the focal
# length is that of 848 columns over 87 deg.
FOCAL = 447.0  # pixels
WRIST = Camera(
    "wrist", WRIST_CAMERA, near=0.05, far=0.5, latency_s=LATENCY_S, rgb_noise=RGB_NOISE,
    depth_noise=stereo_noise(baseline=0.018, focal=FOCAL),
    description="at the flange, looks between jaws or past the cup",
)  # fmt: skip
CELL = Camera(
    "cell", CELL_CAMERA, near=0.2, far=2.0, latency_s=LATENCY_S, rgb_noise=RGB_NOISE,
    depth_noise=stereo_noise(baseline=0.050, focal=FOCAL),
    description="on a post, looks at the place of work",
)  # fmt: skip
CAMERAS = (WRIST, CELL)
