"""The entry of a kernel: the function where a GPU's threads begin, generated in Python for each kernel."""

from __future__ import annotations

from types import FunctionType
from typing import Any

from fastgrad._src.cuda.codegen.body import block_index, block_size, grid_size, thread_index
from fastgrad._src.cuda.codegen.kernel import DeviceKernel
from fastgrad._src.jit.body import Special
from fastgrad._src.jit.generated_source import function_from_source
from fastgrad._src.jit.signature import SHARE_PARAMETERS

_ENTRY = "kernel"
"""The name of the entry in its source."""

arrays_are_distinct = Special("arrays_are_distinct")
"""`arrays_are_distinct()`: promises that no arrays of the entry overlap."""

atomic_unsigned_min = Special("atomic_unsigned_min")
"""`atomic_unsigned_min(answer, status)`: atomically sets answer[0] to the minimum of both as unsigned integers."""

_SPECIALS_BY_NAME: dict[str, Any] = {
    special.name: special
    for special in (arrays_are_distinct, atomic_unsigned_min, block_index, grid_size, thread_index, block_size)
}


def entry_name(kernel: DeviceKernel) -> str:
    """Returns the name of a kernel's entry in machine code, which profilers show."""
    return "fastgrad_" + "".join([c if c.isascii() else "_" for c in kernel.name])


def entry_of(kernel: DeviceKernel, body: Any) -> FunctionType:
    """Returns the entry as a Python function named `entry_name`.

    Args:
        kernel: the kernel of the entry.
        body: the function that the entry calls as the kernel's body.
    """
    source, scope = entry_source(kernel), {"__name__": __name__, **_SPECIALS_BY_NAME, "body": body}
    filename = f"<fastgrad entry of {kernel.name}>"
    entry = function_from_source(_ENTRY, source, filename, scope)
    entry.__name__ = entry_name(kernel)
    return entry


def entry_source(kernel: DeviceKernel) -> str:
    """Returns the text of the entry, which distributes units of work to threads, or to blocks that share them.

    Its parameters are those of `DeviceKernel.entry_parameters`, the address of the answer, and the number of units. An answer >= 0
    reports an error in a unit; the smallest one is kept at the address `answer`.
    """
    names = [f"{p.name}_" for p in kernel.entry_parameters]  # no name of the text below has an underscore at its end
    body_arguments = [
        f"{name}[0]" if p.name in kernel.numbers_in_memory else name
        for name, p in zip(names, kernel.entry_parameters, strict=True)
    ]
    if kernel.has_work_units:
        share_index = [parameter.name for parameter in kernel.signature.parameters].index(SHARE_PARAMETERS[0])
        body_arguments[share_index:share_index] = ["unit", "unit + 1"]
    work = f"body({', '.join(body_arguments)})"
    begin, step = (
        ("block_index()", "grid_size()")
        if kernel.together
        else ("block_index() * block_size() + thread_index()", "grid_size() * block_size()")
    )
    return f"""def {_ENTRY}({", ".join([*names, "answer", "units"])}):
    {"arrays_are_distinct()" if kernel.noalias else "pass"}
    unit, step = {begin}, {step}
    while unit < units:
        {"status = " if kernel.signature.returns_status else ""}{work}
        {"if status >= 0: atomic_unsigned_min(answer, status)" if kernel.signature.returns_status else "pass"}
        unit += step
"""
