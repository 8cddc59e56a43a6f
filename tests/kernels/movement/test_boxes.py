"""Moves of elements between boxes of arrays, and views: against NumPy's own, of drawn sizes and of elements of every width."""

from __future__ import annotations

from tests.kernels.movement.box_properties import PROPERTIES
from tests.kernels.properties import property_test

test_rows_give_what_numpy_gives = property_test(PROPERTIES)
