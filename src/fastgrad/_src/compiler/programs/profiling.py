"""The profile of a program, step by step: kernels, arithmetic, memory traffic, and time."""

from __future__ import annotations

import html
import linecache
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from time import perf_counter
from typing import Any

import numpy as np

from fastgrad._src.compiler.graph.graph import Kind, Node, size_of
from fastgrad._src.compiler.graph.interpret import run_node
from fastgrad._src.compiler.passes.rewriting import op_name
from fastgrad._src.compiler.programs.buffers import Action, Plan
from fastgrad._src.compiler.programs.frame import Frame, nanoseconds_of
from fastgrad._src.core.operation import Form
from fastgrad._src.core.variable import writer_lock
from fastgrad._src.kernels.optimizers.update_rule import ZERO_GRADIENT_RESTS
from fastgrad._src.kernels.runtime import driver

_END_OF_TRACE_KERNEL_NAME = "end_program"
"""The name of the kernel at the end of a trace."""

TIMED_RUNS_PER_STEP = 5
"""How often a step runs; the shortest time counts."""


@dataclass(frozen=True)
class ProfileRow:
    """A row of a profile: one step of a program.

    Attributes:
        name: the kernel's name; the operation's for a step that runs in Python.
        operations: the operations of the node, and the shape of its first result.
        native: whether it is a kernel.
        flops: additions, multiplications, comparisons ...; a division counts as 4, a function such as a logarithm as 20.
        bytes: of its inputs and results, each once; of tables that are read or changed at given positions, only those rows.
        microseconds: on one thread, with all that fits in the cache; 0 for loops, and for calls of the user's Python.
        further: whether it is a further kernel of the operation of the row before it.
    """

    name: str
    operations: str
    native: bool
    flops: int
    bytes: int
    microseconds: float
    further: bool = False


@dataclass(frozen=True)
class ProfileReport:
    """The profile of a program's steps, as text in a table, and as a page by ``html()``: a line for each operation.

    Attributes:
        title: the function's name, and the key that it was recorded for.
        rows: the steps in order; of a program with several traces the steps of all of them.
        arena_bytes: memory for temporary values.
    """

    title: str
    rows: tuple[ProfileRow, ...]
    arena_bytes: int

    @property
    def kernels(self) -> int:
        """The number of the program's kernel calls."""
        return sum(row.native for row in self.rows)

    @property
    def without_kernels(self) -> tuple[ProfileRow, ...]:
        """The program's steps that run in Python."""
        return tuple([row for row in self.rows if not row.native])

    @property
    def microseconds(self) -> float:
        """The time of all the program's steps, in microseconds."""
        return sum(row.microseconds for row in self.rows)

    def __str__(self) -> str:
        lines = [self._summary(), ""]
        cells = [_HEADINGS, *self._cells()]
        widths = [max(len(line[i]) for line in cells) for i in range(len(_HEADINGS))]
        for line in cells:
            texts = [line[i].ljust(widths[i]) if i == 0 else line[i].rjust(widths[i]) for i in range(len(line) - 1)]
            lines.append("  ".join([*texts, line[-1]]).rstrip())
        return "\n".join(lines)

    def html(self) -> str:
        """Returns the profile as an HTML page, with a bar for each step's share of the time."""
        head = "".join(f"<th>{html.escape(text)}</th>" for text in _HEADINGS)
        total = self.microseconds or 1.0
        body = []
        for row, cells in zip(self._rows_by_operation(), self._cells(), strict=True):
            share = 100 * row.microseconds / total
            texts = "".join(f"<td>{html.escape(text)}</td>" for text in cells)
            body.append(
                f'<tr style="background:linear-gradient(to right,#cde {share:.1f}%,transparent {share:.1f}%)">{texts}</tr>'
            )
        return (
            f"<!doctype html><meta charset=utf-8><title>{html.escape(self.title)}</title>"
            "<style>body{font:14px sans-serif}td,th{padding:2px 10px;text-align:right}"
            "td:first-child,td:last-child,th:first-child,th:last-child{text-align:left}</style>"
            f"<h1>{html.escape(self.title)}</h1><p>{html.escape(self._summary())}</p>"
            f"<table><tr>{head}</tr>{''.join(body)}</table>"
        )

    def _summary(self) -> str:
        python = len(self.without_kernels)
        also = f", {python} operations without a kernel, which run as Python" if python else ", no Python between them"
        return (
            f"{self.title}: {self.kernels} kernels{also}; {self.microseconds:.1f} us, "
            f"{self.arena_bytes / 1024:.1f} KiB for intermediate values"
        )

    def _rows_by_operation(self) -> list[ProfileRow]:
        """Returns the report's rows merged to one row for each operation, without the ends of traces."""
        groups: list[list[ProfileRow]] = []
        for row in self.rows:
            if row.further:
                groups[-1].append(row)
            elif row.name != _END_OF_TRACE_KERNEL_NAME:
                groups.append([row])
        shown = []
        for group in groups:
            longest = max(group, key=lambda row: bool(row.operations))
            name = longest.name if len(group) == 1 else f"{longest.name} ({len(group)} kernels)"
            shown.append(replace(longest, name=name, microseconds=sum(row.microseconds for row in group)))
        return shown

    def _cells(self) -> Iterator[tuple[str, ...]]:
        total = self.microseconds or 1.0
        for row in self._rows_by_operation():
            seconds = max(row.microseconds, 1e-3) * 1e-6
            yield (
                row.name if row.native else f"{row.name} (Python)",
                f"{row.microseconds:.2f}",
                f"{100 * row.microseconds / total:.0f} %",
                f"{row.flops:,}",
                f"{row.bytes:,}",
                f"{row.flops / seconds / 1e9:.1f}",
                f"{row.bytes / seconds / 1e9:.1f}",
                row.operations,
            )


