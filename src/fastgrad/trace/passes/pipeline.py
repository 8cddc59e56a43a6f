"""The passes in their order."""

from __future__ import annotations

from collections.abc import Callable

from fastgrad.trace.graphs.graph import Graph, validate
from fastgrad.trace.passes.drop_dead import drop_dead
from fastgrad.trace.passes.drop_gradients import drop_gradients
from fastgrad.trace.passes.drop_results import drop_results
from fastgrad.trace.passes.early_guards import early_guards
from fastgrad.trace.passes.expand_formulas import expand_formulas
from fastgrad.trace.passes.fold_constants import fold_constants
from fastgrad.trace.passes.merge_common import merge_common
from fastgrad.trace.passes.simplify_algebra import simplify_algebra

PASSES: tuple[Callable[[Graph], Graph], ...] = (
    drop_gradients,
    drop_dead,  # early, so that nothing is done for what nobody needs
    expand_formulas,  # before what the rows of formulas have in common is merged
    fold_constants,
    simplify_algebra,
    merge_common,
    simplify_algebra,  # what was merged may cancel
    drop_dead,
    drop_results,
    early_guards,
)
"""Each goes through the graph a fixed number of times, whatever its length."""


def optimized(graph: Graph, check: bool = False) -> Graph:
    """A graph that gives the same results, bit for bit, and leaves the same state, in no more nodes.

    Args:
        graph: left as it is.
        check: whether to validate the graph after each pass.

    Raises:
        AssertionError: ``check``, and a pass has made a graph that is none.
    """
    for transform in PASSES:
        graph = transform(graph)
        if check:
            validate(graph)
    return graph
