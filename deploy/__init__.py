"""From a policy bundle to commands: bundle, controller runtime, control layers, twin."""
