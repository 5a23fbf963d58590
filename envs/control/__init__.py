"""Action interfaces: from a policy's set-points to actuator commands."""

from .admittance import Admittance
from .impedance import VariableImpedance
from .interface import ActionInterface, ActionTerm
from .joint import JointPosition, JointTorque, JointVelocity
from .operational_space import OperationalSpace
from .operational_space_reference import TcpLimits
from .tcp import TcpTwist

__all__ = [
    "ActionInterface",
    "ActionTerm",
    "Admittance",
    "JointPosition",
    "JointTorque",
    "JointVelocity",
    "OperationalSpace",
    "TcpLimits",
    "TcpTwist",
    "VariableImpedance",
]
