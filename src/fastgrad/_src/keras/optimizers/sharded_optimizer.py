"""``ShardedOptimizer``: each process keeps the slots of a part of all variables (ZeRO-1; Rajbhandari et al., 2020)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core.argument_checks import require
from fastgrad._src.core.indexed_slices import IndexedSlices
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.recording import hide_from_recorders, hide_from_tapes
from fastgrad._src.core.replicas import ALONE, replica_group_scope
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.keras.optimizers.optimizer import Optimizer
from fastgrad._src.keras.optimizers.rule_optimizer import RuleOptimizer
from fastgrad._src.keras.optimizers.step import build_unrecorded
from fastgrad._src.keras.optimizers.wrapping_optimizer import WrappingOptimizer
from fastgrad._src.kernels.collectives.world import world
from fastgrad._src.ops.collectives import Sharding, all_reduce

SHARD_BYTES = 4 << 20
"""About how many bytes of variables are reduced, updated and gathered together."""


class _Shard(NamedTuple):
    """Variables that are reduced, updated and gathered together.

    Attributes:
        numbers: of the variables.
        sharding: the layout of the variables in the bucket.
        part: the part of this process, a vector.
    """

    numbers: tuple[int, ...]
    sharding: Sharding
    part: Variable


class ShardedOptimizer(WrappingOptimizer):
    """An optimizer whose slots are divided among the processes: each has a part of the numbers of all variables.

    A step sums the gradients, of which each process gets its part (reduce-scatter), updates this part, and gathers the
    variables. So the slots take 1 / n of the memory on n processes. The variables have the same values as without sharding.

    Files and checkpoints hold the slots of all processes, by variable. So another number of processes, or one, continues.
    A model file holds the inner optimizer: ``load_model`` gives a model whose optimizer is not sharded.

    Args:
        inner_optimizer: the optimizer of the parts: SGD, Adam or another one whose updates are element-wise.
        average: whether gradients are averaged over the processes; else they are summed, as in a scope of a strategy.

    Raises:
        TypeError: the inner optimizer is not element-wise.
        ValueError: it has an option that needs whole variables (``clipnorm``, ``use_ema``), or has updated variables already.
    """

    inner_optimizer: RuleOptimizer

    def __init__(self, inner_optimizer: Optimizer, average: bool = False) -> None:
        name = type(inner_optimizer).__name__
        if not isinstance(inner_optimizer, RuleOptimizer):
            raise TypeError(f"ShardedOptimizer: takes an element-wise optimizer such as SGD or Adam, got {name}.")
        options = [option for option in ("clipnorm", "use_ema") if getattr(inner_optimizer, option)]
        if options or inner_optimizer.built:
            reason = f"with {options[0]}" if options else "that has updated variables"
            raise ValueError(
                f"ShardedOptimizer: takes a new optimizer without clipnorm and use_ema, got {name} {reason}. "
                "Use global_clipnorm or clipvalue to clip gradients."
            )
        super().__init__(learning_rate=0.0, name=inner_optimizer.name)
        self.inner_optimizer = inner_optimizer
        self.average = average
        self.global_clipnorm, inner_optimizer.global_clipnorm = inner_optimizer.global_clipnorm, None
        self.shards: list[_Shard] = []
        self._gathered_slots = _ShardedSlots(self)

    def build(self, variables: Sequence[Variable]) -> None:
        """Makes the slots of this process's part; ValueError if a variable is not float32 or float64, or if some are excluded from weight decay."""
        variables = list(variables)
        inner = self.inner_optimizer
        if inner._undecayed or inner._undecayed_names is not None:
            raise ValueError("ShardedOptimizer: exclude_from_weight_decay is impossible: its parts mix variables.")
        for variable in variables:
            dtype = variable._operand_dtype.name
            text = "variables must be float32 or float64"
            require(dtype in ("float32", "float64"), self, text, variable=variable.name, dtype=dtype)
        super().build(variables)
        with hide_from_recorders(), replica_group_scope(ALONE):
            for numbers in _buckets_by_dtype(variables):
                sharding = Sharding(
                    [variables[number]._array.shape for number in numbers], variables[numbers[0]]._operand_dtype.numpy
                )
                zeros = np.zeros(sharding.size, variables[numbers[0]]._operand_dtype.numpy)
                part = Variable(zeros, trainable=True, name=f"part_{len(self.shards)}")
                self.shards.append(_Shard(numbers, sharding, part))
            inner.build([shard.part for shard in self.shards])
        self._gathered_slots.restore_pending()

    @property
    def variables(self) -> list[Any]:
        """The step counter and the learning rate; the slots are in checkpoints only."""
        slots = {id(slot) for kind in self.slots() for slot in kind}
        return [variable for variable in self.inner_optimizer.variables if id(variable) not in slots]

    def slots(self) -> list[list[Any]]:
        """Returns the slots of this process, a list for each kind of slot with one for each shard."""
        return _slots_by_kind(self.inner_optimizer)

    def _unsharded(self) -> RuleOptimizer:
        """Returns a new optimizer of the inner class, without variables of slots."""
        with replica_group_scope(ALONE):
            whole: RuleOptimizer = type(self.inner_optimizer).from_config(self.get_config())
        return whole

    def unsharded(self) -> RuleOptimizer:
        """Returns an optimizer of the inner class that has all slots, for a file. All processes call it."""
        whole = self._unsharded()
        if self.built:
            with replica_group_scope(ALONE):
                whole.build(self._trainable_variables)
            for name, array in self._gathered_slots.state().items():
                kind, number = map(int, name.split("/"))
                _slots_by_kind(whole)[kind][number].assign(array)
        for variable, own in zip(whole.variables, self.variables, strict=False):  # the step counter and the rate
            variable.assign(own)
        return whole

    def set_from_unsharded(self, whole: RuleOptimizer) -> None:
        """Sets the state to that of a result of ``unsharded``; each process takes its part."""
        for variable, own in zip(whole.variables, self.variables, strict=False):
            own.assign(variable)
        slots_by_kind = _slots_by_kind(whole)
        self._gathered_slots.restore(
            {
                f"{kind}/{number}": slot.numpy()
                for kind, slots in enumerate(slots_by_kind)
                for number, slot in enumerate(slots)
            }
        )

    def _saved_children(self) -> dict[str, Any]:
        return {}

    def _checkpointed_attributes(self) -> dict[str, Any]:
        return {"slots": self._gathered_slots}

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """Reduces the gradients, updates this process's parts, and gathers the variables; ValueError if a variable has no gradient."""
        if len(grads) == 0:
            return
        variables = self._checked_variables(grads, trainable_variables)
        for gradient, variable in zip(grads, variables, strict=True):
            if gradient is None:
                raise ValueError(f"ShardedOptimizer: {variable.name} has no gradient; give one, or freeze it.")
        if not self.built:
            build_unrecorded(self, variables)
        if [id(variable) for variable in variables] != [id(variable) for variable in self._trainable_variables]:
            raise ValueError("ShardedOptimizer: the variables, or their order, differ from those of the first step.")
        with hide_from_tapes():
            self._apply_to_parts([_as_dense_gradient(gradient) for gradient in grads], variables)

    def _apply_to_parts(self, grads: Sequence[Tensor], variables: Sequence[Variable]) -> None:
        factor = 1.0 / world().size if self.average else 1.0
        parts = []
        for numbers, sharding, _ in self.shards:
            scaled = [grads[number] if factor == 1.0 else grads[number] * factor for number in numbers]
            parts.append(sharding.reduce_scatter(scaled))
        if self.global_clipnorm:
            squares = [TABLE["reduce_sum"](part * part, axes=(0,), keepdims=False) for part in parts]
            (total,) = all_reduce([sum(squares[1:], squares[0])])
            limit = convert_to_tensor(np.asarray(self.global_clipnorm, total.dtype.numpy))
            scale = limit / TABLE["maximum"](TABLE["sqrt"](total), limit)
            parts = [part * scale for part in parts]
        for numbers, sharding, part in self.shards:
            part.assign(sharding.part_of([variables[number]._read() for number in numbers]))
        with self._without_aggregation():
            self.inner_optimizer.apply(parts, [shard.part for shard in self.shards])
        for numbers, sharding, part in self.shards:
            for number, value in zip(numbers, sharding.gather(part._read()), strict=True):
                variables[number].assign(value)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments of the inner optimizer, which is what files hold."""
        return {**self.inner_optimizer.get_config(), "global_clipnorm": self.global_clipnorm}


def _slots_by_kind(optimizer: RuleOptimizer) -> list[list[Any]]:
    """Returns the slots of an optimizer, a list for each kind of slot."""
    slots_by_kind = [list(kind) for kind in optimizer._slots]
    return (
        [*slots_by_kind, list(optimizer._accumulated)]
        if optimizer.gradient_accumulation_steps and optimizer.built
        else slots_by_kind
    )


def _buckets_by_dtype(variables: Sequence[Variable]) -> list[tuple[int, ...]]:
    """Returns the numbers of variables that travel together: of one dtype, the last first, as gradients become ready."""
    groups: list[list[int]] = []
    size = 0
    for number in reversed(range(len(variables))):
        variable = variables[number]
        nbytes = variable._array.nbytes
        if not groups or variables[groups[-1][0]].dtype != variable.dtype or size >= SHARD_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(number)
        size += nbytes
    return [tuple(group) for group in groups]


def _as_dense_gradient(gradient: Any) -> Tensor:
    return gradient.to_dense() if isinstance(gradient, IndexedSlices) else convert_to_tensor(gradient)


class _ShardedSlots:
    """The slots of all processes, for checkpoints."""

    saves_state = True

    def __init__(self, optimizer: ShardedOptimizer) -> None:
        self._optimizer = optimizer
        self._pending: dict[str, np.ndarray] = {}

    def state(self) -> dict[str, np.ndarray]:
        """Returns the whole slots by the kind of slot and the number of the variable; all processes call it."""
        values: dict[str, np.ndarray] = {}
        for kind, slots in enumerate(self._optimizer.slots()):
            for slot, shard in zip(slots, self._optimizer.shards, strict=True):
                with hide_from_recorders():
                    whole = shard.sharding.gather(slot._read())
                values.update({f"{kind}/{number}": y.numpy() for number, y in zip(shard.numbers, whole, strict=True)})
        return values

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Sets the slots of this process to its part of whole slots."""
        self._pending = dict(arrays)
        if self._optimizer.shards:
            self.restore_pending()

    def restore_pending(self) -> None:
        """Sets new slots to what a checkpoint has for them.

        Raises:
            ValueError: the checkpoint has other slots; nothing is changed.
        """
        if not self._pending:
            return
        values = []
        for kind, slots in enumerate(self._optimizer.slots()):
            for slot, shard in zip(slots, self._optimizer.shards, strict=True):
                whole = [self._pending.get(f"{kind}/{number}") for number in shard.numbers]
                for array, shape in zip(whole, shard.sharding.shapes, strict=True):
                    if array is None or array.shape != shape:
                        got = "none" if array is None else f"shape {array.shape}"
                        raise ValueError(f"ShardedOptimizer: the checkpoint has {got} for a slot of shape {shape}.")
                values.append((slot, shard.sharding.part_of([convert_to_tensor(array) for array in whole])))
        for slot, value in values:
            slot.assign(value)
        self._pending = {}
