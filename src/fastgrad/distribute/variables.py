"""Variables of which each replica has a copy, with a rule for combining the values of the replicas."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastgrad.core.eager import VariableAggregation, VariableSynchronization
from fastgrad.core.placement import moved
from fastgrad.core.recording import hidden_from_recorders, state_is_recorded
from fastgrad.core.replicas import replica_group
from fastgrad.core.tensor import Tensor
from fastgrad.core.variable import Variable, write
from fastgrad.distribute.objects import allgather_object, broadcast_object
from fastgrad.distribute.reduce_op import ReduceOp, reduced_structure
from fastgrad.errors import InvalidArgumentError
from fastgrad.ops.casting import cast
from fastgrad.ops.collectives import all_reduce, broadcast


def broadcast_to_variables(variables: Sequence[Variable], root: int = 0) -> None:
    """Gives variables the values that they have in the process ``root``; all numbers travel in one message.

    Args:
        variables: the same variables in the same order in all processes.
        root: a rank.

    Raises:
        InvalidArgumentError: processes give variables of other shapes or dtypes.
    """
    if state_is_recorded():
        for variable in variables:
            Variable.assign(variable, broadcast(variable._read_as_stored(), root))
        return
    with hidden_from_recorders():
        arrays = [moved(variable._array, None) for variable in variables]
        _check_same_in_all(
            [(variable.name, array.shape, array.dtype.name) for variable, array in zip(variables, arrays, strict=True)]
        )
        texts = [number for number, array in enumerate(arrays) if array.dtype == object]
        numbers = [number for number, array in enumerate(arrays) if array.dtype != object]
        values: dict[int, Any] = {}
        if numbers:
            parts = [np.ascontiguousarray(arrays[number]).reshape(-1).view(np.uint8) for number in numbers]
            sent = broadcast(Tensor(np.concatenate(parts)), root)._on_host()
            ends = np.cumsum([part.size for part in parts])[:-1]
            for number, part in zip(numbers, np.split(sent, ends), strict=True):
                values[number] = part.copy().view(arrays[number].dtype).reshape(arrays[number].shape)
        if texts:
            values.update(broadcast_object({number: arrays[number] for number in texts}, root))
        for number, variable in enumerate(variables):
            write(variable._memory_for_write(), values[number])


def _check_same_in_all(descriptions: list[tuple[str, tuple[int, ...], str]]) -> None:
    """Raises InvalidArgumentError in all processes if variables differ; a description is a name, a shape and a dtype."""
    checksum = zlib.crc32(repr([description[1:] for description in descriptions]).encode())
    lowest, highest = all_reduce([np.array([checksum, -checksum], np.int64)], "min")[0].numpy()
    if lowest == -highest:
        return
    lists = allgather_object(descriptions)
    for rank, other in enumerate(lists):
        for first, second in itertools.zip_longest(lists[0], other):
            if first is None or second is None or first[1:] != second[1:]:
                raise InvalidArgumentError(
                    f"broadcast of variables: rank 0 has {_as_text(first)}, rank {rank} has {_as_text(second)}. "
                    "Make the same variables in the same order in all processes."
                )


def _as_text(description: tuple[str, tuple[int, ...], str] | None) -> str:
    return (
        "no further variable" if description is None else "variable '{}' of shape {} and dtype {}".format(*description)
    )


class ReplicaVariable(Variable):
    """A variable made in the scope of a strategy with several replicas, with ``aggregation`` or ``synchronization``.

    With ``ON_WRITE`` synchronization, replicas combine the values that they assign in ``strategy.run``. With ``ON_READ`` each replica
    assigns its own value, and reads outside of ``strategy.run`` combine them. As in TensorFlow, ``ONLY_FIRST_REPLICA`` means
    the first replica of each process.

    Attributes:
        aggregation: how values are combined.
        synchronization: when values are combined.
    """

    aggregation: VariableAggregation
    synchronization: VariableSynchronization
    _replica_count: int

    # ---- reading -------------------------------------------------------------------------------------

    def _is_combined_at_read(self) -> bool:
        return self.synchronization is VariableSynchronization.ON_READ and not _is_in_replica()

    def _combined_at_read(self, tensor: Tensor) -> Tensor:
        if self.aggregation is VariableAggregation.ONLY_FIRST_REPLICA:
            return tensor
        if self.aggregation is VariableAggregation.NONE:
            raise ValueError(
                f"The variable '{self.name}' has synchronization=ON_READ and aggregation=NONE: its replicas have no common value. "
                "Read it in strategy.run, or make it with aggregation=tf.VariableAggregation.SUM."
            )
        return self._reduced(tensor)

    def _reduced(self, tensor: Tensor) -> Tensor:
        return reduced_structure(ReduceOp[self.aggregation.name], tensor, self._replica_count)

    def _read(self) -> Tensor:
        value = super()._read()
        return self._combined_at_read(value) if self._is_combined_at_read() else value

    def _read_as_stored(self) -> Tensor:
        return super()._read()

    def value(self) -> Tensor:
        """Returns the current value; outside of ``strategy.run`` the common value of all replicas."""
        value = super().value()
        return self._combined_at_read(value) if self._is_combined_at_read() else value

    read_value = value

    def numpy(self) -> Any:
        """Returns ``value()`` as a NumPy array."""
        return self.value().numpy() if self._is_combined_at_read() else super().numpy()

    def _value_to_save(self) -> np.ndarray:
        return np.asarray(self.numpy())

    def __getitem__(self, key: Any) -> Tensor:
        return self.value()[key]

    # ---- writing -------------------------------------------------------------------------------------

    def assign(self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Any:
        """Assigns a value, combined over the replicas if the variable is not ``ON_READ``."""
        tensor = self._converted("assign", value)
        if self.synchronization is VariableSynchronization.ON_READ:
            if self.aggregation is VariableAggregation.SUM and not _is_in_replica():
                tensor = cast(tensor / self._replica_count, tensor.dtype)  # their sum is the value
        else:
            tensor = self._combined_at_write(tensor)
        return super().assign(tensor, read_value=read_value)

    def _update(self, ufunc: Any, operation_name: str, delta: Any, read_value: bool) -> Any:
        tensor = self._converted(operation_name, delta)
        if self.synchronization is not VariableSynchronization.ON_READ:
            tensor = self._combined_at_write(tensor)
        elif self.aggregation is VariableAggregation.SUM and not _is_in_replica():
            raise ValueError(
                f"SyncOnReadVariable does not support `{operation_name}` in cross-replica context when aggregation is set to "
                f"`tf.VariableAggregation.SUM`. Call it in strategy.run. (variable '{self.name}')"
            )
        if self._must_change_by_operations():
            value = self._read_as_stored()
            return super().assign(value + tensor if ufunc is np.add else value - tensor, read_value=read_value)
        return super()._update(ufunc, operation_name, tensor, read_value)

    def _combined_at_write(self, tensor: Tensor) -> Tensor:
        is_reduced = self.aggregation in (VariableAggregation.SUM, VariableAggregation.MEAN)
        return self._reduced(tensor) if is_reduced and _is_in_replica() else tensor


def _refusal(method: str) -> Callable[..., Any]:
    def refuse(self: ReplicaVariable, *arguments: Any, **options: Any) -> Any:
        raise NotImplementedError(
            f"{method}: a variable with `synchronization=ON_READ` or an `aggregation` doesn't support it. "
            f"Use assign, assign_add or assign_sub. (variable '{self.name}')"
        )

    refuse.__name__, refuse.__doc__ = method, "Raises NotImplementedError: replicas combine whole values only."
    return refuse


for _method in [name for name in dir(Variable) if name.startswith(("scatter_", "batch_scatter_"))]:
    setattr(ReplicaVariable, _method, _refusal(_method))


def _is_in_replica() -> bool:
    group = replica_group()
    return group.strategy is not None and not group.is_cross_replica


def make_replica_variable(variable: Variable, synchronization: Any, aggregation: Any) -> None:
    """Gives a new variable of a scope the value of the first replica, and the rule for combining values.

    Raises:
        ValueError: the mean of integers is asked for.
    """
    aggregation = VariableAggregation.NONE if aggregation is None else VariableAggregation[aggregation.name]
    is_on_read = getattr(synchronization, "name", None) == "ON_READ"
    if aggregation is VariableAggregation.MEAN and not variable.dtype.is_floating:
        raise ValueError(
            "creating distributed tf.Variable with aggregation=MEAN and a non-floating dtype is not supported, please use a "
            f"different aggregation or dtype, got {variable.dtype.name}."
        )
    if replica_group().size > 1:
        broadcast_to_variables([variable])
    if type(variable) is Variable and (is_on_read or aggregation is not VariableAggregation.NONE):
        variable.__class__ = ReplicaVariable
        variable._replica_count = replica_group().size  # type: ignore[attr-defined]
        variable.aggregation = aggregation  # type: ignore[attr-defined]
        variable.synchronization = (  # type: ignore[attr-defined]
            VariableSynchronization.ON_READ if is_on_read else VariableSynchronization.ON_WRITE
        )
