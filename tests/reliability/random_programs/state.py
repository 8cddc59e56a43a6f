"""Statements that read and change variables, in whole and in parts."""

from __future__ import annotations

from tests.reliability.random_programs.builder import Builder, Unfit, kind
from tests.reliability.random_programs.program import Value

SMALL = [(), (3,), (2, 3), (4,), (4, 1), (3, 3)]


def _variable(b: Builder, least: int = 0) -> Value:
    choice = [v for v in b.variables if v.rank >= least]
    if choice and b.rng.random() < 0.7:
        return b.rng.choice(choice)
    return b.variable(b.rng.choice([shape for shape in SMALL if len(shape) >= least]))


def _value_for(b: Builder, v: Value) -> str:
    """An expression of the variable's shape, small enough to be assigned again and again."""
    same = [value for value in b.pool if value.like(v)]
    if same and b.rng.random() < 0.6:
        x = b.rng.choice(same).name
        return b.rng.choice(
            [
                f"tf.tanh({x})",
                f"tf.sin({x}) * 0.5",
                f"tf.clip_by_value({x}, -1.0, 1.0)",
                f"0.5 * {v.name} + 0.1 * tf.tanh({x})",
            ]
        )
    x = b.pick(lambda value: 0 not in value.least).name
    return f"tf.zeros_like({v.name}) + tf.tanh(tf.reduce_mean({x}))"


@kind(3)
def read_variable(b: Builder) -> None:
    v = _variable(b)
    text = b.rng.choice(
        ["{v} * 1.0", "{v} + 0.5", "{v}.value()", "tf.convert_to_tensor({v})", "tf.identity({v})", "tf.tanh({v})"]
    )
    b.let(text.format(v=v.name), v.shapes, 4.0)


@kind(5)
def assign_variable(b: Builder) -> None:
    if b.pure:
        raise Unfit
    v = _variable(b)
    value = _value_for(b, v)
    form = b.rng.randrange(6)
    name = v.name
    if form == 0:
        lines = [f"{name}.assign({value})", f"{{y}} = {name} * 1.0"]
    elif form == 1:
        lines = [f"{name}.assign_add(0.1 * ({value}))", f"{{y}} = {name}.value()"]
    elif form == 2:
        old = b.name("o")
        lines = [f"{old} = {name} * 1.0", f"{name}.assign(0.9 * {name} + 0.1 * ({value}))", f"{{y}} = {old} - {name}"]
    elif form == 3:
        old = b.name("o")
        lines = [f"{old} = {name}.value()", f"{name}.assign({value})", f"{{y}} = {old}"]
    elif form == 4:
        lines = [f"{{y}} = tf.convert_to_tensor({name}.assign_sub(0.05 * ({value})))"]
    else:
        lines = [f"{{y}} = {value}", f"{name}.assign({{y}})"]
    b.lines(lines, v.shapes, 4.0)


@kind(2)
def assign_slice(b: Builder) -> None:
    if b.pure:
        raise Unfit
    v = _variable(b, 1)
    rows = v.shapes[0][0]
    key, part = b.rng.choice([("0", "0"), ("-1", "0"), (":1", "-1:"), ("::2", "::2"), ("::-1", ":")])
    lines = [f"{v.name}[{key}].assign(tf.tanh({_value_for(b, v)})[{part}] * 0.5)", f"{{y}} = {v.name} + 0.25"]
    if b.rng.random() < 0.3:
        lines = [
            f"{v.name}.scatter_nd_{b.rng.choice(['add', 'sub', 'update'])}([[0], [{rows - 1}]], tf.stack([{v.name}[0] * 0.1, {v.name}[{rows - 1}] * 0.2]))",
            f"{{y}} = {v.name}.value()",
        ]
    if b.rng.random() < 0.2:
        lines = [
            f"{v.name}.scatter_add(tf.IndexedSlices(tf.stack([{v.name}[0] * 0.1, {v.name}[0] * 0.1]), [0, 0]))",
            f"{{y}} = {v.name} * 1.0",
        ]
    b.lines(lines, v.shapes, 5.0)


@kind(2)
def swap_variables(b: Builder) -> None:
    """Two variables change places; one is read in between."""
    if b.pure:
        raise Unfit
    v = _variable(b)
    others = [w for w in b.variables if w.like(v) and w is not v]
    if others:
        w = b.rng.choice(others)
    else:
        name = b.name("v")
        b.setup[name] = (
            f"{name} = tf.Variable(tf.cast(numbers({', '.join(map(str, (b.rng.randrange(100), *v.shapes[0])))}), tf.{v.dtype}))",
        )
        b.state.append(name)
        w = Value(name, v.dtype, v.shapes, 3.0)
        b.variables.append(w)
    old = b.name("o")
    how = b.rng.choice(
        [f"{v.name}.value()", f"{v.name} * 1.0", f"tf.identity({v.name})", f"tf.convert_to_tensor({v.name})"]
    )
    back = b.rng.choice([old, f"0.5 * {old}", f"tf.sin({old})"])
    b.lines(
        [f"{old} = {how}", f"{v.name}.assign({w.name})", f"{w.name}.assign({back})", f"{{y}} = {old} + {w.name}"],
        v.shapes,
        8.0,
    )


@kind(0.7)
def assertion(b: Builder) -> None:
    """A check that a later call may fail."""
    if b.pure:
        raise Unfit
    x = b.pick(lambda x: 0 not in x.least)
    limit = b.rng.choice([1e9, 1e9, 0.4 * x.bound])
    b.lines(
        [
            f"tf.debugging.assert_less(tf.reduce_max({x.name}), tf.constant({limit}, {x.name}.dtype))",
            f"{{y}} = tf.ensure_shape({x.name}, {x.name}.shape)",
        ],
        x.shapes,
        x.bound,
    )
