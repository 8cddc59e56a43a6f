"""Cross-entropies and other losses as metrics: the mean over all batches."""

from __future__ import annotations

from fastgrad._src.keras.losses import cross_entropy, margins, regression
from fastgrad._src.keras.metrics.reduction import NamedMetric


class BinaryCrossentropy(
    NamedMetric,
    function=cross_entropy.binary_crossentropy,
    order=("name", "dtype", "from_logits", "label_smoothing"),
    label_smoothing=0,
):
    """The mean of ``keras.losses.binary_crossentropy`` over samples; arguments are those of the function and of ``Metric``."""


class CategoricalCrossentropy(NamedMetric, function=cross_entropy.categorical_crossentropy, label_smoothing=0):
    """The mean of ``keras.losses.categorical_crossentropy`` over samples; arguments are those of the function and of ``Metric``."""


class SparseCategoricalCrossentropy(NamedMetric, function=cross_entropy.sparse_categorical_crossentropy):
    """The mean of ``keras.losses.sparse_categorical_crossentropy`` over samples; arguments are those of the function and of ``Metric``."""


class KLDivergence(NamedMetric, function=regression.kl_divergence):
    """The mean of ``kl_divergence`` over samples; arguments are those of the function and of ``Metric``."""


class Poisson(NamedMetric, function=regression.poisson):
    """The mean of ``keras.losses.poisson`` over samples; arguments are those of the function and of ``Metric``."""


class Hinge(NamedMetric, function=margins.hinge):
    """The mean of ``keras.losses.hinge`` over samples; arguments are those of the function and of ``Metric``."""


class SquaredHinge(NamedMetric, function=margins.squared_hinge):
    """The mean of ``keras.losses.squared_hinge`` over samples; arguments are those of the function and of ``Metric``."""


class CategoricalHinge(NamedMetric, function=margins.categorical_hinge):
    """The mean of ``keras.losses.categorical_hinge`` over samples; arguments are those of the function and of ``Metric``."""
