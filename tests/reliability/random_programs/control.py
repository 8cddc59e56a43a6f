"""Statements with parts of their own: branches, loops, functions, tapes."""

from __future__ import annotations

from tests.reliability.random_programs.builder import HALVES, Builder, Unfit, each, kind, together
from tests.reliability.random_programs.elementwise import unary_of
from tests.reliability.random_programs.program import Value


def _chain(b: Builder, x: str, bound: float, count: int | None = None) -> tuple[str, float]:
    """Several functions of x, one in the other, small in the end."""
    for _ in range(count if count is not None else 1 if b.plain else b.rng.choice([1, 1, 2, 3])):
        x, bound = unary_of(b, x if x.isidentifier() else f"({x})", bound)
    return (f"tf.tanh({x})", 1.0) if bound > 10 else (x, bound)


def _condition(b: Builder, x: Value) -> str:
    """True for about half of the values; far from the border as a rule."""
    if 0 in x.least:
        raise Unfit
    return b.rng.choice(
        ["tf.reduce_sum({x}) > 0.113", "tf.reduce_max({x}) > 0.537", "tf.reduce_mean(tf.abs({x})) < 0.611"]
    ).format(x=x.name)


def _scalar_of_state(b: Builder) -> str:
    """A number that is read from a variable, for bodies."""
    if not b.variables:
        return "0.5"
    return f"tf.reduce_mean({b.rng.choice(b.variables).name})"


def _impure(b: Builder) -> None:
    if b.pure:
        raise Unfit


@kind(3)
def if_statement(b: Builder) -> None:
    _impure(b)
    x = b.pick()
    first, bound = _chain(b, x.name, x.bound)
    second, other = _chain(b, x.name, x.bound)
    lines = [f"if {_condition(b, x)}:"]
    if b.variables and b.rng.random() < 0.4:
        v = b.rng.choice(b.variables)
        lines.append(f"    {v.name}.assign(0.9 * {v.name} + 0.05)")
    lines += [f"    {{y}} = {first}", "else:", f"    {{y}} = {second}"]
    b.lines(lines, x.shapes, max(bound, other))


@kind(2)
def while_statement(b: Builder) -> None:
    _impure(b)
    x = b.pick(lambda x: 0 not in x.least)
    y = b.rng.choice(["{y} * 0.4", "{y} * 0.3 + 0.01", "tf.tanh({y}) * 0.5"])
    b.lines([f"{{y}} = {x.name}", "while tf.reduce_max(tf.abs({y})) > 0.813:", f"    {{y}} = {y}"], x.shapes, 1.0)


@kind(1.5)
def for_statement(b: Builder) -> None:
    _impure(b)
    x = b.pick(lambda x: 0 not in x.least)
    n = f"tf.minimum(tf.reduce_sum(tf.cast({x.name} > 0.1, tf.int32)), 3)"
    loop = b.rng.choice(
        [f"for i in range(int({n})):", f"for i in tf.range({n}):", "for i in range(3):", "for i in tf.range(2):"]
    )
    b.lines([f"{{y}} = {x.name}", loop, "    {y} = tf.sin({y}) + 0.1 * tf.cast(i, {y}.dtype)"], x.shapes, x.bound + 2)


@kind(3)
def cond(b: Builder) -> None:
    x = b.pick()
    first, bound = _chain(b, x.name, x.bound)
    second, other = _chain(b, x.name, x.bound)
    test = _condition(b, x)
    bodies = [f"lambda: {first}", f"lambda: {second} * {_scalar_of_state(b)}"]
    if b.rng.random() < 0.5:
        bodies.reverse()
    lines = [f"{{y}} = tf.cond({test}, {', '.join(bodies)})"]
    if b.variables and not b.pure and b.rng.random() < 0.4:
        v = b.rng.choice(b.variables)
        body = b.name("f")
        lines = [
            f"def {body}():",
            f"    {v.name}.assign(0.9 * {v.name} + 0.03)",
            f"    return {first} + tf.reduce_mean({v.name})",
            f"{{y}} = tf.cond({test}, {body}, {bodies[1] if bodies[1].startswith('lambda: ' + second) else bodies[0]})",
        ]
        if first == second:
            raise Unfit
    b.lines(lines, x.shapes, 3 * max(bound, other) + 3)


