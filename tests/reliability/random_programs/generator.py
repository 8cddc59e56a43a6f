"""Programs by seed."""

from __future__ import annotations

import random

from tests.reliability.random_programs import (  # noqa: F401 - they add kinds
    arranging,
    control,
    elementwise,
    identities,
    layers,
    state,
)
from tests.reliability.random_programs.builder import HALVES, INTEGERS, Builder, numpy_name
from tests.reliability.random_programs.program import Program, Value

BATCHES = [(2, 3), (4, 1), (3, 3), (5, 8), (1, 2), (16, 17), (6, 6)]
TOLERANCES = {"float64": 1e-9, "float32": 2e-4, "float16": 1e-2, "bfloat16": 5e-2}
SHAPES = [
    ("n",),
    ("n", 3),
    ("n", 3),
    ("n", 4),
    ("n", 4),
    (3, "n"),
    ("n", 2, 3),
    ("n", 1),
    (2, 3),
    (),
    (4,),
    ("n", 3, 3, 2),
]


def program_of(seed: int) -> Program:
    """The program of a seed."""
    rng = random.Random(seed)
    dtype = rng.choices(["float64", "float32", "bfloat16", "float16"], [66, 26, 4, 4])[0]
    form = "map" if rng.random() < 0.12 else "step"
    plain = rng.random() < 0.75
    b = Builder(rng, dtype, form == "map", plain)
    sizes = rng.choice(BATCHES)
    arguments = [a for a in _arguments(rng, dtype, sizes) if form == "step" or a.dtype != "python"]
    b.pool += arguments
    b.grow(_count(rng))
    floats = [value for value in b.pool if value.dtype == dtype and 0 not in value.least]
    made = [s.value for s in b.statements]
    returned = _returned(rng, made or arguments)
    gradient = rng.choices(["", "first", "second"], [60, 36, 4])[0] if floats else ""
    targets: tuple[str, ...] = ()
    if gradient:
        chosen = rng.sample(floats, min(len(floats), rng.choice([1, 1, 2, 3])))
        losses = [s.value for s in b.statements if s.kind == "logits_loss"]
        targets = (
            *[f"tf.reduce_mean({loss.name})" for loss in losses[-1:]],
            *[_target(rng, value) for value in chosen],
        )
        targets = targets[:1] if losses and rng.random() < 0.5 else targets
    optimizer = ""
    if gradient and form == "step" and rng.random() < 0.4:
        optimizer = rng.choice(["atan", "as they are"])
        b.setup["optimizer"] = (f"optimizer = tf.keras.optimizers.{rng.choice(OPTIMIZERS)}",)
        if dtype in HALVES:
            b.referee = (
                False  # Keras rounds 1 - beta and its powers to the dtype of a variable: 1 - 0.999 is 0 in bfloat16
            )
    if gradient == "second" and any("normalized" in s.kind for s in b.statements):
        b.referee = False  # Keras's second derivatives of normalizations are not those of central differences
    if gradient == "second" and any("cumprod" in line for s in b.statements for line in s.lines):
        b.referee = False  # TensorFlow divides by the factors: in float32 it was off by 3e-4 where ours was by 2e-7
    tolerance = TOLERANCES[b.mixed.removeprefix("mixed_") or dtype]
    return Program(
        seed, tuple(b.statements), tuple(arguments), b.setup, returned, _calls(rng, arguments, sizes, form), tolerance,
        gradient, targets, form, b.referee, tuple(b.state), optimizer, rng.random() < 0.25,
    )  # fmt: skip


OPTIMIZERS = [
    "SGD(0.01)",
    "SGD(0.01, momentum=0.5)",
    "SGD(0.01, momentum=0.5, nesterov=True)",
    "Adam(0.01, epsilon=1e-3)",
    "AdamW(0.01, epsilon=1e-3, weight_decay=0.01)",
    "RMSprop(0.01, epsilon=1e-2)",
    "Adagrad(0.01, epsilon=1e-2)",
    "Adam(0.01, epsilon=1e-3, global_clipnorm=0.5)",
    "SGD(0.01, clipvalue=0.2)",
    "Lion(0.01)",
]


def _count(rng: random.Random) -> int:
    """Statements of a program: few as a rule."""
    draw = rng.random()
    if draw < 0.7:
        return rng.randint(5, 9)
    if draw < 0.95:
        return rng.randint(10, 20)
    return rng.randint(21, 60)


