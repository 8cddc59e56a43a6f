"""Sums over all processes that travel as bfloat16: half the bytes of float32, with float32 sums.

The numbers are cut into one part for each process. Each process sends every other one its part (all-to-all), adds what it
receives in the order of ranks, in float32, and rounds the total. Then all processes gather the totals. So a number is
rounded twice, and all processes have the same bits. A part ends with the signature of what the process reduces.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy import float32

from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.collectives import transfers
from fastgrad._src.kernels.collectives.launches import (
    engine_operand,
    mpi_byte_handle,
    signature_of,
    specs_of_shapes,
    transfer_launch,
    wait_launch,
)
from fastgrad._src.kernels.collectives.world import world
from fastgrad._src.kernels.elementwise.half import of_bfloat16, to_bfloat16
from fastgrad._src.kernels.math.vector_math import least
from fastgrad._src.kernels.runtime.launch import Input, Launch, Launches, Output, Spec

SIGNATURE_ELEMENTS = 4
"""The uint16 elements of a signature."""

PART_MULTIPLE = 32
"""The elements of a part are a multiple of a cache line."""


@kernel(
    "x: in[float32], parts: inout[uint16], offset: int, part: int, stride: int, first: int, last: int",
)
def round_to_bfloat16_parts(x, parts, offset, part, stride, first, last):
    """Rounds x to bfloat16, as the elements from `offset` on of `part`-element parts that begin `stride` apart."""
    i = first
    while i < last:
        number = (offset + i) // part
        shift = number * stride - number * part + offset
        end = (number + 1) * part - offset
        end = least(end, last)
        for j in range(i, end):
            parts[shift + j] = to_bfloat16(x[j])
        i = end


@kernel(
    "parts: in[uint16], x: inout[float32], offset: int, part: int, stride: int, first: int, last: int",
)
def widen_from_parts(parts, x, offset, part, stride, first, last):
    """Reads x from parts; see `round_to_bfloat16_parts`."""
    i = first
    while i < last:
        number = (offset + i) // part
        shift = number * stride - number * part + offset
        end = (number + 1) * part - offset
        end = least(end, last)
        for j in range(i, end):
            x[j] = of_bfloat16(parts[shift + j])
        i = end


@kernel(
    "received: in[uint16], total: inout[uint16], offset: int, stride: int, ranks: int, first: int, last: int",
)
def sum_parts(received, total, offset, stride, ranks, first, last):
    """Adds the parts of all ranks, in their order, in float32; writes the totals from `offset` on."""
    for i in range(first, last):
        value = float32(0.0)
        for rank in range(ranks):
            value += of_bfloat16(received[rank * stride + i])
        total[offset + i] = to_bfloat16(value)


class PartLayout:
    """The places of arrays in parts.

    Attributes:
        offsets: of each array, in elements.
        part: the number of elements of a part.
        stride: the number of uint16 elements from a part to the next.
        count: the number of uint16 elements of all parts.
    """

    def __init__(self, arrays: Sequence[Spec]) -> None:
        self.offsets: list[int] = []
        end = 0
        for array in arrays:
            self.offsets.append(end)
            end += prod(array.shape)
        ranks = world().size
        self.part = max(1, -(-end // (ranks * PART_MULTIPLE))) * PART_MULTIPLE
        self.stride = self.part + SIGNATURE_ELEMENTS
        self.count = ranks * self.stride


def _signature_of(arrays: Sequence[Spec]) -> int:
    return signature_of("all_reduce", arrays, "bfloat16")


def _verified_parts(array: Any, layout: PartLayout, signature: int, ticket: Any) -> list[Launch]:
    """Returns the launches that wait for the parts of all ranks and verify the signature of each."""
    ends = [2 * (rank * layout.stride + layout.part) for rank in range(world().size)]
    verify = [Launch(transfers.verify_signature[()], (array, end, signature, ticket)) for end in ends]
    return [wait_launch(ticket), *verify]


def start_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches:
    """Returns the launches that send each process its part; the results are the buffers and the ticket."""
    layout, signature = PartLayout(inputs), _signature_of(inputs)
    send, receive, ticket = Output(0), Output(1), Output(2)
    narrow = [
        Launch(round_to_bfloat16_parts[()], (Input(i), send, offset, layout.part, layout.stride), prod(x.shape), 0.2)
        for i, (x, offset) in enumerate(zip(inputs, layout.offsets, strict=True))
    ]
    ends = [2 * (rank * layout.stride + layout.part) for rank in range(world().size)]
    sign = [Launch(transfers.write_signature[()], (send, end, signature, engine_operand())) for end in ends]
    transfer = 2 * layout.stride, mpi_byte_handle(), 0, signature
    return Launches((*narrow, *sign, transfer_launch(transfers.ALL_TO_ALL, send, receive, ticket, *transfer)))


def exchange_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], shapes: tuple[tuple[int, ...], ...]) -> Launches:
    """Returns the launches that add the received parts and start to gather the totals."""
    arrays, group = specs_of_shapes(shapes, np.dtype(np.float32)), world()
    layout, signature = PartLayout(arrays), _signature_of(arrays)
    receive, gathered, own = Input(1), Output(0), group.rank * layout.stride
    transfer = 2 * layout.stride, mpi_byte_handle(), 0, signature
    launches = (
        *_verified_parts(receive, layout, signature, Input(2)),
        Launch(sum_parts[()], (receive, gathered, own, layout.stride, group.size), layout.part, 0.2 * group.size),
        Launch(transfers.write_signature[()], (gathered, 2 * (own + layout.part), signature, engine_operand())),
        transfer_launch(transfers.ALL_GATHER, gathered, gathered, Output(1), *transfer),
    )
    return Launches(launches)


def finish_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], shapes: tuple[tuple[int, ...], ...]) -> Launches:
    """Returns the launches that wait for the totals and widen them to float32."""
    layout, signature = PartLayout(outputs), _signature_of(outputs)
    widen = [
        Launch(widen_from_parts[()], (Input(0), Output(i), offset, layout.part, layout.stride), prod(x.shape), 0.2)
        for i, (x, offset) in enumerate(zip(outputs, layout.offsets, strict=True))
    ]
    return Launches((*_verified_parts(Input(0), layout, signature, Input(1)), *widen))
