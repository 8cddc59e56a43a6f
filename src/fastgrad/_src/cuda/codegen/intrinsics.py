"""Implementations for numba-cuda of the names of `jit.body` and `cuda.codegen.body`."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from fastgrad._src.cuda.codegen import body as of_gpus
from fastgrad._src.cuda.codegen import entry
from fastgrad._src.cuda.codegen.numba_cuda import cgutils, cuda, intrinsic, types
from fastgrad._src.jit import body

_SHARED_ADDRESS_SPACE = 3  # the number of the address space of shared memory


# ---- the entry of a kernel -------------------------------------------------------------------------------------


def thread_index() -> Any:
    return types.int64(cuda.threadIdx.x)


def block_size() -> Any:
    return types.int64(cuda.blockDim.x)


def block_index() -> Any:
    return types.int64(cuda.blockIdx.x)


def grid_size() -> Any:
    return types.int64(cuda.gridDim.x)


@intrinsic
def arrays_are_distinct(context: Any) -> Any:
    """Promises that the memory of the entry's pointers is distinct, but for the last one, which is the answer's."""

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointers = [a for a in builder.function.args[1:] if isinstance(a.type, ir.PointerType)]
        for argument in pointers[:-1]:
            argument.add_attribute("noalias")
        return context.get_dummy_value()

    return types.none(), lower


@intrinsic
def atomic_unsigned_min(context: Any, answer: Any, status: Any) -> Any:
    """Atomically sets a kernel's answer to the unsigned minimum of answer and status; -1 is no error."""

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.atomic_rmw("umin", args[0], args[1], "monotonic")
        return context.get_dummy_value()

    return types.none(answer, types.int64), lower


# ---- memory ----------------------------------------------------------------------------------------------------


@intrinsic
def local_array(context: Any, element: Any, length: Any) -> Any:
    if not isinstance(length, types.IntegerLiteral):
        return None

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = context.get_data_type(element.dtype)
        with builder.goto_entry_block():
            memory = builder.alloca(ir.ArrayType(kind, length.literal_value))
        return builder.bitcast(memory, kind.as_pointer())

    return types.CPointer(element.dtype)(element, length), lower


@intrinsic
def shared_array(context: Any, element: Any, length: Any) -> Any:
    if not isinstance(length, types.IntegerLiteral):
        return None

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = context.get_data_type(element.dtype)
        memory = ir.ArrayType(kind, length.literal_value)
        name = builder.module.get_unique_name("shared")
        place = ir.GlobalVariable(builder.module, memory, name, _SHARED_ADDRESS_SPACE)
        place.linkage = "internal"
        place.initializer = ir.Constant(memory, ir.Undefined)
        return builder.addrspacecast(builder.bitcast(place, kind.as_pointer(_SHARED_ADDRESS_SPACE)), kind.as_pointer())

    return types.CPointer(element.dtype)(element, length), lower


def prefetch(array: Any, index: Any) -> None:
    """Does nothing: other threads work while one thread waits for memory."""


@intrinsic
def pointer(context: Any, element: Any, address: Any) -> Any:
    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[1], context.get_value_type(signature.return_type))

    return types.CPointer(element.dtype)(element, types.int64), lower


@intrinsic
def address_of(context: Any, array: Any) -> Any:
    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ptrtoint(args[0], ir.IntType(64))

    return types.int64(array), lower


# ---- numbers ---------------------------------------------------------------------------------------------------


def _bitcast_definition(results_by_operand: dict[Any, Any], x: Any) -> Any:
    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(signature.return_type))

    return (results_by_operand[x](x), lower) if x in results_by_operand else None


@intrinsic
def float_bits(context: Any, x: Any) -> Any:
    return _bitcast_definition({types.float32: types.int32, types.float64: types.int64}, x)


@intrinsic
def from_bits(context: Any, i: Any) -> Any:
    return _bitcast_definition({types.int32: types.float32, types.int64: types.float64}, i)


def _rounding_intrinsic(name: str) -> Any:
    """Returns the intrinsic that calls a function of NVIDIA's libdevice."""

    def typed(context: Any, x: Any) -> Any:
        def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            function = f"__nv_{name}f" if x == types.float32 else f"__nv_{name}"
            kind = ir.FunctionType(args[0].type, [args[0].type])
            return builder.call(cgutils.get_or_insert_function(builder.module, kind, function), args)

        return x(x), lower

    typed.__name__ = typed.__qualname__ = f"round_{name}"
    return intrinsic(typed)


def fused_multiply_add(a: Any, b: Any, c: Any) -> Any:
    return cuda.fma(a, b, c)


# ---- threads ---------------------------------------------------------------------------------------------------


def synchronize() -> None:
    cuda.syncthreads()


SPECIALS: dict[body.Special, Any] = {
    entry.arrays_are_distinct: arrays_are_distinct,
    entry.atomic_unsigned_min: atomic_unsigned_min,
    body.address_of: address_of,
    body.float_bits: float_bits,
    body.from_bits: from_bits,
    body.fused_multiply_add: fused_multiply_add,
    body.local_array: local_array,
    body.pointer: pointer,
    body.prefetch: prefetch,
    body.round_down: _rounding_intrinsic("floor"),
    body.round_to_even: _rounding_intrinsic("rint"),
    body.round_to_zero: _rounding_intrinsic("trunc"),
    body.round_up: _rounding_intrinsic("ceil"),
    of_gpus.block_index: block_index,
    of_gpus.grid_size: grid_size,
    of_gpus.shared_array: shared_array,
    of_gpus.synchronize: synchronize,
    of_gpus.thread_index: thread_index,
    of_gpus.block_size: block_size,
}
"""Each special's intrinsic, or a function that numba-cuda compiles. `library.GPU_REPLACEMENTS` calls them."""
