"""Rows whose kernels are compared with NumPy and SciPy in float64; those of mapping and arranging are beside this file.

What a property is, and what is done with it, is in `tests/kernels/properties.py`.
"""

from __future__ import annotations

from tests.kernels.properties import property_test
from tests.kernels.row_properties import PROPERTIES

test_rows_give_what_float64_gives = property_test(PROPERTIES)
