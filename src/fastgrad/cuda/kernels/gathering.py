"""The order of ids, without the stack that a CPU's kernel has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastgrad.cuda.codegen.kernel import device_kernel_of
from fastgrad.cuda.kernels.replacement import Replacement, same_operands_replacement
from fastgrad.kernels.codegen.body import scalar_function, specialized
from fastgrad.kernels.math.vector_math import least
from fastgrad.kernels.movement.embedding import group_ids


@scalar_function
def sort_ids(ids, order, scratch, id_count, table_rows):
    """Computes a stable argsort of ids by merging. The CPU's `sort_ids` counts digits in 16 KB of stack."""
    source, target = order, scratch
    width = 1
    while width < id_count:  # the last pass writes `order`
        source, target = target, source
        width *= 2
    for k in range(id_count):
        source[k] = k
    width = 1
    while width < id_count:
        for left in range(0, id_count, 2 * width):
            middle, end = least(left + width, id_count), least(left + 2 * width, id_count)
            i, j = left, middle
            for k in range(left, end):
                if j >= end or (i < middle and ids[source[i]] <= ids[source[j]]):
                    target[k] = source[i]
                    i += 1
                else:
                    target[k] = source[j]
                    j += 1
        source, target = target, source
        width *= 2
    return 0


_group_on_gpu = replace(
    device_kernel_of(group_ids),
    function=specialized(group_ids.function, "group_ids", group_ids.function.__doc__, sort_ids=sort_ids),
)


REPLACEMENTS: dict[Any, Replacement] = {
    group_ids.function: same_operands_replacement(_group_on_gpu),
}
"""The GPU replacements of CPU kernels, by the body of the CPU kernel."""
