"""Cross-entropies and other losses as metrics: the mean over all batches."""

from __future__ import annotations

from typing import Any

from fastgrad.keras.losses import cross_entropy, margins, regression
from fastgrad.keras.metrics.reduction import NamedMetric


class BinaryCrossentropy(NamedMetric):
    """The mean of ``keras.losses.binary_crossentropy``; arguments of the loss and of ``Metric``, also below."""

    _options = ("from_logits", "label_smoothing")

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ) -> None:
        super().__init__(cross_entropy.binary_crossentropy, locals())


class CategoricalCrossentropy(NamedMetric):
    """The mean of ``keras.losses.categorical_crossentropy``."""

    _options = ("from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ) -> None:
        super().__init__(cross_entropy.categorical_crossentropy, locals())


class SparseCategoricalCrossentropy(NamedMetric):
    """The mean of ``keras.losses.sparse_categorical_crossentropy``."""

    _options = ("from_logits", "ignore_class", "axis")

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(cross_entropy.sparse_categorical_crossentropy, locals())


class KLDivergence(NamedMetric):
    """The mean of ``kl_divergence``."""

    def __init__(self, name: str | None = "kl_divergence", dtype: Any = None) -> None:
        super().__init__(regression.kl_divergence, locals())


class Poisson(NamedMetric):
    """The mean of ``keras.losses.poisson``."""

    def __init__(self, name: str | None = "poisson", dtype: Any = None) -> None:
        super().__init__(regression.poisson, locals())


class Hinge(NamedMetric):
    """The mean of ``keras.losses.hinge``."""

    def __init__(self, name: str | None = "hinge", dtype: Any = None) -> None:
        super().__init__(margins.hinge, locals())


class SquaredHinge(NamedMetric):
    """The mean of ``keras.losses.squared_hinge``."""

    def __init__(self, name: str | None = "squared_hinge", dtype: Any = None) -> None:
        super().__init__(margins.squared_hinge, locals())


class CategoricalHinge(NamedMetric):
    """The mean of ``keras.losses.categorical_hinge``."""

    def __init__(self, name: str | None = "categorical_hinge", dtype: Any = None) -> None:
        super().__init__(margins.categorical_hinge, locals())
