"""``RuleOptimizer``: optimizers whose step is an update rule, a scalar function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import check_type, require
from fastgrad._src.core.indexed_slices import IndexedSlices
from fastgrad._src.core.placement import device_scope_of, move_to_device
from fastgrad._src.core.recording import hide_from_recorders, hide_from_tapes, is_state_recorded
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.core.variable_creators import hidden_variable_scope
from fastgrad._src.keras.optimizers.gradients import SummedRows
from fastgrad._src.keras.optimizers.grouped_update import Group, assign_all, update_in_float32
from fastgrad._src.keras.optimizers.kernel_optimizer import KernelOptimizer
from fastgrad._src.keras.optimizers.recorded_attributes import as_float64_scalar, proxy_if_recorded
from fastgrad._src.keras.optimizers.step import build_unrecorded
from fastgrad._src.keras.optimizers.variable import OptimizerVariable
from fastgrad._src.kernels.optimizers.update_rule import (
    ZERO_GRADIENT_MOVES,
    ZERO_GRADIENT_RESTS_AT_ZERO_SLOTS,
    UpdateRule,
    unit_count,
)
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.optimizer_updates import add_rows, is_half, sum_rows, update_live_rows, update_rows

_EIGHT_ROW_FLAGS_SET = np.uint64(0x0101010101010101)
"""The flags of eight rows, all set: every row may change."""

_ROWS_PER_NONZERO_TEST = 65536
"""The number of rows per scan: a mask of a whole table would be a quarter of its size."""


class RuleOptimizer(KernelOptimizer):
    """The base of optimizers that are defined by an update rule, as most built-in optimizers are.

    A subclass has an attribute, or a property, ``rule`` (see ``update_rule``), and an attribute for each of the rule's
    hyper-parameters::

        class Lion(RuleOptimizer):
            rule = lion

            def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.99, **kwargs):
                super().__init__(learning_rate=learning_rate, **kwargs)
                self.beta_1, self.beta_2 = beta_1, beta_2

    In eager steps one kernel runs the rule for all variables. In compiled steps the rule runs inside the loops that compute the
    gradients. ``Optimizer`` does weight decay, clipping, averages, gradient accumulation, loss scaling and schedules.

    ``IndexedSlices`` give the same result as the dense gradient (repeated rows are summed first) without making it.
    The rule's ``zero_gradient`` says which rows a zero gradient leaves unchanged; such rows cost nothing. With SGD and Adagrad
    these are all rows without a gradient. With slots that decay (momentum, Adam, RMSprop and most others) these are the rows
    that never had a gradient; a row that once had one still moves, as with a dense gradient.

    Args:
        learning_rate, and others: see ``Optimizer``.

    Attributes:
        rule: the update rule; its slots may depend on the options that the optimizer has when it is built.
        slot_names: the names of slot variables by the names of the rule's parameters, where the two differ.
        squares_repeated_rows_apart: whether the slot of squared gradients gets the squares of the parts of a repeated row, as in Keras
            on TensorFlow, instead of the square of their sum. False; ``Adam``, ``AdamW``, ``Nadam``, ``RMSprop`` and ``Adagrad`` take True.
    """

    rule: Any = None
    slot_names: Mapping[str, str] = MappingProxyType({})
    squares_repeated_rows_apart: bool = False
    _takes_rows = True
    _slot_of_squares: tuple[str, str | None] | None = None  # its name, and the attribute that is its decay rate

    def build(self, variables: Sequence[Variable]) -> None:
        """Makes the slots; TypeError if ``rule`` is not an update rule, ValueError if it takes a hyper-parameter that the optimizer does not have."""
        if self.built and not self._takes_new_variables:
            return
        rule = self._checked_rule()
        names = [self.slot_names.get(slot, slot) for slot in rule.slots]
        super().build(variables)
        new_slots = self._new_slots(variables, names)
        self._slots = [[*old, *new] for old, new in zip(self._slots or [[]] * len(names), new_slots, strict=True)]

    def _new_slots(self, variables: Sequence[Variable], names: list[str]) -> list[list[OptimizerVariable]]:
        """Makes the slots, variable by variable; returns for each name the slots of all variables."""
        first = [self.initial_value(name) for name in names]
        return [*self.add_optimizer_variables(variables, names, first)]

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """Updates variables as ``Optimizer.apply`` does.

        Raises:
            ValueError: as there; ``squares_repeated_rows_apart`` is set, and the optimizer has no slot of squares, a decay rate of 0,
                or an option that changes gradients before the rule.
        """
        if self.squares_repeated_rows_apart and any(isinstance(gradient, IndexedSlices) for gradient in grads):
            with hide_from_tapes():
                self._add_squares_of_parts(grads, self._checked_variables(grads, trainable_variables))
        super().apply(grads, trainable_variables)

    def _add_squares_of_parts(self, grads: Sequence[Any], variables: Sequence[Variable]) -> None:
        """Adds to the slots what the rule's square of a sum is short of the sum of squares, divided by the decay of this step."""
        class_name = type(self).__name__
        if self._slot_of_squares is None:
            raise ValueError(f"{class_name}: squares_repeated_rows_apart needs a slot of squares.")
        slot_name, decay_name = self._slot_of_squares
        options = ("clipnorm", "clipvalue", "global_clipnorm", "loss_scale_factor", "gradient_accumulation_steps")
        used = [name for name in options if getattr(self, name)]
        if used or self._is_reducing() or (decay_name and not getattr(self, decay_name)):
            reason = used[0] if used else "replicas" if self._is_reducing() else f"{decay_name}=0"
            instead = " and clip the gradients before apply" if "clip" in reason else ""
            raise ValueError(
                f"{class_name}: squares_repeated_rows_apart does not work with {reason}. Leave out {reason}{instead}; or set "
                "squares_repeated_rows_apart to False."
            )
        with np.errstate(all="ignore"):
            self._gradient_pairs(grads, variables)  # an error comes before anything changes
        if not self.built:
            build_unrecorded(self, variables)
        decay = (
            0.5 if decay_name is None else getattr(proxy_if_recorded(self) if is_state_recorded() else self, decay_name)
        )
        share = as_float64_scalar((1.0 - decay) / decay)
        for gradient, variable in zip(grads, variables, strict=True):
            if not isinstance(gradient, IndexedSlices):
                continue
            slot = self.slot(slot_name)[self._positions[id(variable)]]
            parts = cast(gradient.values, slot.dtype)
            rows = {"limit": variable.shape[0], "owner": class_name}
            sums, ids, number = sum_rows(parts, gradient.indices, **rows)
            squares, _, _ = sum_rows(parts * parts, gradient.indices, **rows)
            slot.assign(add_rows(slot._read(), (squares - sums * sums) * cast(share, slot.dtype), ids, number))

    def initial_value(self, slot: str) -> Any:
        """Returns the initial value of the elements of a slot: a number, an initializer, or the name of an initializer.

        Args:
            slot: the name of the slot variable.
        """
        return "zeros"

    def hyperparameters(self, learning_rate: Any, step: Any) -> tuple[Any, ...]:
        """Returns the values of the rule's hyper-parameters in order; ``one_minus_x`` gets the value of ``x``.

        By default these are ``learning_rate``, ``step``, and for each other name the attribute of that name. A subclass may
        compute them, with operators only. While a compiled step is recorded, the arguments and the numeric attributes of ``self``
        are float64 tensors, so a new number does not need a new program.

        Args:
            learning_rate: the rate of this update.
            step: the number of this update, counted from 1.
        """
        values: tuple[Any, ...] = self.rule.hyper_values_function(self, learning_rate, step)
        return values

    def slot(self, name: str) -> list[OptimizerVariable]:
        """Returns the slot variables of a name, in the order of the variables that the optimizer was built with.

        Raises:
            ValueError: there is no such slot.
        """
        names = [self.slot_names.get(slot, slot) for slot in self.rule.slots] if self.built else []
        require(name in names, self, f"has no slot {name!r}; its slots are {names}, once it is built")
        return list(self._slots[names.index(name)])

    def _checked_rule(self) -> UpdateRule:
        rule, class_name = self.rule, type(self).__name__
        check_type(self, "an update rule, declared with @keras.optimizers.update_rule", UpdateRule, rule=rule)
        if type(self).hyperparameters is RuleOptimizer.hyperparameters:
            missing = [n for n in rule.hyper_numbers if n not in ("learning_rate", "step") and not hasattr(self, n)]
            if missing:
                text = f"the rule {rule.__name__!r} takes {', '.join(missing)}, but the optimizer has no such attribute"
                raise ValueError(f"{class_name}: {text}. Give it one in __init__, or define hyperparameters().")
        return rule

    # ---- updates by the rule ------------------------------------------------------------------------

    def _update_group(self, group: Group, gradients: Sequence[Any], numbers: Sequence[Any], factor: float) -> None:
        if self._live:
            self._flag_all_rows(group.variables)
        group.update(self.rule, gradients, numbers, factor)

    def _flag_all_rows(self, variables: Sequence[Variable]) -> None:
        for variable in variables:
            slot_flags = self._live.get(self._positions[id(variable)])
            if slot_flags is not None and is_state_recorded():
                slot_flags.assign(np.full(slot_flags._array.shape, _EIGHT_ROW_FLAGS_SET))
            elif slot_flags is not None:
                slot_flags._array.fill(_EIGHT_ROW_FLAGS_SET)

    @property
    def _zero_gradient_mode(self) -> int:
        """The effect of a zero gradient on a row of a variable, one of the constants ``ZERO_GRADIENT_...``."""
        mode: int = self.rule.zero_gradient
        # 0 / 0 is NaN, in the dense update too.
        has_no_epsilon = mode == ZERO_GRADIENT_RESTS_AT_ZERO_SLOTS and not getattr(self, "epsilon", 1.0)
        return ZERO_GRADIENT_MOVES if has_no_epsilon else mode

    def _update_rows(self, position: int, rows: SummedRows, numbers: Sequence[Any]) -> None:
        state = [self._trainable_variables[position], *self._slots_of(position)]
        rule, mode, flags = self.rule, self._zero_gradient_mode, self._row_flags(position)
        if isinstance(rows.sums, Tensor):
            operation, attributes = update_rows, {"rule": rule.key, "moves": mode}
            if flags is not None:
                state, operation, attributes = [*state, flags], update_live_rows, {"rule": rule.key}
            assign_all(state, operation(*[variable._read() for variable in state], *rows, *numbers, **attributes))
            return
        arrays, flag_array = [variable._array for variable in state], None if flags is None else flags._array
        if is_half(arrays[0].dtype):
            self._update_rows_in_float32(arrays, rows, numbers, mode, flag_array)
        else:
            rule.update_rows(mode, arrays, rows.sums, rows.ids, numbers, flag_array, rows.number)

    def _update_slot_flags(self, variables: Sequence[Variable]) -> None:
        for variable in variables:
            self._row_flags(self._positions[id(variable)])

    def _row_flags(self, position: int) -> Variable | None:
        """Returns the flags of nonzero slots of a variable, up to date; None if a zero gradient has another effect."""
        is_flagged = self._zero_gradient_mode == ZERO_GRADIENT_RESTS_AT_ZERO_SLOTS
        return self._nonzero_slot_flags(position, self._slots_of(position)) if is_flagged else None

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
        gradient = np.zeros((len(row_ids), *arrays[0].shape[1:]), np.float32)
        gradient[np.searchsorted(row_ids, row_gradient.ids)] = row_gradient.sums
        kernel, units = self.rule.variables_kernel["float32"], unit_count([gradient])
        state = [[array] for array in arrays]
        update_in_float32(lambda *lists: kernel(*lists, 0, units, *numbers), state, [gradient], row_ids)

    def _nonzero_slot_flags(self, position: int, slots: Sequence[Any]) -> Variable:
        """Returns one byte per row, set if a slot is not zero; the kernel also sets bytes of rows with gradients."""
        variable = self._live.get(position)
        if variable is not None and not any(slot.rewritten for slot in slots):
            return variable
        rows = len(slots[0]._array)
        is_untrained = (
            not int(move_to_device(self._iterations._array, None))
            and not self._iterations.rewritten
            and variable is None
        )
        if variable is None:
            with hide_from_recorders(), device_scope_of(slots[0]._array), hidden_variable_scope():
                variable = self._live[position] = Variable(np.zeros(-(-rows // 8), np.uint64), trainable=False)
            for slot in slots:
                slot.live = variable
            self._invalidate_programs()  # existing programs do not set the flags of rows that they update
        if not is_untrained or any(slot.rewritten for slot in slots):
            words = np.zeros(variable._array.shape, np.uint64)
            flags = words.view(np.uint8)
            for slot in slots:
                table = move_to_device(slot._array, None).reshape(rows, -1)
                for start in range(0, rows, _ROWS_PER_NONZERO_TEST):
                    flags[start : min(start + _ROWS_PER_NONZERO_TEST, rows)] |= (
                        table[start : start + _ROWS_PER_NONZERO_TEST] != 0
                    ).any(axis=1)
                slot.rewritten = False
            with hide_from_recorders():
                variable.assign(words)
        return variable
