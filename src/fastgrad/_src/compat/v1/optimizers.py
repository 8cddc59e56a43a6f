"""The optimizers of TensorFlow 1 (``tf.train.AdamOptimizer`` ...), and the global step.

The formulas are those of Keras, with these differences: Adam's epsilon is 1e-8; Adagrad has no epsilon; RMSProp's mean
square starts at 1 and its epsilon is 1e-10; momentum multiplies the accumulated sum by the learning rate. Each call may
update other variables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import checked_number
from fastgrad._src.core.restoration import restore_deferred_values
from fastgrad._src.core.tape import GradientTape
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.keras.optimizers.adagrad import Adagrad
from fastgrad._src.keras.optimizers.adam import Adam
from fastgrad._src.keras.optimizers.rmsprop import RMSprop
from fastgrad._src.keras.optimizers.rule_optimizer import RuleOptimizer
from fastgrad._src.keras.optimizers.sgd import SGD
from fastgrad._src.kernels.optimizers import optimizers as rules
from fastgrad._src.kernels.optimizers.update_rule import ZERO_GRADIENT_RESTS, UpdateRule


class Optimizer:
    """The base class of TensorFlow 1's optimizers.

    Args:
        learning_rate: a number, a tensor or variable that is read at each step, or a function without arguments.
        make: creates the Keras optimizer that makes the steps, from the learning rate.
        name: the result of ``get_name``.

    Raises:
        ValueError: a number is not finite, is negative or is out of range.
    """

    def __init__(self, learning_rate: Any, make: Callable[[Any], RuleOptimizer], name: str) -> None:
        self._name = name
        rate = learning_rate
        if isinstance(rate, (Tensor, Variable)):
            rate = lambda: learning_rate
        elif not callable(rate):
            rate = checked_number(type(self).__name__, "learning_rate", rate)
        self._keras_optimizer = make(rate)
        self._keras_optimizer._takes_new_variables = True

    def get_name(self) -> str:
        """Returns the name of the optimizer."""
        return self._name

    def variables(self) -> list[Any]:
        """Returns all slots created so far."""
        optimizer = self._keras_optimizer
        others = optimizer._iterations, optimizer._learning_rate
        return [variable for variable in optimizer.variables if not any(variable is other for other in others)]

    def _saved_variables(self) -> dict[str, Variable]:
        slots = {str(position): slot for position, slot in enumerate(self.variables())}
        return {**slots, "steps": self._keras_optimizer._iterations}

    def apply_gradients(
        self,
        grads_and_vars: Iterable[tuple[Any, Variable]],
        global_step: Variable | None = None,
        name: str | None = None,
    ) -> None:
        """Updates variables by their gradients.

        Args:
            grads_and_vars: pairs of a gradient and its variable; pairs without a gradient (None) are skipped.
            global_step: a variable that is incremented by 1.
            name: kept for TensorFlow's signature.

        Raises:
            ValueError: there is no pair, or no gradient.
            InvalidArgumentError: a gradient does not fit its variable. After an error, nothing is changed.
        """
        pairs = list(grads_and_vars)
        if not pairs:
            raise ValueError("No variables provided.")
        pairs_with_gradient = [(gradient, variable) for gradient, variable in pairs if gradient is not None]
        if not pairs_with_gradient:
            raise ValueError(f"No gradients provided for any variable: {[str(variable) for _, variable in pairs]}.")
        optimizer = self._keras_optimizer
        if "_deferred" in self.__dict__:
            new_variables = [
                variable for _, variable in pairs_with_gradient if id(variable) not in optimizer._positions
            ]
            if new_variables:
                optimizer.build(new_variables)
                restore_deferred_values(self)
        optimizer.apply_gradients(pairs_with_gradient)
        if global_step is not None:
            global_step.assign_add(1)

    def compute_gradients(
        self,
        loss: Any,
        var_list: Sequence[Variable] | None = None,
        gate_gradients: Any = None,
        aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False,
        grad_loss: Any = None,
    ) -> list[tuple[Any, Variable]]:
        """Returns pairs of a gradient (or None) and its variable.

        Args:
            loss: a function without arguments that returns the loss.
            var_list: the variables; None for all trainable variables that ``loss`` reads.
            gate_gradients, aggregation_method, colocate_gradients_with_ops: kept for TensorFlow's signature.
            grad_loss: the gradient of the loss, default 1.

        Raises:
            RuntimeError: ``loss`` is not a function.
        """
        if not callable(loss):
            raise RuntimeError(
                "`loss` passed to Optimizer.compute_gradients should be a function when eager execution is enabled."
            )
        with GradientTape() as tape:
            value = loss()
        variables = list(tape.watched_variables() if var_list is None else var_list)
        return list(zip(tape.gradient(value, variables, grad_loss), variables, strict=True))

    def minimize(
        self,
        loss: Any,
        global_step: Variable | None = None,
        var_list: Sequence[Variable] | None = None,
        gate_gradients: Any = None,
        aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False,
        name: str | None = None,
        grad_loss: Any = None,
    ) -> None:
        """Calls ``apply_gradients(compute_gradients(loss, var_list), global_step)``.

        Raises:
            RuntimeError: ``loss`` is not a function.
            ValueError: ``loss`` depends on no variable.
        """
        pairs = self.compute_gradients(loss, var_list, grad_loss=grad_loss)
        if all(gradient is None for gradient, _ in pairs):
            raise ValueError(
                f"No gradients provided for any variable, check your graph for ops that do not support gradients, between "
                f"variables {[str(variable) for _, variable in pairs]} and loss {loss}."
            )
        self.apply_gradients(pairs, global_step)


class GradientDescentOptimizer(Optimizer):
    """Gradient descent: ``w -= rate * g``.

    Args:
        learning_rate: see ``Optimizer``.
        use_locking: kept for TensorFlow's signature.
        name: see ``Optimizer``.
    """

    def __init__(self, learning_rate: Any, use_locking: bool = False, name: str = "GradientDescent") -> None:
        super().__init__(learning_rate, lambda rate: SGD(rate, name=name), name)


class MomentumOptimizer(Optimizer):
    """Momentum: ``a = momentum * a + g; w -= rate * a``; Nesterov: ``w -= rate * (g + momentum * a)``.

    Args:
        learning_rate: see ``Optimizer``.
        momentum: the decay of the accumulated sum per step.
        use_locking: kept for TensorFlow's signature.
        name: see ``Optimizer``.
        use_nesterov: whether to use Nesterov's momentum.
    """

    def __init__(
        self,
        learning_rate: Any,
        momentum: float,
        use_locking: bool = False,
        name: str = "Momentum",
        use_nesterov: bool = False,
    ) -> None:
        super().__init__(
            learning_rate,
            lambda rate: _Momentum(
                rate, checked_number("MomentumOptimizer", "momentum", momentum), use_nesterov, name=name
            ),
            name,
        )


class AdamOptimizer(Optimizer):
    """Adam; see ``tf.optimizers.Adam``.

    Args:
        learning_rate: see ``Optimizer``.
        beta1, beta2: the decay rates of the moments per step.
        epsilon: added to the square root of the second moment.
        use_locking: kept for TensorFlow's signature.
        name: see ``Optimizer``.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        use_locking: bool = False,
        name: str = "Adam",
    ) -> None:
        super().__init__(learning_rate, lambda rate: Adam(rate, beta1, beta2, epsilon, name=name), name)


