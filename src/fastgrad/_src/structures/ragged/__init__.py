"""Ragged tensors."""

from fastgrad._src.structures.ragged import overrides  # noqa: F401  # registers ragged implementations of public functions
