"""Runs the chunks of a parallel loop on Numba's threads, and joins their records and sums.

The number of chunks does not depend on the number of threads, and their sums are joined in the order of chunks. So results have the same bits for
every number of threads.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir as llvm_ir
from numba import types
from numba.extending import intrinsic

from fastgrad._src.derivatives.codegen.code_compiler import with_code_pipeline
from fastgrad._src.derivatives.codegen.exceptional_exits import ReleasingCompiler
from fastgrad._src.derivatives.codegen.inferred_overloads import linked_compiler_class
from fastgrad._src.derivatives.codegen.tape_memory import CODES, capacity, copy_memory, grow_stack, push_value, release
from fastgrad._src.jit.library_functions import njit_kept_on_disk
from fastgrad._src.jit.numba_canaries import Feature
from fastgrad._src.jit.numba_features import is_on
from fastgrad._src.jit.numba_internals import PassManager, cgutils, parallel

MAX_CHUNKS = 64
_PADDING = 16
"""The numbers between the cotangents of two chunks: threads must not write to one cache line."""
_PRIVATE_NUMBERS = 1 << 16
_PRIVATE_NUMBERS_OF_ITERATION = 16
_BYTES = llvm_ir.IntType(8).as_pointer()
_KERNEL = llvm_ir.FunctionType(
    llvm_ir.VoidType(), [_BYTES.as_pointer(), cgutils.intp_t.as_pointer(), cgutils.intp_t.as_pointer(), _BYTES]
)
"""The type of functions that Numba's threads call: of pointers, sizes, strides and data."""


