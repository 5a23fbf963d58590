"""Wire feeder on the elbow of a welding arm, and the torch cable from it into the hollow forearm."""

from __future__ import annotations

import mujoco

from ...errors import ShopfloorError
from .. import look
from ..fixtures.weld_finishes import add_finishes
from ..robots.arm_links import near_capsule
from ..shapes import Assembly, box, cylinder, sweep

MASS = 6.5  # kg
SIZE = (0.230, 0.150, 0.130)  # m


def _draw(spec: mujoco.MjSpec, body: mujoco.MjsBody, inlet: tuple[float, float, float]) -> None:
    add_finishes(spec)
    x, y, z = SIZE
    parts = Assembly()
    parts.add("machine_grey", box((0.14, 0.11, 0.024), (0.0, 0.0, 0.012), bevel=0.004))
    parts.add("graphite", box((x, y, z), (0.0, 0.0, 0.024 + 0.5 * z), bevel=0.012))
    parts.add("welder_red", box((0.8 * x, y + 0.006, 0.6 * z), (0.0, 0.0, 0.030 + 0.5 * z), bevel=0.010))
    middle = 0.024 + 0.55 * z
    parts.add("brass", cylinder(0.020, 0.0, 0.030, edge=0.002, segments=40).along("x").moved((0.5 * x, 0.0, middle)))
    hose = [
        (0.5 * x + 0.025, 0.0, middle),
        (0.5 * x + 0.09, 0.0, middle - 0.01),
        (0.5 * x + 0.14, 0.0, middle - 0.08),
        inlet,
    ]
    parts.add("black_rubber", sweep(hose, 0.016, 16, 64))
    back = -0.5 * x
    conduit = [(back + 0.01, 0.02, middle), (back - 0.06, 0.03, middle - 0.01), (back - 0.09, 0.05, middle - 0.14),
               (-0.10, 0.055, -0.17)]  # fmt: skip
    parts.add("black_rubber", sweep(conduit, 0.013, 16, 64))
    parts.build(spec, body, "wire_feeder", look.GROUP_PART)


def add_wire_feeder(
    spec: mujoco.MjSpec,
    link: str = "link_3",
    *,
    pos: tuple[float, float, float] = (-0.02, 0.0, 0.292),
    inlet: tuple[float, float, float] = (0.300, 0.0, -0.060),
    visual: bool = True,
) -> mujoco.MjsBody:
    """Screw a wire feeder to the elbow casing of an arm.

    Args:
        spec: specification that holds an arm.
        link: body that carries it.
        pos: (3,) middle of its foot in the frame of that body, m; its outlet looks along x.
        inlet: (3,) where the drawn cable enters the forearm, from `pos`, m.
        visual: also add the drawn shapes.

    Returns:
        The body `wire_feeder`.

    Raises:
        ShopfloorError: `spec` has no such body.
    """
    carrier = spec.body(link)
    if carrier is None:
        raise ShopfloorError(f"link={link!r}: the model has no such body; a feeder needs the elbow of a six-axis arm")
    body = carrier.add_body(name="wire_feeder", pos=pos, simple=False, gravcomp=1.0)
    x, y, z = SIZE
    body.explicitinertial = True
    body.mass, body.ipos = MASS, [0.0, 0.0, 0.024 + 0.5 * z]
    body.inertia = [MASS * (b * b + c * c) / 12.0 for b, c in ((y, z), (x, z), (x, y))]
    near_capsule(body, "wire_feeder_collision", (-0.04, 0.0, 0.085), (0.04, 0.0, 0.085), 0.075)
    if visual:
        _draw(spec, body, inlet)
    return body
