"""The compiler's passes, in their order.

Each pass is a function in a separate file. It maps a graph to a graph with the same results. It visits each node a fixed
number of times, for any length of the graph, and does not change its argument.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fastgrad._src.compiler.fusion.epilogues import add_epilogues
from fastgrad._src.compiler.fusion.fuse import fuse_between_reductions
from fastgrad._src.compiler.fusion.fuse_to_fit import fuse_to_fit
from fastgrad._src.compiler.fusion.product_updates import add_product_updates
from fastgrad._src.compiler.fusion.statistics import add_statistics
from fastgrad._src.compiler.graph.graph import Graph, validate
from fastgrad._src.compiler.passes.absorb_transposes import absorb_transposes
from fastgrad._src.compiler.passes.bucket_collectives import bucket_collectives
from fastgrad._src.compiler.passes.decompose import decompose
from fastgrad._src.compiler.passes.decompose_updates import decompose_updates
from fastgrad._src.compiler.passes.drop_dead import drop_dead
from fastgrad._src.compiler.passes.drop_gradient_modifiers import drop_gradient_modifiers
from fastgrad._src.compiler.passes.drop_unused_results import drop_unused_results
from fastgrad._src.compiler.passes.expand_formulas import expand_formulas
from fastgrad._src.compiler.passes.fold_constants import fold_constants
from fastgrad._src.compiler.passes.hoist_guards import hoist_guards
from fastgrad._src.compiler.passes.join_losses import join_losses
from fastgrad._src.compiler.passes.keep_eager_bits import keep_eager_bits
from fastgrad._src.compiler.passes.merge_common import merge_common
from fastgrad._src.compiler.passes.simplify_algebra import simplify_algebra
from fastgrad._src.compiler.passes.sink_transposes import sink_transposes
from fastgrad._src.compiler.programs.node_order import move_freeing_nodes_up

Pass = Callable[[Graph], Graph]


SIMPLIFY: tuple[Pass, ...] = (
    drop_gradient_modifiers,
    drop_dead,  # early, so that no pass works on dead nodes
    expand_formulas,  # before merge_common, which merges common parts of formulas
    fold_constants,
    simplify_algebra,
    merge_common,
    simplify_algebra,  # merged values may cancel
    drop_dead,
    drop_unused_results,
    hoist_guards,
)
"""Passes that keep results bit for bit and add no nodes; also for graphs whose nodes run in Python."""

DECOMPOSE: tuple[Pass, ...] = (
    join_losses,
    absorb_transposes,
    decompose,
    drop_dead,  # a gradient may need only a part of an operation
    sink_transposes,
    decompose_updates,
)
"""Passes that turn operations into operations that fuse."""

HOST_PASSES: tuple[Pass, ...] = (
    *SIMPLIFY,
    *DECOMPOSE,
    fuse_to_fit,
    add_epilogues,
    add_statistics,
    add_product_updates,
    bucket_collectives,
    move_freeing_nodes_up,
)
"""All passes that turn a recording into a graph to be planned for a CPU."""

TAPE_PASSES: tuple[Pass, ...] = (*SIMPLIFY, keep_eager_bits, fuse_between_reductions)
"""The passes for the backward pass of a tape, whose results have the bits of eager execution."""


def apply_passes(
    graph: Graph, passes: Sequence[Pass], check: bool = False, show: Callable[[str, Graph], None] | None = None
) -> Graph:
    """Returns the graph transformed by passes, in their order.

    Args:
        graph: the graph; it is not changed.
        passes: in their order.
        check: whether to validate the graph after each pass.
        show: is called with the name of each pass and the graph after it.

    Raises:
        AssertionError: ``check``, and a pass has made a graph that is not valid.
    """
    for graph_pass in passes:
        graph = graph_pass(graph)
        if check:
            validate(graph)
        if show is not None:
            show(graph_pass.__name__, graph)
    return graph


def simplify_graph(graph: Graph, check: bool = False) -> Graph:
    """Returns the graph transformed by the passes of `SIMPLIFY`."""
    return apply_passes(graph, SIMPLIFY, check)


def optimize_for_host(graph: Graph) -> Graph:
    """Returns the graph transformed by the passes for CPUs, `HOST_PASSES`."""
    return apply_passes(graph, HOST_PASSES)


def optimize_for_tapes(graph: Graph) -> Graph:
    """Returns the graph transformed by `TAPE_PASSES`."""
    return apply_passes(graph, TAPE_PASSES)
