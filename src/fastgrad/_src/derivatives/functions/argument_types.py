"""The types of arguments and results: which types have derivatives, and the types of cotangents and tangents."""

from __future__ import annotations

import functools
from collections import namedtuple
from collections.abc import Sequence
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np
from numba import typeof, types

from fastgrad._src.core.errors import DifferentiationError
from fastgrad._src.derivatives.functions.numba_types import UnknownType, number_type, rank_of_type
from fastgrad._src.derivatives.functions.options import Options
from fastgrad._src.derivatives.functions.parameters import Types, parameter_names, place, signature_of, wrapped_function
from fastgrad._src.derivatives.functions.snapshot import CALLED
from fastgrad._src.jit.numba_internals import as_dtype


def field_types_of(type: types.Type) -> dict[str, types.Type] | None:
    """Returns the types of the fields of records and of instances of ``jitclass``, by name; None for other types."""
    if isinstance(type, types.ClassInstanceType):
        return dict(type.struct)
    record = number_type(type)
    return dict(record.members) if isinstance(record, types.Record) else None


def is_list(type: types.Type) -> bool:
    """True for lists of Python and typed lists of Numba."""
    return isinstance(type, (types.List, types.ListType))


def is_differentiable(type: types.Type) -> bool:
    """True for floats and complex numbers, arrays of them, lists of these and of lists of numbers, and tuples, records and instances of ``jitclass`` with one of these."""
    type = types.unliteral(type)
    if is_list(type):
        return _is_float(type.dtype.dtype if is_list(type.dtype) else number_type(type.dtype))
    if isinstance(type, types.BaseTuple):
        return any(map(is_differentiable, type))
    fields = field_types_of(type)
    if fields is not None:
        return any(map(_is_differentiable_field, fields.values()))
    return _is_float(number_type(type))


def _is_differentiable_field(type: types.Type) -> bool:
    """True for the fields of records and instances that have derivatives: lists have none."""
    return is_differentiable(type) and not is_list(type)


def _is_float(type: types.Type) -> bool:
    """True for the floats and complex numbers that have derivatives."""
    return isinstance(type, (types.Float, types.Complex)) and type != types.float16


def has_random_generator(type: types.Type) -> bool:
    """True for ``numpy.random.Generator``, and for tuples with one."""
    is_tuple = isinstance(type, types.BaseTuple)
    return any(map(has_random_generator, type)) if is_tuple else isinstance(type, types.NumPyRandomGeneratorType)


def tangent_type_of(type: types.Type) -> types.Type:
    """Returns the type of the tangent of a value: that of the value, with None in the place of what has no derivative."""
    if isinstance(type, types.BaseTuple):
        return types.Tuple([tangent_type_of(item) for item in type])
    return type if is_differentiable(type) else types.none


@functools.lru_cache(maxsize=256)
def cotangent_type_of(type: types.Type) -> Any:
    """Returns what the cotangents and tangents of records and instances are: a dtype of the fields of floats, for an instance a named tuple of them.

    Fields of an instance may be arrays of any size, which no dtype has; Numba returns no dictionary of numbers and arrays.
    """
    fields = {name: field for name, field in field_types_of(type).items() if _is_differentiable_field(field)}  # type: ignore[union-attr]
    if isinstance(type, types.ClassInstanceType):
        return namedtuple(type.classname, fields, rename=True)  # noqa: PYI024  # the names are those of a class of the user
    dtype = as_dtype(number_type(type))
    return np.dtype([(name, dtype[name]) for name in fields], align=True)


