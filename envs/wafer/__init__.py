"""Wafer handlers: transfer, slots, alignment."""
