"""Optimizers whose update is a kernel: one call changes all variables and slots in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.core.placement import moved, on_device_of
from fastgrad._src.core.recording import hidden_from_recorders, state_is_recorded
from fastgrad._src.core.replicas import ALONE, replicas
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.keras.optimizers.gradients import Gradient, SummedRows, read_gradient, scaled_gradient
from fastgrad._src.keras.optimizers.grouped_update import GroupedUpdate, assign_all, make_writable
from fastgrad._src.keras.optimizers.optimizer import Optimizer
from fastgrad._src.keras.optimizers.recorded_attributes import as_float64_scalar
from fastgrad._src.keras.optimizers.step import Step
from fastgrad._src.keras.optimizers.variable import OptimizerVariable
from fastgrad._src.kernels.optimizers.update_rule import (
    ZERO_GRADIENT_MOVES,
    ZERO_GRADIENT_RESTS_AT_ZERO_SLOTS,
    UpdateRule,
    unit_count,
)
from fastgrad._src.ops.optimizer_updates import is_half, update_nonzero_rows, update_rows

_EIGHT_ROW_FLAGS_SET = np.uint64(0x0101010101010101)
"""The flags of eight rows, all set: every row may change."""

_ROWS_PER_NONZERO_TEST = 65536
"""The number of rows per scan: a mask of a whole table would be a quarter of its size."""


class KernelOptimizer(Optimizer):
    """The base of optimizers whose update is a kernel.

    A subclass has ``rule``, ``_slots`` and ``hyperparameters``; see ``RuleOptimizer``.
    """

    _slots: Sequence[list[OptimizerVariable]] = ()
    """For each kind of slot, in the order of the rule's parameters: the slots of all variables."""

    @property
    def rule(self) -> UpdateRule:
        """The update rule of the optimizer, whose kernels compute a step.

        Raises:
            TypeError: the class has no rule.
        """
        raise TypeError(
            f"{type(self).__name__}: its attribute `rule` must be an update rule, a function declared with "
            "@keras.optimizers.update_rule; it has none."
        )

    def hyperparameters(self, learning_rate: Any, step: Any) -> tuple[Any, ...]:
        """Returns the numeric arguments of the kernels, without the decay."""
        raise NotImplementedError

    @property
    def _zero_gradient_mode(self) -> int:
        """The effect of a zero gradient on a row of a variable, one of the constants ``ZERO_GRADIENT_...``."""
        return self.rule.zero_gradient

    def _begin_step(self, step: Any) -> None:
        """Updates state that belongs to no single variable, before each step; ``step`` is a float or a tensor."""

    def _try_grouped_update(self, grads: Sequence[Any], variables: Sequence[Variable]) -> bool:
        update = self._last_grouped_update
        if update is None or not update.is_for(variables) or not self._has_only_kernel_options():
            return False
        rate = self._rate()
        update.make_writable()
        arrays = update.arrays_of(grads)
        if arrays is None:
            return False
        counter = self._iterations._array
        count = counter.item()
        step = count + 1.0
        self._begin_step(step)
        self._update_dense(update, arrays, self.hyperparameters(rate, step), (self.weight_decay or 0.0) * rate)
        counter[()] = count + 1
        return True

    def _has_only_kernel_options(self) -> bool:
        """True if no option is set that the update kernel does not compute."""
        return not (
            self.clipnorm
            or self.clipvalue
            or self.global_clipnorm
            or self.use_ema
            or self.gradient_accumulation_steps
            or self.loss_scale_factor is not None
        )

    def _update(self, step: Step, variables: list[Variable], gradients: list[Gradient], factor: Any) -> None:
        if type(self).update_step is KernelOptimizer.update_step:
            self._update_groups(step, variables, gradients, factor)
        else:
            step.live._begin_step(step.number)
            super()._update(step, variables, gradients, factor)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Updates one variable, without decay and clipping; subclasses may extend it."""
        checked_gradient = read_gradient(gradient, variable, type(self).__name__)
        self._update_groups(Step(self, learning_rate), [variable], [checked_gradient], is_whole=False)

    def _update_groups(
        self,
        step: Step,
        variables: Sequence[Variable],
        gradients: list[Any],
        factor: Any = 1.0,
        is_whole: bool = True,
    ) -> None:
        """Updates the variables by gradients times ``factor``: one call for each group of variables, then the rows.

        Without ``is_whole``, this is a part of a step that a subclass's ``update_step`` does: weights do not decay.
        """
        positions = [self._positions[id(variable)] for variable in variables]
        sparse_indices = [i for i, gradient in enumerate(gradients) if type(gradient) is SummedRows]
        if factor != 1.0:
            # The update kernel scales the dense gradients that it reads, so they are read twice only. Rows and half-precision
            # gradients are scaled here.
            gradients = [
                scaled_gradient(g, factor) if type(g) is SummedRows or is_half(g.dtype) else g for g in gradients
            ]
        dense_positions, dense_gradients = positions, gradients
        if sparse_indices:
            dense_indices = [i for i, gradient in enumerate(gradients) if type(gradient) is not SummedRows]
            dense_positions = [positions[i] for i in dense_indices]
            dense_gradients = [gradients[i] for i in dense_indices]
        update = self._grouped_update_of(tuple(dense_positions))
        if not step.recorded:
            if (
                is_whole
                and self._last_grouped_update is not update
                and all(variable.constraint is None for variable in variables)
            ):
                self._last_grouped_update = update
            # This allocates memory, so it runs before the first write.
            update.make_writable()
            for i in sparse_indices:
                make_writable((variables[i], *self._slots_of(positions[i])))
                self._row_flags(positions[i])
        if is_whole:
            step.live._begin_step(step.number)
        decays = is_whole and bool(self.weight_decay)
        numbers = step.live.hyperparameters(step.rate, step.number)
        if step.recorded:
            numbers = tuple(map(as_float64_scalar, numbers))
        amount = step.live.weight_decay * step.rate if decays else step.scalar(0.0)
        self._update_dense(update, dense_gradients, numbers, amount, factor)
        for i in sparse_indices:
            is_decayed = decays and self._use_weight_decay(variables[i])
            if is_decayed and not self._decays_rows_itself:
                step.decay([variables[i]])
            decay = amount if is_decayed and self._decays_rows_itself else step.scalar(0.0)
            self._update_rows(positions[i], gradients[i], [*numbers, decay])

    def _grouped_update_of(self, variable_positions: tuple[int, ...]) -> GroupedUpdate:
        update = self._grouped_updates.get(variable_positions)
        if update is None:
            variables = [self._trainable_variables[i] for i in variable_positions]
            slots = [[slot_list[i] for i in variable_positions] for slot_list in self._slots]
            update = self._grouped_updates[variable_positions] = GroupedUpdate(
                variables, slots, self._iterations, [self._use_weight_decay(v) for v in variables]
            )
        return update

    def _slots_of(self, position: int) -> list[OptimizerVariable]:
        return [slot_list[position] for slot_list in self._slots]

    def _update_dense(
        self, update: GroupedUpdate, gradients: Sequence[Any], numbers: Sequence[Any], decay: Any, factor: float = 1.0
    ) -> None:
        """Updates the variables of an update by gradients times ``factor``.

        Args:
            update: the update.
            gradients: an array for each variable; tensors if state is recorded.
            numbers: the values of ``hyperparameters``: floats, or float64 scalars if state is recorded.
            decay: the amount of weight decay, a number like these.
            factor: a number by which gradients that are not half-precision are multiplied.
        """
        if self._live:
            self._flag_all_rows(update.variables)
        for group in update.groups:
            group.update(
                self.rule,
                update.members_of(gradients, group),
                (*numbers, decay if group.decays else no_decay(decay)),
                factor,
            )

    def _flag_all_rows(self, variables: Sequence[Variable]) -> None:
        for variable in variables:
            slot_flags = self._live.get(self._positions[id(variable)])
            if slot_flags is not None and state_is_recorded():
                slot_flags.assign(np.full(slot_flags._array.shape, _EIGHT_ROW_FLAGS_SET))
            elif slot_flags is not None:
                slot_flags._array.fill(_EIGHT_ROW_FLAGS_SET)

    # ---- some rows of a variable ------------------------------------------------------------------

    _decays_rows_itself = False  # whether the update of a sparse gradient applies weight decay

    def _update_rows(self, position: int, rows: SummedRows, numbers: Sequence[Any]) -> None:
        """Updates a variable by a gradient of some rows; the result is that of the dense gradient.

        Args:
            position: the variable's position.
            rows: the gradient.
            numbers: the values of the kernels' numbers, as in ``_update_dense``, with the decay.
        """
        state = [self._trainable_variables[position], *self._slots_of(position)]
        rule, mode, flags = self.rule, self._zero_gradient_mode_for_epsilon(), self._row_flags(position)
        if isinstance(rows.sums, Tensor):
            operation, attributes = update_rows, {"rule": rule.key, "moves": mode}
            if flags is not None:
                state, operation, attributes = [*state, flags], update_nonzero_rows, {"rule": rule.key}
            assign_all(state, operation(*[variable._read() for variable in state], *rows, *numbers, **attributes))
            return
        arrays, flag_array = [variable._array for variable in state], None if flags is None else flags._array
        if is_half(arrays[0].dtype):
            self._update_rows_in_float32(arrays, rows, numbers, mode, flag_array)
        else:
            rule.update_rows(mode, arrays, rows.sums, rows.ids, numbers, flag_array, rows.number)

    def _row_flags(self, position: int) -> Variable | None:
        """Returns the flags of nonzero slots of a variable, up to date; None if a zero gradient has another effect."""
        is_flagged = self._zero_gradient_mode_for_epsilon() == ZERO_GRADIENT_RESTS_AT_ZERO_SLOTS
        return self._nonzero_slot_flags(position, self._slots_of(position)) if is_flagged else None

    def _zero_gradient_mode_for_epsilon(self) -> int:
        zero_gradient_mode = self._zero_gradient_mode
        # 0 / 0 is NaN, in the dense update too.
        return (
            ZERO_GRADIENT_MOVES
            if zero_gradient_mode == ZERO_GRADIENT_RESTS_AT_ZERO_SLOTS and not getattr(self, "epsilon", 1.0)
            else zero_gradient_mode
        )

    def _update_rows_in_float32(
        self,
        arrays: list[np.ndarray],
        row_gradient: SummedRows,
        numbers: Sequence[float],
        zero_gradient_mode: int,
        slot_flags: np.ndarray | None,
    ) -> None:
        """Runs ``_update_rows`` for float16 and bfloat16, on float32 copies of the rows that change."""
        row_ids = row_gradient.ids
        if slot_flags is not None:
            flags = slot_flags.view(np.uint8)
            flags[row_gradient.ids] = 1
            row_ids = np.flatnonzero(flags)
        elif zero_gradient_mode == ZERO_GRADIENT_MOVES:
            row_ids = np.arange(len(arrays[0]))
        float32_rows = [array[row_ids].astype(np.float32) for array in arrays]
        gradient = np.zeros_like(float32_rows[0])
        gradient[np.searchsorted(row_ids, row_gradient.ids)] = row_gradient.sums
        lists = [[array] for array in (*float32_rows, gradient)]
        self.rule.variables[gradient.dtype](*lists, 0, unit_count([gradient]), *numbers)
        for array, new in zip(arrays, float32_rows, strict=True):
            array[row_ids] = new

    def _nonzero_slot_flags(self, position: int, slots: Sequence[Any]) -> Variable:
        """Returns one byte per row, set if a slot is not zero; the kernel also sets bytes of rows with gradients."""
        variable = self._live.get(position)
        if variable is not None and not any(slot.rewritten for slot in slots):
            return variable
        rows = len(slots[0]._array)
        is_untrained = (
            not int(moved(self._iterations._array, None)) and not self._iterations.rewritten and variable is None
        )
        if variable is None:
            with hidden_from_recorders(), on_device_of(slots[0]._array), replicas(ALONE):
                variable = self._live[position] = Variable(np.zeros(-(-rows // 8), np.uint64), trainable=False)
            for slot in slots:
                slot.live = variable
            self._invalidate_programs()  # existing programs do not set the flags of rows that they update
        if not is_untrained or any(slot.rewritten for slot in slots):
            words = np.zeros(variable._array.shape, np.uint64)
            flags = words.view(np.uint8)
            for slot in slots:
                table = moved(slot._array, None).reshape(rows, -1)
                for start in range(0, rows, _ROWS_PER_NONZERO_TEST):
                    flags[start : min(start + _ROWS_PER_NONZERO_TEST, rows)] |= (
                        table[start : start + _ROWS_PER_NONZERO_TEST] != 0
                    ).any(axis=1)
                slot.rewritten = False
            with hidden_from_recorders():
                variable.assign(words)
        return variable

    def _update_slot_flags(self, variables: Sequence[Variable]) -> None:
        for variable in variables:
            self._row_flags(self._positions[id(variable)])


def no_decay(decay: Any) -> Any:
    """Returns 0 in the form of ``decay``: a float, or a float64 scalar if state is recorded."""
    return as_float64_scalar(0.0) if isinstance(decay, Tensor) else 0.0
