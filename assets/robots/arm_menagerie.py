"""Arms of MuJoCo Menagerie, from the files that its package `mujoco_menagerie` has on this machine.

Nothing is downloaded: a model that is not there is an error that says how to get it. Menagerie's models carry neither
speed limits nor limits for planned motion, so cautious ones are assumed.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from ...errors import ShopfloorError
from .arm import PREFIX, Arm, Vector
from .arm_drive import Actuators, check_actuators

SPEED, ACCELERATION, JERK = 1.5, 5.0, 100.0  # rad/s, rad/s^2, rad/s^3, assumed for every joint
# Sites that Menagerie's arms have where a tool is attached.
FLANGE_SITES = ("attachment_site", "flange", "tool_site", "tcp")


def local_model(name: str) -> Path:
    """XML file of Menagerie's arm `name`.

    Raises:
        ShopfloorError: the package or the model is not on this machine.
    """
    try:
        package: Any = importlib.import_module("mujoco_menagerie")
    except ImportError:
        raise ShopfloorError(
            f"robot='{PREFIX}{name}': the package is missing; `pip install mujoco-menagerie`, then "
            f"`mujoco-menagerie prefetch {name}` or set MENAGERIE_ROOT to a checkout"
        ) from None
    if name not in package.names():
        near = [known for known in package.names() if name.lower() in known] or ["universal_robots_ur10e"]
        raise ShopfloorError(f"robot='{PREFIX}{name}': Menagerie has no such model; did you mean {', '.join(near)}?")
    robot, cache = package.get(name), package.Cache()
    folder = cache.root / name if cache.root else cache.model_path(robot)
    path = Path(folder) / robot.entry(robot.default_model).file
    if not path.is_file() or not (cache.root or cache.is_cached(robot)):
        raise ShopfloorError(
            f"robot='{PREFIX}{name}': {path} is not there, and nothing is downloaded from here; "
            f"`mujoco-menagerie prefetch {name}` or set MENAGERIE_ROOT to a checkout"
        )
    return path


def _driven(model: mujoco.MjModel, name: str) -> list[tuple[int, int]]:
    """(joint, actuator) pairs in joint order.

    Raises:
        ShopfloorError: the model is not a serial arm with one actuator for each joint.
    """
    pairs = []
    for actuator in range(model.nu):
        if int(model.actuator_trntype[actuator]) != int(mujoco.mjtTrn.mjTRN_JOINT):
            raise ShopfloorError(f"robot='{PREFIX}{name}': an actuator drives no joint; choose an arm without a hand")
        pairs.append((int(model.actuator_trnid[actuator, 0]), actuator))
    pairs.sort()
    turning = (int(mujoco.mjtJoint.mjJNT_HINGE), int(mujoco.mjtJoint.mjJNT_SLIDE))
    if [joint for joint, _ in pairs] != list(range(model.njnt)) or not np.isin(model.jnt_type, turning).all():
        raise ShopfloorError(f"robot='{PREFIX}{name}': not a serial arm with one actuator for each joint")
    return pairs


def _effort(model: mujoco.MjModel, joint: int, actuator: int) -> float:
    """Torque limit of a joint: the tighter of actuator and joint, 100 N m where neither says."""
    limits = []
    if model.actuator_forcelimited[actuator]:
        limits.append(float(np.abs(model.actuator_forcerange[actuator]).min()))
    if model.jnt_actfrclimited[joint]:
        limits.append(float(np.abs(model.jnt_actfrcrange[joint]).min()))
    return min(limits, default=100.0)


def menagerie_arm(name: str) -> Arm:
    """Menagerie's arm `name` in this package's terms.

    The home configuration is the first keyframe, or the middle of the range. "position" keeps the servos of the
    model, "torque" replaces them by motors; there is no velocity servo.

    Raises:
        ShopfloorError: the files are not on this machine, or the model is not a serial arm with a tool site.
    """
    path = local_model(name)
    model = mujoco.MjModel.from_xml_path(str(path))
    pairs = _driven(model, name)
    sites = [model.site(i).name for i in range(model.nsite)]
    flange = next((site for site in FLANGE_SITES if site in sites), None)
    if flange is None:
        raise ShopfloorError(f"robot='{PREFIX}{name}': no site to attach a tool to among {', '.join(sites) or 'none'}")
    joints = tuple(model.joint(joint).name for joint, _ in pairs)
    low, high = (tuple(float(v) for v in model.jnt_range[:, k]) for k in (0, 1))
    effort = tuple(_effort(model, joint, actuator) for joint, actuator in pairs)
    middle = tuple(0.5 * (a + b) for a, b in zip(low, high, strict=True))
    data = mujoco.MjData(model)
    data.qpos[:] = model.key_qpos[0] if model.nkey else middle
    mujoco.mj_forward(model, data)
    reach = float(np.linalg.norm(np.diff(data.xanchor, axis=0), axis=1).sum())

    def each(value: float) -> Vector:
        return (value,) * len(joints)

    return Arm(
        f"{PREFIX}{name}", f"MuJoCo Menagerie {name}", joints, low=low, high=high, velocity=each(SPEED), effort=effort,
        acceleration=each(ACCELERATION), jerk=each(JERK), home=tuple(float(q) for q in data.qpos), reach=reach,
        payload=0.0, base_height=0.0, base_quat=(1.0, 0.0, 0.0, 0.0), add=_Loader(name, path, joints, effort),
        flange=flange, slides=tuple(bool(t == int(mujoco.mjtJoint.mjJNT_SLIDE)) for t in model.jnt_type),
    )  # fmt: skip


class _Loader:
    """Attaches a copy of the model file to a cell."""

    def __init__(self, name: str, path: Path, joints: tuple[str, ...], effort: Vector):
        self.name, self.path, self.joints, self.effort = name, path, joints, effort

    def __call__(
        self,
        spec: mujoco.MjSpec,
        parent: mujoco.MjsBody,
        *,
        pos: tuple[float, float, float] = (0.0, 0.0, 0.0),
        quat: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0),
        actuators: Actuators = "position",
        visual: bool = True,
    ) -> mujoco.MjsBody:
        """Mount the arm; see `Arm.add`. Drawn geoms stay, since Menagerie does not tell them apart by rule."""
        check_actuators(actuators)
        if actuators == "velocity":
            raise ShopfloorError(f"robot='{PREFIX}{self.name}': actuators='velocity' needs one of our own arms")
        child = mujoco.MjSpec.from_file(str(self.path))
        for key in list(child.keys):
            child.delete(key)
        for actuator in child.actuators:
            actuator.name = actuator.target
            if actuators == "torque":
                limit = self.effort[self.joints.index(actuator.target)]
                actuator.set_to_motor()
                actuator.ctrllimited = actuator.forcelimited = True
                actuator.ctrlrange = actuator.forcerange = [-limit, limit]
        for body in child.bodies[1:]:
            body.gravcomp = 1.0
        for joint in child.joints:
            joint.actgravcomp = True
        root = child.worldbody.first_body()
        frame = parent.add_frame(pos=pos, quat=quat)
        return frame.attach_body(root, "", "")
