"""The generators of layers that take a seed."""

from __future__ import annotations

from typing import Any

from fastgrad.ops.random_generator import Generator


def generator_of_seed(seed: Any) -> Generator | None:
    """Returns a generator that starts from ``seed``; None, for the default generators, without a seed.

    Raises:
        ValueError: ``seed`` is no integer.
    """
    if seed is None:
        return None
    if not hasattr(seed, "__index__"):
        raise ValueError(f"Argument `seed` must be an integer or None. Received: seed={seed!r}")
    return Generator.from_seed(seed)
