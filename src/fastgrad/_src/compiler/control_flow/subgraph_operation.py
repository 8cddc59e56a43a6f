"""Operations made of graphs: under a tape a variant runs in their place, which also returns the residuals.

The size of the residuals may be known only at run time: a loop with a condition keeps a row for each iteration, and has memory
for a limited number of rows, its capacity. With more iterations it raises ``GuardError``, and stores the required capacity in the
loop from which it was made. All operations that contain the loop, at any depth, are then outdated, and are made again at their
next use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress
from typing import Any, TypeVar

from fastgrad._src.compiler.graph.graph import Graph
from fastgrad._src.compiler.graph.interpret import GuardError
from fastgrad._src.compiler.recording.unlisted_operation import UnlistedOperation, are_watched, is_differentiable
from fastgrad._src.core.operation import JointGradient
from fastgrad._src.core.recording import recorders
from fastgrad._src.core.tensor import Tensor

Flags = tuple[bool, ...]
Result = TypeVar("Result")

MOST_VARIANTS_PER_OPERATION = 16
"""The most variants that an operation keeps; beyond that the oldest is dropped, and made again if it is needed."""


class SubgraphOperation(UnlistedOperation):
    """The base of operations that run graphs, and have variants with residuals.

    Attributes:
        loops_with_capacity: loops in it, at any depth, that have a capacity.
        residual_variant: makes the variant with residuals, from the operation, the flags of the inputs that need a gradient, and
            the inputs; without it the gradient is computed again each time.
    """

    loops_with_capacity: Sequence[Any] = ()
    residual_variant: Callable[..., Any] | None = None

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._forwards: dict[Flags, SubgraphOperation] = {}

    @property
    def result_count(self) -> int:
        """The number of the operation's results."""
        raise NotImplementedError

    @property
    def gradient(self) -> JointGradient:
        return JointGradient(self._cotangents, zeros=False)

    def _cotangents(self, needs: Flags, g: Any, y: Any, *inputs: Tensor) -> list[Any]:
        """Returns the cotangents of the inputs in ``needs``, None for the others."""
        raise NotImplementedError

    def with_residuals(self, flags: Flags, inputs: Sequence[Tensor]) -> SubgraphOperation | None:
        """Returns a variant with the residuals after the results; None if the residuals are unknown before the run.

        Args:
            flags: for each input whether gradients with respect to it are wanted.
            inputs: any that the operation takes.
        """
        return None if self.residual_variant is None else self.residual_variant(self, flags, inputs)

    def variant_for(self, flags: Flags, inputs: Sequence[Tensor]) -> Any:
        """Returns the operation to run under tapes that watch these inputs: the cached variant with residuals, or itself."""
        if True not in flags:
            return self
        forward_operation = self._forwards.get(flags)
        if forward_operation is None or (
            have_overflowed(forward_operation.loops_with_capacity) and not have_overflowed(self.loops_with_capacity)
        ):
            forward_operation = self.with_residuals(flags, inputs) or self
            cache_value(self._forwards, flags, forward_operation)
        return forward_operation

    def run_variant(self, flags: Flags, inputs: Sequence[Tensor], run: Callable[[Any], Result]) -> tuple[Any, Result]:
        """Returns the variant for tapes and ``run(variant)``; repeats with a new variant while the capacity is too small.

        Raises:
            GuardError: the capacity of the operation itself is too small, or a guard has another outcome for another reason.
        """
        while True:
            forward = self.variant_for(flags, inputs)
            try:
                return forward, run(forward)
            except GuardError:
                if have_overflowed(self.loops_with_capacity) or not have_overflowed(forward.loops_with_capacity):
                    raise

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        flags = are_watched(inputs) if recorders.active else ()
        if True in flags:
            run = UnlistedOperation.__call__
            return self.run_variant(flags, inputs, lambda forward: run(forward, *inputs))[1][: self.result_count]
        return super().__call__(*inputs)


def differentiable_args(needs: Flags, g: Any, inputs: Sequence[Tensor]) -> tuple[Flags, Flags, list[Tensor]]:
    """Returns the arguments of a gradient rule without those for inputs and results of integer dtypes.

    Args:
        needs: for each input whether its cotangent is wanted.
        g: the cotangent of the result, or a tuple of the cotangents of several results; None for results without one.
        inputs: of the operation.

    Returns:
        Flags of the inputs whose cotangents are wanted, flags of the results that have one, and these cotangents.
    """
    cotangents = g if type(g) is tuple else (g,)
    have = tuple([cotangent is not None and is_differentiable(cotangent._array.dtype) for cotangent in cotangents])
    needs = tuple([need and is_differentiable(x._array.dtype) for need, x in zip(needs, inputs, strict=True)])
    return needs, have, list(compress(cotangents, have))


def have_overflowed(loops: Sequence[Any]) -> bool:
    """True if one of several loops needs more capacity than it has."""
    return any(loop.most < loop.origin.needed_capacity for loop in loops)


def loops_with_capacity(graph: Graph) -> tuple[Any, ...]:
    """Returns the loops in a graph, at any depth, that have a capacity, each once."""
    operations = [node.payload for node in graph.nodes if isinstance(node.payload, SubgraphOperation)]
    return tuple(dict.fromkeys([loop for operation in operations for loop in operation.loops_with_capacity]))


def cache_value(cache: dict[Any, Any], key: Any, value: Any) -> None:
    """Adds a value to a cache of bounded size, which drops its oldest value when it is full."""
    cache.pop(key, None)
    if len(cache) >= MOST_VARIANTS_PER_OPERATION:
        cache.pop(next(iter(cache)), None)
    cache[key] = value
