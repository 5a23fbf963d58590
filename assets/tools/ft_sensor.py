"""Force/torque sensor for the wrist, of the ATI Axia80 class: between the flange and whatever tool comes next."""

from __future__ import annotations

import mujoco

from ..robots.arm_links import far_capsule
from ..shapes import Assembly, box, cylinder, ring
from .mount import screw_on, set_cylinder

RADIUS, HEIGHT = 0.041, 0.0254  # m
BASE_MASS, PLATE_MASS = 0.210, 0.065  # kg
FORCE_RANGE = (500.0, 500.0, 900.0)  # N, x y z
TORQUE_RANGE = (20.0, 20.0, 20.0)  # N m


def add_ft_sensor(spec: mujoco.MjSpec, site: str = "flange", *, visual: bool = True) -> str:
    """Screw the sensor to `site`.

    Sensors `ft_force` (N) and `ft_torque` (N m): force and torque with which the arm holds the tool (the opposite of
    what the tool exerts on the arm), in the frame and about the origin of the site `ft` in the tool-side face, z out
    of it. The weight of the tool is part of the reading, as in a real sensor before taring; so is what accelerates it.

    Args:
        spec: specification that holds an arm.
        site: flange to screw it to.
        visual: also add the drawn shapes.

    Returns:
        Name of the site that the next tool is screwed to: "ft".

    Raises:
        ShopfloorError: `spec` has no such site.
    """
    base = screw_on(spec, site, "ft_base")
    set_cylinder(base, BASE_MASS, RADIUS, 0.0, HEIGHT - 0.006)
    far_capsule(base, "ft_base_collision", (0.0, 0.0, 0.012), (0.0, 0.0, 0.0125), RADIUS - 0.004)
    plate = base.add_body(name="ft_plate", pos=[0.0, 0.0, HEIGHT], simple=False, gravcomp=1.0)
    set_cylinder(plate, PLATE_MASS, RADIUS, -0.006, 0.0)
    plate.add_site(name="ft", size=[0.004, 0.0, 0.0], group=4)
    for name, kind in (("ft_force", mujoco.mjtSensor.mjSENS_FORCE), ("ft_torque", mujoco.mjtSensor.mjSENS_TORQUE)):
        spec.add_sensor(name=name, type=kind, objtype=mujoco.mjtObj.mjOBJ_SITE, objname="ft")
    if visual:
        body, cover = Assembly(), Assembly()
        body.add("machined_aluminium", cylinder(RADIUS, 0.0, HEIGHT - 0.0075, edge=0.0015))
        body.add("graphite", ring(RADIUS - 0.002, RADIUS + 0.0006, 0.006, 0.012))
        body.add("black_rubber", box((0.022, 0.018, 0.012), (RADIUS + 0.008, 0.0, 0.010), bevel=0.002))
        body.build(spec, base, "ft_base")
        cover.add("anodised", cylinder(RADIUS - 0.001, -0.0065, 0.0, edge=0.001))
        cover.build(spec, plate, "ft_plate")
    return "ft"
