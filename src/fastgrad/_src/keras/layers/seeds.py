"""The generators of layers that take a seed."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.random import _seed_of_draw
from fastgrad._src.ops import random_draws as draws
from fastgrad._src.ops.random_generator import Generator
from fastgrad._src.ops.random_stateless import fold_in


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


class SeededDraws:
    """Draws that follow from a seed, each with numbers of its own.

    Args:
        seed: an integer, which gives the same numbers again, or a ``keras.random.SeedGenerator``.

    Raises:
        ValueError: ``seed`` is something else.
    """

    def __init__(self, seed: Any) -> None:
        self._seed, self._count = _seed_of_draw(seed), 0

    def _draw_words(self, shape: tuple[int, ...]) -> Tensor:
        self._count += 1
        return draws.philox_words(fold_in(self._seed, self._count))
