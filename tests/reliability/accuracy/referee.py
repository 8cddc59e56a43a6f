"""TensorFlow's results for the numbers of the suite, in a process of its own: `python -m tests.reliability.accuracy.referee IN.npz OUT.npz`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from tests.conformance.record import run_tensorflow
from tests.reliability.accuracy.functions import COMPLEX, ROWS, Row

SETTINGS = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow"}


def operation_of(table: str, name: str) -> Row:
    """A row of one of the tables."""
    return {"complex": COMPLEX}.get(table, ROWS)[name]


def results(python: Path, arguments: dict[str, tuple[np.ndarray, ...]]) -> dict[str, np.ndarray]:
    """TensorFlow's results: `arguments` has for each key, `table/name/dtype/part`, the arrays of a call."""
    with tempfile.TemporaryDirectory() as folder:
        questions, answers = Path(folder, "in.npz"), Path(folder, "out.npz")
        np.savez(questions, **{f"{key}/{i}": x for key, xs in arguments.items() for i, x in enumerate(xs)})
        run_tensorflow(python, "tests.reliability.accuracy.referee", questions, answers, settings=SETTINGS)
        with np.load(answers) as file:
            return dict(file)


def main(questions: str, answers: str) -> None:
    """Reads arguments and writes results; NumPy has no bfloat16, which travels as float32."""
    import tensorflow as tf

    calls: dict[str, dict[int, np.ndarray]] = {}
    with np.load(questions) as file:
        for key, x in file.items():
            call, _, number = key.rpartition("/")
            calls.setdefault(call, {})[int(number)] = x
    found = {}
    for key, xs in calls.items():
        table, name, dtype, _ = key.split("/")
        try:
            y = operation_of(table, name).call(tf, *[tf.cast(xs[i], dtype) for i in range(len(xs))])
        except (tf.errors.InvalidArgumentError, tf.errors.NotFoundError, tf.errors.UnimplementedError, TypeError):
            continue  # not for this dtype
        found[key] = tf.cast(y, tf.float32).numpy() if dtype in ("float16", "bfloat16") else y.numpy()
    np.savez(answers, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
