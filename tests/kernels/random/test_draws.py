"""Draws of programs are those of the rows, which NumPy makes of the same bits: of drawn sizes, in any shares."""

from __future__ import annotations

from tests.kernels.properties import property_test
from tests.kernels.random.draw_properties import PROPERTIES

test_rows_give_what_they_give_now = property_test(PROPERTIES)
