"""Complete cells: a robot in its surroundings, with lights and cameras."""
