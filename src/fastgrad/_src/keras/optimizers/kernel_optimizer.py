"""Optimizers whose update is a kernel: one call changes all variables and slots in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.variable import Variable, writer_lock
from fastgrad._src.jit.locks import release_if_held
from fastgrad._src.keras.optimizers.gradients import (
    Gradient,
    SummedRows,
    dense_gradient,
    read_gradient,
    scaled_gradient,
)
from fastgrad._src.keras.optimizers.grouped_update import Group, GroupedUpdate, make_writable
from fastgrad._src.keras.optimizers.optimizer import Optimizer
from fastgrad._src.keras.optimizers.recorded_attributes import as_float64_scalar
from fastgrad._src.keras.optimizers.step import Step
from fastgrad._src.keras.optimizers.variable import OptimizerVariable
from fastgrad._src.ops.optimizer_updates import is_half


class KernelOptimizer(Optimizer):
    """The base of optimizers whose update is a kernel.

    A subclass has ``_slots``, ``hyperparameters`` and ``_update_group``; and ``_update_rows``, if it takes rows.
    """

    _slots: Sequence[list[OptimizerVariable]] = ()
    """For each kind of slot, in the order of the kernel's parameters: the slots of all variables."""
    _takes_rows = False  # else gradients that are rows are made dense

    def hyperparameters(self, learning_rate: Any, step: Any) -> tuple[Any, ...]:
        """Returns the numeric arguments of the kernels, without the decay."""
        raise NotImplementedError

    def _update_group(self, group: Group, gradients: Sequence[Any], numbers: Sequence[Any], factor: float) -> None:
        """Updates the variables of a group; the arguments are those of ``Group.update`` after the rule."""
        raise NotImplementedError

    def _update_rows(self, position: int, rows: SummedRows, numbers: Sequence[Any]) -> None:
        """Updates a variable by a gradient of some rows; the result is that of the dense gradient.

        Args:
            position: the variable's position.
            rows: the gradient.
            numbers: the values of the kernels' numbers, as in ``_update_dense``, with the decay.
        """
        raise NotImplementedError

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
        numbers = self.hyperparameters(rate, step)
        lock, taken = writer_lock.lock, False
        try:
            taken = lock.acquire()  # kernels release the GIL, and other threads may copy the variables
            self._update_dense(update, arrays, numbers, (self.weight_decay or 0.0) * rate)
            counter[()] = count + 1
        finally:
            if taken:
                lock.release()
            else:
                release_if_held(lock)
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
            or self._overrides
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
        for name in sorted(self._overrides & {"assign", "assign_add", "assign_sub"}):
            raise NotImplementedError(
                f"{type(self).__name__}: overrides `{name}`, but the update of its base class is a kernel, which does not call "
                "it. Override `update_step(gradient, variable, learning_rate)` as well, without a call of super's."
            )
        positions = [self._positions[id(variable)] for variable in variables]
        if not self._takes_rows:
            gradients = [dense_gradient(g, v) for g, v in zip(gradients, variables, strict=True)]
        sparse_indices = [i for i, gradient in enumerate(gradients) if type(gradient) is SummedRows]
        if factor != 1.0:
            # The kernel scales the other gradients as it reads them.
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
            self._update_slot_flags([variables[i] for i in sparse_indices])
        if is_whole:
            step.live._begin_step(step.number)
        decays = is_whole and bool(self.weight_decay) and "_apply_weight_decay" not in self._overrides
        numbers = step.live.hyperparameters(step.rate, step.number)
        if step.recorded:
            numbers = tuple(map(as_float64_scalar, numbers))
        amount = step.live.weight_decay * step.rate if decays else step.scalar(0.0)
        with writer_lock.lock:
            self._update_dense(update, dense_gradients, numbers, amount, factor)
            for i in sparse_indices:
                if decays and self._use_weight_decay(variables[i]):
                    step.decay([variables[i]])
                self._update_rows(positions[i], gradients[i], [*numbers, step.scalar(0.0)])

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
        for group in update.groups:
            amount = decay if group.decays else as_float64_scalar(0.0) if isinstance(decay, Tensor) else 0.0
            group_gradients = gradients if update.single else [gradients[i] for i in group.positions]
            self._update_group(group, group_gradients, (*numbers, amount), factor)
