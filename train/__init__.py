"""Training: from a config to a run directory with a policy in it. Needs the extra `train`."""
