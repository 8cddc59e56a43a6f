"""Gradients of what kernels compute both ways, of drawn sizes: along a random direction, in float32, and in programs.

In float64 the gradient times a direction is what the function changes by along it; in float32 it is the one in float64, rounded; a
program gives it, too.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kernels.differentiable import DIFFERENTIABLE, Differentiable, check_gradients
from tests.kernels.properties import SIZE


@pytest.mark.parametrize("known", DIFFERENTIABLE, ids=lambda known: known.name)
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_gradients(known: Differentiable, data: st.DataObject) -> None:
    sizes = data.draw(st.tuples(*[SIZE] * known.sizes), "sizes")
    check_gradients(known, sizes, data.draw(st.integers(0, 2**32 - 1), "seed"))
