"""Statements that go element by element, reduce, or multiply matrices."""

from __future__ import annotations

import math

from tests.reliability.random_programs.builder import Builder, Unfit, each, kind, together
from tests.reliability.random_programs.program import Value

UNARY: dict[str, tuple[float, float | None]] = {
    "tf.tanh({x})": (8, 1),
    "tf.sin({x})": (3, 1),
    "tf.cos({x})": (1, 1),
    "tf.sigmoid({x})": (3, 1),
    "tf.square({x})": (2, -2),
    "tf.abs({x})": (2, None),
    "tf.nn.relu({x})": (4, None),
    "tf.nn.softplus({x})": (1, -1.5),
    "tf.nn.gelu({x})": (2, None),
    "tf.nn.gelu({x}, approximate=True)": (1, None),
    "tf.nn.elu({x})": (1, -1.5),
    "tf.nn.silu({x})": (1, None),
    "tf.nn.leaky_relu({x})": (1, None),
    "tf.exp(-tf.abs({x}))": (2, 1),
    "tf.math.log1p(tf.abs({x}))": (1, None),
    "tf.sqrt({x} * {x} + 0.1)": (1, -1.5),
    "tf.math.rsqrt(1.0 + tf.square({x}))": (1, 1),
    "tf.math.erf({x})": (1, 1),
    "tf.atan({x})": (1, 1.6),
    "-{x}": (2, None),
    "-(-{x})": (0.3, None),
    "tf.abs(-{x})": (0.3, None),
    "tf.identity({x})": (1, None),
    "tf.stop_gradient({x})": (1, None),
    "{x} * 1.0": (0.5, None),
    "{x} / 1.0": (0.3, None),
    "{x} ** 2.0": (0.3, -2),
    "{x} ** 1.0": (0.3, None),
    "tf.pow(tf.abs({x}) + 0.1, 1.5)": (0.5, -1.5),
    "{x} * 0.5": (3, None),
    "{x} + 0.25": (3, -1.5),
    "1.0 - {x}": (3, -1.5),
    "{x} * {x}": (1, -2),
    "tf.clip_by_value({x}, -0.5, 0.7)": (2, 0.7),
    "tf.where({x} > 0.3, {x}, -{x})": (2, None),
    "tf.where({x} > 0.1, {x}, tf.zeros_like({x}))": (1, None),
    "tf.cast({x} > 0.2, {x}.dtype) * {x}": (1, None),
    "tf.maximum({x}, -0.2)": (1, None),
    "tf.minimum({x}, tf.constant(0.4, {x}.dtype))": (1, None),
    "tf.math.divide_no_nan({x}, tf.nn.relu({x}) + 0.5)": (0.5, -3),
    "tf.math.multiply_no_nan({x}, tf.cast({x} > 0.0, {x}.dtype))": (0.3, None),
    "tf.where(tf.math.is_finite({x}), {x}, 0.0)": (0.3, None),
    "tf.math.xlogy(tf.abs({x}), tf.abs({x}) + 0.5)": (0.3, -2.5),
    "tf.math.softsign({x})": (0.3, 1),
    "tf.nn.softmax({x}) if {x}.shape.rank else {x}": (0.5, None),
}
"""By expression of {x} how often it comes, and what the result is bounded by: a number, None for the bound of x, or minus the power of it."""

