"""A compiled MuJoCo model in Drake. Import it where it is needed: few have the engine."""

from __future__ import annotations

from collections.abc import Callable

import mujoco
import numpy as np
from pydrake.common.eigen_geometry import Quaternion
from pydrake.math import RigidTransform, RotationMatrix
from pydrake.multibody.plant import MultibodyPlant
from pydrake.multibody.tree import (
    FixedOffsetFrame,
    Frame,
    Joint,
    PrismaticJoint,
    PrismaticSpring,
    RevoluteJoint,
    RevoluteSpring,
    RigidBody,
    RotationalInertia,
    SpatialInertia,
)
from pydrake.systems.analysis import ApplySimulatorConfig, Simulator, SimulatorConfig
from pydrake.systems.framework import BasicVector, Context, DiagramBuilder, LeafSystem
from referee_cases import FREE, HINGE, Array, require_plain_tree

Law = Callable[[float, Array, Array], Array]  # generalized forces (nv,) from time, positions, velocities


class _Force(LeafSystem):
    """Evaluates a law on the plant's state, both in the order of MuJoCo's joints."""

    def __init__(self, law: Law, order: Array) -> None:
        super().__init__()
        size = len(order)
        port = self.DeclareVectorInputPort("state", BasicVector(2 * size))

        def force(context: Context, output: BasicVector) -> None:
            state = port.Eval(context)
            out = np.empty(size)
            out[order] = law(context.get_time(), state[:size][order], state[size:][order])
            output.SetFromVector(out)

        self.DeclareVectorOutputPort("force", BasicVector(size), force)


def _pose(quat: Array, pos: Array) -> RigidTransform:
    return RigidTransform(RotationMatrix(Quaternion(quat / np.linalg.norm(quat))), pos)


def _inertia(model: mujoco.MjModel, body: int, frame: RigidTransform) -> SpatialInertia:
    """Of a body, about and in the frame of the joint that moves it; `frame` is the body's in the joint's."""
    if model.body_mass[body] == 0.0:
        return SpatialInertia.Zero()
    principal = frame @ _pose(model.body_iquat[body], model.body_ipos[body])
    central = RotationalInertia(*model.body_inertia[body]).ReExpress(principal.rotation())
    return SpatialInertia.MakeFromCentralInertia(model.body_mass[body], principal.translation(), central)


def _add_joint(plant: MultibodyPlant, model: mujoco.MjModel, j: int, parent: Frame, child: RigidBody) -> Joint:
    """With its damper, spring and rotor."""
    kind, spring = (RevoluteJoint, RevoluteSpring) if model.jnt_type[j] == HINGE else (PrismaticJoint, PrismaticSpring)
    dof, at = model.jnt_dofadr[j], model.jnt_qposadr[j]
    damping, stiffness = model.dof_damping[dof], model.jnt_stiffness[j]
    joint = plant.AddJoint(kind(f"joint{j}", parent, child.body_frame(), model.jnt_axis[j], damping=damping))
    plant.AddForceElement(spring(joint, model.qpos_spring[at] - model.qpos0[at], stiffness))
    rotor = plant.AddJointActuator(f"rotor{j}", joint)
    rotor.set_default_rotor_inertia(model.dof_armature[dof])
    rotor.set_default_gear_ratio(1.0)
    return joint


def _build(model: mujoco.MjModel) -> tuple[MultibodyPlant, list[Joint]]:
    """A continuous-time plant and its joints in MuJoCo's order.

    Every MuJoCo body is one rigid body, welded where it has no joint; all joints of a body but the last move a
    massless one. Gravity is off for the bodies whose weight is compensated.
    """
    plant = MultibodyPlant(time_step=0.0)
    require_plain_tree(model)
    if not np.isin(model.body_gravcomp, (0.0, 1.0)).all():
        raise NotImplementedError("Drake compensates gravity for a whole body or not at all")
    instances = [plant.AddModelInstance("heavy"), plant.AddModelInstance("compensated")]
    plant.set_gravity_enabled(instances[1], False)
    plant.mutable_gravity_field().set_gravity_vector(model.opt.gravity)
    carrier, pose, joints = [plant.world_body()], [RigidTransform()], []
    for b in range(1, model.nbody):
        instance = instances[int(model.body_gravcomp[b])]
        parent, frame = carrier[model.body_parentid[b]], pose[model.body_parentid[b]]
        frame = frame @ _pose(model.body_quat[b], model.body_pos[b])
        first, count = model.body_jntadr[b], model.body_jntnum[b]
        for j in range(first, first + count):
            if model.jnt_type[j] == FREE:
                raise NotImplementedError(f"joint {j} is free: compare the motion of the robot alone")
            anchor = RigidTransform(model.jnt_pos[j])
            where = plant.AddFrame(FixedOffsetFrame(f"mount{j}", parent.body_frame(), frame @ anchor))
            frame = anchor.inverse()
            inertia = _inertia(model, b, frame) if j == first + count - 1 else SpatialInertia.Zero()
            parent = plant.AddRigidBody(f"body{b} joint{j}", instance, inertia)
            joints.append(_add_joint(plant, model, j, where, parent))
        if not count:
            body = plant.AddRigidBody(f"body{b}", instance, _inertia(model, b, RigidTransform()))
            plant.WeldFrames(parent.body_frame(), body.body_frame(), frame)
            parent, frame = body, RigidTransform()
        carrier.append(parent)
        pose.append(frame)
    plant.Finalize()
    return plant, joints


def motion(model: mujoco.MjModel, law: Law, qpos: Array, qvel: Array, steps: int) -> Array:
    """Positions (steps + 1, nv) in Drake under the generalized forces of `law`, from a state.

    Integrated by Drake's semi-explicit Euler with the timestep of `model`: velocities first, from the forces at the
    start of the step, then positions with the new velocities.
    """
    plant, joints = _build(model)
    order = np.array([joint.velocity_start() for joint in joints])
    assert order.tolist() == [joint.position_start() for joint in joints]
    builder = DiagramBuilder()
    builder.AddSystem(plant)
    # a joint is at its drawn pose at zero in Drake, at qpos0 in MuJoCo
    force = builder.AddSystem(_Force(lambda t, q, v: law(t, q + model.qpos0, v), order))
    builder.Connect(plant.get_state_output_port(), force.GetInputPort("state"))
    builder.Connect(force.GetOutputPort("force"), plant.get_applied_generalized_force_input_port())
    simulator = Simulator(builder.Build())
    dt = float(model.opt.timestep)
    # the limit is beyond the timestep, so that rounding never divides a step in two
    scheme = SimulatorConfig(integration_scheme="semi_explicit_euler", max_step_size=2 * dt, use_error_control=False)
    ApplySimulatorConfig(scheme, simulator)
    context = plant.GetMyMutableContextFromRoot(simulator.get_mutable_context())
    start = np.empty((2, model.nv))
    start[:, order] = qpos - model.qpos0, qvel
    plant.SetPositionsAndVelocities(context, start.ravel())
    simulator.Initialize()
    out = [qpos.copy()]
    for k in range(steps):
        simulator.AdvanceTo((k + 1) * dt)
        out.append(plant.GetPositions(context)[order] + model.qpos0)
    assert simulator.get_integrator().get_num_steps_taken() == steps, "a step was divided"
    return np.array(out)
