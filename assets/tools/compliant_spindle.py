"""Sanding and grinding spindle whose head gives way along its axis against a preloaded spring.

The disc does not turn in the simulation: what a polishing task needs is the normal force, which the spring sets, and
the friction, which the task drives.
"""

from __future__ import annotations

import mujoco

from ...errors import ShopfloorError
from .. import look
from ..robots.arm_links import NEAR_HALF, SURROUNDINGS, far_capsule
from ..shapes import Assembly, cylinder, lathe, ring
from .mount import add_tcp, screw_on, set_cylinder

HOUSING_MASS, HEAD_MASS = 1.10, 0.45  # kg
LENGTH = 0.160  # m, flange to the disc when free
TRAVEL = 0.012  # m
STIFFNESS, PRELOAD, DAMPING = 1500.0, 10.0, 60.0  # N/m, N, N s/m
DISC_RADIUS, DISC_THICKNESS = 0.0375, 0.006  # m
DISC_FRICTION = (0.4, 0.005, 0.0001)  # abrasive paper on steel


def _draw(spec: mujoco.MjSpec, housing: mujoco.MjsBody, head: mujoco.MjsBody) -> None:
    fixed, moving = Assembly(), Assembly()
    fixed.add("dark_steel", cylinder(0.0375, 0.0, 0.010, edge=0.001))
    fixed.add(
        "graphite", lathe([(0.0, 0.008), (0.030, 0.008), (0.033, 0.014), (0.033, 0.092), (0.030, 0.100), (0.0, 0.100)])
    )
    fixed.add("joint_blue", ring(0.030, 0.0336, 0.058, 0.070, edge=0.001))
    fixed.add("brass", cylinder(0.006, 0.030, 0.052, segments=6).along("y").moved((0.0, 0.0, 0.030)))
    fixed.build(spec, housing, "spindle", look.GROUP_PART)
    folds = [(0.0, -0.070), (0.026, -0.070)]
    for k in range(5):
        folds += [(0.0285, -0.066 + 0.008 * k), (0.0245, -0.062 + 0.008 * k)]
    moving.add("black_rubber", lathe([*folds, (0.024, -0.024), (0.0, -0.024)], 56))
    moving.add("machined_aluminium", cylinder(0.018, -0.025, -0.010, edge=0.002))
    moving.add("machine_grey", cylinder(DISC_RADIUS, -0.014, -0.004, edge=0.002))
    moving.add("brass", cylinder(DISC_RADIUS + 0.0004, -0.0045, 0.0))
    moving.build(spec, head, "spindle_head", look.GROUP_PART)


def add_compliant_spindle(
    spec: mujoco.MjSpec,
    site: str = "flange",
    *,
    stiffness: float = STIFFNESS,
    preload: float = PRELOAD,
    visual: bool = True,
) -> mujoco.MjsBody:
    """Screw the spindle to `site`.

    Joint `spindle_axial` (m, 0 free, inwards negative); sensor `spindle_deflection` (m); geom `spindle_disc`; site
    `tcp` in the middle of the disc. The disc presses with `preload` plus `stiffness` times its deflection.

    Args:
        spec: specification that holds an arm.
        site: flange to screw it to.
        stiffness: of the axial spring, N/m.
        preload: force at which the head begins to give way, N.
        visual: also add the drawn shapes.

    Returns:
        The housing's body `spindle`.

    Raises:
        ShopfloorError: a spring that does not push outwards, or `spec` has no such site.
    """
    if not (stiffness > 0.0 and preload >= 0.0):
        raise ShopfloorError(f"stiffness={stiffness!r} N/m, preload={preload!r} N: the spring must push outwards")
    housing = screw_on(spec, site, "spindle")
    set_cylinder(housing, HOUSING_MASS, 0.033, 0.0, 0.100)
    # The arm carries the weight of the head too, but the head itself must hang in its spring: the compensation for
    # both acts on the housing.
    housing.gravcomp = 1.0 + HEAD_MASS / HOUSING_MASS
    far_capsule(housing, "spindle_collision", (0.0, 0.0, 0.033), (0.0, 0.0, 0.080), 0.033)
    head = housing.add_body(name="spindle_head", pos=[0.0, 0.0, LENGTH], simple=False)
    set_cylinder(head, HEAD_MASS, 0.028, -0.060, 0.0)
    head.add_joint(
        name="spindle_axial", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[0.0, 0.0, 1.0], limited=True,
        range=[-TRAVEL, 0.0], stiffness=stiffness, springref=preload / stiffness, damping=DAMPING,
        solref_limit=[0.004, 1.0],
    )  # fmt: skip
    head.add_geom(
        name="spindle_disc", type=mujoco.mjtGeom.mjGEOM_CYLINDER, pos=[0.0, 0.0, -DISC_THICKNESS / 2],
        size=[DISC_RADIUS, DISC_THICKNESS / 2, 0.0], contype=0, conaffinity=SURROUNDINGS | NEAR_HALF, mass=0.0,
        friction=DISC_FRICTION, priority=1, condim=3, solref=[0.004, 1.0], group=look.GROUP_COLLISION,
    )  # fmt: skip
    add_tcp(head, 0.0)
    spec.add_sensor(
        name="spindle_deflection", type=mujoco.mjtSensor.mjSENS_JOINTPOS, objtype=mujoco.mjtObj.mjOBJ_JOINT,
        objname="spindle_axial",
    )  # fmt: skip
    if visual:
        _draw(spec, housing, head)
    return housing
