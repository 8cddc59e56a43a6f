"""Optimizers by an update rule, a scalar function of a variable, its slots, its gradient and hyper-parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from fastgrad.keras.optimizers.kernel_optimizer import KernelOptimizer
from fastgrad.keras.optimizers.variable import OptimizerVariable
from fastgrad.kernels.optimizers.update_rule import UpdateRule
from fastgrad.variable import Variable


class RuleOptimizer(KernelOptimizer):
    """The base of optimizers that are defined by an update rule, as all of fastgrad's own are.

    A subclass has an attribute, or a property, ``rule`` (see ``update_rule``), and an attribute for each of the rule's
    hyper-parameters::

        class Lion(RuleOptimizer):
            rule = lion

            def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.99, **kwargs):
                super().__init__(learning_rate=learning_rate, **kwargs)
                self.beta_1, self.beta_2 = beta_1, beta_2

    The rule runs eagerly as one kernel for all variables, and in compiled steps inside the loops that make the gradients.
    Weight decay, clipping, averages, gradient accumulation, loss scaling and schedules are those of ``Optimizer``.

    Gradients that are ``IndexedSlices`` give the dense gradient's result (repeated rows are summed first) without
    making it. Rows that a zero gradient would leave as they are cost nothing, if the rule says so (its ``zero_gradient``):
    with SGD and Adagrad all rows that have no gradient; with slots that fade (momentum, Adam, RMSprop and most others) those
    that never had one, while rows that once had one go on moving, as they do under a dense gradient.

    Args:
        learning_rate, and further ones: see ``Optimizer``.

    Attributes:
        rule: the update rule; its slots may depend on the options that the optimizer has when it is built.
        slot_names: the names of slot variables, by the names of the rule's parameters, where they differ.
    """

    slot_names: Mapping[str, str] = MappingProxyType({})

    def build(self, variables: Sequence[Variable]) -> None:
        """Makes the slots of ``variables``, one of each kind for each variable.

        Raises:
            TypeError: ``rule`` is no update rule.
            ValueError: the rule takes a hyper-parameter that the optimizer does not have.
        """
        if self.built:
            return
        rule = self._checked_rule()
        names = [self.slot_names.get(slot, slot) for slot in rule.slots]
        super().build(variables)
        self._slots = self._made_slots(variables, names)

    def _made_slots(self, variables: Sequence[Variable], names: list[str]) -> list[list[OptimizerVariable]]:
        """For each name the slots of all variables, made variable by variable."""
        first = [self.initial_value(name) for name in names]
        return [*self.add_optimizer_variables(variables, names, first)]

    def initial_value(self, slot: str) -> Any:
        """What the elements of a slot start with: a number, an initializer, or the name of one.

        Args:
            slot: the name of the slot variable.
        """
        return "zeros"

    def hyperparameters(self, learning_rate: Any, step: Any) -> tuple[Any, ...]:
        """The values of the rule's hyper-parameters, in their order, ``x`` for one that is named ``one_minus_x``.

        By default ``learning_rate`` and ``step`` themselves, and for each other name the attribute of that name. A subclass may
        compute them, by operators alone: while a compiled step is recorded, the arguments and the numbers among the
        attributes of ``self`` are float64 tensors, so that other numbers need no other program.

        Args:
            learning_rate: of this update.
            step: the number of this update, counted from 1.
        """
        values: tuple[Any, ...] = self.rule.values(self, learning_rate, step)
        return values

    def slot(self, name: str) -> list[OptimizerVariable]:
        """The slot variables of a name, in the order of the variables that the optimizer was built with.

        Raises:
            ValueError: there is no such slot.
        """
        names = [self.slot_names.get(slot, slot) for slot in self.rule.slots] if self.built else []
        if name not in names:
            raise ValueError(f"{type(self).__name__} has no slot {name!r}; its slots are {names}, once it is built.")
        return list(self._slots[names.index(name)])

    def _checked_rule(self) -> UpdateRule:
        rule, kind = self.rule, type(self).__name__
        if not isinstance(rule, UpdateRule):
            raise TypeError(
                f"{kind}: its attribute `rule` must be an update rule, a function declared with "
                f"@keras.optimizers.update_rule; got {rule!r}."
            )
        if type(self).hyperparameters is RuleOptimizer.hyperparameters:
            missing = [n for n in rule.hyper_numbers if n not in ("learning_rate", "step") and not hasattr(self, n)]
            if missing:
                raise ValueError(
                    f"{kind}: the update rule {rule.__name__!r} takes {', '.join(missing)}, but the optimizer has no such "
                    "attribute. Give it one in __init__, or define hyperparameters(learning_rate, step)."
                )
        return rule
