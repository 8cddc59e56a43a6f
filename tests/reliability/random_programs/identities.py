"""Statements that the compiler's algebra knows, and those that run as Python."""

from __future__ import annotations

from tests.reliability.random_programs.builder import HALVES, Builder, Unfit, kind

FLOATS = [
    "{x} + tf.constant(-0.0, {x}.dtype)",
    "{x} - tf.constant(0.0, {x}.dtype)",
    "tf.ones_like({x}) * {x}",
    "{x} / tf.ones_like({x})",
    "tf.math.multiply_no_nan({x}, tf.ones_like({x}))",
    "tf.math.divide_no_nan({x}, tf.ones_like({x}))",
    "{x} ** 1.0",
    "{x} ** 2.0 * 0.1",
    "tf.where(tf.ones_like({x}) > 0.0, {x}, {x} * 2.0)",
    "tf.where({x} > 0.1, {x}, {x})",
    "tf.where(tf.logical_or({x} > 0.1, {x} > 9.0), {x}, -{x})",
    "tf.where(tf.logical_or({x} > 0.1, tf.zeros_like({x}, tf.bool)), {x}, -{x})",
    "tf.where(tf.logical_and({x} > 0.1, tf.ones_like({x}, tf.bool)), {x}, -{x})",
    "tf.where(tf.logical_and(tf.logical_not(tf.logical_not({x} > 0.1)), {x} > 0.1), {x}, -{x})",
    "tf.where(tf.logical_or({x} > 0.1, {x} > 0.1), {x}, -{x})",
    "tf.maximum({x}, {x})",
    "tf.minimum({x}, {x})",
    "-(-{x})",
    "tf.abs(-{x})",
    "tf.abs(tf.abs({x}))",
    "tf.floor(tf.floor({x} * 3.01)) * 0.1",
    "tf.math.ceil(tf.math.ceil({x} * 3.01)) * 0.1",
    "tf.round(tf.round({x} * 3.01)) * 0.1",
    "tf.math.rint(tf.math.rint({x} * 3.01)) * 0.1",
    "tf.identity(tf.stop_gradient({x}))",
    "tf.broadcast_to(tf.broadcast_to({x}, {x}.shape), [1, *{x}.shape])[0]",
    "tf.broadcast_to(tf.broadcast_to({x}, [1, *{x}.shape]), [2, *{x}.shape])[1]",
    "tf.transpose(tf.transpose({x}))",
    "tf.concat([tf.expand_dims({x}, 0)], 0)[0]",
    "tf.concat(tf.split(tf.stack([{x}, {x}]), 2), 0)[1]",
    "tf.split(tf.concat([tf.stack([{x}]), tf.stack([{x} * 0.5])], 0), 2)[1][0]",
    "tf.split(tf.stack([{x}, {x}]), 1)[0][1]",
    "tf.unstack(tf.stack([{x} * 0.5, {x}]))[1]",
    "tf.reverse(tf.reverse(tf.stack([{x}, {x} * 0.5]), [0]), [0])[0]",
    "tf.math.real(tf.math.conj(tf.math.conj(tf.complex(tf.cast({x}, tf.float64), tf.cast({x}, tf.float64))))) ",
    "tf.cond(tf.constant(True), lambda: {x}, lambda: -{x})",
    "tf.cast(tf.cast({x}, tf.float64), {x}.dtype)",
]
"""Of values that keep their shape; none is larger than x, or 2."""

WHOLE = [
    "{i} // 1",
    "tf.truncatediv({i}, 1)",
    "tf.bitwise.left_shift({i}, tf.zeros_like({i}))",
    "tf.bitwise.right_shift({i}, tf.zeros_like({i}))",
    "tf.bitwise.bitwise_xor({i}, tf.zeros_like({i}))",
    "tf.bitwise.bitwise_or({i}, tf.zeros_like({i}))",
    "tf.bitwise.bitwise_or({i}, {i})",
    "tf.bitwise.bitwise_and({i}, {i})",
    "tf.bitwise.invert(tf.bitwise.invert({i}))",
    "tf.cast(tf.cast({i}, tf.int64), {i}.dtype)",
    "tf.cast(tf.cast({i}, tf.int32), {i}.dtype)",
    "{i} * 1",
]


@kind(2)
def identity(b: Builder) -> None:
    x = b.pick()
    text = b.rng.choice(FLOATS)
    if "rint" in text and x.dtype in HALVES:
        raise Unfit
    dtype = "float64" if "complex" in text else None
    text = text.format(x=x.name)
    b.let(f"tf.cast({text}, {x.name}.dtype)" if dtype else text, x.shapes, max(x.bound, 2.0))


@kind(1.5)
def integer_identity(b: Builder) -> None:
    i = b.pick_integers()
    b.let(b.rng.choice(WHOLE).format(i=i.name), i.shapes, i.bound, i.dtype)


@kind(0.3)
def numpy_function(b: Builder) -> None:
    """What has no kernels, and splits a program into native stretches."""
    x = b.pick()
    if b.pure or x.dtype in HALVES:
        raise Unfit
    b.let(
        f"tf.ensure_shape(tf.numpy_function(lambda a: np.asarray(a * 0.5), [{x.name}], {x.name}.dtype), {x.name}.shape)",
        x.shapes,
        x.bound,
    )


@kind(0.4)
def elementwise_formula(b: Builder) -> None:
    """A function of numbers that the user wrote."""
    x = b.pick()
    if x.dtype in HALVES:
        raise Unfit
    name = b.name("formula")
    b.setup[name] = ("@tf.elementwise", f"def {name}(x):", "    if x > 0:", "        return x", "    return 0.1 * x")
    b.referee = False
    b.let(f"{name}({x.name})", x.shapes, x.bound)
