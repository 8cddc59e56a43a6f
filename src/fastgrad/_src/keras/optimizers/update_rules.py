"""Optimizers from a scalar function: ``update_rule`` declares the function, ``from_rule`` makes the class."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from types import FunctionType
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import check_type
from fastgrad._src.core.recording import recorders
from fastgrad._src.jit.body import digest, fingerprint
from fastgrad._src.jit.user_function import kernel_function, python_function
from fastgrad._src.keras.configured import add_get_config
from fastgrad._src.keras.optimizers.arguments import checked_number
from fastgrad._src.keras.optimizers.optimizer import SHARED_PARAMETERS
from fastgrad._src.keras.optimizers.rule_optimizer import RuleOptimizer
from fastgrad._src.kernels.optimizers.update_rule import (
    GRADIENT_PARAMETER_NAMES,
    ZERO_GRADIENT_MOVES,
    ZERO_GRADIENT_RESTS,
    ZERO_GRADIENT_RESTS_AT_ZERO_SLOTS,
    UpdateRule,
)

_ZERO_GRADIENT_MODES = {
    "moves": ZERO_GRADIENT_MOVES,
    "rests": ZERO_GRADIENT_RESTS,
    "rests_at_zero": ZERO_GRADIENT_RESTS_AT_ZERO_SLOTS,
}
_REFUSED_PARAMETER_NAMES = frozenset({"decay", "weight_decay"})


def update_rule(function: Any = None, *, zero_gradient: str = "moves") -> Any:
    """Declares the update rule of an optimizer, a scalar function that is compiled into one loop for each variable.

    The function's parameters are the variable, its slots, the gradient (named ``g``, ``grad`` or ``gradient``), and
    hyper-parameters. It returns the new variable and the new slots. All are numbers of the variable's dtype. For example::

        @update_rule
        def lion(w, momentum, g, learning_rate, beta_1, one_minus_beta_1, beta_2, one_minus_beta_2):
            direction = beta_1 * momentum + one_minus_beta_1 * g
            step = learning_rate if direction > 0 else -learning_rate
            return w - step, beta_2 * momentum + one_minus_beta_2 * g

    A hyper-parameter is ``learning_rate``, ``step`` (the number of the update, counted from 1), or the name of an attribute of
    the optimizer. ``one_minus_x`` is ``1 - x``, computed in float64. The optimizer does weight decay (before the rule) and
    clipping. Slots that are subnormal numbers become 0.

    The function is traced once for each path through its branches, as ``fg.elementwise`` does. Literal numbers take the dtype of
    the other operand. Calls use the kernels' own functions. Values from outside the function are those of the step.
    Numba compiles a function with a loop that depends on values directly; there numbers are float64 and int64.

    Args:
        function: a Python function, or one compiled by ``numba.njit``. It may call other scalar functions and those of ``math``.
        zero_gradient: the effect of the rule on an element with gradient 0, for gradients that are ``IndexedSlices``:
            "moves" (all rows are updated, as by a dense gradient), "rests" (the element and its slots do not change), or
            "rests_at_zero" (they do not change if the slots are 0, too). Rows that rest cost nothing.

    Returns:
        The rule, for ``RuleOptimizer`` and ``from_rule``; called with Python numbers it returns the function's result.

    Raises:
        TypeError: the function has no gradient parameter, or has a weight decay parameter (the optimizer decays weights); it
            returns another number of values than one plus the slots; it uses something that a kernel does not support.
        ValueError: ``zero_gradient`` is none of the three, or not what the function does.
    """
    if function is None:
        return lambda given: update_rule(given, zero_gradient=zero_gradient)
    owner = f"update rule {getattr(function, '__name__', function)!r}"
    if zero_gradient not in _ZERO_GRADIENT_MODES:
        raise ValueError(f"{owner}: zero_gradient must be one of {[*_ZERO_GRADIENT_MODES]}, got {zero_gradient!r}.")
    given = python_function(function)
    if given is None:
        raise TypeError(f"{owner}: expected a Python function or one compiled by numba.njit, got {function!r}.")
    _check_parameters(given, owner)
    return _UsersRule(given, zero_gradient, owner)


class _UsersRule(UpdateRule):
    """A rule that a user declared. An optimizer that reads it gets the rule for the values that its function reaches now.

    Args:
        function: the user's Python function.
        zero_gradient: as in ``update_rule``.
        owner: the name in errors.
    """

    def __init__(self, function: FunctionType, zero_gradient: str, owner: str) -> None:
        from fastgrad._src.derivatives.functions.snapshot import Snapshot  # slow to import: only if it is needed

        self._arguments = function, zero_gradient, owner
        self._reached = Snapshot([function])
        (frozen,) = self._reached.functions
        called, evaluated, computation_hash = _kernel_and_python_versions(frozen, self._reached, owner)
        key = f"{function.__name__} {computation_hash}"
        super().__init__(frozen, _ZERO_GRADIENT_MODES[zero_gradient], key=key, called=called)
        _check_results(self, evaluated, owner)
        _check_zero_gradient(self, evaluated, owner, zero_gradient)
        self._has_changed = self._reached.change_check()
        self._newest = self

    def __get__(self, optimizer: Any, owner: Any = None) -> _UsersRule:
        rule = self._newest
        if rule._has_changed():
            rule = self._newest = _UsersRule(*self._arguments)
        for recorder in recorders.active:
            recorder.on_dependency(rule._reached)
        return rule


def from_rule(
    rule: UpdateRule,
    name: str | None = None,
    *,
    slot_names: Mapping[str, str] | None = None,
    initial_values: Mapping[str, Any] | None = None,
    **defaults: float,
) -> type[RuleOptimizer]:
    """Returns a class of optimizers that use an update rule.

    Args:
        rule: the result of ``update_rule``.
        name: the class's name; by default the rule's name in camel case.
        slot_names: the names of slot variables by the names of the rule's parameters, where the two differ.
        initial_values: numbers or initializers, by the names of the slot variables; other slots start with 0.
        defaults: the default of each hyper-parameter except ``step``; ``learning_rate`` may be left out, its default is 0.001.

    Returns:
        A subclass of ``RuleOptimizer``. Its arguments are ``learning_rate``, the other hyper-parameters by name, and the options
        of ``Optimizer``.

    Raises:
        TypeError: ``rule`` is not an update rule; hyper-parameters are missing, or unknown to the rule.
        ValueError: a hyper-parameter has the name of an option, or a default is not a finite number.
    """
    check_type("from_rule", "an update rule, a function declared with @update_rule", UpdateRule, rule=rule)
    title = name or "".join(word.capitalize() for word in rule.__name__.split("_"))
    hyper_names = [number for number in rule.hyper_numbers if number not in ("learning_rate", "step")]
    rate = defaults.pop("learning_rate", 0.001)
    if set(defaults) != set(hyper_names):
        text = (
            f"has the hyper-parameters {hyper_names}, got defaults for {[*defaults]}. Give each one, x for one_minus_x"
        )
        raise TypeError(f"from_rule: the update rule {rule.__name__!r} {text}.")
    reserved_names = [number for number in hyper_names if number in SHARED_PARAMETERS or hasattr(RuleOptimizer, number)]
    if reserved_names:
        raise ValueError(f"from_rule: {', '.join(reserved_names)} is an attribute of all optimizers; rename it.")
    names_by_slot = {slot: (slot_names or {}).get(slot, slot) for slot in rule.slots}
    for argument, allowed_keys, argument_name in (
        (slot_names, [*names_by_slot], "slot_names"),
        (initial_values, [*names_by_slot.values()], "initial_values"),
    ):
        if argument is not None and not set(argument) <= set(allowed_keys):
            raise TypeError(f"from_rule: {argument_name} has {[*argument]}, but the slots are {allowed_keys}.")
    numbers = {number: checked_number(defaults[number], f"{title}: {number}", low=-math.inf) for number in hyper_names}

    def initialise_optimizer(self: Any, learning_rate: Any = rate, **options: Any) -> None:
        values = {number: options.pop(number, default) for number, default in numbers.items()}
        RuleOptimizer.__init__(self, learning_rate=learning_rate, **options)
        for number, value in values.items():
            setattr(self, number, checked_number(value, f"{title}: {number}", low=-math.inf))

    def initial_value(self: Any, slot: str) -> Any:
        return (initial_values or {}).get(slot, "zeros")

    optimizer_class = type(
        title,
        (RuleOptimizer,),
        {
            "__doc__": rule.__doc__,
            "__module__": sys._getframe(1).f_globals.get("__name__", __name__),
            "__init__": initialise_optimizer,
            "rule": rule,
            "slot_names": names_by_slot,
            "initial_value": initial_value,
        },
    )
    add_get_config(optimizer_class, tuple(numbers))
    return optimizer_class


# ---- checks at declaration ----------------------------------------------------------------------------------


def _check_parameters(function: FunctionType, owner: str) -> None:
    code = function.__code__
    names = code.co_varnames[: code.co_argcount]
    has_other_parameters = code.co_kwonlyargcount or code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)
    if has_other_parameters or function.__defaults__:
        text = "it has default values, *args, **kwargs or keyword-only parameters. Give each a name and no default"
        raise TypeError(f"{owner}: {text}; defaults of hyper-parameters are for the optimizer's class.")
    if len([name for name in names[1:] if name in GRADIENT_PARAMETER_NAMES]) != 1:
        gradient = f"named {', '.join(GRADIENT_PARAMETER_NAMES[:-1])} or {GRADIENT_PARAMETER_NAMES[-1]}"
        raise TypeError(f"{owner}: its parameters {names} must be the variable, slots, numbers, and one {gradient}.")
    reserved_names = sorted(_REFUSED_PARAMETER_NAMES.intersection(names))
    if reserved_names:
        text = "weights decay before every rule. Leave it out, and give weight_decay= to the optimizer"
        raise TypeError(f"{owner}: it has the parameter {reserved_names[0]}, but {text}.")


def _kernel_and_python_versions(
    function: FunctionType, reached: Any, owner: str
) -> tuple[Any, Callable[..., Any], str]:
    """Returns a rule's function for kernels, its version for Python numbers, and a hash of its computation."""
    from fastgrad._src.custom_operations.formula_function import formula_function, formulas_of

    formulas = None if reached.refusal else formulas_of(function)
    choice = None if formulas is None else formula_function(function.__name__, formulas)
    if formulas is None or choice is None:
        kernel_copy = kernel_function(function, owner)
        return kernel_copy, kernel_copy, fingerprint(kernel_copy)
    fingerprints = "".join(map(fingerprint, choice.functions_by_dtype.values()))
    return choice, _formula_evaluator(formulas["float64"]), digest(fingerprints.encode())


