"""Gymnasium environments of the factory floor."""
