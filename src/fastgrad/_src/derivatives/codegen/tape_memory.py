"""The memory in which a derivative records numbers on its forward sweep: three stacks of raw bytes.

A finished call leaves its stacks for the next call of any derivative, because fresh pages cost more than arithmetic. The operating system may
reclaim the pages of a stack beyond ``OWN_BYTES`` when it needs memory (``madvise``). The time of ``madvise`` grows with the stack, so it is called once after
each call that wrote to these pages; a mark records the write. Stacks above ``KEPT_BYTES`` are freed. The exchange of stacks is atomic, so two
threads never get the same stack. A call that raises frees its stacks (``exceptional_exits.py``): their addresses are in its owner.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir as llvm_ir
from numba import types
from numba.extending import intrinsic

from fastgrad._src.derivatives.codegen.matrix_products import add_product, pointer_to_item
from fastgrad._src.jit.library_functions import njit_kept_on_disk
from fastgrad._src.jit.numba_internals import cgutils
from fastgrad._src.jit.stack_slots import SLOTS_SYMBOL, STACKS

KEPT_BYTES = int(os.environ.get("FASTGRAD_TAPE_BYTES") or 1 << 30)
"""The size above which a stack is freed when a call ends."""
OWN_BYTES = 1 << 26
"""The size up to which an unused stack keeps its pages. The operating system may take back the pages beyond it."""
_MARK = 0x6D61726B6F66656E
"""A stack has this value in the last word of its first ``OWN_BYTES`` bytes if no call has written beyond them since the last ``madvise``."""
MAX_CODES = 256
"""The number of ways that one code can tell."""
_HEADER = 16
_FIRST_CAPACITY = 256
OWNER = "owner_of_stacks"
"""The attribute of an LLVM function that has the addresses of the stacks which it must free."""

VALUES, CODES, ARRAYS = 0, 1, 2
"""The stacks: of numbers, 8 bytes each; of the codes of ways through branches, 1 byte each; of the contents of arrays, 8 bytes an element."""
ALL_STACKS = {"values": (VALUES, 8), "codes": (CODES, 1), "arrays": (ARRAYS, 8)}
"""The number of each stack and the bytes of its items, by its variable in a derivative's text."""

_malloc = types.ExternalFunction("malloc", types.intp(types.intp))
_realloc = types.ExternalFunction("realloc", types.intp(types.intp, types.intp))
_free = types.ExternalFunction("free", types.void(types.intp))
_memcpy = types.ExternalFunction("memcpy", types.intp(types.intp, types.intp, types.intp))
_HAS_ADVICE = sys.platform in ("linux", "darwin")
_FREE_WHEN_NEEDED = 8 if sys.platform == "linux" else 5  # MADV_FREE
_HAS_HUGE_PAGES = sys.platform == "linux"
_HUGE_PAGES = 14  # MADV_HUGEPAGE
_LARGE_BYTES = 1 << 22  # NumPy asks for huge pages from this size on, too
_PAGE = 1 << 16  # a multiple of all systems' pages
_madvise = types.ExternalFunction("madvise", types.int32(types.intp, types.intp, types.int32))


@intrinsic
def push_value(typing: Any, stack: Any, position: Any, value: Any) -> Any:
    """Stores a number at a position of the stack of numbers."""
    value = types.unliteral(value)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.data_model_manager[value].as_data(builder, arguments[2])
        builder.store(data, pointer_to_item(builder, arguments[0], arguments[1], data.type, 8))
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, value), generate


def _make_pop(type: types.Type) -> Any:
    @intrinsic
    def pop(typing: Any, stack: Any, position: Any) -> Any:
        """Reads a number at a position of the stack of numbers."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            data_type = context.get_data_type(type)
            pointer = pointer_to_item(builder, arguments[0], arguments[1], data_type, 8)
            return context.data_model_manager[type].from_data(builder, builder.load(pointer))

        return type(types.intp, types.intp), generate

    return pop


POPS: dict[types.Type, Any] = {
    type: _make_pop(type)
    for type in (
        *(types.float64, types.float32, types.boolean, types.int8, types.int16, types.int32, types.int64),
        *(types.uint8, types.uint16, types.uint32, types.uint64),
    )
}
"""The function that reads a number of each type."""
_pop_integer = POPS[types.int64]


@intrinsic
def push_code(typing: Any, stack: Any, position: Any, code: Any) -> Any:
    """Stores a byte at a position of the stack of codes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte = builder.trunc(arguments[2], llvm_ir.IntType(8))
        builder.store(byte, pointer_to_item(builder, arguments[0], arguments[1], llvm_ir.IntType(8)))
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.int64), generate


