"""Teaching jig: what a wafer robot carries in place of a wafer while it finds out where a station stands.

A cross-shaped plate lies on the paddle, held by its cups and as heavy as a wafer, so that the arm sags as with one.
Through the opening of the fork hang four heads, between which two through-beams cross at right angles, 45 degrees off
the direction of the arm: a pin that passes between the heads cuts both. In front of them hangs a stylus with a ball,
for touching a plane from above.

Frame: that of the seated wafer it replaces (site `tcp` of a paddle): x outward along the arm, z up.
"""

from __future__ import annotations

import mujoco
import numpy as np

from .. import look
from ..fixtures.beam import add_through_beam
from ..parts import wafer
from ..shapes import Assembly, box, cylinder, dome

MASS = wafer.MASS  # kg
CROSSING = (0.030, 0.0, -0.020)  # m, where the beams cross
HEAD_OFFSET = 0.050  # m, of the heads from the crossing, along x and along y
STYLUS = (0.110, 0.0, -0.027)  # m, centre of the ball
BALL_RADIUS = 0.003  # m
BEAM_ANGLES = (np.pi / 4.0, -np.pi / 4.0)  # rad, directions of the beams from x
PLATE = 0.004  # m, thickness


def _plate() -> Assembly:
    parts = Assembly()
    z = 0.5 * PLATE
    x0 = CROSSING[0]
    parts.add("anodised", box((0.175, 0.024, PLATE), (0.040, 0.0, z), bevel=0.001))
    parts.add("anodised", box((0.020, 0.196, PLATE), (0.040, 0.0, z), bevel=0.001))
    for sx in (-1.0, 1.0):
        parts.add(
            "anodised", box((0.018, 2.0 * HEAD_OFFSET + 0.020, PLATE), (x0 + sx * HEAD_OFFSET, 0.0, z), bevel=0.001)
        )
    parts.add("joint_blue", box((0.046, 0.030, 0.010), (0.030, 0.0, PLATE + 0.005), bevel=0.002))
    parts.add("status_green", cylinder(0.0025, PLATE + 0.010, PLATE + 0.0115, segments=16).moved((0.045, 0.008, 0.0)))
    for sx in (-1.0, 1.0):
        for sy in (-1.0, 1.0):
            at = (x0 + sx * HEAD_OFFSET, sy * HEAD_OFFSET, 0.0)
            parts.add("graphite", cylinder(0.0045, CROSSING[2] - 0.004, 0.0, edge=0.0008, segments=24).moved(at))
    x, y, z = STYLUS
    parts.add("bright_steel", cylinder(0.0016, z, 0.0, segments=16).moved((x, y, 0.0)))
    parts.add("graphite", cylinder(0.006, -0.010, PLATE + 0.002, edge=0.001, segments=24).moved((x, y, 0.0)))
    parts.add("ruby", dome(BALL_RADIUS, 0.0, BALL_RADIUS).moved((x, y, z)))
    return parts


def add_teach_jig(
    spec: mujoco.MjSpec, paddle: mujoco.MjsBody, prefix: str, *, pos: tuple[float, float, float], visual: bool
) -> mujoco.MjsBody:
    """Lay the jig on a paddle: body `<prefix>jig` without a joint.

    Sites `<prefix>crossing` and `<prefix>stylus` (centre of the ball), beams `<prefix>beam_0` and `_1` as
    `fixtures.beam.add_through_beam` names them, and the ball itself, geom `<prefix>ball`, which touches only what a
    cell pairs it with.

    Args:
        spec: specification to extend.
        paddle: body that carries it.
        prefix: of all names.
        pos: (3,) of the seated wafer's centre in `paddle`, m.
        visual: also add the drawn shapes.

    Returns:
        The body.
    """
    jig = paddle.add_body(name=f"{prefix}jig", pos=pos, simple=False)
    jig.explicitinertial = True
    jig.mass, jig.ipos, jig.inertia = MASS, [0.0, 0.0, 0.0], [2.5e-4, 4.5e-4, 6.5e-4]
    for name, at in (("crossing", CROSSING), ("stylus", STYLUS)):
        jig.add_site(name=f"{prefix}{name}", pos=at, size=[1.2 * BALL_RADIUS, 0.0, 0.0], group=4)
    jig.add_geom(
        name=f"{prefix}ball", type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[BALL_RADIUS, 0.0, 0.0], pos=STYLUS, mass=0.0,
        contype=0, conaffinity=0, group=look.GROUP_COLLISION,
    )  # fmt: skip
    centre = np.array(CROSSING)
    for k, angle in enumerate(BEAM_ANGLES):
        arm = HEAD_OFFSET * np.sqrt(2.0) * np.array([np.cos(angle), np.sin(angle), 0.0])
        add_through_beam(spec, jig, f"{prefix}beam_{k}", tuple(centre + arm), tuple(centre - arm), visual=False)
    if visual:
        _plate().build(spec, jig, f"{prefix}jig", look.GROUP_PART)
    return jig
