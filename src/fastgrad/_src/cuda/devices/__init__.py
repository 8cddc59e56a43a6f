"""GPUs and their memory: the GPUs of NVIDIA's driver."""
