"""Pages and pictures of the environments, written from their declarations."""
