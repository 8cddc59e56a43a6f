"""Launches of collectives, most of them in two stages: one starts a transfer of a bucket, the other waits for it.

A bucket holds the arrays of one reduction side by side, and two check words: numbers that follow from what the process
reduces. They are reduced, too. If another process reduces something else, their result shows it.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from fastgrad._src.kernels.collectives import transfers
from fastgrad._src.kernels.collectives.agreement import note_signature
from fastgrad._src.kernels.collectives.world import datatype_handle, handle_of, world
from fastgrad._src.kernels.runtime.copies_and_jumps import copy_bytes
from fastgrad._src.kernels.runtime.launch import Constant, Input, Launch, Launches, Output, Scratch, Spec

ALIGNMENT = 64
"""Bytes of the alignment of each array in a bucket."""

BUCKET_BYTES, LEAST_BUCKET_BYTES, BUCKETS = 2 << 20, 64 << 10, 4
"""The bytes from which on a bucket is full, at most; of smaller reductions the part that gives so many buckets, but at
least the second number. See benchmarks/distributed.py."""

CHECK_BITS = 12
"""Bits of a check word: the sum of 4,096 of them is exact in float32."""

WAIT_NANOSECONDS = 20_000.0
"""The estimated nanoseconds of a wait; programs with waits then run without the GIL."""

MPI_OPERATORS = {"sum": "SUM", "min": "MIN", "max": "MAX"}
"""The names of MPI's operators by those of the reductions."""


class BucketLayout:
    """The places of arrays in a bucket.

    Attributes:
        offsets: of each array, in bytes.
        count: the number of elements of the bucket, check words included.
        check_at: the number of the first check word's element.
    """

    def __init__(self, arrays: Sequence[Spec]) -> None:
        itemsize = arrays[0].dtype.itemsize
        self.offsets: list[int] = []
        end = 0
        for array in arrays:
            self.offsets.append(end)
            end += -(-prod(array.shape) * itemsize // ALIGNMENT) * ALIGNMENT
        self.check_at = end // itemsize
        self.count = self.check_at + 2


def positions_by_bucket(arrays: Sequence[Spec]) -> list[list[int]]:
    """Returns the positions of the arrays in each bucket; the last arrays come first, as their gradients are ready first."""
    sizes = [prod(array.shape) * array.dtype.itemsize for array in arrays]
    full = min(BUCKET_BYTES, max(sum(sizes) // BUCKETS, LEAST_BUCKET_BYTES))
    buckets: list[list[int]] = []
    size = full
    for position in reversed(range(len(arrays))):
        if size >= full:
            buckets.append([])
            size = 0
        buckets[-1].append(position)
        size += sizes[position]
    return buckets


def signature_of(name: str, arrays: Sequence[Spec], *details: Any) -> int:
    """Returns a number of 24 bits that processes share if they run the same collective."""
    text = repr((name, [(array.shape, str(array.dtype)) for array in arrays], details))
    signature = zlib.crc32(text.encode()) & (1 << 2 * CHECK_BITS) - 1
    note_signature(signature, name, arrays, details)
    return signature


def check_words(signature: int, operator: str, dtype: np.dtype) -> tuple[tuple[int, int], tuple[int, int, int, int]]:
    """Returns the two check words of a process, and what verifies their reductions: see `verify_check_words`."""
    mask = (1 << CHECK_BITS) - 1
    first, second = signature & mask, signature >> CHECK_BITS
    modulus = 1 << min(8 * dtype.itemsize, 2 * CHECK_BITS)
    if operator != "sum":  # of unequal numbers, either these or their complements have another extremum
        first, second = first % 64, 63 - first % 64
        return (first, second), (first, second, 1, modulus)
    if dtype.itemsize == 1:
        first, second = first % 64, second % 64
    size = world().size
    return (first, second), (size * first, size * second, size, modulus)


def engine_operand() -> Constant:
    """Returns the words of the engine of transfers as an operand."""
    return Constant(transfers.engine().words)


def transfer_launch(  # the arguments of `start_transfer`
    kind: int, source: Any, target: Any, ticket: Any, count: int, datatype: int, operator_or_root: int, signature: int
) -> Launch:
    """Returns the launch that starts a transfer."""
    transfer = kind, count, datatype, operator_or_root, signature
    return Launch(transfers.start_transfer[()], (source, target, ticket, engine_operand(), *transfer))


def wait_launch(ticket: Any) -> Launch:
    """Returns the launch that waits for a transfer."""
    return Launch(transfers.wait_for_transfer[()], (ticket, engine_operand()), unit_cost=WAIT_NANOSECONDS)


def start_all_reduce_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], reduce_op: str) -> Launches:
    """Returns the launches that start the reduction of arrays; the results are their bucket and its ticket."""
    layout, dtype = BucketLayout(inputs), inputs[0].dtype
    signature = signature_of("all_reduce", inputs, reduce_op)
    words, _ = check_words(signature, reduce_op, dtype)
    operator = handle_of(getattr(world().mpi, MPI_OPERATORS[reduce_op]))
    launches = _start_check(Output(0), Output(1), dtype, operator, words, signature, layout.check_at)
    return Launches(launches, packed=tuple((0, i, offset) for i, offset in enumerate(layout.offsets)))


def wait_all_reduce_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], reduce_op: str, shapes: tuple[tuple[int, ...], ...]
) -> Launches:
    """Returns the launches that wait for a reduction, given its bucket and ticket; the results are parts of the bucket."""
    layout, dtype = BucketLayout(outputs), inputs[0].dtype
    _, expected = check_words(signature_of("all_reduce", outputs, reduce_op), reduce_op, dtype)
    launches = _wait_check(Input(0), Input(1), dtype, expected, layout.check_at)
    return Launches(launches, unpacked=tuple((i, 0, offset) for i, offset in enumerate(layout.offsets)))


