"""A GPU in slow motion, on the CPU."""
