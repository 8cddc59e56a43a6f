"""The overhead of a call of a compiled step beyond its native code: `python -m benchmarks.call_overhead`.

The step is `tiny_operation`: one argument, ten captured variables, one operation. Beside it stands the bare native call:
a kernel that does the same arithmetic on the same number of arrays, called from the same Python loop. Slices of both alternate,
and the difference is taken within each round.
"""

import itertools
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import fastgrad as tf
from benchmarks.peers.report import spread
from benchmarks.peers.workloads import tiny_operation
from fastgrad._src.jit.build import kernel

ROUNDS, CALLS = 25, 20_000
WARM_CALLS = 100
LIMIT = 1.2  # microseconds


@kernel("values: ins[T], arrays: count, out: out[T], x: in[T]", T=("float32",))
def add_all(values: Any, arrays: int, out: Any, x: Any) -> None:
    """Adds to `x` the numbers whose addresses are in `values`, as native code."""
    total = x[0]
    for i in range(arrays):
        total += values[i][0]
    out[0] = total


def microseconds(call: Callable[[Any], Any], arguments: list[Any]) -> float:
    """Returns the microseconds of one call, averaged over a slice of calls."""
    some = list(itertools.islice(itertools.cycle(arguments), CALLS))
    began = time.perf_counter()
    for argument in some:
        call(argument)
    return (time.perf_counter() - began) / CALLS * 1e6


def main() -> int:
    """Prints the medians; returns 0 if the overhead is within the limit, else 1."""
    inputs = tiny_operation.inputs()
    program, batches = tiny_operation.tensorflow(tf, inputs)
    step = tf.function(program)
    arguments = [argument for (argument,) in batches]
    values = [np.array([value]) for value in inputs["values"]]
    arrays = [np.array([x]) for x in inputs["x"]]
    out = np.empty(1, np.float32)
    native = partial(add_all["float32"], values, out)
    for argument, array in itertools.islice(itertools.cycle(zip(arguments, arrays, strict=True)), WARM_CALLS):
        native(array)
        np.testing.assert_allclose(step(argument), out[0], rtol=1e-6)
    rounds = [(microseconds(step, arguments), microseconds(native, arrays)) for _ in range(ROUNDS)]
    steps, calls = zip(*rounds, strict=True)
    over = [step - call for step, call in rounds]
    for what, times in (("compiled step", steps), ("bare native call", calls), ("difference", over)):
        low, high = spread(list(times))
        print(f"{what:<18} {statistics.median(times):6.2f} us ({low:.2f} to {high:.2f})")
    met = statistics.median(over) <= LIMIT
    print(f"wanted at most {LIMIT:g} us: {'met' if met else 'NOT MET'}")
    return int(not met)


class Call:
    """The time of a call of a nearly empty compiled function, by its arguments, captured variables and results."""

    params = (("one argument", "ten captured variables", "eight arguments", "dict of four", "four results"),)
    param_names = ("call",)
    version = "1"

    def setup(self, call: str) -> None:
        x = tf.constant(1.0)
        variables = [tf.Variable(float(number)) for number in range(10)]
        function, arguments = {
            "one argument": (lambda x: x + 1.0, (x,)),
            "ten captured variables": (lambda x: tf.add_n([x, *variables]), (x,)),
            "eight arguments": (lambda *xs: tf.add_n(xs), (x,) * 8),
            "dict of four": (lambda d: d["a"] + d["b"] + d["c"] + d["d"], (dict.fromkeys("abcd", x),)),
            "four results": (lambda x: (x + 1.0, x + 2.0, x + 3.0, x + 4.0), (x,)),
        }[call]
        self.function, self.arguments = tf.function(function), arguments
        for _ in range(WARM_CALLS):
            self.function(*arguments)

    def time_call(self, call: str) -> None:
        self.function(*self.arguments)


if __name__ == "__main__":
    sys.exit(main())
