"""What is read, written, counted and found at places: against NumPy, of drawn sizes, ids that repeat, and elements of every width."""

from __future__ import annotations

from tests.kernels.movement.place_properties import PROPERTIES
from tests.kernels.properties import property_test

test_rows_give_what_numpy_gives = property_test(PROPERTIES)
