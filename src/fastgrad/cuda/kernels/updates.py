"""Updates of all variables of a model in one launch.

A block updates as many neighbouring elements as a CPU unit has, counted through all variables. Its threads update four at a time,
one access of 128 bits for each of weights, slots and gradients.
"""

from __future__ import annotations

import functools
from typing import Any

from fastgrad.cuda.codegen.body import load_aligned, store_aligned, thread, threads
from fastgrad.cuda.codegen.kernel import DeviceKernel
from fastgrad.cuda.kernels.replacement import Replacement, same_operands_replacement
from fastgrad.kernels.codegen.body import digest
from fastgrad.kernels.codegen.generated_source import function_from_source
from fastgrad.kernels.codegen.signature import parse_signature
from fastgrad.kernels.math.vector_math import greatest, least
from fastgrad.kernels.optimizers.update_rule import RULES_BY_FUNCTION, UNIT_ELEMENTS, UpdateRule

FLOATS = ("float32", "float64")

_NAMES: dict[str, Any] = {
    "greatest": greatest,
    "least": least,
    "load_aligned": load_aligned,
    "store_aligned": store_aligned,
    "thread": thread,
    "threads": threads,
}


def _update_source(rule: UpdateRule) -> str:
    every, hyper = (*rule.state, "g"), rule.step_arguments
    lines = [
        f"def {rule.__name__}({', '.join(every)}, count, sizes, first, last, {', '.join(rule.number_parameters)}):"
    ]
    lines += [f"    {line}" for line in rule.constant_statements]
    lines += [
        f"    start, stop = first * {UNIT_ELEMENTS}, last * {UNIT_ELEMENTS}",
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
def device_update(rule: UpdateRule) -> DeviceKernel:
    """Returns the kernel with the parameters of `rule.variables`."""
    source = _update_source(rule)
    filename = f"<fastgrad update {rule.__name__} {digest(source.encode())[:12]}>"
    parameters = [*[f"{name}: inouts[T]" for name in rule.state], "g: ins[T], count: count, sizes: sizes"]
    parameters += ["first: int", "last: int", *[f"{name}: float" for name in rule.number_parameters]]
    signature: Any = parse_signature(", ".join(parameters))
    function: Any = function_from_source(rule.__name__, source, filename, {**_NAMES, "step": rule.step})
    return DeviceKernel(function, signature, {"T": FLOATS}, together=True, noalias=False)


def update_replacement(function: Any) -> Replacement | None:
    """Returns the replacement of an update rule's kernel for all variables; None for other functions."""
    rule, template = RULES_BY_FUNCTION.get(function, (None, ""))
    return same_operands_replacement(device_update(rule)) if rule is not None and template == "variables" else None
