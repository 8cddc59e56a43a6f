"""Numba intrinsics for the names of `cuda.codegen.body` and of entries in the simulation: requests to `fibers`."""

from __future__ import annotations

import itertools
import operator
from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.core import types as numba_types
from numba.core.imputils import lower_builtin
from numba.extending import register_model

from fastgrad._src.cuda.codegen import body as of_gpus
from fastgrad._src.cuda.codegen import entry
from fastgrad._src.cuda.codegen.library import GPU_REPLACEMENTS
from fastgrad._src.jit import body, checked_pointers, intrinsics
from fastgrad._src.jit.body import scalar_function
from fastgrad._src.jit.checked_pointers import CheckedPointer, pointer_value
from fastgrad._src.jit.frontend import CompileError, Machine
from fastgrad._src.jit.intrinsics import INTRINSICS, define_intrinsic
from tests.cuda.simulation.fibers import MOST_REQUEST_CALL_SITES, REQUEST_KINDS, REQUEST_SYMBOL
from tests.cuda.simulation.races import WATCH_SYMBOL

types: Any = numba_types  # Numba adds names to this module at its import

_INT64 = ir.IntType(64)
_request_call_site_numbers = itertools.count()
"""A counter that numbers the call sites of requests."""


class WatchedPointer(CheckedPointer):
    """A pointer whose accesses are checked against its bounds, and for races with other threads."""

    def __init__(self, dtype: Any) -> None:
        super().__init__(dtype)
        self.name = f"WatchedPointer({dtype})"


register_model(WatchedPointer)(checked_pointers._PointerModel)


def _emit_watch(context: Any, builder: Any, signature: Any, args: Any, written: bool) -> None:
    """Emits a call of `WATCH_SYMBOL`: an access's address, its bytes, and whether it is a write."""
    pointer = cgutils.create_struct_proxy(signature.args[0])(context, builder, args[0])
    place = builder.gep(pointer.data, [args[1]])
    text = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [text, _INT64, ir.IntType(1)])
    size = context.get_abi_sizeof(place.type.pointee)
    function = cgutils.get_or_insert_function(builder.module, kind, WATCH_SYMBOL)
    builder.call(function, [builder.bitcast(place, text), _INT64(size), ir.IntType(1)(written)])


@lower_builtin(operator.getitem, WatchedPointer, types.Integer)
def _lower_watched_load(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    _emit_watch(context, builder, signature, args, written=False)
    return checked_pointers._lower_getitem(context, builder, signature, args)


@lower_builtin(operator.setitem, WatchedPointer, types.Integer, types.Any)
def _lower_watched_store(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    _emit_watch(context, builder, signature, args, written=True)
    return checked_pointers._lower_setitem(context, builder, signature, args)


def _emit_request(builder: Any, special: body.Special, a: Any, b: Any) -> Any:
    """Emits a call of `REQUEST_SYMBOL` for a special with operands a and b; returns the int64 result of the call."""
    call_site = next(_request_call_site_numbers)
    if call_site >= MOST_REQUEST_CALL_SITES:
        raise CompileError("the kernels of this process ask the simulation at more places than it has words for")
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(_INT64, [_INT64] * 4), REQUEST_SYMBOL)
    return builder.call(function, [_INT64(REQUEST_KINDS.index(special)), _INT64(call_site), a, b])


def _number_intrinsic(special: body.Special) -> Any:
    def definition() -> Any:
        def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return _emit_request(builder, special, _INT64(0), _INT64(0))

        return types.int64(), lower

    return define_intrinsic(special, definition)


def _synchronize() -> Any:
    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _emit_request(builder, of_gpus.synchronize, _INT64(0), _INT64(0))
        return context.get_dummy_value()

    return types.none(), lower


def _shared_array(element: Any, length: Any) -> Any:
    if not isinstance(length, types.IntegerLiteral):
        raise CompileError(f"a shared array's length must be a literal, got {length}")
    kind, count = element.dtype, length.literal_value

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _emit_request(builder, of_gpus.shared_array, _INT64(count), _INT64(kind.bitwidth // 8))
        start = builder.inttoptr(place, context.get_value_type(types.CPointer(kind)))
        return pointer_value(context, builder, signature.return_type, start, _INT64(count), f"shared_array of {kind}")

    return WatchedPointer(kind)(element, length), lower


def _atomic_unsigned_min(answer: Any, status: Any) -> Any:
    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = context.cast(builder, args[1], status, types.int64)
        builder.atomic_rmw("umin", builder.extract_value(args[0], 0), value, "monotonic")
        return context.get_dummy_value()

    return types.none(answer, status), lower


@scalar_function
def _do_nothing() -> int:
    return 0


_SPECIALS_SHARED_WITH_CPU = (
    *(body.address_of, body.float_bits, body.from_bits, body.fused_multiply_add, body.prefetch),
    *(body.round_down, body.round_to_even, body.round_to_zero, body.round_up),
)
_CPU_ONLY_SPECIALS = {special: special for special in INTRINSICS if special not in _SPECIALS_SHARED_WITH_CPU}

INTERPRETED_FUNCTIONS: dict[Any, Any] = {
    **_CPU_ONLY_SPECIALS,
    **{special: INTRINSICS[special] for special in _SPECIALS_SHARED_WITH_CPU},
    # Separate definitions: Numba caches an intrinsic's code by argument types, and pointers differ here.
    body.local_array: define_intrinsic(
        body.local_array, intrinsics._local_array_definition("local_array", lambda kind: 1), literal=True
    ),
    body.pointer: define_intrinsic(body.pointer, intrinsics._pointer_definition),
    **GPU_REPLACEMENTS,
    **{
        special: _number_intrinsic(special)
        for special in (of_gpus.thread_index, of_gpus.block_size, of_gpus.block_index, of_gpus.grid_size)
    },
    entry.arrays_are_distinct: _do_nothing,
    entry.atomic_unsigned_min: define_intrinsic(entry.atomic_unsigned_min, _atomic_unsigned_min),
    of_gpus.shared_array: define_intrinsic(of_gpus.shared_array, _shared_array, literal=True),
    of_gpus.synchronize: define_intrinsic(of_gpus.synchronize, _synchronize),
}
"""The intrinsic or scalar function that simulates each special."""


def simulated_gpu() -> Machine:
    """Returns the simulated machine, whose kernels are always checked."""
    return Machine("a simulated GPU", INTERPRETED_FUNCTIONS, WatchedPointer, leaves=True, inlines=True)
