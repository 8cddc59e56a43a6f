"""Calls of functions of ``numba.guvectorize`` and ``numba.stencil``: loops that inline their kernels."""

from __future__ import annotations

import functools
import itertools
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

import numba
from numba import types

from fastgrad._src.derivatives.ir.operands import refuse
from fastgrad._src.derivatives.ir.scalar_operations import may_raise
from fastgrad._src.derivatives.ir.values import Static, Window, describe
from fastgrad._src.derivatives.numpy.elementwise_and_reductions import check_overlap, rank_of
from fastgrad._src.derivatives.numpy.loop_sources import loops_from_source
from fastgrad._src.jit.numba_internals import GUFunc, StencilFunc, ir_utils, parse_signature, with_captured_values

if TYPE_CHECKING:
    from fastgrad._src.derivatives.frontend.lowering import Lowering


@may_raise
@numba.njit
def checked_core_size(first, second):  # type: ignore[no-untyped-def]
    """Returns a size that two arguments of a generalized ufunc have in common."""
    if first != second:
        raise ValueError("Operand has a mismatch in one of its core dimensions")
    return first


@may_raise
@numba.njit
def checked_loop_size(size, loop_size):  # type: ignore[no-untyped-def]
    """Returns the size of an axis along which a generalized ufunc loops."""
    if size != loop_size:
        raise ValueError("Loop and array shapes are incompatible")
    return size


@may_raise
@numba.njit
def checked_stencil_size(first, other):  # type: ignore[no-untyped-def]
    """Returns the size of an axis of the first array of a stencil, which the others must have, too."""
    if first > other:
        raise ValueError("Secondary stencil array has some dimension smaller the same dimension in the first")
    return first


# ---- generalized ufuncs ---------------------------------------------------------------------------------------


def call_generalized_ufunc(lowering: Lowering, function: GUFunc, arguments: list[Any]) -> Any:
    """Lowers the call of a function of ``numba.guvectorize``, whose last arguments are the arrays for the results."""
    name, location = describe(Static(function)), lowering.builder.location
    builder = function.gufunc_builder
    inputs, outputs = parse_signature(builder.signature)
    signature, _ = function.find_ewise_function(
        [getattr(type, "dtype", type) for type in lowering.operands.types_of(arguments)]
    )
    core_ranks = [len(sizes) for sizes in (*inputs, *outputs)]
    loop_rank = rank_of(arguments[-1]) - core_ranks[-1]
    if signature is None or builder.writable_args or len(arguments) != len(core_ranks):
        raise refuse(f"a call of {name} like this can't be differentiated", location)
    ranks: list[int] = []
    for number, (argument, wanted) in enumerate(zip(arguments, signature.args, strict=True)):
        is_array = argument.is_array
        dtype = getattr(wanted, "dtype", wanted)
        rank = rank_of(argument) - core_ranks[number]
        ranks.append(rank)
        is_output = number >= len(inputs)
        if (is_array and argument.dtype != dtype) or rank not in ((loop_rank,) if is_output else (0, loop_rank)):
            raise refuse(f"{name} with arrays that it must cast or broadcast can't be differentiated", location)
        if not is_array:
            arguments[number] = lowering.operands.cast(lowering.operands.number(argument), dtype)
        if is_output and core_ranks[number] == 0 and rank == 0:
            raise refuse(f"{name} with an array without axes for a number can't be differentiated", location)
    if loop_rank > 1:  # Numba may go through arrays in the order of their memory
        for target in arguments[len(inputs) :]:
            check_overlap(lowering, target, arguments[: len(inputs)])
    arrays = tuple(argument.is_array for argument in arguments)
    loops = _loops_of_ufunc(function, (*inputs, *outputs), len(inputs), tuple(ranks), arrays)
    lowering.calls.inline(loops, arguments)
    return Static(None)


