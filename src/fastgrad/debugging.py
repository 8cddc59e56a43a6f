"""Checks of values, shapes and dtypes (``tf.debugging``)."""

from fastgrad.ops.assertion import Assert as Assert
from fastgrad.ops.assertion import assert_all_finite as assert_all_finite
from fastgrad.ops.assertion import assert_equal as assert_equal
from fastgrad.ops.assertion import assert_greater as assert_greater
from fastgrad.ops.assertion import assert_greater_equal as assert_greater_equal
from fastgrad.ops.assertion import assert_integer as assert_integer
from fastgrad.ops.assertion import assert_less as assert_less
from fastgrad.ops.assertion import assert_less_equal as assert_less_equal
from fastgrad.ops.assertion import assert_near as assert_near
from fastgrad.ops.assertion import assert_negative as assert_negative
from fastgrad.ops.assertion import assert_non_negative as assert_non_negative
from fastgrad.ops.assertion import assert_non_positive as assert_non_positive
from fastgrad.ops.assertion import assert_none_equal as assert_none_equal
from fastgrad.ops.assertion import assert_positive as assert_positive
from fastgrad.ops.assertion import assert_proper_iterable as assert_proper_iterable
from fastgrad.ops.assertion import assert_rank as assert_rank
from fastgrad.ops.assertion import assert_rank_at_least as assert_rank_at_least
from fastgrad.ops.assertion import assert_rank_in as assert_rank_in
from fastgrad.ops.assertion import assert_same_float_dtype as assert_same_float_dtype
from fastgrad.ops.assertion import assert_scalar as assert_scalar
from fastgrad.ops.assertion import assert_shapes as assert_shapes
from fastgrad.ops.assertion import assert_type as assert_type
from fastgrad.ops.assertion import check_numerics as check_numerics
from fastgrad.ops.assertion import is_numeric_tensor as is_numeric_tensor
