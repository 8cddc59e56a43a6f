"""Tapes themselves: structures, unconnected sources, persistence, nesting, Jacobians, slices of variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..case import Case, normal

CASES: dict[str, Case] = {}


def program(function: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a case of a function of `tf` and two inputs, whose results are derivatives."""
    name = function.__name__.replace("_", " ")
    CASES[name] = Case(function, (normal(2, 3), normal(3, seed=1)), order=0, smooth=False)
    return function


def none(values: Any) -> list[Any]:
    """Which of the values are None."""
    return [value is None for value in values]


@program
def unconnected_sources_are_zeros_of_their_dtype(tf: Any, x: Any, y: Any) -> Any:
    sources = [tf.cast(x, dtype) for dtype in ("float16", "bfloat16", "float32", "float64", "complex64")]
    with tf.GradientTape() as tape:
        tape.watch([x, *sources])
        result = x * 2.0
    return tape.gradient(result, [x, *sources], unconnected_gradients="zero")


@program
def unconnected_variables_are_zeros(tf: Any, x: Any, y: Any) -> Any:
    v = tf.Variable(y)
    with tf.GradientTape() as tape:
        result = tf.reduce_sum(x)
    return tape.gradient(result, [v], unconnected_gradients=tf.UnconnectedGradients.ZERO)


@program
def targets_that_are_constants(tf: Any, x: Any, y: Any) -> Any:
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        result = y * 2.0
    return [
        tape.gradient(result, x) is None,
        tape.gradient(result, x, unconnected_gradients="zero"),
        tape.gradient(x, x),
        tape.gradient([x, x * 1.0], x),
    ]


@program
def persistent_tapes_answer_many_times(tf: Any, x: Any, y: Any) -> Any:
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, y])
        a = x * y
        b = tf.reduce_sum(a * a)
    return [
        tape.gradient(a, x),
        tape.gradient(b, [x, y]),
        tape.gradient(b, a),
        tape.gradient([a, b], y),
        tape.gradient(b, x),
    ]


@program
def orders_up_to_five(tf: Any, x: Any, y: Any) -> Any:
    def derivative(function: Callable[..., Any]) -> Callable[..., Any]:
        def of(z: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(z)
                result = function(z)
            return tape.gradient(result, z)

        return of

    functions = [lambda z: tf.sin(z) * z**3, lambda z: tf.exp(z * z), lambda z: tf.math.log(z * z + 1.0), tf.tanh]
    results = []
    for function in functions:
        for _ in range(5):
            function = derivative(function)
            results.append(function(y))
    return results


@program
def mixed_second_derivatives(tf: Any, x: Any, y: Any) -> Any:
    with tf.GradientTape(persistent=True) as outer:
        outer.watch([x, y])
        with tf.GradientTape() as inner:
            inner.watch([x, y])
            result = tf.sin(x * y) + tf.exp(x)
        by_x, by_y = inner.gradient(result, [x, y])
    return [outer.gradient(by_x, [x, y]), outer.gradient(by_y, [x, y])]


@program
def inner_tape_outlives_the_outer(tf: Any, x: Any, y: Any) -> Any:
    with tf.GradientTape(persistent=True) as inner:
        inner.watch(x)
        with tf.GradientTape() as outer:
            outer.watch(x)
            result = x * x * x
        slope = outer.gradient(result, x)
    return [slope, inner.gradient(slope, x), inner.gradient(result, x)]


@program
def stopped_recording(tf: Any, x: Any, y: Any) -> Any:
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        a = x * x
        with tape.stop_recording():
            b = a * x
            inside = tape.gradient(a, x)
        c = a + b
    return [inside, tape.gradient(c, x), tape.gradient(b, x) is None]


@program
def variables_not_watched_by_themselves(tf: Any, x: Any, y: Any) -> Any:
    v, w = tf.Variable(y), tf.Variable(y * 2.0)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(v)
        result = tf.reduce_sum(x * v * w)
    gradients = tape.gradient(result, [v, w])
    return [gradients[0], gradients[1] is None]


@program
def variables_that_change_in_between(tf: Any, x: Any, y: Any) -> Any:
    v = tf.Variable(y)
    with tf.GradientTape() as tape:
        a = v * v
        v.assign_add(tf.ones_like(y))
        b = v * v * v
    return tape.gradient([a, b], v)


@program
def not_trainable_variables(tf: Any, x: Any, y: Any) -> Any:
    v = tf.Variable(y, trainable=False)
    with tf.GradientTape() as tape:
        result = v * v
    return tape.gradient(result, v) is None


@program
def integers_and_what_comes_from_them(tf: Any, x: Any, y: Any) -> Any:
    i = tf.constant([1, 2, 3])
    b = tf.constant([True, False, True])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(y)
        tape.watch(i)
        a = tf.cast(i, y.dtype) * y
        c = tf.where(b, y, 0.0)
        d = tf.cast(tf.cast(y, tf.int32), y.dtype)
    return [tape.gradient(a, i) is None, tape.gradient(a, y), tape.gradient(c, y), tape.gradient(d, y) is None]


@program
def output_gradients_of_every_form(tf: Any, x: Any, y: Any) -> Any:
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, y])
        a, b = x * y, tf.reduce_sum(x)
    return [
        tape.gradient(a, x, output_gradients=x * 3.0),
        tape.gradient([a, b], [x, y], output_gradients=[x, tf.constant(2.0, x.dtype)]),
        tape.gradient([a, b], x, output_gradients=[None, tf.constant(2.0, x.dtype)]),
        tape.gradient(a, x, output_gradients=tf.zeros_like(x)),
        tape.gradient(a, x, output_gradients=x * np.inf),
    ]


