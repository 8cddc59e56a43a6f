"""``required_space_to_batch_paddings``."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_shapes
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.ops.arguments import tensor_of_dtype
from fastgrad._src.ops.creation import zeros, zeros_like
from fastgrad._src.ops.joining import stack


def required_space_to_batch_paddings(
    input_shape: Any, block_shape: Any, base_paddings: Any = None, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """The padding that makes each dimension a multiple of its block, for ``space_to_batch``, and the crops that undo it.

    Args:
        input_shape: int32, shape (n,): the sizes of the dimensions.
        block_shape: int32, shape (n,): the sizes of the blocks.
        base_paddings: int32, shape (n, 2): the least padding before and after each dimension; default 0.
        name: kept for TensorFlow's signature.

    Returns:
        ``(paddings, crops)``, both int32, shape (n, 2).

    Raises:
        ValueError: a shape or dtype is wrong.
        TypeError: Python numbers that are no integers.
    """
    caller, int32 = "required_space_to_batch_paddings", dtypes.int32
    sizes = tensor_of_dtype(input_shape, int32, caller, "input_shape")
    blocks = tensor_of_dtype(block_shape, int32, caller, "block_shape")
    count = blocks._array.size
    base = zeros([count, 2], int32)
    if base_paddings is not None:
        base = tensor_of_dtype(base_paddings, int32, caller, "base_paddings")
    check_shapes(caller, "block_shape (n), input_shape (n), base_paddings (n, 2)", ValueError, blocks, sizes, base)
    start, end = base[:, 0], base[:, 1]
    extra = (blocks - (sizes + start + end) % blocks) % blocks
    return stack([start, end + extra], 1), stack([zeros_like(extra), extra], 1)
