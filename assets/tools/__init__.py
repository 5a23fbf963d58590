"""Tools for the flange of any arm: sensor, grippers, probe and compliant spindle; each is screwed to a site."""
