"""GPUs and their memory: those that NVIDIA's driver has, and the simulated one."""
