"""``BatchNormalization``: each channel brought to mean 0 and variance 1 over the batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad import dtypes
from fastgrad.keras import constraints, initializers, regularizers
from fastgrad.keras.layers.input_spec import InputSpec
from fastgrad.keras.layers.layer import Layer
from fastgrad.keras.saving.objects import serialize_keras_object
from fastgrad.keras.settings import epsilon
from fastgrad.keras.weight import Weight
from fastgrad.operation import HALVES
from fastgrad.ops.batch_moments import batch_moments, normalized
from fastgrad.ops.casting import cast
from fastgrad.ops.indexing import where
from fastgrad.ops.reduction import reduce_sum
from fastgrad.ops.shaping import broadcast_to, expand_dims, reshape
from fastgrad.tensor import Tensor, constant_tensor


class BatchNormalization(Layer):
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta`` for each channel (Ioffe and Szegedy, 2015).

    In training mean and population variance are those of the batch, and the moving ones follow them:
    ``moving = momentum * moving + (1 - momentum) * of the batch``. Else, and always while the layer is not ``trainable``, the
    moving ones are used.

    Args:
        axis: of the channels.
        momentum: of the moving statistics.
        epsilon: added to the variance.
        center, scale: whether there are ``beta`` and ``gamma``.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer, beta_regularizer,
            gamma_regularizer, beta_constraint, gamma_constraint: of the weights.
        renorm, renorm_clipping, renorm_momentum: kept for Keras's signature; renormalization is not there.
        synchronized: kept for Keras's signature: there is one device.
        **kwargs: as in ``Layer``.

    Inputs and outputs have one shape. Elements that a mask leaves out do not count in mean and variance. Weights: ``gamma``,
    ``beta``, ``moving_mean`` and ``moving_variance``, each as long as the axis.

    Raises:
        ValueError: ``renorm`` is True.
    """

    _leaf = True

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: Any = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if renorm:
            raise ValueError(
                "BatchNormalization: renorm=True is not supported. Leave it out, or write the correction as a layer of "
                "your own around batch normalisation."
            )
        self.axis = int(axis)
        self.momentum, self.epsilon = float(momentum), float(epsilon)
        self.center, self.scale, self.synchronized = center, scale, synchronized
        self.renorm, self.renorm_clipping, self.renorm_momentum = renorm, renorm_clipping, renorm_momentum
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.supports_masking = True
        self.gamma: Weight | None = None
        self.beta: Weight | None = None

    def build(self, input_shape: Any) -> None:
        """Makes the weights; the size of the axis must be known."""
        rank = len(input_shape)
        if not -rank <= self.axis < rank:
            raise ValueError(
                f"Axis {self.axis} is out of bounds for input shape {tuple(input_shape)}. Received: axis={self.axis}"
            )
        size = input_shape[self.axis]
        if size is None:
            raise ValueError(
                f"BatchNormalization '{self.name}': the size of axis {self.axis} must be known to build the layer, got "
                f"input_shape={tuple(input_shape)}."
            )
        for name, wanted in (("gamma", self.scale), ("beta", self.center)):
            if wanted:
                weight = self.add_weight(
                    shape=(size,),
                    initializer=getattr(self, f"{name}_initializer"),
                    regularizer=getattr(self, f"{name}_regularizer"),
                    constraint=getattr(self, f"{name}_constraint"),
                    autocast=False,
                    name=name,
                )
                setattr(self, name, weight)
        self.moving_mean, self.moving_variance = [
            self.add_weight(
                shape=(size,),
                initializer=getattr(self, f"{name}_initializer"),
                trainable=False,
                autocast=False,
                name=name,
            )
            for name in ("moving_mean", "moving_variance")
        ]
        self.input_spec = InputSpec(ndim=rank, axes={self.axis: size})

    def call(self, inputs: Tensor, training: bool | None = None, mask: Any = None) -> Tensor:
        """The normalised inputs; with ``training`` the moving statistics follow those of the batch."""
        x = cast(inputs, dtypes.float32) if inputs.dtype.numpy in HALVES else inputs
        axis = self.axis % x.ndim
        if training and self.trainable:
            mean, variance = batch_moments(x, axis) if mask is None else self._masked_moments(x, mask, axis)
            for moving, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(moving * self.momentum + cast(new, moving.dtype) * (1.0 - self.momentum))
        else:
            mean, variance = cast(self.moving_mean._read(), x.dtype), cast(self.moving_variance._read(), x.dtype)
        gamma, beta = (None if weight is None else cast(weight._read(), x.dtype) for weight in (self.gamma, self.beta))
        y = normalized(x, mean, variance, gamma, beta, self.epsilon, axis)
        return cast(y, inputs.dtype) if y.dtype is not inputs.dtype else y

    def _masked_moments(self, x: Tensor, mask: Any, axis: int) -> tuple[Tensor, Tensor]:
        """Mean and variance of the elements that the mask, of all dimensions of x but the last, has."""
        if len(mask.shape) != x.ndim - 1:
            raise ValueError(
                "The mask provided should be one dimension less than the inputs. Received: "
                f"mask.shape={tuple(mask.shape)}, inputs.shape={tuple(x.shape)}"
            )
        there = broadcast_to(expand_dims(cast(mask, dtypes.bool), -1), x.shape)
        axes = [one for one in range(x.ndim) if one != axis]
        nothing = constant_tensor(np.zeros((), x._array.dtype))
        count = reduce_sum(cast(there, x.dtype), axes, keepdims=True) + epsilon()
        mean = reduce_sum(where(there, x, nothing), axes, keepdims=True) / count
        off = where(there, x - mean, nothing)
        return reshape(mean, (-1,)), reshape(reduce_sum(off * off, axes, keepdims=True) / count, (-1,))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        plain = ["axis", "momentum", "epsilon", "center", "scale", "synchronized"]
        plain += ["renorm", "renorm_clipping", "renorm_momentum"]
        weights = [f"{name}_initializer" for name in ("beta", "gamma", "moving_mean", "moving_variance")]
        weights += [f"{name}_{kind}" for kind in ("regularizer", "constraint") for name in ("beta", "gamma")]
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in plain},
            **{name: serialize_keras_object(getattr(self, name)) for name in weights},
        }
