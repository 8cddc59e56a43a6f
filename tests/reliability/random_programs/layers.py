"""Statements that call layers of Keras."""

from __future__ import annotations

from tests.reliability.random_programs.builder import HALVES, Builder, Unfit, each, kind
from tests.reliability.random_programs.elementwise import last_is_fixed
from tests.reliability.random_programs.program import Shapes, Value

MIXED = 0.85
"""Share of the layers of float32 programs that have a policy of mixed precision."""


def _layer(b: Builder, made: str, *shapes: tuple[int | None, ...], mixed: bool = True) -> str:
    """The name of a layer with weights that follow from their places; `mixed` is whether it may have a policy of mixed precision."""
    name = b.name("layer")
    policy = b.float
    if mixed and b.float == "float32" and b.rng.random() < MIXED:
        policy = b.mixed or b.rng.choice(["mixed_bfloat16", "mixed_float16"])
        b.mixed = policy
    separator = "" if made.endswith("(") else ", "
    b.setup[name] = (
        f"{name} = filled(tf.keras.layers.{made}{separator}dtype={policy!r}), {', '.join(map(str, shapes))})",
    )
    b.state.append(name)
    return name


def _call(b: Builder, name: str, x: Value, shapes: Shapes, bound: float, extra: str = "") -> None:
    b.let(f"tf.cast({name}({x.name}{extra}), {x.name}.dtype)", shapes, bound)


def _batched(b: Builder, rank: int) -> Value:
    return b.pick(lambda x: x.rank == rank and last_is_fixed(x) and 0 not in x.least and x.elements <= 200)


@kind(3)
def dense_layer(b: Builder) -> None:
    x = _batched(b, b.rng.choice([2, 2, 3]))
    units = b.rng.choice([2, 3, 4, 8])
    activation = b.rng.choice(["None", "'relu'", "'tanh'", "'gelu'", "'softmax'", "'sigmoid'"])
    shape = (None, *[None] * (x.rank - 2), x.shapes[0][-1])
    # TensorFlow rounds inside of softmax's gradient, where large terms cancel.
    name = _layer(b, f"Dense({units}, activation={activation}", shape, mixed="softmax" not in activation)
    _call(b, name, x, each(lambda s: (*s[:-1], units), x), 0.4 * x.bound * x.shapes[0][-1] + 1)


@kind(2)
def normalized(b: Builder) -> None:
    x = _batched(b, b.rng.choice([2, 3]))
    form = b.rng.randrange(3)
    shape = (None, *[None] * (x.rank - 2), x.shapes[0][-1])
    if form == 0:
        name = _layer(b, "LayerNormalization(epsilon=0.01", shape)
        _call(b, name, x, x.shapes, 5.0)
    elif b.pure:
        raise Unfit
    else:
        name = _layer(b, "BatchNormalization(epsilon=0.01", shape)
        _call(b, name, x, x.shapes, 40.0, b.rng.choice([", training=True", ", training=True", ", training=False"]))


@kind(2)
def convolved(b: Builder) -> None:
    rank = b.rng.choice([1, 2, 2])
    x = b.pick(lambda x: x.rank == rank + 2 and last_is_fixed(x) and 0 not in x.least and x.elements <= 400)
    filters, channels = b.rng.choice([2, 3]), x.shapes[0][-1]
    window = b.rng.choice([1, 2, 3])
    options = f"padding='same', activation={b.rng.choice(['None', repr('relu'), repr('tanh')])}"
    form = b.rng.randrange(4)
    if form == 0:
        name = _layer(b, f"DepthwiseConv{rank}D({window}, {options}", (None, *[None] * rank, channels))
        _call(b, name, x, x.shapes, 9 * x.bound)
        return
    if form == 1:
        name = _layer(b, f"Conv{rank}DTranspose({filters}, {window}, {options}", (None, *[None] * rank, channels))
    else:
        name = _layer(b, f"Conv{rank}D({filters}, {window}, {options}", (None, *[None] * rank, channels))
    _call(b, name, x, each(lambda s: (*s[:-1], filters), x), 4 * channels * x.bound)


@kind(2)
def convolved_and_normalized(b: Builder) -> None:
    """A convolution, batch normalization and an activation, as in networks for images."""
    if b.pure:
        raise Unfit
    x = b.pick(lambda x: x.rank == 4 and last_is_fixed(x) and 0 not in x.least)
    filters = b.rng.choice([2, 4, 8])
    first = _layer(b, f"Conv2D({filters}, 3, padding='same', use_bias=False", (None, None, None, x.shapes[0][-1]))
    second = _layer(b, "BatchNormalization(epsilon=0.01", (None, None, None, filters))
    b.let(
        f"tf.nn.relu(tf.cast({second}({first}({x.name}), training=True), {x.name}.dtype))",
        each(lambda s: (*s[:-1], filters), x),
        40.0,
    )