@intrinsic
def pop_code(typing: Any, stack: Any, position: Any) -> Any:
    """Reads a byte at a position of the stack of codes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte = builder.load(pointer_to_item(builder, arguments[0], arguments[1], llvm_ir.IntType(8)))
        return builder.zext(byte, llvm_ir.IntType(64))

    return types.int64(types.intp, types.intp), generate


@intrinsic
def as_unsigned(typing: Any, index: Any) -> Any:
    """Returns an index that is not negative as one for which Numba omits the test whether it counts from the end."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.cast(builder, arguments[0], signature.args[0], types.uintp)

    return types.uintp(types.unliteral(index)), generate


@intrinsic
def sum_in_any_order(typing: Any, sum: Any, term: Any) -> Any:
    """Returns a sum that LLVM may compute in another order, so that it vectorizes the loop which adds to it."""
    type = typing.unify_types(types.unliteral(sum), types.unliteral(term))
    if not isinstance(type, types.Float):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first, second = (
            context.cast(builder, value, given, type) for value, given in zip(arguments, signature.args, strict=True)
        )
        return builder.fadd(first, second, flags=("reassoc",))

    return type(types.unliteral(sum), types.unliteral(term)), generate


@intrinsic
def _exchange(typing: Any, stack: Any, address: Any) -> Any:
    """Puts an address into the slot of a stack and returns what was there."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        integer = llvm_ir.IntType(64)
        module = builder.module
        slots = module.globals.get(SLOTS_SYMBOL)
        if slots is None:
            slots = llvm_ir.GlobalVariable(module, llvm_ir.ArrayType(integer, STACKS), SLOTS_SYMBOL)
            slots.linkage = "external"
        pointer = builder.gep(builder.bitcast(slots, integer.as_pointer()), [arguments[0]])
        return builder.atomic_rmw("xchg", pointer, arguments[1], "seq_cst")

    return types.int64(types.int64, types.int64), generate


@intrinsic
def new_owner(typing: Any) -> Any:
    """Returns the address of the addresses of the stacks that a call owns, which are freed if an exception leaves it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        owner = cgutils.alloca_once(builder, llvm_ir.ArrayType(llvm_ir.IntType(64), STACKS), name=OWNER)
        setattr(builder.function, OWNER, owner)
        return builder.ptrtoint(owner, llvm_ir.IntType(64))

    return types.intp(), generate


def write_exceptional_exit(builder: Any, block: Any, release: Callable[[], None]) -> None:
    """Writes the block by which exceptions leave a function: it frees the stacks, and what ``release`` generates code for."""
    (status,) = block.instructions
    builder.position_at_end(block)
    if not status.incomings:
        builder.unreachable()
        block.instructions.remove(status)
        return
    owner = getattr(builder.function, OWNER, None)
    if owner is not None:
        type = llvm_ir.FunctionType(llvm_ir.VoidType(), [llvm_ir.IntType(64)])
        free = cgutils.get_or_insert_function(builder.module, type, "free")
        for address in cgutils.unpack_tuple(builder, builder.load(owner), STACKS):
            builder.call(free, [address])
    release()
    builder.ret(status)


@njit_kept_on_disk()
def acquire(owner, stack, width):  # type: ignore[no-untyped-def]
    """Returns the address of an empty stack of items of ``width`` bytes, which an owner has from now on."""
    address = _exchange(stack, 0)
    if address == 0:
        address = _malloc(_HEADER + width * _FIRST_CAPACITY)
        if address == 0:
            raise MemoryError("no memory for a derivative's records")
        push_value(address, 0, _FIRST_CAPACITY)
    push_value(owner, stack, address)
    return address + _HEADER


