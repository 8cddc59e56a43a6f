"""Kernels that move elements: layouts, slices, gathers, scatters, sorting."""
