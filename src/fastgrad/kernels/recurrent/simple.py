"""A simple recurrent layer over time, both ways (Elman 1990): h' = tanh(x + h U + bias), where x is the projection of the inputs.

Sequences are (batch, time, units).
"""

from __future__ import annotations

from collections.abc import Sequence

from fastgrad.kernels.building.body import local_array
from fastgrad.kernels.building.build import kernel
from fastgrad.kernels.functions.vector_math import least
from fastgrad.kernels.recurrent.products import (
    FLOATS,
    TOGETHER,
    UNIT,
    cost_of,
    multiply_packed,
    pack_launch,
    packed_size,
)
from fastgrad.kernels.recurrent.rows import BLOCK, add, get, put, tanhs
from fastgrad.kernels.running.launch import Input, Launch, Launches, Operand, Output, Scratch, Spec


@kernel(
    "x: in[T], packed: in[T], bias: in[T], h0: in[T], mask: in[bool], hs: out[T], h: out[T], work: inout[T], batch: int, steps: int, "
    "units: int, masked: int, first: int, last: int",
    T=FLOATS,
)
def simple_rnn(x, packed, bias, h0, mask, hs, h, work, batch, steps, units, masked, first, last):
    """The states at all times, and the last one.

    `packed` is the recurrent kernel, `work` has the size of a state. Where `masked` and the mask is 0 the state stays.
    Each thing is read before it is written, so `hs` may be `x`, `h` `h0`.
    """
    state = local_array(T, 128)
    end = least(batch, last * UNIT)
    for top in range(first * UNIT, end, TOGETHER):
        bottom = least(end, top + TOGETHER)
        for at in range(top * units, bottom * units):
            h[at] = h0[at]
        for t in range(steps):
            multiply_packed(h, top * units, units, packed, work, top * units, 0, bottom - top, units, units)
            for b in range(top, bottom):
                step = b * steps + t
                for left in range(0, units, BLOCK):
                    n = least(BLOCK, units - left)
                    at, line = step * units + left, b * units + left
                    if masked != 0 and mask[step] == 0:
                        get(h, line, state, 0, n)
                    else:
                        tanhs(x, at, work, line, bias, left, state, 0, n)
                    put(state, 0, h, line, n)
                    put(state, 0, hs, at, n)


@kernel(
    "hs: in[T], packed: in[T], mask: in[bool], ghs: in[T], gh: in[T], dx: out[T], dh: out[T], work: inout[T], batch: int, "
    "steps: int, units: int, masked: int, with_hs: int, with_h: int, first: int, last: int",
    T=FLOATS,
)
def simple_rnn_gradient(
    hs, packed, mask, ghs, gh, dx, dh, work, batch, steps, units, masked, with_hs, with_h, first, last
):
    """The cotangents of x and of the first state, from those of all states and of the last one, as far as there are any.

    `packed` is the transpose of the recurrent kernel.
    """
    row, grown = local_array(T, 128), local_array(T, 128)
    end = least(batch, last * UNIT)
    for top in range(first * UNIT, end, TOGETHER):
        bottom = least(end, top + TOGETHER)
        for at in range(top * units, bottom * units):
            dh[at] = gh[at] if with_h != 0 else T(0)
        for t in range(steps - 1, -1, -1):
            for b in range(top, bottom):
                step = b * steps + t
                for left in range(0, units, BLOCK):
                    n = least(BLOCK, units - left)
                    at, line = step * units + left, b * units + left
                    get(dh, line, grown, 0, n)
                    if with_hs != 0:
                        add(ghs, at, grown, 0, n)
                    if masked != 0 and mask[step] == 0:
                        for j in range(n):
                            row[j] = T(0)
                    else:
                        get(hs, at, row, 0, n)
                        for j in range(n):
                            row[j] = grown[j] * (T(1) - row[j] * row[j])
                            grown[j] = T(0)
                    put(grown, 0, dh, line, n)
                    put(row, 0, dx, at, n)
                    put(row, 0, work, line, n)
            multiply_packed(work, top * units, units, packed, dh, top * units, 1, bottom - top, units, units)


def simple_rnn_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches | None:
    """Of x, the recurrent kernel, the bias, the first state and maybe a mask: see `simple_rnn`."""
    x = inputs[0]
    batch, steps, units = x.shape
    dtype = x.dtype
    mask: Operand = Input(4) if len(inputs) > 4 else Input(0)
    arrays = (Input(0), Scratch(0), Input(2), Input(3), mask, *map(Output, range(2)), Scratch(1))
    sizes = (batch, steps, units, int(len(inputs) > 4))
    launch = Launch(simple_rnn[dtype], (*arrays, *sizes), -(-batch // UNIT), cost_of(steps, units, 1))
    scratch = ((dtype, packed_size(dtype, units, units)), (dtype, batch * units))
    return Launches((pack_launch(dtype, 1, units, units, False), launch), scratch, in_place=((0, 0), (1, 3)))


def simple_rnn_gradient_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], has: tuple[bool, bool, bool]
) -> Launches | None:
    """Of hs, the recurrent kernel, and as far as `has` says so a mask and cotangents: see `simple_rnn_gradient`."""
    hs = inputs[0]
    batch, steps, units = hs.shape
    dtype = hs.dtype
    given = iter(range(2, len(inputs)))
    optional = [Input(next(given)) if there else Input(0) for there in has]
    arrays = (Input(0), Scratch(0), *optional, *map(Output, range(2)), Scratch(1))
    sizes = (batch, steps, units, *map(int, has))
    launch = Launch(simple_rnn_gradient[dtype], (*arrays, *sizes), -(-batch // UNIT), cost_of(steps, units, 1))
    scratch = ((dtype, packed_size(dtype, units, units)), (dtype, batch * units))
    return Launches((pack_launch(dtype, 1, units, units, True), launch), scratch, in_place=((0, 0),))