@functools.cache
def _loops_of_ufunc(
    function: GUFunc,
    sizes: tuple[tuple[str, ...], ...],
    inputs: int,
    ranks: tuple[int, ...],
    is_array: tuple[bool, ...],
) -> FunctionType:
    """Returns the loops that call the kernel of a generalized ufunc, after the checks that Numba makes."""
    names = [f"x{number}" for number in range(len(ranks))]
    loop_rank, lines = ranks[-1], []
    for first, second in itertools.combinations(range(len(ranks)), 2):
        if sizes[first] == sizes[second] and is_array[first] and is_array[second]:
            for axis in range(len(sizes[first])):
                shapes = [f"{names[number]}.shape[{ranks[number] + axis}]" for number in (first, second)]
                lines.append(f"    checked_core_size({', '.join(shapes)})")
    loop_shape = [f"{names[inputs]}.shape[{axis}]" for axis in range(loop_rank)]
    for number in range(inputs):
        if is_array[number]:
            lines += [
                f"    checked_loop_size({names[number]}.shape[{axis}], {loop_shape[axis]})"
                for axis in range(ranks[number])
            ]
    indices = [f"i{axis}" for axis in range(loop_rank)]
    lines += ["    " * (axis + 1) + f"for i{axis} in range({size}):" for axis, size in enumerate(loop_shape)]
    texts = []
    for number, name in enumerate(names):
        own = indices[: ranks[number]]
        if number >= inputs and not sizes[number]:
            own = [*own[:-1], f"{own[-1]} : {own[-1]} + 1"]
        texts.append(f"{name}[{', '.join(own)}]" if own and is_array[number] else name)
    lines.append("    " * (loop_rank + 1) + f"kernel({', '.join(texts)})")
    source = "\n".join([f"def generalized({', '.join(names)}):", *lines, "    return 0", ""])
    return loops_from_source(
        source,
        "float64",
        kernel=numba.njit(error_model="numpy")(function.gufunc_builder.py_func),
        checked_core_size=checked_core_size,
        checked_loop_size=checked_loop_size,
    )


# ---- stencils -------------------------------------------------------------------------------------------------


def call_stencil(
    lowering: Lowering, function: StencilFunc, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type
) -> Any:
    """Lowers the call of a function of ``numba.stencil``."""
    location, kernel = lowering.builder.location, _kernel_of(function)
    argument_types = tuple(lowering.operands.types_of(arguments))
    names, options = list(function.kernel_ir.arg_names), function.options
    is_plain = len(arguments) == len(names) and keywords.keys() <= {"out"} and not function.kws
    closure = function.kernel_ir.func_id.func.__closure__ or ()
    if not is_plain or any(cell.cell_contents is None for cell in closure):  # Numba has other values of variables
        raise refuse("a call of a stencil like this can't be differentiated", location)
    if argument_types[0].layout == "F" and "out" not in keywords:
        raise refuse("a stencil of an array in Fortran order can't be differentiated: pass a copy in C order", location)
    bounds, relative = _neighborhood(function, argument_types)
    if not all(isinstance(bound, int) for pair in bounds for bound in pair):
        raise refuse("a stencil whose neighborhood is computed can't be differentiated", location)
    starts = tuple(-min(0, least) for least, _ in bounds)
    ends = tuple(max(0, greatest) for _, greatest in bounds)
    is_relative = tuple(
        argument.is_array and name not in options.get("standard_indexing", ())
        for name, argument in zip(names, arguments, strict=True)
    )
    others = tuple(number for number, name in enumerate(names) if number and name in relative)
    if any(rank_of(arguments[number]) != len(bounds) for number in others):
        raise refuse("a stencil of arrays of several ranks can't be differentiated", location)
    out = keywords.get("out")
    border = (options["cval"],) if "cval" in options else () if out is not None else (0,)
    dtype = str(result_type.dtype if out is None else out.dtype)
    stencil = _Stencil(kernel, len(names), starts, ends, is_relative, others, border, out is None)
    loops = _loops_of_stencil(stencil, dtype)
    result = lowering.calls.inline(loops, arguments if out is None else [*arguments, out])
    return result if out is None else out


@functools.cache
def _kernel_of(function: StencilFunc) -> FunctionType:
    """Returns a stencil's kernel with the values of globals and closures that Numba found when the stencil was made."""
    return with_captured_values(function.kernel_ir.func_id.func, function.kernel_ir.blocks)


