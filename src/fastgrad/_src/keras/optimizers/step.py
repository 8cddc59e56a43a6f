"""An optimizer's step with all options, for eager and for recorded steps.

The step is described once. Eager steps compute with floats and arrays, recorded steps with float64 scalars and tensors.
Only a few functions in ``gradients.py`` and ``grouped_update.py`` know the difference: an eager step changes arrays in place, a
recorded step consists of operations and assignments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.placement import device_scope_of, move_to_device
from fastgrad._src.core.recording import (
    hide_from_recorders,
    hide_from_tapes,
    is_state_recorded,
    recorders,
    report_effect,
)
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.keras.optimizers.gradients import (
    Gradient,
    SummedRows,
    as_user_gradient,
    clipped_by_norm,
    clipped_by_value,
    global_clip_factor,
    read_gradient,
    scaled_gradient,
)
from fastgrad._src.keras.optimizers.grouped_update import assign_all, make_writable
from fastgrad._src.keras.optimizers.recorded_attributes import as_float64_scalar, proxy_if_recorded
from fastgrad._src.keras.optimizers.schedules.learning_rate_schedule import LearningRateSchedule
from fastgrad._src.kernels.optimizers.optimizers import decay_weights, moving_average
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.optimizer_updates import add_rows, is_half, is_last_step_of_period


def build_unrecorded(optimizer: Any, variables: Sequence[Variable]) -> None:
    """Builds an optimizer hidden from recorders, then reports its variables by ``Recorder.on_create``."""
    with hide_from_recorders(), device_scope_of(variables[0]._array):
        optimizer._build_or_undo(list(variables))
    for recorder in recorders.active:
        for variable in optimizer.variables:
            recorder.on_create(variable)


def is_overwritten_by_gradient(variable: Any) -> bool:
    """True if optimizers assign the gradient of ``variable`` to it."""
    return getattr(variable, "overwrite_with_gradient", False)


def assign_overwriting_gradients(
    optimizer: Any, grads: Sequence[Any], variables: Sequence[Variable]
) -> tuple[list[Any], list[Variable]]:
    """Assigns gradients to the variables that request it (``keras.Variable.overwrite_with_gradient``).

    With gradient accumulation, the last step assigns the greatest value of all steps.

    Returns:
        The remaining gradients and variables. If none has a gradient, the step is counted here.

    Raises:
        ValueError, InvalidArgumentError: as ``Optimizer.apply_gradients``; then nothing has changed.
    """
    with hide_from_tapes():
        with np.errstate(all="ignore"):
            optimizer._gradient_pairs(grads, variables)
        if not optimizer.built:
            build_unrecorded(optimizer, variables)
        steps = optimizer.gradient_accumulation_steps
        updates = not steps or is_period_end(convert_to_tensor(optimizer._iterations), steps)
        for gradient, variable in zip(grads, variables, strict=True):
            if gradient is None or not is_overwritten_by_gradient(variable):
                continue
            value = cast(convert_to_tensor(gradient), variable.dtype)
            if steps:
                slot = optimizer._accumulated[optimizer._positions[id(variable)]]
                value = TABLE["maximum"](value, slot._read())
                slot.assign(np.zeros(slot._array.shape, slot._array.dtype) if updates else value)
            if updates:
                if steps and optimizer._is_reducing():
                    (value,) = optimizer._summed_over_replicas([value], [variable])
                variable.assign(value)
        left = [(g, v) for g, v in zip(grads, variables, strict=True) if not is_overwritten_by_gradient(v)]
        if all(g is None for g, _ in left):
            optimizer._iterations.assign_add(1)
            left = []
    return [g for g, _ in left], [v for _, v in left]


class Step:
    """One step of an optimizer.

    Args:
        optimizer: the optimizer, already built.
        rate: the learning rate; None for the optimizer's rate, if state is recorded.

    Attributes:
        recorded: whether state is recorded, so that the step must consist of operations and assignments.
        live: the optimizer as its formulas use it (see ``proxy_if_recorded``).
        rate: the learning rate, a float or a float64 scalar.
        calls: the number of calls so far, an int or an int64 scalar.
        count: the number of updates so far, as ``calls``; less with gradient accumulation.
        number: the number of this update, counted from 1, a float or a float64 scalar.
    """

    __slots__ = ("calls", "count", "live", "number", "optimizer", "rate", "recorded")

    def __init__(self, optimizer: Any, rate: Any = None) -> None:
        self.optimizer = optimizer
        self.recorded = bool(recorders.active) and is_state_recorded()
        self.live = proxy_if_recorded(optimizer) if self.recorded else optimizer
        self.rate: Any
        self.calls: Any
        self.count: Any
        self.number: Any
        steps = optimizer.gradient_accumulation_steps
        if self.recorded:
            self.rate = as_float64_scalar(self._recorded_rate() if rate is None else rate)
            self.count = convert_to_tensor(optimizer.iterations)
            self.calls = convert_to_tensor(optimizer._iterations) if steps else self.count
            self.number = as_float64_scalar(self.count + 1)
        else:
            self.rate = float(rate)
            self.calls = int(move_to_device(optimizer._iterations._array, None))
            self.count = self.calls // steps if steps else self.calls
            self.number = self.count + 1.0

    def scalar(self, number: Any) -> Any:
        """Returns a number for formulas of this step: a float, or a float64 scalar if state is recorded."""
        return as_float64_scalar(number) if self.recorded else float(number)

    def _recorded_rate(self) -> Any:
        rate = self.optimizer._learning_rate
        if isinstance(rate, LearningRateSchedule):
            proxy_if_recorded(rate)
        if isinstance(rate, Variable) and self.optimizer._has_own_rate():
            return rate
        rate_or_variable = self.optimizer.learning_rate
        if not isinstance(rate_or_variable, (Tensor, Variable)):
            report_effect(
                "the learning rate was asked of a Python function, which gave a Python number (let it give a tensor, or assign "
                "the rate to `optimizer.learning_rate`)"
            )
        return rate_or_variable

    def run(self, variables: list[Variable], gradients: list[Gradient]) -> None:
        """Updates these variables by their gradients, as one step of the optimizer."""
        optimizer, steps = self.optimizer, self.optimizer.gradient_accumulation_steps
        # Everything that selects a branch is computed before the first write.
        updates = not steps or is_period_end(self.calls, steps)
        overwrites_weights = optimizer.use_ema and is_period_end(self.count, optimizer.ema_overwrite_frequency or 0)
        if optimizer.loss_scale_factor is not None:
            gradients = [scaled_gradient(g, 1.0 / self.live.loss_scale_factor) for g in gradients]
        if steps:
            gradients = self._accumulated(variables, gradients, updates)
        if updates:
            clipped = self._clip_gradients(variables, gradients)
            if "_apply_weight_decay" in optimizer._overrides:
                optimizer._apply_weight_decay(variables)
            optimizer._update(self, variables, *clipped)
            if steps:
                self._clear_accumulators()
        if optimizer.use_ema:
            self._update_averages()
            if overwrites_weights:
                optimizer._overwrite_by_averages(optimizer._trainable_variables)
        for variable in variables:
            if variable.constraint is not None:
                variable.assign(variable.constraint(variable))
        if self.recorded:
            optimizer._iterations.assign_add(1)
        else:
            make_writable((optimizer._iterations,))
            counter = optimizer._iterations._array
            counter[()] = counter.item() + 1

    # ---- gradients ---------------------------------------------------------------------------------------

    def _clip_gradients(self, variables: list[Variable], gradients: list[Gradient]) -> tuple[list[Gradient], Any]:
        """Returns the clipped gradients, and a factor by which the update must multiply them."""
        optimizer = self.optimizer
        if "_clip_gradients" in optimizer._overrides:
            clipped = optimizer._clip_gradients(
                [as_user_gradient(g, v) for g, v in zip(gradients, variables, strict=True)]
            )
            pairs = zip(clipped, variables, strict=True)
            return [read_gradient(g, v, type(optimizer).__name__) for g, v in pairs], 1.0
        if optimizer.global_clipnorm:
            factor = global_clip_factor(gradients, self.live.global_clipnorm)
            return ([scaled_gradient(g, factor) for g in gradients], 1.0) if self.recorded else (gradients, factor)
        if optimizer.clipnorm:
            return clipped_by_norm(gradients, self.live.clipnorm), 1.0
        if optimizer.clipvalue:
            gradients = [clipped_by_value(g, self.live.clipvalue) for g in gradients]
        return gradients, 1.0

    def _accumulated(self, variables: list[Variable], gradients: list[Gradient], updates: bool) -> list[Gradient]:
        """Adds the gradients to the accumulators, and returns their means if they are due."""
        optimizer = self.optimizer
        steps = optimizer.gradient_accumulation_steps
        slots = [optimizer._accumulated[optimizer._positions[id(v)]] for v in variables]
        reduces = optimizer._is_reducing()
        if reduces:
            # The mean of the replicas' accumulators is the sum of their gradients, for any later number of replicas.
            size = self.scalar(optimizer._reducing_group().size)
            gradients = [scaled_gradient(g, size) for g in gradients]
        if self.recorded:
            for slot, gradient in zip(slots, gradients, strict=True):
                if isinstance(gradient, Tensor):
                    slot.assign_add(gradient)
                else:
                    slot.assign(add_rows(slot._read(), *gradient))
        else:
            make_writable(slots)
            for slot, gradient in zip(slots, gradients, strict=True):
                if type(gradient) is SummedRows:
                    slot._array[gradient.ids] += gradient.sums
                else:
                    slot._array[...] += gradient
        if not updates:
            return []
        means: list[Any]
        if self.recorded:
            means = [slot._read() / steps for slot in slots]
        else:
            means = [np.divide(slot._array, steps, out=slot._array) for slot in slots]
        if not reduces:
            return means
        means = optimizer._summed_over_replicas([x if self.recorded else Tensor(x) for x in means], variables, "mean")
        return means if self.recorded else [np.array(tensor._array) for tensor in means]

    def _clear_accumulators(self) -> None:
        slots = self.optimizer._accumulated
        if self.recorded:
            for slot in slots:
                slot.assign(np.zeros(slot._array.shape, slot._array.dtype))
            return
        make_writable(slots)
        for slot in slots:
            slot._array.fill(0)

    # ---- variables -----------------------------------------------------------------------------------------

    def decay(self, variables: Sequence[Variable]) -> None:
        """Computes ``v -= v * weight_decay * rate`` for each variable, if there is a decay."""
        if not variables or self.optimizer.weight_decay is None:
            return
        amount = self.live.weight_decay * self.rate
        if not self.recorded:
            make_writable(variables)
        for variable in variables:
            array = variable._array
            if self.recorded:
                weights = variable._read()
                if is_half(array.dtype):
                    float32_weights = cast(weights, dtypes.float32) * cast(1.0 - amount, dtypes.float32)
                    variable.assign(cast(float32_weights, variable.dtype))
                else:
                    variable.assign(weights - weights * cast(amount, variable.dtype))
            elif is_half(array.dtype):
                array[...] = array.astype(np.float32) * (1.0 - amount)
            elif array.dtype.kind == "f":
                decay_weights[array.dtype]([array], amount)

    def _update_averages(self) -> None:
        """Updates the moving averages of the weights; the first step copies the weights."""
        optimizer = self.optimizer
        first, momentum = self.count == 0, self.live.ema_momentum
        momentum = (
            TABLE["where"](first, as_float64_scalar(0.0), momentum) if self.recorded else 0.0 if first else momentum
        )
        update = optimizer._averages_update()
        if not self.recorded:
            update.make_writable()
        for group in update.groups:
            weights = [optimizer._trainable_variables[i] for i in group.positions]
            if group.is_floating:
                values = [v._read() if self.recorded else v._array for v in weights]
                group.update(moving_average, values, (momentum,))
            else:
                assign_all(group.variables, [v._read() for v in weights])


def is_period_end(count: Any, every: int | None) -> bool:
    """True if ``count``, an int or a tensor, is the last of a period of ``every`` counts."""
    if isinstance(count, Tensor):
        return bool(every) and bool(is_last_step_of_period(count, every=every))
    return bool(every) and (count + 1) % every == 0
