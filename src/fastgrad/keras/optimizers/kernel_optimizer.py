"""Optimizers whose update is a kernel: one call changes all variables and slots in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad.core.placement import moved, on_device_of
from fastgrad.core.recording import hidden_from_recorders, recorders, state_is_recorded
from fastgrad.core.replicas import ALONE, replicas
from fastgrad.core.tensor import Tensor
from fastgrad.core.variable import Variable
from fastgrad.keras.optimizers.gradients import (
    Gradient,
    RowGradient,
    global_clip_factor,
    read_gradient,
    scaled_gradient,
)
from fastgrad.keras.optimizers.optimizer import Optimizer, decay_variables
from fastgrad.keras.optimizers.plan import UpdatePlan, is_half, make_writable
from fastgrad.keras.optimizers.recorded_attributes import as_float64_scalar
from fastgrad.keras.optimizers.step import Step, SummedRows, assign_all, positions_by_key
from fastgrad.keras.optimizers.variable import OptimizerVariable
from fastgrad.kernels.optimizers.update_rule import (
    ZERO_GRADIENT_MOVES,
    ZERO_GRADIENT_RESTS_AT_ZERO_SLOTS,
    UpdateRule,
    unit_count,
)
from fastgrad.ops.optimizer_updates import update_nonzero_rows, update_rows, update_variables

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

    def _try_planned_update(self, grads: Sequence[Any], variables: Sequence[Variable]) -> bool:
        plan = self._plan
        if plan is None or not plan.is_for(variables) or not self._has_only_kernel_options():
            return False
        rate = self._rate()
        plan.make_writable()
        arrays = plan.arrays_of(grads)
        if arrays is None:
            return False
        counter = self._iterations._array
        count = counter.item()
        self._run(plan, arrays, rate, count + 1)
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

    def _update_clipped(self, variables: list[Variable], gradients: list[Gradient], rate: float) -> None:
        if not self.global_clipnorm or type(self).update_step is not KernelOptimizer.update_step:
            super()._update_clipped(variables, gradients, rate)
            return
        # The update kernel scales the dense gradients that it reads, so they are read twice only. Rows and half-precision
        # gradients are scaled here.
        factor = global_clip_factor(gradients, self.global_clipnorm)
        if factor != 1.0:
            gradients = [
                scaled_gradient(g, factor) if isinstance(g, RowGradient) or is_half(g.dtype) else g for g in gradients
            ]
        self._update(variables, gradients, rate, factor)

    def _update(self, variables: list[Variable], gradients: list[Gradient], rate: float, factor: float = 1.0) -> None:
        if type(self).update_step is not KernelOptimizer.update_step:
            self._begin_step(self._update_count() + 1.0)
            super()._update(variables, gradients, rate)
            return
        step = self._update_count() + 1
        positions = [self._positions[id(variable)] for variable in variables]
        dense_indices = [i for i, gradient in enumerate(gradients) if type(gradient) is not RowGradient]
        sparse_indices = [i for i, gradient in enumerate(gradients) if type(gradient) is RowGradient]
        plan = self._plan_of(tuple([positions[i] for i in dense_indices]))
        if all(variable.constraint is None for variable in variables):
            self._plan = plan
        plan.make_writable()
        # This allocates memory, so it runs before the first write.
        row_counts = []
        for i in sparse_indices:
            self._writable_state(positions[i])
            sparse: Any = gradients[i]
            row_counts.append(np.array(len(sparse.ids)))
        self._run(plan, [gradients[i] for i in dense_indices], rate, step, factor)
        for i, count in zip(sparse_indices, row_counts, strict=True):
            rows: Any = gradients[i]
            self._update_rows(positions[i], rows, rate, (self.weight_decay or 0.0) * rate, count)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Updates one variable, without decay and clipping; subclasses may extend it."""
        if recorders.active and state_is_recorded():
            step = Step(self, learning_rate)
            self._update_groups([variable], [step.gradient_of(gradient, variable)], step, decays=False)
            return
        checked_gradient = read_gradient(gradient, variable, type(self).__name__)
        position, rate = self._positions[id(variable)], float(learning_rate)
        if type(checked_gradient) is RowGradient:
            self._update_rows(position, checked_gradient, rate, 0.0)
            return
        plan = self._plan_of((position,))
        plan.make_writable()
        self._run_groups(plan, [checked_gradient], self.hyperparameters(rate, self._update_count() + 1.0), 0.0)

    def _plan_of(self, variable_positions: tuple[int, ...]) -> UpdatePlan:
        plan = self._plans.get(variable_positions)
        if plan is None:
            variables = [self._trainable_variables[i] for i in variable_positions]
            slots = [[slot_list[i] for i in variable_positions] for slot_list in self._slots]
            plan = self._plans[variable_positions] = UpdatePlan(
                variables, slots, self._iterations, [self._use_weight_decay(v) for v in variables]
            )
        return plan

    def _run(
        self, plan: UpdatePlan, gradients: Sequence[Any], learning_rate: float, step: int, gradient_factor: float = 1.0
    ) -> None:
        self._begin_step(float(step))
        numbers, amount = self.hyperparameters(learning_rate, float(step)), (self.weight_decay or 0.0) * learning_rate
        self._run_groups(plan, gradients, numbers, amount, gradient_factor)

    def _run_groups(
        self,
        plan: UpdatePlan,
        gradients: Sequence[Any],
        hyperparameters: tuple[float, ...],
        decay_amount: float,
        gradient_factor: float = 1.0,
    ) -> None:
        if self._live:
            for variable in plan.variables:
                if self._positions[id(variable)] in self._live:
                    self._live[self._positions[id(variable)]]._array.fill(_EIGHT_ROW_FLAGS_SET)
        rule = self.rule
        kernel, scale = (rule.variables, ()) if gradient_factor == 1.0 else (rule.scaled_variables, (gradient_factor,))
        for group in plan.groups:
            lists = group.parameters, *group.slots, plan.of(gradients, group)
            decay = decay_amount if group.decays else 0.0
            if group.half:
                self._run_kernel_in_float32(*lists, 0, group.units, *hyperparameters, decay)
            else:
                kernel[group.dtype](*lists, 0, group.units, *scale, *hyperparameters, decay)

    def _run_kernel_in_float32(self, *arguments: Any) -> None:
        """Runs the update kernel on float32 copies of float16 or bfloat16 arrays, and rounds the results back."""
        lists = [argument for argument in arguments if isinstance(argument, (list, tuple))]
        float32_lists = [[array.astype(np.float32) for array in arrays] for arrays in lists]
        self.rule.variables[float32_lists[0][0].dtype](*float32_lists, *arguments[len(lists) :])
        with np.errstate(all="ignore"):
            for old, new in zip(lists[:-1], float32_lists[:-1], strict=True):
                for target, array in zip(old, new, strict=True):
                    target[...] = array

    # ---- as operations -----------------------------------------------------------------------------

    _decays_rows_itself = False  # whether the update of a sparse gradient applies weight decay

    def _update_as_operations(
        self, step: Step, variables: list[Variable], gradients: Sequence[Tensor | SummedRows]
    ) -> None:
        step.live._begin_step(step.number)
        if type(self).update_step is not KernelOptimizer.update_step:
            super()._update_as_operations(step, variables, gradients)
        else:
            self._update_groups(variables, gradients, step, decays=bool(self.weight_decay))

    def _update_groups(
        self, variables: Sequence[Variable], gradients: Sequence[Tensor | SummedRows], step: Step, decays: bool
    ) -> None:
        """Updates the variables: one operation for each group of variables, then assignments."""
        numbers = [as_float64_scalar(number) for number in step.live.hyperparameters(step.rate, step.number)]
        zero = as_float64_scalar(0.0)
        amount = step.live.weight_decay * step.rate if decays else zero
        dense_indices = [i for i, gradient in enumerate(gradients) if isinstance(gradient, Tensor)]
        rows = [i for i, gradient in enumerate(gradients) if not isinstance(gradient, Tensor)]
        is_decayed = [decays and self._use_weight_decay(variable) for variable in variables]
        groups = positions_by_key([(variables[i]._array.dtype, is_decayed[i]) for i in dense_indices])
        for (_, is_group_decayed), members in groups.items():
            group_positions = [dense_indices[i] for i in members]
            state = self._variables_and_slots([variables[i] for i in group_positions])
            arguments = [*numbers, amount if is_group_decayed else zero]
            self._assign_updates(state, [gradients[i] for i in group_positions], arguments)
        for i in rows:
            if is_decayed[i] and not self._decays_rows_itself:
                step.decay([variables[i]])
            arguments = [*numbers, amount if is_decayed[i] and self._decays_rows_itself else zero]
            self._assign_row_updates(self._variables_and_slots([variables[i]]), gradients[i], arguments)

    def _variables_and_slots(self, variables: Sequence[Variable]) -> list[list[Any]]:
        """Returns the variables, then for each kind of slot the slots of the variables."""
        positions = [self._positions[id(variable)] for variable in variables]
        return [list(variables), *[[slot_list[i] for i in positions] for slot_list in self._slots]]

    def _assign_updates(
        self, variables_and_slots: list[list[Any]], gradients: Sequence[Any], hyperparameters: Sequence[Tensor]
    ) -> None:
        flat_state = [variable for state_list in variables_and_slots for variable in state_list]
        arrays = [variable._read() for variable in flat_state]
        new = update_variables(*arrays, *gradients, *hyperparameters, rule=self.rule.key, count=len(gradients))
        assign_all(flat_state, new)
        for variable in variables_and_slots[0]:
            slot_flags = self._live.get(self._positions[id(variable)])
            if slot_flags is not None:
                slot_flags.assign(np.full(slot_flags._array.shape, _EIGHT_ROW_FLAGS_SET))

    def _assign_row_updates(
        self, variables_and_slots: list[list[Any]], rows: Any, hyperparameters: Sequence[Tensor]
    ) -> None:
        flat_state, rule, zero_gradient_mode = (
            [state_list[0] for state_list in variables_and_slots],
            self.rule.key,
            self._zero_gradient_mode_for_epsilon(),
        )
        if zero_gradient_mode != ZERO_GRADIENT_RESTS_AT_ZERO_SLOTS:
            arrays = [variable._read() for variable in flat_state]
            assign_all(flat_state, update_rows(*arrays, *rows, *hyperparameters, rule=rule, moves=zero_gradient_mode))
            return
        self._update_slot_flags(flat_state[:1])
        flat_state.append(self._live[self._positions[id(flat_state[0])]])
        arrays = [variable._read() for variable in flat_state]
        assign_all(flat_state, update_nonzero_rows(*arrays, *rows, *hyperparameters, rule=rule))

    # ---- some rows of a variable ------------------------------------------------------------------

    def _update_rows(
        self,
        variable_position: int,
        rows: RowGradient,
        learning_rate: float,
        decay_amount: float,
        step_count: Any = None,
    ) -> None:
        """Updates a variable by a gradient of some rows, with decay; the result is that of the dense gradient."""
        variable, slots, slot_flags = self._writable_state(variable_position)
        if decay_amount and self._use_weight_decay(variable):
            decay_variables([variable], decay_amount)
        numbers, rule = self.hyperparameters(learning_rate, self._update_count() + 1.0), self.rule
        zero_gradient_mode = self._zero_gradient_mode_for_epsilon()
        arrays = [variable._array, *[slot._array for slot in slots]]
        if is_half(variable._array.dtype):
            self._update_rows_in_float32(arrays, rows, numbers, zero_gradient_mode, slot_flags)
            return
        rule.update_rows(zero_gradient_mode, arrays, rows.values, rows.ids, (*numbers, 0.0), slot_flags, step_count)

    def _writable_state(self, position: int) -> tuple[Variable, list[OptimizerVariable], np.ndarray | None]:
        """Makes a variable and its slots writable; returns both, and the flags of nonzero slots or None."""
        variable = self._trainable_variables[position]
        slots = [slot_list[position] for slot_list in self._slots]
        slot_flags = (
            self._nonzero_slot_flags(position, slots)
            if self._zero_gradient_mode_for_epsilon() == ZERO_GRADIENT_RESTS_AT_ZERO_SLOTS
            else None
        )
        make_writable((variable, *slots))
        return variable, slots, slot_flags

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
        row_gradient: RowGradient,
        hyperparameters: tuple[float, ...],
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
        gradient[np.searchsorted(row_ids, row_gradient.ids)] = row_gradient.values
        lists = [[array] for array in (*float32_rows, gradient)]
        self.rule.variables[gradient.dtype](*lists, 0, unit_count([gradient]), *hyperparameters, 0.0)
        for array, new in zip(arrays, float32_rows, strict=True):
            array[row_ids] = new

    def _nonzero_slot_flags(self, position: int, slots: Sequence[Any]) -> np.ndarray:
        """Returns one byte per row, set if a slot is not zero; the kernel also sets bytes of rows with gradients."""
        variable = self._live.get(position)
        if variable is not None and not any(slot.rewritten for slot in slots):
            return variable._array
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
        return variable._array

    def _update_slot_flags(self, variables: Sequence[Variable]) -> None:
        if self._zero_gradient_mode_for_epsilon() == ZERO_GRADIENT_RESTS_AT_ZERO_SLOTS:
            for variable in variables:
                position = self._positions[id(variable)]
                self._nonzero_slot_flags(position, [slot_list[position] for slot_list in self._slots])
