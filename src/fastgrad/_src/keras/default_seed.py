"""Default seeds, for objects made without a seed."""

from __future__ import annotations

import random


def make_default_seed() -> int:
    """Returns a seed for an initializer or a generator of seeds that got none, from Python's ``random`` as in Keras."""
    return random.randint(1, int(1e9))  # noqa: S311  # it keeps no secret
