"""Fusion with a limit on memory: recomputes cheap values if keeping them needs too much."""

from __future__ import annotations

from fastgrad._src.compiler.fusion.fuse import fuse
from fastgrad._src.compiler.graph.graph import Graph
from fastgrad._src.compiler.passes.rematerialize import (
    is_memory_scarce,
    rematerialize,
    rematerialized_by_known_decision,
)
from fastgrad._src.compiler.passes.share_activation_gradients import share_activation_gradients


def fuse_to_fit(graph: Graph) -> Graph:
    """Returns the fused graph, in which cheap values are recomputed if memory is scarce.

    Args:
        graph: of single operations; it is not changed.
    """
    lean = rematerialized_by_known_decision(graph)
    if lean is not None:
        return fuse(lean)
    fused = fuse(share_activation_gradients(graph))
    if not is_memory_scarce(fused):
        return fused
    fused = fuse(graph)
    lean = rematerialize(graph, fused)
    return fused if lean is graph else fuse(lean)