@kind(1)
def switch_case(b: Builder) -> None:
    x = b.pick(lambda x: 0 not in x.least)
    branches = ", ".join([f"lambda: {_chain(b, x.name, x.bound)[0]}" for _ in range(3)])
    test = f"tf.cast(tf.reduce_max({x.name}) > 0.537, tf.int32) + tf.cast(tf.reduce_min({x.name}) > -0.537, tf.int32)"
    b.let(f"tf.switch_case({test}, [{branches}])", x.shapes, 10 + x.bound)


@kind(2.5)
def while_loop(b: Builder) -> None:
    x = b.pick(lambda x: 0 not in x.least)
    n = b.rng.choice(["3", f"tf.minimum(tf.reduce_sum(tf.cast({x.name} > 0.1, tf.int32)), 4)"])
    body = b.name("f")
    lines = [f"def {body}(i, y):"]
    if b.variables and not b.pure and b.rng.random() < 0.3:
        v = b.rng.choice(b.variables).name
        lines.append(f"    {v}.assign({v} * 0.9 + 0.01 * tf.cast(i, {v}.dtype))")
    chain, _ = _chain(b, "y", 1.0, 1)
    lines += [f"    return i + 1, tf.tanh({chain} + 0.1 * {_scalar_of_state(b)})"]
    lines += [f"{{y}} = tf.while_loop(lambda i, y: i < {n}, {body}, (0, {x.name}))[1]"]
    b.lines(lines, x.shapes, x.bound + 1)


@kind(1.5)
def tensor_array(b: Builder) -> None:
    """A loop that writes to a TensorArray, and reads from it."""
    x = b.pick(lambda x: x.rank < 3 and 0 not in x.least)
    reads = b.rng.random() < 0.4
    body, start = b.name("f"), b.name("t")
    lines = [
        f"{start} = tf.TensorArray({x.name}.dtype, 3, element_shape={x.name}.shape, clear_after_read=False)",
        *([f"{start} = {start}.write(2, {x.name} * 0.5)"] if reads else []),
        f"def {body}(i, y, t):",
        f"    y = tf.sin(y) + {'t.read(2)' if reads else '0.1'}",
        "    return i + 1, y, t.write(i, y)",
        f"_, {{y}}, {start} = tf.while_loop(lambda i, *_: i < 3, {body}, (0, {x.name}, {start}))",
        f"{{y}} = {start}.stack()",
    ]
    b.lines(lines, each(lambda s: (3, *s), x), x.bound + 2)


@kind(1.5)
def scan(b: Builder) -> None:
    x = b.pick(lambda x: x.rank > 0 and 0 not in x.least)
    text = b.rng.choice(
        [
            "tf.scan(lambda s, r: tf.tanh(s + r * 0.5), {x})",
            "tf.scan(lambda s, r: s * 0.5 + tf.sin(r), {x}, reverse=True)",
            "tf.scan(lambda s, r: tf.tanh(s * r), {x}, initializer=tf.ones_like({x}[0]))",
        ]
    )
    b.let(text.format(x=x.name), x.shapes, x.bound + 1)


@kind(2)
def map_over_rows(b: Builder) -> None:
    """A function of each row."""
    x = b.pick(lambda x: x.rank > 1 and 0 not in x.least)
    body = b.rng.choice(
        [
            _chain(b, "r", x.bound)[0],
            f"{_chain(b, 'r', x.bound)[0]} * {_scalar_of_state(b)}",
            "tf.cumsum(r, axis=-1) * 0.3",
            "r - tf.reduce_max(r)",
            "tf.sort(r)[..., ::-1]",
            "tf.where(tf.reduce_sum(r) > 0.0, r, -r)",
            "tf.cond(tf.reduce_sum(r) > 0.013, lambda: tf.sin(r), lambda: r * 0.5)",
            "tf.transpose(r) * 0.0 + tf.reduce_mean(r)" if x.rank == 2 else "r[::-1]",
            "tf.while_loop(lambda i, s: i < 2, lambda i, s: (i + 1, tf.sin(s) + r), (0, r))[1]",
        ]
    )
    name = b.rng.choice(["tf.vectorized_map", "tf.vectorized_map", "tf.map_fn"])
    b.let(f"{name}(lambda r: {body}, {x.name})", x.shapes, x.bound * 4 + 10)


