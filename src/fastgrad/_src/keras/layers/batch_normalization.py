"""``BatchNormalization``: normalises each channel to mean 0 and variance 1 over the batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_type, require
from fastgrad._src.core.composite import Composite
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad._src.keras import initializers
from fastgrad._src.keras.layers.input_spec import InputSpec
from fastgrad._src.keras.layers.ragged_rows import map_vectors
from fastgrad._src.keras.layers.same_shape import SameShape
from fastgrad._src.keras.layers.weight_arguments import add_weight_of, with_weight_arguments
from fastgrad._src.keras.settings import epsilon
from fastgrad._src.keras.weight import Weight
from fastgrad._src.ops import namespace as ops


def _checked_float(argument: str, number: Any) -> float:
    """Converts ``number`` to a float; ValueError if that fails."""
    try:
        return float(number)
    except (TypeError, ValueError):
        raise ValueError(f"BatchNormalization: `{argument}` must be a number, got {number!r}.") from None


class BatchNormalization(SameShape):
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta`` for each channel (Ioffe and Szegedy, 2015).

    In training, mean and population variance are those of the batch, and update the moving statistics:
    ``moving = momentum * moving + (1 - momentum) * batch``. Otherwise, and always if the layer is not ``trainable``, the
    layer uses the moving statistics.

    Args:
        axis: the channels' axis.
        momentum: the momentum of the moving statistics.
        epsilon: added to the variance.
        center, scale: whether there are ``beta`` and ``gamma``.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer, beta_regularizer,
            gamma_regularizer, beta_constraint, gamma_constraint: of the weights.
        renorm: whether training corrects the batch's moments towards moving moments (Ioffe 2017); the moving variance then
            comes from the moving standard deviation.
        renorm_clipping: a dict with bounds of the corrections: ``rmin`` and ``rmax`` of the ratio of the standard deviations,
            ``dmax`` of the shift.
        renorm_momentum: the momentum of ``renorm_mean`` and ``renorm_stddev``, which the corrections use.
        synchronized: whether mean and variance are those of the rows of all replicas of a strategy. Otherwise each replica
            uses its own rows, and moving statistics are averaged over the replicas when they are read or saved.
        **kwargs: as in ``Layer``.

    Outputs have the shape of the inputs. Masked elements do not count in mean and variance. Weights: ``gamma``,
    ``beta``, ``moving_mean`` and ``moving_variance``, with ``renorm`` also ``moving_stddev``, ``renorm_mean`` and
    ``renorm_stddev``, each of the size of the axis.

    Raises:
        ValueError: ``renorm_clipping`` has other keys, ``rmax`` is below ``rmin``, or ``dmax`` is negative.

    Example:
        >>> layer = tf.keras.layers.BatchNormalization()
        >>> y = layer(tf.constant([[1.0], [3.0]]), training=True)
        >>> print(np.round(y.numpy(), 2))
        [[-1.]
         [ 1.]]
    """

    _config_names = (
        *("axis", "momentum", "epsilon", "center", "scale", "synchronized"),
        *("renorm", "renorm_clipping", "renorm_momentum"),
        *("beta_initializer", "gamma_initializer", "moving_mean_initializer", "moving_variance_initializer"),
        *("beta_regularizer", "gamma_regularizer", "beta_constraint", "gamma_constraint"),
    )

    @with_weight_arguments(
        beta="zeros", gamma="ones", other_initializers=("moving_mean_initializer", "moving_variance_initializer")
    )
    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        *,
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        renorm: bool = False,
        renorm_clipping: Any = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if renorm:
            renorm_clipping = dict(renorm_clipping or {})
            _check_clipping(renorm_clipping)
        check_type(self, "an integer", (int, float, np.number), ValueError, axis=axis)
        self.axis = int(axis)
        self.momentum = _checked_float("momentum", momentum)
        self.epsilon = _checked_float("epsilon", epsilon)
        self.center, self.scale, self.synchronized = center, scale, synchronized
        self.renorm, self.renorm_clipping, self.renorm_momentum = renorm, renorm_clipping, renorm_momentum
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer: Any = initializers.get(moving_variance_initializer)
        self.supports_masking = True
        self.gamma: Weight | None = None
        self.beta: Weight | None = None

    def build(self, input_shape: Any) -> None:
        """Makes the weights; the size of the axis must be known."""
        rank = len(input_shape)
        require(-rank <= self.axis < rank, self, "`axis` is out of bounds", axis=self.axis, input_shape=input_shape)
        size = input_shape[self.axis]
        require(size is not None, self, f"the size of axis {self.axis} must be known", input_shape=input_shape)
        if self.scale:
            self.gamma = add_weight_of(self, "gamma", (size,), autocast=False)
        if self.center:
            self.beta = add_weight_of(self, "beta", (size,), autocast=False)
        options: dict[str, Any] = {"shape": (size,), "trainable": False, "autocast": False}
        if self._replicas.size > 1 and not self.synchronized:
            options["aggregation"] = "mean"
        self.moving_mean = self.add_weight(initializer=self.moving_mean_initializer, name="moving_mean", **options)
        self.moving_variance = self.add_weight(
            initializer=self.moving_variance_initializer, name="moving_variance", **options
        )
        if self.renorm:
            self.moving_stddev = self.add_weight(initializer=self._initial_stddev, name="moving_stddev", **options)
            self.renorm_mean = self.add_weight(initializer=self.moving_mean_initializer, name="renorm_mean", **options)
            self.renorm_stddev = self.add_weight(initializer=self._initial_stddev, name="renorm_stddev", **options)
        self.input_spec = InputSpec(ndim=rank, axes={self.axis: size})

    def _initial_stddev(self, shape: Any, dtype: Any = None) -> Tensor:
        return ops.sqrt(self.moving_variance_initializer(shape, dtype=dtype))

    def call(self, inputs: Tensor, training: bool | None = None, mask: Any = None) -> Tensor:
        if isinstance(inputs, Composite):
            return map_vectors(lambda values: self.call(values, training), inputs, (self.axis,))
        x = ops.cast_narrow_to_float32(inputs)
        axis = self.axis % x.ndim
        gamma, beta = (
            None if weight is None else ops.cast(weight._read(), x.dtype) for weight in (self.gamma, self.beta)
        )
        is_synchronized = self.synchronized and self._replicas.size > 1
        has_rows = x._array.shape[0] > 0 or self._replicas.size == 1  # a replica may have no rows of the last batch
        if training and self.trainable and (has_rows or is_synchronized):
            mean, variance, count = self._moments(x, mask, axis)
            if is_synchronized:
                mean, variance = _moments_of_replicas(mean, variance, count)
            if self.renorm:
                gamma, beta = self._renormalized(mean, variance, gamma, beta)
            else:
                _update_moving_moment(self.moving_mean, mean, self.momentum)
                _update_moving_moment(self.moving_variance, variance, self.momentum)
        else:
            mean, variance = (
                ops.cast(self.moving_mean._read(), x.dtype),
                ops.cast(self.moving_variance._read(), x.dtype),
            )
        y = ops.normalized(x, mean, variance, gamma, beta, self.epsilon, axis)
        return y if y.dtype is self._layer_dtype else ops.cast(y, self._layer_dtype)

    def _renormalized(
        self, mean: Tensor, variance: Tensor, gamma: Tensor | None, beta: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Returns scale and offset of batch renormalization; updates the moving moments from the batch."""
        stddev = ops.sqrt(variance + self.epsilon)
        running_stddev = ops.maximum(ops.cast(self.renorm_stddev._read(), mean.dtype), self.epsilon**0.5)
        ratio, shift = stddev / running_stddev, (mean - ops.cast(self.renorm_mean._read(), mean.dtype)) / running_stddev
        clipping = self.renorm_clipping
        if clipping.get("rmin") is not None:
            ratio = ops.maximum(ratio, clipping["rmin"])
        if clipping.get("rmax") is not None:
            ratio = ops.minimum(ratio, clipping["rmax"])
        if clipping.get("dmax") is not None:
            shift = ops.clip_by_value(shift, -clipping["dmax"], clipping["dmax"])
        ratio, shift = ops.stop_gradient(ratio), ops.stop_gradient(shift)
        _update_moving_moment(self.renorm_mean, mean, self.renorm_momentum)
        _update_moving_moment(self.renorm_stddev, stddev, self.renorm_momentum)
        _update_moving_moment(self.moving_mean, mean, self.momentum)
        _update_moving_moment(self.moving_stddev, stddev, self.momentum)
        self.moving_variance.assign(ops.relu(ops.square(self.moving_stddev._read()) - self.epsilon))
        if gamma is not None:
            ratio, shift = ratio * gamma, shift * gamma
        return ratio, shift if beta is None else shift + beta

    def _moments(self, x: Tensor, mask: Any, axis: int) -> tuple[Tensor, Tensor, Tensor]:
        """Returns mean, variance, and the number of elements of each channel, a float64 scalar."""
        if mask is not None:
            return self._masked_moments(x, mask, axis)
        count = x._array.size // max(x._array.shape[axis], 1)
        if count or self._replicas.size == 1:
            mean, variance = ops.batch_moments(x, axis)
        else:
            # Sums over no rows: zeros that depend on x, so that this replica runs the gradient's collective, too.
            mean = variance = ops.reduce_sum(x, [dim for dim in range(x.ndim) if dim != axis])
        return mean, variance, constant_tensor(np.array(count, np.float64))

    def _masked_moments(self, x: Tensor, mask: Any, axis: int) -> tuple[Tensor, Tensor, Tensor]:
        """The mean, variance and number of elements of ``x`` at the True positions of ``mask``, which lacks the last axis of ``x``."""
        if len(mask.shape) != x.ndim - 1:
            raise ValueError(f"{self.name}: `mask` needs one dimension less than the inputs: {mask.shape}, {x.shape}.")
        visible = ops.broadcast_to(ops.expand_dims(ops.cast(mask, dtypes.bool), -1), x.shape)
        axes = [dim for dim in range(x.ndim) if dim != axis]
        zero = constant_tensor(np.zeros((), x._array.dtype))
        number = ops.reduce_sum(ops.cast(visible, x.dtype), axes, keepdims=True)
        count = number + epsilon()
        mean = ops.reduce_sum(ops.where(visible, x, zero), axes, keepdims=True) / count
        deviation = ops.where(visible, x - mean, zero)
        variance = ops.reshape(ops.reduce_sum(deviation * deviation, axes, keepdims=True) / count, (-1,))
        return ops.reshape(mean, (-1,)), variance, ops.reduce_max(ops.cast(number, dtypes.float64))


def _moments_of_replicas(mean: Tensor, variance: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Returns mean and variance over the elements of all replicas.

    The sums are in float64: so the mean of squares minus the square of the mean loses no digits of float32.

    Args:
        mean, variance: of this replica, vectors.
        count: the number of elements of this replica, a float64 scalar.
    """
    wide_mean = ops.cast(mean, dtypes.float64)
    squares = ops.cast(variance, dtypes.float64) + wide_mean * wide_mean
    total, total_of_squares, number = ops.all_reduce([wide_mean * count, squares * count, count])
    number = ops.maximum(number, 1.0)
    joint_mean = total / number
    joint_variance = ops.maximum(total_of_squares / number - joint_mean * joint_mean, 0.0)
    return ops.cast(joint_mean, mean.dtype), ops.cast(joint_variance, variance.dtype)


def _update_moving_moment(moving: Weight, new: Tensor, momentum: float) -> None:
    moving.assign(moving * momentum + ops.cast(new, moving._operand_dtype) * (1.0 - momentum))


def _check_clipping(clipping: dict[str, Any]) -> None:
    names = ["rmax", "rmin", "dmax"]
    if set(clipping) - set(names):
        raise ValueError(f"`renorm_clipping` has keys other than {names}. Received: renorm_clipping={clipping}.")
    rmax, rmin, dmax = (clipping.get(name) for name in names)
    if rmax is not None and rmin is not None and rmax < rmin:
        raise ValueError(f"`renorm_clipping`: rmax must be greater than rmin. Received: {rmax=}, {rmin=}.")
    if dmax is not None and dmax < 0:
        raise ValueError(f"dmax should be non-negative in the `renorm_clipping` argument. Received: dmax={dmax}.")