class PartsLayout:
    """The places of arrays in a bucket that is cut into one part for each process.

    Attributes:
        offsets: of each array, in bytes.
        gaps: the bytes after each array that belong to no array, as pairs (first, count).
        part: the number of elements of a part.
    """

    def __init__(self, arrays: Sequence[Spec]) -> None:
        itemsize = arrays[0].dtype.itemsize
        self.offsets: list[int] = []
        self.gaps: list[tuple[int, int]] = []
        end = 0
        for array in arrays:
            self.offsets.append(end)
            used = end + prod(array.shape) * itemsize
            end = -(-used // ALIGNMENT) * ALIGNMENT
            self.gaps.append((used, end - used))
        size = world().size
        part = max(1, -(-end // (size * ALIGNMENT))) * ALIGNMENT
        self.gaps.append((end, size * part - end))
        self.gaps = [gap for gap in self.gaps if gap[1]]
        self.part = part // itemsize


def start_reduce_scatter_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches:
    """Returns the launches that start the sum of arrays, of which each process gets a part.

    The results are the bucket, the part, the check words, and the tickets of the part and of the check words.
    """
    layout, dtype = PartsLayout(inputs), inputs[0].dtype
    bucket, part, checks = Output(0), Output(1), Output(2)
    operator, signature = handle_of(world().mpi.SUM), signature_of("reduce_scatter", inputs)
    words, _ = check_words(signature, "sum", dtype)
    transfer = layout.part, datatype_handle(dtype), operator, signature
    launches = [Launch(transfers.clear_bytes[()], (bucket, start, count)) for start, count in layout.gaps]
    launches += [
        transfer_launch(transfers.REDUCE_SCATTER, bucket, part, Output(3), *transfer),
        *_start_check(checks, Output(4), dtype, operator, words, signature),
    ]
    return Launches(tuple(launches), packed=tuple((0, i, offset) for i, offset in enumerate(layout.offsets)))


def wait_reduce_scatter_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], shapes: tuple[tuple[int, ...], ...]
) -> Launches:
    """Returns the launches that wait for a part of a sum, which is the only result."""
    dtype = outputs[0].dtype
    signature = signature_of("reduce_scatter", specs_of_shapes(shapes, dtype))
    _, expected = check_words(signature, "sum", dtype)
    launches = wait_launch(Input(3)), *_wait_check(Input(2), Input(4), dtype, expected)
    return Launches(launches, unpacked=((0, 1, 0),))


def start_gather_parts_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], shapes: tuple[tuple[int, ...], ...]
) -> Launches:
    """Returns the launches that start to gather the parts of a bucket of arrays.

    The results are the bucket, the check words, and the tickets of the bucket and of the check words.
    """
    (part,), rank = inputs, world().rank
    operator, signature = handle_of(world().mpi.SUM), signature_of("gather_parts", inputs, shapes)
    words, _ = check_words(signature, "sum", part.dtype)
    size = prod(part.shape)
    transfer = size, datatype_handle(part.dtype), 0, signature
    launches = (
        transfer_launch(transfers.ALL_GATHER, Output(0), Output(0), Output(2), *transfer),
        *_start_check(Output(1), Output(3), part.dtype, operator, words, signature),
    )
    return Launches(launches, packed=((0, 0, rank * size * part.dtype.itemsize),))