@kind(2.5)
def nested_function(b: Builder) -> None:
    """A call of another function, which may change a variable."""
    x, y = b.pick(), b.pick(lambda y: 0 not in y.least)
    name = b.name("inner")
    chain, bound = _chain(b, "x", x.bound)
    lines = [f"def {name}(x, y):"]
    if b.variables and b.rng.random() < 0.5 and not b.pure:
        v = b.rng.choice(b.variables).name
        lines.append(f"    {v}.assign(0.95 * {v} + 0.02)")
    if b.rng.random() < 0.3 and not b.pure:
        lines += ["    if tf.reduce_sum(y) > 0.213:", "        x = x * 0.5"]
    lines += [f"    return {chain} + tf.reduce_mean(y) * {_scalar_of_state(b)}", f"{name} = function({name})"]
    b.setup[name] = tuple(lines)
    call = f"{name}({x.name}, {y.name})"
    if b.rng.random() < 0.3:
        call = (
            f"{call} + {name}({y.name if y.shapes == x.shapes else x.name}, {x.name if 0 not in x.least else y.name})"
        )
    b.let(call, x.shapes, 2 * bound + 12 * y.bound)


@kind(1.5)
def custom_gradient(b: Builder) -> None:
    x = b.pick()
    form = b.rng.randrange(4)
    name = b.name("own")
    if form == 0:
        lines = [
            "@tf.custom_gradient",
            f"def {name}(x):",
            "    e = tf.tanh(x)",
            "    return e * 2.0, lambda g: g * (1.0 - e) * 0.5",
        ]
        bound = 2.0
    elif form == 1:
        lines = [
            "@tf.custom_gradient",
            f"def {name}(x):",
            "    def slope(g):",
            "        return tf.clip_by_value(g, -0.1, 0.1)",
            "    return tf.identity(x), slope",
        ]
        bound = x.bound
    elif form == 2:
        lines = ["@tf.recompute_grad", f"def {name}(x):", f"    return {_chain(b, 'x', x.bound)[0]}"]
        bound = 12 + x.bound
    else:
        lines = [
            "@tf.custom_gradient",
            f"def {name}(x):",
            "    s = tf.sigmoid(x)",
            "    return x * s, lambda g: g * s * (1.0 + x * (1.0 - s))",
        ]
        bound = x.bound
    b.setup[name] = tuple(lines)
    b.let(f"{name}({x.name})", x.shapes, bound)


@kind(2.5)
def inner_gradient(b: Builder) -> None:
    """A gradient inside of the step."""
    x = b.pick()
    chain, _ = _chain(b, x.name, x.bound)
    tape = b.name("t")
    target = b.rng.choice(["tf.sin({y})", "tf.reduce_sum({y} * {y})", "tf.reduce_mean({y}) * {y}"])
    lines = [
        f"with tf.GradientTape() as {tape}:",
        f"    {tape}.watch({x.name})",
        f"    {{y}} = {chain} * {_scalar_of_state(b)}",
        f"    {{y}} = {target}",
        f"{{y}} = tf.atan({tape}.gradient({{y}}, {x.name}, unconnected_gradients='zero'))",
    ]
    b.lines(lines, x.shapes, 1.0)


@kind(1)
def inner_second_gradient(b: Builder) -> None:
    """A second derivative inside of the step, of a power above 4: TensorFlow's fourth derivative of x ** 3 at 0 is NaN."""
    x = b.pick()
    chain, _ = _chain(b, x.name, x.bound)
    t, u = b.name("t"), b.name("t")
    lines = [
        f"with tf.GradientTape() as {u}:",
        f"    {u}.watch({x.name})",
        f"    with tf.GradientTape() as {t}:",
        f"        {t}.watch({x.name})",
        f"        {{y}} = tf.reduce_sum(tf.tanh({chain}) ** 5)",
        f"    {{y}} = {t}.gradient({{y}}, {x.name}, unconnected_gradients='zero')",
        f"{{y}} = tf.atan({u}.gradient({{y}}, {x.name}, unconnected_gradients='zero'))",
    ]
    b.lines(lines, x.shapes, 1.0)


