"""From a group of element-wise operations to its kernel: Python source for one loop, compiled by the kernel builder.

The source says nothing of sizes, so that a new batch size finds the kernel that is there; and groups that do the same
get the same source, and share one kernel. Its text is in ``linecache``, so that tools that show source find it.
"""

from __future__ import annotations

import functools
import linecache
from math import prod
from typing import Any

import numpy as np

from fastgrad.kernels.body import digest
from fastgrad.kernels.build import Kernel
from fastgrad.kernels.launch import Input, Launch, Launches, Output
from fastgrad.kernels.signature import parse_signature
from fastgrad.trace.fuse import Fused
from fastgrad.trace.scalar_code import BOOL, NAMES, translated


def source_of(fused: Fused) -> tuple[str, str]:
    """The kernel of a group.

    Args:
        fused: the group.

    Returns:
        The parameters in the builder's notation, and the source of a function ``fused`` of them.
    """
    inputs = [f"x{i}" for i in range(len(fused.places))]
    outputs = [f"y{i}" for i in range(len(fused.outputs))]
    dtypes = [*fused.dtypes, *[step.output for step in fused.steps]]
    sizes = ["first", "last"] if fused.columns is None else ["columns", "first", "last"]
    parameters = [f"{name}: in[{dtype.name}]" for name, dtype in zip(inputs, fused.dtypes, strict=True)]
    parameters += [f"{name}: out[{dtypes[i].name}]" for name, i in zip(outputs, fused.outputs, strict=True)]
    parameters += [f"{name}: int" for name in sizes]

    def load(place: str, index: str) -> list[str]:
        return [
            f"v{i} = {name}[{index}]" + (" != 0" if dtype == BOOL else "")
            for i, (name, found, dtype) in enumerate(zip(inputs, fused.places, fused.dtypes, strict=True))
            if found == place
        ]

    body = load("full", "i") + load("row", "j")
    for number, step in enumerate(fused.steps, len(inputs)):
        body.append(f"v{number} = {_text(fused, step)}")
    for name, i in zip(outputs, fused.outputs, strict=True):
        body.append(f"{name}[i] = " + (f"1 if v{i} else 0" if dtypes[i] == BOOL else f"v{i}"))
    lines = [f"def fused({', '.join([*inputs, *outputs, *sizes])}):"]
    lines += [f"    {line}" for line in load("scalar", "0")]
    if fused.columns is None:
        lines += ["    for i in range(first, last):", *[f"        {line}" for line in body]]
    else:
        lines += ["    for r in range(first // columns, (last + columns - 1) // columns):"]
        lines += ["        start = r * columns", *[f"        {line}" for line in load("column", "r")]]
        lines += ["        for j in range(greatest(first - start, 0), least(last - start, columns)):"]
        lines += ["            i = start + j", *[f"            {line}" for line in body]]
    return ", ".join(parameters), "\n".join(lines) + "\n"


def _text(fused: Fused, step: Any) -> str:
    operands = [f"v{i}" for i in step.operands]
    if step.row.name in {"broadcast_to", "spread"}:
        return operands[0]
    found = translated(step.row.name, operands, step.inputs, step.output, step.attributes)
    assert found is not None, f"{step.row.name} can't be fused"
    return found[0]


def kernel_of(fused: Fused) -> Any:
    """The native function of a group: inputs, outputs and ``sizes_of`` as arguments.

    It trusts that arrays have the sizes that the group says; outputs must not overlap anything.
    """
    return _built(*source_of(fused), fused.number.name)


def sizes_of(fused: Fused) -> tuple[int, ...]:
    """The last arguments of a group's kernel, for all of its elements."""
    size = prod(fused.shape)
    return (0, size) if fused.columns is None else (fused.columns, 0, size)


def launches_of_group(fused: Fused) -> Launches:
    """What a group runs in a program. Its work can be cut anywhere: its units are elements."""
    arrays = [*map(Input, range(len(fused.places))), *map(Output, range(len(fused.outputs)))]
    size = prod(fused.shape)
    columns = () if fused.columns is None else (fused.columns,)
    return Launches((Launch(kernel_of(fused), (*arrays, *columns), size),))


@functools.lru_cache(maxsize=1024)
def _built(parameters: str, source: str, number: str) -> Any:
    name = f"fused_{digest(f'{parameters}{source}{number}'.encode())[:12]}"
    source = source.replace("def fused(", f"def {name}(", 1)
    filename = f"<fastgrad kernel {name}>"
    linecache.cache[filename] = len(source), None, source.splitlines(keepends=True), filename
    scope = dict(NAMES)
    exec(compile(source, filename, "exec"), scope)  # noqa: S102 - our own text
    kernel = Kernel(scope[name], parse_signature(parameters), {"T": (number,)}, release_gil=False, noalias=True)
    return kernel[np.dtype(number)]
