"""Recurrent cells over time: one loop over the time steps in each direction, around the cell's function of a row.

Sequences are (time, batch, ...), so the data of a time step is contiguous; the gates of a row are adjacent. A unit of
work is all time steps of `UNIT_SEQUENCES` sequences. Up to `MOST_SEQUENCES_TOGETHER` sequences go through a time step
together: first the product of their states with the recurrent kernel, then the gates, row by row. Loops over a row are
short and call one function of numbers each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastgrad._src.jit.body import local_array, scalar_function, specialized
from fastgrad._src.jit.build import NO_ALIASES, Kernel, kernel
from fastgrad._src.kernels.math.vector_math import least
from fastgrad._src.kernels.recurrent.products import FLOATS, multiply_packed, pack_launch, packed_size
from fastgrad._src.kernels.runtime.launch import Input, Launch, Launches, Output, Scratch, Spec

UNIT_SEQUENCES = 8  # the sequences of a unit of work
MOST_SEQUENCES_TOGETHER = 32  # rows that go through a time step together: their state stays in the cache
BLOCK_STATE_UNITS = 128  # units of the state at a time, whose results wait on the stack

# What the loops need to know of a cell; each kernel is compiled with its own values and functions.
GATE_COUNT = 1  # gates of a state unit: the width of the product with the recurrent kernel, in states
HAS_SECOND_STATE = 0  # whether there is a second state


@scalar_function
def recurrent_step(x, work, bias, hs, residual, gates, gates_at, work_at, state_at, next_at, units, keep_state):
    """Computes a row's next state, from its projected inputs and its product with the recurrent kernel.

    `gates_at` is the start of the row in `x` and `gates`, `work_at` in `work`. `state_at` is the start of its state in
    `hs`, `next_at` of the next state.
    """


@scalar_function
def recurrent_step_gradient(gates, residual, hs, dx, dp, dh, dc, scratch, gates_at, dh_at, state_at, next_at, units):
    """Computes cotangents of a row's product and inputs; `dh` and `dc` become cotangents of the previous states.

    The cotangent through the recurrent kernel is added to `dh` later. `dh_at` is the start of the row in `dh` and `dc`.
    `scratch` has 6 `BLOCK_STATE_UNITS` elements of scratch memory.
    """


@scalar_function
def copy_elements(source, source_at, target, at, count):
    """Copies `count` elements from an offset in one array to an offset in another."""
    for i in range(count):
        target[at + i] = source[source_at + i]


@scalar_function
def clear_elements(target, at, count):
    """Sets `count` elements of an array, from an offset on, to zero."""
    for i in range(count):
        target[at + i] = T(0)


def _run_forwards(
    x, packed, bias, h0, c0, mask, hs, residual, gates, h, c, work, batch, steps, units, masked, first, last
):  # fmt: skip
    """Computes the initial states and those after each time step, the gradient's residuals, and the last states.

    `packed` is the recurrent kernel; `work` has the size of the gates of one time step. If `masked`, states do not
    change where the mask is 0. Each element is read before it is written, so `gates` may be `x`, and `h` and `c` may be
    `h0` and `c0`.
    """
    size, width = batch * units, GATE_COUNT * units
    end = least(batch, last * UNIT_SEQUENCES)
    for top in range(first * UNIT_SEQUENCES, end, MOST_SEQUENCES_TOGETHER):
        rows = least(end - top, MOST_SEQUENCES_TOGETHER)
        copy_elements(h0, top * units, hs, top * units, rows * units)
        if HAS_SECOND_STATE != 0:
            copy_elements(c0, top * units, residual, top * units, rows * units)
        for t in range(steps):
            start = t * batch + top
            multiply_packed(hs, start * units, units, packed, work, top * width, 0, rows, units, width)
            for b in range(rows):
                row = start + b
                stays = masked != 0 and mask[row] == 0
                now = row * units
                recurrent_step(
                    x, work, bias, hs, residual, gates, row * width, (top + b) * width, now, now + size, units, stays
                )
        copy_elements(hs, steps * size + top * units, h, top * units, rows * units)
        if HAS_SECOND_STATE != 0:
            copy_elements(residual, steps * size + top * units, c, top * units, rows * units)


def _run_backwards(
    gates, residual, hs, packed, mask, ghs, gh, gc, dx, dp, dh, dc, batch, steps, units, masked, with_hs, with_h, with_c,
    first, last,
):  # fmt: skip
    """Computes cotangents of the inputs, of the products with the recurrent kernel, and of the initial states.

    They come from the cotangents of all states and of the last states, where those exist. `packed` is the transpose of
    the recurrent kernel. `dp` may be `gates`.
    """
    own = local_array(T, 768)
    size, width = batch * units, GATE_COUNT * units
    end = least(batch, last * UNIT_SEQUENCES)
    for top in range(first * UNIT_SEQUENCES, end, MOST_SEQUENCES_TOGETHER):
        rows = least(end - top, MOST_SEQUENCES_TOGETHER)
        if with_h != 0:
            copy_elements(gh, top * units, dh, top * units, rows * units)
        else:
            clear_elements(dh, top * units, rows * units)
        if HAS_SECOND_STATE != 0:
            if with_c != 0:
                copy_elements(gc, top * units, dc, top * units, rows * units)
            else:
                clear_elements(dc, top * units, rows * units)
        for t in range(steps - 1, -1, -1):
            start = t * batch + top
            for b in range(rows):
                row = start + b
                at, line, now = row * width, (top + b) * units, row * units
                if with_hs != 0:
                    for j in range(units):
                        dh[line + j] += ghs[now + size + j]
                if masked != 0 and mask[row] == 0:
                    clear_elements(dp, at, width)
                    clear_elements(dx, at, width)
                else:
                    recurrent_step_gradient(gates, residual, hs, dx, dp, dh, dc, own, at, line, now, now + size, units)
            multiply_packed(dp, start * width, width, packed, dh, top * units, 1, rows, width, units)
        if with_hs != 0:
            for at in range(top * units, (top + rows) * units):
                dh[at] += ghs[at]


_FORWARD_SIGNATURE = (
    "x: in[T], packed: in[T], bias: in[T], h0: in[T], c0: in[T], mask: in[bool], hs: out[T], residual: out[T], gates: out[T], "
    "h: out[T], c: out[T], work: inout[T], batch: int, steps: int, units: int, masked: int, first: int, last: int"
)
_BACKWARD_SIGNATURE = (
    "gates: in[T], residual: in[T], hs: in[T], packed: in[T], mask: in[bool], ghs: in[T], gh: in[T], gc: in[T], dx: out[T], dp: out[T], "
    "dh: out[T], dc: out[T], batch: int, steps: int, units: int, masked: int, with_hs: int, with_h: int, with_c: int, "
    "first: int, last: int"
)


def cell_kernels(
    name: str,
    recurrent_step: Any,
    recurrent_step_gradient: Any,
    gates: int,
    has_second_state: bool = False,
    aliases: Mapping[str, str] = NO_ALIASES,
    gradient_aliases: Mapping[str, str] = NO_ALIASES,
) -> tuple[Kernel, Kernel]:
    """Returns the forward and the backward kernel of a cell.

    Args:
        name: the cell's name.
        recurrent_step, recurrent_step_gradient: the cell's functions of a row, forward and backward.
        gates: the width of its product with the recurrent kernel, in widths of the state.
        has_second_state: whether the cell has a second state, which it keeps before and after all time steps.
        aliases, gradient_aliases: for parameters of the two kernels, the parameter whose array they always are.
    """
    own = {
        "GATE_COUNT": gates,
        "HAS_SECOND_STATE": int(has_second_state),
        "recurrent_step": recurrent_step,
        "recurrent_step_gradient": recurrent_step_gradient,
    }
    made: list[Kernel] = []
    states = {"h": ("h0",), "c": ("c0",)} if has_second_state else {"h": ("h0",)}
    for walk, signature, title, in_place, aliases_ in (
        (_run_forwards, _FORWARD_SIGNATURE, name, {"gates": ("x",), **states}, aliases),
        (_run_backwards, _BACKWARD_SIGNATURE, f"{name}_gradient", {"dp": ("gates",)}, gradient_aliases),
    ):
        function = specialized(walk, title, walk.__doc__, **own)
        made.append(kernel(signature, noalias=True, in_place=in_place, aliases=aliases_, T=FLOATS)(function))
    return made[0], made[1]


def forward_launches(
    kernel: Kernel, inputs: Sequence[Spec], output_numbers: Sequence[int], has_second_state: bool = False
) -> Launches:
    """Returns the launches that run a cell over time, from x, recurrent kernel, bias, first states and perhaps a mask.

    Args:
        kernel: the cell's forward kernel.
        inputs: see above.
        output_numbers: the output numbers of hs, residual, gates, h and c; an output that the cell lacks repeats the number
            of another.
        has_second_state: whether there is a second state.
    """
    x, h0 = inputs[0], inputs[3]
    steps, batch, width = x.shape
    units, dtype = h0.shape[1], x.dtype
    states = 2 if has_second_state else 1
    masked = len(inputs) > 3 + states
    arrays = (Input(0), Scratch(0), Input(2), Input(3), Input(2 + states), Input(3 + states if masked else 0))
    operands: tuple[Any, ...] = *arrays, *map(Output, output_numbers), Scratch(1), batch, steps, units, int(masked)
    launch = Launch(kernel[dtype], operands, -(-batch // UNIT_SEQUENCES), _unit_nanoseconds(steps, units, width))
    scratch = ((dtype, packed_size(dtype, units, width)), (dtype, batch * width))
    in_place = [(output_numbers[3], 3)]
    in_place += [(output_numbers[2], 0)] if output_numbers[2] != output_numbers[0] else []
    in_place += [(output_numbers[4], 4)] if has_second_state else []
    return Launches((pack_launch(dtype, 1, units, width, transposed=False), launch), scratch, tuple(in_place))


def gradient_launches(
    kernel: Kernel,
    inputs: Sequence[Spec],
    has_optional: Sequence[bool],
    residual_numbers: Sequence[int],
    output_numbers: Sequence[int],
) -> Launches:
    """Returns the launches of a cell's gradient; mask and cotangents of the states are optional inputs.

    Args:
        kernel: the cell's backward kernel.
        inputs: residuals, the recurrent kernel, and the optional inputs.
        has_optional: which of the optional inputs exist.
        residual_numbers: the input numbers of gates, residual and hs; hs has the states before and after all time steps.
        output_numbers: the output numbers of dx, dp, dh and dc.
    """
    number = max(residual_numbers) + 1
    width, units = inputs[number].shape[1], inputs[number].shape[0]
    before_and_after, batch, _ = inputs[residual_numbers[2]].shape
    steps, dtype = before_and_after - 1, inputs[0].dtype
    given = iter(range(number + 1, len(inputs)))
    optional = [Input(next(given)) if there else Input(0) for there in has_optional]
    optional += [Input(0)] * (4 - len(has_optional))
    flags = [*map(int, has_optional), *[0] * (4 - len(has_optional))]
    arrays = (*map(Input, residual_numbers), Scratch(0), *optional, *map(Output, output_numbers))
    operands: tuple[Any, ...] = *arrays, batch, steps, units, *flags
    launch = Launch(kernel[dtype], operands, -(-batch // UNIT_SEQUENCES), _unit_nanoseconds(steps, units, width))
    packing = pack_launch(dtype, number, width, units, transposed=True)
    in_place = ((output_numbers[1], 0),) if width > units else ()
    return Launches((packing, launch), ((dtype, packed_size(dtype, width, units)),), in_place)


def _unit_nanoseconds(steps: int, state_units: int, gates_width: int) -> float:
    """Returns about how many nanoseconds all time steps of `UNIT_SEQUENCES` sequences take."""
    return UNIT_SEQUENCES * steps * gates_width * (0.02 * state_units + 0.4)
