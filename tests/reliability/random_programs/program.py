"""Programs as text: statements with names, which may be left out one by one, in a Python module that stands for itself."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path

Shapes = tuple[tuple[int, ...], tuple[int, ...]]
"""The shape of a value for either size of the batch."""

PRELUDE = Path(__file__).with_name("prelude.py").read_text()
"""What programs call beside the package, as text: the program's process need not have fastgrad."""


_PASSES = "fastgrad._src.compiler.passes"
THRESHOLDS = (
    (f"{_PASSES}.rematerialize", "LEAST_PEAK_BYTES", 0),
    (f"{_PASSES}.decompose_updates", "LEAST_UPDATE_BYTES", 8),
    ("fastgrad._src.compiler.fusion.product_updates", "LEAST_UPDATED_ELEMENTS", 4),
    ("fastgrad._src.compiler.programs.frame", "LEAST_THREADED_STEP_NANOSECONDS", 40.0),
    ("fastgrad._src.compiler.programs.frame", "LEAST_SHARE_NANOSECONDS", 20.0),
)
"""Sizes from which on the compiler decides otherwise: module, name, and the value with which small arrays are large."""


@dataclass(frozen=True)
class Value:
    """What is known of a value before the program runs.

    Attributes:
        name: of the Python variable.
        dtype: its name.
        shapes: for either size of the batch.
        bound: no element is farther from zero.
    """

    name: str
    dtype: str
    shapes: Shapes
    bound: float = 1.0

    @property
    def rank(self) -> int:
        return len(self.shapes[0])

    @property
    def elements(self) -> int:
        """As many as there are for the larger batch."""
        sizes = []
        for shape in self.shapes:
            count = 1
            for size in shape:
                count *= size
            sizes.append(count)
        return max(sizes)

    @property
    def least(self) -> tuple[int, ...]:
        """The smaller size of each dimension."""
        return tuple([min(pair) for pair in zip(*self.shapes, strict=True)])

    def like(self, other: Value) -> bool:
        return self.dtype == other.dtype and self.shapes == other.shapes


@dataclass(frozen=True)
class Statement:
    """Lines that give one value.

    Attributes:
        kind: the name of what it is, for counts.
        lines: of Python, the last of which assigns the value's name.
        value: what it gives.
    """

    kind: str
    lines: tuple[str, ...]
    value: Value


