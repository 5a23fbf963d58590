"""Sensors of a welding cell: laser line, arc signals, trailing bead profile."""