BINARY: dict[str, tuple[float, str]] = {
    "{x} + {y}": (6, "x + y"),
    "{x} - {y}": (4, "x + y"),
    "{x} * {y}": (6, "x * y"),
    "tf.maximum({x}, {y})": (2, "x + y"),
    "tf.minimum({x}, {y})": (1, "x + y"),
    "tf.where({x} > {y}, {x}, {y} * 0.5)": (2, "x + y"),
    "{x} / (1.0 + tf.square({y}))": (2, "x"),
    "tf.math.squared_difference({x}, {y})": (1, "(x + y) ** 2"),
    "tf.atan2({x}, 1.0 + tf.abs({y}))": (0.5, "1.6"),
    "tf.math.divide_no_nan({x}, tf.abs({y}) + 0.5)": (0.5, "2 * x"),
    "tf.where(tf.logical_and({x} > 0.0, {y} > 0.0), {x}, {y})": (0.5, "x + y"),
    "tf.where(tf.logical_or({x} > 0.2, tf.logical_not({y} > 0.0)), {x} * {y}, {y})": (0.5, "(x + 1) * (y + 1)"),
    "{x} * tf.sigmoid({y})": (1, "x"),
    "tf.tanh({x}) * {y} + {x}": (1, "x + y"),
}

TERNARY = {
    "{x} * {y} + {z}": "x * y + z",
    "tf.where({x} > 0.0, {y}, {z})": "y + z",
    "tf.clip_by_value({x}, -tf.abs({y}) - 0.1, tf.abs({z}) + 0.1)": "x",
    "({x} - {y}) * tf.math.rsqrt(tf.square({z}) + 0.5)": "1.5 * (x + y)",
}


PLAIN = ["tf.tanh({x})", "tf.nn.relu({x})", "{x} * 0.5", "{x} + 0.25", "tf.sin({x})", "-{x}"]
PLAIN_BINARY = ["{x} + {y}", "{x} * {y}", "{x} - {y}"]


def unary_of(b: Builder, x: str, bound: float) -> tuple[str, float]:
    """An expression of x, and its bound."""
    if b.plain:
        text = b.rng.choice(PLAIN)
    else:
        text = b.rng.choices(list(UNARY), [weight for weight, _ in UNARY.values()])[0]
    rule = UNARY[text][1]
    if rule is None:
        bound = max(bound, 1.0)
    elif rule > 0:
        bound = rule
    else:
        bound = (max(bound, 1.0) + 1.0) ** -rule
    return text.format(x=x), bound


@kind(30)
def unary(b: Builder) -> None:
    x = b.pick()
    text, bound = unary_of(b, x.name, x.bound)
    b.let(text, x.shapes, bound)


@kind(18)
def binary(b: Builder) -> None:
    x = b.pick()
    y = b.other(x)
    text = b.rng.choices(list(BINARY), [weight for weight, _ in BINARY.values()])[0]
    if b.plain:
        text = b.rng.choice(PLAIN_BINARY)
    if b.rng.random() < 0.5:
        x, y = y, x
    bound = float(eval(BINARY[text][1], {"x": x.bound, "y": y.bound}))
    b.let(text.format(x=x.name, y=y.name), together(x, y), bound)


@kind(3)
def ternary(b: Builder) -> None:
    x = b.pick()
    y, z = b.other(x), b.other(x)
    text = b.rng.choice(list(TERNARY))
    try:
        shapes = together(x, y, z)
    except ValueError:
        raise Unfit from None
    if "clip" in text and shapes != x.shapes:
        raise Unfit
    bound = float(eval(TERNARY[text], {"x": x.bound, "y": y.bound, "z": z.bound}))
    b.let(text.format(x=x.name, y=y.name, z=z.name), shapes, bound)


def _without(shape: tuple[int, ...], axes: tuple[int, ...], keep: bool) -> tuple[int, ...]:
    axes = tuple([axis % len(shape) for axis in axes])
    if keep:
        return tuple([1 if axis in axes else size for axis, size in enumerate(shape)])
    return tuple([size for axis, size in enumerate(shape) if axis not in axes])


REDUCTIONS = {
    "tf.reduce_sum": 6,
    "tf.reduce_mean": 4,
    "tf.reduce_max": 2,
    "tf.reduce_min": 1,
    "tf.reduce_logsumexp": 1,
    "tf.math.reduce_variance": 1,
    "tf.reduce_prod": 0.5,
}