@dataclass(frozen=True)
class Program:
    """A program and its calls.

    Attributes:
        seed: what it was made of.
        statements: of the step, in order.
        arguments: of the step.
        setup: lines before the step, each group under the name that it makes.
        returned: names of the values that the step gives.
        gradient: lines that stand after the statements, under a tape if there are any; see `body`.
        calls: for each call its arguments as text.
        tolerance: of the comparison.
        form: what is done with the step: "step", or "map" for one over the rows of stacked arguments.
        referee: whether TensorFlow gives the same numbers.
        state: names of variables and layers whose values are compared.
        optimizer: what is done with the gradients of variables.
        small: whether the compiler does for small arrays what it would do for large ones; see `THRESHOLDS`.
    """

    seed: int
    statements: tuple[Statement, ...]
    arguments: tuple[Value, ...]
    setup: dict[str, tuple[str, ...]]
    returned: tuple[str, ...]
    calls: tuple[str, ...]
    tolerance: float
    gradient: str = ""
    targets: tuple[str, ...] = ()
    form: str = "step"
    referee: bool = True
    state: tuple[str, ...] = ()
    optimizer: str = ""
    small: bool = False

    def without(self, **changes: object) -> Program:
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]

    # ---- text ---------------------------------------------------------------------------------------------

    def source(self, noisy: bool = False) -> str:
        """The module, without its prelude: `make(function)` and `calls()`.

        Args:
            noisy: whether arguments and the values of statements are given to a function `rounded`, with the dtype in which they were computed.
        """
        step = self._step(noisy)
        text = "\n".join(step)
        setup = self._setup(text)
        state = [f"*{name}.weights" if name.startswith("layer") else name for name in self.state if name in text]
        lines = ["def make(function):"]
        lines += ["    " + line for line in [*setup, *step, f"return step, lambda: [{', '.join(state)}]"]]
        lines += ["", "", "def calls():", "    return ["]
        lines += [f"        ({call},)," for call in self.calls]
        return "\n".join([*lines, "    ]", ""])

    def _setup(self, text: str) -> list[str]:
        """The groups that the step needs, and those that these need."""
        lines: list[str] = []
        for name, group in reversed(self.setup.items()):
            if re.search(rf"\b{name}\b", text):
                text += "\n".join(group)
                lines[:0] = group
        return lines

    def _computed_in(self, statement: Statement) -> str:
        """The dtype in which a statement is computed: the compute dtype of a layer with mixed precision, or that of its value."""
        layers = [self.setup[name] for name in re.findall(r"\blayer\d+\b", " ".join(statement.lines))]
        mixed = re.search(r"mixed_(\w+)", " ".join([line for lines in layers for line in lines]))
        return mixed[1] if mixed else statement.value.dtype

    def _step(self, noisy: bool) -> list[str]:
        body = []
        for statement in self.statements:
            body += statement.lines
            if noisy and statement.value.dtype.startswith(("float", "bfloat")):
                value = statement.value.name
                body.append(f"{value} = rounded({value}, {self._computed_in(statement)!r})")
        names = ", ".join(argument.name for argument in self.arguments)
        head = [f"{a.name} = tf.convert_to_tensor({a.name})" for a in self.arguments if a.dtype != "python"]
        sources = [a.name for a in self.arguments if a.dtype.startswith(("float", "bfloat"))]
        if noisy:  # what a sum of them cancels depends on how they are rounded
            head += [f"{name} = rounded({name}, {name}.dtype.name)" for name in sources]
        variables = [name for name in self.state if name.startswith("v")]
        total = " + ".join(self.targets) or "0.0"
        result = [f"return [{', '.join(self.returned)}]"]
        if self.gradient:
            sources += variables
        of = f"[{', '.join(sources)}]"
        zero = 'unconnected_gradients="zero"'
        if self.gradient == "first":
            body = [*body, f"loss = {total}"]
            body = ["with tf.GradientTape() as tape:", f"    tape.watch({of})", *indented(body)]
            body += [f"slopes = tape.gradient(loss, {of}, {zero})"]
        elif self.gradient == "second":
            body = [*body, f"loss = {total}"]
            inner = ["with tf.GradientTape() as tape:", f"    tape.watch({of})", *indented(body)]
            inner += [f"first = tape.gradient(loss, {of}, {zero})"]
            if noisy:
                inner += ["first = [rounded(tf.convert_to_tensor(g), g.dtype.name) for g in first]"]
            inner += ["again = tf.add_n([tf.reduce_sum(tf.atan(g)) for g in first])"]
            body = ["with tf.GradientTape() as outer:", f"    outer.watch({of})", *indented(inner)]
            body += [f"slopes = [*first, *outer.gradient(again, {of}, {zero})]"]
        if self.gradient:
            # Gradients that nothing else reads may be joined with their updates.
            slopes = [] if self.optimizer == "as they are" else ["*slopes"]
            result = [f"return [{', '.join([*self.returned, 'loss', *slopes])}]"]
            if self.optimizer and variables:
                gradients = f"slopes[{len(sources) - len(variables)}:{len(sources)}]"
                if "atan" in self.optimizer:
                    gradients = f"[tf.atan(g) for g in {gradients}]"
                body += [f"optimizer.apply_gradients(zip({gradients}, [{', '.join(variables)}]))"]
        return [f"def step({names}):", *indented([*head, *body, *result]), "step = function(step)"]

    def text(self) -> str:
        """A program that stands for itself, and fails as this one does."""
        check = "check_step" if self.form == "step" else "check_map"
        small = "".join([f"import {m}\n{m}.{name} = {value}\n" for m, name, value in THRESHOLDS]) if self.small else ""
        header = PRELUDE[PRELUDE.index("import") :]
        return f'"""Seed {self.seed}."""\n\n{header}{small}\n\n{self.source()}\n\n\n{check}(make, calls(), {self.tolerance})\n'

    @property
    def size(self) -> int:
        return len(self.source())

    @property
    def dtype(self) -> str:
        """The dtype of most values."""
        return next(a.dtype for a in self.arguments if a.dtype.startswith(("float", "bfloat")))


def indented(lines: list[str]) -> list[str]:
    return ["    " + line for line in lines]
