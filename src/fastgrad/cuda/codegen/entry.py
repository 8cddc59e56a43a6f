"""The entry of a kernel: the function that a GPU's threads begin with, written in Python for each kernel."""

from __future__ import annotations

import linecache
from types import FunctionType
from typing import Any

from fastgrad.cuda.codegen.body import block, blocks, thread, threads
from fastgrad.cuda.codegen.kernel import DeviceKernel
from fastgrad.kernels.codegen.body import Special
from fastgrad.kernels.codegen.signature import SHARE

ENTRY = "kernel"
"""The name of the entry of each kernel."""

arrays_are_aligned = Special("arrays_are_aligned")
"""`arrays_are_aligned()`: promises that all arrays of the entry begin at multiples of 128 bits."""

arrays_are_distinct = Special("arrays_are_distinct")
"""`arrays_are_distinct()`: promises, beside, that none overlap."""

keep_least = Special("keep_least")
"""`keep_least(answer, status)`: answer[0] = the smaller of the two as unsigned integers, in one step for all threads."""

unit_of_work = Special("unit_of_work")
"""`unit_of_work(unit)`: the unit."""

_NAMES: dict[str, Any] = {
    special.name: special
    for special in (
        *(arrays_are_aligned, arrays_are_distinct, keep_least, unit_of_work),
        *(block, blocks, thread, threads),
    )
}


def entry_of(kernel: DeviceKernel, body: Any) -> FunctionType:
    """The entry as a function of Python.

    Args:
        kernel: what it is for.
        body: what it calls as the kernel's body.
    """
    source, scope = entry_source(kernel), {"__name__": __name__, **_NAMES, "body": body}
    filename = f"<fastgrad entry of {kernel.name}>"
    linecache.cache[filename] = len(source), None, source.splitlines(keepends=True), filename
    exec(compile(source, filename, "exec"), scope)  # noqa: S102 - our own text
    entry: Any = scope[ENTRY]
    return entry


def entry_source(kernel: DeviceKernel) -> str:
    """The text of the entry, which deals the units of work out to threads, or to blocks whose threads share it.

    Its parameters are those `given`, the address of the answer, and the number of units. Of the answers >= 0, with which units say
    that they are not fine, the smallest is kept at the address `answer`.
    """
    names = [f"{p.name}_" for p in kernel.given]  # none of which is a name of the text below
    passed = [f"{name}[0]" if p.name in kernel.read else name for name, p in zip(names, kernel.given, strict=True)]
    if kernel.is_shared:
        place = [parameter.name for parameter in kernel.signature.parameters].index(SHARE[0])
        passed[place:place] = ["first", "first + 1"]
    work = f"body({', '.join(passed)})"
    begin, step = (
        ("block()", "blocks()") if kernel.together else ("block() * threads() + thread()", "blocks() * threads()")
    )
    return f"""def {ENTRY}({", ".join([*names, "answer", "units"])}):
    {"arrays_are_distinct" if kernel.noalias else "arrays_are_aligned"}()
    unit, step = {begin}, {step}
    while unit < units:
        first = unit_of_work(unit)
        {f"keep_least(answer, {work})" if kernel.signature.returns_status else work}
        unit += step
"""
