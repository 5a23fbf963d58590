"""Arms by name: one description for every robot, so that a task takes `robot="..."` and asks nothing else.

`arm(name)` looks a robot up; `Arm.add` mounts it in a cell, without a tool. Tools from `shopfloor.assets.tools` are
screwed to the site `flange`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import mujoco
import numpy as np

from ...errors import ShopfloorError
from . import ar1440, arcmate100id, fr3, iiwa14, industrial_scara, m10id12, ur10e
from .arm_drive import Actuators, Axis

Vector = tuple[float, ...]

PREFIX = "menagerie:"


class AddArm(Protocol):
    """Function that mounts an arm without a tool and returns its fixed base."""

    def __call__(
        self,
        spec: mujoco.MjSpec,
        parent: mujoco.MjsBody,
        *,
        pos: tuple[float, float, float] = ...,
        quat: tuple[float, float, float, float] = ...,
        actuators: Actuators = ...,
        visual: bool = ...,
    ) -> mujoco.MjsBody: ...


@dataclass(frozen=True)
class Arm:
    """What a task needs to know about a robot. Angles in rad, lengths in m; a slide has m, m/s and N.

    Attributes:
        name: key in `ARMS`.
        title: machine class in words.
        joints: names of the joints, from the base; actuators have the same names.
        low, high: joint ranges.
        velocity: joint speed limits.
        effort: joint torque limits.
        acceleration, jerk: limits for planned motion.
        home: configuration with the flange straight down in front of the base.
        reach: published reach; what it is measured to is in PROVENANCE.md.
        payload: kg, tool included.
        base_height: base over the work surface in a bench cell, where `home` has room below the flange.
        base_quat: orientation of the base, wxyz, that makes `home` reach along +x.
        add: mounts the arm.
        flange: site in the face that tools are screwed to, z out of it.
        slides: which joints are linear.
    """

    name: str
    title: str
    joints: tuple[str, ...]
    low: Vector
    high: Vector
    velocity: Vector
    effort: Vector
    acceleration: Vector
    jerk: Vector
    home: Vector
    reach: float
    payload: float
    base_height: float
    base_quat: tuple[float, float, float, float]
    add: AddArm
    flange: str = "flange"
    slides: tuple[bool, ...] = ()

    def __post_init__(self) -> None:
        """Check that every vector has one value for each joint, and that home lies inside the range."""
        for field in ("low", "high", "velocity", "effort", "acceleration", "jerk", "home", "slides"):
            if field == "slides" and not self.slides:
                object.__setattr__(self, "slides", (False,) * self.dof)
            if len(getattr(self, field)) != self.dof:
                raise ShopfloorError(f"arm {self.name!r}: {field} needs {self.dof} values, one for each joint")
        outside = [
            joint for joint, low, q, high in zip(self.joints, self.low, self.home, self.high, strict=True)
            if not low <= q <= high
        ]  # fmt: skip
        if outside:
            raise ShopfloorError(f"arm {self.name!r}: home is outside the range of {', '.join(outside)}")

    @property
    def dof(self) -> int:
        """Number of joints."""
        return len(self.joints)

    def spec(self, *, actuators: Actuators = "position", visual: bool = True) -> mujoco.MjSpec:
        """Specification that holds the arm alone, base at the origin, with the recommended timestep and integrator."""
        spec = mujoco.MjSpec()
        spec.modelname = self.name.replace(":", "_")
        spec.compiler.degree = False
        spec.option.timestep = 0.002
        spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
        self.add(spec, spec.worldbody, actuators=actuators, visual=visual)
        return spec


def _from_axes(
    name: str, title: str, axes: Sequence[Axis], *, home: Vector, reach: float, payload: float, base_height: float,
    add: AddArm,
) -> Arm:  # fmt: skip
    def column(read: Callable[[Axis], float]) -> Vector:
        return tuple(read(axis) for axis in axes)

    return Arm(
        name, title, tuple(axis.joint for axis in axes), low=column(lambda a: a.low), high=column(lambda a: a.high),
        velocity=column(lambda a: a.speed), effort=column(lambda a: a.effort),
        acceleration=column(lambda a: a.acceleration), jerk=column(lambda a: a.jerk), home=home, reach=reach,
        payload=payload, base_height=base_height, base_quat=(1.0, 0.0, 0.0, 0.0), add=add,
        slides=tuple(axis.slide for axis in axes),
    )  # fmt: skip


def _add_bare_ur10e(
    spec: mujoco.MjSpec,
    parent: mujoco.MjsBody,
    *,
    pos: tuple[float, float, float] = (0.0, 0.0, 0.0),
    quat: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0),
    actuators: Actuators = "position",
    visual: bool = True,
) -> mujoco.MjsBody:
    """The UR10e-class arm without the touch probe that its own builder screws on."""
    base = ur10e.add_ur10e(spec, parent, pos=pos, quat=quat, actuators=actuators, visual=visual)
    probe = spec.body("tool")
    meshes = [geom.meshname for geom in probe.geoms if geom.meshname]
    spec.delete(probe)
    for mesh in meshes:
        spec.delete(spec.mesh(mesh))
    return base


_UR10E = Arm(
    "ur10e", "UR10e-class six-axis cobot", ur10e.JOINTS,
    low=tuple(-r for r in ur10e.JOINT_RANGE), high=tuple(ur10e.JOINT_RANGE), velocity=ur10e.JOINT_SPEED_LIMIT,
    effort=ur10e.JOINT_TORQUE_LIMIT,
    # at which the published joint torques carry the arm at full stretch with a margin
    acceleration=(8.0, 8.0, 12.0, 20.0, 20.0, 20.0), jerk=(160.0, 160.0, 240.0, 400.0, 400.0, 400.0),
    home=(0.0, -1.75, 1.90, -np.pi / 2 + 1.75 - 1.90, -np.pi / 2, 0.0), reach=1.300, payload=12.5, base_height=-0.08,
    base_quat=(0.0, 0.0, 0.0, 1.0), add=_add_bare_ur10e,
)  # fmt: skip

ARMS: dict[str, Arm] = {
    arm.name: arm
    for arm in (
        _UR10E,
        _from_axes(
            "m10id12", "FANUC M-10iD/12-class six-axis robot", m10id12.AXES, home=m10id12.HOME, reach=m10id12.REACH,
            payload=m10id12.PAYLOAD, base_height=-0.55, add=m10id12.add_m10id12,
        ),
        _from_axes(
            "fr3", "Franka Research 3-class seven-axis cobot", fr3.AXES, home=fr3.HOME, reach=fr3.REACH,
            payload=fr3.PAYLOAD, base_height=0.0, add=fr3.add_fr3,
        ),
        _from_axes(
            "iiwa14", "KUKA LBR iiwa 14-class seven-axis cobot", iiwa14.AXES, home=iiwa14.HOME, reach=iiwa14.REACH,
            payload=iiwa14.PAYLOAD, base_height=0.0, add=iiwa14.add_iiwa14,
        ),
        _from_axes(
            "scara", "Epson LS6-602-class four-axis SCARA", industrial_scara.AXES, home=industrial_scara.HOME,
            reach=industrial_scara.REACH, payload=industrial_scara.PAYLOAD, base_height=0.20,
            add=industrial_scara.add_industrial_scara,
        ),
        _from_axes(
            "ar1440", "Yaskawa AR1440/MA1440-class arc-welding robot", ar1440.AXES, home=ar1440.HOME,
            reach=ar1440.REACH, payload=ar1440.PAYLOAD, base_height=-0.55, add=ar1440.add_ar1440,
        ),
        _from_axes(
            "arcmate100id", "FANUC ARC Mate 100iD-class arc-welding robot", arcmate100id.AXES,
            home=arcmate100id.HOME, reach=arcmate100id.REACH, payload=arcmate100id.PAYLOAD, base_height=-0.55,
            add=arcmate100id.add_arcmate100id,
        ),
    )
}  # fmt: skip


def arm(name: str) -> Arm:
    """The arm called `name`, or of MuJoCo Menagerie for "menagerie:NAME".

    Raises:
        ShopfloorError: if there is no such arm, or Menagerie's files are not on this machine.
    """
    if name.startswith(PREFIX):
        from .arm_menagerie import menagerie_arm

        return menagerie_arm(name.removeprefix(PREFIX))
    if name not in ARMS:
        raise ShopfloorError(f"robot={name!r}: choose one of {', '.join(ARMS)}, or {PREFIX}NAME")
    return ARMS[name]
