"""The HTML report of a run: one file that needs no network, readable without knowing how the policy was made."""
