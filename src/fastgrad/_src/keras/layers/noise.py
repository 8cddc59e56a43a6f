"""Random noise in training: Gaussian noise, and dropout that keeps mean and variance."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_interval
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.layers.same_shape import SameShape
from fastgrad._src.keras.layers.seeds import generator_of_seed
from fastgrad._src.kernels.elementwise.activation import SELU_SCALED_ALPHA
from fastgrad._src.ops import namespace as ops
from fastgrad._src.ops import random_draws


class _Noise(SameShape):
    """The base of layers that add noise in training and return their input otherwise; the amount is in [0, 1]."""

    _argument = "rate"

    def __init__(self, amount: float, seed: int | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_interval(self, "[0, 1]", **{self._argument: amount})
        setattr(self, self._argument, amount)
        self.seed = seed
        self._generator = generator_of_seed(seed)
        self.supports_masking = True
        self._build_at_init()

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), self._argument: self._amount, "seed": self.seed}

    @property
    def _amount(self) -> float:
        return getattr(self, self._argument)

    def call(self, inputs: Tensor, training: bool | None = False) -> Tensor:
        if not training or not self._amount:
            return inputs
        return self._add_noise(
            inputs, ops.default_philox_words(None) if self._generator is None else self._generator._draw_words
        )

    def _add_noise(self, inputs: Tensor, draw_words: Any) -> Tensor:
        raise NotImplementedError


class GaussianNoise(_Noise):
    """In training, adds normal noise of mean 0.

    Args:
        stddev: the standard deviation of the noise, in [0, 1].
        seed: as in ``Dropout``.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: ``stddev`` is outside [0, 1].
    """

    _argument = "stddev"

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(stddev, seed, **kwargs)

    def _add_noise(self, inputs: Tensor, draw_words: Any) -> Tensor:
        shape = inputs._array.shape
        return inputs + ops.normal_from(
            draw_words, random_draws.normal, "GaussianNoise", shape, 0.0, self._amount, inputs.dtype
        )


class AlphaDropout(_Noise):
    """Dropout for selu: in training, sets elements to selu's limit at -infinity, and keeps mean and variance.

    (Klambauer et al. 2017, "Self-Normalizing Neural Networks".)

    Args:
        rate: the fraction of elements, in [0, 1].
        noise_shape: the shape of the draws, which broadcasts with the input; None for the input's sizes.
        seed: as in ``Dropout``.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: ``rate`` is outside [0, 1].
    """

    _config_names = ("noise_shape",)

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, seed, **kwargs)
        self.noise_shape = noise_shape

    def _add_noise(self, inputs: Tensor, draw_words: Any) -> Tensor:
        sizes = inputs._array.shape if self.noise_shape is None else ops.noise_sizes(inputs, self.noise_shape)
        keep_mask = ops.cast(
            ops.uniform_from(draw_words, "AlphaDropout", sizes, 0.0, 1.0, dtypes.float32) >= self._amount, inputs.dtype
        )
        low, rate = -SELU_SCALED_ALPHA, self._amount
        scale = ((1 - rate) * (1 + rate * low**2)) ** -0.5
        return scale * (inputs * keep_mask + low * (1 - keep_mask)) - scale * low * rate
