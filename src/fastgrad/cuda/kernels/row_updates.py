"""Updates of a table from a gradient of some rows, for a GPU: `UpdateRule.summed_rows` and similar templates.

A unit of work is a run of neighbouring elements of a row: one access of 128 bits if rows are a multiple of that, else one element. If
a kernel visits all rows, each thread finds its row by a binary search among the increasing ids.
"""

from __future__ import annotations

import functools
import linecache
from collections.abc import Mapping
from typing import Any, NamedTuple

from numpy import uint64

from fastgrad.cuda.codegen.body import load_aligned, store_aligned
from fastgrad.cuda.codegen.kernel import DeviceKernel, OnDevice, on_device
from fastgrad.cuda.kernels.instead import Instead, Memory
from fastgrad.cuda.kernels.sorting import how_many_below
from fastgrad.kernels.codegen.body import digest
from fastgrad.kernels.codegen.build import kernel
from fastgrad.kernels.codegen.signature import parse_signature
from fastgrad.kernels.optimizers.update_rule import FLOATS, INDICES, UpdateRule
from fastgrad.kernels.runtime.launch import Launch

RUN = {"float32": 4, "float64": 2}
"""The number of elements in one access."""


class _Way(NamedTuple):
    """The rows that a kernel visits.

    Attributes:
        name: the end of the kernel's name.
        given: its parameters between the gradient and the numbers.
        head: lines that compute a unit's index `i` in the table, and `j` in the gradient.
        updated: the condition of an update; rows that are not `has`, in the gradient, are updated with zeros.
    """

    name: str
    given: str
    head: str
    updated: str


_FIND = """\
        r = unit // width
        k = how_many_below(ids, 0, number[0], r)
        has = k < number[0] and ids[k] == r
        i = unit * {many}
        j = (k * width + unit - r * width) * {many}
"""
ROWS = _Way(
    "rows",
    "ids: in[I], number: in[int64], limit: int, width: int",
    """\
        k = unit // width
        has = k < number[0] and ids[k] >= 0 and ids[k] < limit
        i = (ids[k] * width + unit - k * width) * {many}
        j = unit * {many}
""",
    "has",
)
TABLE = _Way("table", "ids: in[I], number: in[int64], width: int", _FIND, "True")
LIVE = _Way(
    "live",
    "live: in[uint64], ids: in[I], number: in[int64], width: int",
    _FIND,
    "has or (live[r // 8] >> uint64(r % 8 * 8)) & uint64(255) != 0",
)
WAYS = {"summed_rows": ROWS, "summed_table": TABLE, "summed_live": LIVE}
"""The rows to visit, by the template of the CPU kernel."""


def _name(rule: UpdateRule, way: _Way, many: int) -> str:
    return f"{rule.__name__}_of_{way.name}" + ("" if many > 1 else "_singly")


def _source(rule: UpdateRule, way: _Way, many: int) -> str:
    hyper = rule.arguments
    names = [part.split(":")[0] for part in way.given.split(", ")]
    given = ", ".join((*rule.state, "g", *names, "first", "last", *rule.given))
    lines = [f"def {_name(rule, way, many)}({given}):"]
    lines += [f"    {line}" for line in rule.constants]
    lines += ["    for unit in range(first, last):", way.head.format(many=many).rstrip()]
    load, store = ("load_aligned({}, {})", "store_aligned({}, i, {}0)") if many > 1 else ("{}[{}]", "{}[i] = {}0")
    more, each = range(1, many), [(x, e) for e in range(1, many) for x in rule.state]
    lines.append(f"        if {way.updated}:")
    lines += [f"            {x}0 = {load.format(x, 'i')}" for x in rule.state]
    lines += [f"            {x}{e} = {x}[i + {e}]" for x, e in each]
    lines += [f"            g{e} = T(0)" for e in range(many)]
    lines += ["            if has:", f"                g0 = {load.format('g', 'j')}"]
    lines += [f"                g{e} = g[j + {e}]" for e in more]
    for e in range(many):
        new = ", ".join(f"{x}{e}" for x in rule.state)
        lines.append(f"            {new} = step({new}, g{e}, {hyper})")
    lines += [f"            {store.format(x, x)}" for x in rule.state]
    lines += [f"            {x}[i + {e}] = {x}{e}" for x in rule.state for e in more]
    return "\n".join(lines) + "\n"


@functools.cache
def rows_update_of(rule: UpdateRule, way: _Way, many: int) -> DeviceKernel:
    """Returns the kernel of a rule for runs of `many` elements. `width` is a number of runs."""
    source = _source(rule, way, many)
    filename = f"<fastgrad update {rule.__name__} {digest(source.encode())[:12]}>"
    linecache.cache[filename] = len(source), None, source.splitlines(keepends=True), filename
    scope: dict[str, Any] = {
        "step": rule.step,
        "how_many_below": how_many_below,
        "load_aligned": load_aligned,
        "store_aligned": store_aligned,
        "uint64": uint64,
    }
    exec(compile(source, filename, "exec"), scope)  # noqa: S102 - our own text
    parameters = [*[f"{name}: inout[T]" for name in rule.state], "g: in[T]", way.given, "first: int, last: int"]
    signature = ", ".join([*parameters, *[f"{name}: float" for name in rule.given]])
    function: Any = scope[_name(rule, way, many)]
    return DeviceKernel(function, parse_signature(signature), {"T": FLOATS, "I": INDICES})


@kernel("live: inout[uint64], ids: in[I], number: in[int64], first: int, last: int", I=INDICES, noalias=True)
def note_live(live, ids, number, first, last):
    """Sets a byte to 1 for each row of the ids. Units are words of eight bytes."""
    for w in range(first, last):
        k = how_many_below(ids, 0, number[0], 8 * w)
        word = live[w]
        while k < number[0] and ids[k] < 8 * w + 8:
            word |= uint64(1) << uint64(8 * (ids[k] - 8 * w))
            k += 1
        live[w] = word


_note = on_device(note_live)


def rows_instead(rule: UpdateRule, way: _Way) -> Instead:
    """Returns the replacement of a launch of the CPU kernel."""
    state, limited = len(rule.state) + 1 + (way is LIVE), way is not TABLE

    def instead(launch: Launch, dtypes: Mapping[str, str], memory: Memory) -> list[Launch]:
        operands: Any = launch.operands
        arrays, (ids, number, *sizes) = operands[:state], operands[state : state + 3 + limited]
        many = RUN[dtypes["T"]] if sizes[-1] % RUN[dtypes["T"]] == 0 else 1
        runs = sizes[-1] // many
        limit = (sizes[0],) if way is ROWS else ()
        given = (*arrays, ids, number, *limit, runs, *operands[state + 3 + limited :])
        found: Any = OnDevice(rows_update_of(rule, way, many), dtypes)
        launches = [Launch(found, given, (sizes[0] if way is LIVE else launch.units) * runs)]
        if way is LIVE:
            note: Any = OnDevice(_note, {"I": dtypes["I"]})
            launches.append(Launch(note, (arrays[-1], ids, number), launch.units))
        return launches

    return instead
