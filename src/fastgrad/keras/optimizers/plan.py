"""The cached data of an update of certain variables: their memory, their slots, and groups of one dtype."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import is_
from typing import Any

import numpy as np

from fastgrad.core.recording import recorders
from fastgrad.core.tensor import Tensor
from fastgrad.core.variable import Variable
from fastgrad.keras.optimizers.variable import LastReadNumber, OptimizerVariable
from fastgrad.kernels.optimizers.update_rule import unit_count
from fastgrad.ops.optimizer_updates import is_half


class Group:
    """Variables of one dtype that one kernel call updates, either all with weight decay or all without.

    Attributes:
        positions: the positions of the variables in the plan.
        parameters: the memory of the variables.
        slots: for each kind of slot, the memory of the slots.
        dtype: the dtype of the variables.
        decays: whether weight decay applies.
        units: the units of work.
    """

    __slots__ = ("decays", "dtype", "half", "parameters", "positions", "slots", "units")

    def __init__(self, positions: list[int], variables: Sequence[Variable], slots: Sequence[Any], decays: bool) -> None:
        self.positions = positions
        self.parameters = tuple([variables[i]._array for i in positions])
        self.slots = [tuple([slot_list[i]._array for i in positions]) for slot_list in slots]
        self.dtype = self.parameters[0].dtype
        self.half = is_half(self.dtype)
        self.units = unit_count(self.parameters)
        self.decays = decays


class UpdatePlan:
    """The plan of an update of ``variables``, in this order.

    Args:
        variables: the variables to update.
        slots: for each kind of slot, the slot of each variable.
        counter: the optimizer's step counter, which each update changes.
        decays: for each variable, whether weight decay applies.
    """

    def __init__(
        self,
        variables: Sequence[Variable],
        slots: Sequence[Sequence[OptimizerVariable]],
        counter: OptimizerVariable,
        decays: Sequence[bool],
    ) -> None:
        self.variables = tuple(variables)
        self._dtypes = [variable._array.dtype for variable in variables]
        self._shapes = [variable._array.shape for variable in variables]
        self._state = [counter, *[slot for slot_list in slots for slot in slot_list]]
        self._last_read_at_release = -1
        members: dict[Any, list[int]] = {}
        for position, variable in enumerate(variables):
            members.setdefault((variable._array.dtype, decays[position]), []).append(position)
        self.groups = [Group(positions, variables, slots, key[1]) for key, positions in members.items()]
        self.single = len(self.groups) == 1

    def is_for(self, variables: Sequence[Any]) -> bool:
        """True if the plan was made for ``variables``, in this order."""
        return len(variables) == len(self.variables) and all(map(is_, variables, self.variables))

    def arrays_of(self, gradients: Sequence[Any]) -> list[np.ndarray] | None:
        """Returns the gradients' arrays if all are tensors with the variables' shapes and dtypes, else None."""
        for gradient in gradients:
            if type(gradient) is not Tensor:
                return None
        arrays = [gradient._array for gradient in gradients]
        if [array.shape for array in arrays] == self._shapes and [array.dtype for array in arrays] == self._dtypes:
            return arrays
        return None

    def make_writable(self) -> None:
        """Prepares all memory of the plan for writing; tensors that share it get copies."""
        make_writable(self.variables)
        if self._last_read_at_release != LastReadNumber.last or recorders.active:
            make_writable(self._state)
            self._last_read_at_release = LastReadNumber.last

    def of(self, gradients: Sequence[Any], group: Group) -> Any:
        """Returns the members of ``gradients`` whose variables belong to ``group``."""
        return gradients if self.single else [gradients[i] for i in group.positions]


def make_writable(variables: Iterable[Variable]) -> None:
    """Prepares the variables' memory for writing, as ``Variable._memory_for_write`` does; the usual case is fast."""
    if recorders.active:
        for variable in variables:
            Variable._memory_for_write(variable)
        return
    for variable in variables:
        snapshot = variable._snapshot
        if snapshot is not None:
            if snapshot() is None and not variable._views:
                variable._snapshot = None
            else:
                Variable._memory_for_write(variable)
        elif variable._views:
            Variable._memory_for_write(variable)
