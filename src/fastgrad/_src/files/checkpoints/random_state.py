"""``tf.train.RandomState``: saves the state of the default random generators in checkpoints."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping

import numpy as np

from fastgrad._src.core.damaged_file import parser_errors_as_one
from fastgrad._src.files.formats.json_text import parse_json
from fastgrad._src.ops import namespace as ops


class RandomState:
    """The default random state of the process: ``tf.random``, NumPy's global generator and Python's ``random``.

    ``tf.train.Checkpoint(..., random=tf.train.RandomState())`` saves and restores it.
    """

    saves_state = True

    def state(self) -> dict[str, np.ndarray]:
        """Returns the state of each generator, as JSON bytes."""
        generator_name, key, *position_and_gauss = np.random.get_state()  # noqa: NPY002 - the generator that programs draw from without naming one
        generator_states = {
            "tf": ops.default_random_state(),
            "numpy": [generator_name, np.asarray(key).tolist(), *position_and_gauss],
            "python": random.getstate(),
        }
        return {
            name: np.frombuffer(json.dumps(generator_state).encode(), np.uint8)
            for name, generator_state in generator_states.items()
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Sets the generators to ``state``, a result of the method ``state``.

        Raises:
            ValueError: ``state`` is invalid; nothing is changed.
        """
        with parser_errors_as_one("RandomState.restore", "state of the random generators"):
            generator_states = {name: parse_json(state[name].tobytes()) for name in ("tf", "numpy", "python")}
            generator_name, key, *position_and_gauss = generator_states["numpy"]
            position, has_gauss, gauss_of_numpy = position_and_gauss
            version, internal_state, gauss = generator_states["python"]
            if not 0 <= position <= len(key) or has_gauss not in (0, 1) or not isinstance(gauss_of_numpy, float):
                # NumPy does not check this.
                raise ValueError(f"NumPy's generator goes on from {position_and_gauss!r:.100}")
            if not isinstance(gauss, float | None):
                raise TypeError(f"Python's generator goes on from {gauss!r:.100}")
            python_state = (version, tuple(internal_state), gauss)
            numpy_state = (generator_name, np.array(key, np.uint32), *position_and_gauss)
            random.Random().setstate(python_state)  # noqa: S311
            np.random.RandomState().set_state(numpy_state)
            ops.check_default_random_state(generator_states["tf"])
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
        ops.restore_default_random_state(generator_states["tf"])

    def __repr__(self) -> str:
        return "<tf.train.RandomState>"
