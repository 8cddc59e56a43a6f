"""Variables of which each replica has a copy, with a rule for combining the values of the replicas."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastgrad._src.core.eager import VariableAggregation, VariableSynchronization
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.placement import move_to_device
from fastgrad._src.core.recording import hide_from_recorders, is_state_recorded
from fastgrad._src.core.replicas import ReplicaGroup, in_replica, replica_group
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.variable import Variable, write_to_memory
from fastgrad._src.distribute.objects import allgather_object, broadcast_object
from fastgrad._src.distribute.reduce_op import ReduceOp, reduce_structure
from fastgrad._src.ops import namespace as ops


def broadcast_to_variables(variables: Sequence[Variable], root: int = 0) -> None:
    """Gives variables the values that they have in the process ``root``; all numbers travel in one message.

    Args:
        variables: the same variables in the same order in all processes.
        root: a rank.

    Raises:
        InvalidArgumentError: processes give variables of other shapes or dtypes.
    """
    if is_state_recorded():
        for variable in variables:
            Variable.assign(variable, ops.broadcast(variable._read_as_stored(), root))
        return
    with hide_from_recorders():
        arrays = [move_to_device(variable._array, None) for variable in variables]
        _check_same_in_all(
            [(variable.name, array.shape, array.dtype.name) for variable, array in zip(variables, arrays, strict=True)]
        )
        texts = [number for number, array in enumerate(arrays) if array.dtype == object]
        numbers = [number for number, array in enumerate(arrays) if array.dtype != object]
        values: dict[int, Any] = {}
        if numbers:
            parts = [np.ascontiguousarray(arrays[number]).reshape(-1).view(np.uint8) for number in numbers]
            sent = ops.broadcast(Tensor(np.concatenate(parts)), root)._on_host()
            ends = np.cumsum([part.size for part in parts])[:-1]
            for number, part in zip(numbers, np.split(sent, ends), strict=True):
                values[number] = part.copy().view(arrays[number].dtype).reshape(arrays[number].shape)
        if texts:
            values.update(broadcast_object({number: arrays[number] for number in texts}, root))
        for number, variable in enumerate(variables):
            write_to_memory(variable._memory_for_write(), values[number])


def _check_same_in_all(descriptions: list[tuple[str, tuple[int, ...], str]]) -> None:
    """Raises InvalidArgumentError in all processes if variables differ; a description is a name, a shape and a dtype."""
    checksum = zlib.crc32(repr([description[1:] for description in descriptions]).encode())
    lowest, highest = ops.all_reduce([np.array([checksum, -checksum], np.int64)], "min")[0].numpy()
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
    assigns its own value, and reads outside of ``strategy.run`` combine them: all processes read. ``ONLY_FIRST_REPLICA`` is the
    value of replica 0.

    Attributes:
        aggregation: how values are combined.
        synchronization: when values are combined.
    """

    aggregation: Any
    synchronization: Any
    _rule: str  # the name of the aggregation
    _is_on_read: bool
    _common: Tensor | None = None  # what reads give within ``common_values``

    @property
    def values(self) -> tuple[ReplicaVariable, ...]:
        """The variables of this process's replicas: one."""
        return (self,)

    _values = values  # dm-sonnet

    # ---- reading -------------------------------------------------------------------------------------

    def _combines_at_read(self) -> bool:
        return self._is_on_read and self._replicas.size > 1 and not in_replica()

    def _common_or_own_value(self, tensor: Tensor) -> Tensor:
        if not self._combines_at_read():
            return tensor
        if self._common is None:
            self._check_common_value()
            with ops.common_values(self._replicas, [self], purpose=f"the value of {self._label}"):
                return self._common_or_own_value(tensor)
        return self._common

    @property
    def _label(self) -> str:
        return self.name

    def _check_common_value(self) -> None:
        if self._rule == "NONE":
            raise ValueError(
                f"The variable '{self.name}' has synchronization=ON_READ and aggregation=NONE: its replicas have no common value. "
                "Read it in strategy.run, or make it with aggregation=tf.VariableAggregation.SUM."
            )

    def _read(self) -> Tensor:
        return self._common_or_own_value(super()._read())

    def _read_as_stored(self) -> Tensor:
        return super()._read()

    def value(self) -> Tensor:
        """Returns the current value; outside of ``strategy.run`` the common value of all replicas."""
        return self._common_or_own_value(super().value())

    read_value = value

    def numpy(self) -> Any:
        return ReplicaVariable.value(self).numpy() if self._combines_at_read() else super().numpy()

    def _value_to_save(self) -> np.ndarray:
        return np.asarray(self.numpy())

    def __getitem__(self, key: Any) -> Tensor:
        return ReplicaVariable.value(self)[key]

    # ---- writing -------------------------------------------------------------------------------------

    def assign(self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Any:
        """Assigns a value, combined over the replicas if the variable is not ``ON_READ``."""
        tensor = self._converted("assign", value)
        tensor = self._share_of_value(tensor) if self._is_on_read else self._combine_for_write(tensor)
        return super().assign(tensor, read_value=read_value)

    def _restore_value(self, value: Any) -> None:
        """Assigns the common value of a file: of a sum, the first replica gets all of it, so that it keeps its bits."""
        if self._is_on_read and self._rule == "SUM" and self._replicas.rank:
            value = np.zeros(self._array.shape, self._array.dtype)
        Variable.assign(self, value)

    def _share_of_value(self, tensor: Tensor) -> Tensor:
        """Returns what this replica assigns so that the common value is ``tensor``."""
        if self._rule != "SUM" or in_replica() or not (tensor.dtype.is_integer or tensor.dtype.is_floating):
            return tensor
        count = self._replicas.size
        if tensor.dtype.is_integer:
            return tensor // count + ops.cast(tensor % count > self._replicas.rank, tensor.dtype)
        return tensor / count

    def _update(self, ufunc: Any, operation_name: str, delta: Any, read_value: bool) -> Any:
        tensor = self._converted(operation_name, delta)
        if not self._is_on_read:
            tensor = self._combine_for_write(tensor)
        elif self._rule == "SUM" and not in_replica():
            tensor = self._share_of_delta(operation_name, tensor)
        if self._must_change_by_operations():
            value = self._read_as_stored()
            return Variable.assign(self, value + tensor if ufunc is np.add else value - tensor, read_value=read_value)
        return super()._update(ufunc, operation_name, tensor, read_value)

    def _share_of_delta(self, operation_name: str, tensor: Tensor) -> Tensor:
        raise ValueError(
            f"SyncOnReadVariable does not support `{operation_name}` in cross-replica context when aggregation is set to "
            f"`tf.VariableAggregation.SUM`. Call it in strategy.run. (variable '{self.name}')"
        )

    def _combine_for_write(self, tensor: Tensor) -> Tensor:
        if self._rule == "NONE" or not in_replica():
            return tensor
        if self._rule == "ONLY_FIRST_REPLICA":
            return ops.broadcast(tensor)
        return reduce_structure(ReduceOp[self._rule], tensor, self._replicas.size)


def _refusing_method(method: str) -> Callable[..., Any]:
    def raise_refusal(self: ReplicaVariable, *arguments: Any, **options: Any) -> Any:
        raise NotImplementedError(
            f"{method}: a variable with `synchronization=ON_READ` or an `aggregation` doesn't support it. "
            f"Use assign, assign_add or assign_sub. (variable '{self.name}')"
        )

    raise_refusal.__name__ = method
    raise_refusal.__doc__ = "Raises NotImplementedError: replicas combine whole values only."
    return raise_refusal


for _method in [name for name in dir(Variable) if name.startswith(("scatter_", "batch_scatter_"))]:
    setattr(ReplicaVariable, _method, _refusing_method(_method))


def make_replica_variable(variable: Variable, synchronization: Any, aggregation: Any) -> None:
    """Gives a new variable of a scope the value of the first replica, and the rule for combining values.

    Raises:
        ValueError: the mean of integers is asked for.
    """
    group = replica_group()
    if group.size > 1:
        broadcast_to_variables([variable])
    rule = "NONE" if aggregation is None else aggregation.name
    is_on_read = getattr(synchronization, "name", None) == "ON_READ"
    if rule == "MEAN" and not variable._operand_dtype.is_floating:
        raise ValueError(
            "creating distributed tf.Variable with aggregation=MEAN and a non-floating dtype is not supported, please use a "
            f"different aggregation or dtype, got {variable._operand_dtype.name}."
        )
    if is_on_read or (type(variable) is Variable and rule != "NONE"):
        set_replica_aggregation(variable, group, rule, is_on_read)
    if type(variable) is ReplicaVariable:
        variable.aggregation = VariableAggregation[rule]
        variable.synchronization = VariableSynchronization["ON_READ" if is_on_read else "ON_WRITE"]


def set_replica_aggregation(variable: Any, group: ReplicaGroup, rule: str, is_on_read: bool = True) -> None:
    """Lets replicas combine their values of a variable.

    Args:
        variable: a variable of all replicas; it gets another class.
        group: the replicas.
        rule: the name of a ``tf.VariableAggregation``.
        is_on_read: whether they combine them at reads, else when they assign them.
    """
    variable.__class__ = getattr(variable, "_replica_class", lambda: ReplicaVariable)()
    variable._replicas, variable._rule, variable._is_on_read = group, rule, is_on_read
