"""Passes: from a graph to a better one with the same results, a file a pass, each a pure function."""

from fastgrad.trace.passes.pipeline import PASSES as PASSES
from fastgrad.trace.passes.pipeline import optimized as optimized