_HEADINGS = ("kernel", "us", "share", "FLOPs", "bytes", "GFLOP/s", "GB/s", "operations")


def program_text(program: Any) -> str:
    """Returns the text of a program: its steps in order, then the code of the kernels that were generated for it.

    Args:
        program: a ``Program``.
    """
    lines: list[str] = []
    kernels: dict[str, str] = {}
    for action in program.plan.actions:
        names = [] if action.launches is None else [launch.kernel.__name__ for launch in action.launches.launches]
        if names != [_END_OF_TRACE_KERNEL_NAME]:
            lines.append(f"# {', '.join(dict.fromkeys(names)) or 'Python'}: {_node_text(action.node)}")
        kernels |= {name: "".join(linecache.getlines(f"<fastgrad kernel {name}>")) for name in names}
    return "\n".join([*lines, "", *[text for text in kernels.values() if text]])


def profile(program: Any, title: str) -> ProfileReport:
    """Returns the profile of a program: runs each step a few times in separate memory, and restores variables.

    Args:
        program: a ``Program``.
        title: see ``ProfileReport``.
    """
    plan: Plan = program.plan
    variables = {id(v): v for v in [*plan.written]}
    saved_arrays = [(v, v._array.copy()) for v in variables.values()]
    frame = Frame(plan)
    arrays = [np.ones(value.shape, value.dtype) for _, value in plan.arguments if value.dtype.kind != "O"]
    arrays += [np.empty(value.shape, value.dtype) for value in plan.results if value.dtype.kind != "O"]
    objects = tuple(arrays)
    rows: list[ProfileRow] = []
    with writer_lock.lock:
        try:
            for variable in variables.values():
                variable._detach_views()
            timed = (
                driver.begin_program[()](objects, frame.words, 0) == driver.RAN_TO_END
            )  # False if it takes objects that are not arrays
            for action, steps in zip(plan.actions, frame.steps, strict=True):
                rows += _rows_of(action, steps, frame, timed)
        finally:
            for variable, array in saved_arrays:
                np.copyto(variable._array, array)
    return ProfileReport(title, tuple(rows), plan.arena_bytes)


def _rows_of(action: Action, steps: range, frame: Frame, timed: bool) -> Iterator[ProfileRow]:
    node = action.node
    # The user's code is not called for a profile, nor a loop: with arbitrary numbers it may not end.
    timed &= node.kind is not Kind.OPERATION or node.payload is None or op_name(node) is not None
    # Nor a collective: other processes would have to run it, too.
    timed &= not node.is_collective
    if action.launches is None:
        arrays = [np.ones(value.shape, value.dtype) for value in node.inputs]
        computes = timed and op_name(node) is not None and not node.has_effect
        time = _time_of_node(node, arrays) if computes else 0.0
        yield ProfileRow(_node_name(node), _node_text(node), False, flops_of(node), bytes_of(node), time)
        return
    changed = _changed_row_count(action, frame)  # by the values that the earlier steps have just written
    launches = action.launches.launches
    longest = max(launches, key=nanoseconds_of, default=None)  # its row shows the work of all kernels
    for step, launch in zip(steps, launches, strict=True):
        name: str = launch.kernel.__name__
        shows_work = launch is longest
        yield ProfileRow(
            name,
            _node_text(node) if shows_work else "",
            True,
            flops_of(node, changed) * shows_work,
            bytes_of(node, changed) * shows_work,
            _time_of_step(step, frame) if timed else 0.0,
            launch is not launches[0],
        )


def _time_of_step(step: int, frame: Frame) -> float:
    go_on = driver.continue_program[()]
    call, whole = [_shortest_time(partial(go_on, frame.words, step, stop)) for stop in (step, step + 1)]
    return max(whole - call, 0.0)


def _time_of_node(node: Node, arrays: list[np.ndarray]) -> float:
    try:
        return _shortest_time(lambda: run_node(node, arrays))
    except Exception:  # noqa: BLE001 - the operation may refuse an array of ones; its time is then unknown
        return 0.0


