"""Robot torch for gas-metal arc welding: breakaway mount, body, bent neck, nozzle, contact tip and wire.

Tool frame: that of the flange, z out of it. The neck bends towards -x, so that an arm whose flange looks forwards and
down has its wire vertical. All sizes in m.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from ...frames import quat_from_matrix
from .. import look
from ..fixtures.weld_finishes import add_finishes
from ..robots.arm_links import far_capsule
from ..shapes import Assembly, cylinder, lathe, ring, sweep, tube_between
from .mount import screw_on

Array = NDArray[np.float64]

NECKS_DEG = (0.0, 22.0, 35.0, 45.0)
MASS = 2.4  # kg, mount and torch without its cable
MOUNT_LENGTH, BODY_LENGTH = 0.110, 0.130
BEND_RADIUS = 0.050
NECK_LENGTH, NOZZLE_LENGTH = 0.040, 0.065  # straight parts after the bend
NOZZLE_RADIUS, NECK_RADIUS = 0.0115, 0.0095
TIP_RECESS = 0.002  # contact tip behind the rim of the nozzle
CTWD, STICKOUT = 0.020, 0.016  # contact tip to work; wire out of the tip, less than that by the length of the arc
WIRE_RADIUS = 0.0006


@dataclass(frozen=True)
class TorchGeometry:
    """Where the parts of a torch are in the flange's frame, m.

    Attributes:
        axis: (3,) direction in which the wire leaves.
        bend: (3,) point at which the bend starts.
        neck: (3,) point at which the straight end of the neck starts.
        nozzle: (3,) rear end of the nozzle.
        rim: (3,) middle of the nozzle's rim.
        contact_tip: (3,) end of the contact tip.
        tcp: (3,) point of the wire's axis at the nominal distance from the tip.
        rotation: (3, 3) of the site `tcp`: z along the wire, y as the flange's.
    """

    axis: Array
    bend: Array
    neck: Array
    nozzle: Array
    rim: Array
    contact_tip: Array
    tcp: Array
    rotation: Array


def torch_geometry(neck_deg: float = 22.0, ctwd: float = CTWD) -> TorchGeometry:
    """Geometry of a torch with a neck of `neck_deg` degrees and its TCP `ctwd` m in front of the contact tip."""
    angle = np.deg2rad(neck_deg)
    s, c = float(np.sin(angle)), float(np.cos(angle))
    axis = np.array([-s, 0.0, c])
    bend = np.array([0.0, 0.0, MOUNT_LENGTH + BODY_LENGTH])
    neck = bend + BEND_RADIUS * np.array([c - 1.0, 0.0, s])
    nozzle = neck + NECK_LENGTH * axis
    rim = nozzle + NOZZLE_LENGTH * axis
    tip = rim - TIP_RECESS * axis
    rotation = np.array([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])
    return TorchGeometry(axis, bend, neck, nozzle, rim, tip, tip + ctwd * axis, rotation)


def _draw(spec: mujoco.MjSpec, body: mujoco.MjsBody, g: TorchGeometry, stickout: float, cable: bool) -> None:
    add_finishes(spec)
    parts = Assembly()
    parts.add("machine_grey", cylinder(0.040, 0.0, 0.012, edge=0.001))
    parts.add(
        "graphite", lathe([(0.0, 0.010), (0.043, 0.010), (0.046, 0.020), (0.046, 0.052), (0.036, 0.072), (0.0, 0.072)])
    )
    parts.add("safety_yellow", ring(0.040, 0.0465, 0.028, 0.034))
    parts.add("machine_grey", cylinder(0.030, 0.070, MOUNT_LENGTH, edge=0.003))
    top = MOUNT_LENGTH + BODY_LENGTH
    handle = [(0.0, MOUNT_LENGTH - 0.002), (0.024, MOUNT_LENGTH - 0.002), (0.026, MOUNT_LENGTH + 0.008),
              (0.026, top - 0.045), (0.021, top - 0.030), (0.0, top - 0.030)]  # fmt: skip
    parts.add("black_rubber", lathe(handle))
    parts.add("brass", cylinder(0.0165, top - 0.031, top - 0.006, segments=6))
    angle = np.linspace(0.0, np.arctan2(-g.axis[0], g.axis[2]), 6)
    arc = [g.bend + BEND_RADIUS * np.array([np.cos(a) - 1.0, 0.0, np.sin(a)]) for a in angle]
    straight = [g.bend - np.array([0.0, 0.0, 0.02])]
    parts.add("bright_steel", sweep([*straight, *(arc if len(set(angle)) > 1 else []), g.nozzle], NECK_RADIUS, 24, 64))
    parts.add("black_rubber", tube_between(g.nozzle - 0.018 * g.axis, g.nozzle + 0.004 * g.axis, 0.0125))
    taper = [(0.0, 0.0), (NOZZLE_RADIUS, 0.0), (NOZZLE_RADIUS, 0.040), (0.0095, NOZZLE_LENGTH),
             (0.0075, NOZZLE_LENGTH), (0.0075, 0.030), (0.0, 0.030)]  # fmt: skip
    parts.add("copper", lathe(taper, 48).moved(g.nozzle, g.rotation))
    parts.add("brass", tube_between(g.nozzle + 0.030 * g.axis, g.contact_tip, 0.0040, 0.0022))
    parts.add("bright_steel", tube_between(g.contact_tip, g.contact_tip + stickout * g.axis, WIRE_RADIUS, segments=10))
    if cable:
        loop = [
            (0.024, 0.0, 0.150),
            (0.060, 0.0, 0.140),
            (0.110, 0.0, 0.080),
            (0.130, 0.0, -0.060),
            (0.120, 0.0, -0.240),
        ]
        parts.add("black_rubber", sweep(loop, 0.014, 16, 64))
    parts.build(spec, body, "torch", look.GROUP_PART)


def add_welding_torch(
    spec: mujoco.MjSpec,
    site: str = "flange",
    *,
    neck_deg: float = 22.0,
    ctwd: float = CTWD,
    stickout: float = STICKOUT,
    cable: bool = False,
    visual: bool = True,
) -> mujoco.MjsBody:
    """Screw a torch to `site`.

    Sites `contact_tip`, `wire_tip` and `tcp`, all with z along the wire. Geom `torch_wire` touches nothing; it is there
    to measure distances to the wire (`mj_geomDistance`), for touch sensing.

    Args:
        spec: specification that holds an arm.
        site: flange to screw it to.
        neck_deg: one of `NECKS_DEG`.
        ctwd: nominal distance from contact tip to work, m.
        stickout: wire out of the contact tip, m.
        cable: draw the cable that leaves behind the body, for arms without a hollow wrist.
        visual: also add the drawn shapes.

    Returns:
        The body `torch`.

    Raises:
        ShopfloorError: no such neck, impossible lengths, or `spec` has no such site.
    """
    if neck_deg not in NECKS_DEG:
        raise ShopfloorError(f"neck_deg={neck_deg!r}: choose one of {', '.join(f'{n:g}' for n in NECKS_DEG)}")
    for name, value in (("ctwd", ctwd), ("stickout", stickout)):
        if not 0.005 <= value <= 0.050:
            raise ShopfloorError(f"{name}={value!r} m: must be 0.005 to 0.050 m")
    g = torch_geometry(neck_deg, ctwd)
    torch = screw_on(spec, site, "torch")
    torch.explicitinertial = True
    torch.mass, torch.ipos = MASS, [0.3 * g.nozzle[0], 0.0, 0.6 * (MOUNT_LENGTH + BODY_LENGTH)]
    across = MASS * (0.03**2 / 4.0 + 0.30**2 / 12.0)
    torch.inertia = [across, across, 0.5 * MASS * 0.035**2]
    quat = quat_from_matrix(g.rotation.reshape(9))
    for name, at in (("contact_tip", g.contact_tip), ("wire_tip", g.contact_tip + stickout * g.axis), ("tcp", g.tcp)):
        torch.add_site(name=name, pos=at, quat=quat, size=[0.003, 0.0, 0.0], group=4)
    far_capsule(torch, "torch_mount", (0.0, 0.0, 0.040), (0.0, 0.0, 0.062), 0.046)
    far_capsule(torch, "torch_body", (0.0, 0.0, 0.080), g.bend - np.array([0.0, 0.0, 0.045]), 0.027)
    far_capsule(torch, "torch_neck", g.bend - np.array([0.0, 0.0, 0.03]), g.neck, 0.0125)
    far_capsule(torch, "torch_nozzle", g.neck, g.rim - NOZZLE_RADIUS * g.axis, NOZZLE_RADIUS)
    torch.add_geom(
        name="torch_wire", type=mujoco.mjtGeom.mjGEOM_CAPSULE, size=[WIRE_RADIUS, 0.0, 0.0], contype=0, conaffinity=0,
        fromto=np.concatenate([g.contact_tip, g.contact_tip + (stickout - WIRE_RADIUS) * g.axis]), mass=0.0,
        group=look.GROUP_COLLISION,
    )  # fmt: skip
    if visual:
        _draw(spec, torch, g, stickout, cable)
    return torch
