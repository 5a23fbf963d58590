"""The one implementation of stepping, resetting and rendering."""
