"""Kernels that go element by element."""
