"""Chains of random changes of images: RandAugment and AugMix."""

from __future__ import annotations

import functools
from typing import Any

from fastgrad._src.core import dtypes, nest
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.keras.layers.bounding_boxes import dense_bounding_boxes
from fastgrad._src.keras.layers.image_arguments import DATA_FORMAT, SEED, VALUE_RANGE, Argument, factor_argument
from fastgrad._src.keras.layers.image_colors import (
    AutoContrast,
    Equalization,
    RandomColorDegeneration,
    RandomPosterization,
    RandomSharpness,
    Solarization,
)
from fastgrad._src.keras.layers.image_layer import RandomImageLayer
from fastgrad._src.keras.layers.image_preprocessing import RandomBrightness, RandomContrast
from fastgrad._src.keras.layers.image_transformation import RandomRotation, RandomShear, RandomTranslation
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.clipping import clip_by_value
from fastgrad._src.ops.comparison import equal
from fastgrad._src.ops.creation import zeros_like
from fastgrad._src.ops.joining import unstack
from fastgrad._src.ops.random_stateless import stateless_gamma
from fastgrad._src.ops.reduction import reduce_sum
from fastgrad._src.ops.selection import where

_COLORS = {
    "random_brightness": RandomBrightness,
    "random_color_degeneration": RandomColorDegeneration,
    "random_contrast": RandomContrast,
    "random_sharpness": RandomSharpness,
}


class _Augmentation(RandomImageLayer):
    """The base of layers that choose among changes of one strength."""

    all_ops = True

    def _finish_init(self) -> None:
        strength = self.factor
        options = {"dtype": self.dtype_policy, **self._config_of(("data_format", "bounding_box_format"))}
        of_draws = {**options, "seed": self.seed}
        of_places = {**of_draws, "interpolation": self.interpolation}
        of_values = {**of_draws, "value_range": self.value_range}
        bits = max(1, int(8 * strength[1]))
        self._changes: dict[str, RandomImageLayer] = {
            "random_shear": RandomShear(strength, strength, **of_places),
            "random_translation": RandomTranslation(strength, strength, **of_places),
            "random_rotation": RandomRotation(strength, **of_places),
            "random_posterization": RandomPosterization(bits, **of_values),
            "solarization": Solarization(strength, strength, **of_values),
            "auto_contrast": AutoContrast(self.value_range, **options),
            "equalization": Equalization(self.value_range, **options),
        }
        if self.all_ops:
            self._changes |= {name: layer(strength, **of_values) for name, layer in _COLORS.items()}

    def _draw_changes(self, shape: tuple[int, ...], count: int, choices: int) -> dict[str, Any]:
        """Draws ``count`` numbers below ``choices``, and a transformation of each change."""
        return {
            "layer_idxes": cast(self._uniform((count,), 0.0, float(choices)), dtypes.int32),
            "transforms": {name: layer._draw(shape) for name, layer in self._changes.items()},
        }

    def _apply_changes(self, value: Any, transformation: Any, method: str, *options: Any) -> Any:
        """Returns ``value`` after changes that were drawn, one after another, by a method of layers; some numbers stand for no change."""
        for number in unstack(transformation["layer_idxes"]):
            result = value
            for place, (name, layer) in enumerate(self._changes.items()):
                changed = getattr(layer, method)(value, transformation["transforms"][name], *options)
                result = nest.map_structure(functools.partial(where, equal(number, place)), changed, result)
            value = result
        return value


