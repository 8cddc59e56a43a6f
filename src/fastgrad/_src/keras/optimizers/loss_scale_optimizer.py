"""``LossScaleOptimizer``: scales the loss so that small half-precision gradients do not become zero."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_type
from fastgrad._src.core.indexed_slices import IndexedSlices
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.recording import hide_from_tapes, is_state_recorded
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.keras.optimizers.arguments import checked_number
from fastgrad._src.keras.optimizers.optimizer import SHARED_PARAMETERS, Optimizer
from fastgrad._src.keras.optimizers.recorded_attributes import proxy_if_recorded, select
from fastgrad._src.keras.optimizers.step import build_unrecorded, is_overwritten_by_gradient
from fastgrad._src.keras.optimizers.wrapping_optimizer import WrappingOptimizer
from fastgrad._src.keras.saving.objects import deserialize_keras_object, serialize_keras_object
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.collectives import all_reduce


class LossScaleOptimizer(WrappingOptimizer):
    """Multiplies the loss by a dynamic factor and divides the gradients by it.

    The factor doubles after ``dynamic_growth_steps`` steps with finite gradients. A step with a gradient that is not
    finite is skipped, and halves the factor.

    Args:
        inner_optimizer: the optimizer that updates the weights.
        initial_scale: the initial factor.
        dynamic_growth_steps: the number of finite steps after which the factor doubles.
        name: default: the class's name in snake case, made unique.

    Raises:
        ValueError: an option belongs to the inner optimizer, or a number is not positive.
    """

    def __init__(
        self,
        inner_optimizer: Optimizer,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        check_type(self, "an optimizer", Optimizer, inner_optimizer=inner_optimizer)
        if not kwargs.pop("dynamic", True):
            raise ValueError("LossScaleOptimizer lacks `dynamic=False`. Set `loss_scale_factor` on `inner_optimizer`.")
        for option in Optimizer._config_names:
            default = SHARED_PARAMETERS[option].default
            if kwargs.pop(option, default) != default:
                raise ValueError(f"LossScaleOptimizer does not support `{option}`. Set it on the `inner_optimizer`.")
        if kwargs:
            raise ValueError(f"LossScaleOptimizer does not support arguments: `{'`, `'.join(kwargs)}`.")
        if not checked_number(initial_scale, "LossScaleOptimizer: initial_scale", low=0.0):
            raise ValueError("LossScaleOptimizer: initial_scale must not be 0.")
        super().__init__(learning_rate=0.0, name=name)
        self.inner_optimizer = inner_optimizer
        self.initial_scale = initial_scale
        self.dynamic_growth_steps = checked_number(
            dynamic_growth_steps, "LossScaleOptimizer: dynamic_growth_steps", low=1
        )
        inner_optimizer.loss_scale_factor = None
        if self._replicas.size == 1:
            self._replicas = inner_optimizer._replicas

    def build(self, variables: Sequence[Variable]) -> None:
        self.step_counter = self.add_variable((), dtype="int64", name="step_counter")
        self.dynamic_scale = self.add_variable((), dtype="float32", name="dynamic_scale")
        self.dynamic_scale.assign(self.initial_scale)
        self.inner_optimizer.build(variables)
        super().build(variables)

    @property
    def variables(self) -> list[Any]:
        """The optimizer's own variables, then the inner optimizer's."""
        return self._variables + self.inner_optimizer.variables

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        if len(grads) == 0:
            return
        variables = self._checked_variables(grads, trainable_variables)
        if not self._is_reducing() or self.inner_optimizer.gradient_accumulation_steps:
            self._apply_if_finite(grads, variables)
            return
        # An overflow in one replica makes the sum infinite or NaN in all of them, and all skip the step.
        grads = self._summed_over_replicas(grads, variables)
        with self._without_aggregation():
            self._apply_if_finite(grads, variables)

    def _apply_if_finite(self, grads: Sequence[Any], variables: Sequence[Variable]) -> None:
        if not self.built:
            with np.errstate(all="ignore"):
                self._gradient_pairs(grads, variables)
            build_unrecorded(self, variables)
        is_recorded = is_state_recorded()
        with hide_from_tapes():
            proxy_if_recorded(self)
            scale: Any = self.dynamic_scale._read() if is_recorded else float(self.dynamic_scale)
            steps: Any = (self.step_counter._read() if is_recorded else int(self.step_counter)) + 1
            finite = [_all_finite(gradient, is_recorded) for gradient in grads if gradient is not None]
            is_finite: Any
            if is_recorded:
                is_finite = TABLE["reduce_all"](TABLE["stack"](*finite, axis=0), axes=(0,), keepdims=False)
            else:
                is_finite = all(finite)
            if self._is_reducing():  # the inner optimizer accumulates the gradients of this replica
                (is_finite,) = all_reduce([cast(is_finite, dtypes.int32)], "min")
            if not bool(is_finite):
                self.step_counter.assign(0)
                self.dynamic_scale.assign(scale * 0.5)
                return
            pairs = zip(grads, variables, strict=True)
            unscaled = [
                g if g is None or is_overwritten_by_gradient(v) else _divide_gradient(g, scale) for g, v in pairs
            ]
            self.inner_optimizer.apply(unscaled, variables)
            is_growth_step = steps == self.dynamic_growth_steps
            self.step_counter.assign(select(is_growth_step, steps - steps, steps))
            if is_recorded or is_growth_step:
                self.dynamic_scale.assign(select(is_growth_step, scale * 2.0, scale))

    def scale_loss(self, loss: Any) -> Any:
        """Returns the loss times the factor."""
        if is_state_recorded():
            proxy_if_recorded(self)  # building makes another state, so programs depend on it
            if self.built:
                loss = convert_to_tensor(loss)
                return loss * cast(self.dynamic_scale, loss.dtype)
        return loss * (float(self.dynamic_scale) if self.built else self.initial_scale)

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "inner_optimizer": serialize_keras_object(self.inner_optimizer),
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        config = dict(config)
        inner = deserialize_keras_object(config.pop("inner_optimizer"), custom_objects=custom_objects)
        return cls(inner, **config)


def _all_finite(gradient: Any, is_recorded: bool) -> Any:
    """Returns whether all elements are finite: a bool, or a scalar tensor if state is recorded."""
    values = gradient.values if isinstance(gradient, IndexedSlices) else convert_to_tensor(gradient)
    if not is_recorded:
        return bool(np.isfinite(values._on_host()).all())
    finite: Tensor = TABLE["is_finite"](values)
    axes = tuple(range(finite.ndim))
    return TABLE["reduce_all"](finite, axes=axes, keepdims=False) if axes else finite


def _divide_gradient(gradient: Any, scale: Any) -> Any:
    """Returns ``gradient / scale``; ``scale`` is a float, or a tensor if state is recorded."""
    if isinstance(gradient, IndexedSlices):
        return IndexedSlices(_divide_gradient(gradient.values, scale), gradient.indices, gradient.dense_shape)
    tensor = convert_to_tensor(gradient)
    if isinstance(scale, Tensor):
        return tensor / cast(scale, tensor.dtype)
    array = tensor._on_host()
    with np.errstate(all="ignore"):
        return Tensor(np.asarray(array / array.dtype.type(scale)))
