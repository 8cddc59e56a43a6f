"""An optimizer's step as operations and assignments, for recorded programs.

With every option the result equals the eager step (``Optimizer.apply``), which changes arrays in place instead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastgrad import dtypes
from fastgrad.core.indexed_slices import IndexedSlices
from fastgrad.core.operation import TABLE
from fastgrad.core.placement import on_device_of
from fastgrad.core.recording import hidden_from_recorders, hidden_from_tapes, recorders, report_effect
from fastgrad.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad.core.variable import Variable
from fastgrad.keras.optimizers.recorded_attributes import as_float64_scalar, proxy_if_recorded
from fastgrad.keras.optimizers.schedules.learning_rate_schedule import LearningRateSchedule
from fastgrad.ops.casting import cast
from fastgrad.ops.optimizer_updates import (
    add_rows,
    is_half,
    is_last_step_of_period,
    sum_rows,
    sums_of_squares_of_arrays,
    update_variables,
)


class SummedRows(NamedTuple):
    """A gradient that is zero except in some rows, as ``sum_rows`` returns it."""

    sums: Tensor
    ids: Tensor
    number: Tensor


Gradient = Tensor | SummedRows


def apply_as_operations(optimizer: Any, grads: Sequence[Any], variables: Sequence[Variable]) -> None:
    """Runs ``optimizer.apply(grads, variables)`` as operations, for recorders of state; tapes do not record it.

    Raises:
        ValueError, InvalidArgumentError: as ``Optimizer.apply_gradients``; then nothing has changed.
    """
    with hidden_from_tapes():
        with np.errstate(all="ignore"):
            targets = [variable for variable, _ in optimizer._gradient_pairs(grads, variables)]
        optimizer._warn_of_missing(grads, variables)
        if not optimizer.built:
            build_unrecorded(optimizer, variables)
        optimizer._update_slot_flags([v for g, v in zip(grads, variables, strict=True) if isinstance(g, IndexedSlices)])
        step = Step(optimizer)
        step.run(targets, [step.gradient_of(g, v) for g, v in zip(grads, variables, strict=True) if g is not None])


def build_unrecorded(optimizer: Any, variables: Sequence[Variable]) -> None:
    """Builds an optimizer hidden from recorders, then reports its variables by ``Recorder.on_create``."""
    with hidden_from_recorders(), on_device_of(variables[0]._array):
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
    with hidden_from_tapes():
        with np.errstate(all="ignore"):
            optimizer._gradient_pairs(grads, variables)
        if not optimizer.built:
            build_unrecorded(optimizer, variables)
        steps = optimizer.gradient_accumulation_steps
        updates = not steps or Step._is_period_end(optimizer._iterations, steps)
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
    """One step of an optimizer, run as operations and assignments that programs record.

    Args:
        optimizer: the optimizer, already built.
        rate: the learning rate; the optimizer's rate if None.

    Attributes:
        live: the optimizer as its formulas use it (see ``proxy_if_recorded``).
        rate: the learning rate, a float64 scalar.
        count: the number of updates so far, an int64 scalar.
        number: the number of this update, counted from 1, a float64 scalar.
    """

    def __init__(self, optimizer: Any, rate: Any = None) -> None:
        self.optimizer = optimizer
        self.live = proxy_if_recorded(optimizer)
        self.rate = as_float64_scalar(self._rate() if rate is None else rate)
        self.count = convert_to_tensor(optimizer.iterations)
        self.number = as_float64_scalar(self.count + 1)

    def _rate(self) -> Any:
        rate = self.optimizer._learning_rate
        if isinstance(rate, LearningRateSchedule):
            proxy_if_recorded(rate)
        if isinstance(rate, Variable):
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
        optimizer = self.optimizer
        # Everything that selects a branch is computed before the first assignment.
        updates = self._is_period_end(optimizer._iterations, optimizer.gradient_accumulation_steps)
        overwrites_weights = optimizer.use_ema and self._is_period_end(
            self.count, optimizer.ema_overwrite_frequency or 0
        )
        if optimizer.loss_scale_factor is not None:
            gradients = [scaled_gradient(g, 1.0 / self.live.loss_scale_factor) for g in gradients]
        if not optimizer.gradient_accumulation_steps:
            optimizer._update_as_operations(self, variables, self._clipped(gradients))
        else:
            self._accumulate(variables, gradients, updates)
        if optimizer.use_ema:
            self._update_averages(overwrites_weights)
        for variable in variables:
            if variable.constraint is not None:
                variable.assign(variable.constraint(variable))
        optimizer._iterations.assign_add(1)

    @staticmethod
    def _is_period_end(count: Any, every: int | None) -> bool:
        """True if ``count`` is the last of a period of ``every`` counts."""
        return bool(every) and bool(is_last_step_of_period(convert_to_tensor(count), every=every))

    # ---- gradients ---------------------------------------------------------------------------------------

    def gradient_of(self, gradient: Any, variable: Variable) -> Gradient:
        """Returns a gradient in the variable's dtype; repeated rows of ``IndexedSlices`` are summed."""
        if isinstance(gradient, IndexedSlices):
            values = cast(gradient.values, variable.dtype)
            owner = type(self.optimizer).__name__
            return SummedRows(*sum_rows(values, gradient.indices, limit=len(variable._array), owner=owner))
        converted: Tensor = cast(convert_to_tensor(gradient), variable.dtype)
        return converted

    def summed_slices(self, slices: IndexedSlices, variable: Variable) -> IndexedSlices:
        """Returns ``slices`` with each index once; values of equal indices are summed."""
        summed: IndexedSlices = self.slices_of(self.gradient_of(slices, variable), variable)
        return summed

    def slices_of(self, gradient: Gradient, variable: Variable) -> Any:
        """Returns a gradient in the form that a user's ``update_step`` gets: a tensor or ``IndexedSlices``."""
        if isinstance(gradient, Tensor):
            return gradient
        count = int(gradient.number)  # the arrays have one item per row, so another number needs another program
        shape = constant_tensor(np.array(variable._array.shape, np.int64))
        return IndexedSlices(gradient.sums[:count], gradient.ids[:count], shape)

    def _clipped(self, gradients: list[Gradient]) -> list[Gradient]:
        optimizer = self.optimizer
        if optimizer.clipnorm:
            limit = self.live.clipnorm
            factors = [_clip_factor(TABLE["sqrt"](square), limit) for square in _sums_of_squares(gradients)]
            return [scaled_gradient(g, factor) for g, factor in zip(gradients, factors, strict=True)]
        if optimizer.global_clipnorm:
            factor = _clip_factor(
                TABLE["sqrt"](_total_of_squares(gradients)), self.live.global_clipnorm, nan_if_infinite=True
            )
            return [scaled_gradient(g, factor) for g in gradients]
        if optimizer.clipvalue:
            return [
                _with_gradient_values(g, _clipped_by_value(_gradient_values(g), self.live.clipvalue)) for g in gradients
            ]
        return gradients

    def _accumulate(self, variables: list[Variable], gradients: list[Gradient], updates: bool) -> None:
        optimizer = self.optimizer
        steps = optimizer.gradient_accumulation_steps
        slots = [optimizer._accumulated[optimizer._positions[id(v)]] for v in variables]
        reduces = optimizer._is_reducing()
        if reduces:  # see ``Optimizer._accumulate``
            size = as_float64_scalar(float(optimizer._reducing_group().size))
            gradients = [scaled_gradient(g, size) for g in gradients]
        for slot, gradient in zip(slots, gradients, strict=True):
            if isinstance(gradient, Tensor):
                slot.assign_add(gradient)
            else:
                slot.assign(add_rows(slot._read(), *gradient))
        if updates:
            means = [slot._read() / steps for slot in slots]
            if reduces:
                means = optimizer._summed_over_replicas(means, variables, "mean")
            optimizer._update_as_operations(self, variables, self._clipped(means))
            for slot in optimizer._accumulated:
                slot.assign(np.zeros(slot._array.shape, slot._array.dtype))

    # ---- variables -----------------------------------------------------------------------------------------

    def decay(self, variables: Sequence[Variable]) -> None:
        """Computes ``v -= v * weight_decay * rate`` for each variable."""
        if not variables:
            return
        amount = self.live.weight_decay * self.rate
        for variable in variables:
            weights = variable._read()
            if is_half(variable._array.dtype):
                float32_weights = cast(weights, dtypes.float32) * cast(1.0 - amount, dtypes.float32)
                variable.assign(cast(float32_weights, variable.dtype))
            else:
                variable.assign(weights - weights * cast(amount, variable.dtype))

    def _update_averages(self, overwrites_weights: bool) -> None:
        optimizer = self.optimizer
        averages, weights = optimizer._averages, optimizer._trainable_variables
        momentum = TABLE["where"](TABLE["equal"](self.count, 0), as_float64_scalar(0.0), self.live.ema_momentum)
        for positions in positions_by_key([v._array.dtype for v in weights]).values():
            state = [averages[i] for i in positions]
            arrays = [variable._read() for variable in (*state, *[weights[i] for i in positions])]
            assign_all(state, update_variables(*arrays, momentum, rule="moving_average", count=len(positions)))
        if overwrites_weights:
            optimizer._overwrite_by_averages(weights)


