"""Compiled functions whose indices, labels, sizes and divisors change from call to call: `python -m tests.reliability.bad_input.changing_indices REPORT EACH COUNT`.

Each call does what the eager one does, right or refused. The process is for `FASTGRAD_CHECK_BOUNDS=1`, where kernels look at each access.

A line of `steps.txt` is an expression of `i`, the shape of `i`, and numbers that are in range. A call that is refused leaves the variable, and the next call is right.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import fastgrad as tf
from fastgrad._src.jit.bounds import checks_bounds

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
    "tf.math.segment_",
    "tf.ragged.row_splits_to_segment_ids",
    "tf.ragged.segment_ids_to_row_splits",
)
"""Where a large number is a large result, which memory may hold."""
SLOW = ("losses.CTC",)
"""Lines that are not run with checked memory: LLVM optimises the checked form of their fused kernel for minutes."""
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


def check_line(line: str, dtypes: Sequence[Any], count: int) -> tuple[int, int]:
    """Calls a compiled function of a line with changing indices, and checks each call against the eager one.

    Returns:
        How many calls there were, and how many of them were refused.

    Raises:
        AssertionError: a result or an error differs, or a refused call has changed a variable.
    """
    text, shape, bounds = line.split(" | ")
    low, high = map(int, bounds.split())
    used = [name for name in OPERANDS if name in text]
    extreme = not text.startswith(GROWING)
    calls = refused = 0
    for dtype in dtypes:
        compiled, eager = scope(), scope()
        source = f"lambda i, {', '.join(used)}: ({text})"
        step, plain = tf.function(eval(source, compiled)), eval(source, eager)
        operands = [compiled[name] for name in used]
        for array in indices(eval(shape), low, high, dtype, count, extreme):
            calls += 1
            i = tf.constant(array)
            expected, error = outcome(plain, i, *operands)
            before = state(compiled)
            result, refusal = outcome(step, i, *operands)
            said = f"i = {array.tolist()}: eager {expected!r:.120} {error!r:.200}, compiled {result!r:.120} {refusal!r:.200}"
            assert type(refusal) is type(error), said
            if error is None:
                assert same(flat(expected), flat(result)), said
            else:
                refused += 1
                assert is_refusal(error), said
                assert all(np.array_equal(old, new) for old, new in zip(before, state(compiled), strict=True)), said
                for variable, old in zip((eager["v"], *eager["state"]), before, strict=True):
                    variable.assign(old)  # what came before the error has happened
            assert all(np.allclose(a, b, equal_nan=True) for a, b in zip(state(compiled), state(eager), strict=True)), (
                said
            )
    return calls, refused


def main() -> None:
    """Checks each k-th line, and writes to REPORT how many calls there were and what is wrong."""
    report, each, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    assert checks_bounds()
    warnings.simplefilter("ignore")
    calls, wrong = 0, []
    for line in [line for line in LINES[::each] if not line.startswith(SLOW)]:
        try:
            calls += check_line(line, (np.int32,), count)[0]
        except AssertionError as error:
            wrong.append(f"{line}: {error}")
    report.write_text(json.dumps([calls, wrong]), encoding="utf-8")


if __name__ == "__main__":
    main()
