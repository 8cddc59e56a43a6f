"""Element-wise rows that have kernels of their own, of drawn sizes that broadcast: whole numbers, SciPy's functions, half widths."""

from __future__ import annotations

from tests.kernels.elementwise.elementwise_properties import PROPERTIES
from tests.kernels.properties import property_test

test_rows_give_what_float64_gives = property_test(PROPERTIES)
