"""Softmax, cross-entropies and normalization of rows, both ways: few columns, and numbers of them around whole segments.

Sums of a row are taken of segments of its columns, and what is behind the last whole sixteen of them is added once.
"""

from __future__ import annotations

from tests.kernels.properties import property_test
from tests.kernels.reduction.row_wise_properties import PROPERTIES

test_rows_give_what_float64_gives = property_test(PROPERTIES)