@kind(1)
def jacobian(b: Builder) -> None:
    x = b.pick(lambda x: 0 < x.elements <= 24 and x.rank in {1, 2} and 0 not in x.least)
    tape = b.name("t")
    chain, _ = _chain(b, x.name, x.bound)
    if x.rank == 2 and b.rng.random() < 0.5:
        of = f"tf.atan({tape}.batch_jacobian({{y}}, {x.name}, experimental_use_pfor=PARALLEL))"
        shapes = each(lambda s: (*s, s[1]), x)
    else:
        of = f"tf.atan({tape}.jacobian({{y}}, {x.name}, experimental_use_pfor=PARALLEL))"
        shapes = each(lambda s: (*s, *s), x)
    value = f"tf.cumsum({chain}, axis=-1) * {x.name}"
    b.lines(
        [
            f"with tf.GradientTape(persistent=True) as {tape}:",
            f"    {tape}.watch({x.name})",
            f"    {{y}} = {value}",
            f"{{y}} = {of}",
        ],
        shapes,
        1.0,
    )


@kind(0.7)
def forward_accumulation(b: Builder) -> None:
    x = b.pick()
    chain, _ = _chain(b, x.name, x.bound)
    a = b.name("t")
    b.lines(
        [
            f"with tf.autodiff.ForwardAccumulator({x.name}, tf.ones_like({x.name})) as {a}:",
            f"    {{y}} = {chain} * {x.name}",
            f"{{y}} = tf.atan({a}.jvp({{y}}, unconnected_gradients='zero'))",
        ],
        x.shapes,
        1.0,
    )


@kind(1)
def random_draw(b: Builder) -> None:
    """Random numbers, which TensorFlow draws differently."""
    _impure(b)
    if b.float in HALVES:
        raise Unfit
    x = b.pick()
    b.setup["generator"] = ("generator = tf.random.Generator.from_seed(7)",)
    b.referee = False
    text = b.rng.choice(
        [
            "{x} + generator.uniform({x}.shape, dtype={x}.dtype)",
            "{x} + tf.random.stateless_uniform({x}.shape, [1, 2], dtype={x}.dtype)",
            "tf.nn.experimental.stateless_dropout({x}, 0.4, [1, 2])",
        ]
    )
    b.let(text.format(x=x.name), x.shapes, 2 * x.bound + 1)


@kind(0.3)
def python_size(b: Builder) -> None:
    """Python numbers made of shapes and of values."""
    _impure(b)
    x = b.pick(lambda x: x.rank > 0 and 0 not in x.least)
    text = b.rng.choice(
        [
            "{x} * float({x}.shape[0])",
            "{x} * (1.0 if bool(tf.reduce_sum({x}) > 0.213) else 0.5)",
            "{x} * tf.cast(tf.shape({x})[0], {x}.dtype)",
            "{x} * tf.cast(tf.size({x}), {x}.dtype)",
        ]
    )
    b.let(text.format(x=x.name), x.shapes, x.bound * x.elements)


@kind(3)
def python_number(b: Builder) -> None:
    """A Python number that the caller chooses: a program for each of them."""
    number = b.pick(dtype="python")
    x = b.pick()
    text = b.rng.choice(["{x} * {k}", "{x} + {k}", "{x} * 0.5 if {k} > 1.0 else {x}"])
    b.let(text.format(x=x.name, k=number.name), x.shapes, x.bound * 2 + 2)


@kind(1)
def nested_structures(b: Builder) -> None:
    """A function of nested values, which gives some."""
    x = b.pick()
    y = b.other(x)
    name = b.name("inner")
    b.setup[name] = (
        f"def {name}(parts, *, factor=0.5):",
        "    return {'first': parts['pair'][0] * factor, 'rest': [parts['pair'][1], parts['pair'][0]]}",
        f"{name} = function({name})",
    )
    r = b.name("r")
    option = b.rng.choice(["", ", factor=0.25"])
    part = b.rng.choice([f"{r}['first'] + {r}['rest'][0]", f"{r}['rest'][0] * 0.5 + {r}['rest'][1]"])
    b.lines(
        [f"{r} = {name}({{'pair': ({x.name}, {y.name})}}{option})", f"{{y}} = {part}"],
        together(x, y),
        x.bound + y.bound,
    )
