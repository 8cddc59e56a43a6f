"""NumPy's functions of arrays, as loops over elements that are lowered and differentiated like the user's own.

A rule is a function of (lowering, arguments, keyword arguments, Numba's type of the result). It returns a value, or ``NotImplemented``.
`register` makes rules of functions whose parameters are those of the function that is lowered.
"""

from __future__ import annotations

import builtins
import functools
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numba
import numpy as np
from numba import types

from fastgrad._src.derivatives.frontend import complex_numbers, methods
from fastgrad._src.derivatives.frontend import views as view_rules
from fastgrad._src.derivatives.frontend.array_expressions import (
    broadcast,
    elements,
    elements_of_call,
    has_sizes,
    is_overlap_safe,
    materialize,
    may_share,
)
from fastgrad._src.derivatives.frontend.typed_functions import signatures_of_method
from fastgrad._src.derivatives.functions.numba_types import number_type
from fastgrad._src.derivatives.ir.operands import INDEX, Constant, Operand, Scalar, Value, View, index_constant
from fastgrad._src.derivatives.ir.scalar_operations import AT_LEAST_0, MINIMUM
from fastgrad._src.derivatives.ir.values import (
    Elements,
    Fields,
    Items,
    Iterable,
    Method,
    Range,
    Static,
    is_complex,
    listed,
    static_value,
    tuple_of,
    type_of,
)
from fastgrad._src.derivatives.numpy.loop_sources import (
    assigned_step,
    broadcast_step,
    checked_first_index,
    common_size,
    copy_loops,
    reduction_loops,
    store_loops,
)
from fastgrad._src.derivatives.numpy.loops import choose, fmax, fmin, maximum, minimum
from fastgrad._src.scalars.terms import ADD, FLOOR_DIVIDE, REMAINDER

if TYPE_CHECKING:
    from fastgrad._src.derivatives.frontend.lowering import Lowering

Rule = Callable[[Any, list[Any], dict[str, Any], types.Type], Any]
Function = TypeVar("Function", bound=Callable[..., Any])
RULES: dict[Any, Rule] = {}
METHODS: dict[str, Rule] = {}
ELEMENT_BY_ELEMENT: frozenset[Any] = frozenset([np.clip, np.round, np.around])
"""The functions, beside ufuncs, that compute an element of the result from those at its place, so that it may replace one of these."""


