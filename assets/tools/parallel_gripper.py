"""Electric parallel gripper: two fingers on one spindle, so that they always meet in the middle; force limited.

Stroke, force and speed are those of the class of small electric grippers (Robotiq 2F-85 and Hand-E, Schunk EGP 64:
50 to 85 mm, up to about 200 N, 20 to 150 mm/s); the design is our own.
"""

from __future__ import annotations

import mujoco

from ...errors import ShopfloorError
from .. import look
from ..robots.arm_links import NEAR_HALF, SURROUNDINGS, far_capsule
from ..shapes import Assembly, box, cylinder
from .mount import add_tcp, screw_on

STROKE = 0.080  # m, between the pads when open
FORCE_RANGE = (20.0, 200.0)  # N at each pad
FINGER_SPEED = 0.075  # m/s of each finger
TCP = 0.135  # m, flange to the middle of the pads
PAD_SIZE = (0.006, 0.022, 0.026)  # m, thickness, width, height
PAD_FRICTION = (0.8, 0.006, 0.0002)  # rubber on metal; torsional and rolling in m

HOUSING_MASS, FINGER_MASS = 0.80, 0.07  # kg
# Half of a rotor of 5e-6 kg m^2 behind a spindle of 4 mm lead, seen at each finger (kg). It must not be much less than
# damping times timestep, or the contact solver is misled about how easily a finger gives way.
SPINDLE_MASS = 4.0
# Width servo: the full force at 2 mm of error. The spindle's loss holds the speed below its limit at full force.
SERVO_KP = 1.0e5  # N/m

_FINGERS = (("finger_left", 1.0), ("finger_right", -1.0))


def _add_fingers(
    spec: mujoco.MjSpec, housing: mujoco.MjsBody, force: float, closed_on: float | None, visual: bool
) -> None:  # fmt: skip
    thickness, width, height = PAD_SIZE
    contact = {"contype": 0, "conaffinity": SURROUNDINGS | NEAR_HALF, "group": look.GROUP_COLLISION, "mass": 0.0}
    for name, side in _FINGERS:
        apart = 0.5 * side * (closed_on or 0.0)
        finger = housing.add_body(name=name, pos=[apart, 0.0, TCP], simple=False, gravcomp=1.0)
        finger.explicitinertial = True
        finger.mass = FINGER_MASS
        finger.ipos = [side * 0.012, 0.0, -0.022]
        finger.inertia = [3.0e-5, 3.0e-5, 1.0e-5]  # bar of 20 mm x 20 mm x 65 mm
        if closed_on is None:
            finger.add_joint(
                name=name, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[side, 0.0, 0.0], limited=True,
                range=[0.0, STROKE / 2], armature=SPINDLE_MASS, damping=force / FINGER_SPEED, actgravcomp=True,
            )  # fmt: skip
        finger.add_geom(
            name=f"{name}_pad", type=mujoco.mjtGeom.mjGEOM_BOX, pos=[side * thickness / 2, 0.0, 0.0],
            size=[thickness / 2, width / 2, height / 2], friction=PAD_FRICTION, priority=1, condim=4,
            solref=[0.004, 1.0], solimp=[0.95, 0.99, 0.001, 0.5, 2.0], **contact,
        )  # fmt: skip
        finger.add_geom(
            name=f"{name}_collision", type=mujoco.mjtGeom.mjGEOM_BOX, pos=[side * 0.0125, 0.0, -0.018],
            size=[0.0065, 0.010, 0.030], **contact,
        )  # fmt: skip
        if visual:
            parts = Assembly()
            parts.add("machined_aluminium", box((0.013, 0.020, 0.056), (side * 0.0125, 0.0, -0.016), bevel=0.002))
            parts.add("machined_aluminium", box((0.030, 0.024, 0.014), (side * 0.018, 0.0, -0.043), bevel=0.002))
            parts.add("black_rubber", box(PAD_SIZE, (side * thickness / 2, 0.0, 0.0), bevel=0.001))
            parts.build(spec, finger, name, look.GROUP_PART)


