"""``set_random_seed``."""

from __future__ import annotations

import random

import numpy as np

import fastgrad as tf


def set_random_seed(seed: int) -> None:
    """Seeds Python's ``random``, NumPy's and ``tf.random``'s generator.

    Raises:
        ValueError: ``seed`` is no integer.
    """
    if not isinstance(seed, int):
        raise ValueError(f"Expected `seed` argument to be an integer. Received: seed={seed} (of type {type(seed)})")
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # the generator that programs draw from without naming one
    tf.random.set_seed(seed)
