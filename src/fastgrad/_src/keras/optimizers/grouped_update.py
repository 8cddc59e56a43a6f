"""The cached data of an update of certain variables: their memory, their slots, and groups of one dtype.

The hot path of eager steps: ``Group.update`` is the only place that knows whether a rule changes arrays or is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import is_
from threading import get_ident
from typing import Any

import numpy as np

from fastgrad._src.core.memory_sharing import memory_sharing
from fastgrad._src.core.recording import recorders
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.keras.optimizers.gradients import positions_by_key
from fastgrad._src.keras.optimizers.variable import LastReadNumber, OptimizerVariable
from fastgrad._src.kernels.optimizers.update_rule import UpdateRule, unit_count
from fastgrad._src.kernels.runtime.eager_launch import is_work_for_pool, run_on_thread_pool
from fastgrad._src.kernels.runtime.launch import Input, Launches, Output
from fastgrad._src.kernels.runtime.thread_pool import compute_pool
from fastgrad._src.ops.optimizer_updates import is_half, update_variables

_WORK_OVER_OPERATION = 1.4
"""The thread pool does an update from this many times the work of other operations on, since an update has more arrays."""


class Group:
    """Variables of one dtype that one kernel call updates, either all with weight decay or all without.

    Attributes:
        positions: the positions of the variables in the update.
        variables: the variables.
        slots: for each kind of slot, the slots of the variables.
        arrays: the memory of the variables, then for each kind of slot that of the slots.
        dtype: the dtype of the variables.
        decays: whether weight decay applies.
        half: whether kernels compute in float32.
        is_floating: whether kernels can update the variables.
    """

    __slots__ = (
        "_launches",
        "_units",
        "arrays",
        "decays",
        "dtype",
        "half",
        "is_floating",
        "positions",
        "slots",
        "variables",
    )

    def __init__(self, positions: list[int], variables: Sequence[Variable], slots: Sequence[Any], decays: bool) -> None:
        self.positions = positions
        self.variables = [variables[i] for i in positions]
        self.slots = [[slot_list[i] for i in positions] for slot_list in slots]
        self.arrays = [tuple([v._array for v in state_list]) for state_list in (self.variables, *self.slots)]
        self.dtype = self.variables[0]._array.dtype
        self.half = is_half(self.dtype)
        self.is_floating = self.half or self.dtype.kind == "f"
        self._units = unit_count(self.arrays[0])
        self._launches: dict[Any, Launches | None] = {}
        self.decays = decays

    def update(self, rule: UpdateRule, gradients: Sequence[Any], numbers: Sequence[Any], factor: float = 1.0) -> None:
        """Updates the variables and slots by a rule: in place, or by one operation and assignments if state is recorded.

        Args:
            rule: the rule.
            gradients: an array for each variable; tensors if state is recorded.
            numbers: the values of ``rule.numbers``: floats, or float64 scalars if state is recorded.
            factor: a number by which the gradients are multiplied, if the variables are not half-precision.
        """
        if isinstance(numbers[0], Tensor):
            state = [variable for state_list in (self.variables, *self.slots) for variable in state_list]
            values = [variable._read() for variable in state]
            count = len(self.variables)
            assign_all(state, update_variables(*values, *gradients, *numbers, rule=rule.key, count=count))
        elif self.half:
            kernel = rule.variables_kernel["float32"]
            update_in_float32(lambda *lists: kernel(*lists, 0, self._units, *numbers), self.arrays, gradients)
        elif factor == 1.0:
            self._call(rule, rule.variables_kernel[self.dtype], gradients, numbers)
        else:
            self._call(rule, rule.scaled_variables_kernel[self.dtype], gradients, (factor, *numbers))

    def _call(self, rule: UpdateRule, kernel: Any, gradients: Sequence[np.ndarray], numbers: Sequence[float]) -> None:
        """Calls a kernel that updates the variables in place, on the thread pool if there is much work."""
        try:
            launches = self._launches[kernel]
        except KeyError:
            launches = self._launches[kernel] = self._launches_of(rule, kernel, len(numbers))
        if launches is None or compute_pool.threads == 1:
            kernel(*self.arrays, gradients, 0, self._units, *numbers)
            return
        inputs = (*gradients, *np.array(numbers, np.float64).reshape(-1, 1))
        run_on_thread_pool(launches, inputs, [array for arrays in self.arrays for array in arrays])

    def _launches_of(self, rule: UpdateRule, kernel: Any, number_count: int) -> Launches | None:
        """Returns the launch of a kernel; None if one thread does the update sooner."""
        count = len(self.variables)
        state = [tuple([Output(k * count + i) for i in range(count)]) for k in range(len(self.arrays))]
        numbers = [Input(count + i) for i in range(number_count)]
        operands = (*state, tuple([Input(i) for i in range(count)]), *numbers)
        launch = rule.launch(kernel, self.arrays[0], operands)
        work = launch.units * launch.unit_cost / _WORK_OVER_OPERATION
        return Launches((launch,)) if is_work_for_pool(work) else None


class GroupedUpdate:
    """An update of ``variables``, in this order.

    Args:
        variables: the variables to update.
        slots: for each kind of slot, the slot of each variable.
        counter: the optimizer's step counter, which each update changes.
        decays: for each variable, whether weight decay applies.

    Attributes:
        variables: as above.
        groups: the groups of the variables.
        single: whether there is one group, of all variables in their order.
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
        members = positions_by_key([*zip(self._dtypes, decays, strict=True)])
        self.groups = [Group(group, variables, slots, key[1]) for key, group in members.items()]
        self.single = len(self.groups) == 1

    def is_for(self, variables: Sequence[Any]) -> bool:
        """True if the update was made for ``variables``, in this order."""
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
        """Prepares all memory of the update for writing; tensors that share it get copies."""
        make_writable(self.variables)
        if self._last_read_at_release != LastReadNumber.last or recorders.active:
            make_writable(self._state)
            self._last_read_at_release = LastReadNumber.last


def update_in_float32(
    update: Callable[..., object],
    state: Sequence[Sequence[np.ndarray]],
    gradients: Sequence[np.ndarray],
    rows: Any = ...,
) -> None:
    """Calls ``update`` with float32 copies of the lists ``state``, or of ``rows`` of them, and of the gradients; rounds what it has changed."""
    float32_lists = [[array[rows].astype(np.float32) for array in arrays] for arrays in state]
    update(*float32_lists, [gradient.astype(np.float32) for gradient in gradients])
    with np.errstate(all="ignore"):
        for old, new in zip(state, float32_lists, strict=True):
            for target, array in zip(old, new, strict=True):
                target[rows] = array


def make_writable(variables: Iterable[Variable]) -> None:
    """Prepares the variables' memory for writing, as ``Variable._memory_for_write`` does; the usual case is fast."""
    if recorders.active:
        for variable in variables:
            Variable._memory_for_write(variable)
        return
    if memory_sharing.only_user != get_ident():
        memory_sharing.has_single_thread()  # notes that this thread writes
    for variable in variables:
        snapshot = variable._snapshot
        if snapshot is not None:
            if snapshot() is None and not variable._views:
                variable._snapshot = None
            else:
                Variable._memory_for_write(variable)
        elif variable._views:
            Variable._memory_for_write(variable)


def assign_all(variables: Sequence[Variable], values: Sequence[Tensor | None]) -> None:
    """Assigns each value to its variable; None leaves the variable unchanged."""
    for variable, value in zip(variables, values, strict=True):
        if value is not None:
            variable.assign(value)