def _add_drive(spec: mujoco.MjSpec, force: float) -> None:
    """One spindle: the fingers mirror each other, the drive sees the width between the pads."""
    couple = spec.add_equality(
        name="gripper_spindle", type=mujoco.mjtEq.mjEQ_JOINT, objtype=mujoco.mjtObj.mjOBJ_JOINT, name1="finger_right",
        name2="finger_left",
    )  # fmt: skip
    couple.data[:2] = [0.0, 1.0]
    couple.solref = [0.004, 1.0]
    width = spec.add_tendon(name="gripper_width")
    for name, _ in _FINGERS:
        width.wrap_joint(name, 1.0)
    actuator = spec.add_actuator(
        name="gripper", target="gripper_width", trntype=mujoco.mjtTrn.mjTRN_TENDON, forcelimited=True,
        forcerange=[-force, force], ctrllimited=True, ctrlrange=[0.0, STROKE],
    )  # fmt: skip
    actuator.biastype = mujoco.mjtBias.mjBIAS_AFFINE
    actuator.gainprm[0] = SERVO_KP
    actuator.biasprm[1] = -SERVO_KP
    spec.add_sensor(
        name="gripper_width", type=mujoco.mjtSensor.mjSENS_TENDONPOS, objtype=mujoco.mjtObj.mjOBJ_TENDON,
        objname="gripper_width",
    )  # fmt: skip


def add_parallel_gripper(
    spec: mujoco.MjSpec,
    site: str = "flange",
    *,
    force: float = 80.0,
    closed_on: float | None = None,
    visual: bool = True,
) -> mujoco.MjsBody:
    """Screw the gripper to `site`.

    Joints `finger_left` and `finger_right` (m from the middle, opening along the flange's x); actuator `gripper`, ctrl
    is the width between the pads in m, its force limit is the grip force; sensor `gripper_width` (m); site `tcp`
    between the pads. Call `mount.grasp_options` for the cell, or what is gripped creeps.

    Args:
        spec: specification that holds an arm; its actuators come before the gripper's.
        site: flange to screw it to.
        force: grip force at each pad, N.
        closed_on: width in m on which the fingers stay closed, for tasks that never let go: then there are neither
            finger joints nor actuator nor sensor.
        visual: also add the drawn shapes.

    Returns:
        The housing's body `gripper`.

    Raises:
        ShopfloorError: force outside the drive's range, or `spec` has no such site.
    """
    if not FORCE_RANGE[0] <= force <= FORCE_RANGE[1]:
        raise ShopfloorError(f"force={force!r} N: the gripper presses with {FORCE_RANGE[0]:g} to {FORCE_RANGE[1]:g} N")
    if closed_on is not None and not 0.0 < closed_on <= STROKE:
        raise ShopfloorError(f"closed_on={closed_on!r} m: the fingers are {STROKE:g} m apart at most")
    housing = screw_on(spec, site, "gripper")
    housing.explicitinertial = True
    housing.mass = HOUSING_MASS
    housing.ipos = [0.0, 0.0, 0.045]
    housing.inertia = [8.0e-4, 9.0e-4, 6.0e-4]  # box of 80 mm x 60 mm x 90 mm
    far_capsule(housing, "gripper_collision", (-0.020, 0.0, 0.045), (0.020, 0.0, 0.045), 0.036)
    add_tcp(housing, TCP)
    if visual:
        parts = Assembly()
        parts.add("dark_steel", cylinder(0.0375, 0.0, 0.010, edge=0.001))
        parts.add("graphite", box((0.082, 0.058, 0.066), (0.0, 0.0, 0.042), bevel=0.008))
        parts.add("machined_aluminium", box((0.122, 0.044, 0.020), (0.0, 0.0, 0.082), bevel=0.003))
        parts.add("black_rubber", box((0.116, 0.016, 0.003), (0.0, 0.0, 0.0925)))
        parts.add("status_green", box((0.020, 0.002, 0.004), (0.0, -0.0295, 0.055)))
        parts.build(spec, housing, "gripper", look.GROUP_PART)
    _add_fingers(spec, housing, force, closed_on, visual)
    if closed_on is None:
        _add_drive(spec, force)
    return housing
