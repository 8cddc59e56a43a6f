"""Numba intrinsics for this CPU for the names of `body` that have a meaning only in a body."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types as numba_types
from numba.extending import intrinsic

from fastgrad._src.jit import body
from fastgrad._src.jit.arithmetic import LOWERINGS
from fastgrad._src.jit.atomics import VOID_LOWERINGS, WORD_LOWERINGS, declared_function
from fastgrad._src.jit.bounds import NO_BOUND, checks_bounds
from fastgrad._src.jit.frontend import CompileError, Machine
from fastgrad._src.jit.isa import host_isa
from fastgrad._src.jit.native import target_machine
from fastgrad._src.jit.pair_emission import PairTiles
from fastgrad._src.jit.window_emission import WindowTiles

types: Any = numba_types  # Numba adds names to this module when it is imported

_I64, _I32, _DOUBLE = ir.IntType(64), ir.IntType(32), ir.DoubleType()


def _cast_arguments(context: Any, builder: Any, signature: Any, args: Any, kinds: Any) -> list[Any]:
    """Returns LLVM values of an intrinsic's arguments, converted to other Numba types."""
    return [
        context.cast(builder, value, given, kind)
        for value, given, kind in zip(args, signature.args, kinds, strict=True)
    ]


def define_intrinsic(special: body.Special, definition: Callable[..., Any], literal: bool = False) -> Any:
    """Returns the Numba intrinsic of a special name of bodies, from its typing and lowering.

    Args:
        special: the special.
        definition: for the types of the arguments, returns Numba's signature and the function that emits a call; None
            if the types are not supported.
        literal: whether it needs the literal integers among the arguments.
    """

    def typed(_: Any, *argument_types: Any) -> Any:
        typing_and_lowering = definition(
            *(argument_types if literal else [types.unliteral(kind) for kind in argument_types])
        )
        if typing_and_lowering is None:
            raise CompileError(f"{special.name}({', '.join(map(str, argument_types))}): it takes other types")
        names = ["typing", *[f"a{i}" for i in range(len(argument_types))]]
        typed.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # Numba would pack `*kinds` into a tuple
            [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names]
        )
        return typing_and_lowering

    typed.__name__ = typed.__qualname__ = special.name
    return intrinsic(prefer_literal=literal)(typed)


