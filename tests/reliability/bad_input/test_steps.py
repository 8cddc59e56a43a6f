"""Compiled functions whose indices, labels, sizes and divisors change from call to call: each call does what the eager one does, right or refused.

A line of `steps.txt` is an expression of `i`, the shape of `i`, and numbers that are in range. A call that is refused leaves the variable, and the next call is right.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastgrad as tf

from .fuzz import flat, is_refusal, outcome, same
from .names import OPERANDS, names

LINES = Path(__file__).with_name("steps.txt").read_text(encoding="utf-8").splitlines()
EXTREME = [-(1 << 31), (1 << 31) - 1, -(1 << 30), 1 << 30, -1, 4, 5, 9, 1000]
GROWING = (
    "tf.dynamic_stitch",
    "tf.switch_case",
    "tf.tile",
    "tf.repeat",
    "tf.broadcast_to",
    "tf.pad",
    "tf.range",
    "tf.reshape",
    "tf.linalg.diag_part",
)
"""Where a large number is a large result, which memory may hold."""
WIDE = [-(1 << 63), (1 << 63) - 1, -(1 << 40), 1 << 40, 1 << 32, (1 << 32) + 1, -(1 << 32)]


def gradient_of_gather(v: tf.Variable, i: tf.Tensor) -> tf.Tensor:
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(tf.gather(v, i) ** 2)
    return tf.convert_to_tensor(tape.gradient(y, v))


def trained(table: tf.Variable, optimizer: Any, i: tf.Tensor) -> tf.Tensor:
    """A step of an embedding; all that it may have changed."""
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.nn.embedding_lookup(table, i) ** 2)
    optimizer.apply_gradients([(tape.gradient(loss, table), table)])
    return loss


def scope() -> dict[str, Any]:
    table, optimizer = tf.Variable(np.arange(8, dtype=np.float32).reshape(4, 2)), tf.keras.optimizers.Adam(0.1)
    optimizer.build([table])
    return names(tf) | {
        "gradient_of_gather": gradient_of_gather,
        "trained_embedding": lambda i: trained(table, optimizer, i),
        "state": [table, *optimizer.variables],
    }


def state(found: dict[str, Any]) -> list[np.ndarray]:
    return [np.array(variable) for variable in (found["v"], *found["state"])]


def indices(shape: list[int], low: int, high: int, dtype: Any, count: int, extreme: bool) -> list[np.ndarray]:
    """Arrays in range, and arrays with one number out of it."""
    rng = np.random.default_rng(5)
    odd = [*EXTREME, *(WIDE if dtype == np.int64 else [])] if extreme else [-9, -1, 4, 5, 9]
    arrays = [rng.integers(low, high, shape).astype(dtype) for _ in range(3)]
    while len(arrays) < count:
        array = rng.integers(low, high, shape).astype(dtype)
        array[tuple(rng.integers(0, size) for size in shape)] = (
            odd[int(rng.integers(len(odd)))] if rng.random() < 0.7 else int(rng.integers(low - 3, high + 3))
        )
        arrays.append(array)
        if rng.random() < 0.3:
            arrays.append(rng.integers(low, high, shape).astype(dtype))
    return arrays


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("line", LINES)
def test_each_call_of_a_compiled_function_does_what_the_eager_one_does(line: str, full: bool, figure: Any) -> None:
    text, shape, bounds = line.split(" | ")
    low, high = map(int, bounds.split())
    used = [name for name in OPERANDS if name in text]
    extreme = not text.startswith(GROWING)
    for dtype in (np.int32, np.int64) if full else (np.int32,):
        compiled, eager = scope(), scope()
        source = f"lambda i, {', '.join(used)}: ({text})"
        step, plain = tf.function(eval(source, compiled)), eval(source, eager)
        operands = [compiled[name] for name in used]
        refused = 0
        arrays = indices(eval(shape), low, high, dtype, 120 if full else 9, extreme)
        for array in arrays:
            i = tf.constant(array)
            expected, error = outcome(plain, i, *operands)
            before = state(compiled)
            given, refusal = outcome(step, i, *operands)
            said = f"i = {array.tolist()}: eager {expected!r:.120} {error!r:.200}, compiled {given!r:.120} {refusal!r:.200}"
            assert type(refusal) is type(error), said
            if error is None:
                assert same(flat(expected), flat(given)), said
            else:
                refused += 1
                assert is_refusal(error), said
                assert all(np.array_equal(old, new) for old, new in zip(before, state(compiled), strict=True)), said
            assert all(np.allclose(a, b, equal_nan=True) for a, b in zip(state(compiled), state(eager), strict=True)), (
                said
            )
        figure("compiled calls with changing indices", len(arrays))
        figure("of these refused", refused)
