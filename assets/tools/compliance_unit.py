"""Compliance unit: a plate on rubber mounts between wrist and gripper, which lets a part find its seat.

Machine loading uses such units (RCC devices, tolerance compensation units) because a part that is held by friction
between pads and pushed against hard stops, or clamped while the robot still holds it, is otherwise as stiff as the arm.
Only shifts are modelled: the mounts stand far apart, so that tilting gives way little beside the arm's own.
"""

from __future__ import annotations

import mujoco
import numpy as np

from .. import look
from ..robots.arm_links import far_capsule
from ..shapes import Assembly, cylinder, ring
from .mount import screw_on, set_cylinder

RADIUS, HEIGHT = 0.040, 0.022  # m
MASS = 0.16  # kg, of each of its two plates
STIFFNESS = 40e3  # N/m, in every direction
DAMPING_RATIO = 0.3  # of rubber, with a gripper of 1.1 kg on it
CARRIED = 1.3  # kg
TRAVEL = 0.003  # m, to each side
AXES = (("x", (1.0, 0.0, 0.0)), ("y", (0.0, 1.0, 0.0)), ("z", (0.0, 0.0, 1.0)))


def add_compliance_unit(
    spec: mujoco.MjSpec, site: str = "flange", *, stiffness: float = STIFFNESS, visual: bool = True
) -> str:
    """Screw the unit to `site`.

    Joints `comply_x`, `comply_y`, `comply_z` (m), springs with damping along the axes of the flange.

    Args:
        spec: specification that holds an arm.
        site: flange to screw it to.
        stiffness: in every direction, N/m.
        visual: also add the drawn shapes.

    Returns:
        Name of the site that the next tool is screwed to: "compliant".

    Raises:
        ShopfloorError: `spec` has no such site.
    """
    base = screw_on(spec, site, "compliance_base")
    set_cylinder(base, MASS, RADIUS, 0.0, 0.5 * HEIGHT)
    far_capsule(base, "compliance_collision", (0.0, 0.0, 0.010), (0.0, 0.0, 0.0105), RADIUS - 0.004)
    plate = base.add_body(name="compliance_plate", pos=[0.0, 0.0, HEIGHT], simple=False, gravcomp=1.0)
    set_cylinder(plate, MASS, RADIUS, -0.008, 0.0)
    damping = 2.0 * DAMPING_RATIO * np.sqrt(stiffness * CARRIED)
    for name, axis in AXES:
        plate.add_joint(
            name=f"comply_{name}", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=axis, stiffness=stiffness, damping=damping,
            limited=True, range=[-TRAVEL, TRAVEL],
        )  # fmt: skip
    plate.add_site(name="compliant", size=[0.004, 0.0, 0.0], group=4)
    if visual:
        fixed, moving = Assembly(), Assembly()
        fixed.add("anodised", cylinder(RADIUS, 0.0, 0.007, edge=0.001))
        fixed.add("black_rubber", ring(RADIUS - 0.014, RADIUS - 0.002, 0.007, 0.015))
        fixed.build(spec, base, "compliance_base", look.GROUP_PART)
        moving.add("anodised", cylinder(RADIUS, -0.008, 0.0, edge=0.001))
        moving.build(spec, plate, "compliance_plate", look.GROUP_PART)
    return "compliant"