def assign_all(variables: Sequence[Variable], values: Sequence[Tensor | None]) -> None:
    """Assigns each value to its variable; None leaves the variable unchanged."""
    for variable, value in zip(variables, values, strict=True):
        if value is not None:
            variable.assign(value)


def positions_by_key(keys: Sequence[Any]) -> dict[Any, list[int]]:
    """Returns the positions of each key, in order."""
    positions: dict[Any, list[int]] = {}
    for position, key in enumerate(keys):
        positions.setdefault(key, []).append(position)
    return positions


def scaled_gradient(gradient: Gradient, factor: Any) -> Gradient:
    """Returns ``gradient * factor``, where ``factor`` is a float64 scalar."""
    values = _gradient_values(gradient)
    return _with_gradient_values(gradient, values * cast(factor, values.dtype))


def _gradient_values(gradient: Gradient) -> Tensor:
    return gradient if isinstance(gradient, Tensor) else gradient.sums


def _with_gradient_values(gradient: Gradient, values: Tensor) -> Gradient:
    return values if isinstance(gradient, Tensor) else gradient._replace(sums=values)


def _sums_of_squares(gradients: Sequence[Gradient]) -> list[Tensor]:
    """Returns the sum of squares of each gradient as float64 scalars."""
    arrays = [_gradient_values(g) for g in gradients]
    sums_by_position: dict[int, Tensor] = {}
    for positions in positions_by_key([x._array.dtype for x in arrays]).values():
        sums = sums_of_squares_of_arrays(*[arrays[i] for i in positions])
        sums_by_position |= {i: sums[index] for index, i in enumerate(positions)}
    return [sums_by_position[i] for i in range(len(arrays))]