class RMSPropOptimizer(Optimizer):
    """RMSprop; see ``tf.optimizers.RMSprop``. A sparse gradient only updates its rows.

    Args:
        learning_rate: see ``Optimizer``.
        decay: the decay of the mean square per step.
        momentum: the part of the last step that is added to the next step.
        epsilon: added inside of the square root.
        use_locking: kept for TensorFlow's signature.
        centered: whether to also track the mean gradient.
        name: see ``Optimizer``.
    """

    def __init__(
        self,
        learning_rate: Any,
        decay: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-10,
        use_locking: bool = False,
        centered: bool = False,
        name: str = "RMSProp",
    ) -> None:
        super().__init__(
            learning_rate, lambda rate: _RMSProp(rate, decay, momentum, epsilon, centered, name=name), name
        )


class AdagradOptimizer(Optimizer):
    """Adagrad: ``a += g**2; w -= rate * g / sqrt(a)``.

    Args:
        learning_rate: see ``Optimizer``.
        initial_accumulator_value: the initial sum of squares, above 0.
        use_locking: kept for TensorFlow's signature.
        name: see ``Optimizer``.
    """

    def __init__(
        self,
        learning_rate: Any,
        initial_accumulator_value: float = 0.1,
        use_locking: bool = False,
        name: str = "Adagrad",
    ) -> None:
        if initial_accumulator_value <= 0:
            raise ValueError(f"initial_accumulator_value must be positive: {initial_accumulator_value}")
        super().__init__(learning_rate, lambda rate: Adagrad(rate, initial_accumulator_value, 0.0, name=name), name)


class _Momentum(SGD):
    @property
    def rule(self) -> UpdateRule:
        keras_rule = super().rule
        accumulating_rules = {rules.momentum: rules.accumulated_momentum, rules.nesterov: rules.accumulated_nesterov}
        return accumulating_rules.get(keras_rule, keras_rule)


class _RMSProp(RMSprop):
    @property
    def _zero_gradient_mode(self) -> int:
        return ZERO_GRADIENT_RESTS  # like TensorFlow 1's sparse update

    def initial_value(self, slot: str) -> Any:
        return 1.0 if slot == "velocity" else super().initial_value(slot)


_global_steps: list[Variable] = []


def get_global_step(graph: Any = None) -> Variable | None:
    """Returns the global step, None if it is not created yet; ``graph`` is kept for TensorFlow's signature."""
    return _global_steps[0] if _global_steps else None


def get_or_create_global_step(graph: Any = None) -> Variable:
    """Returns the global step, an int64 variable that starts at 0; ``graph`` is kept for TensorFlow's signature."""
    if not _global_steps:
        _global_steps.append(Variable(0, trainable=False, name="global_step", dtype=dtypes.int64))
    return _global_steps[0]
