"""Preprocessing of raw features: scaled and centred numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import refuse, require
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none, convert_to_tensor
from fastgrad._src.keras import settings
from fastgrad._src.keras.layers.same_shape import SameShape
from fastgrad._src.keras.saving.objects import deserialize_keras_object, serialize_keras_object
from fastgrad._src.ops import namespace as ops


class Rescaling(SameShape):
    """``inputs * scale + offset``, computed in the layer's dtype, also for integers.

    Args:
        scale, offset: numbers, or one for each channel.
        **kwargs: as in ``Layer``.

    Example:
        >>> print(tf.keras.layers.Rescaling(1 / 255)([[0, 255]]).numpy())
        [[0. 1.]]
    """

    _takes_python_values = True

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale, self.offset = scale, offset
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs: Tensor) -> Tensor:
        scale, offset = [convert_to_tensor(value, self.compute_dtype) for value in (self.scale, self.offset)]
        if scale.ndim and settings.image_data_format() == "channels_first":
            scale = ops.reshape(scale, (*scale.shape, *(1,) * (3 - scale.ndim)))
        return ops.cast(inputs, self.compute_dtype) * scale + offset

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "scale": serialize_keras_object(self.scale),
            "offset": serialize_keras_object(self.offset),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**{**config, **{name: deserialize_keras_object(config[name]) for name in ("scale", "offset")}})


class Normalization(SameShape):
    """``(inputs - mean) / sqrt(variance)``, with a given mean and variance of each feature, or those from ``adapt``.

    Args:
        axis: the feature axes: each position along them has its own mean and variance; None for one mean of all numbers.
        mean, variance: a number, or one number for each feature; give both or neither.
        invert: whether to compute the inverse, ``mean + inputs * sqrt(variance)``.
        **kwargs: as in ``Layer``.

    Weights that are not trained, unless mean and variance are given: ``mean``, ``variance``, ``count``.

    Raises:
        ValueError: only one of mean and variance is given, a shape does not fit, or an axis is missing or of unknown size.
    """

    _takes_python_values = True

    def __init__(
        self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.axis = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        if (mean is None) != (variance is None):
            raise ValueError(f"Normalization: set both `mean` and `variance`, or none. Received: {mean=}, {variance=}")
        shapes = np.shape(mean), np.shape(variance)
        if shapes[0] != shapes[1] or (mean is not None and len(shapes[0]) > len(self.axis)):
            refuse(self, f"`mean` and `variance` must have one shape, for axis {self.axis}", shapes=shapes)
        self.input_mean, self.input_variance, self.invert = mean, variance, invert
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        shape = tuple(input_shape)
        rank = len(shape)
        if any(not -rank <= axis < rank for axis in self.axis):
            raise ValueError(f"Normalization: `axis` must be in the range [-{rank}, {rank}), got axis={self.axis}")
        self._kept_axes = tuple(sorted(axis % rank for axis in self.axis))
        sizes = tuple(shape[axis] for axis in self._kept_axes)
        require(None not in sizes, self, "the sizes of `axis` must be known", axis=self.axis, shape=shape)
        self._broadcast_sizes = tuple(shape[axis] if axis in self._kept_axes else 1 for axis in range(rank))
        self._kept_sizes = sizes
        if self.input_mean is None:
            self.adapt_mean = self.add_weight(shape=sizes, initializer="zeros", trainable=False, name="mean")
            self.adapt_variance = self.add_weight(shape=sizes, initializer="ones", trainable=False, name="variance")
            self.count = self.add_weight(shape=(), initializer="zeros", dtype="int64", trainable=False, name="count")

    def _broadcast_statistic(self, statistic: Any, weight: str) -> Tensor | None:
        if not self.built:
            return None
        if statistic is None:
            value = getattr(self, weight)._read()
        else:
            value = ops.broadcast_to(convert_to_tensor(statistic, self.compute_dtype), self._kept_sizes)
        return ops.cast(ops.reshape(value, self._broadcast_sizes), self.compute_dtype)

    @property
    def mean(self) -> Tensor | None:
        """The means, of a shape that broadcasts with inputs; None before the layer is built."""
        return self._broadcast_statistic(self.input_mean, "adapt_mean")

    @property
    def variance(self) -> Tensor | None:
        """The variances, of a shape that broadcasts with inputs; None before the layer is built."""
        return self._broadcast_statistic(self.input_variance, "adapt_variance")

    def adapt(self, data: Any) -> None:
        """Sets mean and variance to the mean and variance of ``data``.

        Args:
            data: an array or tensor, a Dataset, a ``PyDataset`` or other batches. If a batch is a tuple, its first item counts.

        Raises:
            TypeError: a batch is not an array or tensor; the layer's statistics do not change.
            ValueError: there is no data, or its shape does not fit the built layer; the statistics do not change.
        """
        total, squares, count = np.zeros(()), np.zeros(()), 0
        for batch in _batches(data):
            if not self.built:
                self.build(batch.shape)
                self.built = True
            sizes = batch.shape
            if len(sizes) != len(self._broadcast_sizes) or self._kept_sizes != tuple(sizes[i] for i in self._kept_axes):
                place = f"{self._kept_sizes} along axes {self._kept_axes} of {len(self._broadcast_sizes)}"
                refuse(self, f"the layer was built for shape {place}", data_shape=sizes)
            reduced = tuple(axis for axis in range(batch.ndim) if axis not in self._kept_axes)
            mean, variance = batch.mean(reduced, np.float64), batch.var(reduced, np.float64)
            # Chan et al. 1979: merges the means and sums of squared deviations of two sets.
            batch_count = batch.size // max(mean.size, 1)
            distance, count = mean - total, count + batch_count
            squares = (
                squares + variance * batch_count + distance**2 * (batch_count * (count - batch_count) / max(count, 1))
            )
            total = total + distance * (batch_count / max(count, 1))
        if not count:
            raise ValueError(f"Normalization '{self.name}': adapt() received no data. Expected at least one batch.")
        if self.input_mean is None:
            self.adapt_mean.assign(total)
            self.adapt_variance.assign(squares / count)

    def finalize_state(self) -> None:
        """Does nothing: new values of the weights count at once. Keras's layer computes with them after this call."""

    def call(self, inputs: Tensor) -> Tensor:
        x = ops.cast(inputs, self.compute_dtype)
        mean: Any = self.mean
        deviation = ops.maximum(ops.sqrt(self.variance), settings.epsilon())
        return mean + x * deviation if self.invert else (x - mean) / deviation

    def get_config(self) -> dict[str, Any]:
        values = {"mean": np.array(self.input_mean).tolist(), "variance": np.array(self.input_variance).tolist()}
        return {**super().get_config(), "axis": self.axis, "invert": self.invert, **values}


def _batches(data: Any) -> Iterator[np.ndarray]:
    """Yields the input array of each batch in ``data``."""
    if isinstance(data, np.ndarray) or as_tensor_or_none(data) is not None:
        yield np.asarray(data)
        return
    if not isinstance(data, Iterable) and not hasattr(data, "__getitem__"):
        raise TypeError(f"`adapt` takes arrays, tensors, datasets and iterables of batches. Received: {type(data)}")
    batches: Iterable[Any] = data if isinstance(data, Iterable) else (data[position] for position in range(len(data)))
    for batch in batches:
        batch = batch[0] if isinstance(batch, tuple) else batch
        if not hasattr(batch, "shape"):
            refuse("adapt()", "a batch has no `.shape`. Give np.array(...) for a list", TypeError, got=type(batch))
        x = np.asarray(batch)
        yield x[None] if x.ndim < 2 and not isinstance(data, (list, tuple)) else x
