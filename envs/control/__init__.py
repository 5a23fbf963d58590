"""Action interfaces: from a policy's set-points to actuator commands."""

from .interface import ActionInterface, ActionTerm
from .joint import JointPosition, JointTorque, JointVelocity
from .tcp import TcpTwist

__all__ = ["ActionInterface", "ActionTerm", "JointPosition", "JointTorque", "JointVelocity", "TcpTwist"]
