"""Random Numba functions as source text, with arguments that are away from their kinks.

`draw(seed)` gives a program of nested loops, branches on values, early returns, overwritten arrays, matrices, views, masks, lists, tuples of
arrays, index arrays and helpers. Their values stay bounded: what a loop writes goes through a sine or a hyperbolic tangent.
"""

from __future__ import annotations

import ast
import linecache
import math
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numba.core.errors import NumbaError

from tests.derivatives import central
from tests.derivatives.table import active, copy_of

LENGTH = 5
"""Of each array that is an argument or that a program makes."""
ROWS = 3
"""Of each matrix."""
SMALLEST_MARGIN = 1e-3
LARGEST_SLOPE = 1e4


class Drawn(NamedTuple):
    """A program: its text, the compiled function `program` of the text, its arguments, and its gradients by differences."""

    source: str
    function: Any
    arguments: tuple[Any, ...]
    reference: central.Reference


def draw(seed: int, writer: type[Writer] | None = None) -> Drawn:
    """Returns the program of a seed by a kind of writer. It is drawn again until no condition is near a tie and the gradient is not zero."""
    for attempt in range(100):
        rng = random.Random(f"{seed} {attempt}")
        source = (writer or Writer)(rng).text()
        arguments = _arguments(rng)
        if margin(source, arguments) < SMALLEST_MARGIN:
            continue
        function = compiled(source, f"<random program {seed}.{attempt}>")
        reference = central.reference(function, arguments, active(arguments))
        slopes = np.abs(np.concatenate([np.ravel(gradient) for gradient in reference.gradients]))
        certain = all(np.all(error <= 1e-10 * (1 + slopes.max())) for error in reference.errors)
        if certain and 1e-6 < slopes.max() < LARGEST_SLOPE:
            return Drawn(source, function, arguments, reference)
    raise AssertionError(f"no program for seed {seed}")


def compiled(source: str, name: str) -> Any:
    """Returns the function `program` of a text, whose lines tracebacks and messages show."""
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    namespace: dict[str, Any] = {}
    exec(compile(source, name, "exec"), namespace)
    return namespace["program"]


def margin(source: str, arguments: tuple[Any, ...]) -> float:
    """Returns the least difference of two floats that the program compares; 0 if a small step of an argument decides otherwise."""
    tree = _Recorded().visit(ast.parse(source))
    recorder = _Recorder()
    namespace: dict[str, Any] = {"_compared": recorder}
    exec(compile(ast.fix_missing_locations(tree), "<recorded>", "exec"), namespace)
    function = namespace["program"]
    try:
        central.value(function, arguments)
    except NumbaError:  # it does not run as Python, where comparisons are recorded
        return 0.0
    decisions, least = recorder.decisions, recorder.least
    for moved in _perturbed(arguments):
        recorder.clear()
        central.value(function, moved)
        if recorder.decisions != decisions:
            return 0.0
    return least