def _arguments(rng: random.Random, dtype: str, sizes: tuple[int, int]) -> list[Value]:
    values = []
    for number in range(rng.choice([1, 1, 2, 2, 3])):
        shape = rng.choice(SHAPES)
        shapes = tuple([tuple([n if size == "n" else size for size in shape]) for n in sizes])
        values.append(Value(f"x{number}", dtype, shapes, 3.0))  # type: ignore[arg-type]
    if len(values) < 3 and rng.random() < 0.15:
        values.append(Value(f"x{len(values)}", "python", ((), ()), 2.0))
    if rng.random() < 0.35:
        values.append(
            Value(
                f"x{len(values)}",
                rng.choice(["int32", "int32", "int64"]),
                ((sizes[0],), (sizes[1],)),
                rng.choice([2.0, 3.0, 5.0]),
            )
        )
    return values


def _returned(rng: random.Random, made: list[Value]) -> tuple[str, ...]:
    chosen = rng.sample(made, min(len(made), rng.choice([1, 1, 1, 2, 3, min(len(made), 6)])))
    names = [value.name for value in chosen]
    if made[-1].name not in names and rng.random() < 0.7:
        names.append(made[-1].name)
    return tuple(names)


def _target(rng: random.Random, value: Value) -> str:
    name = f"tf.cast({value.name}, tf.float32)" if value.dtype in HALVES else value.name
    return rng.choice(["tf.reduce_sum(tf.sin({x}))", "tf.reduce_mean(tf.square({x}))", "tf.reduce_sum({x})"]).format(
        x=name
    )


def _calls(rng: random.Random, arguments: list[Value], sizes: tuple[int, int], form: str) -> tuple[str, ...]:
    """The arguments of four calls: the first twice with one shape at least, so that the step is compiled."""
    if form == "map":
        return tuple(
            [", ".join([_array(rng, value, value.shapes[size], form) for value in arguments]) for size in (0, 1)]
        )
    order = rng.choice([(0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 1, 0), (0, 1, 0, 1), (0, 0, 1, 1), (0, 0, 0, 1)])
    same = {size: [_array(rng, value, value.shapes[size], form) for value in arguments] for size in (0, 1)}
    repeats = rng.random() < 0.1
    calls = []
    for size in order:
        arrays = [
            a if rng.random() < 0.3 else _array(rng, v, v.shapes[size], form)
            for a, v in zip(same[size], arguments, strict=True)
        ]
        if repeats and len(arguments) > 1 and arguments[0].like(arguments[1]):
            arrays[1] = arrays[0]
        calls.append(", ".join(arrays))
    return tuple(calls)


def _array(rng: random.Random, value: Value, shape: tuple[int, ...], form: str) -> str:
    """An array as text, laid out in some way."""
    seed = rng.randrange(1000)
    sizes = ", ".join(map(str, shape))
    if value.dtype == "python":
        return rng.choice(["0.5", "2.0", "1.0"])
    if value.dtype in INTEGERS:
        option = "" if value.dtype == "int32" else f", dtype={value.dtype!r}"
        return f"whole({seed}, {int(value.bound)}, {sizes}{option})"
    scale = rng.choice(["", "", " * 0.5", " * 0.1"])
    dtype = numpy_name(value.dtype)
    option = "" if dtype == "float64" else f", dtype={dtype!r}"
    sizes = f", {sizes}" if sizes else ""
    text = f"numbers({seed}{sizes}{option})"
    layout = rng.random()
    if shape and layout < 0.1:
        text = f"{text}[::-1]"
    elif len(shape) == 2 and layout < 0.2:
        text = f"numbers({seed}, {shape[1]}, {shape[0]}{option}).T"
    elif len(shape) == 2 and layout < 0.25:
        text = f"np.asfortranarray({text})"
    elif shape and layout < 0.3:
        text = f"np.repeat({text}, 2, axis=-1)[..., ::2]"
    text = f"{text}{scale}" if layout >= 0.3 else text
    if value.dtype == "bfloat16":
        return f"tf.cast({text}, tf.bfloat16)"
    return f"tf.constant({text})" if form == "step" and layout > 0.7 else text
