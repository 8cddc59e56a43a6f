"""Matrix products as launches: the kernel's arguments for a product that is a step of a program."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from fastgrad._src.jit.isa import host_isa
from fastgrad._src.kernels.elementwise.half import BFLOAT16, with_half_floats
from fastgrad._src.kernels.gemm.config import (
    LEAST_MULTIPLY_ADDS_FOR_TILES,
    GemmConfig,
    config_for_dtype,
    uses_bfloat16_pairs,
)
from fastgrad._src.kernels.gemm.gemm import add_chains, gemm
from fastgrad._src.kernels.gemm.gemv import UNIT_COLUMNS, gemv
from fastgrad._src.kernels.gemm.layout import MULTIPLY_ADD_NANOSECONDS
from fastgrad._src.kernels.gemm.pairs import gemm_pairs
from fastgrad._src.kernels.gemm.plain import complex_product, plain_product
from fastgrad._src.kernels.gemm.transpose import transpose_matrix
from fastgrad._src.kernels.movement.layout import broadcast, contiguous
from fastgrad._src.kernels.movement.strided import ScratchCopies
from fastgrad._src.kernels.runtime.launch import (
    Constant,
    Input,
    KernelEntry,
    Launch,
    Launches,
    Operand,
    Output,
    Scratch,
    Spec,
)

NO_EPILOGUE = (0, 0)
NO_ROW_EPILOGUE = (0, 0, 0)
PAIR_MULTIPLY_ADD_NANOSECONDS = (0.025, 0.01)  # without and with an instruction for pairs
PLAIN_MULTIPLY_ADD_NANOSECONDS = 0.2
PARTIAL_SUM_NANOSECONDS = 0.03  # to add one of the partial sums of an element of C
TRANSPOSE_NANOSECONDS_PER_ELEMENT = 0.2


def wide_product_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], transpose_a: bool, transpose_b: bool
) -> Launches | None:
    """Returns the launches of `wide_product`, the float32 product of bfloat16 matrices."""
    if uses_bfloat16_pairs(inputs, transpose_a, transpose_b):
        return product_launches(inputs, transpose_a, transpose_b)
    return matmul_launches(inputs, outputs, transpose_a=transpose_a, transpose_b=transpose_b)


@with_half_floats
def matmul_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], transpose_a: bool, transpose_b: bool
) -> Launches | None:
    """Returns the launches of `matmul`; float16 operands are converted to float32."""
    return product_launches(inputs, transpose_a, transpose_b)


def matmul_launches_with_epilogue(
    inputs: Sequence[Spec], outputs: Sequence[Spec], following: Launch | None, transpose_a: bool, transpose_b: bool
) -> Launches:
    """Returns the launches of a product with an epilogue; see `product_launches`."""
    return product_launches(inputs, transpose_a, transpose_b, following)


def wide_product_launches_with_epilogue(
    inputs: Sequence[Spec], outputs: Sequence[Spec], following: Launch | None, transpose_a: bool, transpose_b: bool
) -> Launches | None:
    """Returns the launches of a product of bfloat16 matrices with an epilogue; None if it has no kernel of pairs."""
    if not uses_bfloat16_pairs(inputs, transpose_a, transpose_b):
        return None
    return product_launches(inputs, transpose_a, transpose_b, following)


def product_launches(
    inputs: Sequence[Spec], transpose_a: bool = False, transpose_b: bool = False, epilogue: Launch | None = None
) -> Launches:
    """Returns the launches of the product of the first two inputs; that of bfloat16 matrices is float32.

    Args:
        inputs: matching arrays of one dtype: any dtype that `matmul` takes except float16; bfloat16 only where
            `uses_bfloat16_pairs`.
        transpose_a, transpose_b: whether the inputs are transposed.
        epilogue: a map over the elements of the product, or a kernel over its rows, whose units these are. If
            possible, the product's kernel calls it on rows of the product as soon as they are done.
    """
    a, b = inputs[:2]
    sizes = a.dtype, tuple(a.shape), tuple(b.shape), transpose_a, transpose_b
    return _cached_launches(*sizes) if epilogue is None else _product_launches(*sizes, epilogue)


@functools.lru_cache(maxsize=512)
def _cached_launches(
    dtype: np.dtype, a: tuple[int, ...], b: tuple[int, ...], transpose_a: bool, transpose_b: bool
) -> Launches:
    return _product_launches(dtype, a, b, transpose_a, transpose_b, None)


def _product_launches(
    dtype: np.dtype,
    a: tuple[int, ...],
    b: tuple[int, ...],
    transpose_a: bool,
    transpose_b: bool,
    epilogue: Launch | None,
) -> Launches:
    sizes = a, b, transpose_a, transpose_b
    config = config_for_dtype(dtype, *sizes, epilogue is not None)
    inside = epilogue if epilogue is not None and config is not None and _can_call_epilogue(config, epilogue) else None
    if config is None:
        found = _broadcast_launches(dtype, *sizes) or Launches((_untiled_launch(dtype, *sizes),))
    elif dtype == BFLOAT16:
        found = _pair_launches(config, inside)
    else:
        found = _float_launches(dtype, config, inside)
    if epilogue is None or epilogue is inside:
        return found
    return Launches((*found.launches, epilogue), found.scratch)


def _can_call_epilogue(config: GemmConfig, epilogue: Launch) -> bool:
    """True if the kernel can call the epilogue: a map always, a kernel over rows if units have whole rows."""
    rows = config.batches * config.m
    return epilogue.units == rows * config.n or (epilogue.units % rows == 0 and config.can_call_row_epilogue)


def _epilogue_arguments(config: GemmConfig, epilogue: Launch | None) -> tuple[int | KernelEntry | Launch, ...]:
    """Returns the last three arguments of `gemm` before the units: the epilogue, or none."""
    if epilogue is None:
        return NO_ROW_EPILOGUE
    return KernelEntry(epilogue.kernel), epilogue, epilogue.units // (config.batches * config.m)


def _float_launches(dtype: np.dtype, config: GemmConfig, epilogue: Launch | None) -> Launches:
    operands: tuple[Any, ...] = (Input(1), Input(0)) if config.swapped else (Input(0), Input(1))
    cost = MULTIPLY_ADD_NANOSECONDS * config.batches * config.m * config.n * config.k * dtype.itemsize / 4
    step: tuple[Any, Any] = NO_EPILOGUE if epilogue is None else (KernelEntry(epilogue.kernel), epilogue)
    more = _nanoseconds_of(epilogue)
    if config.uses_gemv:
        units = -(-config.n // UNIT_COLUMNS)
        numbers = config.n, config.k, *config.strides[2:4]
        return Launches((Launch(gemv[dtype], (*operands, Output(0), *numbers, *step), units, (cost + more) / units),))
    if config.chains > 1:
        size = config.m * config.n
        sums = Launch(
            gemm[dtype],
            (*operands, Scratch(0), *config.gemm_args, *NO_ROW_EPILOGUE),
            config.units,
            cost / config.units,
        )
        each = PARTIAL_SUM_NANOSECONDS * config.chains + more / size
        total = Launch(add_chains[dtype], (Scratch(0), Output(0), config.chains, size, *step), size, each)
        return Launches((sums, total), ((dtype, config.chains * size),))
    if config.turned:
        product = Launch(
            gemm[dtype],
            (*operands, Scratch(0), *config.gemm_args, *NO_ROW_EPILOGUE),
            config.units,
            cost / config.units,
        )
        panels = -(-config.m * dtype.itemsize // host_isa().panel_bytes)
        copied = TRANSPOSE_NANOSECONDS_PER_ELEMENT * config.m * config.n / panels
        back = Launch(transpose_matrix[dtype], (Scratch(0), Output(0), config.n, config.m), panels, copied)
        return Launches((product, back), ((dtype, config.m * config.n),))
    operands = *operands, Output(0), *config.gemm_args, *_epilogue_arguments(config, epilogue)
    each = (cost + more) / config.units
    launch = Launch(gemm[dtype], operands, config.units, each, config.launch_parts, together=config.units_per_panel)
    return Launches((launch,))


def _pair_launches(config: GemmConfig, epilogue: Launch | None) -> Launches:
    operands: tuple[Any, ...] = (Input(1), Input(0)) if config.swapped else (Input(0), Input(1))
    cost = PAIR_MULTIPLY_ADD_NANOSECONDS[host_isa().pairs] * config.batches * config.m * config.n * config.k
    more = _nanoseconds_of(epilogue)
    operands = *operands, Output(0), *config.gemm_pairs_args, *_epilogue_arguments(config, epilogue)
    return Launches(
        (Launch(gemm_pairs[()], operands, config.units, (cost + more) / config.units, config.launch_parts),)
    )


def _nanoseconds_of(launch: Launch | None) -> float:
    return 0.0 if launch is None else launch.units * launch.unit_cost


def _broadcast_launches(
    dtype: np.dtype, a: tuple[int, ...], b: tuple[int, ...], transpose_a: bool, transpose_b: bool
) -> Launches | None:
    """Returns launches that copy batches to a common shape where both broadcast, and then multiply by tiles."""
    m, k = a[-2:][::-1] if transpose_a else a[-2:]
    outer, n = np.broadcast_shapes(a[:-2], b[:-2]), b[-2] if transpose_b else b[-1]
    if dtype not in gemm.variables["T"] or m * n * k < LEAST_MULTIPLY_ADDS_FOR_TILES or not prod(outer):
        return None
    places: list[Operand] = [Input(0), Input(1)]
    copies = ScratchCopies()
    whole = [(*outer, *shape[-2:]) for shape in (a, b)]
    for number, (shape, wide) in enumerate(zip((a, b), whole, strict=True)):
        if prod(shape) != prod(wide):
            layout = broadcast(contiguous(prod(shape)), shape, wide)
            places[number] = copies.copy_to_scratch(Input(number), dtype, layout, prod(wide))
    if not copies.known:
        return None
    (product,) = _product_launches(dtype, whole[0], whole[1], transpose_a, transpose_b, None).launches
    operands = [places[one.number] if isinstance(one, Input) else one for one in product.operands]
    return copies.launches_after_copies(product.with_operands(tuple(operands)))


def _untiled_launch(
    dtype: np.dtype, a: tuple[int, ...], b: tuple[int, ...], transpose_a: bool, transpose_b: bool
) -> Launch:
    m, k = a[-2:][::-1] if transpose_a else a[-2:]
    n = b[-2] if transpose_b else b[-1]
    outer = np.broadcast_shapes(a[:-2], b[:-2])
    starts = []
    for shape in (a, b):
        numbers = np.arange(prod(shape[:-2])).reshape(shape[:-2]) * prod(shape[-2:])
        starts.append(np.broadcast_to(numbers, outer).reshape(-1))
    offsets = np.ascontiguousarray(np.stack(starts, -1), np.int64)
    strides = (*((1, m) if transpose_a else (k, 1)), *((1, k) if transpose_b else (n, 1)))
    kernel = complex_product[f"f{dtype.itemsize // 2}"] if dtype.kind == "c" else plain_product[dtype]
    operands = (Input(0), Input(1), Output(0), Constant(offsets), m, n, k, *strides)
    return Launch(kernel, operands, prod(outer) * m, PLAIN_MULTIPLY_ADD_NANOSECONDS * n * k)