@kind(2)
def channels_first(b: Builder) -> None:
    """Windows between two transposes, as of layers with the channels first."""
    x = b.pick(lambda x: x.rank == 4 and last_is_fixed(x) and 0 not in x.least)
    filters = b.rng.choice([2, 3])
    w = b.variable((2, 2, x.shapes[0][-1], filters))
    once = "tf.transpose(tf.nn.conv2d(tf.transpose({x}, [0, 2, 3, 1]), {w}, 1, 'SAME'), [0, 3, 1, 2])"
    between = b.rng.choice(
        [
            "tf.nn.relu({y}) * 0.1",
            "tf.nn.max_pool2d({y}, 1, 1, 'SAME') * 0.1",
            "{y} - tf.reduce_mean({y}, [0, 2, 3], keepdims=True)",
        ]
    )
    lines = [
        f"{{y}} = tf.transpose({x.name}, [0, 3, 1, 2])",
        f"{{y}} = {once.format(x='{y}', w=w.name)}",
        f"{{y}} = {between}",
    ]
    second = b.variable((1, 1, filters, filters))
    lines.append(f"{{y}} = {once.format(x='{y}', w=second.name)} * 0.1")
    b.lines(lines, each(lambda s: (s[0], filters, s[1], s[2]), x), x.bound * 3 * x.shapes[0][-1])


@kind(2)
def pooled(b: Builder) -> None:
    x = b.pick(lambda x: x.rank == 4 and 0 not in x.least and min(x.least[1:3]) >= 2)
    text = b.rng.choice(
        [
            "tf.nn.max_pool2d({x}, 2, 2, 'SAME')",
            "tf.nn.avg_pool2d({x}, 2, 1, 'VALID')",
            "tf.nn.max_pool2d({x}, 2, 1, 'VALID')",
        ]
    )
    if "SAME" in text:
        shapes = each(lambda s: (s[0], -(-s[1] // 2), -(-s[2] // 2), s[3]), x)
    else:
        shapes = each(lambda s: (s[0], s[1] - 1, s[2] - 1, s[3]), x)
    b.let(text.format(x=x.name), shapes, x.bound)


@kind(1)
def outer_image(b: Builder) -> None:
    """An image of four dimensions, made of what there is."""
    x = b.pick(lambda x: x.rank == 2 and 0 not in x.least and x.elements <= 40)
    b.let(
        f"tf.tanh(tf.tensordot(tf.tensordot({x.name}, tf.linspace(tf.cast(-1.0, {x.name}.dtype), 1.0, 3), 0), tf.linspace(tf.cast(0.5, {x.name}.dtype), 1.5, 2), 0))",
        each(lambda s: (*s, 3, 2), x),
        1.0,
    )


@kind(1)
def recurrent(b: Builder) -> None:
    if b.float in HALVES:
        raise Unfit  # TensorFlow makes no orthogonal matrices of them
    x = _batched(b, 3)
    units = b.rng.choice([2, 3])
    kind_ = b.rng.choice(["LSTM", "GRU", "SimpleRNN"])
    sequences = b.rng.random() < 0.5
    back = ", go_backwards=True" if b.rng.random() < 0.2 else ""
    name = _layer(b, f"{kind_}({units}, return_sequences={sequences}{back}", (None, None, x.shapes[0][-1]))
    shapes = each(lambda s: (*s[:2], units) if sequences else (s[0], units), x)
    _call(b, name, x, shapes, 1.0)


@kind(0.6)
def attention(b: Builder) -> None:
    x = _batched(b, 3)
    width = x.shapes[0][-1]
    name = _layer(b, "MultiHeadAttention(2, 3", (None, None, width), (None, None, width))
    # Keras computes the weights in float32 for float64, and rounds them for bfloat16.
    b.referee = b.referee and "dtype='float32'" in b.setup[name][0]
    b.let(
        f"tf.cast({name}({x.name}, {x.name}{b.rng.choice(['', ', use_causal_mask=True'])}), {x.name}.dtype)",
        x.shapes,
        x.bound * 6,
    )


@kind(1)
def embedding_layer(b: Builder) -> None:
    i = b.pick_integers()
    width = b.rng.choice([2, 4])
    name = _layer(b, f"Embedding({int(i.bound)}, {width}", (None,))
    b.let(f"tf.cast({name}({i.name}), tf.{b.float})", each(lambda s: (*s, width), i), 0.4)
