"""Work pieces."""
