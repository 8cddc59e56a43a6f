"""``Metric``: a number computed from all batches since the last reset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import check_length, require
from fastgrad._src.core.names import missing_member_getattr
from fastgrad._src.core.replicas import (
    ALONE,
    ReplicaGroup,
    current_step_rows,
    in_replica,
    replica_group,
    replica_group_scope,
)
from fastgrad._src.core.tensor import constant_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.keras import dtype_policy, initializers, naming, settings
from fastgrad._src.keras.configured import Configured, SetByInit
from fastgrad._src.keras.naming import auto_name
from fastgrad._src.keras.ownership import ObjectTracker, count_tracking_change
from fastgrad._src.keras.weight import Weight, aggregation_rule
from fastgrad._src.ops.replica_messages import common_values


def _over_all_replicas(result: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps ``result`` so that one message joins all variables of the replicas, outside of steps or if the step asks for it."""

    @wraps(result)
    def joined_result(self: Metric, *args: Any, **kwargs: Any) -> Any:
        if self._replicas.size == 1:
            return result(self, *args, **kwargs)
        step = current_step_rows()
        joins = step is not None and step.joins_metrics
        with (
            replica_group_scope(self._replicas if joins or not in_replica() else replica_group()),
            common_values(self._replicas, self.variables, purpose=f"the result of {self.name}"),
        ):
            return result(self, *args, **kwargs)

    return joined_result