def check_types(
    function: FunctionType, argument_types: Types, positions: tuple[int, ...], owner: str, has_argnums: bool = True
) -> None:
    """Raises DifferentiationError if an argument to differentiate with respect to has no derivative, or Numba does not know an argument's type.

    ``has_argnums`` says that the user may choose these arguments.

    Raises TypeError if no signature of ``numba.njit`` takes the arguments.
    """
    signature_of(getattr(function, CALLED, None), argument_types, allow_ambiguous=False)
    for position, (name, type) in enumerate(zip(parameter_names(function), argument_types, strict=True)):
        argument = f"{place(function)}: {owner}: the argument {name} of {function.__name__} is of type {type}, which"
        to_array = f"{name}.{type.to_array}()" if isinstance(type, UnknownType) and type.to_array else ""
        if position in positions and not is_differentiable(type):
            remedy = "float64 or float32"
            if is_list(type):
                remedy = f"a list of floats or of arrays of floats, or a tuple of its items, tuple({name})"
            elif to_array:
                remedy = to_array
            raise DifferentiationError(
                f"{argument} has no derivative. Pass {remedy}{', or choose other arguments with argnums' if has_argnums else ''}."
            )
        if isinstance(number_type(type), types.PyObject):
            raise DifferentiationError(
                f"{argument} Numba can't compile. Pass {to_array or 'numbers, arrays of numbers, or tuples of them'}."
            )


def check_parts_of_result(result: types.Type, function: FunctionType, owner: str) -> None:
    """Raises DifferentiationError if a function returns a list, a dictionary or a value that may be None, also within a tuple."""
    returns = f"{place(function)}: {owner}: {function.__name__} returns {result}"
    if isinstance(result, types.BaseTuple):
        for item in result:
            check_parts_of_result(item, function, owner)
    elif is_list(result) or isinstance(result, types.DictType):
        raise DifferentiationError(
            f"{returns}; lists and dictionaries have no tangents and cotangents as results. Return a tuple, or an array of the numbers."
        )
    elif isinstance(result, types.Optional):
        raise DifferentiationError(
            f"{returns}, a value that may be None, which has no tangent and no cotangent as a result. "
            "Return a number or an array in all cases, and a truth value beside it."
        )


def check_result(result: types.Type, function: FunctionType, owner: str, has_aux: bool = False) -> None:
    """Raises DifferentiationError if a function does not return one float, with ``has_aux`` in a pair."""
    value = result
    if has_aux:
        if not isinstance(result, types.BaseTuple) or len(result) != 2:
            raise DifferentiationError(
                f"{place(function)}: {owner}: with has_aux=True {function.__name__} returns (value, aux); it returns {result}."
            )
        value = result[0]
    if not isinstance(value, types.Float):
        remedy = "For arrays use vjp, jvp or jacobian."
        if isinstance(value, types.Optional):
            remedy = "Of a variable that may be None return x + 0.0, which Numba knows to be a number."
        raise DifferentiationError(
            f"{place(function)}: {owner}: {function.__name__} returns {value}; the gradient of one float is defined. {remedy}"
        )


class Specialization(NamedTuple):
    """A user's function at some types of its arguments.

    Attributes:
        function: the Python function.
        types: the types of its arguments.
        options: the options of ``numba.njit`` for it.
    """

    function: Any
    types: Types
    options: Options


def specialize(function: Any, argument_types: Types, positions: tuple[int, ...], owner: str) -> Specialization:
    """Returns a function at the types of its arguments, which other types may follow. Errors are those of ``check_types``."""
    python_function = wrapped_function(function, owner)
    # Default values to differentiate with respect to are numbers, others constants.
    function_types = tuple(
        typeof(type.value) if isinstance(type, types.Omitted) and number in positions else types.unliteral(type)
        for number, type in enumerate(argument_types[: len(parameter_names(python_function))])
    )
    check_types(python_function, function_types, positions, owner)
    return Specialization(python_function, function_types, Options.of(function))


