"""Branches as one operation: an index, and a graph for each way to go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad.operation import Joint
from fastgrad.recording import recorders
from fastgrad.tensor import Tensor
from fastgrad.trace.graph_operation import GraphOperation
from fastgrad.trace.made_operation import MadeOperation, watched
from fastgrad.trace.structured import ByTape, Flags, Structured, leads, spread_out, wanted


class Branches(Structured):
    """Runs one of several graphs.

    Inputs are an index, a boolean or an integer of one element, and those of the graphs; an index that is none counts as
    the last one.

    Args:
        branches: graphs whose arguments and results are alike.
        name: shown in graphs, errors and reports.

    Attributes:
        branches: as given.
    """

    def __init__(self, branches: Sequence[GraphOperation], name: str) -> None:
        super().__init__(name)
        self.branches = tuple(branches)
        self.checks = any(branch.checks for branch in branches)
        self.gives = len(branches[0].graph.results)

    def chosen(self, index: np.ndarray) -> int:
        """The number of the branch for an index."""
        number = int(index.reshape(()))
        return number if 0 <= number < len(self.branches) else len(self.branches) - 1

    def run(self, index: np.ndarray, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """The results of the branch."""
        return self.branches[self.chosen(index)].run(*arrays)

    def on_tensors(self, index: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The results of the branch, by operations."""
        return self.branches[self.chosen(index._array)](*inputs)

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The results as tensors; recorders are told."""
        if recorders.active:
            flags = watched(inputs)
            if True in flags:
                found: tuple[Tensor, ...] = _Forward(self, flags)(*inputs)
                return found[: self.gives]
        return super().__call__(*inputs)

    def leading(self, needs: Flags, have: Flags) -> Flags:
        """Of the inputs marked in ``needs`` those that results marked in ``have`` depend on, in some branch."""
        found = [False] * len(needs)
        for place, need in enumerate(needs):
            if need:
                alone = tuple([other == place for other in range(1, len(needs))])
                reached = [leads(branch.graph, alone) for branch in self.branches]
                found[place] = any(
                    h and any(column) for h, column in zip(have, zip(*reached, strict=True), strict=True)
                )
        return tuple(found)


class _Forward(MadeOperation):
    """The branches, with one more result: which one was taken, and what its gradient will read."""

    def __init__(self, branches: Branches, flags: Flags) -> None:
        super().__init__(branches.name)
        self.branches, self.flags = branches, flags
        self.checks = branches.checks

    def run(self, index: np.ndarray, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """The results, and what is kept as a scalar that holds a Python object."""
        number = self.branches.chosen(index)
        variant = self.branches.branches[number].variant(self.flags[1:], [Tensor(array) for array in arrays])
        found = variant.run(*arrays)
        kept = np.empty((), object)
        kept[()] = (variant, found)
        return (*found[: self.branches.gives], kept)

    @property
    def gradient(self) -> Joint:
        """The rule for tapes."""
        return Joint(self._cotangents, zeros=False)

    def _cotangents(self, needs: Flags, g: Any, y: Any, *inputs: Tensor) -> list[Any]:
        needs, have, given = wanted(needs, g[:-1], inputs)
        needs = self.branches.leading(needs, have)
        if True not in needs:
            return [None] * len(inputs)
        return spread_out(needs, _Backward(self.branches, needs, have)(*inputs, y[-1], *given))


class _Backward(MadeOperation):
    """The gradient of the branch taken; inputs are those of the branches, what was kept, and cotangents."""

    def __init__(self, branches: Branches, needs: Flags, have: Flags) -> None:
        super().__init__(f"{branches.name}_gradient")
        self.branches, self.needs, self.have = branches, needs, have

    def run(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """The cotangents, zeros where the branch does not depend on an input."""
        count = len(self.needs)
        inputs, (variant, found), given = arrays[1:count], arrays[count][()], arrays[count + 1 :]
        have = (*self.have, *[False] * (len(found) - len(self.have)))
        cotangents = variant.pulled_back(self.needs[1:], have, [*inputs, *found, *given])
        return tuple(
            [
                np.zeros(x.shape, x.dtype) if c is None else c
                for x, c, need in zip(inputs, cotangents, self.needs[1:], strict=True)
                if need
            ]
        )

    @property
    def gradient(self) -> Joint:
        """The rule for tapes."""
        return Joint(self._cotangents, zeros=False)

    def _cotangents(self, needs: Flags, g: Any, y: Any, *inputs: Tensor) -> list[Any]:
        return without_kept(ByTape(self.branches, self.needs, self.have), len(self.needs), needs, g, inputs)


def without_kept(same: ByTape, kept: int, needs: Flags, g: Any, inputs: tuple[Tensor, ...]) -> list[Any]:
    """The cotangents of a gradient with kept values, as those of the same gradient without.

    What was kept follows from the other inputs, so that their derivatives are whole without it.

    Args:
        same: the gradient without kept values.
        kept: which input they are.
        needs, g, inputs: as a gradient rule has them.
    """
    needs, have, given = wanted(needs, g, inputs)
    if True not in needs or True not in have:
        return [None] * len(inputs)
    others = (*needs[:kept], *needs[kept + 1 :])
    found = spread_out(others, ByTape(same, others, have)(*inputs[:kept], *inputs[kept + 1 :], *given))
    return [*found[:kept], None, *found[kept:]]
