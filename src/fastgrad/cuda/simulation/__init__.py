"""A GPU simulated on the CPU."""
