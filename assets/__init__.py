"""Robots, cells and parts as MuJoCo models with generated geometry (needs mujoco and numpy only)."""
