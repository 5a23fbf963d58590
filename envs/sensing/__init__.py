"""Observation channels: what a sensor of the cell reports, with its unit, rate, noise and latency."""

from .camera import RGBD, STATE, Camera, Rgbd
from .channel import POLICY, PRIVILEGED, Channel
from .sensors import SensorSuite

__all__ = ["POLICY", "PRIVILEGED", "RGBD", "STATE", "Camera", "Channel", "Rgbd", "SensorSuite"]