@njit_kept_on_disk()
def capacity(address):  # type: ignore[no-untyped-def]
    """Returns the number of items that a stack has room for."""
    return _pop_integer(address - _HEADER, 0)


@njit_kept_on_disk()
def grow_stack(owner, stack, address, width, items):  # type: ignore[no-untyped-def]
    """Returns the address of the stack after it got room for ``items`` items."""
    address = _realloc(address - _HEADER, _HEADER + width * items)
    if address == 0:
        raise MemoryError("no memory for a derivative's records")
    push_value(address, 0, items)
    push_value(owner, stack, address)
    return address + _HEADER


@njit_kept_on_disk()
def release(stack, address, width):  # type: ignore[no-untyped-def]
    """Leaves a stack for the next call, or frees it if it is large."""
    address -= _HEADER
    size = width * _pop_integer(address, 0)
    if size > KEPT_BYTES:
        _free(address)
        return
    if _HAS_ADVICE and size > OWN_BYTES + _PAGE:
        mark = address + _HEADER + OWN_BYTES - 8
        if _pop_integer(mark, 0) != _MARK:
            first = (mark + _PAGE) // _PAGE * _PAGE
            _madvise(first, (address + size - first) // _PAGE * _PAGE, _FREE_WHEN_NEEDED)
            push_value(mark, 0, _MARK)
    other = _exchange(stack, address)
    if other != 0:
        _free(other)


@njit_kept_on_disk()
def contiguous(array):  # type: ignore[no-untyped-def]
    """Returns a copy of an array in C order."""
    return array.copy()


def _make_copy(is_read: bool) -> Any:
    @intrinsic
    def copy(typing: Any, stack: Any, position: Any, array: Any) -> Any:
        """Copies the elements of an array to a position of the stack of arrays, or from there."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            struct = context.make_array(array)(context, builder, arguments[2])
            item = struct.data.type
            memory = pointer_to_item(builder, arguments[0], arguments[1], item.pointee, 8)
            if array.layout == "C":
                target, source = (struct.data, memory) if is_read else (memory, struct.data)
                size = builder.mul(struct.nitems, struct.itemsize)
                cgutils.raw_memcpy(builder, target, source, size, 1)
                return context.get_dummy_value()
            number = cgutils.alloca_once_value(builder, context.get_constant(types.intp, 0))
            shape = cgutils.unpack_tuple(builder, struct.shape)
            with cgutils.loop_nest(builder, shape, context.get_value_type(types.intp)) as indices:
                element = cgutils.get_item_pointer(context, builder, array, struct, list(indices))
                position = builder.gep(memory, [builder.load(number)])
                target, source = (element, position) if is_read else (position, element)
                builder.store(builder.load(source), target)
                builder.store(cgutils.increment_index(builder, builder.load(number)), number)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp, array), generate

    return copy


save_array, load_array = _make_copy(is_read=False), _make_copy(is_read=True)


@njit_kept_on_disk()
def grow_array_stack(owner, address, items):  # type: ignore[no-untyped-def]
    """Returns the address of the stack of arrays after it got room for ``items`` items."""
    return grow_stack(owner, ARRAYS, address, 8, items + items // 2) if items > capacity(address) else address


@njit_kept_on_disk()
def copy_memory(target, source, size):  # type: ignore[no-untyped-def]
    """Copies bytes from one address to another."""
    _memcpy(target, source, size)


@njit_kept_on_disk()
def new_memory(items):  # type: ignore[no-untyped-def]
    """Returns the address of memory for an array of ``items`` elements."""
    address = _malloc(8 * max(items, 1))
    if address == 0:
        raise MemoryError("no memory for a copy of an array")
    return address


@njit_kept_on_disk()
def zero_cotangents(size, dtype):  # type: ignore[no-untyped-def]
    """Returns an array of zeros. A large one has huge pages if Linux grants them: small ones take longer to get than to fill."""
    result = np.empty(size, dtype)
    if _HAS_HUGE_PAGES and result.nbytes >= _LARGE_BYTES:
        first = (result.ctypes.data + _PAGE - 1) // _PAGE * _PAGE
        _madvise(first, (result.ctypes.data + result.nbytes - first) // _PAGE * _PAGE, _HUGE_PAGES)
    for i in range(size):
        result[i] = 0
    return result


@njit_kept_on_disk()
def exchange(first, second):  # type: ignore[no-untyped-def]
    """Returns two flat arrays in the other order. The smaller one gets zeros up to the size of the larger one: no variable loses room."""
    # Loops copy, since Numba takes a second to compile the assignment of an array to a slice: its error message formats shapes.
    if first.size < second.size:
        larger = np.zeros(second.size, first.dtype)
        for i in range(first.size):
            larger[i] = first[i]
        return second, larger
    if second.size < first.size:
        larger = np.zeros(first.size, second.dtype)
        for i in range(second.size):
            larger[i] = second[i]
        return larger, first
    return second, first


@njit_kept_on_disk()
def free_memory(address):  # type: ignore[no-untyped-def]
    """Frees what ``new_memory`` returned."""
    _free(address)


MIN_SNAPSHOTS = 8
"""The snapshots of a loop, even if they have more bytes than the limit."""


@njit_kept_on_disk()
def snapshot_slots(done, count, record_bytes, snapshot_bytes, limit):  # type: ignore[no-untyped-def]
    """Returns how many snapshots a loop may store; 0 if records need less memory.

    Args:
        done, count: the numbers of iterations that have run, and of all.
        record_bytes: the bytes of the records so far.
        snapshot_bytes: the bytes of a snapshot.
        limit: the bytes of all snapshots.
    """
    segments = (count - 1) // done
    slots = max(MIN_SNAPSHOTS, limit // snapshot_bytes)
    return slots if min(segments, slots) * snapshot_bytes < segments * record_bytes else 0


@njit_kept_on_disk()
def next_snapshot(first, position, end, slots):  # type: ignore[no-untyped-def]
    """Returns the iteration before which the next snapshot is stored, so that the iterations from ``first`` to ``end`` run again seldom.

    Args:
        first: the iteration of the last snapshot.
        position: the iteration after the segment that begins there.
        end: the iteration that is undone.
        slots: the number of snapshots that there is room for.
    """
    length = position - first
    segments = (end - first + length - 1) // length
    before, within_reach, repetitions = 1, slots + 1, 1
    while within_reach < segments and slots > 0:  # binomials of slots + repetitions over slots
        repetitions += 1
        before = within_reach
        within_reach = within_reach * (slots + repetitions) // repetitions
    return first + length * (min(before, segments - 1) if slots > 0 else segments)


@njit_kept_on_disk()
def _memory_bounds(array):  # type: ignore[no-untyped-def]
    """Returns the first address of an array's memory, and the one after the last."""
    start = array.ctypes.data
    end = start + array.itemsize
    for axis in range(array.ndim):
        extent = (array.shape[axis] - 1) * array.strides[axis]
        end += max(extent, 0)
        start += min(extent, 0)
    return start, end


@njit_kept_on_disk()
def may_share_memory(first, second):  # type: ignore[no-untyped-def]
    """Returns whether the bounds of two arrays overlap."""
    if first.size == 0 or second.size == 0:
        return False
    (first_start, first_end), (second_start, second_end) = _memory_bounds(first), _memory_bounds(second)
    return first_start < second_end and second_start < first_end


COMPILED: dict[str, Any] = {
    **{f"pop_{type}": pop for type, pop in POPS.items()},
    "save_array": save_array,
    "load_array": load_array,
    "unsigned": as_unsigned,
    **{
        function.__name__: function
        for function in (
            *(push_value, push_code, pop_code, contiguous, add_product, sum_in_any_order),
            *(new_owner, acquire, capacity, grow_stack, release, grow_array_stack, new_memory, free_memory),
            *(zero_cotangents, exchange, may_share_memory, snapshot_slots, next_snapshot),
        )
    },
}
"""What the names of a derivative's text stand for in compiled code."""