def check_directions(
    function: FunctionType, names: Sequence[str], primals: Types, directions: Types, owner: str
) -> None:
    """Raises DifferentiationError if a tangent or cotangent has not the type of what it belongs to."""
    for name, primal, direction in zip(names, primals, directions, strict=True):
        if isinstance(primal, types.BaseTuple):
            _check_items(function, name, primal, direction, owner)
            continue
        if not is_differentiable(primal) and direction == types.none:
            continue
        if is_list(primal):
            _check_list(f"{place(function)}: {owner}: {name} of {function.__name__}", primal, direction)
            continue
        fields = field_types_of(primal)
        if fields is not None:
            _check_fields(f"{place(function)}: {owner}: {name} of {function.__name__}", primal, direction)
            continue
        rank, given = [rank_of_type(type) for type in (primal, direction)]
        number = direction.dtype if isinstance(direction, types.Array) else types.unliteral(direction)
        if rank != given or not isinstance(number, (types.Float, types.Complex, types.Integer)):
            raise DifferentiationError(
                f"{place(function)}: {owner}: {name} of {function.__name__} is of type {direction}, for a value of type {primal}. "
                "Pass floats of the shape of the value."
            )


def _check_items(function: FunctionType, name: str, primal: types.BaseTuple, direction: types.Type, owner: str) -> None:
    """Raises DifferentiationError if the direction of a tuple is no tuple of the directions of its items; None for items without derivatives."""
    is_same = isinstance(direction, types.BaseTuple) and len(primal) == len(direction)
    fields = getattr(direction, "fields", None)
    if not is_same or fields not in (None, getattr(primal, "fields", None)):
        raise DifferentiationError(
            f"{place(function)}: {owner}: {name} of {function.__name__} is of type {direction}, for a value of type {primal}. Pass a tuple of so "
            "many items: the tangents of its items, None for those without a derivative."
        )
    for number, (item, part) in enumerate(zip(primal, direction, strict=True)):
        if not is_differentiable(item) and part != types.none:
            raise DifferentiationError(
                f"{place(function)}: {owner}: item {number} of {name} of {function.__name__} is of type {part}, for an item of type {item}, which has "
                "no derivative. Pass None in its place."
            )
        check_directions(function, [f"item {number} of {name}"], (item,), (part,), owner)


def _check_list(what: str, primal: types.Type, direction: types.Type) -> None:
    """Raises DifferentiationError if the direction of a list is no list of directions of its items; the lengths and shapes are checked later."""

    def ranks(type: types.Type) -> tuple[int, ...]:
        """Returns for a list how many axes each of its items has, for a list of lists once more; empty for others."""
        return (rank_of_type(type.dtype), *ranks(type.dtype)) if is_list(type) else ()

    def number(type: types.Type) -> types.Type:
        return number(type.dtype) if is_list(type) else number_type(type)

    is_number = isinstance(number(direction), (number(primal).__class__, types.Float, types.Integer))
    if ranks(primal) != ranks(direction) or not is_number:
        raise DifferentiationError(
            f"{what} is of type {direction}, for a list of type {primal}. Pass a list of as many items of the same shapes: the tangents of its items."
        )


def _check_fields(what: str, primal: types.Type, direction: types.Type) -> None:
    """Raises DifferentiationError if the direction of a record, an array of records or an instance has not their fields of floats."""
    wanted = cotangent_type_of(primal)
    if isinstance(direction, types.BaseNamedTuple):
        fields: Any = dict(zip(direction.fields, direction, strict=True))
    else:
        fields = field_types_of(direction) or {}
    ranks = [getattr(type, "ndim", 0) for type in (primal, direction)]
    names = wanted._fields if isinstance(primal, types.ClassInstanceType) else wanted.names
    if ranks[0] != ranks[1] or not all(is_differentiable(fields.get(name, types.none)) for name in names):
        raise DifferentiationError(
            f"{what} is of type {direction}, for a value of type {primal}. Pass the fields {', '.join(names)}, of the shapes of the value: "
            f"{'a named tuple or an instance' if isinstance(primal, types.ClassInstanceType) else f'an array of the dtype {wanted}'}."
        )
