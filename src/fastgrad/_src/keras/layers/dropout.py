"""``Dropout`` and ``SpatialDropout1D`` to ``3D``, which zero random elements or channels in training."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import check_interval, check_type
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.layers.input_spec import InputSpec
from fastgrad._src.keras.layers.same_shape import SameShape
from fastgrad._src.keras.layers.seeds import generator_of_seed
from fastgrad._src.keras.layers.spatial_layer import SpatialLayer
from fastgrad._src.keras.layers.window_arguments import joined_shape
from fastgrad._src.keras.settings import standardize_data_format
from fastgrad._src.ops.default_generators import default_philox_words
from fastgrad._src.ops.random_ops import dropout, dropout_from


class Dropout(SameShape):
    """In training, zeroes each element with probability ``rate`` and scales the others by ``1 / (1 - rate)``.

    Called with ``training=False``, or without ``training``, it returns its input.

    Args:
        rate: the probability, in [0, 1].
        noise_shape: the shape of the draws, which broadcasts with the input; None for the input's sizes.
        seed: an integer gives the layer its own random sequence; default: ``tf.random``'s generator. The replicas of a
            strategy draw different numbers even with a seed.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: ``rate`` is outside [0, 1], or ``noise_shape`` is not a shape.

    Example:
        >>> layer = tf.keras.layers.Dropout(0.5)
        >>> layer(tf.ones((1, 3)), training=False).numpy()
        array([[1., 1., 1.]], dtype=float32)
    """

    _config_names: tuple[str, ...] = ("rate", "seed", "noise_shape")

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_type(self, "a number between 0 and 1", (int, float, np.number), rate=rate)
        check_interval(self, "[0, 1]", rate=rate)
        if noise_shape is not None:
            sizes = tuple(noise_shape) if isinstance(noise_shape, (list, tuple, TensorShape)) else None
            if sizes is None or any(n is not None and (not isinstance(n, int) or n <= 0) for n in sizes):
                raise ValueError(f"`noise_shape` must be a tuple of positive integers or None, got {noise_shape=}")
            noise_shape = sizes
        self.rate, self.noise_shape, self.seed = rate, noise_shape, seed
        self._generator = generator_of_seed(seed)
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs: Tensor, training: bool | None = False) -> Tensor:
        if not training or not self.rate:
            return inputs
        if self._generator is None:
            return dropout(inputs, self.rate, self.noise_shape)
        return dropout_from(self._generator._draw_words, inputs, self.rate, self.noise_shape)


class _SpatialDropout(SpatialLayer, Dropout):
    """Dropout of whole channels: keeps or zeroes all positions of a channel together."""

    data_format = "channels_last"

    def __init__(self, rate: float, seed: int | None = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(rate, seed=seed, name=name, dtype=dtype)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Tensor, training: bool | None = False) -> Tensor:
        if not training or not self.rate:
            return inputs
        drawn = default_philox_words(None) if self._generator is None else self._generator._draw_words
        return dropout_from(drawn, inputs, self.rate, joined_shape(None, (1,) * self.rank, None, self.data_format))

    def get_config(self) -> dict[str, Any]:
        return self._config_of(("rate", "seed", "name", "dtype"))


class SpatialDropout1D(_SpatialDropout, rank=1):
    """In training, zeroes whole channels of (batch, steps, channels) (Tompson et al. 2015).

    Args:
        rate, seed: as in ``Dropout``.
        name, dtype: as in ``Layer``.
    """


class SpatialDropout2D(_SpatialDropout, rank=2):
    """In training, zeroes whole channels of images, (batch, height, width, channels).

    Args:
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        rate, seed, name, dtype: as in ``SpatialDropout1D``.
    """

    _config_names = ("data_format",)

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(rate, seed, name, dtype)
        self.data_format = standardize_data_format(data_format)
