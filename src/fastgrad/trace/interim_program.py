"""Programs: optimized, fused graphs as straight lines of Python over arrays that are there already.

Every operation is one line of a generated function: a fused group calls its kernel with a buffer for each result, any
other runs as it does eagerly. Buffers are kept from replay to replay, and shared by values of one size that
are not needed at the same time; what the caller gets is never one of them.
"""

from __future__ import annotations

import linecache
from bisect import bisect_right
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from fastgrad.errors import InvalidArgumentError
from fastgrad.floating_errors import QUIET, errors_reset, errors_set
from fastgrad.kernels.body import digest
from fastgrad.kernels.launch import run_launches
from fastgrad.operation import Form, as_array
from fastgrad.trace.emit import launches_of_group
from fastgrad.trace.fuse import fuse
from fastgrad.trace.graph import Graph, Kind, Node, Value
from fastgrad.trace.interpret import GuardError
from fastgrad.trace.passes import optimized


class Program:
    """A graph, ready to be replayed. May be used by several threads, and while it runs.

    Args:
        graph: what was recorded; it is optimized and fused here.

    Attributes:
        graph: what is run.
        source: the generated function.
        buffer_bytes: memory that one replay works in, beside what operations that are not fused allocate.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = fuse(optimized(graph))
        writer = _Writer(self.graph)
        self.source = writer.source
        self.buffer_bytes = sum(writer.buffers.sizes)
        self._views = writer.buffers.views
        self._sizes = writer.buffers.sizes
        self._idle: list[list[np.ndarray]] = []
        self._run: Callable[..., list[np.ndarray]] = writer.compiled()

    def __call__(self, arguments: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Replays the program.

        Args:
            arguments: for each argument of the recording an array of the same shape and dtype.

        Returns:
            The results, arrays of their own.

        Raises:
            GuardError: as ``interpret``.
            InvalidArgumentError: an array that a kernel reads has another shape than it had in the recording.
        """
        idle = self._idle
        try:
            arena = idle.pop()  # in one step: another thread may be here, too
        except IndexError:
            arena = self._arena()
        token = errors_set(QUIET)
        try:
            return self._run(arguments, arena)
        finally:
            errors_reset(token)
            idle.append(arena)

    def _arena(self) -> list[np.ndarray]:
        memory = [np.empty(size, np.uint8) for size in self._sizes]
        return [memory[i][:size].view(dtype).reshape(shape) for i, size, dtype, shape in self._views]


class _Buffers:
    """Which memory each result of a fused group has."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.views: list[tuple[int, int, np.dtype, tuple[int, ...]]] = []
        self._free: dict[int, list[int]] = {}
        self._ends: dict[int, list[int]] = {}

    def of(self, value: Value, end: int) -> int:
        """The number of the array for a value that is needed up to the node ``end``."""
        size = prod(value.shape) * value.dtype.itemsize
        free = self._free.get(size)
        if free:
            buffer = free.pop()
        else:
            buffer = len(self.sizes)
            self.sizes.append(size)
        self._ends.setdefault(end, []).append(buffer)
        self.views.append((buffer, size, value.dtype, value.shape))
        return len(self.views) - 1

    def after(self, position: int) -> None:
        """Frees what the node at this position was the last to need."""
        for buffer in self._ends.pop(position, ()):
            self._free.setdefault(self.sizes[buffer], []).append(buffer)


def _may_give_views(node: Node) -> bool:
    """Whether a node may give views of what it reads; what the others give is made to be memory of its own."""
    return node.kind is Kind.OPERATION and node.payload.form is Form.INDEX_MAP


def _surely_computes(node: Node) -> bool:
    """Whether an operation gives new memory, so that nobody need look."""
    return node.payload.form is Form.CONTRACT or isinstance(node.payload.run, np.ufunc)


def reaches(graph: Graph) -> dict[int, int]:
    """For each value the position of the last node that may look into its memory, be it through views.

    What the caller gets is copied at the very end, after the last node.
    """
    last = {id(value): len(graph.nodes) for value in graph.results}
    for position in range(len(graph.nodes) - 1, -1, -1):
        node = graph.nodes[position]
        end = position
        if _may_give_views(node):
            end = max([position, *[last.get(id(value), position) for value in node.outputs]])
        for value in node.inputs:
            last[id(value)] = max(last.get(id(value), 0), end)
    return last


def _single(found: Any) -> np.ndarray:
    """The array that is the only result of an operation, which may give it as a tuple or as one of NumPy's scalars."""
    if type(found) is tuple:
        (found,) = found
    return found if type(found) is np.ndarray else as_array(found)


