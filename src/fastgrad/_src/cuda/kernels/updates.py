"""Updates of all variables of a model: one block for each unit of elements; neighbouring threads take neighbouring elements."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

from fastgrad._src.cuda.codegen.body import block_size, thread_index
from fastgrad._src.cuda.codegen.kernel import DeviceKernel, device_kernel_of
from fastgrad._src.cuda.kernels.replacement import Replacement, same_operands_replacement
from fastgrad._src.kernels.optimizers.update_rule import RULE_KERNELS_BY_FUNCTION

_SPAN_OF_THREAD = "greatest(start, 0) + thread_index(), least(stop, size), block_size()"
_NAMES = {"thread_index": thread_index, "block_size": block_size}


def update_replacement(function: Any) -> Replacement | None:
    """Returns the replacement of a rule's kernel for all variables, by its body; None for another body."""
    kernel = RULE_KERNELS_BY_FUNCTION.get(function)
    if kernel is None or kernel.template != "variables":
        return None
    return same_operands_replacement(_kernel_of(function))


@functools.cache
def _kernel_of(function: Any) -> DeviceKernel:
    kernel = RULE_KERNELS_BY_FUNCTION[function]
    shared = kernel.rule.kernel_function(kernel.template, kernel.with_factor, _SPAN_OF_THREAD, _NAMES)
    return replace(device_kernel_of(kernel), function=shared, together=True)