class RandAugment(
    _Augmentation,
    arguments=(
        VALUE_RANGE,
        Argument("num_ops", "int", 2),
        factor_argument(0, 1, 0.5),
        Argument("interpolation", "str", "bilinear"),
        SEED,
        DATA_FORMAT,
    ),
):
    """In training, changes images several times, each time by one of eleven random changes (Cubuk et al. 2019).

    Args:
        value_range: the least and the greatest value of images.
        num_ops: the number of changes.
        factor: the bounds of the changes' strength: a pair in [0, 1], or a number for 0 and itself.
        interpolation: ``"bilinear"`` or ``"nearest"``.
        seed: an integer, or None.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``factor`` or ``value_range``; at a call another rank.
        NotImplementedError: another ``interpolation``.
    """

    num_ops: int
    _moves_pixels = True

    def _draw(self, shape: tuple[int, ...]) -> Any:
        return self._draw_changes(shape, self.num_ops, len(self._changes))

    def _apply(self, x: Tensor, transformation: Any, interpolation: str | None) -> Tensor:
        return self._apply_changes(x, transformation, "_apply", None)

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """Moves the pixels of masks by those changes that move pixels; arguments as in ``transform_images``."""
        if not training or transformation is None:
            return segmentation_masks
        return self._apply_changes(segmentation_masks, transformation, "transform_segmentation_masks")

    def transform_bounding_boxes(self, bounding_boxes: Any, transformation: Any = None, training: bool = True) -> Any:
        """Moves boxes by those changes that move pixels; arguments as in ``RandomRotation``."""
        if not training or transformation is None:
            return bounding_boxes
        dense = dense_bounding_boxes(bounding_boxes)
        dense["boxes"] = cast(dense["boxes"], dtypes.float32)
        return self._apply_changes(dense, transformation, "transform_bounding_boxes")


class AugMix(
    _Augmentation,
    arguments=(
        VALUE_RANGE,
        Argument("num_chains", "int", 3),
        Argument("chain_depth", "int", 3),
        factor_argument(0, 1, 0.3),
        Argument("alpha", "float", 1.0),
        Argument("all_ops", "bool", True),
        Argument("interpolation", "str", "bilinear"),
        SEED,
        DATA_FORMAT,
    ),
):
    """In training, mixes images with a weighted mean of several chains of random changes (Hendrycks et al. 2020).

    Args:
        value_range: the least and the greatest value of images.
        num_chains: the number of chains.
        chain_depth: the greatest number of changes in a chain.
        factor: the bounds of the changes' strength: a pair in [0, 1], or a number for 0 and itself.
        alpha: the parameter of the Dirichlet distribution of the chains' weights, and of the beta distribution of their mean's weight.
        all_ops: whether brightness, contrast, saturation and sharpness are among the changes.
        interpolation: ``"bilinear"`` or ``"nearest"``.
        seed: an integer, or None.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``factor`` or ``value_range``; at a call another rank.
        NotImplementedError: another ``interpolation``.
    """

    num_chains: int
    chain_depth: int
    alpha: float

    def _draw(self, shape: tuple[int, ...]) -> Any:
        gammas = stateless_gamma([self.num_chains + 2], self._seed_of_draw(), float(self.alpha))
        weights, kept = gammas[2:] / reduce_sum(gammas[2:]), gammas[0] / (gammas[0] + gammas[1])  # kept: beta
        return {
            "chain_mixing_weights": cast(weights, self.compute_dtype),
            "weight_sample": cast(kept, self.compute_dtype),
            "chain_transforms": [
                [self._draw_changes(shape, 1, len(self._changes) + 1) for _ in range(self.chain_depth)]
                for _ in range(self.num_chains)
            ],
        }

    def _apply(self, x: Tensor, transformation: Any, interpolation: str | None) -> Tensor:
        low, high = self.value_range
        return clip_by_value(self._mix_chains(x, transformation, "_apply", None), low, high)

    def _mix_chains(self, x: Tensor, transformation: Any, method: str, *options: Any) -> Tensor:
        mean = zeros_like(x)
        weights = unstack(cast(transformation["chain_mixing_weights"], x.dtype))
        for weight, changes in zip(weights, transformation["chain_transforms"], strict=True):
            chain = x
            for change in changes:
                chain = self._apply_changes(chain, change, method, *options)
            mean += weight * chain
        kept = cast(transformation["weight_sample"], x.dtype)
        return kept * x + (1.0 - kept) * mean

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """Mixes masks as images, in the layer's compute dtype, without changes of colour; arguments as in ``transform_images``."""
        masks = cast(convert_to_tensor(segmentation_masks), self.compute_dtype)
        if not training or transformation is None:
            return masks
        return self._mix_chains(masks, transformation, "transform_segmentation_masks")
