"""An LSTM over time, both ways. Sequences are (batch, time, ...), gates side by side: i, f, g, o.

Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000: c' = f c + i g, h' = o tanh(c'), with
i, f, o = sigmoid and g = tanh of the quarters of x + h U + bias, where x is the projection of the inputs.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastgrad.kernels.building.body import local_array
from fastgrad.kernels.building.build import kernel
from fastgrad.kernels.functions.vector_math import least, tanh
from fastgrad.kernels.recurrent.products import (
    FLOATS,
    TOGETHER,
    UNIT,
    cost_of,
    multiply_packed,
    pack_launch,
    packed_size,
)
from fastgrad.kernels.recurrent.rows import BLOCK, add, get, put, sigmoids, tanhs
from fastgrad.kernels.running.launch import Input, Launch, Launches, Operand, Output, Scratch, Spec


@kernel(
    "x: in[T], packed: in[T], bias: in[T], h0: in[T], c0: in[T], mask: in[bool], hs: out[T], cs: out[T], gates: out[T], h: out[T], "
    "c: out[T], work: inout[T], batch: int, steps: int, units: int, masked: int, first: int, last: int",
    T=FLOATS,
)
def lstm(x, packed, bias, h0, c0, mask, hs, cs, gates, h, c, work, batch, steps, units, masked, first, last):
    """The states h and c at all times, the gates, and the last states.

    `packed` is the recurrent kernel, `work` has the size of the gates of one time step. Where `masked` and the mask is 0 the
    states stay. Each thing is read before it is written, so `gates` may be `x`, `h` and `c` `h0` and `c0`.
    """
    row, state, output = local_array(T, 512), local_array(T, 128), local_array(T, 128)
    end = least(batch, last * UNIT)
    for top in range(first * UNIT, end, TOGETHER):
        bottom = least(end, top + TOGETHER)
        for at in range(top * units, bottom * units):
            h[at] = h0[at]
        for at in range(top * units, bottom * units):
            c[at] = c0[at]
        for t in range(steps):
            multiply_packed(h, top * units, units, packed, work, top * 4 * units, 0, bottom - top, units, 4 * units)
            for b in range(top, bottom):
                step = b * steps + t
                stays = masked != 0 and mask[step] == 0
                for left in range(0, units, BLOCK):
                    n = least(BLOCK, units - left)
                    at, own, line = 4 * units * step + left, 4 * units * b + left, units * b + left
                    for q in range(4):
                        if q == 2:
                            tanhs(x, at + q * units, work, own + q * units, bias, left + q * units, row, q * BLOCK, n)
                        else:
                            sigmoids(
                                x, at + q * units, work, own + q * units, bias, left + q * units, row, q * BLOCK, n
                            )
                        put(row, q * BLOCK, gates, at + q * units, n)
                    if stays:
                        get(c, line, state, 0, n)
                        get(h, line, output, 0, n)
                    else:
                        for j in range(n):
                            state[j] = row[BLOCK + j] * c[line + j] + row[j] * row[2 * BLOCK + j]
                        for j in range(n):
                            output[j] = row[3 * BLOCK + j] * tanh(state[j])
                    put(state, 0, c, line, n)
                    put(output, 0, h, line, n)
                    put(state, 0, cs, step * units + left, n)
                    put(output, 0, hs, step * units + left, n)


@kernel(
    "gates: in[T], cs: in[T], c0: in[T], packed: in[T], mask: in[bool], ghs: in[T], gh: in[T], gc: in[T], dx: out[T], "
    "dh: out[T], dc: out[T], work: inout[T], batch: int, steps: int, units: int, masked: int, with_hs: int, with_h: int, "
    "with_c: int, first: int, last: int",
    T=FLOATS,
)
def lstm_gradient(
    gates,
    cs,
    c0,
    packed,
    mask,
    ghs,
    gh,
    gc,
    dx,
    dh,
    dc,
    work,
    batch,
    steps,
    units,
    masked,
    with_hs,
    with_h,
    with_c,
    first,
    last,
):
    """The cotangents of x and of the first states, from those of all h and of the last states, as far as there are any.

    `packed` is the transpose of the recurrent kernel.
    """
    row, bent, before = local_array(T, 512), local_array(T, 128), local_array(T, 128)
    grown, carried = local_array(T, 128), local_array(T, 128)
    end = least(batch, last * UNIT)
    for top in range(first * UNIT, end, TOGETHER):
        bottom = least(end, top + TOGETHER)
        for at in range(top * units, bottom * units):
            dh[at] = gh[at] if with_h != 0 else T(0)
        for at in range(top * units, bottom * units):
            dc[at] = gc[at] if with_c != 0 else T(0)
        for t in range(steps - 1, -1, -1):
            for b in range(top, bottom):
                step = b * steps + t
                stays = masked != 0 and mask[step] == 0
                for left in range(0, units, BLOCK):
                    n = least(BLOCK, units - left)
                    at, own, line = 4 * units * step + left, 4 * units * b + left, units * b + left
                    get(dh, line, grown, 0, n)
                    if with_hs != 0:
                        add(ghs, step * units + left, grown, 0, n)
                    if stays:
                        for j in range(4 * BLOCK):
                            row[j] = T(0)
                    else:
                        for j in range(n):
                            bent[j] = tanh(cs[step * units + left + j])
                        if t > 0:
                            get(cs, (step - 1) * units + left, before, 0, n)
                        else:
                            get(c0, line, before, 0, n)
                        for j in range(n):
                            i, f = gates[at + j], gates[at + units + j]
                            g, o = gates[at + 2 * units + j], gates[at + 3 * units + j]
                            d = dc[line + j] + grown[j] * o * (T(1) - bent[j] * bent[j])
                            carried[j] = d * f
                            row[j] = d * g * (i * (T(1) - i))
                            row[BLOCK + j] = d * before[j] * (f * (T(1) - f))
                            row[2 * BLOCK + j] = d * i * (T(1) - g * g)
                            row[3 * BLOCK + j] = grown[j] * bent[j] * (o * (T(1) - o))
                            grown[j] = T(0)
                        put(carried, 0, dc, line, n)
                    put(grown, 0, dh, line, n)
                    for q in range(4):
                        put(row, q * BLOCK, dx, at + q * units, n)
                        put(row, q * BLOCK, work, own + q * units, n)
            multiply_packed(
                work, top * 4 * units, 4 * units, packed, dh, top * units, 1, bottom - top, 4 * units, units
            )


def lstm_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches | None:
    """Of x, the recurrent kernel, the bias, the first states and maybe a mask: see `lstm`."""
    x, h0 = inputs[0], inputs[3]
    batch, steps, width = x.shape
    units, dtype = h0.shape[1], x.dtype
    mask: Operand = Input(5) if len(inputs) > 5 else Input(0)
    launch = Launch(
        lstm[dtype],
        (
            Input(0),
            Scratch(0),
            *map(Input, (2, 3, 4)),
            mask,
            *map(Output, range(5)),
            Scratch(1),
            batch,
            steps,
            units,
            int(len(inputs) > 5),
        ),
        -(-batch // UNIT),
        cost_of(steps, units, 4),
    )
    scratch = ((dtype, packed_size(dtype, units, width)), (dtype, batch * width))
    packing = pack_launch(dtype, 1, units, width, transposed=False)
    return Launches((packing, launch), scratch, in_place=((2, 0), (3, 3), (4, 4)))


def lstm_gradient_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], has: tuple[bool, bool, bool, bool]
) -> Launches | None:
    """Of gates, cs, c0, the recurrent kernel, and as far as `has` says so a mask and the cotangents: see `lstm_gradient`."""
    gates, c0 = inputs[0], inputs[2]
    batch, steps, width = gates.shape
    units, dtype = c0.shape[1], gates.dtype
    given = iter(range(4, len(inputs)))
    optional = [Input(next(given)) if there else Input(0) for there in has]
    launch = Launch(
        lstm_gradient[dtype],
        (
            Input(0),
            Input(1),
            Input(2),
            Scratch(0),
            *optional,
            *map(Output, range(3)),
            Scratch(1),
            batch,
            steps,
            units,
            *map(int, has),
        ),
        -(-batch // UNIT),
        cost_of(steps, units, 4),
    )
    scratch = ((dtype, packed_size(dtype, width, units)), (dtype, batch * width))
    return Launches((pack_launch(dtype, 3, width, units, transposed=True), launch), scratch, in_place=((0, 0),))
