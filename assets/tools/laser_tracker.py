"""Laser line sensor on a welding torch: looks ahead of the arc, its line across the seam.

Frame of the site `laser`: origin where the fan of light leaves, z along its middle ray towards the work, x along the
line (lateral, to the standing plate), y against the direction of welding. All sizes in m.
"""

from __future__ import annotations

import mujoco
import numpy as np

from ...errors import ShopfloorError
from ...frames import quat_from_matrix
from .. import look
from ..fixtures.weld_finishes import add_finishes
from ..robots.arm_links import far_capsule
from ..shapes import Assembly, box, cylinder
from .welding_torch import torch_geometry

STANDOFF = 0.090  # emitter over the work, like trackers of this class (45 to 200 mm)
HOUSING = (0.048, 0.032, 0.085)  # across, along the seam, high
NEAREST, FARTHEST = 0.020, 0.070  # preview: in front of the nozzle's spatter, and as far as a bracket holds


def add_laser_tracker(
    spec: mujoco.MjSpec, *, preview: float = 0.035, neck_deg: float = 22.0, ctwd: float = 0.020, visual: bool = True
) -> mujoco.MjsBody:
    """Clamp a sensor to the body `torch`, its plane `preview` m ahead of the wire; site `laser`.

    Args:
        spec: specification with a welding torch.
        preview: of the laser plane, along the seam, m.
        neck_deg, ctwd: those of the torch.
        visual: also add the drawn shapes.

    Returns:
        The body `laser_tracker`.

    Raises:
        ShopfloorError: if the preview is out of reach of a bracket.
    """
    if not NEAREST <= preview <= FARTHEST:
        raise ShopfloorError(f"preview={preview!r} m: the plane of light can be {NEAREST} to {FARTHEST} m ahead")
    g = torch_geometry(neck_deg, ctwd)
    at = g.tcp + g.rotation @ np.array([0.0, -preview, -STANDOFF])
    torch = spec.body("torch")
    body = torch.add_body(name="laser_tracker", pos=at, quat=quat_from_matrix(g.rotation.reshape(9)), gravcomp=1.0)
    body.explicitinertial = True
    body.mass, body.ipos = 0.45, [0.0, -0.5 * HOUSING[1], -0.5 * HOUSING[2]]
    x, y, z = (side * side for side in HOUSING)
    body.inertia = [0.45 * (y + z) / 12.0, 0.45 * (x + z) / 12.0, 0.45 * (x + y) / 12.0]
    body.add_site(name="laser", size=[0.003, 0.0, 0.0], group=4)
    far_capsule(body, "laser_tracker_collision", (0.0, -0.010, -0.020), (0.0, -0.010, -0.070), 0.020)
    if visual:
        add_finishes(spec)
        parts = Assembly()
        parts.add("machine_grey", box(HOUSING, (0.0, -0.012, -0.5 * HOUSING[2] - 0.004), bevel=0.004))
        parts.add("black_rubber", box((0.030, 0.020, 0.006), (0.0, -0.010, -0.002), bevel=0.001))
        parts.add("copper", box((0.050, 0.034, 0.004), (0.0, -0.012, -0.018), bevel=0.001))
        parts.add("graphite", box((0.016, preview, 0.020), (0.0, 0.5 * preview, -0.058), bevel=0.002))
        parts.add("black_rubber", cylinder(0.005, 0.0, 0.045, segments=20).moved((0.012, -0.014, -0.130)))
        parts.build(spec, body, "laser_tracker", look.GROUP_PART)
    return body