@program
def structures_of_sources(tf: Any, x: Any, y: Any) -> Any:
    with tf.GradientTape() as tape:
        tape.watch([x, y])
        result = tf.reduce_sum(x * y)
    found = tape.gradient(result, {"b": x, "a": (y, [x])})
    return [found["b"], found["a"][0], found["a"][1][0]]


@program
def slices_of_variables(tf: Any, x: Any, y: Any) -> Any:
    table = tf.Variable(tf.reshape(tf.range(12.0, dtype=x.dtype), [4, 3]))
    results = []
    for function in (
        lambda: tf.gather(table, [1, 1, 3]),
        lambda: tf.nn.embedding_lookup(table, [[0, 2], [2, 2]]),
        lambda: table[1:3],
        lambda: table[2],
        lambda: [tf.gather(table, [1]), tf.gather(table, [1, 2])],
        lambda: [tf.gather(table, [1]), tf.reduce_sum(table)],
        lambda: tf.gather(table * 1.0, [1, 1]),
        lambda: tf.gather(table, [1, 1], axis=1),
        lambda: tf.gather_nd(table, [[1], [1]]),
        lambda: tf.gather(tf.gather(table, [1, 1, 2]), [0, 0]),
        lambda: tf.boolean_mask(table, [True, False, True, False]),
        lambda: tf.gather(table, np.zeros((0,), np.int64)),
    ):
        with tf.GradientTape() as tape:
            made = function()
        results.append(tape.gradient(made, table))
    return results


