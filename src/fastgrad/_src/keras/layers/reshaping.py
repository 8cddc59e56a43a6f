"""Layers that move elements and compute nothing."""

from __future__ import annotations

import math
from typing import Any

from fastgrad._src.core.argument_checks import require
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.layers.input_spec import InputSpec
from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.settings import standardize_data_format
from fastgrad._src.ops.shaping import broadcast_to, expand_dims, transpose


class Identity(Layer):
    """A layer that returns its input unchanged."""

    _leaf = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs: Any) -> Any:
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class Flatten(Layer):
    """Joins all dimensions but the first: (batch, a, b) becomes (batch, a * b).

    Args:
        data_format: ``"channels_first"`` moves the channels to the end first; default ``image_data_format()``.
        **kwargs: as in ``Layer``.

    Example:
        >>> tf.keras.layers.Flatten()(tf.zeros((2, 3, 4))).shape
        TensorShape([2, 12])
    """

    _leaf = True
    _config_names = ("data_format",)

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(min_ndim=1)
        self._build_at_init()

    def call(self, inputs: Tensor) -> Tensor:
        if self.data_format == "channels_first" and inputs.ndim > 2:
            inputs = transpose(inputs, [0, *range(2, inputs.ndim), 1])
        shape = inputs._array.shape
        return TABLE["reshape"](inputs, shape=(shape[0], math.prod(shape[1:])))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        feature_sizes = input_shape[1:]
        return (input_shape[0], None if None in feature_sizes else math.prod(feature_sizes))


class Reshape(Layer):
    """Reshapes all dimensions but the first.

    Args:
        target_shape: without the batch; one size may be -1.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: ``target_shape`` has two -1, or another negative size.
        TypeError: ``target_shape`` is a string.

    Example:
        >>> tf.keras.layers.Reshape((2, 3))(tf.zeros((5, 6))).shape
        TensorShape([5, 2, 3])
    """

    _leaf = True
    _config_names = ("target_shape",)

    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(target_shape, str):
            raise TypeError(f"Reshape: `target_shape` must be a tuple of integers, got {target_shape!r}.")
        self.target_shape = tuple(target_shape)
        if self.target_shape.count(-1) > 1 or any(size < -1 for size in self.target_shape):
            raise ValueError(f"Reshape: `target_shape` must have no negative size but one -1, got {target_shape=}.")
        self._build_at_init()

    def call(self, inputs: Tensor) -> Tensor:
        """Reshapes ``inputs`` to ``(batch, *target_shape)``; ValueError if the number of elements does not fit."""
        shape = inputs._array.shape
        return TABLE["reshape"](inputs, shape=(shape[0], *self._resolved_sizes(shape[1:])))

    def _resolved_sizes(self, sizes: tuple[Any, ...]) -> tuple[Any, ...]:
        if None in sizes:
            return tuple(None if size == -1 else size for size in self.target_shape)
        count, known_count = math.prod(sizes), math.prod(size for size in self.target_shape if size != -1)
        fits = known_count and count % known_count == 0 if -1 in self.target_shape else count == known_count
        if not fits:
            raise ValueError(f"Reshape must keep the total size, got input_shape={sizes}, {self.target_shape=}")
        return tuple(count // known_count if size == -1 else size for size in self.target_shape)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (input_shape[0], *self._resolved_sizes(tuple(input_shape[1:])))


class Permute(Layer):
    """Transposes all dimensions but the first.

    Args:
        dims: the order, counted from 1: ``(2, 1)`` swaps the two dimensions after the batch.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: ``dims`` is not a permutation of 1, 2 ...
    """

    _leaf = True
    _config_names = ("dims",)

    def __init__(self, dims: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(f"Permute: `dims` must be consecutive and start from 1, in any order. Received: {dims=}")
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)
        self._build_at_init()

    def call(self, inputs: Tensor) -> Tensor:
        return transpose(inputs, (0, *self.dims))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (input_shape[0], *[input_shape[dim] for dim in self.dims])


class RepeatVector(Layer):
    """Repeats each row ``n`` times: (batch, features) becomes (batch, n, features).

    Args:
        n: a positive integer.
        **kwargs: as in ``Layer``.

    Raises:
        TypeError, ValueError: ``n`` is not an integer, or is not positive.
    """

    _leaf = True
    _config_names = ("n",)

    def __init__(self, n: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(n, int) or isinstance(n, bool):
            raise TypeError(f"Expected an integer value for `n`, got {type(n)}.")
        require(n > 0, self, "`n` must be a positive integer", n=n)
        self.n = n
        self.input_spec = InputSpec(ndim=2)
        self._build_at_init()

    def call(self, inputs: Tensor) -> Tensor:
        rows, features = inputs._array.shape
        return broadcast_to(expand_dims(inputs, 1), (rows, self.n, features))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (input_shape[0], self.n, input_shape[1])
