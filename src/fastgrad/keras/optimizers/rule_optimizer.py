"""``RuleOptimizer``: optimizers whose step is an update rule, a scalar function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from fastgrad.core.variable import Variable
from fastgrad.keras.optimizers.kernel_optimizer import KernelOptimizer
from fastgrad.keras.optimizers.variable import OptimizerVariable
from fastgrad.kernels.optimizers.update_rule import UpdateRule


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
    """

    slot_names: Mapping[str, str] = MappingProxyType({})

    def build(self, variables: Sequence[Variable]) -> None:
        """Makes the slots of ``variables``, one of each kind for each variable.

        Raises:
            TypeError: ``rule`` is not an update rule.
            ValueError: the rule takes a hyper-parameter that the optimizer does not have.
        """
        if self.built:
            return
        rule = self._checked_rule()
        names = [self.slot_names.get(slot, slot) for slot in rule.slots]
        super().build(variables)
        self._slots = self._new_slots(variables, names)

    def _new_slots(self, variables: Sequence[Variable], names: list[str]) -> list[list[OptimizerVariable]]:
        """Makes the slots, variable by variable; returns for each name the slots of all variables."""
        first = [self.initial_value(name) for name in names]
        return [*self.add_optimizer_variables(variables, names, first)]

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
        if name not in names:
            raise ValueError(f"{type(self).__name__} has no slot {name!r}; its slots are {names}, once it is built.")
        return list(self._slots[names.index(name)])

    def _checked_rule(self) -> UpdateRule:
        rule, class_name = self.rule, type(self).__name__
        if not isinstance(rule, UpdateRule):
            raise TypeError(
                f"{class_name}: its attribute `rule` must be an update rule, a function declared with "
                f"@keras.optimizers.update_rule; got {rule!r}."
            )
        if type(self).hyperparameters is RuleOptimizer.hyperparameters:
            missing = [n for n in rule.hyper_numbers if n not in ("learning_rate", "step") and not hasattr(self, n)]
            if missing:
                raise ValueError(
                    f"{class_name}: the update rule {rule.__name__!r} takes {', '.join(missing)}, but the optimizer has no such "
                    "attribute. Give it one in __init__, or define hyperparameters(learning_rate, step)."
                )
        return rule
