"""Statements that move elements: views, joins, gathers, scatters, casts."""

from __future__ import annotations

import math

from tests.reliability.random_programs.builder import INTEGERS, Builder, Unfit, each, kind
from tests.reliability.random_programs.elementwise import last_is_fixed


@kind(3)
def flattened(b: Builder) -> None:
    x = b.pick()
    b.let(f"tf.reshape({x.name}, [-1])", each(lambda s: (math.prod(s),), x), x.bound)


@kind(3)
def reshaped(b: Builder) -> None:
    """Two dimensions joined, or the last one parted."""
    x = b.pick(lambda x: x.rank > 0 and 0 not in x.least)
    if x.rank > 1 and b.rng.random() < 0.6:
        at = b.rng.randrange(x.rank - 1)
        shapes = each(lambda s: (*s[:at], s[at] * s[at + 1], *s[at + 2 :]), x)
        parts = [f"{x.name}.shape[{i}]" for i in range(x.rank)]
        text = ", ".join([*parts[:at], "-1", *parts[at + 2 :]])
    else:
        if not last_is_fixed(x):
            raise Unfit
        last = x.shapes[0][-1]
        factors = [f for f in (1, 2, 3, 4) if last % f == 0]
        f = b.rng.choice(factors)
        shapes = each(lambda s: (*s[:-1], last // f, f), x)
        text = ", ".join([*[f"{x.name}.shape[{i}]" for i in range(x.rank - 1)], str(last // f), str(f)])
    b.let(f"tf.reshape({x.name}, [{text}])", shapes, x.bound)


@kind(4)
def transposed(b: Builder) -> None:
    x = b.pick(lambda x: x.rank > 1)
    perm = list(range(x.rank))
    b.rng.shuffle(perm)
    b.let(f"tf.transpose({x.name}, {perm})", each(lambda s: tuple([s[p] for p in perm]), x), x.bound)


@kind(6)
def sliced(b: Builder) -> None:
    x = b.pick(lambda x: x.rank > 0 and 0 not in x.least)
    items, rank = [], b.rng.randint(1, x.rank)
    keys = []
    for axis in range(rank):
        least = x.least[axis]
        item = b.rng.choice([":", ":", "::-1", "0", "-1", "1:", ":-1", "::2", "1::2", "-2:", ":1", "tf.newaxis,:"])
        if least < 2 and item in {"1:", ":-1", "-2:", "1::2"}:
            item = ":"
        items.append(item)
        keys.append(item)
    if b.rng.random() < 0.2:
        items.insert(0, "...")
        items = ["...", *keys[: x.rank]]
    text = ", ".join(items).replace("newaxis,:", "newaxis, :")
    key = _key(text)

    def shape(s: tuple[int, ...]) -> tuple[int, ...]:
        import numpy as np

        return np.broadcast_to(np.int8(0), s)[key].shape

    b.let(f"{x.name}[{text}]", each(shape, x), x.bound)


def _key(text: str) -> tuple[object, ...]:
    items: list[object] = []
    for item in text.split(", "):
        if item == "...":
            items.append(...)
        elif item == "tf.newaxis":
            items.append(None)
        elif ":" in item:
            parts = [int(part) if part else None for part in item.split(":")]
            items.append(slice(*parts))
        else:
            items.append(int(item))
    return tuple(items)


@kind(2)
def expanded(b: Builder) -> None:
    x = b.pick(lambda x: x.rank < 3)
    axis = b.rng.randint(0, x.rank)
    b.let(f"tf.expand_dims({x.name}, {axis})", each(lambda s: (*s[:axis], 1, *s[axis:]), x), x.bound)


@kind(1)
def squeezed(b: Builder) -> None:
    x = b.pick(lambda x: any(p == (1, 1) for p in zip(*x.shapes, strict=True)))
    axis = [p == (1, 1) for p in zip(*x.shapes, strict=True)].index(True)
    b.let(f"tf.squeeze({x.name}, {axis})", each(lambda s: (*s[:axis], *s[axis + 1 :]), x), x.bound)


@kind(3)
def broadcast(b: Builder) -> None:
    x = b.pick(lambda x: x.elements <= 100)
    form = b.rng.randrange(3)
    if form == 0:
        k = b.rng.choice([2, 3])
        b.let(f"tf.broadcast_to({x.name}, [{k}, *{x.name}.shape])", each(lambda s: (k, *s), x), x.bound)
    elif form == 1 and x.rank:
        y = b.pick(
            lambda y: (
                y.rank >= x.rank
                and all(
                    all(p in (1, q) for p, q in zip(s[::-1], t[::-1], strict=False))
                    for s, t in zip(x.shapes, y.shapes, strict=True)
                )
            )
        )
        b.let(f"tf.broadcast_to({x.name}, {y.name}.shape)", y.shapes, x.bound)
    else:
        y = b.pick()
        if x.rank:
            raise Unfit
        b.let(f"tf.zeros_like({y.name}) + {x.name}", y.shapes, x.bound)


@kind(2)
def tiled(b: Builder) -> None:
    x = b.pick(lambda x: 0 < x.rank < 4 and x.elements <= 100)
    times = [b.rng.choice([1, 1, 2, 3]) for _ in range(x.rank)]
    b.let(
        f"tf.tile({x.name}, {times})", each(lambda s: tuple([p * q for p, q in zip(s, times, strict=True)]), x), x.bound
    )


@kind(1)
def repeated(b: Builder) -> None:
    x = b.pick(lambda x: x.rank > 0 and x.elements <= 100)
    axis = b.rng.randrange(x.rank)
    b.let(f"tf.repeat({x.name}, 2, axis={axis})", each(lambda s: (*s[:axis], 2 * s[axis], *s[axis + 1 :]), x), x.bound)


@kind(3)
def joined(b: Builder) -> None:
    x = b.pick(lambda x: x.rank > 0)
    axis = b.rng.randrange(x.rank)

    def but(s: tuple[int, ...]) -> tuple[int, ...]:
        return (*s[:axis], *s[axis + 1 :])

    y = b.pick(lambda y: y.rank == x.rank and all(but(s) == but(t) for s, t in zip(x.shapes, y.shapes, strict=True)))
    parts = [x, y, x] if b.rng.random() < 0.2 else [x, y]
    names = ", ".join([part.name for part in parts])
    shapes = each(lambda *s: (*s[0][:axis], sum(t[axis] for t in s), *s[0][axis + 1 :]), *parts)
    b.let(f"tf.concat([{names}], {axis})", shapes, max(x.bound, y.bound))


@kind(3)
def stacked(b: Builder) -> None:
    x = b.pick(lambda x: x.rank < 3)
    y = b.pick(lambda y: y.shapes == x.shapes)
    axis = b.rng.randint(0, x.rank)
    b.let(
        f"tf.stack([{x.name}, {y.name}], {axis})", each(lambda s: (*s[:axis], 2, *s[axis:]), x), max(x.bound, y.bound)
    )


@kind(3)
def split_and_joined(b: Builder) -> None:
    """Parts of a value, put together in another order or added up."""
    x = b.pick(lambda x: any(p[0] == p[1] and p[0] >= 2 for p in zip(*x.shapes, strict=True)))
    axes = [i for i, p in enumerate(zip(*x.shapes, strict=True)) if p[0] == p[1] and p[0] >= 2]
    axis = b.rng.choice(axes)
    size = x.shapes[0][axis]
    form = b.rng.randrange(4)
    part = b.name("p")
    if form == 0:
        b.lines(
            [f"{part} = tf.unstack({x.name}, axis={axis})", f"{{y}} = tf.stack({part}[::-1], {axis})"],
            x.shapes,
            x.bound,
        )
    elif form == 1:
        b.lines([f"{part} = tf.unstack({x.name}, axis={axis})", f"{{y}} = tf.stack({part}, {axis})"], x.shapes, x.bound)
    elif form == 2:
        count = next(k for k in (2, 3, 5, 7, size) if size % k == 0)
        shapes = each(lambda s: (*s[:axis], s[axis] // count, *s[axis + 1 :]), x)
        b.lines(
            [f"{part} = tf.split({x.name}, {count}, axis={axis})", f"{{y}} = {part}[0] * tf.sigmoid({part}[1])"],
            shapes,
            x.bound,
        )
    else:
        shapes = each(lambda s: s, x)
        b.lines(
            [
                f"{part} = tf.split({x.name}, [1, {size - 1}], axis={axis})",
                f"{{y}} = tf.concat([{part}[0] * 2.0, {part}[1]], {axis})",
            ],
            shapes,
            2 * x.bound,
        )


@kind(2)
def padded(b: Builder) -> None:
    x = b.pick(lambda x: x.rank > 0 and x.elements <= 150 and min(x.least) > 1)
    pads = [[b.rng.choice([0, 1]), b.rng.choice([0, 0, 1])] for _ in range(x.rank)]
    mode = b.rng.choice(["CONSTANT", "CONSTANT", "REFLECT", "SYMMETRIC"])
    shapes = each(lambda s: tuple([size + p + q for size, (p, q) in zip(s, pads, strict=True)]), x)
    b.let(f"tf.pad({x.name}, {pads}, {mode!r})", shapes, x.bound)


@kind(3)
def reversed_or_rolled(b: Builder) -> None:
    x = b.pick(lambda x: x.rank > 0)
    axis = b.rng.randrange(x.rank)
    text = b.rng.choice(
        [
            "tf.reverse({x}, [{a}])",
            "tf.reverse(tf.reverse({x}, [{a}]), [{a}])",
            "tf.roll({x}, 1, {a})",
            "tf.roll({x}, -2, {a})",
        ]
    )
    b.let(text.format(x=x.name, a=axis), x.shapes, x.bound)


@kind(4)
def gathered(b: Builder) -> None:
    """Rows or elements by constant or given places, some of them twice."""
    x = b.pick(lambda x: x.rank > 0 and 0 not in x.least)
    axis = b.rng.randrange(x.rank)
    ids = [value for value in b.pool if value.dtype in INTEGERS and value.bound <= x.least[axis] and value.rank == 1]
    if ids and b.rng.random() < 0.6:
        i = b.rng.choice(ids)
        shapes = each(lambda s, t: (*s[:axis], *t, *s[axis + 1 :]), x, i)
        b.let(f"tf.gather({x.name}, {i.name}, axis={axis})", shapes, x.bound)
    else:
        places = [b.rng.randrange(x.least[axis]) for _ in range(b.rng.choice([1, 2, 3]))]
        shapes = each(lambda s: (*s[:axis], len(places), *s[axis + 1 :]), x)
        b.let(f"tf.gather({x.name}, {places}, axis={axis})", shapes, x.bound)


@kind(2)
def embedded(b: Builder) -> None:
    """Rows of a table by ids, some of them twice."""
    i = b.pick_integers()
    width = b.rng.choice([2, 3, 4])
    table = b.variable((int(i.bound), width))
    text = b.rng.choice(
        ["tf.nn.embedding_lookup({v}, {i})", "tf.gather({v}, {i})", "tf.one_hot({i}, {n}, dtype={v}.dtype) @ {v}"]
    )
    b.let(text.format(v=table.name, i=i.name, n=int(i.bound)), each(lambda s: (*s, width), i), 3.0)


@kind(3)
def scattered(b: Builder) -> None:
    """Rows added up or put by ids, some of them twice."""
    i = b.pick_integers(lambda i: i.rank == 1)
    x = b.pick(lambda x: x.rank > 0 and [s[0] for s in x.shapes] == [s[0] for s in i.shapes])
    n = int(i.bound)
    rest = each(lambda s: (n, *s[1:]), x)
    form = b.rng.randrange(5)
    bound = x.bound * max(s[0] for s in x.shapes)
    if form == 0:
        b.let(f"tf.math.unsorted_segment_sum({x.name}, {i.name}, {n})", rest, bound)
    elif form == 1:
        b.let(f"tf.math.unsorted_segment_mean({x.name}, {i.name}, {n})", rest, x.bound)
    elif form == 2:
        b.let(f"tf.scatter_nd({i.name}[:, None], {x.name}, [{n}, *{x.name}.shape[1:]])", rest, bound)
    elif form == 3:
        b.let(f"tf.math.segment_sum({x.name}, tf.sort({i.name}) * 0)", each(lambda s: (1, *s[1:]), x), bound)
    else:
        y = b.pick(
            lambda y: (
                y.rank == x.rank
                and y.least[0] >= n
                and all(s[1:] == t[1:] for s, t in zip(x.shapes, y.shapes, strict=True))
            )
        )
        b.let(f"tf.tensor_scatter_nd_add({y.name}, {i.name}[:, None], {x.name})", y.shapes, bound + y.bound)


@kind(1)
def tensor_scatter(b: Builder) -> None:
    x = b.pick(lambda x: x.rank > 0 and x.least[0] >= 2)
    name = b.rng.choice(["tf.tensor_scatter_nd_update", "tf.tensor_scatter_nd_sub", "tf.tensor_scatter_nd_add"])
    b.let(f"{name}({x.name}, [[0], [1]], 0.5 * {x.name}[:2])", x.shapes, 2 * x.bound)


@kind(2)
def top_k(b: Builder) -> None:
    x = b.pick(lambda x: x.rank > 0 and last_is_fixed(x) and x.shapes[0][-1] >= 2)
    last = x.shapes[0][-1]
    if b.rng.random() < 0.5:
        b.let(f"tf.math.top_k({x.name}, 2)[0]", each(lambda s: (*s[:-1], 2), x), x.bound)
    else:
        b.let(f"tf.one_hot(tf.argmax({x.name}, -1), {last}, dtype={x.name}.dtype) * {x.name}", x.shapes, x.bound)


@kind(1)
def masked(b: Builder) -> None:
    x = b.pick(lambda x: x.rank > 0)
    text = b.rng.choice(
        [
            "tf.reduce_sum(tf.boolean_mask({x}, {x} > 0.0))",
            "tf.reduce_sum(tf.gather({x}, tf.where(tf.reshape({x}, [{x}.shape[0], -1])[:, 0] > 0.0)[:, 0]))",
        ]
    )
    if x.least[0] == 0 or 0 in x.least:
        raise Unfit
    b.let(text.format(x=x.name), ((), ()), x.bound * x.elements)


@kind(1)
def band_or_diagonal(b: Builder) -> None:
    x = b.pick(lambda x: x.rank >= 2 and 0 not in x.least)
    square = all(s[-1] == s[-2] for s in x.shapes)
    text = b.rng.choice(
        [
            "tf.linalg.band_part({x}, -1, 0)",
            "tf.linalg.band_part({x}, 0, 1)",
            *(
                ["tf.linalg.diag_part({x})", "tf.linalg.set_diag({x}, tf.linalg.diag_part({x}) * 2.0)"]
                if square
                else []
            ),
        ]
    )
    shapes = each(lambda s: s[:-1], x) if text.startswith("tf.linalg.diag_part") else x.shapes
    b.let(text.format(x=x.name), shapes, 2 * x.bound)


@kind(2)
def cast(b: Builder) -> None:
    """There and back through another dtype."""
    x = b.pick()
    narrow = {"float64": "float32", "float32": "bfloat16"}.get(b.float, "float32")
    form = b.rng.randrange(4)
    if form == 0 and (b.float != "float64" or b.mixed):
        text = f"tf.cast(tf.cast({x.name}, tf.{narrow}), {x.name}.dtype)"
    elif form == 1 and b.float != "float64":
        text = f"tf.cast(tf.cast({x.name}, tf.float64) * 0.5, {x.name}.dtype)"
    elif form == 2:
        text = (
            f"tf.cast({x.name} > 0.1, {x.name}.dtype) + tf.cast(tf.cast({x.name} > 0.5, tf.int32) * 2, {x.name}.dtype)"
        )
    elif b.float == "float64":
        text = (
            f"tf.math.real(tf.cast({x.name}, tf.complex128))"
            if b.rng.random() < 0.2
            else f"tf.cast({x.name}, tf.float64)"
        )
    else:
        text = f"tf.cast({x.name}, {x.name}.dtype)"
    b.let(text, x.shapes, x.bound + 3)


@kind(1.5)
def integer_arithmetic(b: Builder) -> None:
    """Whole numbers made of whole numbers."""
    i = b.pick_integers()
    n = int(i.bound)
    text = b.rng.choice(
        [
            "({i} + 1) % {n}",
            "{n} - 1 - {i}",
            "tf.reverse({i}, [0])",
            "tf.sort({i})",
            "tf.minimum({i}, {n} - 1)",
            "tf.bitwise.bitwise_xor({i}, 0)",
            "{i} // 1",
            "tf.concat([{i}, {i}[:1]], 0)[:-1]",
        ]
    )
    b.let(text.format(i=i.name, n=n), i.shapes, n, i.dtype)