def pointer_address(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """Returns the address that a pointer of a body holds."""
    return value if isinstance(kind, types.CPointer) else builder.extract_value(value, 0)


def is_pointer(kind: Any) -> bool:
    """True if a Numba type is a pointer type."""
    return hasattr(kind, "dtype") and not isinstance(kind, types.NumberClass)


# ---- numbers -----------------------------------------------------------------------------------------------------

_BITCAST_TYPES = {
    body.float_bits: {types.float32: types.int32, types.float64: types.int64},
    body.from_bits: {types.int32: types.float32, types.int64: types.float64},
}


def _bitcast_definition(special: body.Special) -> Callable[..., Any]:
    def definition(kind: Any) -> Any:
        result = _BITCAST_TYPES[special].get(kind)

        def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.bitcast(args[0], context.get_value_type(result))

        return None if result is None else (result(kind), lower)

    return definition


def _arithmetic_definition(special: body.Special) -> Callable[..., Any]:
    def definition(*argument_types: Any) -> Any:
        def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return LOWERINGS[special](builder, args)

        return (argument_types[0](*argument_types), lower) if isinstance(argument_types[0], types.Float) else None

    return definition


# ---- memory ------------------------------------------------------------------------------------------------------


def _local_array_definition(name: str, row_elements: Callable[[Any], int]) -> Callable[..., Any]:
    """Returns the definition of an array on the stack; `row_elements` maps a type to a row's number of elements."""

    def definition(element: Any, length: Any) -> Any:
        if not isinstance(length, types.IntegerLiteral):
            raise CompileError(f"a local array's length must be a literal, got {length}")
        kind, count = element.dtype, length.literal_value * row_elements(element.dtype)
        pointer = host_pointer(kind)

        def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            with builder.goto_entry_block():
                memory = builder.alloca(ir.ArrayType(context.get_value_type(kind), count))
                memory.align = 64
            start = builder.bitcast(memory, context.get_value_type(types.CPointer(kind)))
            return host_value(context, builder, pointer, start, count, f"{name} of {kind}")

        return pointer(element, length), lower

    return definition


def host_pointer(kind: Any) -> Any:
    """Returns the Numba type of a pointer to elements of type `kind`; in checked builds, of a checked pointer."""
    if checks_bounds():
        from fastgrad._src.jit.checked_pointers import CheckedPointer

        return CheckedPointer(kind)
    return types.CPointer(kind)


def host_value(context: Any, builder: Any, pointer: Any, start: Any, count: int, name: str) -> Any:
    """Returns a pointer to `count` elements, or to an unknown number of them."""
    if isinstance(pointer, types.CPointer):
        return start
    from fastgrad._src.jit.checked_pointers import pointer_value

    return pointer_value(context, builder, pointer, start, _I64(count), name)


def _pointer_definition(element: Any, place: Any) -> Any:
    kind = host_pointer(element.dtype)

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = context.cast(builder, args[1], place, types.int64)
        start = builder.inttoptr(word, context.get_value_type(types.CPointer(element.dtype)))
        return host_value(context, builder, kind, start, NO_BOUND, "")

    return kind(element, place), lower


def _address_of_definition(kind: Any) -> Any:
    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ptrtoint(pointer_address(context, builder, kind, args[0]), _I64)

    return (types.int64(kind), lower) if is_pointer(kind) else None


def _prefetch_definition(kind: Any, index: Any) -> Any:
    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        at = context.cast(builder, args[1], index, types.int64)
        element = builder.gep(pointer_address(context, builder, kind, args[0]), [at])
        line = builder.bitcast(element, ir.IntType(8).as_pointer())
        function = declared_function(
            builder, ir.FunctionType(ir.VoidType(), [line.type, _I32, _I32, _I32]), "llvm.prefetch.p0"
        )
        builder.call(function, [line, _I32(0), _I32(3), _I32(1)])
        return context.get_dummy_value()

    return types.none(kind, index), lower


def _atomic_definition(special: body.Special) -> Callable[..., Any]:
    def definition(*argument_types: Any) -> Any:
        def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            if argument_types:
                check_access(
                    context,
                    builder,
                    argument_types[0],
                    args[0],
                    context.cast(builder, args[1], argument_types[1], types.int64),
                )
            operands = [
                pointer_address(context, builder, kind, value)
                if is_pointer(kind)
                else context.cast(builder, value, kind, types.int64)
                for value, kind in zip(args, argument_types, strict=True)
            ]
            if special in WORD_LOWERINGS:
                return WORD_LOWERINGS[special](builder, operands)
            VOID_LOWERINGS[special](builder, operands)
            return context.get_dummy_value()

        return (types.int64 if special in WORD_LOWERINGS else types.none)(*argument_types), lower

    return definition


def check_access(context: Any, builder: Any, kind: Any, pointer: Any, index: Any) -> None:
    """Emits the check of a checked pointer's access: the function returns if the element does not exist."""
    if not isinstance(kind, types.CPointer):
        from fastgrad._src.jit.checked_pointers import emit_access_check

        emit_access_check(context, builder, kind, pointer, index)


# ---- calls by address --------------------------------------------------------------------------------------------


def _emit_call_by_address(builder: Any, entry: Any, kind: Any, args: Any) -> Any:
    return builder.call(builder.inttoptr(entry, kind.as_pointer()), args)


def _call_step_definition(*kinds: Any) -> Any:
    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        entry, *words = _cast_arguments(context, builder, signature, args, [types.int64] * 4)
        return _emit_call_by_address(builder, entry, ir.FunctionType(_I64, [_I64] * 3), words)

    return types.int64(*kinds), lower


def _definition_of_call_c_function(*kinds: Any) -> Any:
    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        entry, *numbers = _cast_arguments(
            context, builder, signature, args, [types.int64, *[types.float64] * (len(args) - 1)]
        )
        return _emit_call_by_address(
            builder, entry, ir.FunctionType(_DOUBLE, [_DOUBLE] * len(numbers) + [_I32]), [*numbers, _I32(0)]
        )

    return types.float64(*kinds), lower


def _definition_of_call_integers(*kinds: Any) -> Any:
    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        entry, *numbers = _cast_arguments(context, builder, signature, args, [types.int64] * len(args))
        result = _emit_call_by_address(builder, entry, ir.FunctionType(_I32, [_I64] * len(numbers)), numbers)
        return builder.sext(result, _I64)

    return types.int64(*kinds), lower


def _definition_of_call_python(*kinds: Any) -> Any:
    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        entry, *numbers = _cast_arguments(context, builder, signature, args, [types.int64] * len(args))
        return _emit_call_by_address(builder, entry, ir.FunctionType(_I64, [_I64] * len(numbers)), numbers)

    return types.int64(*kinds), lower


def _definition_of_call_pair(*kinds: Any) -> Any:
    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        entry, x = _cast_arguments(context, builder, signature, args, [types.int64, types.float64, kinds[2]])[:2]
        first = pointer_address(context, builder, kinds[2], args[2])
        second = builder.gep(first, [_I64(1)])
        _emit_call_by_address(
            builder, entry, ir.FunctionType(ir.VoidType(), [_DOUBLE, first.type, first.type]), [x, first, second]
        )
        return builder.load(first)

    return types.float64(*kinds), lower


# ---- the machine -------------------------------------------------------------------------------------------------


def _machine_constant_definition(number: Callable[[int], int]) -> Callable[..., Any]:
    def definition(element: Any) -> Any:
        def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return _I64(number(element.dtype.bitwidth // 8))

        return types.int64(element), lower

    return definition


def _cycle_counter_definition() -> Any:
    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        # x86 lets programs count cycles; ARM only lets them read its steady clock.
        counter = "cycle" if target_machine().triple.startswith("x86") else "steady"
        return builder.call(declared_function(builder, ir.FunctionType(_I64, []), f"llvm.read{counter}counter"), [])

    return types.int64(), lower


def _tile_function_definition(special: body.Special) -> Callable[..., Any]:
    of_pairs = special in (body.multiply_pairs, body.pack_pairs)

    def definition(*argument_types: Any) -> Any:
        def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            if checks_bounds():
                from fastgrad._src.jit.checked_pointers import emit_tile_check

                emit_tile_check(context, builder, special, argument_types, args)
            operands = [
                pointer_address(context, builder, kind, value) if is_pointer(kind) else value
                for value, kind in zip(args, argument_types, strict=True)
            ]
            if of_pairs:
                tiles: WindowTiles | PairTiles = PairTiles(builder.module, host_isa())
            else:
                tiles = WindowTiles(builder.module, context.get_value_type(argument_types[0].dtype), host_isa())
            getattr(tiles, special.name)(builder, operands)
            return context.get_dummy_value()

        return types.none(*argument_types), lower

    return definition


_TILE_FUNCTIONS = (
    body.multiply_windows_depthwise,
    body.multiply_pairs,
    body.multiply_rows,
    body.multiply_windows,
    body.pack_pairs,
    body.pack_panel,
    body.transpose_rows,
)

INTRINSICS: dict[body.Special, Any] = {
    **{special: define_intrinsic(special, _bitcast_definition(special)) for special in _BITCAST_TYPES},
    **{special: define_intrinsic(special, _arithmetic_definition(special)) for special in LOWERINGS},
    **{
        special: define_intrinsic(special, _atomic_definition(special))
        for special in (*WORD_LOWERINGS, *VOID_LOWERINGS)
    },
    **{special: define_intrinsic(special, _tile_function_definition(special)) for special in _TILE_FUNCTIONS},
    body.address_of: define_intrinsic(body.address_of, _address_of_definition),
    body.call_pair: define_intrinsic(body.call_pair, _definition_of_call_pair),
    body.call_integers: define_intrinsic(body.call_integers, _definition_of_call_integers),
    body.call_python: define_intrinsic(body.call_python, _definition_of_call_python),
    body.call_c_function: define_intrinsic(body.call_c_function, _definition_of_call_c_function),
    body.call_step: define_intrinsic(body.call_step, _call_step_definition),
    body.cycle_counter: define_intrinsic(body.cycle_counter, _cycle_counter_definition),
    body.local_array: define_intrinsic(
        body.local_array, _local_array_definition("local_array", lambda kind: 1), literal=True
    ),
    body.fast_masked_loads: define_intrinsic(
        body.fast_masked_loads, _machine_constant_definition(lambda size: int(host_isa().masks))
    ),
    body.panel_array: define_intrinsic(
        body.panel_array,
        _local_array_definition("panel_array", lambda kind: host_isa().panel_bytes * 8 // kind.bitwidth),
        literal=True,
    ),
    body.panel_columns: define_intrinsic(
        body.panel_columns, _machine_constant_definition(lambda size: host_isa().panel_bytes // size)
    ),
    body.pointer: define_intrinsic(body.pointer, _pointer_definition),
    body.prefetch: define_intrinsic(body.prefetch, _prefetch_definition),
    body.vector_lanes: define_intrinsic(
        body.vector_lanes, _machine_constant_definition(lambda size: host_isa().vector_bytes // size)
    ),
}
"""The intrinsic of each special."""


def cpu_machine() -> Machine:
    """Returns the machine of this process's CPU."""
    return Machine("a CPU", INTRINSICS, host_pointer, leaves=checks_bounds(), keeps=True)
