"""Robot arms: reaching, handling, assembly and finishing."""