def _owned(array: np.ndarray, *inputs: np.ndarray) -> np.ndarray:
    """``array``, or a copy where it may be a view of an input."""
    return array.copy() if any(np.may_share_memory(array, x) for x in inputs) else array


class _Writer:
    """Writes the function of a program: a method for each kind of node."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.buffers = _Buffers()
        self.scope: dict[str, Any] = {"ndarray": np.ndarray, "single": _single, "empty": np.empty}
        self.scope |= {
            "GuardError": GuardError,
            "refuse_shape": _refuse_shape,
            "owned": _owned,
            "run_launches": run_launches,
        }
        self._lines: list[str] = []
        self._names: dict[int, str] = {}
        self._draws: dict[int, str] = {}
        self._reach = reaches(graph)
        self._changes = _changes(graph)
        self._results = {id(value) for value in graph.results}
        self._checked: set[int] = set()
        last = {id(value): position for position, node in enumerate(graph.nodes) for value in node.inputs}
        for position, node in enumerate(graph.nodes):
            getattr(self, f"_{node.kind.name.lower()}")(position, node)
            self.buffers.after(position)
            done = {
                id(v) for v in (*node.inputs, *node.outputs) if last.get(id(v), position) == position
            } - self._results
            names = sorted(self._names[i] for i in done)
            if names and node.kind is not Kind.CONSTANT:
                self._lines += [f"del {name}" for name in names if name.startswith("v")]
        self._return()
        lines = ["def replay(arguments, arena):"]
        if self.buffers.views:
            lines.append(f"    {', '.join(f'b{i}' for i in range(len(self.buffers.views)))}, = arena")
        self.source = "\n".join([*lines, *[f"    {line}" for line in self._lines]]) + "\n"

    def compiled(self) -> Callable[..., list[np.ndarray]]:
        """The function."""
        filename = f"<fastgrad program {digest(self.source.encode())[:12]}>"
        linecache.cache[filename] = len(self.source), None, self.source.splitlines(keepends=True), filename
        exec(compile(self.source, filename, "exec"), self.scope)  # noqa: S102 - our own text
        found: Callable[..., list[np.ndarray]] = self.scope["replay"]
        return found

    # ---- kinds of nodes --------------------------------------------------------------------------------

    def _argument(self, position: int, node: Node) -> None:
        self._lines.append(f"{self._named(node.outputs[0])} = arguments[{node.payload}]")

    def _constant(self, position: int, node: Node) -> None:
        self.scope[f"constant{position}"] = node.payload
        self._names[id(node.outputs[0])] = f"constant{position}"
        self._checked.add(id(node.outputs[0]))  # by ``validate``

    def _read(self, position: int, node: Node) -> None:
        variable, value = node.payload, node.outputs[0]
        self.scope[f"variable{position}"] = variable
        changes = self._changes.get(id(variable), [])
        following = bisect_right(changes, position)
        # Variables change in place: whoever looks after that must look at a copy.
        stale = following < len(changes) and changes[following] <= self._reach.get(id(value), position)
        self._lines.append(f"{self._named(value)} = variable{position}._array{'.copy()' if stale else ''}")

    def _draw(self, position: int, node: Node) -> None:
        generator, count = node.payload
        self.scope[f"take{position}"] = generator.take
        self._draws[id(node)] = f"d{position}"
        self._lines.append(f"d{position} = take{position}({count})")

    def _operation(self, position: int, node: Node) -> None:
        self.scope[f"run{position}"] = node.payload.run
        arguments = [self._names[id(value)] for value in node.inputs]
        plain = {}
        for key, value in node.attributes.items():
            if isinstance(value, Node):
                arguments.append(f"{key}={self._draws[id(value)]}[{0 if key == 'key' else 1}]")
            else:
                plain[key] = value
        if plain:
            self.scope[f"attributes{position}"] = plain
            arguments.append(f"**attributes{position}")
        names = [self._named(value) for value in node.outputs]
        call = f"run{position}({', '.join(arguments)})"
        self._lines.append(f"{', '.join(names)} = {call}" if names else call)
        looked = not (_may_give_views(node) or _surely_computes(node))
        read = list(dict.fromkeys(self._names[id(value)] for value in node.inputs))
        for name in names:
            self._lines.append(f"if type({name}) is not ndarray: {name} = single({name})")
            if looked and read:
                same = "".join(f" or {name} is {x}" for x in read)
                self._lines.append(f"if {name}.base is not None{same}: {name} = owned({name}, {', '.join(read)})")

    def _fused(self, position: int, node: Node) -> None:
        for value in node.inputs:
            self._check_shape(value)
        self.scope[f"launches{position}"] = launches_of_group(node.payload)
        outputs = []
        for value in node.outputs:
            name = self._named(value)
            outputs.append(name)
            self._checked.add(id(value))
            if id(value) in self._results:
                self.scope[f"dtype_{name}"] = value.dtype
                self._lines.append(f"{name} = empty({value.shape}, dtype_{name})")
            else:
                self._lines.append(f"{name} = b{self.buffers.of(value, self._reach.get(id(value), position))}")
        inputs = [self._names[id(value)] for value in node.inputs]
        self._lines.append(f"run_launches(launches{position}, [{', '.join(inputs)}], [{', '.join(outputs)}])")

    def _assign(self, position: int, node: Node) -> None:
        self.scope[f"assign{position}"] = node.payload.assign
        self._lines.append(f"assign{position}({self._names[id(node.inputs[0])]}.copy())")

    def _update(self, position: int, node: Node) -> None:
        update, variables = node.payload
        self.scope[f"repeat{position}"], self.scope[f"variables{position}"] = update.repeat, variables
        gradients = ", ".join(self._names[id(value)] for value in node.inputs)
        self._lines.append(f"repeat{position}(variables{position}, [{gradients}])")

    def _guard(self, position: int, node: Node) -> None:
        kind, wanted = node.payload
        self.scope[f"guard{position}"] = node
        look = "bool" if kind == "bool" else "int"
        self._lines.append(f"found = {look}({self._names[id(node.inputs[0])]}.reshape(()))")
        self._lines.append(f"if found != {wanted!r}: raise GuardError(guard{position}, found)")

    def _return(self) -> None:
        own = {id(v) for node in self.graph.nodes if node.kind is Kind.FUSED for v in node.outputs}
        found = []
        for value in self.graph.results:
            name = self._names[id(value)]
            found.append(name if id(value) in own else f"{name}.copy()")
            own.discard(id(value))  # the next one is a copy
        self._lines.append(f"return [{', '.join(found)}]")

    # ---- values ----------------------------------------------------------------------------------------

    def _named(self, value: Value) -> str:
        name = self._names[id(value)] = f"v{len(self._names)}"
        return name

    def _check_shape(self, value: Value) -> None:
        """Kernels trust sizes, so what they read is looked at once."""
        if id(value) not in self._checked:
            self._checked.add(id(value))
            name = self._names[id(value)]
            self._lines.append(f"if {name}.shape != {value.shape}: refuse_shape({str(value)!r}, {name}, {value.shape})")


def _changes(graph: Graph) -> dict[int, list[int]]:
    """For each variable that the program reads the positions of the nodes that may change it, in order.

    An optimizer changes more than it names: its steps count for all variables.
    """
    found: dict[int, list[int]] = {id(node.payload): [] for node in graph.nodes if node.kind is Kind.READ}
    for position, node in enumerate(graph.nodes):
        if node.kind is Kind.ASSIGN and id(node.payload) in found:
            found[id(node.payload)].append(position)
        elif node.kind is Kind.UPDATE:
            for positions in found.values():
                positions.append(position)
    return found


def _refuse_shape(name: str, array: np.ndarray, wanted: tuple[int, ...]) -> None:
    raise InvalidArgumentError(
        f"A recorded program got {name} of shape {list(array.shape)}; it was recorded with {list(wanted)}. "
        f"Record it again for other shapes."
    )
