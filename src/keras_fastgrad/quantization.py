"""``tf.quantization``: the two functions that Keras's quantizers call, in operations of fastgrad."""

from __future__ import annotations

from typing import Any

import fastgrad as fg


def fake_quant_with_min_max_vars(
    inputs: Any, min: Any, max: Any, num_bits: int = 8, narrow_range: bool = False, name: str | None = None
) -> Any:
    """Rounds numbers to the 2 ** ``num_bits`` values between ``min`` and ``max``, of which one is zero.

    Args:
        inputs: float32, of any shape.
        min, max: float32 scalars, or vectors of one number for each channel, the last axis of ``inputs``.
        num_bits: from 2 to 16.
        narrow_range: whether there is one value less.
        name: kept for TensorFlow's signature.

    Returns:
        A tensor of the shape of ``inputs``. The gradient goes through values in the range; those outside go to ``min`` and ``max``.
    """
    steps = 2**num_bits - (2 if narrow_range else 1)

    @fg.custom_gradient
    def fake_quant(x: Any, low: Any, high: Any) -> Any:
        scale = (high - low) / steps
        zero = fg.clip_by_value(fg.floor(fg.math.divide_no_nan(-low, scale) + 0.5), 0.0, float(steps))
        least, most = -zero * scale, (steps - zero) * scale
        shifted = fg.clip_by_value(x, least, most) - least
        rounded = fg.floor(fg.math.divide_no_nan(shifted, scale) - zero + 0.5) * scale

        def gradient(upstream: Any) -> Any:
            def part(selected: Any, axes: list[int]) -> Any:
                return fg.reduce_sum(fg.where(selected, upstream, 0.0), axes)

            summed_axes = list(range(len(x.shape) - len(low.shape)))
            return part((x >= least) & (x <= most), []), part(x < least, summed_axes), part(x > most, summed_axes)

        return rounded, gradient

    return fake_quant(*map(fg.convert_to_tensor, (inputs, min, max)))
