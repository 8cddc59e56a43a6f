"""Single eager operations, from small sizes, where the call dominates, to large ones, where the kernel does."""

from collections.abc import Callable
from typing import Any

from benchmarks import data

Case = Callable[[Any, int], Callable[[], Any]]


def _unary(name: str) -> Case:
    def case(tf: Any, size: int) -> Callable[[], Any]:
        function, x = getattr(tf, name), tf.constant(data.uniform(size))
        return lambda: function(x)

    return case


def _nn(name: str, **options: Any) -> Case:
    def case(tf: Any, size: int) -> Callable[[], Any]:
        function, x = getattr(tf.nn, name), tf.constant(data.uniform(max(1, size // 64), min(size, 64)))
        return lambda: function(x, **options)

    return case


def _add(tf: Any, size: int) -> Callable[[], Any]:
    x, y = tf.constant(data.uniform(size)), tf.constant(data.uniform(size, seed=1))
    return lambda: x + y


def _bias_add(tf: Any, size: int) -> Callable[[], Any]:
    x, bias = tf.constant(data.uniform(max(1, size // 64), min(size, 64))), tf.constant(data.uniform(min(size, 64)))
    return lambda: x + bias


def _matmul(tf: Any, size: int) -> Callable[[], Any]:
    side = round(size**0.5)
    x, y = tf.constant(data.uniform(side, side)), tf.constant(data.uniform(side, side, seed=1))
    return lambda: tf.matmul(x, y)


def _transpose(tf: Any, size: int) -> Callable[[], Any]:
    side = round(size**0.5)
    x = tf.constant(data.uniform(side, side))
    return lambda: tf.transpose(x)


def _slice(tf: Any, size: int) -> Callable[[], Any]:
    x = tf.constant(data.uniform(size))
    return lambda: x[1:-1]


def _concat(tf: Any, size: int) -> Callable[[], Any]:
    x = tf.constant(data.uniform(size))
    return lambda: tf.concat([x, x], 0)


def _gather(tf: Any, size: int) -> Callable[[], Any]:
    x, ids = tf.constant(data.uniform(size, 8)), tf.constant(data.permutation(size))
    return lambda: tf.gather(x, ids)


def _cross_entropy(tf: Any, size: int) -> Callable[[], Any]:
    rows = max(1, size // 64)
    logits, labels = tf.constant(data.uniform(rows, 64)), tf.constant(data.permutation(rows) % 64)
    return lambda: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)


CASES: dict[str, Case] = {
    "add": _add,
    "bias_add": _bias_add,
    "exp": _unary("exp"),
    "tanh": _unary("tanh"),
    "square": _unary("square"),
    "reduce_sum": _unary("reduce_sum"),
    "reduce_mean": _unary("reduce_mean"),
    "argmax": _unary("argmax"),
    "matmul": _matmul,
    "transpose": _transpose,
    "slice": _slice,
    "concat": _concat,
    "gather": _gather,
    "relu": _nn("relu"),
    "gelu": _nn("gelu"),
    "softmax": _nn("softmax"),
    "cross_entropy": _cross_entropy,
}


class Operation:
    """The time of a call of an eager operation on about `size` elements."""

    params = (tuple(CASES), (16, 4_096, 1_048_576))
    param_names = ("operation", "size")
    version = "1"

    def setup(self, operation: str, size: int) -> None:
        import fastgrad as tf

        self.call = CASES[operation](tf, size)
        self.call()

    def time_call(self, operation: str, size: int) -> None:
        self.call()