class Metric(Configured, ObjectTracker):
    """The base of metrics: subclasses make variables in ``__init__`` and define ``update_state`` and ``result``.

    Args:
        dtype: the dtype of the result; default ``floatx()``.
        name: default the class's name, numbered.
    """

    __getattr__ = missing_member_getattr

    is_keras_metric = True
    name: Any = SetByInit()
    _dtype: Any = SetByInit()
    _direction: str | None = None  # "up" if greater values are better, "down" if smaller ones are
    _own_variables: list[Any]
    _submetrics: list[Any]
    _replicas = ALONE

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "result" in cls.__dict__:
            cls.result = _over_all_replicas(cls.__dict__["result"])  # type: ignore[method-assign]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Returns a metric that can own variables before its class's ``__init__`` calls ``Metric.__init__``."""
        metric = super().__new__(cls)
        metric.__dict__.update(_own_variables=[], _submetrics=[])
        return metric

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        require(isinstance(name, (str, type(None))), self, "`name` must be a text", TypeError, name=name)
        self.name = name or auto_name(type(self).__name__)
        self._dtype = dtype_policy.get(dtype or settings.floatx()).compute

    def _track_object(self, value: Any) -> None:
        store = self._submetrics if isinstance(value, Metric) else self._own_variables
        if isinstance(value, (Metric, Variable)) and not any(value is other for other in store):
            store.append(value)
            count_tracking_change()

    def _untrack_object(self, value: Any) -> None:
        for store in (self._submetrics, self._own_variables):
            store[:] = [item for item in store if item is not value]
        count_tracking_change()

    @property
    def dtype(self) -> str:
        """The name of the dtype."""
        return self._dtype.name

    @property
    def variables(self) -> list[Any]:
        """The variables, with those of metrics set as attributes."""
        return [*self._own_variables, *[variable for metric in self._submetrics for variable in metric.variables]]

    def add_variable(
        self, shape: Any, initializer: Any, dtype: Any = None, aggregation: str = "sum", name: str | None = None
    ) -> Weight:
        """Returns a new variable of the metric; it is not trained.

        Args:
            shape, initializer, dtype, name: as in ``Layer.add_weight``.
            aggregation: how replicas of a strategy are joined: ``"sum"``, ``"mean"`` or ``"only_first_replica"``;
                ``"none"``: all replicas have the same value.
        """
        start = initializers.get("zeros" if initializer is None else initializer)
        # Each replica counts its own rows, so its metrics start without a message to the others.
        with naming.name_scope(self.name.replace("/", ">")), replica_group_scope(ALONE):
            variable = Weight(
                start, shape, dtype, trainable=False, aggregation=aggregation, synchronization="on_read", name=name
            )
        self._join_replicas([variable], replica_group())
        self._track_object(variable)
        self._restore_added_objects()
        return variable

    def _join_replicas(self, variables: Iterable[Any], group: ReplicaGroup) -> None:
        """Lets reads of variables outside of a step combine the values of all replicas of a strategy."""
        if group.size > 1:
            from fastgrad._src.distribute.variables import set_replica_aggregation

            self._replicas = group._replace(is_cross_replica=True)
            for variable in variables:
                if isinstance(variable, Weight):
                    set_replica_aggregation(variable, self._replicas, aggregation_rule(variable.aggregation).name)

    def add_weight(
        self, shape: Any = (), initializer: Any = None, dtype: Any = None, name: str | None = None
    ) -> Weight:
        """Returns a new variable of the metric, by default a scalar; see ``add_variable``."""
        return self.add_variable(shape, initializer, dtype, name=name)

    def reset_state(self) -> None:
        """Sets all variables to zero."""
        for variable in self.variables:
            variable.assign(constant_tensor(np.zeros(variable._array.shape, variable._array.dtype)))

    def update_state(self, *args: Any, **kwargs: Any) -> Any:
        """Updates the variables with one batch."""
        raise NotImplementedError(f"Metric {type(self).__name__} does not have an `update_state` method implemented.")

    def result(self) -> Any:
        """Returns the value so far, a scalar tensor."""
        raise NotImplementedError(f"Metric {type(self).__name__} does not have a `result` method implemented.")

    def stateless_update_state(self, metric_variables: Any, *args: Any, **kwargs: Any) -> list[Any]:
        """Returns the values that ``update_state`` would assign to the variables, without changing the variables.

        Args:
            metric_variables: an initial value for each of ``variables``.

        Raises:
            ValueError: another number of values.
        """
        with self._temporary_variable_values(metric_variables):
            self.update_state(*args, **kwargs)
            return [Variable.value(variable) for variable in self.variables]

    def stateless_result(self, metric_variables: Any) -> Any:
        """Returns ``result`` for these values of the variables; ValueError for another number of values."""
        with self._temporary_variable_values(metric_variables):
            result = self.result()
            return Variable.value(result) if isinstance(result, Variable) else result

    def stateless_reset_state(self) -> list[Any]:
        """Returns the values that ``reset_state`` would assign to the variables, without changing the variables."""
        with self._temporary_variable_values(self.variables):
            self.reset_state()
            return [Variable.value(variable) for variable in self.variables]

    @contextmanager
    def _temporary_variable_values(self, values: Any) -> Iterator[None]:
        """Sets the variables to ``values`` within a ``with`` block."""
        targets, new_values = self.variables, list(values)
        check_length(self, len(targets), metric_variables=new_values)
        old_values = [Variable.value(variable) for variable in targets]
        try:
            with replica_group_scope(
                self._replicas._replace(is_cross_replica=False)
            ):  # these values are of one replica
                for variable, value in zip(targets, new_values, strict=True):
                    variable.assign(value)
                yield
        finally:
            for variable, value in zip(targets, old_values, strict=True):
                Variable.assign(variable, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls ``update_state`` with the arguments, then returns ``result``."""
        self.update_state(*args, **kwargs)
        result = self.result()
        return Variable.value(result) if isinstance(result, Variable) else result

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments; of a user's class the name and the dtype."""
        return {"name": self.name, "dtype": self.dtype}

    def _saved_variables(self) -> dict[str, Variable]:
        """Returns the metric's own variables by their names in files."""
        variables_by_name: dict[str, Variable] = {}
        for position, variable in enumerate(self._own_variables):
            name = variable.name.split(":")[0]
            variables_by_name[name if name not in variables_by_name else f"{name}_{position}"] = variable
        return variables_by_name

    def _saved_children(self) -> dict[str, Any]:
        """Returns the inner metrics by their names in files."""
        return {f"metrics/{position}": metric for position, metric in enumerate(self._submetrics)}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"
