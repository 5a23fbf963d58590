"""Arc welding: process physics, inspection, cells and tasks."""
