"""Kernels for NVIDIA GPUs: the same bodies as a CPU's, in parallel threads."""

from fastgrad._src.core.hooks import Hook, register

register(Hook.GPUS, f"{__name__}.devices.available")