def register(*functions: Any, method: str | None = None, **options: Any) -> Callable[[Function], Function]:
    """Returns the decorator that makes a function the rule of ``functions`` and of a method of arrays.

    Its parameters are the lowering, and the arguments by position. Parameters that are named are the ``options``, and ``result_type``, Numba's
    type of the result. The rule returns ``NotImplemented`` for a call whose arguments the function does not take.
    """

    def add(function: Function) -> Function:
        bound = functools.partial(function, **options)

        def rule(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
            if keywords:
                return NotImplemented
            return methods.apply_rule(bound, [lowering, *arguments], result_type=result_type)

        RULES.update(dict.fromkeys(functions, rule))
        if method is not None:
            METHODS[method] = rule
        return function

    return add


def call_method(
    lowering: Lowering, method: Method, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type
) -> Any:
    """Lowers the call of a method of an array or a number."""
    if method.owner.is_number and method.name in ("conjugate", "item"):
        return method.owner
    if any(map(is_complex, [method.owner, *arguments])):
        result = complex_numbers.call_method(lowering, method, arguments, result_type)
        if result is not NotImplemented:
            return result
    signatures = signatures_of_method(type_of(method.owner), method.name)
    (_, *given), named, target = lowering.calls.bind_positionally(signatures, [method.owner, *arguments], keywords)
    arguments, keywords = (given, named) if target is None else (arguments, keywords)
    rule = METHODS.get(method.name)
    function = getattr(np, method.name, None)
    if rule is None and function is not None:  # the method does what the function of its name does
        return lowering.calls.call(function, [method.owner, *arguments], keywords, result_type, method.name)
    result = NotImplemented if rule is None else rule(lowering, [method.owner, *arguments], keywords, result_type)
    if result is NotImplemented:
        raise lowering.builder.refuse(f"the method {method.name} can't be differentiated")
    return result


# ---- element by element ---------------------------------------------------------------------------------------


def rank_of(value: Any) -> int:
    """Returns the number of axes of an array; 0 for anything else."""
    return value.rank if isinstance(value, Value) else 0


def normalized_axis(lowering: Lowering, axis: int, rank: int) -> int:
    """Returns the number of an axis among ``rank``, counted from the first one; refuses one that is not among them, as Numba does when it runs."""
    if not -rank <= axis < rank:
        raise lowering.builder.refuse(f"axis {axis} is out of bounds for an array of {rank} axes")
    return axis % rank


def lower_elementwise(lowering: Lowering, function: Any, operands: list[Any], result_type: types.Type) -> Any:
    """Lowers a function of numbers that is applied to arrays, which broadcast."""
    if function is operator.matmul:
        return RULES[operator.matmul](lowering, operands, {}, result_type)
    return materialize(lowering, elements_of_call(lowering, function, operands, result_type))


def check_overlap(lowering: Lowering, target: Any, operands: list[Any], is_by_element: bool = True) -> None:
    """Refuses a function whose operands may share elements with the array for its result: Numba reads what it has already written.

    One that is computed element by element may write its result to an operand.
    """
    for operand in operands:
        if not (operand.is_array and target.is_array):
            continue
        if is_by_element and target.has_same_elements(operand):
            continue
        if may_share(operand, target):
            raise lowering.builder.refuse(
                "a function may read other elements of the array that it writes its result to; write it to a new array"
            )


def check_sizes(lowering: Lowering, target: View, result: Any) -> None:
    """Makes the derivative raise if the array for a result has not its sizes; one of another number of axes is refused."""
    if rank_of(target) != rank_of(result):
        raise lowering.builder.refuse("the array for a result has not as many axes as the result")
    check = lowering.builder.call_of(common_size, 2)
    for axis, wanted in zip(target.axes, getattr(result, "axes", ()), strict=True):
        lowering.builder.index(check, axis.size, wanted.size, is_natural=True)


def strip_trailing_none(values: list[Any]) -> list[Any]:
    """Returns arguments without those at the end that are None, which is what NumPy takes for those that are left out."""
    while values and values[-1].is_none:
        values = values[:-1]
    return values


def update(lowering: Lowering, function: Any, target: View, value: Any) -> View:
    """Lowers an operator in place, such as ``target += value``; returns ``target``.

    Like Numba it goes through the elements in order, so ``a[1:] += a[:-1]`` adds what it has written.
    """
    if isinstance(value, Elements) and not is_overlap_safe(target, value):
        value = materialize(lowering, value)
    _store(lowering, function, target, value, broadcast_step)
    return target


def assign(lowering: Lowering, target: View, value: Any) -> None:
    """Lowers the assignment of a number or an array, which broadcasts, to all elements of a view."""
    if value.is_array and target.has_same_elements(value):
        return
    if isinstance(value, Items):
        value = as_array(lowering, value)
    elif not is_overlap_safe(target, value):
        value = copy(lowering, value)
    _store(lowering, None, target, value, assigned_step)


def _store(lowering: Lowering, function: Any, target: View, value: Any, step_function: Any) -> None:
    """Writes the elements of a value, which broadcasts, to a view, or those of a function of both."""
    sizes = target.sizes
    if isinstance(value, Elements) and not has_sizes(value, sizes):
        value = materialize(lowering, value)
    if rank_of(value) > rank_of(target):
        raise ValueError("an array of more axes is assigned to one of fewer axes")
    if value.is_array and value.axes:
        value = broadcast(lowering.builder, value, sizes, step_function)
    is_number = not isinstance(value, Elements) and rank_of(value) == 0
    loops = store_loops(rank_of(target), is_number, function)
    lowering.calls.inline(loops, [target, lowering.operands.number(value) if is_number else value])


@register(np.copy, method="copy")
def copy(lowering: Lowering, array: Any) -> Any:
    """Lowers a copy of an array, or of one of records."""
    if isinstance(array, Fields):
        parts = {name: copy(lowering, part) for name, part in array.parts.items()}
        return Fields(parts, array.type.copy(layout="C", readonly=False))
    if not isinstance(array, (Elements, View)):
        return NotImplemented
    return lowering.calls.inline(copy_loops(len(array.axes), str(array.dtype)), [array])


@register(np.where)
def _where(lowering: Lowering, condition: Any, *choices: Any, result_type: types.Type) -> Any:
    if not choices:
        return RULES[np.nonzero](lowering, [materialize(lowering, condition)], {}, result_type)
    return elements(lowering, choose, [condition, *choices], result_type)


@register(np.clip)
def _clip(lowering: Lowering, result: Any, *bounds: Any, result_type: types.Type) -> Any:
    if not strip_trailing_none([*bounds]):
        return NotImplemented
    for bound, function in zip(bounds, (max, min), strict=False):
        if not bound.is_none:
            result = lowering.operators.apply(function, [result, bound], result_type)
    return result


@register(np.maximum, function=maximum)
@register(np.minimum, function=minimum)
@register(np.fmax, function=fmax)
@register(np.fmin, function=fmin)
def _minimum_or_maximum(lowering: Lowering, first: Any, second: Any, *, function: Any, result_type: types.Type) -> Any:
    return materialize(lowering, elements(lowering, function, [first, second], result_type))


# ---- new arrays -------------------------------------------------------------------------------------------------


def dims_of(lowering: Lowering, shape: Any) -> list[Operand]:
    """Returns the sizes that an argument is: a tuple of them, or one."""
    return [lowering.operands.array_size(size) for size in listed(shape)]


@register(np.zeros, np.zeros_like, function="zeros")
@register(np.empty, np.empty_like, function="empty")
def allocate(lowering: Lowering, shape: Any, *_: Any, result_type: types.Type, function: str = "empty") -> View:
    """Lowers the allocation of an array of a shape, or of that of another array or number."""
    if isinstance(shape, View):
        dims = shape.sizes
    else:
        dims = dims_of(lowering, shape) if result_type.ndim else []
    return lowering.builder.allocate(result_type.dtype, dims, function)


@register(np.full, np.full_like)
def _full(lowering: Lowering, shape: Any, value: Any, *_: Any, result_type: types.Type) -> View:
    array = allocate(lowering, shape, result_type=result_type)
    assign(lowering, array, value)
    return array


@register(np.ones, np.ones_like)
def _ones(lowering: Lowering, shape: Any, *_: Any, result_type: types.Type) -> View:
    one = lowering.operands.cast(lowering.builder.constant(1), result_type.dtype)
    return _full(lowering, shape, one, result_type=result_type)


@register(np.asarray, np.ascontiguousarray)
def _as_array(lowering: Lowering, array: Any, *_: Any, result_type: types.Type) -> Any:
    """Lowers the array itself if it is one of the result's type, else a copy."""
    if array.is_array and type_of(array) == result_type:
        return array
    result = as_array(lowering, array, result_type=result_type)
    if array.is_array and type_of(array).layout == "A":
        lowering.result.note_copy(result.root, array.root, lowering.builder.location)
    return result


@register(np.asfortranarray)
def _as_fortran_array(lowering: Lowering, array: Any, *_: Any) -> Any:
    """Lowers the array itself if it is one of the result's type, else a copy in the other order of axes."""
    if not array.is_array or len(array.axes) < 2 or type_of(array).layout == "A":
        return NotImplemented
    if type_of(array).layout == "F":
        return array
    order = list(range(len(array.axes)))[::-1]
    result = view_rules.transpose(copy(lowering, view_rules.transpose(array, order)), order)
    result.layout = "F"
    return result


@register(np.array)
def as_array(lowering: Lowering, value: Any, *_: Any, result_type: types.Type = types.none) -> Any:
    """Lowers an array of nested lists or tuples of numbers, or a copy of an array."""
    builder = lowering.builder
    if value.is_array:
        return _as_type(lowering, value, result_type=result_type)
    if value.is_number:
        return _full(lowering, Items([], types.none), value, result_type=result_type)
    if not isinstance(value, Items):
        return NotImplemented
    rows = value.values
    is_nested = bool(rows) and all(isinstance(row, Items) for row in rows)
    dims: list[Operand] = [index_constant(len(rows)), *([index_constant(len(rows[0].values))] if is_nested else [])]
    if isinstance(result_type, types.Array):
        dtype = result_type.dtype
    else:
        numbers = [item for row in rows for item in (row.values if is_nested else [row])]
        is_float = any(isinstance(type_of(number), types.Float) for number in numbers)
        dtype = types.complex128 if any(map(is_complex, numbers)) else types.float64 if is_float else types.int64
    array = builder.allocate(dtype, dims, "empty")
    for number, row in enumerate(rows):
        if is_nested:
            for column, item in enumerate(row.values):
                place: list[Operand] = [index_constant(number), index_constant(column)]
                view_rules.store_element(builder, array, place, lowering.operands.number(item))
        elif row.is_array:
            return NotImplemented
        else:
            view_rules.store_element(builder, array, [index_constant(number)], lowering.operands.number(row))
    return array


# ---- other views --------------------------------------------------------------------------------------------------


@register(np.transpose, method="transpose")
def _transpose(lowering: Lowering, array: Any, *axes: Any) -> Any:
    axes = (*strip_trailing_none([*axes]),)
    order = listed(axes[0]) if len(axes) == 1 else axes
    if not array.is_array or not all(isinstance(axis, Constant) for axis in order):
        return NotImplemented
    numbers = [axis.value for axis in order] if order else list(range(len(array.axes)))[::-1]
    return view_rules.transpose(array, numbers)


@register(np.reshape, method="reshape")
def _reshape(lowering: Lowering, array: Any, *shape: Any) -> Any:
    if not array.is_array:
        return NotImplemented
    dims = dims_of(lowering, shape[0] if len(shape) == 1 else Items([*shape], types.none))
    return view_rules.reshape(lowering.builder, array, dims, type_of(array).layout == "C")


@register(np.ravel, method="ravel")
def _ravel(lowering: Lowering, array: Any) -> Any:
    if isinstance(array, Fields) and len(array.sizes) == 1:
        return array if type_of(array).layout == "C" else copy(lowering, array)
    if not array.is_array:
        return NotImplemented
    flat = array if type_of(array).layout == "C" else copy(lowering, array)
    return view_rules.reshape(lowering.builder, flat, [view_rules.product(lowering.builder, flat.sizes)], True)


@register(method="flatten")
def _flatten(lowering: Lowering, array: Any) -> Any:
    return _ravel(lowering, copy(lowering, array))


@register(method="astype")
def _as_type(lowering: Lowering, array: Any, *_: Any, result_type: types.Type) -> Any:
    dtype = result_type.dtype
    if isinstance(dtype, types.Integer) and array.root.is_real:
        return lower_elementwise(lowering, getattr(np, str(dtype)), [array], result_type)
    return lowering.calls.inline(copy_loops(len(array.axes), str(dtype)), [array])


@register(method="item")
def _item(lowering: Lowering, array: Any) -> Any:
    builder, first = lowering.builder, index_constant(0)
    if not array.axes:
        return view_rules.load_element(builder, array, [])
    size = view_rules.product(builder, array.sizes)
    check = builder.index(builder.call_of(checked_first_index, 1), size, is_natural=True)
    return view_rules.load_element(builder, array, [check, *[first] * (len(array.axes) - 1)])


@register(method="fill")
def _fill(lowering: Lowering, array: Any, value: Any) -> Static:
    assign(lowering, array, value)
    return Static(None)


# ---- reductions -----------------------------------------------------------------------------------------------------


def _reduction(lowering: Lowering, array: Any, axis: Any = None, *rest: Any, name: str, result_type: types.Type) -> Any:
    axis_number = None if axis is None else static_value(axis)
    is_known = axis is None or axis.is_none or isinstance(axis_number, int)
    if strip_trailing_none([*rest]) or not is_known or not isinstance(array, (Elements, View)):
        return NotImplemented
    if not array.axes:  # NumPy reduces the one element
        array = view_rules.reshape(lowering.builder, materialize(lowering, array), [index_constant(1)], True)
    if axis_number is not None:
        axis_number = normalized_axis(lowering, axis_number, len(array.axes))
    if name in ("var", "std"):  # Numba divides by the number of elements, which raises for an empty array
        operands = [lowering.builder.constant(1.0), view_rules.product(lowering.builder, array.sizes)]
        lowering.operators.apply(operator.truediv, operands, types.float64)
    return lowering.calls.inline(
        reduction_loops(name, len(array.axes), axis_number, str(number_type(result_type))), [array]
    )


for _name in ("sum", "prod", "mean", "max", "min", "var", "std", "argmax", "argmin", "any", "all", "cumsum", "cumprod"):
    register(getattr(np, _name), method=_name, name=_name)(_reduction)
RULES.update({np.amax: METHODS["max"], np.amin: METHODS["min"]})


@register(builtins.sum, function=operator.add)
@register(max, function=max)
@register(min, function=min)
def _builtin_reduction(lowering: Lowering, items: Any, *, function: Any, result_type: types.Type) -> Any:
    def combine(first: Any, second: Any) -> Any:
        if isinstance(result_type, types.Array) and not result_type.ndim and function is not operator.add:
            # Numba returns one of these arrays itself, not a copy.
            return lowering.calls.inline(_later_or_first, [first, second, _ORDERS[function]])
        return lowering.operators.apply(function, [first, second], result_type)

    if isinstance(items, Items):
        return functools.reduce(combine, items.values)
    if function is operator.add:
        return _reduction(lowering, items, name="sum", result_type=result_type)
    return lowering.calls.inline(_extreme, [items, _ORDERS[function]]) if rank_of(items) == 1 else NotImplemented


def _later_or_first(first, second, is_beyond):  # type: ignore[no-untyped-def]
    return second if is_beyond(second, first) else first


def _extreme(items, is_beyond):  # type: ignore[no-untyped-def]
    if len(items) == 0:
        raise StopIteration  # as Numba does
    result = items[0]
    for item in items:
        result = item if is_beyond(item, result) else result
    return result


_ORDERS = {max: Static(operator.gt), min: Static(operator.lt)}


# ---- iteration ------------------------------------------------------------------------------------------------------


@register(numba.prange)
def _prange(lowering: Lowering, *bounds: Any) -> Range:
    result = _range(lowering, *bounds)
    return Range(result.start, result.stop, result.step, lowering.frame.is_parallel)


@register(range)
def _range(lowering: Lowering, *arguments: Any) -> Range:
    bounds = [lowering.operands.scalar(argument) for argument in arguments]
    start, stop = (index_constant(0), bounds[0]) if len(bounds) == 1 else bounds[:2]
    return Range(start, stop, bounds[2] if len(bounds) == 3 else index_constant(1))


@register(enumerate)
def _enumerate(lowering: Lowering, values: Any, start: Any = None, *, result_type: types.Type) -> Iterable:
    items = lowering.iteration.iterable(values)
    first = index_constant(0) if start is None else lowering.operands.scalar(start)

    def pair(k: Scalar) -> Items:
        item = items.item(k)
        return tuple_of([lowering.builder.index(ADD, k, first), item])

    return Iterable(items.count, pair, items.lists, result_type)


@register(iter)
def _iter(lowering: Lowering, values: Any, *, result_type: types.Type) -> Iterable:
    items = lowering.iteration.iterable(values)
    return Iterable(items.count, items.item, items.lists, result_type)


@register(zip)
def _zip(lowering: Lowering, *values: Any, result_type: types.Type) -> Iterable:
    parts = [lowering.iteration.iterable(each) for each in values]
    counts = [
        part.count if part.count.is_natural else lowering.builder.index(AT_LEAST_0, part.count, is_natural=True)
        for part in parts
    ]
    count = counts[0]
    for other in counts[1:]:
        count = lowering.builder.index(MINIMUM, count, other, is_natural=True)

    def row(k: Scalar) -> Items:
        return tuple_of([part.item(k) for part in parts])

    return Iterable(count, row, tuple(values for part in parts for values in part.lists), result_type)


@register(np.ndindex)
def iterate_indices(lowering: Lowering, *shape: Any) -> Iterable:
    """Lowers the iteration over the indices of an array of a shape, in C order."""
    builder = lowering.builder
    dims = dims_of(lowering, shape[0] if len(shape) == 1 else Items([*shape], types.none))

    def indices(k: Scalar) -> Items:
        numbers: list[Any] = []
        rest: Operand = k
        for size in reversed(dims[1:]):
            numbers.insert(0, builder.index(REMAINDER, rest, size, is_natural=True))
            rest = builder.index(FLOOR_DIVIDE, rest, size, is_natural=True)
        return Items([rest, *numbers][: len(dims)], types.UniTuple(INDEX, len(dims)))

    return Iterable(view_rules.product(builder, dims), indices)


@register(slice)
def _slice(lowering: Lowering, *arguments: Any) -> Static:
    bounds = [None if argument.is_none else lowering.operands.scalar(argument) for argument in arguments]
    start, stop = (None, bounds[0]) if len(bounds) == 1 else bounds[:2]
    return Static(view_rules.Slice(start, stop, bounds[2] if len(bounds) == 3 else None))
