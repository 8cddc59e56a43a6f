"""Fields of records, and of instances of ``jitclass``, as arrays in the same memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic, overload
from numba.typed import Dict, List

from fastgrad._src.derivatives.codegen import list_fields
from fastgrad._src.jit.numba_internals import as_dtype, cgutils, impl_ret_borrowed, make_array, populate_array


def field_of(owner, name):  # type: ignore[no-untyped-def]
    """Returns the field of a record or of an instance as an array without axes, that of an array of records as an array.

    A field of an instance that is an array is that array. Compiled functions have an implementation of their own; this one is that of a text that runs
    without compilation.
    """
    if is_instance(owner):
        return np.asarray(getattr(owner, name))
    if isinstance(owner, CONTAINERS):
        return list_fields.implementation(numba.typeof(owner), name)(owner, name)
    # A record of NumPy shows its memory to an array of it.
    return (owner if isinstance(owner, np.ndarray) else np.ndarray((), owner.dtype, owner))[name]


LISTS = (list, List)
"""The classes of lists that may be arguments."""
CONTAINERS = (*LISTS, Dict)
"""The classes of lists and dictionaries that may be arguments."""


def is_instance(value: Any) -> bool:
    """True for instances of ``jitclass``."""
    return isinstance(getattr(value, "_numba_type_", None), types.ClassInstanceType)


def _fields_of(value: Any) -> list[tuple[str, Any]]:
    """Returns the names and values of the numbers and arrays in an instance of ``jitclass``; of other values none."""
    members = value._numba_type_.struct if is_instance(value) else {}
    return [(name, getattr(value, name)) for name, kind in members.items() if isinstance(kind, _KEPT)]


_KEPT = (types.Array, types.Number, types.Boolean)


def memory_in_argument(value: Any) -> list[Any]:
    """Returns the records and arrays in an argument of a call."""
    if type(value) is np.ndarray:
        return [value]
    if isinstance(value, CONTAINERS):
        items = value.values() if isinstance(value, Dict) else value
        return [part for item in items for part in memory_in_argument(item)]
    parts = [value, *[part for _, part in _fields_of(value)]]
    return [part for part in parts if isinstance(part, (np.ndarray, np.void))]


State = list[tuple[Any, str, Any, Any]]
"""Fields of instances of ``jitclass``: the instance, the field's name, its number or array, a copy of that."""


def instance_state(values: Iterable[Any]) -> State:
    """Returns the contents of the instances of ``jitclass`` among ``values``."""
    return [(value, name, part, np.copy(part)) for value in values for name, part in _fields_of(value)]


def _restore_state(state: State) -> None:
    for value, name, part, contents in state:
        if isinstance(part, np.ndarray):
            part[...] = contents
        setattr(value, name, part)


@contextmanager
def instances_with_state(state: State) -> Iterator[None]:
    """Gives instances of ``jitclass`` the contents of ``state``, and in the end those that they had before."""
    before = instance_state({id(value): value for value, *_ in state}.values())
    _restore_state(state)
    try:
        yield
    finally:
        _restore_state(before)


def _array_without_axes(context, builder, type, data, meminfo=None):  # type: ignore[no-untyped-def]
    """Builds the array of type ``type`` of the one element at ``data``."""
    array = make_array(type)(context, builder)
    none = cgutils.pack_array(builder, [], context.get_value_type(types.intp))
    size = context.get_abi_sizeof(context.get_data_type(type.dtype))
    itemsize = context.get_constant(types.intp, size)
    populate_array(array, data=data, shape=none, strides=none, itemsize=itemsize, meminfo=meminfo)
    context.nrt.incref(builder, type, array._getvalue())
    return array._getvalue()


@intrinsic
def _record_as_array(typing, record):  # type: ignore[no-untyped-def]
    type = types.Array(record, 0, "C")

    def build(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        data = builder.bitcast(arguments[0], context.get_data_type(record).as_pointer())
        return _array_without_axes(context, builder, type, data)

    return type(record), build


def _field_of_instance(name: str) -> Any:
    @intrinsic
    def field(typing, instance):  # type: ignore[no-untyped-def]
        kind = instance.struct[name]
        type = kind if isinstance(kind, types.Array) else types.Array(kind, 0, "C")

        def build(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            owner = context.make_helper(builder, instance, value=arguments[0])
            fields = context.make_data_helper(builder, instance.get_data_type(), ref=owner.data)
            if type is kind:
                return impl_ret_borrowed(context, builder, type, getattr(fields, f"m_{name}"))
            return _array_without_axes(context, builder, type, fields._get_ptr_by_name(f"m_{name}"), owner.meminfo)

        return type(instance), build

    return field


def _field_of_tuple(type: types.BaseNamedTuple, position: int) -> Any:
    """Returns the implementation for a field of a named tuple, as tangents of instances are."""
    if isinstance(type[position], types.Array):
        return lambda owner, name: owner[position]
    dtype = as_dtype(types.unliteral(type[position]))

    def array_of_number(owner, name):  # type: ignore[no-untyped-def]
        array = np.zeros((), dtype)
        array[()] = owner[position]
        return array

    return array_of_number


@overload(field_of, prefer_literal=True)
def _field_of(owner, name):  # type: ignore[no-untyped-def]
    if not isinstance(name, types.StringLiteral):
        return None
    key = name.literal_value
    if isinstance(owner, (types.List, types.ListType, types.DictType)):
        return list_fields.implementation(owner, key)
    if isinstance(owner, types.ClassInstanceType):
        field = _field_of_instance(key)
        return lambda owner, name: field(owner)
    if isinstance(owner, types.BaseNamedTuple):
        return _field_of_tuple(owner, owner.fields.index(key))
    if isinstance(owner, types.Record):
        return lambda owner, name: _record_as_array(owner)[key]
    return lambda owner, name: owner[key]
