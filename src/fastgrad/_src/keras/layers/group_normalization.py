"""``GroupNormalization``: normalises groups of channels of each sample to mean 0 and variance 1."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.argument_checks import require
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.axes import axis_from_front
from fastgrad._src.keras.layers.input_spec import InputSpec
from fastgrad._src.keras.layers.same_shape import SameShape
from fastgrad._src.keras.layers.weight_arguments import add_weight_of, weight_arguments, with_weight_arguments
from fastgrad._src.ops import namespace as ops


class GroupNormalization(SameShape):
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta`` over groups of channels of each sample (Wu and He 2018).

    Args:
        groups: the number of groups; -1 for one group per channel.
        axis: the channels' axis.
        epsilon: added to the variance.
        center, scale: whether there are ``beta`` and ``gamma``.
        beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: of the
            weights.
        **kwargs: as in ``Layer``.

    Weights: ``gamma`` and ``beta``, with one element per channel. 16-bit float inputs are computed in float32, as in
    ``LayerNormalization``.

    Raises:
        ValueError: ``groups`` is neither positive nor -1, or does not divide the number of channels.
    """

    _config_names = ("groups", "axis", "epsilon", "center", "scale", *weight_arguments("beta", "gamma"))

    @with_weight_arguments(beta="zeros", gamma="ones")
    def __init__(
        self,
        groups: Any = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        **kwargs: Any,
    ) -> None:
        if not isinstance(groups, int) or isinstance(groups, bool) or groups == 0 or groups < -1:
            raise ValueError(f"GroupNormalization: `groups` must be positive, or -1 (one per channel), got {groups=}")
        super().__init__(**kwargs)
        self.supports_masking = True
        self.autocast = False
        self.groups, self.axis, self.epsilon, self.center, self.scale = groups, axis, epsilon, center, scale

    def build(self, input_shape: Any) -> None:
        """Makes ``gamma`` and ``beta``; the number of channels must be known."""
        channels = input_shape[axis_from_front(f"GroupNormalization '{self.name}'", self.axis, input_shape)]
        require(channels is not None, self, f"the size of axis {self.axis} must be known", input_shape=input_shape)
        if self.groups == -1:
            self.groups = channels
        require(channels >= self.groups, self, f"`groups` is more than {channels} channels", groups=self.groups)
        require(not channels % self.groups, self, f"`groups` must divide the channels, {channels}", groups=self.groups)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: channels})
        self.gamma = add_weight_of(self, "gamma", (channels,)) if self.scale else None
        self.beta = add_weight_of(self, "beta", (channels,)) if self.center else None

    def call(self, inputs: Tensor) -> Tensor:
        x = ops.cast_narrow_to_float32(inputs)
        shape = x._array.shape
        axis, groups = self.axis % len(shape), self.groups
        other_axes = [dim for dim in range(1, len(shape)) if dim != axis]
        channels = (shape[0], *[size if dim == axis else 1 for dim, size in enumerate(shape[1:], 1)])

        def mean_of_groups(values: Tensor) -> Tensor:
            """The means of groups, for each channel."""
            means = ops.reshape(ops.reduce_mean(values, axis=other_axes), (shape[0], groups, shape[axis] // groups))
            means = ops.reduce_mean(means, axis=2, keepdims=True)
            return ops.reshape(ops.broadcast_to(means, (shape[0], groups, shape[axis] // groups)), channels)

        centred = x - mean_of_groups(x)
        # Corrects the rounding of the mean; the exact gradient of the correction is 0.
        rest = ops.stop_gradient(mean_of_groups(centred))
        scale = ops.rsqrt(mean_of_groups(ops.square(centred)) - ops.square(rest) + self.epsilon)
        sizes = channels[1:]
        if self.gamma is not None:
            scale = scale * ops.reshape(ops.cast(self.gamma._read(), x.dtype), sizes)
        offset = -rest * scale
        if self.beta is not None:
            offset = offset + ops.reshape(ops.cast(self.beta._read(), x.dtype), sizes)
        outputs = centred * scale + offset
        return outputs if outputs.dtype is self._layer_dtype else ops.cast(outputs, self._layer_dtype)
