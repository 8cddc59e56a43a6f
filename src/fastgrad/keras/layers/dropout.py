"""``Dropout``: zeroes random elements while training."""

from __future__ import annotations

from typing import Any

from fastgrad.keras.layers.layer import Layer
from fastgrad.ops.random_generator import Generator
from fastgrad.ops.random_ops import dropout, dropout_from
from fastgrad.tensor import Tensor


class Dropout(Layer):
    """In training, zeroes each element with probability ``rate`` and scales the others by ``1 / (1 - rate)``.

    Called with ``training=False``, or without ``training``, it returns its input.

    Args:
        rate: in [0, 1].
        noise_shape: of the draws, broadcast with the input; None for its own sizes.
        seed: an integer makes the layer's draws a sequence of its own; default: they come from ``tf.random``'s generator.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: a rate outside [0, 1], a noise shape that is no shape.
    """

    _leaf = True

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= rate <= 1:
            raise ValueError(
                f"Invalid value received for argument `rate`. Expected a float value between 0 and 1. Received: rate={rate}"
            )
        if noise_shape is not None:
            sizes = None if isinstance(noise_shape, str) else tuple(noise_shape)
            if sizes is None or any(n is not None and (not isinstance(n, int) or n <= 0) for n in sizes):
                raise ValueError(
                    "Invalid value received for argument `noise_shape`. Expected a tuple or list of positive integers or None. "
                    f"Received: noise_shape={noise_shape}"
                )
            noise_shape = sizes
        self.rate, self.noise_shape, self.seed = rate, noise_shape, seed
        self._generator = None if seed is None else Generator.from_seed(seed)
        self.supports_masking = True
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = False) -> Tensor:
        """``inputs``, with random elements zeroed if ``training``."""
        if not training or not self.rate:
            return inputs
        if self._generator is None:
            return dropout(inputs, self.rate, self.noise_shape)
        return dropout_from(self._generator._drawn, inputs, self.rate, self.noise_shape)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed, "noise_shape": self.noise_shape}
