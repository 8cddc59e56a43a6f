"""Random programs of more of the language than `random_programs.Writer` writes: the constructs that are rarer in numerical code.

Complex numbers, arrays of three axes, recursive helpers, helpers that return views and arrays, closures, comprehensions, lists with `pop`, loops
with `else`, rows of matrices as loop variables, sorted and joined arrays, stores to parts of an array that overlap what they read, index arrays
that the program makes, and arithmetic of integers.

Where Numba inlines a closure or a comprehension, it drops stores to arrays that it takes for unused: rows that are loop variables, items of tuples,
and arrays that helpers return (https://github.com/numba/numba/issues/7595). So a program has the ones or the others.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.derivatives.random_programs import LENGTH, ROWS, Writer

LAYERS = 2
"""The first axis of each array of three axes."""
HELPERS = {
    "recursive": """
@njit
def recursive(s, t, k):
    if k <= 0:
        return {value}
    if {condition}:
        return recursive(math.sin(t), s, k - 2) * {factor}
    return recursive(s * {factor}, math.cos(t), k - 1) + s * t
""",
    "refill": """
@njit
def refill(z, s, k):
    if k <= 0:
        return s * z[0]
    z[k % z.size] = math.sin(z[k - 1] * s)
    return refill(z, s * {factor}, k - 1) + z[k % z.size] * s
""",
    "tail": """
@njit
def tail(z, k):
    z[k] = z[k] * {factor}
    return z[k:]
""",
    "smoothed": """
@njit
def smoothed(z, s=0.4):
    result = np.empty_like(z)
    last = s
    for i in range(z.size):
        last = {factor} * last + math.tanh(z[i])
        result[i] = last * z[i - 1]
    return result
""",
    "moved": """
@njit
def moved(z, w, s):
    for i in range(w.size - 1):
        if z[i] > {factor}:
            w[i + 1] -= 0.3 * z[i] * s
        else:
            z[i] += 0.2 * w[i]
    return w, z[1] * s
