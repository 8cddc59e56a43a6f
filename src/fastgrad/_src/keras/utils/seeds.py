"""``set_random_seed``."""

from __future__ import annotations

import random

import numpy as np

from fastgrad._src.keras.random import _reset_global_generator
from fastgrad._src.ops.default_generators import set_seed, use_python_random


def set_random_seed(seed: int) -> None:
    """Seeds the generators of Python's ``random``, NumPy, ``tf.random`` and ``keras.random``.

    Raises:
        ValueError: ``seed`` is not an integer.
    """
    if not isinstance(seed, int):
        raise ValueError(f"Expected `seed` argument to be an integer. Received: seed={seed} (of type {type(seed)})")
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # programs use the global generator
    set_seed(seed)
    use_python_random()
    _reset_global_generator()
