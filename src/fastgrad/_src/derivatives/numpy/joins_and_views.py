"""Rules of NumPy's functions that join arrays, return views, or are the loops of ``loops.py`` and ``linear_algebra.py``."""

from __future__ import annotations

import itertools
import operator
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from fastgrad._src.derivatives.frontend import views as view_rules
from fastgrad._src.derivatives.frontend.array_expressions import broadcast, joint_sizes
from fastgrad._src.derivatives.frontend.selections import select
from fastgrad._src.derivatives.frontend.views import FULL_SLICE, NEW_AXIS, Slice
from fastgrad._src.derivatives.ir.operands import (
    INDEX,
    Axis,
    Constant,
    Operand,
    Scalar,
    View,
    equal_operands,
    index_constant,
)
from fastgrad._src.derivatives.ir.values import (
    Deferred,
    Fields,
    Items,
    Iterable,
    listed,
    static_integer,
    static_integers,
    static_text,
    static_value,
    tuple_of,
    type_of,
)
from fastgrad._src.derivatives.numpy import linear_algebra
from fastgrad._src.derivatives.numpy import loops as numpy_loops
from fastgrad._src.derivatives.numpy.elementwise_and_reductions import (
    METHODS,
    RULES,
    Rule,
    allocate,
    as_array,
    assign,
    dims_of,
    iterate_indices,
    normalized_axis,
    rank_of,
    register,
    strip_trailing_none,
)
from fastgrad._src.derivatives.numpy.loop_sources import (
    broadcast_to_step,
    common_size,
    draw_loops,
    equal_section_start,
    loops_along,
    section_start,
    stride_in_elements,
    window_count,
)
from fastgrad._src.scalars.terms import ADD, MULTIPLY

if TYPE_CHECKING:
    from fastgrad._src.derivatives.frontend.lowering import Lowering

# ---- functions that are loops -----------------------------------------------------------------------------------


def _takes_vector_at(functions: tuple[Callable[..., Any], ...], position: int) -> bool:
    """True if the first function's parameter of that number is a vector."""
    names = functions[0].__code__.co_varnames
    return functions[0].__annotations__.get(names[position]) in (1, "1")


