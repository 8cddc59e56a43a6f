"""Activation functions as layers."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.argument_checks import require
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.keras import activations, regularizers
from fastgrad._src.keras.layers.input_spec import InputSpec
from fastgrad._src.keras.layers.same_shape import SameShape
from fastgrad._src.keras.layers.weight_arguments import add_weight_of, weight_arguments, with_weight_arguments
from fastgrad._src.ops import namespace as ops


class _Elementwise(SameShape):
    """A layer without weights whose output has the shape of its input."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self._build_at_init()


class Activation(_Elementwise):
    """A layer that applies an activation function.

    Args:
        activation: a function or its name.
        **kwargs: as in ``Layer``.

    Example:
        >>> tf.keras.layers.Activation("relu")(tf.constant([-1.0, 2.0])).numpy()
        array([0., 2.], dtype=float32)
    """

    _config_names = ("activation",)

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: Any) -> Any:
        return self.activation(inputs)


class ReLU(_Elementwise):
    """``keras.activations.relu`` as a layer.

    Args:
        max_value, negative_slope, threshold: as in that function; not negative.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: an argument is negative.
    """

    _config_names = ("max_value", "negative_slope", "threshold")

    def __init__(
        self, max_value: float | None = None, negative_slope: Any = 0.0, threshold: Any = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        for name, value in (
            ("max_value", max_value or 0.0),
            ("negative_slope", negative_slope),
            ("threshold", threshold),
        ):
            require(value is not None and not value < 0.0, self, f"`{name}` must be at least 0", **{name: value})
        self.max_value, self.negative_slope, self.threshold = max_value, negative_slope, threshold

    def call(self, inputs: Any) -> Tensor:
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)


class LeakyReLU(_Elementwise):
    """``inputs`` where positive, ``negative_slope * inputs`` elsewhere.

    Args:
        negative_slope: not negative; default 0.3, unlike the activation's 0.2. ``alpha`` is an older name.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: the slope is negative.
    """

    _config_names = ("negative_slope",)

    def __init__(self, negative_slope: Any = 0.3, **kwargs: Any) -> None:
        negative_slope = kwargs.pop("alpha", negative_slope)
        super().__init__(**kwargs)
        if negative_slope is None or negative_slope < 0:
            raise ValueError(f"LeakyReLU: `negative_slope` must be a number >= 0. Received: {negative_slope=}")
        self.negative_slope = negative_slope

    def call(self, inputs: Any) -> Tensor:
        return ops.leaky_relu(inputs, self.negative_slope)


class ELU(_Elementwise):
    """``inputs`` where positive, ``alpha * (exp(inputs) - 1)`` elsewhere.

    Args:
        alpha: the factor.
        **kwargs: as in ``Layer``.
    """

    _config_names = ("alpha",)

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha

    def call(self, inputs: Any) -> Tensor:
        return activations.elu(inputs, self.alpha)


class Softmax(_Elementwise):
    """``exp(inputs) / sum(exp(inputs))`` along an axis.

    Args:
        axis: an axis, or a list of axes.
        **kwargs: as in ``Layer``.
    """

    _config_names = ("axis",)

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any, mask: Any = None) -> Tensor:
        """The softmax of ``inputs``; 0 where a boolean ``mask`` is False or a numeric ``mask`` is at most 0.5.

        Raises:
            ValueError: the mask does not broadcast to the shape of ``inputs``.
        """
        if mask is not None:
            mask = self._checked_mask(inputs, mask)
            low = -3e4 if inputs.dtype == "float16" else -1e9
            inputs = ops.where(mask, inputs, ops.zeros_like(inputs) + low)
        if isinstance(self.axis, (tuple, list)) and len(self.axis) > 1:
            y = ops.exp(inputs - ops.reduce_logsumexp(inputs, self.axis, keepdims=True))
        else:
            axis = self.axis[0] if isinstance(self.axis, (tuple, list)) else self.axis
            y = activations.softmax(inputs, axis)
        return y if mask is None else ops.where(mask, y, ops.zeros_like(y))

    def _checked_mask(self, inputs: Tensor, mask: Any) -> Tensor:
        mask = convert_to_tensor(mask)
        shape, input_shape = tuple(mask.shape), tuple(inputs.shape)
        if len(shape) > len(input_shape):
            raise ValueError(f"Softmax: `mask` has more dimensions than `inputs`: {input_shape=}, mask.{shape=}")
        if any(a not in (1, b) for a, b in zip(shape[::-1], input_shape[::-1], strict=False)):
            raise ValueError(f"Softmax: `mask` must be broadcastable to `inputs`, got {input_shape=}, mask.{shape=}")
        return mask if mask.dtype == "bool" else mask > ops.cast(0.5, mask.dtype)


class PReLU(SameShape):
    """``inputs`` where positive, ``alpha * inputs`` elsewhere, with trained ``alpha`` (He et al. 2015).

    Args:
        alpha_initializer, alpha_regularizer, alpha_constraint: of the weight.
        shared_axes: axes, counted from 1, along which ``alpha`` is the same: ``[1, 2]`` for one ``alpha`` per image channel.
        **kwargs: as in ``Layer``.

    Weight: ``alpha``, of the input's shape without the batch.
    """

    _config_names = (*weight_arguments("alpha"), "shared_axes")

    @with_weight_arguments(alpha="Zeros")
    def __init__(
        self,
        *,
        shared_axes: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        if shared_axes is not None:
            shared_axes = list(shared_axes) if isinstance(shared_axes, (list, tuple)) else [shared_axes]
        self.shared_axes = shared_axes

    def build(self, input_shape: Any) -> None:
        shared = self.shared_axes or ()
        if any(not 0 <= axis < len(input_shape) for axis in shared):
            raise IndexError(f"PReLU '{self.name}': shared_axes {shared} are out of range for {input_shape=}.")
        alpha_sizes = {axis: size for axis, size in enumerate(input_shape) if axis and axis not in shared}
        if None in alpha_sizes.values():
            raise ValueError(f"PReLU '{self.name}': name unknown sizes of {input_shape=} in `shared_axes`.")
        self.alpha = add_weight_of(self, "alpha", [alpha_sizes.get(axis, 1) for axis in range(1, len(input_shape))])
        self.input_spec = InputSpec(ndim=len(input_shape), axes=alpha_sizes if shared else {})

    def call(self, inputs: Any) -> Tensor:
        return ops.relu(inputs) - self.alpha._read() * ops.relu(-inputs)


class ActivityRegularization(_Elementwise):
    """Returns its input and adds a penalty: ``l1 * sum(|x|) + l2 * sum(x^2)``, divided by the batch size.

    Args:
        l1, l2: the factors.
        **kwargs: as in ``Layer``.
    """

    _leaf = False

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(activity_regularizer=regularizers.L1L2(l1, l2), **kwargs)
        self.l1, self.l2 = l1, l2

    def call(self, inputs: Any) -> Any:
        return inputs

    def get_config(self) -> dict[str, Any]:
        base = {name: value for name, value in super().get_config().items() if name != "activity_regularizer"}
        return {**base, "l1": self.l1, "l2": self.l2}