def wait_gather_parts_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], shapes: tuple[tuple[int, ...], ...]
) -> Launches:
    """Returns the launches that wait for the parts of a bucket; the results are the arrays in it."""
    dtype = outputs[0].dtype
    layout = PartsLayout(outputs)
    part = specs_of_shapes(((layout.part,),), dtype)
    _, expected = check_words(signature_of("gather_parts", part, shapes), "sum", dtype)
    launches = wait_launch(Input(2)), *_wait_check(Input(1), Input(3), dtype, expected)
    return Launches(launches, unpacked=tuple((i, 0, offset) for i, offset in enumerate(layout.offsets)))


def specs_of_shapes(shapes: Sequence[tuple[int, ...]], dtype: np.dtype) -> list[Any]:
    """Returns arrays of no memory with the shapes and a dtype."""
    return [np.broadcast_to(np.zeros((), dtype), shape) for shape in shapes]


def _start_check(
    array: Any,
    ticket: Any,
    dtype: np.dtype,
    operator: int,
    words: tuple[int, int],
    signature: int,
    elements_before: int = 0,
) -> tuple[Launch, ...]:
    """Returns the launches that start the reduction of an array, and of the check words behind it."""
    transfer = elements_before + 2, datatype_handle(dtype), operator, signature
    return (
        Launch(transfers.write_check_words[dtype], (array, elements_before, *words, engine_operand())),
        transfer_launch(transfers.ALL_REDUCE, array, array, ticket, *transfer),
    )


def _wait_check(
    array: Any, ticket: Any, dtype: np.dtype, expected: tuple[int, int, int, int], elements_before: int = 0
) -> tuple[Launch, ...]:
    """Returns the launches that wait for an array and the check words behind it, and verify these."""
    verify = Launch(transfers.verify_check_words[dtype], (array, elements_before, *expected, ticket))
    return wait_launch(ticket), verify


def all_gather_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches:
    """Returns the launches that join the arrays of all processes along the first axis; they have the same shape."""
    (x,), group = inputs, world()
    size = prod(x.shape) * x.dtype.itemsize
    if group.size == 1:
        return Launches((_copy(Input(0), Output(0), x),), in_place=((0, 0),))
    part = size + 8  # with check words behind each part
    signature = signature_of("all_gather", inputs)
    whole, ticket = Scratch(0), Scratch(1)
    launches = [
        _copy_part(Input(0), whole, 0, group.rank * part, x),
        Launch(transfers.write_signature[()], (whole, group.rank * part + size, signature, engine_operand())),
        transfer_launch(transfers.ALL_GATHER, whole, whole, ticket, part, mpi_byte_handle(), 0, signature),
        wait_launch(ticket),
    ]
    for rank in range(group.size):
        launches.append(Launch(transfers.verify_signature[()], (whole, rank * part + size, signature, ticket)))
        launches.append(_copy_part(whole, Output(0), rank * part, rank * size, x))
    return Launches(tuple(launches), ((np.dtype(np.uint8), group.size * part), (np.dtype(np.int64), 1)))


def broadcast_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], root: int) -> Launches:
    """Returns the launches that give all processes the array of the process ``root``."""
    (x,) = inputs
    size = prod(x.shape) * x.dtype.itemsize
    if world().size == 1:
        return Launches((_copy(Input(0), Output(0), x),), in_place=((0, 0),))
    signature = signature_of("broadcast", inputs, root)
    data, ticket = Scratch(0), Scratch(1)
    launches = (
        _copy_part(Input(0), data, 0, 0, x),
        # Another one than the root's, so that a root that sends fewer bytes is noticed.
        Launch(transfers.write_signature[()], (data, size, signature if world().rank == root else 0, engine_operand())),
        transfer_launch(transfers.BROADCAST, data, data, ticket, size + 8, mpi_byte_handle(), root, signature),
        wait_launch(ticket),
        Launch(transfers.verify_signature[()], (data, size, signature, ticket)),
        _copy_part(data, Output(0), 0, 0, x),
    )
    return Launches(launches, ((np.dtype(np.uint8), size + 8), (np.dtype(np.int64), 1)))


def mpi_byte_handle() -> int:
    """Returns the handle of MPI's datatype of bytes."""
    return handle_of(world().mpi.BYTE)


def _copy(source: Any, target: Any, x: Spec) -> Launch:
    size = prod(x.shape) * x.dtype.itemsize
    return Launch(copy_bytes[()], (source, target, size), -(-size // 64))


def _copy_part(source: Any, target: Any, source_at: int, target_at: int, x: Spec) -> Launch:
    size = prod(x.shape) * x.dtype.itemsize
    return Launch(transfers.copy_part[()], (source, target, source_at, target_at, size), max(1, -(-size // 64)))
