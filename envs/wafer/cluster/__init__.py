"""Cluster tools: one robot, process modules and load locks, simulated event by event and held against bounds."""
