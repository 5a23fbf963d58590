"""Touch probe with adapter: the tool that the UR10e-class arm's own builder screws on, for every flange."""

from __future__ import annotations

import mujoco

from ...errors import ShopfloorError
from ..robots import ur10e_shapes
from ..robots.arm_links import far_capsule
from ..robots.ur10e import TOOL_LENGTH, TOOL_MASS
from .mount import add_tcp, screw_on


def add_touch_probe(
    spec: mujoco.MjSpec, site: str = "flange", *, length: float = TOOL_LENGTH, visual: bool = True
) -> mujoco.MjsBody:
    """Screw the probe to `site`; site `tcp` at its tip.

    Args:
        spec: specification that holds an arm.
        site: flange to screw it to.
        length: flange to TCP, m.
        visual: also add the drawn shapes.

    Returns:
        The body `tool`.

    Raises:
        ShopfloorError: impossible length, or `spec` has no such site.
    """
    if not 0.06 <= length <= 0.5:
        raise ShopfloorError(f"length={length!r} m: the probe can be 0.06 to 0.5 m long")
    tool = screw_on(spec, site, "tool")
    tool.explicitinertial = True
    tool.mass = TOOL_MASS
    # Adapter and probe body near the flange; the stylus weighs next to nothing.
    tool.ipos = [0.0, 0.0, 0.3 * length]
    transverse = TOOL_MASS * (0.02**2 / 4 + (0.7 * length) ** 2 / 12)
    tool.inertia = [transverse, transverse, TOOL_MASS * 0.02**2 / 2]
    add_tcp(tool, length)
    far_capsule(tool, "tool_collision", (0.0, 0.0, 0.02), (0.0, 0.0, length - 0.008), 0.008)
    if visual:
        ur10e_shapes.add_tool(spec, tool, length)
    return tool
