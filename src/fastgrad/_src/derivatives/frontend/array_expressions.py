"""Element-wise expressions of arrays: one loop nest computes each of them, as Numba's array expressions do.

Numba joins the operators of an expression into one node of its typed form (`typed_functions.join_array_expressions`). The value of the node is an `Elements`, an array that is
not in memory. If an expression, assignment, reduction or ``np.where`` is its only reader, that reader computes the elements. Otherwise
`materialize` stores them.
"""

from __future__ import annotations

import functools
import itertools
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numba import types

from fastgrad._src.derivatives.frontend import views as view_rules
from fastgrad._src.derivatives.frontend.builder import Builder
from fastgrad._src.derivatives.ir.operands import (
    Axis,
    Constant,
    Operand,
    View,
    equal_operands,
    index_constant,
    is_constant,
)
from fastgrad._src.derivatives.ir.values import Elements
from fastgrad._src.derivatives.numpy.loop_sources import broadcast_size, broadcast_step, copy_loops
from fastgrad._src.jit.generated_source import temporary_function_from_source
from fastgrad._src.jit.numba_internals import DUFunc, Signature, ir
from fastgrad._src.scalars.formulas import OPERATORS
from fastgrad._src.scalars.terms import ADD, MULTIPLY

if TYPE_CHECKING:
    from fastgrad._src.derivatives.frontend.lowering import Lowering

_numbers = itertools.count()


def expression(lowering: Lowering, value: ir.Expr, result_type: types.Array) -> Any:
    """Lowers an array expression of Numba; returns its `Elements`."""
    variables = {variable.name: variable for variable in value.list_vars()}
    names = {name: f"x{number}" for number, name in enumerate(variables)}
    functions: list[Any] = []
    text = _text(value.expr, names, functions)
    function = _function_of_elements(len(names), text, tuple(functions))
    return elements(
        lowering, function, [lowering.operands.value(variable) for variable in variables.values()], result_type
    )


def _text(tree: Any, names: dict[str, str], functions: list[Any]) -> str:
    """Returns the text of a tree of operators and functions, which are put into ``functions``."""
    if isinstance(tree, ir.Var):
        return names[tree.name]
    if isinstance(tree, ir.Const):
        return repr(tree.value)
    function, operands = tree
    texts = [_text(operand, names, functions) for operand in operands]
    if function in OPERATORS:
        return OPERATORS[function].text.format(*texts)
    functions.append(function)
    return f"f{len(functions) - 1}({', '.join(texts)})"


@functools.lru_cache(maxsize=512)
def _function_of_elements(count: int, text: str, functions: tuple[Any, ...]) -> FunctionType:
    scope = {"inf": np.inf, "nan": np.nan} | {f"f{number}": function for number, function in enumerate(functions)}
    source = f"def element({', '.join(f'x{number}' for number in range(count))}):\n    return {text}\n"
    return temporary_function_from_source("element", source, f"<elements of numpy {next(_numbers)}>", scope)


def elements_of_call(lowering: Lowering, function: Any, operands: list[Any], result_type: types.Type) -> Any:
    """Returns the `Elements` of a function that is applied to arrays, which broadcast."""
    arguments = ", ".join(f"x{number}" for number in range(len(operands)))
    return elements(
        lowering, _function_of_elements(len(operands), f"f0({arguments})", (function,)), operands, result_type
    )


@functools.lru_cache(maxsize=512)
def _scalar_function(function: DUFunc) -> Any:
    """Returns the function of numbers that ``numba.vectorize`` was given, as Numba compiles it there."""
    return numba.njit(error_model="numpy")(function._dispatcher.py_func)


def elements_of_vectorized(
    lowering: Lowering, function: DUFunc, signature: Signature, operands: list[Any], result_type: types.Type
) -> Any:
    """Returns the `Elements` of a function of ``numba.vectorize``, or its value if no operand is an array.

    Args:
        lowering: of the function that calls it.
        function: of ``numba.vectorize``.
        signature: the types of numbers that it was compiled for. Operands and results are converted to them.
        operands: numbers and arrays.
        result_type: Numba's type of the result.
    """
    casts = [np.dtype(str(types.unliteral(type))).type for type in (*signature.args, signature.return_type)]
    arguments = ", ".join(f"f{number + 2}(x{number})" for number in range(len(operands)))
    functions = (_scalar_function(function), casts[-1], *casts[:-1])
    return elements(
        lowering, _function_of_elements(len(operands), f"f1(f0({arguments}))", functions), operands, result_type
    )


