"""Bodies for GPUs, whose threads work together."""
