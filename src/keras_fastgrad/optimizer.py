"""Keras's optimizers update all variables of a dtype by one operation: the update rules of ``fastgrad.keras.optimizers``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

import fastgrad as fg
from fastgrad._src.keras.optimizers.adam import Adam
from fastgrad._src.keras.optimizers.adamax import Adamax
from fastgrad._src.keras.optimizers.grouped_update import assign_all
from fastgrad._src.keras.optimizers.nadam import numbers_of_nadam
from fastgrad._src.keras.optimizers.recorded_attributes import as_float64_scalar
from fastgrad._src.kernels.optimizers import optimizers as rules
from fastgrad._src.kernels.optimizers.update_rule import UpdateRule
from fastgrad._src.ops.kernel_launches import KERNEL_FLOATS
from fastgrad._src.ops.optimizer_updates import update_variables


class Update(NamedTuple):
    """How an optimizer of Keras updates its variables.

    Attributes:
        rule: the update rule.
        slots: the names of the optimizer's lists of variables, in the order of the rule's slots.
        numbers: returns the values of the rule's numbers from the optimizer, its learning rate and the step, counted from 1;
            None if they are the optimizer's attributes of the same names.
    """

    rule: UpdateRule
    slots: tuple[str, ...] = ()
    numbers: Callable[[Any, Any, Any], tuple[Any, ...]] | None = None


def _adam(optimizer: Any) -> Update:
    slots = ("_momentums", "_velocities")
    if optimizer.amsgrad:
        return Update(rules.adam_amsgrad, (*slots, "_velocity_hats"), Adam.hyperparameters)
    return Update(rules.adam, slots, Adam.hyperparameters)


def _nadam_numbers(optimizer: Any, rate: Any, step: Any) -> tuple[Any, ...]:
    u_product = as_float64_scalar(fg.convert_to_tensor(optimizer._u_product))
    return numbers_of_nadam(optimizer, u_product, rate, step)


def _ftrl_numbers(optimizer: Any, rate: Any, step: Any) -> tuple[Any, ...]:
    l2 = optimizer.l2_regularization_strength + optimizer.beta / (2.0 * rate)
    shrinkage = optimizer.l2_shrinkage_regularization_strength
    return rate, -optimizer.learning_rate_power, optimizer.l1_regularization_strength, l2, shrinkage


def _sgd(optimizer: Any) -> Update:
    if not optimizer.momentum:
        return Update(rules.sgd)
    return Update(rules.nesterov if optimizer.nesterov else rules.momentum, ("momentums",))


def _rmsprop(optimizer: Any) -> Update:
    has_momentum, is_centered = bool(optimizer.momentum), bool(optimizer.centered)
    rule = {
        (False, False): rules.rmsprop,
        (True, False): rules.rmsprop_momentum,
        (False, True): rules.rmsprop_centered,
        (True, True): rules.rmsprop_centered_momentum,
    }[has_momentum, is_centered]
    slots = ("_velocities", *["_momentums"] * has_momentum, *["_average_gradients"] * is_centered)
    return Update(rule, slots)


_UPDATES: dict[str, Callable[[Any], Update]] = {
    "Adadelta": lambda optimizer: Update(rules.adadelta, ("_accumulated_grads", "_accumulated_delta_vars")),
    "Adagrad": lambda optimizer: Update(rules.adagrad, ("_accumulators",)),
    "Adam": _adam,
    "AdamW": _adam,
    "Adamax": lambda optimizer: Update(rules.adamax, ("_m", "_u"), Adamax.hyperparameters),
    "Ftrl": lambda optimizer: Update(rules.ftrl, ("_accumulators", "_linears"), _ftrl_numbers),
    "Lion": lambda optimizer: Update(rules.lion, ("_momentums",)),
    "Nadam": lambda optimizer: Update(rules.nadam, ("_momentums", "_velocities"), _nadam_numbers),
    "RMSprop": _rmsprop,
    "SGD": _sgd,
}
"""The updates of Keras's optimizers, by the class that defines ``update_step``; the others run Keras's own code."""

_METHODS = ("update_step", "assign", "assign_add", "assign_sub")


def override_optimizer(module: ModuleType) -> None:
    """Replaces the update of variables one by one."""
    kind, keras_update = module.TFOptimizer, module.TFOptimizer._backend_update_step
    updates: dict[type, Callable[[Any], Update] | None] = {}

    def update_of(optimizer: Any) -> Update | None:
        """Returns the update of an optimizer; None if a subclass of a user overrides its steps."""
        optimizer_class = type(optimizer)
        if optimizer_class not in updates:
            owners = {name: _owner_of(optimizer_class, name) for name in _METHODS}
            is_keras = owners["update_step"].__module__.startswith("keras.src.optimizers.")
            is_keras = is_keras and all(owners[name] is kind for name in _METHODS[1:])
            updates[optimizer_class] = _UPDATES.get(owners["update_step"].__name__) if is_keras else None
        make = updates[optimizer_class]
        return None if make is None else make(optimizer)

    def update_step(self: Any, grads: Sequence[Any], trainable_variables: Sequence[Any], learning_rate: Any) -> None:
        update = update_of(self)
        groups: dict[Any, list[tuple[Any, Any]]] = {}
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            groups.setdefault(_dtype_of_update(update, gradient, _native(variable)), []).append((gradient, variable))
        for gradient, variable in groups.pop(None, ()):
            keras_update(self, [gradient], [variable], learning_rate)
        if not groups:
            return
        assert update is not None
        rate = as_float64_scalar(getattr(learning_rate, "_value", learning_rate))
        step = as_float64_scalar(fg.convert_to_tensor(self.iterations)) + 1.0
        numbers = (update.numbers or update.rule.hyper_values_function)(self, rate, step)
        if update.rule.decays:
            numbers = (*numbers, 0.0)  # Keras has decayed the weights before
        numbers = tuple([as_float64_scalar(number) for number in numbers])
        for group in groups.values():
            variables = [_native(variable) for _, variable in group]
            positions = [self._get_variable_index(variable) for _, variable in group]
            slots = [getattr(self, name)[position]._value for name in update.slots for position in positions]
            state = [*variables, *slots]
            values = [variable._read() for variable in state]
            gradients = [gradient for gradient, _ in group]
            results = update_variables(*values, *gradients, *numbers, rule=update.rule.key, count=len(group))
            assign_all(state, results if isinstance(results, (tuple, list)) else [results])

    kind._backend_update_step = update_step


def _owner_of(kind: type, name: str) -> type:
    """Returns the class that defines a method."""
    return next(base for base in kind.__mro__ if name in vars(base))


def _native(variable: Any) -> Any:
    """Returns fastgrad's variable of a variable of Keras."""
    return getattr(variable, "_value", variable)


def _dtype_of_update(update: Update | None, gradient: Any, variable: Any) -> np.dtype | None:
    """Returns the dtype by which a variable is grouped; None if Keras updates it."""
    if update is None or type(gradient) is not fg.Tensor:
        return None
    dtype: np.dtype = variable._array.dtype
    return dtype if dtype in KERNEL_FLOATS and gradient._array.dtype == dtype else None