def elements(lowering: Lowering, function: FunctionType, operands: list[Any], result_type: types.Type) -> Any:
    """Returns the `Elements` of a Python function of numbers, or its value if no operand is an array."""
    operands = [
        operand if isinstance(operand, (Elements, View)) and operand.axes else lowering.operands.number(operand)
        for operand in operands
    ]
    arrays = [operand for operand in operands if isinstance(operand, (Elements, View))]
    if not arrays:
        return lowering.calls.inline(function, operands)
    builder = lowering.builder
    sizes = joint_sizes(builder, [[axis.size for axis in array.axes] for array in arrays])
    for number, operand in enumerate(operands):
        if isinstance(operand, Elements) and not has_sizes(operand, sizes):
            operand = materialize(lowering, operand)
        if operand.is_array:
            operands[number] = broadcast(builder, operand, sizes, broadcast_step)
    axes = [Axis(None, index_constant(0), size) for size in sizes]
    return Elements(function, operands, axes, result_type.dtype)


def joint_sizes(builder: Builder, shapes: list[list[Operand]]) -> list[Operand]:
    """Returns the sizes of arrays of these shapes that are broadcast together."""
    rank = max(map(len, shapes))
    along: list[list[Operand]] = [[index_constant(1)] for _ in range(rank)]
    for shape in shapes:
        for number, size in enumerate(shape, rank - len(shape)):
            if not any(equal_operands(size, other) for other in along[number]):
                along[number].append(size)

    def joint_size(first: Operand, second: Operand) -> Operand:
        if is_constant(first, 1):
            return second
        return builder.index(builder.call_of(broadcast_size, 2), first, second, is_natural=True)

    return [functools.reduce(joint_size, each) for each in along]


def has_sizes(array: Elements, sizes: list[Operand]) -> bool:
    """True if an array is certain to have these sizes."""
    return len(array.axes) == len(sizes) and all(
        equal_operands(axis.size, size) for axis, size in zip(array.axes, sizes, strict=True)
    )


def broadcast(builder: Builder, view: View, sizes: list[Operand], step_function: Any) -> View:
    """Returns a view of ``sizes``, with ``step_function(size, new size)`` as the step along an axis where they may differ."""
    first = len(sizes) - len(view.axes)
    axes = [Axis(None, index_constant(0), size) for size in sizes[:first]]
    step_of = builder.call_of(step_function, 2)
    for axis, size in zip(view.axes, sizes[first:], strict=True):
        if equal_operands(axis.size, size):
            axes.append(axis)
        elif is_constant(axis.size, 1):
            axes.append(Axis(None, index_constant(0), size))
        else:
            step = builder.index(step_of, axis.size, size, is_natural=True)
            axes.append(Axis(axis.root_axis, builder.index(MULTIPLY, axis.step, step), size))
    return View(view.root, view.starts, axes, view.parts)


def element(lowering: Lowering, array: Elements, indices: list[Operand]) -> Any:
    """Computes the element of an array expression at ``indices``."""
    numbers = []
    for operand in array.operands:
        if operand.is_array:
            operand = view_rules.load_element(lowering.builder, operand, indices)
        elif isinstance(operand, Elements):
            operand = element(lowering, operand, indices)
        numbers.append(operand)
    return lowering.operands.cast(lowering.calls.inline(array.function, numbers), array.dtype)


def materialize(lowering: Lowering, value: Any) -> Any:
    """Returns a value, an `Elements` as the array of its elements."""
    if not isinstance(value, Elements):
        return value
    return lowering.calls.inline(copy_loops(len(value.axes), str(value.dtype)), [value])


def is_overlap_safe(target: View, value: Any) -> bool:
    """True if a loop that writes the elements of ``target`` in order can't write an element that ``value`` reads later."""
    if isinstance(value, Elements):
        return all(is_overlap_safe(target, operand) for operand in value.operands)
    if not value.is_array or target.has_same_elements(value):
        return True
    return not may_share(target, value) or _are_disjoint_slices(target, value)


def may_share(first: View, second: View) -> bool:
    """True if two arrays may share memory."""
    memories = first.root.memory_owner, second.root.memory_owner
    return memories[0] is memories[1] or "phi" in (memories[0].kind, memories[1].kind)


def _are_disjoint_slices(first: View, second: View) -> bool:
    """True if two views of a root are certain to have different indices along one of its axes, as ``x[:, 0]`` and ``x[:, 1]``."""
    axes = {axis.root_axis for axis in (*first.axes, *second.axes)}
    starts = enumerate(zip(first.starts, second.starts, strict=False))
    return first.root is second.root and any(
        number not in axes and _indices_differ(*operands) for number, operands in starts
    )


def _indices_differ(first: Operand, second: Operand) -> bool:
    """True if two indices are certain to differ: two constants, or the sums of a number and constants."""
    bases, distances = zip(*map(_base_and_offset, (first, second)), strict=True)
    return bases[0] is bases[1] and distances[0] != distances[1]


def _base_and_offset(index: Operand) -> tuple[Operand | None, int]:
    if isinstance(index, Constant):
        return None, int(index.value)
    if index.operation is ADD:
        base, distance = index.operands
        if isinstance(distance, Constant):
            return base, int(distance.value)
    return index, 0
