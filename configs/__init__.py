"""YAML files that a user edits."""
