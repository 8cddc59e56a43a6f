"""Operations on the bits of integers; the namespace ``tf.bitwise``."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core.lowering import Elementwise
from fastgrad._src.core.operation import INTEGER_DTYPES, Binary, Form, elementwise

bitwise_and = elementwise(
    "bitwise_and",
    "The bits set in both, element by element, broadcast; integers of one dtype.",
    run=np.bitwise_and,
    term=lambda x, y: x & y,
    dtypes=INTEGER_DTYPES,
    simplifications=lambda rules: (rules.merge_equal_inputs,),
)
bitwise_or = elementwise(
    "bitwise_or",
    "The bits set in one or both, element by element, broadcast; integers of one dtype.",
    run=np.bitwise_or,
    term=lambda x, y: x | y,
    dtypes=INTEGER_DTYPES,
    simplifications=lambda rules: (rules.drop_neutral_operand(0, INTEGER_DTYPES, 0, 1), rules.merge_equal_inputs),
)
bitwise_xor = elementwise(
    "bitwise_xor",
    "The bits set in exactly one, element by element, broadcast; integers of one dtype.",
    run=np.bitwise_xor,
    term=lambda x, y: x ^ y,
    dtypes=INTEGER_DTYPES,
    simplifications=lambda rules: (rules.drop_neutral_operand(0, INTEGER_DTYPES, 0, 1),),
)
invert = elementwise(
    "invert",
    "All bits flipped, element by element; integers.",
    run=np.invert,
    term=lambda x: ~x,
    dtypes=INTEGER_DTYPES,
    simplifications=lambda rules: (rules.cancel_involution,),
)


def _clipped_shift_counts(y: np.ndarray) -> np.ndarray:
    """Clips shift counts to 0 and the width of the dtype minus 1, as in TensorFlow."""
    return np.clip(y, 0, 8 * y.dtype.itemsize - 1)


def _shift_code(scalars: Any, operator: str, x: str, y: str) -> str:
    number = scalars.number_dtype
    largest_count = 8 * number.itemsize - 1
    count = f"({y} if {y} < {largest_count} else {number.name}({largest_count}))"
    count = count if number.kind == "u" else f"({count} if {y} > 0 else {number.name}(0))"
    return str(scalars.rounded_to_dtype(f"{x} {operator} {count}"))


left_shift = Binary(
    "left_shift",
    lambda x, y: np.left_shift(x, _clipped_shift_counts(y)),
    form=Form.ELEMENTWISE,
    elementwise=Elementwise(kernel_code=lambda scalars, x, y: _shift_code(scalars, "<<", x, y)),
    dtypes=INTEGER_DTYPES,
    doc="""``x`` with its bits moved up by ``y``, element by element, broadcast; integers of one dtype.

    Args:
        x: what to shift.
        y: by how many bits, taken to be between 0 and the width of the dtype less one.
    """,
    simplifications=lambda rules: (rules.drop_neutral_operand(0, INTEGER_DTYPES, 1),),
)
right_shift = Binary(
    "right_shift",
    lambda x, y: np.right_shift(x, _clipped_shift_counts(y)),
    form=Form.ELEMENTWISE,
    elementwise=Elementwise(kernel_code=lambda scalars, x, y: _shift_code(scalars, ">>", x, y)),
    dtypes=INTEGER_DTYPES,
    doc="""``x`` with its bits moved down by ``y``, element by element, broadcast; signed numbers keep their sign.

    Args:
        x: what to shift.
        y: by how many bits, taken to be between 0 and the width of the dtype less one.
    """,
    simplifications=lambda rules: (rules.drop_neutral_operand(0, INTEGER_DTYPES, 1),),
)