""",
}


class WideWriter(Writer):
    """Writes one program.

    Attributes:
        complexes, cubes, orders, closures: the names in scope of complex numbers, arrays of three axes, arrays of `LENGTH` indices, and
            functions of one float inside the program.
        inlines: whether the program may have closures and comprehensions.
    """

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self.complexes: list[str] = []
        self.cubes: list[str] = []
        self.orders: list[str] = []
        self.closures: list[str] = []
        self.wide_helpers: list[str] = []
        self.inlines = rng.random() < 0.5

    def scoped(self) -> list[str]:
        return [*super().scoped(), "complexes", "cubes", "orders", "closures"]

    def write_helpers(self) -> None:
        self.lines[2] = "from numba import njit, prange"
        super().write_helpers()
        names = sorted(HELPERS.keys() - ({"tail", "moved"} if self.inlines else {}))
        self.wide_helpers = self.rng.sample(names, self.rng.randint(0, 3))
        self.floats, self.arrays, self.integers, self.views = ["s", "t"], [], ["k"], {}
        for name in self.wide_helpers:
            factor = f"{self.rng.uniform(-0.9, 0.9):.2f}"
            text = HELPERS[name].format(value=self.value(1), condition=self.condition(), factor=factor)
            self.lines += [*text.strip("\n").split("\n"), ""]

    def integer(self) -> str:
        if not self.in_program or self.rng.random() < 0.6:
            return super().integer()
        i, j = super().integer(), super().integer()
        forms = [
            f"({i} * 3 + {j}) // 2",
            f"({i} ^ 1)",
            f"({i} & {j})",
            f"min({i}, {j})",
            f"abs({i} - {j})",
            f"(7 - {i}) % 3",
        ]
        if self.orders:
            forms += [f"{self.rng.choice(self.orders)}[{i} % {LENGTH}]"] * 3
        return self.rng.choice(forms)

    def place(self, length: int) -> str:
        if self.rng.random() < 0.15:
            return f"-1 - {self.integer()} % {length}"
        return super().place(length)

    def value(self, depth: int) -> str:
        if depth == 0 or self.rng.random() < 0.7:
            return super().value(depth)
        left, right, factor = self.value(depth - 1), self.value(depth - 1), self.rng.choice(self.floats)
        limit = f"{self.rng.uniform(-0.8, 0.8):.2f}"
        forms = [
            f"math.atan2({left}, 1.5 + {right} * {right})",
            f"math.hypot({left}, 0.7)",
            f"(0.6 + {left} * {left}) ** math.sin({right})",
            f"abs({left})",
            f"-{left}",
            f"math.copysign({left}, {limit})",
            f"({left} / (1 + {self.integer()} % 3))",
            f"(({factor} > {limit}) * {right})",
            f"({left}, {right}, 0.3)[{self.integer()} % 3]",
            f"max({left}, min({right}, {limit}))",
            f"np.array([{left}, {right}])[{self.integer()} % 2]",
            f"(complex({left}, {right}) * complex({limit}, {left})).{self.rng.choice(['real', 'imag'])}",
            f"np.abs(complex(0.5 + {left} * {left}, {right}))",
        ]
        forms += [f"{name}({left})" for name in self.closures]
        if self.in_program:
            if "recursive" in self.wide_helpers:
                forms += [f"math.sin(recursive({left}, {right}, {self.integer()} % 4))"] * 3
            if self.arrays and "refill" in self.wide_helpers and not self.loops:
                forms += [f"math.sin(refill({self.rng.choice(self.arrays)}, {factor}, {self.integer()} % 5))"]
        for name in self.complexes:
            forms += [f"{name}.{self.rng.choice(['real', 'imag'])}", f"np.abs({name} + 1.7)"]
        for name in self.cubes:
            forms.append(f"{name}[{self.place(LAYERS)}, {self.place(ROWS)}, {self.place(LENGTH)}]")
        return self.rng.choice(forms)

    def reduction(self) -> str:
        if self.rng.random() < 0.5:
            return super().reduction()
        (name, length), (other, _), factor = self.array(), self.array(), self.rng.choice(self.floats)
        k = self.place(length)
        forms = [
            f"np.prod(np.cos({name}))",
            f"np.var({name})",
            f"np.max({name})",
            f"{name}.min()",
            f"{name}[np.argmax({name})]",
            f"np.sort({name})[{k}]",
            f"{name}[np.argsort({name})][{k}]",
            f"np.diff({name} * {factor})[{self.place(length - 1)}]",
            f"np.cumprod(np.cos({name}))[{k}]",
            f"np.linalg.norm({name})",
            f"np.concatenate(({other}, {name}))[-1 - {k} % {length}]",
            f"np.roll({name}, {self.integer()})[{k}]",
            f"np.clip({name}, -0.41, 0.63).sum()",
            f"np.abs({name} - {factor}).sum()",
            f"(1.0 / (1.0 + {name} * {name})).sum()",
            f"(-{name} + {factor} * {name} ** 3).sum()",
        ]
        if self.inlines:
            forms.append(f"sum([math.sin(e) for e in {name}])")
        if self.matrices:
            left, right = self.rng.choice(self.matrices), self.rng.choice(self.matrices)
            forms += [
                f"({left} @ {right}.T)[{self.place(ROWS)}, {self.place(ROWS)}]",
                f"np.vstack(({left}, {right}))[{self.place(2 * ROWS)}, {self.place(LENGTH)}]",
                f"np.diag({left}[:, 1:4]).sum()",
                f"np.linalg.det({left}[:, 2:] + 2.0 * np.eye({ROWS}))",
            ]
        for cube in self.cubes:
            forms += [f"{cube}.sum(axis=1)[{self.place(LAYERS)}, {self.place(LENGTH)}]", f"np.sum({cube} * {cube})"]
            forms.append(f"{cube}[:, {self.place(ROWS)}].sum()")
        return f"math.sin({self.rng.choice(forms)})"

    def statements(self) -> list[tuple[Callable[[], None], int]]:
        result = [each for each in super().statements() if not (self.inlines and each[0] == self.tuple_of_arrays)]
        result += [(self.complex_number, 2), (self.shifted_slice, 2 if self.arrays else 0)]
        result += [(self.flag, 1), (self.fading_loop, 1 if self.loops < 2 else 0)]
        if self.views:
            result += [(self.change_of_view, 4)]
        if self.lists:
            result += [(self.rarer_change_of_list, 2)]
        if self.in_program:
            result += [(self.new_cube, 1), (self.new_order, 1)]
            result += [(self.closure, 2), (self.comprehension, 2)] if self.inlines else []
            result += [(self.call_of_a_wide_helper, 3 if self.wide_helpers else 0), (self.changed_integer, 1)]
            result += [(self.three_scalars, 1), (self.joined_array, 1)]
            if self.loops < 2:
                result += [(self.loop_with_else, 1), (self.endless_loop, 1), (self.parallel_loop, 1)]
                result += [(self.loop_of_rows, 5 if self.matrices and not self.inlines else 0)]
                result += [(self.loop_of_list, 2 if self.lists else 0)]
        if self.cubes:
            result += [(self.change_of_cube, 3)]
        if self.matrices:
            result += [(self.part_of_matrix, 3)]
        return result

    def complex_number(self) -> None:
        if not self.complexes:
            self.write(f"c0 = complex({self.bounded(1)}, {self.value(0)})")
            self.complexes.append("c0")
            return
        name = self.rng.choice(self.complexes)
        forms = [
            f"{name} = np.exp(1j * {name}) * {self.rng.choice(self.floats)} / (3.0 + np.abs({name}))",
            f"{name} = {name} * complex(0.6, math.sin({self.rng.choice(self.floats)})) + 0.1",
            f"{name} = {name}.conjugate() / (2.5 + {name}.real ** 2)",
            f"{name} = complex(math.sin({name}.imag), math.cos({name}.real))",
        ]
        self.write(self.rng.choice(forms))

    def shifted_slice(self) -> None:
        name, other, factor = self.rng.choice(self.arrays), self.rng.choice(self.arrays), self.rng.choice(self.floats)
        forms = [
            f"{name}[1:] += 0.3 * {name}[:-1]",
            f"{name}[1:] *= np.cos({other}[:-1])",
            f"{name}[:-1] -= 0.2 * {name}[1:] * {other}[:-1]",
            f"{name}[:4:2] += 0.4 * {name}[1::2]",
            f"{name}[::-1] *= np.sin({other})",
            f"{name}[:] = {name}[::-1] * 0.7 + {other}",
            f"{name}[1:3], {name}[3:] = np.sin({name}[3:]), {name}[1:3] * {factor}",
            f"{name}[2:] = {name}[:-2] = np.sin({other}[1:4])",
            f"{name} /= 1.5 + {other} * {other}",
            f"{name} **= 2",
            f"{name}.fill(math.sin({factor}))",
        ]
        self.write(self.rng.choice(forms[:-2] if self.loops else forms))

    def change_of_view(self) -> None:
        name, length = self.rng.choice([*self.views.items()])
        factor = self.rng.choice(self.floats)
        forms = [
            f"{name}[:] = np.sin({name} * {factor})",
            f"{name}[1:] = {name}[:-1]",
            f"{name}[1:] += 0.3 * {name}[:-1]",
            f"{name} *= np.cos({name}[::-1])",
            f"{name} += 0.1 * math.tanh({factor})",
            f"{name}[:] = math.sin({factor})",
            f"{name}[{self.place(length)}] = {self.bounded(1)}",
        ]
        self.write(self.rng.choice(forms))

    def flag(self) -> None:
        name, target = self.new("q"), self.rng.choice(self.floats)
        self.write(f"{name} = {self.condition()}")
        self.write(f"{target} = {self.bounded(1)} if {self.rng.choice(['', 'not '])}{name} else {target} * 0.7")

    def fading_loop(self) -> None:
        counter, value = self.new("k"), self.new("s")
        self.write(f"{counter} = 0")
        self.write(f"{value} = 1.5 + math.sin({self.value(1)})")
        self.write(f"while {value} > 0.37 and {counter} < 6:")
        self.loops += 1
        with self.block():
            self.write(f"{value} *= 0.5 + 0.1 * math.cos({self.value(1)})")
            self.write(f"{counter} += 1")
            self.integers.append(counter)
            self.statement()
        self.loops -= 1
        self.floats.append(value)

    def rarer_change_of_list(self) -> None:
        name = self.rng.choice(self.lists)
        factor = self.rng.choice(self.floats)
        self.write(f"if len({name}) > 1:")
        with self.block():
            forms = [
                f"{factor} = 0.6 * {name}.pop()",
                f"{name}[0], {name}[-1] = {name}[-1] * 0.9, {name}[0]",
                f"{name}.extend([{self.bounded(1)}, {factor}])",
                f"{name}.insert(1, {self.bounded(1)})",
                f"{factor} = 0.4 * {name}.pop(0)",
            ]
            self.write(self.rng.choice(forms if not self.loops else forms[:2]))

    def new_cube(self) -> None:
        value = self.bounded(1)
        self.cubes.append(self.new("T"))
        self.write(f"{self.cubes[-1]} = np.full(({LAYERS}, {ROWS}, {LENGTH}), {value})")

    def change_of_cube(self) -> None:
        name, array, factor = self.rng.choice(self.cubes), self.rng.choice(self.arrays), self.rng.choice(self.floats)
        i, j, k = self.place(LAYERS), self.place(ROWS), self.place(LENGTH)
        forms = [
            f"{name}[{i}, {j}, {k}] = {self.bounded(1)}",
            f"{name}[{i}, {j}, {k}] += 0.3 * {self.bounded(1)}",
            f"{name}[{i}, {j}] = np.sin({array})",
            f"{name}[{i}][{j}][{k}] *= math.cos({factor})",
            f"{name}[{i}] *= np.cos({array})",
            f"{name}[{i}, :, {k}] = {array}[:{ROWS}]",
            f"{name}[1:] = {name}[:1] * 0.8",
            f"{name}[:, {j}, 1:] += 0.2 * {name}[:, {j}, :-1]",
            f"{array}[:] = {name}[{i}, {j}] * 0.9",
            f"{array}[:] = np.sin({name}[:, {j}, ::-1].sum(axis=0))",
        ]
        self.write(self.rng.choice(forms))
        if self.rng.random() < 0.3:
            self.matrices.append(self.new("M"))
            self.write(f"{self.matrices[-1]} = {name}[{i}]")

    def new_order(self) -> None:
        array, name = self.rng.choice(self.arrays), self.new("o")
        forms = [f"np.argsort({array})", f"np.arange({LENGTH})[::-1]", f"(index * 2 + {self.integer()}) % {LENGTH}"]
        self.write(f"{name} = {self.rng.choice(forms)}")
        self.orders.append(name)
        other, factor = self.rng.choice(self.arrays), self.rng.choice(self.floats)
        forms = [
            f"{array}[:] = {other}[{name}]",
            f"{array}[{name}] = np.sin({other} * {factor})",
            f"for j in {name}:\n{'    ' * (self.depth + 1)}{array}[j] = 0.5 * {array}[j] + math.sin({other}[j - 1])",
            f"{array}[{name}[1]] += 0.3 * {other}[{name}[2]]",
        ]
        self.write(self.rng.choice(forms))

    def closure(self) -> None:
        if self.depth > 1:
            self.flag()
            return
        constant, name = self.new("h"), self.new("f")
        self.write(f"{constant} = 0.{self.rng.randint(1, 9)}")
        self.write(f"def {name}(t):")
        self.write(f"    return math.sin(t * {constant}) + {self.rng.uniform(-0.9, 0.9):.2f} * t")
        self.closures.append(name)

    def comprehension(self) -> None:
        name, array = self.new("l"), self.array()[0]
        forms = [
            f"[math.sin(e * {self.rng.choice(self.floats)}) for e in {array}]",
            f"[{array}[j - 1] * {array}[j] for j in range(2)]",
            f"[math.cos(e + d) for e, d in zip({self.rng.choice(self.arrays)}, {self.rng.choice(self.arrays)})]",
        ]
        self.write(f"{name} = {self.rng.choice(forms)}")
        self.lists.append(name)

    def call_of_a_wide_helper(self) -> None:
        helper = self.rng.choice(self.wide_helpers)
        array, other = self.rng.sample(self.arrays, 2)
        factor, name = self.rng.choice(self.floats), self.new("w")
        if helper == "tail":
            start = self.rng.randint(0, 2)
            self.write(f"{name} = tail({array}, {start})")
            self.views[name] = LENGTH - start
        elif helper == "smoothed":
            text = self.rng.choice([array, f"{array}, {factor}", f"{array}[::-1], s={factor}"])
            self.write(f"{name} = smoothed({text})")
            self.arrays.append(name)
        elif helper == "moved":
            self.write(
                f"{name}, {factor} = moved({array}, {other}{self.rng.choice(['', '[::-1]'])}, math.sin({factor}))"
            )
            self.views[name] = LENGTH
        else:
            self.write(f"{factor} = {self.bounded(2)}")

    def changed_integer(self) -> None:
        name = self.new("m")
        forms = [
            f"{self.integer()} // 2 + 1",
            f"divmod({self.integer()} + 7, 3)[1]",
            f"({self.integer()} << 1) % {LENGTH}",
        ]
        self.write(f"{name} = {self.rng.choice(forms)}")
        self.integers.append(name)

    def three_scalars(self) -> None:
        first, second, third = self.new("s"), self.rng.choice(self.floats), self.rng.choice(self.floats)
        self.write(f"{first} = {self.bounded(1)}")
        self.write(
            f"{first}, ({second}, {third}) = {third}, ({first}, {second})" if second != third else f"{third} -= {first}"
        )
        self.floats.append(first)

    def joined_array(self) -> None:
        left, right, name = self.rng.choice(self.arrays), self.rng.choice(self.arrays), self.new("z")
        k = self.rng.randint(1, LENGTH - 1)
        forms = [
            f"np.concatenate(({left}[:{k}], {right}[{k}:]))",
            f"np.roll({left}, {self.integer()}) * {right}",
            f"np.sort({left})",
            f"np.array([{', '.join(self.value(0) for _ in range(LENGTH))}])",
            f"np.where({left} > 0.12, {right}, {left} * {self.rng.choice(self.floats)})",
            f"np.cumsum({left}) - {right}",
            f"np.empty_like({left})\n{'    ' * self.depth}{name}[:] = {right}",
            f"{left}.reshape(5, 1)[:, 0]",
        ]
        value = self.rng.choice(forms)
        self.write(f"{name} = {value}")
        if "reshape" in value:
            self.views[name] = LENGTH
        else:
            self.arrays.append(name)

    def loop_with_else(self) -> None:
        i = self.new("i")
        self.write(f"for {i} in range({self.rng.randint(1, 4)}):")
        self.loops += 1
        with self.block():
            self.integers.append(i)
            self.statement()
            self.write(f"if {self.condition()}:")
            with self.block():
                self.write("break")
            self.statement()
        self.loops -= 1
        self.write("else:")
        with self.block():
            self.statement()

    def endless_loop(self) -> None:
        counter = self.new("k")
        self.write(f"{counter} = 0")
        self.write("while True:")
        self.loops += 1
        with self.block():
            self.write(f"{counter} += 1")
            self.integers.append(counter)
            self.statement()
            self.write(f"if {counter} > {self.rng.randint(1, 4)} or {self.value(1)} > 0.83:")
            with self.block():
                self.write("break")
            self.statement()
        self.loops -= 1

    def parallel_loop(self) -> None:
        i, array, other = self.new("i"), self.rng.choice(self.arrays), self.rng.choice(self.arrays)
        self.write(f"for {i} in prange({LENGTH}):")
        self.loops += 1
        with self.block():
            self.integers.append(i)
            self.write(f"{array}[{i}] = math.sin({other}[{i}] * {self.value(1)})")
        self.loops -= 1

    def loop_of_rows(self) -> None:
        row, i, matrix = self.new("r"), self.new("i"), self.rng.choice(self.matrices)
        heads = [
            f"for {i}, {row} in enumerate({matrix}):",
            f"for {i}, {row} in zip(range({ROWS}), {matrix}):",
            f"for {i}, {row} in enumerate({matrix}.T[:{ROWS}]):",
        ]
        head = self.rng.choice(heads)
        length = ROWS if ".T" in head else LENGTH
        self.write(head)
        self.loops += 1
        with self.block():
            self.integers.append(i)
            self.views[row] = length
            forms = [
                f"{row}[{self.place(length)}] += 0.3 * {self.bounded(1)}",
                f"{row}[1:] = {row}[:-1]",
                f"{row} *= math.cos({self.value(1)})",
                f"{row}[:] = math.sin({self.value(1)})",
            ]
            self.write(self.rng.choice(forms))
            self.statement()
        self.loops -= 1

    def loop_of_list(self) -> None:
        element, name = self.new("e"), self.rng.choice(self.lists)
        self.write(f"for {element} in {name}:")
        self.loops += 1
        with self.block():
            self.floats.append(element)
            hidden, self.lists = self.lists, [other for other in self.lists if other != name]
            self.statement()
            self.lists = hidden
        self.loops -= 1

    def part_of_matrix(self) -> None:
        name, factor = self.rng.choice(self.matrices), self.rng.choice(self.floats)
        other = self.rng.choice(self.matrices)
        forms = [
            f"{name}[:2, 1:3] += 0.3 * {name}[1:, :2]",
            f"{name}[1:, 1:] -= 0.2 * {other}[:-1, :-1]",
            f"{name}[:, 0], {name}[:, 1] = {name}[:, 1].copy(), np.sin({other}[:, 0])",
            f"{name}[0], {name}[2] = {name}[1] * {factor}, {name}[0].copy()",
            f"{name} *= np.cos({other}) * 0.9",
            f"{name}[:] = {other}[::-1] * math.sin({factor})",
            f"{name}[:, 1:4] = {other}[:, 2:].T",
            f"{name}.T[1:3] = math.cos({factor})",
            f"{name}[{self.place(ROWS)}] += {name}.sum(axis=0) * 0.1",
            f"{name}[:, :{ROWS}] = ({name} @ {other}.T) * 0.2",
            f"{name}.flat[{self.place(ROWS * LENGTH)}] = {self.bounded(1)}",
            f"{name}.ravel()[2:] *= 0.9",
        ]
        self.write(self.rng.choice(forms))
