"""System identification: from controller-runtime logs to a posterior that randomization can draw from."""
