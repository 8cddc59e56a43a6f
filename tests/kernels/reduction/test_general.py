"""Reductions of dtypes other than floats, and norms: against NumPy, of drawn sizes."""

from __future__ import annotations

from tests.kernels.properties import property_test
from tests.kernels.reduction.general_properties import PROPERTIES

test_rows_give_what_float64_gives = property_test(PROPERTIES)
