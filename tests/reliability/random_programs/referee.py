"""TensorFlow, in a process of its own, which runs programs as they come: `python -m tests.reliability.random_programs.referee`."""

from __future__ import annotations

import math
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.reliability.random_programs import runs

ROOT = Path(__file__).parents[3]
SETTINGS = {
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    "KERAS_BACKEND": "tensorflow",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


class Referee:
    """A process with TensorFlow.

    Args:
        python: one that has it.
    """

    def __init__(self, python: str) -> None:
        self._process = subprocess.Popen(
            [python, "-m", "tests.reliability.random_programs.referee"],
            cwd=ROOT, env=os.environ | SETTINGS, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def start(self, source: str, form: str) -> None:
        """Gives it a program; `outcomes` waits for what comes of it."""
        assert self._process.stdin is not None
        pickle.dump((source, form), self._process.stdin)
        self._process.stdin.flush()

    def outcomes(self) -> list[runs.Outcome] | str:
        """What TensorFlow gives, or the text of an error outside of calls."""
        assert self._process.stdout is not None
        kind, content = pickle.load(self._process.stdout)
        if kind == "text":
            return str(content)
        return [
            runs.Outcome(
                [None if x is None else runs.Array(*x) for x in values], [runs.Array(*x) for x in state], error, text
            )
            for values, state, error, text in content
        ]

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()


def _without_graphs(tf: Any) -> None:
    """Functions of rows are run, row by row: neither graphs nor another Python are made of them."""
    as_it_is = tf.autograph.experimental.do_not_convert
    map_fn, scan = tf.map_fn, tf.scan
    tf.map_fn = tf.vectorized_map = lambda f, rows: map_fn(as_it_is(f), rows)
    tf.scan = lambda f, *args, **options: scan(as_it_is(f), *args, **options)
    tf.get_logger().setLevel("ERROR")


def _exact(tf: Any) -> None:
    """Functions of TensorFlow with all digits.

    It rounds constants of two functions to float32 for float64, as Keras rounds all Python numbers. Its `elu` is `exp(x) - 1`: near 0 it has few digits,
    and a second derivative of 0 where it is 0. Its `relu` multiplies an infinite or NaN gradient by 0 where it is flat. Keras squares the rows of `IndexedSlices` before it adds repeated ones, fastgrad afterwards; TensorFlow
    gives `IndexedSlices` to gradients of the user's own: the gradients of both are dense here. Some of its second derivatives, such as that of `tanh`,
    compute with the `IndexedSlices` of a gather's gradient, which have no operators: they are made dense.
    """
    for operator in ("__add__", "__radd__", "__sub__", "__rsub__", "__mul__", "__rmul__", "__truediv__"):
        dense_method = getattr(tf.Tensor, operator)
        setattr(tf.IndexedSlices, operator, lambda g, x, method=dense_method: method(tf.convert_to_tensor(g), x))
    gelu, leaky_relu = tf.nn.gelu, tf.nn.leaky_relu

    def exact_gelu(x: Any, approximate: bool = False) -> Any:
        if x.dtype != tf.float64:
            return gelu(x, approximate)
        if approximate:
            return 0.5 * x * (1.0 + tf.tanh((2.0 / math.pi) ** 0.5 * (x + 0.044715 * x * x * x)))
        return 0.5 * x * (1.0 + tf.math.erf(x / 2.0**0.5))

    def exact_leaky_relu(x: Any, alpha: float = 0.2) -> Any:
        return tf.where(x > 0.0, x, alpha * x) if x.dtype == tf.float64 else leaky_relu(x, alpha)

    def exact_elu(x: Any) -> Any:
        return tf.where(x < 0.0, tf.math.expm1(x), x)

    def exact_relu(x: Any) -> Any:
        return tf.where(x <= 0.0, tf.zeros_like(x), x)

    tf.nn.gelu, tf.nn.leaky_relu, tf.nn.elu, tf.nn.relu = exact_gelu, exact_leaky_relu, exact_elu, exact_relu
    own_gradient = tf.custom_gradient

    def custom_gradient(function: Any) -> Any:
        def dense(*inputs: Any) -> Any:
            y, slope = function(*inputs)
            return y, lambda *cotangents: slope(*[tf.convert_to_tensor(g) for g in cotangents])

        return own_gradient(dense)

    tf.custom_gradient = custom_gradient
    optimizer = tf.keras.optimizers.Optimizer
    apply_gradients = optimizer.apply_gradients
    optimizer.apply_gradients = lambda self, pairs, **options: apply_gradients(
        self, [(tf.convert_to_tensor(g), v) for g, v in pairs], **options
    )
    from keras.src.backend.tensorflow import core

    cast = core.cast
    core.cast = lambda x, dtype: tf.constant(x, dtype) if type(x) is float else cast(x, dtype)


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints
    import tensorflow as tf

    _without_graphs(tf)
    _exact(tf)
    names = {"PARALLEL": False}
    while True:
        try:
            source, form = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            outcomes = runs.run(source, tf, **names) if form == "step" else runs.rows(source, tf, **names)
            plain = [
                ([None if x is None else tuple(x) for x in o.values], [tuple(x) for x in o.state], o.error, o.text)
                for o in outcomes
            ]
            answer: Any = "outcomes", plain
        except Exception as error:  # noqa: BLE001 - is the other side's to judge
            answer = "text", f"{type(error).__name__}: {error}"
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    main()
