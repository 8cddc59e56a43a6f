"""Chains of random changes of images: RandAugment and AugMix."""

from __future__ import annotations

from typing import Any

import fastgrad as tf
from fastgrad.core.tensor import Tensor
from fastgrad.keras.layers.image_colors import (
    AutoContrast,
    BatchImageLayer,
    Equalization,
    RandomColorDegeneration,
    RandomPosterization,
    RandomSharpness,
    Solarization,
)
from fastgrad.keras.layers.image_preprocessing import (
    RandomBrightness,
    RandomContrast,
    RandomImageLayer,
    checked_value_range,
    factor_range,
)
from fastgrad.keras.layers.image_transformation import RandomRotation, RandomShear, RandomTranslation


class _Augmentation(BatchImageLayer):
    """The base of layers that choose among changes of one strength."""

    def __init__(
        self,
        value_range: Any,
        factor: Any,
        interpolation: str,
        changes_colors: bool,
        seed: int | None,
        data_format: str | None,
        **kwargs: Any,
    ) -> None:
        self.factor, self.value_range = factor_range(factor, 0, 1), checked_value_range(value_range)
        self.interpolation = interpolation
        super().__init__(seed, data_format, **kwargs)
        strength = self.factor
        options: dict[str, Any] = {"data_format": data_format, "dtype": self.dtype_policy}
        of_draws = {**options, "seed": seed}
        of_places = {**of_draws, "interpolation": interpolation}
        of_values = {**of_draws, "value_range": value_range}
        bits = max(1, int(8 * strength[1]))
        self._changes: list[RandomImageLayer] = [
            RandomShear(strength, strength, **of_places),
            RandomTranslation(strength, strength, **of_places),
            RandomRotation(strength, **of_places),
            RandomPosterization(bits, **of_values),
            Solarization(strength, strength, **of_values),
            AutoContrast(value_range, **options),
            Equalization(value_range, **options),
        ]
        if changes_colors:
            colors = (RandomBrightness, RandomColorDegeneration, RandomContrast, RandomSharpness)
            self._changes += [layer(strength, **of_values) for layer in colors]

    def _changed_by_one(self, x: Tensor, choices: int) -> Tensor:
        """Returns ``x`` changed by one of the changes, drawn from ``choices`` numbers; by none for a number without a change."""
        number = tf.cast(self._uniform((), 0.0, float(choices)), tf.int32)
        result = x
        for place, layer in enumerate(self._changes):
            result = tf.where(number == place, layer._changed(x), result)
        return result


class RandAugment(_Augmentation):
    """In training, changes images several times, each time by one of eleven random changes (Cubuk et al. 2019).

    Args:
        value_range: the least and the greatest value of images.
        num_ops: the number of changes.
        factor: the bounds of their strength: a pair in [0, 1], or a number for 0 and itself.
        interpolation: ``"bilinear"`` or ``"nearest"``.
        seed: an integer, or None.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``factor`` or ``value_range``; at a call another rank.
        NotImplementedError: another ``interpolation``.
    """

    _config_names = ("data_format", "value_range", "num_ops", "factor", "interpolation", "seed")

    def __init__(
        self,
        value_range: Any = (0, 255),
        num_ops: int = 2,
        factor: Any = 0.5,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.num_ops = num_ops
        super().__init__(value_range, factor, interpolation, True, seed, data_format, **kwargs)

    def _changed_batch(self, x: Tensor) -> Tensor:
        for _ in range(self.num_ops):
            x = self._changed_by_one(x, len(self._changes))
        return x


class AugMix(_Augmentation):
    """In training, mixes images with a weighted mean of several chains of random changes (Hendrycks et al. 2020).

    Args:
        value_range: the least and the greatest value of images.
        num_chains: the number of chains.
        chain_depth: the greatest number of changes in a chain.
        factor: the bounds of their strength: a pair in [0, 1], or a number for 0 and itself.
        alpha: the weights of the chains are drawn from the Dirichlet distribution of alpha, that of their mean from a beta distribution.
        all_ops: whether brightness, contrast, saturation and sharpness are among the changes.
        interpolation: ``"bilinear"`` or ``"nearest"``.
        seed: an integer, or None.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``factor`` or ``value_range``; at a call another rank.
        NotImplementedError: another ``interpolation``.
    """

    _config_names = (
        "data_format",
        "value_range",
        "num_chains",
        "chain_depth",
        "factor",
        "alpha",
        "all_ops",
        "interpolation",
        "seed",
    )

    def __init__(
        self,
        value_range: Any = (0, 255),
        num_chains: int = 3,
        chain_depth: int = 3,
        factor: Any = 0.3,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.num_chains, self.chain_depth, self.alpha, self.all_ops = num_chains, chain_depth, alpha, all_ops
        super().__init__(value_range, factor, interpolation, all_ops, seed, data_format, **kwargs)

    def _changed_batch(self, x: Tensor) -> Tensor:
        gammas = tf.random.stateless_gamma([self.num_chains + 2], self._seed_of_draw(), float(self.alpha))
        chain_weights = tf.cast(gammas[2:] / tf.reduce_sum(gammas[2:]), x.dtype)
        kept = tf.cast(gammas[0] / (gammas[0] + gammas[1]), x.dtype)  # of a beta distribution
        mean = tf.zeros_like(x)
        for weight in tf.unstack(chain_weights):
            chain = x
            for _ in range(self.chain_depth):
                chain = self._changed_by_one(chain, len(self._changes) + 1)
            mean += weight * chain
        low, high = self.value_range
        return tf.clip_by_value(kept * x + (1.0 - kept) * mean, low, high)
