"""Grows a program statement by statement: which values there are, their shapes for either size of the batch, how large they may be."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np

from tests.reliability.random_programs.program import Shapes, Statement, Value

LARGE = {"float16": 6.0}
"""Values that may be larger than this, or 40, are made smaller: differences by rounding grow with them, and float16 ends at 65,504."""

HALVES = ("float16", "bfloat16")
INTEGERS = ("int32", "int64")

MOST_ELEMENTS, MAX_RANK = 400, 4

ELEMENTWISE = {"unary": 0.35, "binary": 0.35, "ternary": 0.0, "along_axis": 0.5, "reduction": 0.7, "outer": 0.3}
"""How much less often than in others some kinds come in plain programs."""

Maker = Callable[["Builder"], None]
KINDS: dict[str, tuple[float, Maker]] = {}
"""By the name of a kind of statements how often it comes, and what makes one."""


class Unfit(Exception):
    """There is no value that such a statement could read."""


def kind(weight: float) -> Callable[[Maker], Maker]:
    """Adds a function that makes statements of the kind of its name."""

    def added(maker: Maker) -> Maker:
        KINDS[maker.__name__] = weight, maker
        return maker

    return added


class Builder:
    """A program that grows.

    Attributes:
        rng: what decides.
        float: the dtype of most values.
        pool: the values there are, the last ones first in most choices.
        statements, setup, state: see `Program`.
        plain: whether element-wise expressions are few and simple: most of what such programs fuse was compiled for another one.
        pure: whether the step must have no effects and no branches on values.
        referee: whether TensorFlow gives the same numbers.
        mixed: the policy of layers with mixed precision, if there are any.
    """

    def __init__(self, rng: random.Random, dtype: str, pure: bool, plain: bool) -> None:
        self.rng = rng
        self.plain = plain
        self.float = dtype
        self.pure = pure
        self.pool: list[Value] = []
        self.statements: list[Statement] = []
        self.setup: dict[str, tuple[str, ...]] = {}
        self.state: list[str] = []
        self.variables: list[Value] = []
        self.referee = True
        self.mixed = ""
        self._number = 0
        self.kind = ""

    # ---- choices ------------------------------------------------------------------------------------------

    def pick(self, fits: Callable[[Value], bool] = lambda value: True, dtype: str | None = None) -> Value:
        """A value of the pool; a late one as a rule."""
        dtype = dtype or self.float
        choice = [value for value in self.pool if value.dtype == dtype and fits(value)]
        if not choice:
            raise Unfit
        if self.rng.random() < 0.5:
            return choice[-1]
        return self.rng.choice(choice)

    def pick_integers(self, fits: Callable[[Value], bool] = lambda value: True) -> Value:
        """A value of integers of the pool."""
        choice = [value for value in self.pool if value.dtype in INTEGERS and fits(value)]
        if not choice:
            raise Unfit
        return choice[-1] if self.rng.random() < 0.5 else self.rng.choice(choice)

    def other(self, x: Value, fits: Callable[[Value], bool] = lambda value: True) -> Value:
        """A value that broadcasts with x."""
        return self.pick(lambda y: fits(y) and _broadcasts(x, y) and (y is not x or self.rng.random() < 0.2))

    def axis(self, x: Value) -> int:
        if not x.rank:
            raise Unfit
        axis = self.rng.randrange(x.rank)
        return axis - x.rank if self.rng.random() < 0.5 else axis

    def name(self, letter: str = "a") -> str:
        self._number += 1
        return f"{letter}{self._number}"

    # ---- statements -----------------------------------------------------------------------------------------

    def let(self, expression: str, shapes: Shapes, bound: float = 1.0, dtype: str | None = None) -> Value:
        """A statement of one line."""
        return self.lines([f"{{y}} = {expression}"], shapes, bound, dtype)

    def lines(self, lines: Sequence[str], shapes: Shapes, bound: float = 1.0, dtype: str | None = None) -> Value:
        """A statement; `{y}` stands for its value."""
        if any(len(shape) > MAX_RANK or np.prod(shape) > MOST_ELEMENTS for shape in shapes):
            raise Unfit
        name = self.name()
        dtype = dtype or self.float
        lines = [line.replace("{y}", name) for line in lines]
        if dtype.startswith(("float", "bfloat")) and bound > LARGE.get(dtype, 40.0):
            smaller = self.rng.choice(["tf.tanh({y} * {k})", "{y} * {k}"])
            lines.append(f"{name} = {smaller.format(y=name, k=float(f'{1 / bound:.2g}'))}")
            bound = 2.0
        value = Value(name, dtype, shapes, bound)
        self.statements.append(Statement(self.kind, tuple(lines), value))
        self.pool.append(value)
        return value

    def variable(self, shape: tuple[int, ...]) -> Value:
        """A variable of a shape, one that there is if possible."""
        for value in self.variables:
            if value.shapes[0] == shape and value.dtype == self.float:
                return value
        name = self.name("v")
        seed = self.rng.randrange(100)
        numbers = f"numbers({', '.join(map(str, (seed, *shape)))}, dtype={numpy_name(self.float)!r})"
        made = f"{name} = tf.Variable({numbers})"
        if self.float == "bfloat16":
            made = f"{name} = tf.Variable(tf.cast({numbers}, tf.bfloat16))"
        self.setup[name] = (made,)
        self.state.append(name)
        value = Value(name, self.float, (shape, shape), 3.0)
        self.variables.append(value)
        return value

    def grow(self, count: int) -> None:
        """Adds so many statements, of kinds by chance."""
        names = list(KINDS)
        weights = [KINDS[name][0] * (ELEMENTWISE.get(name, 1.0) if self.plain else 1.0) for name in names]
        tries = 0
        while len(self.statements) < count and tries < 20 * count:
            tries += 1
            self.kind = self.rng.choices(names, weights)[0]
            size = len(self.pool)
            state, setup, number = list(self.state), dict(self.setup), len(self.statements)
            try:
                KINDS[self.kind][1](self)
            except Unfit:
                del self.pool[size:], self.statements[number:]
                self.state, self.setup = state, setup
                self.variables = [v for v in self.variables if v.name in setup]


def numpy_name(dtype: str) -> str:
    return "float32" if dtype == "bfloat16" else dtype


def _broadcasts(x: Value, y: Value) -> bool:
    try:
        return all(np.prod(np.broadcast_shapes(a, b)) <= MOST_ELEMENTS for a, b in zip(x.shapes, y.shapes, strict=True))
    except ValueError:
        return False


def each(change: Callable[..., tuple[int, ...]], *values: Value) -> Shapes:
    """The shapes that a change gives for either size of the batch."""
    first, second = [tuple(change(*[value.shapes[k] for value in values])) for k in range(2)]
    return first, second


def together(*values: Value) -> Shapes:
    """The shapes of values that broadcast with each other."""
    return each(np.broadcast_shapes, *values)
