"""Every row of the table that has kernels is tried with arrays of drawn sizes: here, or where it is said."""

from pathlib import Path

from fastgrad.operation import TABLE
from tests.kernels import test_properties
from tests.kernels.arranging import test_boxes, test_places
from tests.kernels.drawing import test_draws
from tests.kernels.mapping import test_complex_numbers, test_elementwise
from tests.kernels.reducing import test_general, test_rows

PROPERTIES = (
    test_properties,
    test_boxes,
    test_places,
    test_draws,
    test_complex_numbers,
    test_elementwise,
    test_general,
    test_rows,
)
ELSEWHERE = {
    "arranging/test_embedding.py": "add_rows sum_rows",
    "drawing/test_random.py": "advance_generator random_bits random_bits_of_dropout",
    "mapping/test_checking.py": "assert assert_true check_numerics",
    "products/test_pairs.py": "wide_product",
    "test_gradients.py": "attention_gradient dense dense_gradient gru_gradient linear_recurrence lstm_gradient simple_rnn_gradient",
    "updating/test_optimizers.py": "apply_update apply_update_to_live_rows apply_update_to_rows",
    "windows/test_convolution.py": "convolution convolution_backprop_filter convolution_backprop_input",
    "windows/test_pooling.py": "avg_pool avg_pool_gradient max_pool max_pool_argmax max_pool_gather max_pool_scatter",
}
COPIES = "copy_to_device recomputed_input stop_gradient"
"""Rows that give the bytes that they are given."""
OF_FIXED_SIZES = "apply_adafactor_matrix apply_adafactor_vector ends_turn whole_turns"
"""Rows that tests/keras/optimizers and tests/ops/test_optimizer_updates.py compare with formulas in NumPy, at some sizes."""


def test_every_row_with_kernels_has_a_property():
    known = {known.name for file in PROPERTIES for known in file.PROPERTIES}
    listed = " ".join([*ELSEWHERE.values(), COPIES, OF_FIXED_SIZES]).split()
    assert sorted(name for name, row in TABLE.items() if row.launches is not None and name not in known) == sorted(
        listed
    )


def test_where_others_are_tried_there_is_a_file():
    assert all((Path(__file__).parent / file).exists() for file in ELSEWHERE)