class _Recorder:
    """Compares two numbers, and remembers the results and the least difference of floats."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.decisions: list[int] = []
        self.least = math.inf

    def __call__(self, left: Any, kind: str, right: Any) -> bool:
        if any(isinstance(each, (float, np.floating, np.ndarray)) for each in (left, right)):
            self.least = min(self.least, float(np.min(np.abs(left - right))))
        result = {
            "Lt": left < right,
            "Gt": left > right,
            "Eq": left == right,
            "GtE": left >= right,
            "LtE": left <= right,
        }[kind]
        self.decisions += [bool(each) for each in np.ravel(result)]
        return result if isinstance(result, np.ndarray) else bool(result)

    def ordered(self, array: np.ndarray) -> np.ndarray:
        """Returns an array that is sorted next: Numba orders equal elements otherwise than NumPy."""
        order = np.argsort(array)
        self.least = min(self.least, float(np.min(np.diff(array[order]))))
        self.decisions += order.tolist()
        return array


class _Recorded(ast.NodeTransformer):
    """Turns each comparison into a call of the recorder, which sees what `np.argsort` takes, too; and `abs`, `max`, `min`, `np.maximum` and `np.minimum` of two into comparisons."""

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        return _call("_compared", node.left, ast.Constant(type(node.ops[0]).__name__), node.comparators[0])

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name in {"maximum", "minimum"}:
            test = _call("_compared", node.args[0], ast.Constant("Lt" if name == "minimum" else "Gt"), node.args[1])
            node.func.attr = "where"  # type: ignore[attr-defined]
            node.args = [test, *node.args]
            return node
        if name == "argsort":
            node.args = [
                ast.Call(ast.Attribute(ast.Name("_compared", ast.Load()), "ordered", ast.Load()), node.args, [])
            ]
            return node
        if name not in {"abs", "max", "min"} or not isinstance(node.func, ast.Name):
            return node
        left = node.args[0]
        right = node.args[1] if len(node.args) > 1 else ast.UnaryOp(ast.USub(), left)
        test = _call("_compared", left, ast.Constant("Lt" if name == "min" else "Gt"), right)
        return ast.IfExp(test, left, right)


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def _perturbed(arguments: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    for place in active(arguments):
        for index in np.ndindex(np.shape(arguments[place])):
            for step in (-central.STEP, central.STEP):
                moved = np.array(arguments[place], np.longdouble)
                moved[index] += 1.1 * step * max(1.0, abs(moved[index]))
                yield tuple(moved[()] if at == place else copy_of(each) for at, each in enumerate(arguments))


def _arguments(rng: random.Random) -> tuple[Any, ...]:
    def some() -> np.ndarray:
        return np.array([round(rng.uniform(-1.5, 1.5), 3) for _ in range(LENGTH)])

    indices = np.array([rng.randrange(LENGTH) for _ in range(LENGTH)])
    return some(), some(), round(rng.uniform(-1.5, 1.5), 3), round(rng.uniform(0.2, 1.5), 3), rng.randint(1, 4), indices


class Writer:
    """Writes one program.

    Attributes:
        floats, arrays, matrices, lists, views, integers: the names that are in scope: floats, arrays of `LENGTH` elements, matrices of `ROWS`
            rows and `LENGTH` columns, lists of floats, views with their lengths, integers.
        loops: how many loops are around the line.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.lines: list[str] = []
        self.depth = 0
        self.loops = 0
        self.count = 0
        self.floats: list[str] = []
        self.arrays: list[str] = []
        self.matrices: list[str] = []
        self.lists: list[str] = []
        self.views: dict[str, int] = {}
        self.integers: list[str] = []
        self.helpers: list[str] = []
        self.in_program = False

    def text(self) -> str:
        """Returns the text of a program: imports, up to two helpers of each kind, and the function `program`."""
        self.lines = ["import math", "import numpy as np", "from numba import njit", ""]
        self.write_helpers()
        self.in_program = True
        self.floats, self.arrays, self.views, self.integers = ["a", "b"], ["x", "y"], {}, ["n"]
        self.write("@njit")
        self.write("def program(x, y, a, b, n, index):")
        with self.block():
            for _ in range(self.rng.randint(4, 8)):
                self.statement()
            arrays = [*self.arrays, *self.matrices]
            weights = " + ".join(f"({i + 1}.0 * {name} * {name}).sum()" for i, name in enumerate(arrays))
            self.write(f"return {weights} + {' + '.join(self.floats)} + x[{self.place(LENGTH)}] * {self.value(1)}")
        return "\n".join(self.lines) + "\n"

    def write_helpers(self) -> None:
        for kind in self.rng.sample(["scalar", "pair", "array"], self.rng.randint(0, 3)):
            self.helper(kind)

    def helper(self, kind: str) -> None:
        """Writes a helper: a float of two floats, two floats of two floats, or a float of an array that it changes."""
        self.floats, self.arrays, self.views, self.integers = ["s", "t"], [], {}, []
        self.kind = kind
        self.write("@njit")
        if kind == "array":
            self.arrays = ["z"]
            self.write("def changed(z, s, t):")
        else:
            self.write(f"def {kind}(s, t):")
        with self.block():
            for _ in range(self.rng.randint(1, 3)):
                self.statement()
            self.write(self.helper_return())
        self.write("")
        self.helpers.append(kind)

    def helper_return(self) -> str:
        """Returns the text of a return from the helper that is written."""
        result = self.value(2)
        return f"return {result}, {self.value(1)}" if self.kind == "pair" else f"return {result}"

    def write(self, line: str) -> None:
        self.lines.append("    " * self.depth + line if line else "")

    @contextmanager
    def block(self) -> Iterator[None]:
        """Indents; names that the block makes are out of scope after it."""
        scope = {name: getattr(self, name).copy() for name in self.scoped()}
        self.depth += 1
        yield
        self.depth -= 1
        vars(self).update(scope)

    def scoped(self) -> list[str]:
        """Returns the names of the attributes that hold what is in scope."""
        return ["floats", "arrays", "views", "integers", "matrices", "lists"]

    def new(self, kind: str) -> str:
        self.count += 1
        return f"{kind}{self.count}"

    def array(self) -> tuple[str, int]:
        """Returns the name of an array or view, and its length."""
        return self.rng.choice([*((name, LENGTH) for name in self.arrays), *self.views.items()])

    def integer(self) -> str:
        choices = [str(self.rng.randrange(LENGTH)), *self.integers * 2]
        if self.in_program:
            choices.append(f"index[{self.rng.randrange(LENGTH)}]")
            choices += [f"index[{name} % {LENGTH}]" for name in self.integers]
        return self.rng.choice(choices)

    def place(self, length: int) -> str:
        """Returns an index into ``length`` elements."""
        if self.rng.random() < 0.3:
            return str(self.rng.randrange(-length, length))
        integer = self.integer()
        return f"({integer} + {self.rng.randrange(length)}) % {length}"

    def value(self, depth: int) -> str:
        """Returns an expression of floats."""
        pick = self.rng.random()
        if depth == 0 or pick < 0.15:
            if pick < 0.1:
                return f"{self.rng.uniform(-1.5, 1.5):.2f}"
            if self.matrices and pick < 0.2:
                return f"{self.rng.choice(self.matrices)}[{self.place(ROWS)}, {self.place(LENGTH)}]"
            if self.lists and pick < 0.25:
                name = self.rng.choice(self.lists)
                return f"{name}[{self.integer()} % len({name})]"
            if self.arrays and pick < 0.6:
                name, length = self.array()
                return f"{name}[{self.place(length)}]"
            return self.rng.choice(self.floats)
        left, right = self.value(depth - 1), self.value(depth - 1)
        forms = [
            f"({left} * {right})",
            f"({left} + {right})",
            f"({left} - {right})",
            f"{left} / (1.5 + {right} * {right})",
            f"math.{self.rng.choice(['sin', 'cos', 'tanh', 'atan'])}({left})",
            f"math.exp(-abs({left}))",
            f"math.sqrt(0.5 + {left} * {left})",
            f"max({left}, {right})",
            f"({left} if {self.condition()} else {right})",
            f"({left}) ** 2",
        ]
        weights = [4, 4, 3, 2, 4, 1, 1, 1, 1, 1]
        if "scalar" in self.helpers:
            forms.append(f"scalar({left}, {right})")
            weights.append(2)
        if self.arrays:
            forms.append(self.reduction())
            weights.append(1)
        if self.integers:
            forms.append(f"({left} * {self.rng.choice(self.integers)})")
            weights.append(1)
        return self.rng.choices(forms, weights)[0]

    def reduction(self) -> str:
        """Returns a float made of an array."""
        (name, length), (other, size) = self.array(), self.array()
        n = min(length, size)
        forms = [
            f"np.tanh({name}).sum()",
            f"np.mean({name})",
            f"np.dot({name}[:{n}], {other}[{size - n}:])",
            f"np.sum(np.maximum({name}, {self.rng.choice(self.floats)}))",
            f"np.sum(np.where({name} > 0.13, {name}, {self.rng.choice(self.floats)}))",
            f"np.sum({name}[{name} > -0.21])",
            f"np.cumsum({name})[{self.place(length)}]",
        ]
        if self.matrices:
            matrix = self.rng.choice(self.matrices)
            forms += [
                f"np.sum({matrix}, axis=1)[{self.place(ROWS)}]",
                f"{matrix}.T.ravel()[{self.place(ROWS * LENGTH)}]",
            ]
            forms.append(f"np.dot({matrix}, {self.rng.choice(self.arrays)})[{self.place(ROWS)}]")
        return f"math.sin({self.rng.choice(forms)})"

    def bounded(self, depth: int = 2) -> str:
        """Returns an expression whose value is small in loops."""
        value = self.value(depth)
        return f"math.{self.rng.choice(['sin', 'tanh'])}({value})" if self.loops or not self.in_program else value

    def condition(self) -> str:
        if self.integers and self.rng.random() < 0.3:
            return f"{self.rng.choice(self.integers)} % {self.rng.randint(2, 3)} == {self.rng.randint(0, 1)}"
        if self.rng.random() < 0.2:
            return f"{self.value(0)} > {self.value(0)} and {self.value(0)} < 0.7"
        left = self.value(1)
        while not set(left) & set("abcdefghijklmnopqrstuvwxyz"):
            left = self.value(1)
        return f"{left} {self.rng.choice('<>')} {self.rng.uniform(-0.8, 0.8):.2f}"

    def statement(self) -> None:
        choices, weights = zip(*self.statements(), strict=True)
        self.rng.choices(choices, weights)[0]()

    def statements(self) -> list[tuple[Callable[[], None], int]]:
        """Returns the statements that can be written here, and how likely each is."""
        statements: list[tuple[Callable[[], None], int]] = [
            (self.scalar, 4),
            (self.new_scalar, 2),
            (self.exchange_of_scalars, 1),
            (self.pair, 1),
            (self.branch, 3 if self.depth < 4 else 0),
        ]
        if self.arrays:
            statements += [
                (self.element, 6),
                (self.slice, 2),
                (self.view, 1),
                (self.exchange_of_elements, 1),
                (self.change_by_a_helper, 2 if "array" in self.helpers else 0),
                (self.for_loop, 4 if self.loops < 2 else 0),
                (self.while_loop, 2 if self.loops < 2 else 0),
            ]
        if self.in_program:
            statements += [
                (self.new_array, 1),
                (self.rebound_array, 1),
                (self.exchange_of_arrays, 1),
                (self.changed_index, 1),
                (self.new_integer, 1),
                (self.new_matrix, 1),
                (self.new_list, 1),
                (self.tuple_of_arrays, 1),
            ]
        if self.matrices:
            statements += [(self.change_of_matrix, 4), (self.view_of_matrix, 2)]
        if self.lists:
            statements.append((self.change_of_list, 2))
        return [*statements, (self.early_return, 1)]

    def body(self) -> None:
        with self.block():
            for _ in range(self.rng.randint(1, 3)):
                self.statement()

    def scalar(self) -> None:
        name = self.rng.choice(self.floats)
        forms = [
            f"{name} = {self.bounded()}",
            f"{name} += 0.3 * {self.bounded(1)}",
            f"{name} *= math.cos({self.value(1)})",
        ]
        self.write(self.rng.choice(forms))

    def new_scalar(self) -> None:
        value = self.bounded()
        self.floats.append(self.new("s"))
        self.write(f"{self.floats[-1]} = {value}")

    def exchange_of_scalars(self) -> None:
        left, right = self.rng.sample(self.floats, 2)
        self.write(f"{left}, {right} = {right}, {left}")

    def pair(self) -> None:
        """Two floats by a tuple, or by a helper."""
        value = f"({self.bounded(1)}, {self.bounded(1)})"
        if "pair" in self.helpers:
            value = f"pair({self.bounded(1)}, {self.bounded(1)})"
        name, first, second = self.new("t"), self.new("s"), self.new("s")
        if self.rng.random() < 0.5:
            self.write(f"{first}, {second} = {value}")
        else:
            self.write(f"{name} = {value}")
            self.write(f"{first}, {second} = {name}[1], {name}[0] * {self.rng.choice(self.floats)}")
        self.floats += [first, second]

    def branch(self) -> None:
        self.write(f"if {self.condition()}:")
        self.body()
        if self.rng.random() < 0.3:
            self.write(f"elif {self.condition()}:")
            self.body()
        if self.rng.random() < 0.5:
            self.write("else:")
            self.body()

    def element(self) -> None:
        name, length = self.array()
        place = self.place(length)
        forms = [
            f"{name}[{place}] = {self.bounded()}",
            f"{name}[{place}] = {name}[{place}] * {self.bounded(1)}" if not self.loops else "",
            f"{name}[{place}] += 0.3 * {self.bounded(1)}",
            f"{name}[{place}] *= math.cos({self.value(1)})",
        ]
        self.write(self.rng.choice([form for form in forms if form]))

    def slice(self) -> None:
        name, other = self.rng.choice(self.arrays), self.rng.choice(self.arrays)
        factor = self.rng.choice(self.floats)
        forms = [
            f"{name}[1:4] = np.sin({other}[0:3] * {factor})",
            f"{name}[:] = np.tanh({other} + {factor})",
            f"{name}[1:] = 0.5 * {other}[:-1] * {name}[1:] / (1.0 + {factor} * {factor})",
            f"{name}[::2] = math.sin({factor})",
            f"{name}[::-1][:2] += 0.2 * np.cos({other}[3:] * {factor})",
            f"{name} *= np.cos({other} - {factor})",
            f"{name}[{name} > 0.17] *= 0.5",
            f"{name}[1:] = {name}[:-1]",
            f"{name}[:] = {other}[::-1]",
            f"{name}[2:], {name}[0] = {name}[:-2] * {factor}, {other}[1]",
            f"{name}[index[:3]] = np.sin({other}[1:4])" if self.in_program else f"{name}[:2] = {factor}",
            f"{name}[:] = np.where({other} > 0.11, {name}, np.sin({other}))",
        ]
        self.write(self.rng.choice(forms))

    def view(self) -> None:
        name = self.new("v")
        array, size = self.array()
        choices = [("[1:]", size - 1), ("[::2]", (size + 1) // 2), ("[::-1]", size), ("[:-1]", size - 1)]
        text, length = self.rng.choice([*choices, ("[-2::-1]", size - 1), (".copy()", size)])
        if length < 2:
            return
        self.write(f"{name} = {array}{text}")
        self.views[name] = length

    def exchange_of_elements(self) -> None:
        (left, n), (right, m) = self.array(), self.array()
        i, j = self.place(n), self.place(m)
        self.write(f"{left}[{i}], {right}[{j}] = {right}[{j}], {left}[{i}]")

    def change_by_a_helper(self) -> None:
        value = f"changed({self.rng.choice(self.arrays)}, {self.bounded(1)}, {self.value(0)})"
        self.floats.append(self.new("s"))
        self.write(f"{self.floats[-1]} = math.sin({value})")

    def for_loop(self) -> None:
        rng, i, value, other = self.rng, self.new("i"), self.new("e"), self.new("e")
        array, second = rng.choice(self.arrays), rng.choice(self.arrays)
        stop = rng.choice(["3", str(LENGTH), *self.integers[:1]])
        forms: list[tuple[str, list[str], list[str]]] = [
            (f"for {i} in range({stop}):", [i], []),
            (f"for {i} in range({LENGTH - 1}, {rng.randint(-1, 1)}, -{rng.randint(1, 2)}):", [i], []),
            (f"for {i} in range({rng.randint(0, 2)}, {LENGTH}, 2):", [i], []),
            (f"for {i}, {value} in enumerate({array}):", [i], [value]),
            (f"for {value}, {other} in zip({array}, {second}):", [], [value, other]),
            (f"for {value} in {array}:", [], [value]),
            (f"for {value} in {self.array()[0]}:", [], [value]),
        ]
        if self.in_program:
            forms.append((f"for {i} in index:", [i], []))
        head, integers, floats = rng.choice(forms)
        self.write(head)
        self.loops += 1
        with self.block():
            self.integers += integers
            self.floats += floats
            self.loop_body()
        self.loops -= 1

    def while_loop(self) -> None:
        counter = self.new("k")
        self.write(f"{counter} = 0")
        also = f" and {self.value(1)} < 1.7" if self.rng.random() < 0.4 else ""
        self.write(f"while {counter} < {self.rng.choice(['2', '4', *self.integers[:1]])}{also}:")
        self.loops += 1
        with self.block():
            self.write(f"{counter} += 1")
            self.integers.append(counter)
            self.loop_body()
        self.loops -= 1

    def loop_body(self) -> None:
        for _ in range(self.rng.randint(1, 2)):
            self.statement()
        if self.rng.random() < 0.4:
            self.write(f"if {self.condition()}:")
            with self.block():
                if self.rng.random() < 0.5:
                    self.statement()
                self.write(self.rng.choice(["break", "continue"]))
        for _ in range(self.rng.randint(1, 2)):
            self.statement()

    def new_array(self) -> None:
        old, factor = self.rng.choice(self.arrays), self.rng.choice(self.floats)
        forms = [f"{old}.copy()", f"np.zeros({LENGTH})", f"np.sin({old}) * {factor}", f"np.full({LENGTH}, {factor})"]
        value = self.rng.choice(forms)
        self.arrays.append(self.new("z"))
        self.write(f"{self.arrays[-1]} = {value}")

    def rebound_array(self) -> None:
        name, other = self.rng.choice(self.arrays), self.rng.choice(self.arrays)
        self.write(
            f"{name} = {self.rng.choice(['np.tanh', 'np.sin'])}({other} * {self.rng.choice(self.floats)} + {name})"
        )

    def exchange_of_arrays(self) -> None:
        left, right = self.rng.sample(self.arrays, 2)
        self.write(f"{left}, {right} = {right}, {left}")

    def new_matrix(self) -> None:
        x, y = self.rng.choice(self.arrays), self.rng.choice(self.arrays)
        forms = [f"np.outer({x}[:{ROWS}], {y})", f"np.zeros(({ROWS}, {LENGTH}))", f"np.sin(np.outer({y}[2:], {x}))"]
        if self.matrices:
            forms.append(f"{self.rng.choice(self.matrices)} * {y}")
        value = self.rng.choice(forms)
        self.matrices.append(self.new("M"))
        self.write(f"{self.matrices[-1]} = {value}")

    def change_of_matrix(self) -> None:
        name, array, factor = self.rng.choice(self.matrices), self.rng.choice(self.arrays), self.rng.choice(self.floats)
        other, row, column = self.rng.choice(self.matrices), self.place(ROWS), self.place(LENGTH)
        forms = [
            f"{name}[{row}, {column}] = {self.bounded()}",
            f"{name}[{row}, {column}] += 0.3 * {self.bounded(1)}",
            f"{name}[{row}] = np.sin({array})",
            f"{name}[:, {column}] *= 0.5",
            f"{name}[1:] = {name}[:-1]",
            f"{name}[:, ::-1] = np.sin({other} * {factor})",
            f"{name}.T[:] = {array}[:{ROWS}]",
            f"{name}[{row}, 1:] += 0.1 * np.tanh({array}[:-1])",
            f"{name}[::2] = {other}[:2] * 0.7",
            f"{array}[:] = {name}[{row}]",
            f"{array}[:] = np.tanh({name}.sum(axis=0))",
            f"{array}[1:4] = {name}[:, {column}]",
        ]
        self.write(self.rng.choice(forms))

    def view_of_matrix(self) -> None:
        matrix, name = self.rng.choice(self.matrices), self.new("v")
        forms = [
            (f"{matrix}[{self.place(ROWS)}]", LENGTH),
            (f"{matrix}[:, {self.place(LENGTH)}]", ROWS),
            (f"{matrix}.T[{self.place(LENGTH)}]", ROWS),
            (f"{matrix}.ravel()", ROWS * LENGTH),
            (f"{matrix}.reshape({LENGTH}, {ROWS})[{self.place(LENGTH)}]", ROWS),
            (f"{matrix}[1:].reshape({2 * LENGTH})", 2 * LENGTH),
            (f"{matrix}[::2, {self.place(LENGTH)}]", 2),
        ]
        text, self.views[name] = self.rng.choice(forms)
        self.write(f"{name} = {text}")

    def new_list(self) -> None:
        value = f"[{self.bounded(1)}, {self.rng.choice(self.floats)}]"
        self.lists.append(self.new("l"))
        self.write(f"{self.lists[-1]} = {value}")

    def change_of_list(self) -> None:
        name = self.rng.choice(self.lists)
        place = f"{self.integer()} % len({name})"
        forms = [f"{name}.append({self.bounded(1)})", f"{name}[{place}] = {self.bounded(1)}", f"{name}[-1] *= 0.9"]
        self.write(self.rng.choice(forms))

    def tuple_of_arrays(self) -> None:
        name, new = self.new("t"), self.new("z")
        left, right = self.rng.choice(self.arrays), self.rng.choice(self.arrays)
        self.write(f"{name} = ({left}, np.sin({right}), {self.bounded(1)})")
        self.write(f"{name}[{self.rng.randint(0, 1)}][{self.place(LENGTH)}] += 0.2 * {name}[2]")
        self.write(f"{new} = {name}[{self.rng.randint(0, 1)}] * {name}[2]")
        self.arrays.append(new)

    def changed_index(self) -> None:
        place = self.place(LENGTH)
        self.write(f"index[{place}] = (index[{place}] + {self.rng.randint(1, 3)}) % {LENGTH}")

    def new_integer(self) -> None:
        value = f"({self.integer()} + {self.rng.randint(1, 3)}) % {LENGTH}"
        self.integers.append(self.new("m"))
        self.write(f"{self.integers[-1]} = {value}")

    def early_return(self) -> None:
        self.write(f"if {self.condition()}:")
        with self.block():
            self.write(f"return {self.value(2)} + x[{self.place(LENGTH)}]" if self.in_program else self.helper_return())