def _neighborhood(function: StencilFunc, argument_types: tuple[types.Type, ...]) -> tuple[list[Any], set[str]]:
    """Returns the least and the greatest relative index by axis, and the names of the arrays with relative indices, as Numba finds them."""
    _, type_of, call_types = function.get_return_type(argument_types)
    kernel, call_types = function.copy_ir_with_calltypes(function.kernel_ir, call_types)
    ir_utils.remove_args(kernel.blocks)
    copies, _ = ir_utils.copy_propagate(kernel.blocks, type_of)
    variables = ir_utils.get_name_var_table(kernel.blocks)
    ir_utils.apply_copy_propagate(kernel.blocks, copies, variables, type_of, call_types)
    rank = argument_types[0].ndim
    names = [ir_utils.get_unused_var_name(f"index{axis}", variables) for axis in range(rank)]
    standard = function.options.get("standard_indexing", [])
    bounds, relative = function.add_indices_to_kernel(
        kernel, names, rank, function.neighborhood, standard, type_of, call_types
    )
    return list(bounds), set(relative)


def _lower_kernel_at(
    kernel: Any, starts: tuple[int, ...], is_relative: tuple[bool, ...], lowering: Lowering, arguments: list[Any]
) -> Any:
    """Lowers the call of a stencil's kernel at one place.

    Args:
        kernel: as Numba compiles it.
        starts: the first place by axis.
        is_relative: for each argument of the kernel whether its indices are relative to the place.
        lowering: of the function that calls it.
        arguments: the indices of the place, then the arguments of the kernel.
    """
    rank = len(starts)
    place = [lowering.operands.scalar(index) for index in arguments[:rank]]
    values = [
        Window(value, place, starts) if is_window else value
        for value, is_window in zip(arguments[rank:], is_relative, strict=True)
    ]
    return lowering.calls.inline(kernel, values)


class _Stencil(NamedTuple):
    """What the loops of a stencil follow from.

    Attributes:
        kernel: the kernel.
        arity: the number of its arguments.
        starts, ends: by axis the widths of the borders.
        is_relative: for each argument whether its indices are relative.
        others: the arguments whose sizes are checked.
        border: the value of the border, if it is set.
        is_new: whether the result is a new array, not one that is passed.
    """

    kernel: FunctionType
    arity: int
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    is_relative: tuple[bool, ...]
    others: tuple[int, ...]
    border: tuple[Any, ...]
    is_new: bool


@functools.cache
def _loops_of_stencil(stencil: _Stencil, dtype: str) -> FunctionType:
    """Returns the loops that call a stencil's kernel at each element that is no border."""
    kernel, arity, starts, ends, is_relative, others, border, is_new = stencil
    compiled = numba.njit(kernel)
    names = [f"x{number}" for number in range(arity)]
    indices = [f"i{axis}" for axis in range(len(starts))]
    source = f"def kernel_at({', '.join([*indices, *names])}):\n    return kernel({', '.join(names)})\n"
    kernel_at = numba.njit(loops_from_source(source, dtype, kernel=compiled))
    kernel_at.lowering_rule = functools.partial(_lower_kernel_at, compiled, starts, is_relative)
    sizes = [f"x0.shape[{axis}]" for axis in range(len(starts))]
    lines = [
        f"    checked_stencil_size({size}, x{number}.shape[{axis}])"
        for number in others
        for axis, size in enumerate(sizes)
    ]
    if is_new:
        lines.append(f"    out = np.full(({', '.join(sizes)},), border, dtype)")
    elif border:
        lines.append("    out[:] = border")
    for axis, size in enumerate(sizes):
        lines.append("    " * (axis + 1) + f"for i{axis} in range({starts[axis]}, {size} - {ends[axis]}):")
    lines.append("    " * (len(sizes) + 1) + f"out[{', '.join(indices)}] = kernel_at({', '.join([*indices, *names])})")
    parameters = names if is_new else [*names, "out"]
    source = "\n".join([f"def stencil({', '.join(parameters)}):", *lines, "    return out", ""])
    more = {"border": border[0]} if border else {}
    return loops_from_source(source, dtype, kernel_at=kernel_at, checked_stencil_size=checked_stencil_size, **more)
