"""FANUC ARC Mate 100iD-class arc-welding robot: the mechanical unit of the M-10iD/12, sold for welding.

Both have the same links, drives, ranges and speeds (see PROVENANCE.md); the welding version carries a wire feeder on
its elbow casing (`tools.welding_torch_feeder`) and leads the torch cable through forearm and wrist.
"""

from __future__ import annotations

import mujoco

from . import m10id12
from .arm_drive import Actuators

AXES = m10id12.AXES
REACH, PAYLOAD, MASS = m10id12.REACH, m10id12.PAYLOAD, m10id12.MASS
HOME = m10id12.HOME  # rad

# Where the wire feeder is screwed to the elbow casing (m, in the frame of link_3), its outlet towards the hollow
# forearm.
FEEDER_POS = (-0.02, 0.0, 0.292)


def add_arcmate100id(
    spec: mujoco.MjSpec,
    parent: mujoco.MjsBody,
    *,
    pos: tuple[float, float, float] = (0.0, 0.0, 0.0),
    quat: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0),
    actuators: Actuators = "position",
    visual: bool = True,
    gear_friction: bool = False,
) -> mujoco.MjsBody:
    """Mount the arm on `parent`; joints j1 to j6 (rad), site `flange`. Arguments as for `m10id12.add_m10id12`."""
    return m10id12.add_m10id12(
        spec, parent, pos=pos, quat=quat, actuators=actuators, visual=visual, gear_friction=gear_friction
    )