def _shortest_time(work: Callable[[], Any]) -> float:
    """Returns the shortest time of several runs, in microseconds."""
    times = []
    for _ in range(TIMED_RUNS_PER_STEP):
        start = perf_counter()
        work()
        times.append(perf_counter() - start)
    return min(times) * 1e6


def _changed_table_count(node: Node) -> int:
    """Returns the number of a node's results that are tables with some changed rows."""
    if (
        node.lowering.partial_update != "rows"
        or node.attributes.get("moves", ZERO_GRADIENT_RESTS) != ZERO_GRADIENT_RESTS
    ):
        return 0
    # All tables have the dtype of the first; the flags of rows are words.
    return sum(value.dtype == node.outputs[0].dtype for value in node.outputs)


def _changed_row_count(action: Action, frame: Frame) -> int | None:
    """Returns how many array rows a step changes with the values in the frame; None if the frame does not tell."""
    node = action.node
    if not _changed_table_count(node):
        return None
    place = len(node.outputs) + 2
    number = frame.array(action.inputs[place], node.inputs[place])
    count = node.inputs[place - 1].shape[0] if number is None else min(int(number), node.inputs[place - 1].shape[0])
    if _changed_table_count(node) == len(node.outputs):
        return count
    live = frame.array(action.outputs[-1], node.outputs[-1])
    return count if live is None else max(count, int(np.count_nonzero(live.view(np.uint8))))


def bytes_of(node: Node, changed: int | None = None) -> int:
    """Returns the bytes of memory that a node's kernel touches: its inputs and results, each once.

    Args:
        node: the node.
        changed: how many rows it changes, if it changes the rows that an input lists; default: all that are listed.
    """
    values = {id(value): value for value in (*node.inputs, *node.outputs)}
    total = 0
    tables = _changed_table_count(node)
    if tables:
        listed = node.inputs[len(node.outputs) + 1].shape[0]
        share = listed if changed is None else changed
        for value in node.outputs[:tables]:
            total += 2 * min(size_of(value), share * size_of(value) // max(value.shape[0], 1))  # read and written
        for value in (*node.inputs[:tables], *node.outputs[:tables]):
            values.pop(id(value), None)
    elif node.lowering.partial_update == "positions":
        total += 2 * min(size_of(node.outputs[0]), size_of(node.inputs[2]))
        for value in (node.inputs[0], node.outputs[0]):
            values.pop(id(value), None)
    elif node.kind is Kind.OPERATION and node.payload is not None and node.payload.form is Form.GATHER:
        total += min(size_of(node.inputs[0]), sum(map(size_of, node.outputs)))
        values.pop(id(node.inputs[0]), None)
    return total + sum(map(size_of, values.values()))


def flops_of(node: Node, changed: int | None = None) -> int:
    """Returns the estimated number of arithmetic operations of a node, of which ``changed`` rows are changed."""
    if node.kind is Kind.FUSED:
        return sum(map(flops_of, node.payload.graph.nodes))
    if node.kind is not Kind.OPERATION or node.payload is None:
        return 0
    if _changed_table_count(node):
        share = node.inputs[len(node.outputs) + 1].shape[0] if changed is None else changed
        return sum(share * prod(value.shape[1:]) for value in node.outputs[: _changed_table_count(node)])
    if node.lowering.partial_update == "positions":
        return prod(node.inputs[2].shape)
    if node.lowering.flops is not None:
        return node.lowering.flops(node.inputs, node.outputs, **node.attributes)
    largest = max([prod(value.shape) for value in (*node.inputs, *node.outputs)], default=0)
    if node.payload.form is Form.CONTRACT:
        # Each input has kept and summed dimensions; the result has the kept dimensions of both. The number of products
        # follows from the three sizes. Batch dimensions are in all three.
        x, y, z = *node.inputs[:2], node.outputs[0]
        shared = prod([x_size for x_size, y_size in zip(x.shape[:-2], y.shape[:-2], strict=False) if x_size == y_size])
        a, b, c = [prod(value.shape) for value in (x, y, z)]
        return 2 * round((a * b * c / shared) ** 0.5) if a and b and c else 0
    result_size = sum(prod(value.shape) for value in node.outputs)  # an optimizer's update has many results
    if node.payload.form in {Form.INDEX_MAP, Form.GATHER}:
        return 0
    return max(largest, result_size) * node.lowering.element_cost


def _node_name(node: Node) -> str:
    if node.kind in {Kind.OPERATION, Kind.FUSED} and node.payload is not None:
        return str(node.payload.name)
    return node.kind.name.lower()


def _node_text(node: Node) -> str:
    name = _node_name(node) if node.payload is not None else "copy"
    shape = node.outputs[0].type_text if node.outputs else node.inputs[0].type_text if node.inputs else ""
    return f"{name} {shape}".rstrip()
