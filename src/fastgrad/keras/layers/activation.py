"""Activation functions as layers."""

from __future__ import annotations

from typing import Any

import fastgrad as tf
from fastgrad.keras import activations
from fastgrad.keras.layers.layer import Layer
from fastgrad.tensor import Tensor


class _Elementwise(Layer):
    """A layer without weights whose output has the shape of its input."""

    _leaf = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.built = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input."""
        return tuple(input_shape)


class Activation(_Elementwise):
    """Applies an activation function.

    Args:
        activation: a function or its name.
        **kwargs: as in ``Layer``.
    """

    _leaf = True

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: Any) -> Any:
        """``activation(inputs)``."""
        return self.activation(inputs)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


class ReLU(_Elementwise):
    """``keras.activations.relu`` as a layer.

    Args:
        max_value, negative_slope, threshold: as there; not negative.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: one is negative.
    """

    _leaf = True

    def __init__(
        self, max_value: float | None = None, negative_slope: Any = 0.0, threshold: Any = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        for name, value in (
            ("max_value", max_value or 0.0),
            ("negative_slope", negative_slope),
            ("threshold", threshold),
        ):
            if value is None or value < 0.0:
                raise ValueError(f"{name} of a ReLU layer cannot be None or a negative value. Received: {name}={value}")
        self.max_value, self.negative_slope, self.threshold = max_value, negative_slope, threshold

    def call(self, inputs: Any) -> Tensor:
        """The activation of ``inputs``."""
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        names = ("max_value", "negative_slope", "threshold")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


class LeakyReLU(_Elementwise):
    """``inputs`` where positive, ``negative_slope * inputs`` elsewhere.

    Args:
        negative_slope: not negative; 0.3, unlike the activation's 0.2. ``alpha`` is its older name.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: the slope is negative.
    """

    _leaf = True

    def __init__(self, negative_slope: Any = 0.3, **kwargs: Any) -> None:
        negative_slope = kwargs.pop("alpha", negative_slope)
        super().__init__(**kwargs)
        if negative_slope is None or negative_slope < 0:
            raise ValueError(
                "The negative_slope value of a Leaky ReLU layer cannot be None or negative value. "
                f"Expected a float. Received: negative_slope={negative_slope}"
            )
        self.negative_slope = negative_slope

    def call(self, inputs: Any) -> Tensor:
        """The activation of ``inputs``."""
        return tf.nn.leaky_relu(inputs, self.negative_slope)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "negative_slope": self.negative_slope}


class ELU(_Elementwise):
    """``inputs`` where positive, ``alpha * (exp(inputs) - 1)`` elsewhere.

    Args:
        alpha: the factor.
        **kwargs: as in ``Layer``.
    """

    _leaf = True

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha

    def call(self, inputs: Any) -> Tensor:
        """The activation of ``inputs``."""
        return activations.elu(inputs, self.alpha)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "alpha": self.alpha}


class Softmax(_Elementwise):
    """``exp(inputs) / sum(exp(inputs))`` along an axis.

    Args:
        axis: the axis, or several.
        **kwargs: as in ``Layer``.
    """

    _leaf = True

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any, mask: Any = None) -> Tensor:
        """The softmax of ``inputs``; 0 where ``mask`` (boolean, broadcast) is False."""
        if mask is not None:
            mask = tf.cast(mask, "bool")
            low = -3e4 if inputs.dtype == "float16" else -1e9
            inputs = tf.where(mask, inputs, tf.zeros_like(inputs) + low)
        if isinstance(self.axis, (tuple, list)) and len(self.axis) > 1:
            y = tf.exp(inputs - tf.reduce_logsumexp(inputs, self.axis, keepdims=True))
        else:
            axis = self.axis[0] if isinstance(self.axis, (tuple, list)) else self.axis
            y = activations.softmax(inputs, axis)
        return y if mask is None else tf.where(mask, y, tf.zeros_like(y))

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "axis": self.axis}