@program
def slices_go_through_arithmetic(tf: Any, x: Any, y: Any) -> Any:
    with tf.GradientTape() as tape:
        tape.watch(x)
        z = tf.identity(x)
        result = tf.gather(z, [1, 1]) * 2.0
    first = tape.gradient(result, x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        result = tf.gather(tf.reshape(x, [3, 2]), [1, 1])
    second = tape.gradient(result, x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        result = tf.gather(x + tf.reduce_sum(y), [1, 1])
    return [first, second, tape.gradient(result, [x])]


@program
def jacobians(tf: Any, x: Any, y: Any) -> Any:
    results = []
    for function in (
        lambda: x * y,
        lambda: tf.nn.softmax(x),
        lambda: tf.matmul(x, x, transpose_b=True),
        lambda: tf.reduce_max(x, 1),
        lambda: tf.gather(x, [1, 1]),
        lambda: tf.sort(x, axis=1),
        lambda: tf.cumsum(x, 1),
        lambda: tf.reduce_sum(x),
    ):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([x, y])
            made = function()
        results += [tape.jacobian(made, x), tape.jacobian(made, x, experimental_use_pfor=False)]
        results += tape.jacobian(made, [x, y], unconnected_gradients="zero")
    return results


@program
def jacobians_by_batches(tf: Any, x: Any, y: Any) -> Any:
    results = []
    for function in (lambda: x * x * y, lambda: tf.nn.softmax(x), lambda: tf.reduce_prod(x, 1, keepdims=True)):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            made = function()
        results += [tape.batch_jacobian(made, x), tape.batch_jacobian(made, x, experimental_use_pfor=False)]
    return results


@program
def hessians(tf: Any, x: Any, y: Any) -> Any:
    results = []
    for function in (
        lambda z: tf.reduce_sum(z**4),
        tf.reduce_logsumexp,
        tf.norm,
        tf.reduce_prod,
        lambda z: tf.reduce_sum(tf.nn.elu(z)),
    ):
        with tf.GradientTape() as outer:
            outer.watch(y)
            with tf.GradientTape() as inner:
                inner.watch(y)
                result = function(y)
            slope = inner.gradient(result, y)
        results.append(outer.jacobian(slope, y))
    return results


@program
def products_with_hessians(tf: Any, x: Any, y: Any) -> Any:
    direction = tf.ones_like(y)
    with tf.autodiff.ForwardAccumulator(y, direction) as accumulator:
        with tf.GradientTape() as tape:
            tape.watch(y)
            result = tf.reduce_sum(tf.sin(y) * y**2) + tf.reduce_prod(y)
        slope = tape.gradient(result, y)
    with tf.GradientTape() as tape:
        tape.watch(y)
        with tf.autodiff.ForwardAccumulator(y, direction) as second:
            result = tf.exp(y) * y
        directional = second.jvp(result)
    return [accumulator.jvp(slope), tape.gradient(directional, y)]


@program
def forward_within_forward(tf: Any, x: Any, y: Any) -> Any:
    direction = tf.ones_like(y)
    with tf.autodiff.ForwardAccumulator(y, direction) as outer:
        with tf.autodiff.ForwardAccumulator(y, direction) as inner:
            result = y**4
        slope = inner.jvp(result)
    return [slope, outer.jvp(slope), outer.jvp(result)]


@program
def forward_of_the_unconnected(tf: Any, x: Any, y: Any) -> Any:
    with tf.autodiff.ForwardAccumulator(y, tf.ones_like(y)) as accumulator:
        a, b, i = x * x, y * y, tf.argmax(y)
    return [
        accumulator.jvp(a) is None,
        accumulator.jvp(a, unconnected_gradients="zero"),
        accumulator.jvp(b),
        accumulator.jvp(i) is None,
        accumulator.jvp(y),
    ]


@program
def custom_gradients(tf: Any, x: Any, y: Any) -> Any:
    @tf.custom_gradient
    def clipped(z: Any) -> Any:
        return tf.identity(z), lambda g: tf.clip_by_value(g, -0.5, 0.5)

    @tf.custom_gradient
    def of_two(a: Any, b: Any) -> Any:
        return a * b, lambda g: (g * b * 2.0, None)

    @tf.custom_gradient
    def cubed(z: Any) -> Any:
        return z**3, lambda g: g * 3.0 * z**2

    with tf.GradientTape(persistent=True) as outer:
        outer.watch([x, y])
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([x, y])
            a, b, c = clipped(y * 4.0), of_two(x, y), cubed(y)
        slope = tape.gradient(c, y)
    return [
        tape.gradient(a, y),
        *tape.gradient(b, [x, y], unconnected_gradients="zero"),
        slope,
        outer.gradient(slope, y),
    ]


@program
def stopped_gradients(tf: Any, x: Any, y: Any) -> Any:
    with tf.GradientTape() as outer:
        outer.watch(y)
        with tf.GradientTape() as tape:
            tape.watch(y)
            result = tf.stop_gradient(y) * y + tf.stop_gradient(y**2)
        slope = tape.gradient(result, y)
    return [slope, outer.gradient(slope, y)]


@program
def loops_and_branches(tf: Any, x: Any, y: Any) -> Any:
    with tf.GradientTape() as tape:
        tape.watch([x, y])
        total = tf.zeros_like(y)
        for row in range(2):
            total = tf.where(total > y, total * x[row], total + x[row] * y)
    return tape.gradient(total, [x, y])


@program
def gradients_of_copies(tf: Any, x: Any, y: Any) -> Any:
    with tf.GradientTape() as tape:
        tape.watch(y)
        a = tf.identity(y)
        b, c = tf.identity_n([a, y])
        result = a * b + tf.convert_to_tensor(c) * 2.0
    return tape.gradient(result, y)


@program
def empty_structures(tf: Any, x: Any, y: Any) -> Any:
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        a = tf.reduce_sum(x[:0])
        b = tf.concat([x[:0], x], 0)
        c = tf.reduce_mean(x[:, :0], 1)
    return [tape.gradient(a, x), tape.gradient(b, x), tape.gradient(c, x), len(tape.gradient(a, []))]
