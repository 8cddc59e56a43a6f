"""``tf.train.ExponentialMovingAverage``: moving averages of variables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastgrad._src.core.argument_checks import check_type, refuse
from fastgrad._src.core.dtypes import as_dtype, float32
from fastgrad._src.core.tensor import convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.ops.arithmetic import minimum
from fastgrad._src.ops.casting import cast


class ExponentialMovingAverage:
    """Keeps a moving average of each variable, in a variable that is not trained.

    Each call of ``apply`` does ``average -= (1 - decay) * (average - variable)``.

    Args:
        decay: a number, a scalar tensor or variable: the fraction of the average that each update keeps.
        num_updates: the number of updates so far, a number, tensor or variable. It limits the decay to
            ``(1 + num_updates) / (10 + num_updates)``, so that averages move faster at first. None: no such limit.
        zero_debias: kept for TensorFlow's signature: an average begins with the value of its variable, so it has no bias.
        name: the suffix of the averages' names.
    """

    def __init__(
        self, decay: Any, num_updates: Any = None, zero_debias: bool = False, name: str = "ExponentialMovingAverage"
    ) -> None:
        self._decay = decay
        self._num_updates = num_updates
        self._zero_debias = zero_debias
        self._name = name
        self._averages: dict[Any, Variable] = {}

    @property
    def name(self) -> str:
        """The end of the averages' names."""
        return self._name

    def apply(self, var_list: Iterable[Variable] | None = None) -> None:
        """Makes the averages of new variables, which begin with their values, and moves all averages of the list.

        Args:
            var_list: variables of floats. None: no variables, because there is no list of all variables.

        Raises:
            TypeError: one is no variable, or not of floats.
        """
        variables = [] if var_list is None else list(var_list)
        for variable in variables:
            check_type("ExponentialMovingAverage.apply", "a variable", Variable, variable=variable)
            if not as_dtype(variable.dtype).is_floating:
                refuse("ExponentialMovingAverage.apply", "expected variables of floats", TypeError, variable=variable)
        decay = convert_to_tensor(self._decay, float32)
        if self._num_updates is not None:
            count = cast(self._num_updates, float32)
            decay = minimum(decay, (1.0 + count) / (10.0 + count))
        for variable in variables:
            average = self._averages.get(variable.ref())
            if average is None:
                average = Variable(variable.read_value(), trainable=False, name=self.average_name(variable))
                self._averages[variable.ref()] = average
            average.assign_sub((average - variable) * cast(1.0 - decay, as_dtype(average.dtype)))

    def average(self, var: Variable) -> Variable | None:
        """Returns the variable that holds the average of a variable; None if it has none."""
        return self._averages.get(var.ref())

    def average_name(self, var: Variable) -> str:
        """Returns the name of the average of a variable, which need not exist yet."""
        return f"{var.name.partition(':')[0]}/{self._name}"

    def variables_to_restore(self, moving_avg_variables: Iterable[Variable] | None = None) -> dict[str, Variable]:
        """Returns variables by the names of their averages.

        Args:
            moving_avg_variables: the variables. None: those that have averages.
        """
        if moving_avg_variables is None:
            moving_avg_variables = [reference.deref() for reference in self._averages]
        return {self.average_name(variable): variable for variable in moving_avg_variables}
