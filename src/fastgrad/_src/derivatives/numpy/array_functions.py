"""NumPy's functions of arrays, as loops over elements that are lowered and differentiated like the user's own.

A rule is a function of (lowering, arguments, keyword arguments, Numba's type of the result). It returns a value, or ``NotImplemented``.
"""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numba import types

from fastgrad._src.derivatives.frontend import complex_numbers
from fastgrad._src.derivatives.frontend import views as view_rules
from fastgrad._src.derivatives.frontend.array_expressions import (
    broadcast,
    elements,
    elements_of_call,
    has_sizes,
    materialize,
    reads_apart,
)
from fastgrad._src.derivatives.frontend.typed_functions import signatures_of_method
from fastgrad._src.derivatives.functions.numba_types import number_type
from fastgrad._src.derivatives.ir.operands import INDEX, Constant, Operand, Scalar, Value, View, index_constant
from fastgrad._src.derivatives.ir.scalar_operations import AT_LEAST_0, MINIMUM
from fastgrad._src.derivatives.ir.values import (
    Elements,
    Items,
    Iterable,
    Method,
    Range,
    Static,
    is_complex,
    listed,
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
RULES: dict[Any, Rule] = {}
METHODS: dict[str, Rule] = {}
ELEMENT_BY_ELEMENT: frozenset[Any] = frozenset([np.clip, np.round, np.around])
"""The functions, beside ufuncs, that compute an element of the result from those at its place, so that it may replace one of these."""


def rule_of(function: Any) -> Rule | None:
    """Returns the rule of a function, or None."""
    try:
        return RULES.get(function)
    except TypeError:
        return None


def register(*functions: Any, method: str | None = None) -> Callable[[Rule], Rule]:
    """Returns the decorator that makes a function the rule of ``functions`` and of a method of arrays."""

    def add(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(functions, rule))
        if method is not None:
            METHODS[method] = rule
        return rule

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
    (_, *given), named, target = lowering.calls.by_position(signatures, [method.owner, *arguments], keywords)
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


def axis_of(lowering: Lowering, axis: int, rank: int) -> int:
    """Returns the number of an axis among ``rank``, counted from the first one; refuses one that is not among them, as Numba does when it runs."""
    if not -rank <= axis < rank:
        raise lowering.builder.refuse(f"axis {axis} is out of bounds for an array of {rank} axes")
    return axis % rank


def element_by_element(lowering: Lowering, function: Any, operands: list[Any], result_type: types.Type) -> Any:
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
        if is_by_element and target.same_elements(operand):
            continue
        memories = operand.root.memory, target.root.memory
        if memories[0] is memories[1] or "phi" in (memories[0].kind, memories[1].kind):
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


def given_values(values: list[Any]) -> list[Any]:
    """Returns arguments without those at the end that are None, which is what NumPy takes for those that are left out."""
    while values and values[-1].is_none:
        values = values[:-1]
    return values


def update(lowering: Lowering, function: Any, target: View, value: Any) -> View:
    """Lowers an operator in place, such as ``target += value``; returns ``target``.

    Like Numba it goes through the elements in order, so ``a[1:] += a[:-1]`` adds what it has written.
    """
    if isinstance(value, Elements) and not reads_apart(target, value):
        value = materialize(lowering, value)
    _store(lowering, function, target, value, broadcast_step)
    return target


def assign(lowering: Lowering, target: View, value: Any) -> None:
    """Lowers the assignment of a number or an array, which broadcasts, to all elements of a view."""
    if value.is_array and target.same_elements(value):
        return
    if isinstance(value, Items):
        value = as_array(lowering, [value], {}, types.none)
    elif not reads_apart(target, value):
        value = copy(lowering, [value], {}, types.none)
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
def copy(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
    """Lowers a copy of an array."""
    (array,) = arguments
    if not isinstance(array, (Elements, View)):
        return NotImplemented
    return lowering.calls.inline(copy_loops(len(array.axes), str(array.dtype)), [array])


@register(np.where)
def _where(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
    if len(arguments) == 1:
        return RULES[np.nonzero](lowering, [materialize(lowering, arguments[0])], keywords, result_type)
    if len(arguments) != 3 or keywords:
        return NotImplemented
    return elements(lowering, choose, arguments, result_type)


@register(np.clip)
def _clip(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
    result, *bounds = arguments
    if not given_values(bounds) or keywords:
        return NotImplemented
    for bound, function in zip(bounds, (max, min), strict=False):
        if not bound.is_none:
            result = lowering.operators.apply(function, [result, bound], result_type)
    return result


def _extreme_rule(function: Any) -> Rule:
    def rule(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
        if len(arguments) != 2 or keywords:
            return NotImplemented
        return materialize(lowering, elements(lowering, function, arguments, result_type))

    return rule


RULES.update({np.maximum: _extreme_rule(maximum), np.minimum: _extreme_rule(minimum)})
RULES.update({np.fmax: _extreme_rule(fmax), np.fmin: _extreme_rule(fmin)})


# ---- new arrays -------------------------------------------------------------------------------------------------


def dims_of(lowering: Lowering, shape: Any) -> list[Operand]:
    """Returns the sizes that an argument is: a tuple of them, or one."""
    return [lowering.operands.scalar(size) for size in listed(shape)]


def _allocation_rule(function: str) -> Rule:
    def rule(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
        shape = arguments[0]
        dims = shape.sizes if isinstance(shape, View) else dims_of(lowering, shape)
        return lowering.builder.allocate(result_type.dtype, dims, function)

    return rule


RULES.update({np.zeros: _allocation_rule("zeros"), np.zeros_like: _allocation_rule("zeros")})
RULES.update({np.empty: _allocation_rule("empty"), np.empty_like: _allocation_rule("empty")})


def _constant_array(lowering: Lowering, shape: Any, value: Any, result_type: types.Type) -> View:
    array = _allocation_rule("empty")(lowering, [shape], {}, result_type)
    assign(lowering, array, value)
    return array


@register(np.ones, np.ones_like)
def _ones(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
    is_boolean = isinstance(result_type.dtype, types.Boolean)
    one = lowering.operands.cast(lowering.builder.constant(True if is_boolean else 1), result_type.dtype)
    return _constant_array(lowering, arguments[0], one, result_type)


@register(np.full, np.full_like)
def _full(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
    return _constant_array(lowering, arguments[0], arguments[1], result_type)


@register(np.asarray, np.ascontiguousarray)
def _as_array(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
    """Lowers the array itself if it is one of the result's type, else a copy."""
    array = arguments[0]
    if array.is_array and type_of(array) == result_type:
        return array
    result = as_array(lowering, arguments, keywords, result_type)
    if array.is_array and type_of(array).layout == "A":
        lowering.result.note_copy(result.root, array.root, lowering.builder.location)
    return result


@register(np.asfortranarray)
def _as_fortran_array(
    lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type
) -> Any:
    """Lowers the array itself if it is one of the result's type, else a copy in the other order of axes."""
    array = arguments[0]
    if keywords or not array.is_array or len(array.axes) < 2 or type_of(array).layout == "A":
        return NotImplemented
    if type_of(array).layout == "F":
        return array
    order = list(range(len(array.axes)))[::-1]
    result = view_rules.transpose(copy(lowering, [view_rules.transpose(array, order)], {}, types.none), order)
    result.layout = "F"
    return result


@register(np.array)
def as_array(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
    """Lowers an array of nested lists or tuples of numbers, or a copy of an array."""
    value, builder = arguments[0], lowering.builder
    if value.is_array:
        return METHODS["astype"](lowering, [value], {}, result_type)
    if value.is_number:
        return _constant_array(lowering, Items([], types.none), value, result_type)
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
def _transpose(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
    array, *axes = given_values(arguments)
    if not array.is_array or keywords:
        return NotImplemented
    order = listed(axes[0]) if len(axes) == 1 else axes
    if not all(isinstance(axis, Constant) for axis in order):
        return NotImplemented
    numbers = [axis.value for axis in order] if order else list(range(len(array.axes)))[::-1]
    return view_rules.transpose(array, numbers)


@register(np.reshape, method="reshape")
def _reshape(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
    array, *shape = arguments
    if not array.is_array or keywords:
        return NotImplemented
    sizes = listed(shape[0]) if len(shape) == 1 else shape
    dims = [lowering.operands.scalar(size) for size in sizes]
    return view_rules.reshape(lowering.builder, array, dims, type_of(array).layout == "C")


@register(np.ravel, method="ravel")
def _ravel(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
    (array,) = arguments
    if not array.is_array:
        return NotImplemented
    flat = array if type_of(array).layout == "C" else copy(lowering, [array], {}, types.none)
    return view_rules.reshape(lowering.builder, flat, [view_rules.size_of(lowering.builder, flat)], True)


@register(method="flatten")
def _flatten(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
    fresh = copy(lowering, arguments, {}, types.none)
    return view_rules.reshape(lowering.builder, fresh, [view_rules.size_of(lowering.builder, fresh)], True)


@register(method="astype")
def _astype(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
    array = arguments[0]
    dtype = result_type.dtype
    if isinstance(dtype, types.Integer) and array.root.is_real:
        return element_by_element(lowering, int, [array], result_type)
    return lowering.calls.inline(copy_loops(len(array.axes), str(dtype)), [array])


@register(method="item")
def _item(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
    array, builder, first = arguments[0], lowering.builder, index_constant(0)
    if not array.axes:
        return view_rules.load_element(builder, array, [])
    size = view_rules.size_of(builder, array)
    check = builder.index(builder.call_of(checked_first_index, 1), size, is_natural=True)
    return view_rules.load_element(builder, array, [check, *[first] * (len(array.axes) - 1)])


@register(method="fill")
def _fill(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
    assign(lowering, arguments[0], arguments[1])
    return Static(None)


# ---- reductions -----------------------------------------------------------------------------------------------------


def _reduction_rule(name: str) -> Rule:
    def rule(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
        array, *rest = given_values(arguments)
        axis = rest[0] if rest else None
        if keywords or len(rest) > 1 or not isinstance(array, (Elements, View)):
            return NotImplemented
        if axis is not None and not isinstance(axis, (Constant, Static)):
            return NotImplemented
        axis_number = None if axis is None else axis.value
        if not array.axes:  # NumPy reduces the one element
            array = view_rules.reshape(lowering.builder, materialize(lowering, array), [index_constant(1)], True)
        if axis_number is not None:
            if not isinstance(axis_number, int):
                return NotImplemented
            axis_number = axis_of(lowering, axis_number, len(array.axes))
        dtype = number_type(result_type)
        return lowering.calls.inline(reduction_loops(name, len(array.axes), axis_number, str(dtype)), [array])

    return rule


for _name in ("sum", "prod", "mean", "max", "min", "var", "std", "argmax", "argmin", "any", "all", "cumsum", "cumprod"):
    METHODS[_name] = RULES[getattr(np, _name)] = _reduction_rule(_name)
RULES.update({np.amax: METHODS["max"], np.amin: METHODS["min"]})


def _of_tuple(lowering: Lowering, function: Any, arguments: list[Any], result_type: types.Type) -> Any:
    result: Any = None
    for item in arguments[0].values:
        result = item if result is None else lowering.operators.apply(function, [result, item], result_type)
    return result


@register(builtins.sum)
def _builtin_sum(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
    if len(arguments) != 1 or keywords:
        return NotImplemented
    if isinstance(arguments[0], Items):
        return _of_tuple(lowering, operator.add, arguments, result_type)
    return METHODS["sum"](lowering, arguments, keywords, result_type)


def _builtin_extreme(function: Any, name: str) -> Rule:
    def rule(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
        if len(arguments) == 1 and isinstance(arguments[0], Items):
            return _of_tuple(lowering, function, arguments, result_type)
        if len(arguments) == 1 and arguments[0].is_array:
            return METHODS[name](lowering, arguments, keywords, result_type)
        return NotImplemented

    return rule


RULES.update({max: _builtin_extreme(max, "max"), min: _builtin_extreme(min, "min")})


# ---- iteration ------------------------------------------------------------------------------------------------------


@register(numba.prange)
def _prange(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
    result = _range(lowering, arguments, keywords, result_type)
    return Range(result.start, result.stop, result.step, lowering.frame.is_parallel)


@register(range)
def _range(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
    bounds = [lowering.operands.scalar(argument) for argument in arguments]
    start, stop = (index_constant(0), bounds[0]) if len(bounds) == 1 else bounds[:2]
    return Range(start, stop, bounds[2] if len(bounds) == 3 else index_constant(1))


@register(enumerate)
def _enumerate(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
    items = lowering.iteration.iterable(arguments[0])
    start = lowering.operands.scalar(arguments[1]) if len(arguments) > 1 else index_constant(0)

    def pair(k: Scalar) -> Items:
        item = items.item(k)
        number = lowering.builder.index(ADD, k, start)
        return Items([number, item], types.Tuple([INDEX, type_of(item)]))

    return Iterable(items.count, pair, items.lists, result_type)


@register(iter)
def _iter(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
    items = lowering.iteration.iterable(arguments[0])
    return Iterable(items.count, items.item, items.lists, result_type)


@register(zip)
def _zip(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
    parts = [lowering.iteration.iterable(argument) for argument in arguments]
    counts = [
        part.count if part.count.is_natural else lowering.builder.index(AT_LEAST_0, part.count, is_natural=True)
        for part in parts
    ]
    count = counts[0]
    for other in counts[1:]:
        count = lowering.builder.index(MINIMUM, count, other, is_natural=True)

    def row(k: Scalar) -> Items:
        items = [part.item(k) for part in parts]
        return Items(items, types.Tuple([type_of(item) for item in items]))

    return Iterable(count, row, tuple(values for part in parts for values in part.lists), result_type)


@register(np.ndindex)
def _ndindex(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
    builder = lowering.builder
    shape = listed(arguments[0]) if len(arguments) == 1 else arguments
    dims = [lowering.operands.scalar(size) for size in shape]

    def indices(k: Scalar) -> Items:
        numbers: list[Any] = []
        rest: Operand = k
        for size in reversed(dims[1:]):
            numbers.insert(0, builder.index(REMAINDER, rest, size, is_natural=True))
            rest = builder.index(FLOOR_DIVIDE, rest, size, is_natural=True)
        return Items([rest, *numbers][: len(dims)], types.UniTuple(INDEX, len(dims)))

    return Iterable(view_rules.product(builder, dims), indices)


@register(slice)
def _slice(lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type) -> Any:
    bounds = [None if argument.is_none else lowering.operands.scalar(argument) for argument in arguments]
    start, stop = (None, bounds[0]) if len(bounds) == 1 else bounds[:2]
    return Static(view_rules.Slice(start, stop, bounds[2] if len(bounds) == 3 else None))