@njit_kept_on_disk(error_model="numpy")
def chunk_count(count, shared):  # type: ignore[no-untyped-def]
    """Returns the number of chunks of a loop, so that the copies of arrays which all iterations add to cost little of its work.

    Args:
        count: the number of iterations.
        shared: the number of elements of these arrays.
    """
    room = max(_PRIVATE_NUMBERS, _PRIVATE_NUMBERS_OF_ITERATION * count)
    return max(0, min(count, MAX_CHUNKS, max(1, room // max(shared, 1))))


def register_threads() -> None:
    """Starts Numba's threads, if they do not run, and makes their functions known to LLVM."""
    parallel._launch_threads()


@intrinsic
def run_chunks(typing: Any, function: Any, count: Any, arguments: Any, stacks: Any) -> Any:
    """Calls ``function(number, *arguments)`` for each number below ``count``, at most ``MAX_CHUNKS``, on Numba's threads.

    Of the exceptions that calls raise, it raises the one of the lowest number, and frees the ``stacks`` of the others, if they are not None.
    """
    call = function.get_call_type(typing, (types.intp, *arguments.types), {})

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        compiled = function.dispatcher.overloads[call.args]
        library = context.active_code_library
        library.add_linking_library(compiled.library)
        has_threads = is_on(Feature.THREADS)
        if has_threads:
            library._reload_init.add(register_threads)
            register_threads()
        word, convention = cgutils.intp_t, context.call_conv
        callee = context.declare_function(builder.module, compiled.fndesc)
        info_type = callee.function_type.args[1].pointee
        codes = llvm_ir.ArrayType(llvm_ir.IntType(32), MAX_CHUNKS)
        infos = llvm_ir.ArrayType(info_type, MAX_CHUNKS)
        task_type = llvm_ir.LiteralStructType([values[2].type, codes, infos])
        name = builder.module.get_unique_name("fastgrad_chunks")
        kernel = llvm_ir.Function(builder.module, _KERNEL, name)
        kernel.linkage = "internal"
        own = llvm_ir.IRBuilder(kernel.append_basic_block())
        task = own.bitcast(kernel.args[3], task_type.as_pointer())
        first = own.ptrtoint(own.load(kernel.args[0]), word)
        items = cgutils.unpack_tuple(own, own.load(cgutils.gep_inbounds(own, task, 0, 0)))
        with cgutils.for_range(own, own.load(kernel.args[1])) as loop:
            number = own.add(first, own.mul(loop.index, own.load(kernel.args[2])))
            status, _ = convention.call_function(own, callee, call.return_type, call.args, [number, *items])
            own.store(status.code, cgutils.gep_inbounds(own, task, 0, 1, number))
            own.store(status.excinfoptr, cgutils.gep_inbounds(own, task, 0, 2, number))
        own.ret_void()
        task = cgutils.alloca_once(builder, task_type)
        builder.store(values[2], cgutils.gep_inbounds(builder, task, 0, 0))
        base = cgutils.alloca_once_value(builder, llvm_ir.Constant(_BYTES, None))
        dims, steps = cgutils.alloca_once_value(builder, values[1]), cgutils.alloca_once_value(builder, word(1))
        given = [base, dims, steps, builder.bitcast(task, _BYTES)]
        if has_threads:
            _run_on_threads(builder, kernel, given, values[1])
        else:
            builder.call(kernel, given)
        with cgutils.for_range(builder, values[1]) as loop:
            code, info = [builder.load(cgutils.gep_inbounds(builder, task, 0, part, loop.index)) for part in (1, 2)]
            status = convention._get_return_status(builder, code, info)
            with cgutils.if_unlikely(builder, status.is_error):
                if stacks is not types.none:
                    free = types.void(stacks, types.intp)
                    context.compile_internal(builder, _free_stacks_of_chunks, free, [values[3], values[1]])
                convention.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return types.void(function, types.intp, arguments, stacks), generate


def _run_on_threads(builder: Any, kernel: Any, given: list[Any], count: Any) -> None:
    """Generates the call of a kernel on Numba's threads, or on this one alone if it is the only one or has a single chunk."""
    word = cgutils.intp_t
    get_count = cgutils.get_or_insert_function(builder.module, llvm_ir.FunctionType(word, []), "get_num_threads")
    threads = builder.call(get_count, [])
    is_single = builder.or_(builder.icmp_signed("<=", threads, word(1)), builder.icmp_signed("<=", count, word(1)))
    with builder.if_else(is_single) as (alone, together):
        with alone:
            builder.call(kernel, given)
        with together:
            type = llvm_ir.FunctionType(llvm_ir.VoidType(), [_BYTES] * 5 + [word] * 3)
            run = cgutils.get_or_insert_function(builder.module, type, "numba_parallel_for")
            pointers = [builder.bitcast(value, _BYTES) for value in (kernel, *given)]
            builder.call(run, [*pointers, word(1), word(1), threads])


@njit_kept_on_disk()
def new_stacks(chunks):  # type: ignore[no-untyped-def]
    """Returns the table of the stacks of chunks, and in the last row of those of the caller: the address and the top of each of the three."""
    return np.zeros((chunks + 1, 6), np.int64)


def _free_stacks_of_chunks(stacks, chunks):  # type: ignore[no-untyped-def]
    for number in range(chunks):
        for stack in range(3):
            if stacks[number, 2 * stack] != 0:
                release(stack, stacks[number, 2 * stack], 1 if stack == CODES else 8)


@njit_kept_on_disk()
def join_stacks(owner, stacks, chunks):  # type: ignore[no-untyped-def]
    """Moves the records of chunks to the stacks of the caller. Above them are where each chunk's end, where all begin, and the number of chunks."""
    more = 3 * chunks + 4
    starts = stacks[chunks, 1], stacks[chunks, 3], stacks[chunks, 5]
    for stack in range(3):
        width = 1 if stack == CODES else 8
        address, top = stacks[chunks, 2 * stack], stacks[chunks, 2 * stack + 1]
        items = top + more
        for number in range(chunks):
            items += stacks[number, 2 * stack + 1]
        if items > capacity(address):
            address = grow_stack(owner, stack, address, width, max(items, 2 * capacity(address)))
        for number in range(chunks):
            records, count = stacks[number, 2 * stack], stacks[number, 2 * stack + 1]
            if records != 0:  # a chunk that runs again has none
                copy_memory(address + width * top, records, width * count)
                release(stack, records, width)
            top += count
            stacks[number, 2 * stack + 1] = top
        stacks[chunks, 2 * stack], stacks[chunks, 2 * stack + 1] = address, top
    values, top = stacks[chunks, 0], stacks[chunks, 1]
    for number in range(chunks):
        for stack in range(3):
            push_value(values, top + 3 * number + stack, stacks[number, 2 * stack + 1])
    top += more
    for place, number in enumerate((*starts, chunks)):
        push_value(values, top - 4 + place, number)
    stacks[chunks, 1] = top


@njit_kept_on_disk()
def copies_for_chunks(cotangent, chunks):  # type: ignore[no-untyped-def]
    """Returns memory for a copy of an array's cotangent for each chunk."""
    return np.zeros(chunks * (cotangent.size + _PADDING), cotangent.dtype)


@njit_kept_on_disk()
def copy_for_chunk(copies, number, cotangent):  # type: ignore[no-untyped-def]
    """Returns the copy of a chunk."""
    first = number * (cotangent.size + _PADDING)
    return copies[first : first + cotangent.size].reshape(cotangent.shape)


@njit_kept_on_disk()
def add_copies(cotangent, copies, chunks):  # type: ignore[no-untyped-def]
    """Adds the copies of all chunks to a cotangent, in their order."""
    for number in range(chunks):
        cotangent += copy_for_chunk(copies, number, cotangent)


@njit_kept_on_disk()
def sum_in_order(numbers):  # type: ignore[no-untyped-def]
    """Returns the sum of numbers, added from left to right."""
    total = numbers.dtype.type(0)
    for number in numbers:
        total += number
    return total


class _ChunkCompiler(ReleasingCompiler):
    """The compiler of the functions that run a chunk."""

    def define_pipelines(self) -> list[PassManager]:
        (passes,) = super().define_pipelines()
        return with_code_pipeline(self.state, passes, None)


compile_chunk = numba.njit(nogil=True, error_model="numpy", pipeline_class=linked_compiler_class(_ChunkCompiler))
"""Compiles the function that runs a chunk."""
COMPILED: dict[str, Any] = {
    function.__name__: function
    for function in (run_chunks, new_stacks, join_stacks, copies_for_chunks, copy_for_chunk, add_copies, sum_in_order)
}
"""What the names of a parallel loop's code stand for where it is compiled."""