def inline_rule(*functions: Callable[..., Any], convert: Callable[[Any], Any] | None = None) -> Rule:
    """Returns the rule that lowers the first of ``functions`` that takes arrays of the ranks of the arguments."""

    def rule(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
        if any(argument.is_array for argument in arguments):  # lists and tuples beside arrays are arrays, too
            arguments = [
                as_array(lowering, argument)
                if isinstance(argument, Items) and _takes_vector_at(functions, position)
                else argument
                for position, argument in enumerate(arguments)
            ]
        for function in functions:
            names = function.__code__.co_varnames[: function.__code__.co_argcount]
            required = names[: len(names) - len(function.__defaults__ or ())]
            given_names = {*names[: len(arguments)], *keywords}
            if len(arguments) > len(names) or keywords.keys() - set(names) or set(required) - given_names:
                continue
            given = {**dict(zip(names, arguments, strict=False)), **keywords}
            ranks = {name: rank for name, rank in function.__annotations__.items() if name in given}
            if all(rank_of(given[name]) == int(rank) for name, rank in ranks.items()):
                result = lowering.calls.call_compiled(function, arguments, keywords)
                return result if convert is None else convert(result)
        return NotImplemented

    return rule


for _name in (
    *("argsort", "median", "percentile", "extract", "allclose", "resize", "roll", "tril", "triu", "kron", "convolve"),
):
    RULES[getattr(np, _name)] = inline_rule(getattr(numpy_loops, _name))
RULES |= linear_algebra.LAPACK_RULES | {
    np.quantile: inline_rule(numpy_loops.quantile_at, numpy_loops.quantiles_at),
    np.cross: inline_rule(numpy_loops.cross, numpy_loops.cross_of_rows),
    np.interp: inline_rule(numpy_loops.interp_number, numpy_loops.interp),
    np.nonzero: inline_rule(
        numpy_loops.nonzero,
        numpy_loops.nonzero_of_matrix,
        convert=lambda places: places if isinstance(places, Items) else tuple_of([places]),
    ),
    np.linalg.matrix_rank: inline_rule(linear_algebra.matrix_rank, linear_algebra.matrix_rank_of_tolerance),
    np.linalg.eigvalsh: inline_rule(linear_algebra.eigvalsh),
    np.linalg.eigvals: inline_rule(linear_algebra.eigvals),
    np.linalg.matrix_power: inline_rule(linear_algebra.matrix_power),
}
METHODS.update({name: RULES[getattr(np, name)] for name in ("argsort", "nonzero")})
METHODS["sort"] = inline_rule(numpy_loops.sort_vector, numpy_loops.sort_rows)


@register(np.nanmax, function=np.max)
@register(np.nanmin, function=np.min)
@register(np.nanmedian, function=np.median)
@register(np.nanquantile, function=np.quantile)
@register(np.nanpercentile, function=np.percentile)
def _of_others_than_nan(lowering: Lowering, array: Any, *rest: Any, function: Any, result_type: types.Type) -> Any:
    """Lowers a function of the elements other than NaN."""
    others = lowering.calls.inline(numpy_loops.without_nan, [array])
    return lowering.calls.call(function, [others, *rest], {}, result_type, "t")


@register(np.linalg.lstsq)
def _lstsq(lowering: Lowering, *arguments: Any, result_type: types.Type) -> Any:
    rule = inline_rule(linear_algebra.lstsq, linear_algebra.lstsq_of_cutoff)
    x = rule(lowering, [*arguments], {}, result_type)
    if x is NotImplemented:
        return x
    rest = [Deferred(f"the {what} of lstsq") for what in ("residuals", "rank", "singular values")]
    return Items([x, *rest], result_type)


@register(np.linalg.norm)
def _norm(lowering: Lowering, *arguments: Any, result_type: types.Type) -> Any:
    array, *rest = strip_trailing_none([*arguments])
    order = static_value(rest[0]) if rest else None
    if not rest or (order is None and rank_of(array) == 1 and not hasattr(rest[0], "type")):
        return lowering.calls.inline(linear_algebra.norm, [array.real()])  # of complex numbers that of all parts
    if rank_of(array) == 2 and order not in (1, -1, 2, -2, np.inf, -np.inf):
        return NotImplemented
    rule = inline_rule(linear_algebra.vector_norm, linear_algebra.matrix_norm)
    return rule(lowering, [array, rest[0]], {}, result_type)


@register(np.linalg.cond)
def _cond(lowering: Lowering, *arguments: Any, result_type: types.Type) -> Any:
    values = strip_trailing_none([*arguments])
    values = values[:1] if len(values) == 1 or static_value(values[1]) == 2 else values
    return inline_rule(linear_algebra.cond, linear_algebra.cond_of_order)(lowering, values, {}, result_type)


@register(np.take_along_axis)
def _take_along_axis(lowering: Lowering, array: Any, indices: Any, axis: Any) -> Any:
    number = static_integer(axis)
    if number is None:
        return NotImplemented
    function = loops_along(rank_of(array), normalized_axis(lowering, number, rank_of(array)))
    return lowering.calls.inline(function, [array, indices])


@register(np.trim_zeros)
def _trim_zeros(lowering: Lowering, array: Any, trim: Any = None, *, result_type: types.Type) -> Any:
    ends = "fb" if trim is None else static_text(trim)
    if ends is None:
        return NotImplemented
    sides = [lowering.builder.constant(side in ends.lower()) for side in "fb"]
    return inline_rule(numpy_loops.without_zeros)(lowering, [array, *sides], {}, result_type)


@register(np.polynomial.polyutils.as_series)
def _as_series(lowering: Lowering, series: Any, *, result_type: types.Type) -> Any:
    if not isinstance(series, Items):
        return NotImplemented
    vector = types.Array(types.float64, 1, "C")
    rows = [
        each if rank_of(each) else as_array(lowering, Items([each], types.none), result_type=vector)
        for each in series.values
    ]
    return Items([lowering.calls.inline(numpy_loops.series, [row]) for row in rows], result_type)


@register(np.indices)
def _indices(lowering: Lowering, shape: Any, *, result_type: types.Type) -> Any:
    if not isinstance(shape, Items):
        return NotImplemented
    builder, sizes = lowering.builder, dims_of(lowering, shape)
    result = builder.allocate(result_type.dtype, [index_constant(len(sizes)), *sizes], "empty")
    for number, size in enumerate(sizes):
        numbers = lowering.calls.call(np.arange, [size], {}, types.Array(result_type.dtype, 1, "C"), "numbers")
        along = [NEW_AXIS] * number + [FULL_SLICE] + [NEW_AXIS] * (len(sizes) - number - 1)
        place = view_rules.subview(builder, result, [index_constant(number)])
        assign(lowering, place, view_rules.subview(builder, numbers, along))
    return result


@register(np.take, method="take")
def _take(lowering: Lowering, array: Any, indices: Any, *axes: Any, result_type: types.Type) -> Any:
    if isinstance(indices, Items):
        indices = as_array(lowering, indices)
    axis = strip_trailing_none([*axes])
    if not axis:
        return inline_rule(numpy_loops.take_element, numpy_loops.take)(lowering, [array, indices], {}, result_type)
    number = static_integer(axis[0])
    if rank_of(indices) != 1 or number is None:
        return NotImplemented
    return select(lowering, array, [*[FULL_SLICE] * normalized_axis(lowering, number, rank_of(array)), indices])


@register(np.isclose)
def _isclose(lowering: Lowering, *arguments: Any, result_type: types.Type) -> Any:
    if not isinstance(result_type, types.Array):
        return NotImplemented
    return inline_rule(numpy_loops.isclose)(lowering, [*arguments], {}, result_type)


@register(np.divmod)
def _divmod(lowering: Lowering, first: Any, second: Any, *, result_type: types.BaseTuple) -> Items:
    functions = zip((operator.floordiv, operator.mod), result_type, strict=True)
    return Items([lowering.operators.apply(each, [first, second], type) for each, type in functions], result_type)


# ---- joins ------------------------------------------------------------------------------------------------------


def _concatenate(lowering: Lowering, parts: list[View], axis: int, result_type: types.Type) -> View:
    """Lowers the concatenation of arrays of one rank along an axis."""
    builder = lowering.builder
    bounds: list[Operand] = [index_constant(0)]
    for part in parts:
        bounds.append(builder.index(ADD, bounds[-1], part.axes[axis].size))
    dims = [each.size for each in parts[0].axes]
    common = builder.call_of(common_size, 2)
    for part in parts[1:]:
        if rank_of(part) != len(dims):
            raise builder.refuse("arrays of different numbers of axes are joined")
        sizes = [each.size for each in part.axes]
        dims = [
            first if equal_operands(first, second) else builder.index(common, first, second, is_natural=True)
            for first, second in zip(dims, [*sizes[:axis], dims[axis], *sizes[axis + 1 :]], strict=True)
        ]
    dims[axis] = bounds[-1]
    result = builder.allocate(result_type.dtype, dims, "empty")
    for part, start, stop in zip(parts, bounds, bounds[1:], strict=False):
        place = view_rules.subview(builder, result, [FULL_SLICE] * axis + [Slice(start, stop, None)])
        for target, source in zip(place.axes, part.axes, strict=True):
            target.size = source.size if target.root_axis == axis else target.size
        assign(lowering, place, part)
    return result


@register(np.concatenate, np.concat)
@register(np.stack, is_new=True)
@register(np.hstack, along=1)
@register(np.vstack, vars(np).get("row_stack", np.vstack), along=0, least_rank=2)
@register(np.dstack, along=2, least_rank=3)
@register(np.column_stack, along=1, least_rank=2, are_columns=True)
def _lower_joining(
    lowering: Lowering,
    arrays: Any,
    axis: Any = None,
    *_: Any,
    along: int | None = None,
    is_new: bool = False,
    least_rank: int = 1,
    are_columns: bool = False,
    result_type: types.Type,
) -> Any:
    """Lowers a function that joins arrays.

    Args:
        lowering: of the function that calls it.
        arrays: a tuple of them.
        axis: along which, if ``along`` is None.
        *_: the type of the elements, and how they are cast.
        along: along which.
        is_new: whether the axis is a new one.
        least_rank: vectors become arrays of at least this rank.
        are_columns: whether vectors are columns, not rows.
        result_type: Numba's type of the result.
    """
    number = along if along is not None else 0 if axis is None else static_integer(axis)
    if isinstance(arrays, Items) and all(isinstance(array, Fields) for array in arrays.values):
        if along is not None or is_new or number is None:
            return NotImplemented
        number = normalized_axis(lowering, number, len(arrays.values[0].sizes))
        parts = {
            name: _concatenate(lowering, [array.parts[name] for array in arrays.values], number, type_of(part))
            for name, part in arrays.values[0].parts.items()
        }
        return Fields(parts, result_type)
    if not isinstance(arrays, Items) or number is None or not all(map(rank_of, arrays.values)):
        return NotImplemented
    builder, views = lowering.builder, arrays.values
    number = normalized_axis(lowering, number, rank_of(views[0]) + is_new) if along is None else number
    if is_new:
        views = [view_rules.subview(builder, view, [FULL_SLICE] * number + [NEW_AXIS]) for view in views]
    elif rank_of(views[0]) < least_rank or are_columns:
        views = [_with_least_rank(lowering, view, rank=least_rank, is_column=are_columns) for view in views]
    return _concatenate(lowering, views, min(number, rank_of(views[0]) - 1), result_type)


@register(np.atleast_1d, rank=1)
@register(np.atleast_2d, rank=2)
@register(np.atleast_3d, rank=3)
def _with_least_rank(lowering: Lowering, array: Any, *, rank: int, is_column: bool = False) -> Any:
    """Returns the view of at least ``rank`` axes; a vector is a row of a matrix, or a column."""
    if not rank_of(array):
        return NotImplemented
    if rank_of(array) == 1 and rank > 1:
        array = view_rules.subview(lowering.builder, array, [FULL_SLICE, NEW_AXIS] if is_column else [NEW_AXIS])
    if rank_of(array) == 2 and rank > 2:
        array = view_rules.subview(lowering.builder, array, [FULL_SLICE, FULL_SLICE, NEW_AXIS])
    return array


# ---- parts ------------------------------------------------------------------------------------------------------


@register(np.array_split, start=section_start)
@register(np.split)
@register(np.vsplit, along=0)
@register(np.hsplit, along=1)
@register(np.dsplit, along=2)
def _split(
    lowering: Lowering,
    array: Any,
    parts: Any,
    axis: Any = None,
    *,
    along: int | None = None,
    start: Any = equal_section_start,
    result_type: types.Type,
) -> Any:
    """Lowers a function that splits an array into a constant number of sections, or at constant places.

    Args:
        lowering: of the function that calls it.
        array: the array.
        parts: the number of sections, or a tuple of places.
        axis: along which, if ``along`` is None.
        along: along which. That of `np.hsplit` is 0 for vectors.
        start: the function that gives the start of a section.
        result_type: Numba's type of the result.
    """
    number = along if along is not None else 0 if axis is None else static_integer(axis)
    count = static_integer(parts)
    if not rank_of(array) or number is None or not (isinstance(parts, Items) or count is not None):
        return NotImplemented
    builder = lowering.builder
    number = normalized_axis(lowering, number, rank_of(array)) if along is None else min(number, rank_of(array) - 1)
    size = array.axes[number].size
    bounds: list[Operand | None]
    if count is None:
        bounds = [None, *dims_of(lowering, parts), None]
    else:
        start = builder.call_of(start, 3)
        places = [builder.index(start, size, parts, index_constant(k), is_natural=True) for k in range(1, count)]
        bounds = [index_constant(0) if count > 1 else None, *places, None]
        if count < 1:
            return NotImplemented
    pieces = [
        view_rules.subview(builder, array, [FULL_SLICE] * number + [Slice(first, last, None)])
        for first, last in itertools.pairwise(bounds)
    ]
    return Items(pieces, result_type)


# ---- views ------------------------------------------------------------------------------------------------------


@register(np.flip)
def _flip(lowering: Lowering, array: Any) -> Any:
    if not rank_of(array):
        return NotImplemented
    backwards = Slice(None, None, index_constant(-1))
    return view_rules.subview(lowering.builder, array, [backwards] * rank_of(array))


@register(np.expand_dims)
def _expand_dims(lowering: Lowering, array: Any, axis: Any) -> Any:
    number = static_integer(axis)
    if number is None:
        return NotImplemented
    place = normalized_axis(lowering, number, rank_of(array) + 1)
    return view_rules.subview(lowering.builder, array, [FULL_SLICE] * place + [NEW_AXIS])


def _swap(order: list[int], first: int, second: int) -> None:
    order[first], order[second] = order[second], order[first]


@register(np.swapaxes, permute=_swap)
@register(np.moveaxis, permute=lambda order, source, target: order.insert(target, order.pop(source)))
def _permute_axes(lowering: Lowering, array: Any, *axes: Any, permute: Callable[[list[int], int, int], None]) -> Any:
    numbers = static_integers([*axes])
    if numbers is None or len(numbers) != 2:
        return NotImplemented
    order = list(range(rank_of(array)))
    permute(order, *[normalized_axis(lowering, number, len(order)) for number in numbers])
    return view_rules.transpose(array, order)


@register(np.broadcast_to)
def _broadcast_to(lowering: Lowering, array: Any, shape: Any) -> Any:
    builder = lowering.builder
    dims = [builder.checked_size(size) for size in dims_of(lowering, shape)]
    if not rank_of(array):
        return NotImplemented
    return broadcast(builder, array, dims, broadcast_to_step)


def _joint_shape(builder: Any, shapes: list[list[Operand]]) -> Items:
    """Returns the shape of arrays of these shapes that are broadcast together."""
    sizes = joint_sizes(builder, shapes)
    return Items([*sizes], types.UniTuple(INDEX, len(sizes)))


@register(np.broadcast_shapes)
def _broadcast_shapes(lowering: Lowering, first: Any, *others: Any) -> Items:
    return _joint_shape(lowering.builder, [dims_of(lowering, shape) for shape in (first, *others)])


@register(np.broadcast_arrays)
def _broadcast_arrays(lowering: Lowering, *arrays: Any, result_type: types.Type) -> Any:
    if not all(map(rank_of, arrays)):
        return NotImplemented
    shape = _joint_shape(lowering.builder, [array.sizes for array in arrays])
    return Items([_broadcast_to(lowering, array, shape) for array in arrays], result_type)


@register(np.lib.stride_tricks.as_strided)
def _as_strided(lowering: Lowering, array: Any, shape: Any, strides: Any) -> Any:
    if not all(isinstance(values, Items) for values in (shape, strides)) or array.parts is not None:
        return NotImplemented
    builder = lowering.builder
    flat = view_rules.reshape(builder, array, [view_rules.product(builder, array.sizes)], type_of(array).layout == "C")
    step, item_size = builder.call_of(stride_in_elements, 2), index_constant(array.dtype.bitwidth // 8)
    axes = [
        Axis(0, builder.index(step, lowering.operands.scalar(stride), item_size), lowering.operands.scalar(size))
        for size, stride in zip(shape.values, strides.values, strict=True)
    ]
    return View(
        flat.root,
        flat.starts,
        [Axis(0, builder.index(MULTIPLY, axis.step, flat.axes[0].step), axis.size) for axis in axes],
    )


@register(np.lib.stride_tricks.sliding_window_view)
def _sliding_window_view(lowering: Lowering, array: Any, window: Any, along: Any = None, *_: Any) -> Any:
    builder, rank = lowering.builder, rank_of(array)
    windows = dims_of(lowering, window)
    is_given = along is not None and static_value(along) is not None
    numbers = static_integers(listed(along)) if is_given else list(range(rank))
    if numbers is None or len(numbers) != len(windows):
        return NotImplemented
    axes, count = list(array.axes), builder.call_of(window_count, 2)
    for number, size in zip(numbers, windows, strict=True):
        number = normalized_axis(lowering, number, rank)
        axis = axes[number]
        axes[number] = Axis(axis.root_axis, axis.step, builder.index(count, axis.size, size, is_natural=True))
        axes.append(Axis(axis.root_axis, axis.step, size))
    return View(array.root, array.starts, axes, array.parts)


# ---- iteration --------------------------------------------------------------------------------------------------


def _iterate_elements(lowering: Lowering, array: View, item: Callable[[list[Operand], View], Any]) -> Iterable:
    """Returns the iteration over the elements in C order, each by its indices and the view of it."""
    indices = iterate_indices(lowering, Items(array.sizes, types.none))

    def element(k: Scalar) -> Any:
        numbers = indices.item(k).values
        return item(numbers, view_rules.subview(lowering.builder, array, numbers))

    return Iterable(indices.count, element)


@register(np.ndenumerate)
def _ndenumerate(lowering: Lowering, array: Any) -> Iterable:
    def item(numbers: list[Operand], view: View) -> Items:
        place = Items(list(numbers), types.UniTuple(INDEX, len(numbers)))
        return tuple_of([place, lowering.operands.element_or_view(view)])

    return _iterate_elements(lowering, array, item)


@register(np.nditer)
def _nditer(lowering: Lowering, array: Any, *, result_type: types.Type) -> Any:
    if not rank_of(array):
        return NotImplemented
    if result_type.layout == "F":
        array = view_rules.transpose(array, list(range(rank_of(array)))[::-1])
    return _iterate_elements(lowering, array, lambda numbers, view: view)


# ---- random draws -----------------------------------------------------------------------------------------------


@register(np.random.random, np.random.random_sample, np.random.ranf, np.random.sample, draw=np.random.random)
@register(np.random.standard_normal, draw=np.random.standard_normal)
@register(np.random.normal, draw=numpy_loops.normal, defaults=(0.0, 1.0))
@register(np.random.uniform, draw=numpy_loops.uniform, defaults=(0.0, 1.0))
@register(np.random.exponential, draw=numpy_loops.exponential, defaults=(1.0,))
def _draw(
    lowering: Lowering, *arguments: Any, draw: Any, defaults: tuple[float, ...] = (), result_type: types.Type
) -> Any:
    """Lowers a draw of one number, or of an array element by element, as Numba draws them.

    Args:
        lowering: of the function that calls it.
        *arguments: the parameters of the distribution, and the size.
        draw: the function that draws a number.
        defaults: the values of parameters that are not given.
        result_type: Numba's type of the result.
    """
    values = [*arguments, *map(lowering.builder.constant, defaults[len(arguments) :])][: len(defaults)]
    if not isinstance(result_type, types.Array):
        numbers = [lowering.operands.scalar(value) for value in values]
        return lowering.calls.inline(draw, numbers) if values else NotImplemented
    array = allocate(lowering, arguments[len(defaults)], result_type=result_type)
    numbers = [lowering.operands.scalar(value) for value in values]
    lowering.calls.inline(draw_loops(rank_of(array), len(values), draw), [array, *numbers])
    return array


@register(random.gauss, random.normalvariate, draw=numpy_loops.gauss)
@register(random.uniform, draw=numpy_loops.python_uniform)
def _python_draw(lowering: Lowering, first: Any, second: Any, *, draw: Any) -> Any:
    """Lowers a function of ``random`` whose parameters may be computed; with constants it is a draw that others are made of."""
    if isinstance(first, Constant) and isinstance(second, Constant):
        return NotImplemented
    return lowering.calls.inline(draw, [lowering.operands.scalar(value) for value in (first, second)])


@register(np.random.rand, draw=np.random.random)
@register(np.random.randn, draw=np.random.standard_normal)
def _shaped_draw(lowering: Lowering, *sizes: Any, draw: Any, result_type: types.Type) -> Any:
    shape = [Items([*sizes], types.none)] if sizes else []
    return lowering.calls.call(draw, shape, {}, result_type, "draw")