def _formula_evaluator(formulas: Sequence[Any]) -> Callable[..., tuple[float, ...]]:
    """Returns a function of numbers that evaluates ``formulas``."""

    def evaluate_formulas(*numbers: float) -> tuple[float, ...]:
        with np.errstate(all="ignore"):
            return tuple([formula.run(*[np.array([x]) for x in numbers]).item() for formula in formulas])

    return evaluate_formulas


def _check_results(rule: UpdateRule, evaluated: Callable[..., Any], owner: str) -> None:
    results = _results_for_numbers(rule, evaluated, owner, 0.75, 0.25, 0.5)
    if results is None:
        return
    expected = ", ".join(("variable", *rule.slots))
    if len(results) != len(rule.state):
        raise TypeError(f"{owner}: it must return the new values of {expected}; it returns {len(results)} values.")
    for value in results:
        if not isinstance(value, Real):
            raise TypeError(f"{owner}: it must return the new values of {expected}, numbers, got {value!r}.")


def _check_zero_gradient(rule: UpdateRule, evaluated: Callable[..., Any], owner: str, declared: str) -> None:
    if rule.zero_gradient == ZERO_GRADIENT_MOVES:
        return
    slot = 0.0 if rule.zero_gradient == ZERO_GRADIENT_RESTS_AT_ZERO_SLOTS else 0.25
    for weight in (0.75, -1.25):
        results = _results_for_numbers(rule, evaluated, owner, weight, slot, 0.0)
        old_values = (weight, *[slot] * len(rule.slots))
        if results is not None and results != old_values:
            text = f"with a gradient of 0 it makes {results} of {old_values}. Leave zero_gradient out"
            raise ValueError(f"{owner}: zero_gradient={declared!r}, but {text}, so that all rows are updated.")


def _results_for_numbers(
    rule: UpdateRule, evaluate: Callable[..., Any], owner: str, weight: float, slot: float, gradient: float
) -> tuple[Any, ...] | None:
    """Returns the rule's results for some numbers; None if the rule is not defined for them."""
    try:
        results = evaluate(weight, *[slot] * len(rule.slots), gradient, *[0.5] * len(rule.hyper))
    except (ArithmeticError, ValueError):
        return None
    except Exception as error:
        raise TypeError(f"{owner}: called with numbers it raised {type(error).__name__}: {error}") from error
    results = results if isinstance(results, tuple) else (results,)
    return None if any(isinstance(value, float) and not math.isfinite(value) for value in results) else results
