"""A GRU over time, both ways. Sequences are (batch, time, ...), gates side by side: z, r, and the candidate.

Cho et al. 2014, with the reset gate after the matrix product: h' = z h + (1 - z) tanh(x_h + r h_h), with z, r = sigmoid of the
thirds of x + bias[0] + (h U + bias[1]), where x is the projection of the inputs.
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
from fastgrad.kernels.recurrent.rows import BLOCK, add, get, put, sigmoids, tanhs
from fastgrad.kernels.running.launch import Input, Launch, Launches, Operand, Output, Scratch, Spec


@kernel(
    "x: in[T], packed: in[T], bias: in[T], h0: in[T], mask: in[bool], hs: out[T], gates: out[T], inner: out[T], h: out[T], "
    "work: inout[T], batch: int, steps: int, units: int, masked: int, first: int, last: int",
    T=FLOATS,
)
def gru(x, packed, bias, h0, mask, hs, gates, inner, h, work, batch, steps, units, masked, first, last):
    """The states at all times, the gates, the product's third for the candidate, and the last state.

    `packed` is the recurrent kernel, `work` has the size of the gates of one time step. Where `masked` and the mask is 0 the
    state stays. Each thing is read before it is written, so `gates` may be `x`, `h` `h0`.
    """
    row, state, product, sums = local_array(T, 384), local_array(T, 128), local_array(T, 128), local_array(T, 128)
    end = least(batch, last * UNIT)
    for top in range(first * UNIT, end, TOGETHER):
        bottom = least(end, top + TOGETHER)
        for at in range(top * units, bottom * units):
            h[at] = h0[at]
        for t in range(steps):
            multiply_packed(h, top * units, units, packed, work, top * 3 * units, 0, bottom - top, units, 3 * units)
            for b in range(top, bottom):
                step = b * steps + t
                stays = masked != 0 and mask[step] == 0
                for left in range(0, units, BLOCK):
                    n = least(BLOCK, units - left)
                    at, own, line = 3 * units * step + left, 3 * units * b + left, units * b + left
                    for j in range(n):
                        product[j] = work[own + 2 * units + j] + bias[left + 5 * units + j]
                    for q in range(2):
                        for j in range(n):
                            sums[j] = bias[left + q * units + j] + bias[left + (3 + q) * units + j]
                        sigmoids(x, at + q * units, work, own + q * units, sums, 0, row, q * BLOCK, n)
                    for j in range(n):
                        sums[j] = row[BLOCK + j] * product[j]
                    tanhs(x, at + 2 * units, sums, 0, bias, left + 2 * units, row, 2 * BLOCK, n)
                    get(h, line, state, 0, n)
                    if not stays:
                        for j in range(n):
                            state[j] = row[j] * state[j] + (T(1) - row[j]) * row[2 * BLOCK + j]
                    for q in range(3):
                        put(row, q * BLOCK, gates, at + q * units, n)
                    put(product, 0, inner, step * units + left, n)
                    put(state, 0, h, line, n)
                    put(state, 0, hs, step * units + left, n)


@kernel(
    "gates: in[T], inner: in[T], hs: in[T], h0: in[T], packed: in[T], mask: in[bool], ghs: in[T], gh: in[T], dx: out[T], "
    "dp: out[T], dh: out[T], work: inout[T], batch: int, steps: int, units: int, masked: int, with_hs: int, with_h: int, "
    "first: int, last: int",
    T=FLOATS,
)
def gru_gradient(
    gates,
    inner,
    hs,
    h0,
    packed,
    mask,
    ghs,
    gh,
    dx,
    dp,
    dh,
    work,
    batch,
    steps,
    units,
    masked,
    with_hs,
    with_h,
    first,
    last,
):
    """The cotangents of x, of the product and its bias, and of the first state.

    They come from those of all states and of the last one, as far as there are any. `packed` is the transpose of the recurrent kernel.
    """
    row, before, grown = local_array(T, 512), local_array(T, 128), local_array(T, 128)
    end = least(batch, last * UNIT)
    for top in range(first * UNIT, end, TOGETHER):
        bottom = least(end, top + TOGETHER)
        for at in range(top * units, bottom * units):
            dh[at] = gh[at] if with_h != 0 else T(0)
        for t in range(steps - 1, -1, -1):
            for b in range(top, bottom):
                step = b * steps + t
                stays = masked != 0 and mask[step] == 0
                for left in range(0, units, BLOCK):
                    n = least(BLOCK, units - left)
                    at, own, line = 3 * units * step + left, 3 * units * b + left, units * b + left
                    get(dh, line, grown, 0, n)
                    if with_hs != 0:
                        add(ghs, step * units + left, grown, 0, n)
                    if stays:
                        for j in range(4 * BLOCK):
                            row[j] = T(0)
                    else:
                        if t > 0:
                            get(hs, (step - 1) * units + left, before, 0, n)
                        else:
                            get(h0, line, before, 0, n)
                        for j in range(n):
                            z, r, c = gates[at + j], gates[at + units + j], gates[at + 2 * units + j]
                            d = grown[j] * (T(1) - z) * (T(1) - c * c)
                            row[j] = grown[j] * (before[j] - c) * (z * (T(1) - z))
                            row[BLOCK + j] = d * inner[step * units + left + j] * (r * (T(1) - r))
                            row[2 * BLOCK + j] = d * r
                            row[3 * BLOCK + j] = d
                            grown[j] = grown[j] * z
                    put(grown, 0, dh, line, n)
                    for q in range(3):
                        put(row, q * BLOCK, dp, at + q * units, n)
                        put(row, q * BLOCK, work, own + q * units, n)
                    for q in range(2):
                        put(row, q * BLOCK, dx, at + q * units, n)
                    put(row, 3 * BLOCK, dx, at + 2 * units, n)
            multiply_packed(
                work, top * 3 * units, 3 * units, packed, dh, top * units, 1, bottom - top, 3 * units, units
            )


def gru_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches | None:
    """Of x, the recurrent kernel, the biases, the first state and maybe a mask: see `gru`."""
    x, h0 = inputs[0], inputs[3]
    batch, steps, width = x.shape
    units, dtype = h0.shape[1], x.dtype
    mask: Operand = Input(4) if len(inputs) > 4 else Input(0)
    arrays = (Input(0), Scratch(0), Input(2), Input(3), mask, *map(Output, range(4)), Scratch(1))
    sizes = (batch, steps, units, int(len(inputs) > 4))
    launch = Launch(gru[dtype], (*arrays, *sizes), -(-batch // UNIT), cost_of(steps, units, 3))
    scratch = ((dtype, packed_size(dtype, units, width)), (dtype, batch * width))
    return Launches((pack_launch(dtype, 1, units, width, False), launch), scratch, in_place=((1, 0), (3, 3)))


def gru_gradient_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], has: tuple[bool, bool, bool]
) -> Launches | None:
    """Of gates, inner, hs, h0, the recurrent kernel, and as far as `has` says so a mask and cotangents: see `gru_gradient`."""
    gates, h0 = inputs[0], inputs[3]
    batch, steps, width = gates.shape
    units, dtype = h0.shape[1], gates.dtype
    given = iter(range(5, len(inputs)))
    optional = [Input(next(given)) if there else Input(0) for there in has]
    arrays = (*map(Input, range(4)), Scratch(0), *optional, *map(Output, range(3)), Scratch(1))
    sizes = (batch, steps, units, *map(int, has))
    launch = Launch(gru_gradient[dtype], (*arrays, *sizes), -(-batch // UNIT), cost_of(steps, units, 3))
    scratch = ((dtype, packed_size(dtype, width, units)), (dtype, batch * width))
    return Launches((pack_launch(dtype, 4, width, units, True), launch), scratch, in_place=((1, 0),))