@kind(9)
def reduction(b: Builder) -> None:
    x = b.pick(lambda x: 0 not in x.least)
    name = b.rng.choices(list(REDUCTIONS), list(REDUCTIONS.values()))[0]
    if b.plain:
        name = b.rng.choice(["tf.reduce_sum", "tf.reduce_mean", "tf.reduce_max"])
    if not x.rank or b.rng.random() < 0.15:
        axes, text = tuple(range(x.rank)), ""
    elif b.rng.random() < 0.75 or x.rank == 1:
        axis = b.axis(x)
        axes, text = (axis,), f", axis={axis}"
    else:
        axes = tuple(sorted(b.rng.sample(range(x.rank), 2)))
        text = f", axis={list(axes)}"
    keep = b.rng.random() < 0.4
    text += ", keepdims=True" if keep else ""
    shapes = each(lambda s: _without(s, axes, keep), x)
    if name == "tf.reduce_prod":
        b.let(f"{name}(tf.tanh({x.name}){text})", shapes)
        return
    count = max(math.prod(a) // max(math.prod(c), 1) for a, c in zip(x.shapes, shapes, strict=True))
    bound = {
        "tf.reduce_sum": x.bound * count,
        "tf.math.reduce_variance": 4 * x.bound**2,
        "tf.reduce_logsumexp": x.bound + 4,
    }
    b.let(f"{name}({x.name}{text})", shapes, bound.get(name, x.bound))


ROWS = {
    "tf.nn.softmax({x}, axis={a})": 1.0,
    "tf.nn.log_softmax({x}, axis={a})": None,
    "{x} - tf.reduce_mean({x}, axis={a}, keepdims=True)": None,
    "({x} - tf.reduce_mean({x}, {a}, keepdims=True)) * tf.math.rsqrt(tf.math.reduce_variance({x}, {a}, keepdims=True) + 0.1)": 4.0,
    "{x} * tf.reduce_sum({x} * {x}, axis={a}, keepdims=True)": "x ** 3 * 20",
    "tf.exp({x} - tf.reduce_max({x}, axis={a}, keepdims=True))": 1.0,
    "{x} / (1.0 + tf.reduce_sum(tf.abs({x}), axis={a}, keepdims=True))": 1.0,
    "tf.math.l2_normalize({x}, axis={a}, epsilon=1e-3)": 1.0,
    "tf.cumsum({x}, axis={a})": "x * 20",
    "tf.cumsum({x}, axis={a}, exclusive=True, reverse=True)": "x * 20",
    "tf.math.cumprod(tf.tanh({x}), axis={a})": 1.0,
    "tf.sort({x}, axis={a})": None,
    "tf.reduce_sum(tf.where({x} > 0.0, {x}, 0.0), axis={a}, keepdims=True) * {x}": "x ** 2 * 20",
}
"""Expressions along an axis that keep the shape, with what bounds them."""

PLAIN_ROWS = [text for text in ROWS if text.startswith(("tf.nn.softmax", "tf.cumsum", "tf.sort", "tf.math.cumprod"))]


@kind(6)
def along_axis(b: Builder) -> None:
    x = b.pick(lambda x: x.rank > 0 and 0 not in x.least)
    text = b.rng.choice(PLAIN_ROWS if b.plain else list(ROWS))
    rule = ROWS[text]
    bound = x.bound + 6 if rule is None else float(eval(rule, {"x": x.bound})) if isinstance(rule, str) else rule
    b.let(text.format(x=x.name, a=b.axis(x)), x.shapes, bound)


def _matrix(b: Builder, x: Value, columns: int) -> Value:
    return b.variable((x.shapes[0][-1], columns))


def last_is_fixed(x: Value) -> bool:
    return x.rank > 0 and x.shapes[0][-1] == x.shapes[1][-1] and x.shapes[0][-1] > 0


@kind(5)
def dense(b: Builder) -> None:
    """A product with weights, with what often follows it."""
    x = b.pick(lambda x: x.rank >= 2 and last_is_fixed(x))
    columns = b.rng.choice([2, 3, 4, 8])
    w = _matrix(b, x, columns)
    shapes = each(lambda s: (*s[:-1], columns), x)
    text = b.rng.choice(["tf.matmul({x}, {w})", "{x} @ {w}", "tf.tensordot({x}, {w}, 1)"])
    if x.rank > 2:
        text = "tf.tensordot({x}, {w}, 1)"
    text = text.format(x=x.name, w=w.name)
    bound = 3 * x.bound * x.shapes[0][-1]
    if b.rng.random() < 0.5:
        text += f" + {b.variable((columns,)).name}"
        bound += 3
    if b.rng.random() < 0.6:
        text, bound = unary_of(b, f"({text})", bound)
    b.let(text, shapes, bound)


@kind(4)
def product(b: Builder) -> None:
    """A product of two values."""
    x = b.pick(lambda x: x.rank >= 2 and 0 not in x.least)
    y = b.pick(lambda y: y.rank == x.rank and [s[:-2] for s in y.shapes] == [s[:-2] for s in x.shapes])
    choices = []
    for ta in (False, True):
        for tb in (False, True):
            rows, inner = (-1, -2) if ta else (-2, -1)
            inner_b, columns = (-1, -2) if tb else (-2, -1)
            if all(s[inner] == t[inner_b] for s, t in zip(x.shapes, y.shapes, strict=True)):
                choices.append((ta, tb, rows, inner, columns))
    if not choices:
        raise Unfit
    ta, tb, rows, inner, columns = b.rng.choice(choices)
    shapes = each(lambda s, t: (*s[:-2], s[rows], t[columns]), x, y)
    bound = x.bound * y.bound * max(s[inner] for s in x.shapes)
    form = b.rng.randrange(3)
    if form == 0:
        letters = ("ki" if ta else "ik") + "," + ("jk" if tb else "kj")
        first, second = letters.split(",")
        b.let(f'tf.einsum("...{first},...{second}->...ij", {x.name}, {y.name})', shapes, bound)
    elif form == 1:
        swap = ", ".join(map(str, [*range(x.rank - 2), x.rank - 1, x.rank - 2]))
        first = f"tf.transpose({x.name}, [{swap}])" if ta else x.name
        second = f"tf.transpose({y.name}, [{swap}])" if tb else y.name
        b.let(f"tf.matmul({first}, {second})", shapes, bound)
    else:
        b.let(f"tf.matmul({x.name}, {y.name}, transpose_a={ta}, transpose_b={tb})", shapes, bound)


@kind(1)
def outer(b: Builder) -> None:
    x = b.pick(lambda x: x.rank in {1, 2} and x.elements <= 20)
    y = b.pick(lambda y: y.rank == 1 and y.elements <= 20)
    b.let(f"tf.tensordot({x.name}, {y.name}, 0)", each(lambda s, t: (*s, *t), x, y), x.bound * y.bound)


@kind(1)
def logits_loss(b: Builder) -> None:
    """A cross-entropy of rows with labels."""
    x = b.pick(lambda x: x.rank == 2 and last_is_fixed(x) and x.shapes[0][1] > 1 and x.least[0] > 0)
    shapes = each(lambda s: s[:1], x)
    labels = f"tf.range({x.name}.shape[0]) % {x.shapes[0][1]}"
    form = b.rng.randrange(3)
    if form == 0:
        text = f"tf.nn.sparse_softmax_cross_entropy_with_logits({labels}, {x.name})"
    elif form == 1:
        text = f"tf.nn.softmax_cross_entropy_with_logits(tf.one_hot({labels}, {x.shapes[0][1]}, dtype={x.name}.dtype), {x.name})"
        text = f"tf.cast({text}, {x.name}.dtype)"
    else:
        text = f"tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(tf.ones_like({x.name}), {x.name}), -1)"
    if b.rng.random() < 0.5:
        b.let(f"tf.reduce_mean({text})", ((), ()), 2 * x.bound + 3)
    else:
        b.let(text, shapes, 2 * x.bound + 3)
