"""How a tool is screwed to a flange."""

from __future__ import annotations

import mujoco

from ...errors import ShopfloorError


def screw_on(spec: mujoco.MjSpec, site: str, name: str) -> mujoco.MjsBody:
    """Body `name` in the frame of the flange `site`, z out of the flange.

    The tool becomes a child of the body that carries the site, so that nothing has to hold it there.

    Raises:
        ShopfloorError: `spec` has no such site.
    """
    flange = spec.site(site)
    if flange is None:
        known = ", ".join(s.name for s in spec.sites) or "none"
        raise ShopfloorError(f"site={site!r}: the model has no such flange; its sites are {known}")
    return flange.parent.add_body(name=name, pos=flange.pos, quat=flange.quat, simple=False, gravcomp=1.0)


def grasp_options(spec: mujoco.MjSpec) -> None:
    """Contact settings of a cell in which parts are held by friction.

    With pyramidal cones and MuJoCo's impedance ratio of 1, a part of 1 kg creeps out of a gripper by more than 1 mm/s;
    with these settings it is below 0.03 mm/s.
    """
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10.0


def set_cylinder(body: mujoco.MjsBody, mass: float, radius: float, z0: float, z1: float) -> None:
    """Inertial data of a homogeneous cylinder about z from z0 to z1 (kg, m)."""
    body.explicitinertial = True
    body.mass = mass
    body.ipos = [0.0, 0.0, 0.5 * (z0 + z1)]
    transverse = mass * (radius * radius / 4.0 + (z1 - z0) ** 2 / 12.0)
    body.inertia = [transverse, transverse, 0.5 * mass * radius * radius]


def add_tcp(body: mujoco.MjsBody, z: float, name: str = "tcp") -> None:
    """Site of the tool centre point on the axis of the tool, `z` m from the body's origin."""
    body.add_site(name=name, pos=[0.0, 0.0, z], size=[0.004, 0.0, 0.0], group=4)
