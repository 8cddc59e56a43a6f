"""Updates of all variables of a model in one launch, and the norms of all gradients in two.

A block updates as many neighbouring elements as a CPU unit has, counted through all variables. Its threads update four at a time,
one access of 128 bits for each of weights, slots and gradients.
"""

from __future__ import annotations

import functools
import linecache
from collections.abc import Mapping
from typing import Any

from fastgrad.cuda.codegen.body import load_aligned, shared_array, store_aligned, thread, threads
from fastgrad.cuda.codegen.kernel import DeviceKernel, OnDevice, device_kernel
from fastgrad.cuda.kernels.batch_matmul import block_sum
from fastgrad.cuda.kernels.instead import Instead, Memory, with_kernel
from fastgrad.cuda.kernels.row_updates import WAYS, rows_instead
from fastgrad.kernels.codegen.body import digest
from fastgrad.kernels.codegen.signature import parse_signature
from fastgrad.kernels.math.vector_math import greatest, least
from fastgrad.kernels.optimizers.norms import blocks_of_several, sums_of_squares, totals_of_several
from fastgrad.kernels.optimizers.update_rule import MADE, UNIT, UpdateRule
from fastgrad.kernels.runtime.launch import Launch

FLOATS = ("float32", "float64")
PARTS = 32
"""The number of blocks that share the squares of one array."""

_NAMES: dict[str, Any] = {
    "greatest": greatest,
    "least": least,
    "load_aligned": load_aligned,
    "store_aligned": store_aligned,
    "thread": thread,
    "threads": threads,
}


def _source(rule: UpdateRule) -> str:
    every, hyper = (*rule.state, "g"), rule.arguments
    lines = [f"def {rule.__name__}({', '.join(every)}, count, sizes, first, last, {', '.join(rule.given)}):"]
    lines += [f"    {line}" for line in rule.constants]
    lines += [
        f"    start, stop = first * {UNIT}, last * {UNIT}",
        "    for k in range(count):",
        f"        {', '.join(f'{x}_' for x in every)} = {', '.join(f'{x}[k]' for x in every)}",
        "        size = sizes[k]",
        "        for four in range((greatest(start, 0) + 3) // 4 + thread(), (least(stop, size) + 3) // 4, threads()):",
        "            i = four * 4",
        "            if i + 4 <= size:",
    ]
    lines += [f"                {x}0 = load_aligned({x}_, i)" for x in every]
    lines += [f"                {x}{e} = {x}_[i + {e}]" for e in (1, 2, 3) for x in every]
    for e in range(4):
        new, old = (", ".join(f"{x}{e}" for x in names) for names in (rule.state, every))
        lines.append(f"                {new} = step({old}, {hyper})")
    for x in (
        rule.state
    ):  # one array after the other: possible overlaps keep the order, so each array's four stores are one access
        lines.append(f"                store_aligned({x}_, i, {x}0)")
        lines += [f"                {x}_[i + {e}] = {x}{e}" for e in (1, 2, 3)]
    targets, given = (", ".join(f"{x}_[j]" for x in names) for names in (rule.state, every))
    lines += [
        "            else:",
        "                for j in range(i, size):",
        f"                    {targets} = step({given}, {hyper})",
        "        start, stop = start - size, stop - size",
    ]
    return "\n".join(lines) + "\n"


@functools.cache
def update_of(rule: UpdateRule) -> DeviceKernel:
    """Returns the kernel with the parameters of `rule.variables`."""
    source = _source(rule)
    filename = f"<fastgrad update {rule.__name__} {digest(source.encode())[:12]}>"
    linecache.cache[filename] = len(source), None, source.splitlines(keepends=True), filename
    scope = {**_NAMES, "step": rule.step}
    exec(compile(source, filename, "exec"), scope)  # noqa: S102 - our own text
    parameters = [*[f"{name}: inouts[T]" for name in rule.state], "g: ins[T], count: count, sizes: sizes"]
    parameters += ["first: int", "last: int", *[f"{name}: float" for name in rule.given]]
    signature: Any = parse_signature(", ".join(parameters))
    function: Any = scope[rule.__name__]
    return DeviceKernel(function, signature, {"T": FLOATS}, together=True, noalias=False)


@device_kernel("g: ins[T], count: count, sizes: sizes, squares: out[T], parts: int, first: int, last: int", T=FLOATS)
def squares_of_parts(g, count, sizes, squares, parts, first, last):
    """The sum of squares of each of `parts` parts of each array."""
    shared = shared_array(T, 32)
    for unit in range(first, last):
        k = unit // parts
        x, size = g[k], sizes[k]
        part = (size + parts - 1) // parts
        begin = (unit - k * parts) * part
        total = T(0)
        for i in range(begin + thread(), least(begin + part, size), threads()):
            total += x[i] * x[i]
        total = block_sum(total, shared)
        if thread() == 0:
            squares[unit] = total


@device_kernel("squares: in[T], out: out[float64], parts: int, first: int, last: int", T=FLOATS)
def add_squares(squares, out, parts, first, last):
    """The sums of `parts` neighbours. Units are sums."""
    shared = shared_array(T, 32)
    for unit in range(first, last):
        total = T(0)
        for i in range(thread(), parts, threads()):
            total += squares[unit * parts + i]
        total = block_sum(total, shared)
        if thread() == 0:
            out[unit] = total


def instead_of_update(function: Any) -> Instead | None:
    """Returns the replacement of an update rule's kernel, by its function; None for other kernels."""
    rule, template = MADE.get(function, (None, ""))
    if rule is None:
        return None
    if template in WAYS:
        return rows_instead(rule, WAYS[template])
    return _update(rule) if template == "variables" else None


def _update(rule: UpdateRule) -> Instead:
    def instead(launch: Launch, dtypes: Mapping[str, str], memory: Memory) -> list[Launch]:
        return [with_kernel(launch, OnDevice(update_of(rule), dtypes))]

    return instead


def _squares(launch: Launch, dtypes: Mapping[str, str], memory: Memory) -> list[Launch]:
    arrays: Any = launch.operands[0]
    count, found = len(arrays), memory.more(dtypes["T"], PARTS * len(arrays))
    first: Any = OnDevice(squares_of_parts, dtypes)
    second: Any = OnDevice(add_squares.with_threads(32), dtypes)
    return [
        Launch(first, (arrays, found, PARTS), PARTS * count),
        Launch(second, (found, launch.operands[-1], PARTS), count),
    ]


INSTEAD: dict[Any, Instead] = {
    sums_of_squares.function: _squares,
    blocks_of_several.function: lambda launch, dtypes, memory: [],  # the totals read the arrays themselves
    totals_of_several.function: _squares,
}
"""The table of `choice`."""
