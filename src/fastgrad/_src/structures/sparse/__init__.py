"""Sparse tensors."""

from fastgrad._src.structures.sparse import elementwise, reductions  # noqa: F401  # register sparse implementations of public functions
