"""Bodies of GPU kernels whose threads work together."""
