"""``tf.train.RandomState``: saves the state of the default random generators in checkpoints."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping

import numpy as np

from fastgrad.ops.random_state import (
    check_default_random_state,
    default_random_state,
    restore_default_random_state,
)
from fastgrad.storage.damaged_file import parsing
from fastgrad.storage.json_text import parse_json


class RandomState:
    """The default random state of the process: ``tf.random``, NumPy's global generator and Python's ``random``.

    ``tf.train.Checkpoint(..., random=tf.train.RandomState())`` saves and restores it.
    """

    saves_state = True

    def state(self) -> dict[str, np.ndarray]:
        """Returns the state of each generator, as JSON bytes."""
        kind, words, *rest = np.random.get_state()  # noqa: NPY002 - the generator that programs draw from without naming one
        parts = {
            "tf": default_random_state(),
            "numpy": [kind, np.asarray(words).tolist(), *rest],
            "python": random.getstate(),
        }
        return {name: np.frombuffer(json.dumps(part).encode(), np.uint8) for name, part in parts.items()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Sets the generators to ``state``, a result of the method ``state``.

        Raises:
            ValueError: ``state`` is invalid; nothing is changed.
        """
        with parsing("RandomState.restore", "state of the random generators"):
            parts = {name: parse_json(state[name].tobytes()) for name in ("tf", "numpy", "python")}
            kind, words, *rest = parts["numpy"]
            position, has_gauss, gauss_of_numpy = rest
            version, numbers, gauss = parts["python"]
            if not 0 <= position <= len(words) or has_gauss not in (0, 1) or not isinstance(gauss_of_numpy, float):
                raise ValueError(f"NumPy's generator goes on from {rest!r:.100}")  # NumPy does not check this
            if not isinstance(gauss, float | None):
                raise TypeError(f"Python's generator goes on from {gauss!r:.100}")
            of_python, of_numpy = (version, tuple(numbers), gauss), (kind, np.array(words, np.uint32), *rest)
            random.Random().setstate(of_python)  # noqa: S311
            np.random.RandomState().set_state(of_numpy)
            check_default_random_state(parts["tf"])
        random.setstate(of_python)
        np.random.set_state(of_numpy)  # noqa: NPY002
        restore_default_random_state(parts["tf"])

    def __repr__(self) -> str:
        return "<tf.train.RandomState>"