def _total_of_squares(gradients: Sequence[Gradient]) -> Tensor:
    """Returns the sum of the squares of all gradients, a float64 scalar."""
    arrays = [_gradient_values(g) for g in gradients]
    is_one_dtype = len({x._array.dtype for x in arrays}) == 1
    sums = sums_of_squares_of_arrays(*arrays) if is_one_dtype else TABLE["stack"](*_sums_of_squares(gradients), axis=0)
    total: Tensor = TABLE["reduce_sum"](sums, axes=(0,), keepdims=False)
    return total


def _clip_factor(norm: Tensor, limit: Any, nan_if_infinite: bool = False) -> Tensor:
    """Returns the factor that reduces ``norm`` to ``limit``; 1 if not greater; optionally NaN for an infinite norm."""
    ratio = limit / norm
    if nan_if_infinite:
        ratio = TABLE["where"](norm < math.inf, ratio, as_float64_scalar(math.nan))
    factor: Tensor = TABLE["where"](norm <= limit, as_float64_scalar(1.0), ratio)
    return factor


def _clipped_by_value(values: Tensor, limit: Any) -> Tensor:
    bound = cast(limit, values.dtype)
    clipped_values: Tensor = TABLE["minimum"](TABLE["maximum"](values, -bound), bound)
    return clipped_values
