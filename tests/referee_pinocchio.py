"""A compiled MuJoCo model in Pinocchio. Import it where it is needed: few have the engine."""

from __future__ import annotations

import mujoco
import numpy as np
import pinocchio as pin
from referee_cases import (
    FREE,
    HINGE,
    Array,
    States,
    free_dofs,
    require_plain_tree,
    scalar_joints,
    spring_and_damper_forces,
)


def _rotation(quat: Array) -> Array:
    """(3, 3) rotation of a unit quaternion (w, x, y, z)."""
    w, x, y, z = quat
    return pin.Quaternion(w, x, y, z).toRotationMatrix()


def _inertia(model: mujoco.MjModel, body: int, share: float) -> pin.Inertia:
    turn = _rotation(model.body_iquat[body])
    tensor = turn @ np.diag(model.body_inertia[body]) @ turn.T
    return pin.Inertia(float(share * model.body_mass[body]), model.body_ipos[body], share * tensor)


def _build(model: mujoco.MjModel, shares: Array) -> pin.Model:
    """The tree; body b counts with `shares[b]` of its mass and inertia.

    Bodies are numbered depth first in both engines, so that positions and velocities are in the same order.
    """
    out = pin.Model()
    out.gravity.linear = model.opt.gravity
    carrier = [0] * model.nbody  # the joint that carries a body
    pose = [pin.SE3.Identity() for _ in range(model.nbody)]  # the body's frame in the frame of that joint
    for b in range(1, model.nbody):
        parent = model.body_parentid[b]
        joint, frame = carrier[parent], pose[parent] * pin.SE3(_rotation(model.body_quat[b]), model.body_pos[b])
        for j in range(model.body_jntadr[b], model.body_jntadr[b] + model.body_jntnum[b]):
            if model.jnt_type[j] == FREE:
                joint, frame = (
                    out.addJoint(0, pin.JointModelFreeFlyer(), pin.SE3.Identity(), f"{j}"),
                    pin.SE3.Identity(),
                )
                continue
            kind = pin.JointModelRevoluteUnaligned if model.jnt_type[j] == HINGE else pin.JointModelPrismaticUnaligned
            anchor = pin.SE3(np.eye(3), model.jnt_pos[j])
            joint = out.addJoint(joint, kind(model.jnt_axis[j]), frame * anchor, f"{j}")
            frame = anchor.inverse()
        carrier[b], pose[b] = joint, frame
        if joint:
            out.appendBodyToJoint(joint, _inertia(model, b, shares[b]), frame)
    assert (out.nq, out.nv) == (model.nq, model.nv)
    out.armature = model.dof_armature
    return out


class PinocchioReferee:
    """Forward dynamics of a MuJoCo model without constraints, computed by Pinocchio's articulated-body algorithm."""

    def __init__(self, model: mujoco.MjModel) -> None:
        require_plain_tree(model)
        self.model = model
        self.tree = _build(model, np.ones(model.nbody))
        self.compensated = _build(model, model.body_gravcomp)
        self._data, self._compensated_data = self.tree.createData(), self.compensated.createData()

    def accelerations(self, states: States) -> Array:
        """(n, nv) accelerations in MuJoCo's coordinates."""
        rows = zip(states.qpos, states.qvel, states.qfrc, strict=True)
        return np.stack([self._acceleration(*row) for row in rows])

    def _acceleration(self, qpos: Array, qvel: Array, qfrc: Array) -> Array:
        """Free bodies: MuJoCo has the linear velocity in world axes, Pinocchio all in the body's, and x, y, z, w."""
        q, v = self._positions(qpos), qvel.copy()
        force = qfrc + spring_and_damper_forces(self.model, qpos, qvel)
        turns = {at: self._orientation(qpos, at) for at in free_dofs(self.model)}
        for at, turn in turns.items():
            v[at : at + 3] = turn.T @ v[at : at + 3]
            force[at : at + 3] = turn.T @ force[at : at + 3]
        force += self._gravity_compensation(q)  # in Pinocchio's axes already
        qacc = pin.aba(self.tree, self._data, q, v, force).copy()
        for at, turn in turns.items():
            # derivative of a vector that is given in turning axes
            qacc[at : at + 3] = turn @ (qacc[at : at + 3] + np.cross(v[at + 3 : at + 6], v[at : at + 3]))
        return qacc

    def _positions(self, qpos: Array) -> Array:
        """A hinge or slide of MuJoCo is at its drawn pose at `qpos0`, one of Pinocchio at zero."""
        q = qpos.copy()
        scalars = self.model.jnt_qposadr[scalar_joints(self.model)]
        q[scalars] -= self.model.qpos0[scalars]
        for at in self.model.jnt_qposadr[self.model.jnt_type == FREE]:
            q[at + 3 : at + 7] = np.roll(qpos[at + 3 : at + 7], -1)
        return q

    def _orientation(self, qpos: Array, dof: int) -> Array:
        at = self.model.jnt_qposadr[self.model.dof_jntid[dof]]
        return _rotation(qpos[at + 3 : at + 7])

    def _gravity_compensation(self, q: Array) -> Array:
        """What holds the compensated share of the masses; a joint's actuator, where it does that, within its limit."""
        force = pin.computeGeneralizedGravity(self.compensated, self._compensated_data, q).copy()
        m = self.model
        for j in scalar_joints(m):
            if m.jnt_actgravcomp[j] and m.jnt_actfrclimited[j]:
                at = m.jnt_dofadr[j]
                force[at] = np.clip(force[at], *m.jnt_actfrcrange[j])
        return force
