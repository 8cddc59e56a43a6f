"""Operations made of graphs: under a tape another operation runs in their place, that also gives what the gradient reads.

How much that is may show only when it runs: a loop with a condition keeps a row for each trip, and has room for some number of
them. With more trips it raises ``GuardError``, and notes at the loop that it was made of how much room it takes. Whatever was
made with it is then outgrown, at any depth, and is made anew when it is needed next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from fastgrad.compiler.graph.graph import Graph
from fastgrad.compiler.graph.interpret import GuardError
from fastgrad.compiler.recording.made_operation import MadeOperation, watched
from fastgrad.recording import recorders
from fastgrad.tensor import Tensor

Flags = tuple[bool, ...]
Ran = TypeVar("Ran")

MOST_FORWARDS = 16
"""How many operations an operation keeps that run in its place; beyond that the oldest is made anew when it is needed."""


class OfGraphs(MadeOperation):
    """An operation made of graphs.

    Attributes:
        rooms: loops in it, at any depth, that are made for a number of trips.
    """

    rooms: Sequence[Any] = ()

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._forwards: dict[Flags, OfGraphs] = {}

    @property
    def result_count(self) -> int:
        """How many results it has."""
        raise NotImplementedError

    def keeping(self, flags: Flags, inputs: Sequence[Tensor]) -> OfGraphs | None:
        """Another one that gives what gradients read, after the results; None if it can't be told beforehand what they read.

        Args:
            flags: for each input whether gradients with respect to it are wanted.
            inputs: any that the operation takes.
        """
        raise NotImplementedError

    def forward(self, flags: Flags, inputs: Sequence[Tensor]) -> Any:
        """What is run under tapes that watch these inputs: ``keeping``, made once, or the operation itself."""
        if True not in flags:
            return self
        found = self._forwards.get(flags)
        if found is None or (is_outgrown(found.rooms) and not is_outgrown(self.rooms)):
            found = self.keeping(flags, inputs) or self
            keep(self._forwards, flags, found)
        return found

    def ran_forward(self, flags: Flags, inputs: Sequence[Tensor], run: Callable[[Any], Ran]) -> tuple[Any, Ran]:
        """``forward``, and what ``run`` does with it, again with a new one for as long as there is too little room in it.

        Raises:
            GuardError: there is too little room in the operation itself, or it goes another way for another reason.
        """
        while True:
            forward = self.forward(flags, inputs)
            try:
                return forward, run(forward)
            except GuardError:
                if is_outgrown(self.rooms) or not is_outgrown(forward.rooms):
                    raise

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The results as tensors; recorders are told."""
        flags = watched(inputs) if recorders.active else ()
        if True in flags:
            run = MadeOperation.__call__
            return self.ran_forward(flags, inputs, lambda forward: run(forward, *inputs))[1][: self.result_count]
        return super().__call__(*inputs)


def is_outgrown(rooms: Sequence[Any]) -> bool:
    """Whether a loop has turned out to need more room than it is made with."""
    return any(loop.most < loop.origin.room for loop in rooms)


def rooms_of(graph: Graph) -> tuple[Any, ...]:
    """The loops in a graph, at any depth, that are made for a number of trips, each once."""
    inner = [node.payload for node in graph.nodes if isinstance(node.payload, OfGraphs)]
    return tuple(dict.fromkeys([loop for operation in inner for loop in operation.rooms]))


def keep(kept: dict[Any, Any], key: Any, value: Any) -> None:
    """Puts a value into a bounded cache."""
    kept.pop(key, None)
    if len(kept) >= MOST_FORWARDS:
        kept.pop(next(iter(kept)), None)
    kept[key] = value
