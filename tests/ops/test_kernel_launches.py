"""Functions that call an operation's kernels."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.result_rules import ArraySpec, same_as_first
from fastgrad._src.kernels.runtime.launch import Launches
from fastgrad._src.ops.kernel_launches import kernel_operation, make_kernel_run
from fastgrad.errors import InvalidArgumentError
from tests import whole_table

whole_table.load()

DERIVED_BY = "make_kernel_run"
"""The function that makes a ``run`` from ``launches``."""

REASONS = {
    "a few calls of NumPy or SciPy are faster for few elements": """
        add_rows argsort assert check_numerics concat cumprod ends_turn floor_divide floordiv floormod
        gather_segments pad pow reduce_max reduce_min reduce_prod sort stack strided_slice_assign
        strided_slice_gradient true_positions truncatemod unique
        whole_turns""",
    "a few calls of NumPy are faster for many elements": """
        assert_true finite_maximum take_along_axis unsorted_segment_max unsorted_segment_min""",
    "it calls the kernel without a frame, which is faster for few elements": """
        advance_generator dense dense_gradient dropout layer_normalization layer_normalization_gradient
        log_softmax log_softmax_gradient matmul random_bits random_bits_of_dropout random_integers
        random_normal random_truncated_normal random_uniform softmax softmax_cross_entropy
        softmax_cross_entropy_gradient softmax_gradient sparse_softmax_cross_entropy
        sparse_softmax_cross_entropy_and_gradient sparse_softmax_cross_entropy_gradient wide_product""",
    "its kernel computes in another order, or with other functions, and rounds otherwise": """
        clip_by_norm cumulative_logsumexp gather_gradient igamma_slope linear_recurrence reduce_euclidean_norm
        reduce_logsumexp reduce_mean reduce_sum scatter_into_variable scatter_nd tensor_scatter_nd_add
        unsorted_segment_sum""",
    "some dtypes have no kernel, or one that rounds otherwise": """
        bincount cross histogram_fixed_width_bins mirror_pad_gradient truncatediv
        unsorted_segment_prod""",
    "a part is faster with NumPy, or has no copy; the rest is derived": "diag_part gather searchsorted top_k",
    "the result is the input or its bytes": "bitcast copy_to_device",
    "its kernels take no empty sequences; the rest is derived": """
        gru gru_gradient lstm lstm_gradient simple_rnn simple_rnn_gradient""",
}
"""Why the ``run`` of a row with kernels is not derived from them. Views need no reason: their ``run`` moves nothing."""


@pytest.mark.completeness
def test_each_row_with_kernels_has_a_derived_run_or_a_reason_against_it():
    written_by_hand = {
        name
        for name, row in TABLE.items()
        if row.lowering.launches is not None
        and row.lowering.index_map.views is None
        and getattr(row.run, "__qualname__", "").split(".")[0] != DERIVED_BY
    }
    reasons = [name for names in REASONS.values() for name in names.split()]
    assert len(reasons) == len(set(reasons))
    assert written_by_hand == set(reasons)


def test_results_without_kernels_are_never_memory_that_no_kernel_has_written():
    run = make_kernel_run(lambda inputs, outputs: None, same_as_first)
    with pytest.raises(AssertionError, match=r"no kernels for \[\('int8', \(2,\)\)\]"):
        run(np.ones(2, np.int8))
    assert run(np.ones((0, 3), np.int8)).shape == (0, 3)


def test_a_result_of_the_bytes_of_the_input_is_a_copy():
    run = make_kernel_run(
        lambda inputs, outputs: Launches((), alias=True), lambda x: ArraySpec((3, 1), np.dtype(np.int32))
    )
    x = np.array([1, 2, 3], np.float32)
    y = run(x)
    assert not np.shares_memory(x, y)
    np.testing.assert_array_equal(y, x.view(np.int32).reshape(3, 1))


@pytest.mark.parametrize("paddings", [(0.0, -0.0), (-0.0, 0.0), (np.nan, np.nan), (0j, -0j), (-0j, 0j)])
def test_launches_are_kept_for_attributes_of_the_same_bits(paddings):
    for padding in paddings:
        dtype = np.result_type(padding, np.complex64 if isinstance(padding, complex) else np.float32)
        y = tf.linalg.diag(np.ones(2, dtype), padding_value=padding).numpy()
        assert y[0, 1].tobytes() == np.array(padding, dtype).tobytes()


def test_a_kernel_that_stops_gives_the_error_of_the_row():
    with pytest.raises(InvalidArgumentError, match=r"gather_nd: indices\[1\] = \[3\]"):
        tf.gather_nd(np.ones((3, 2)), [[0], [3]])
    with pytest.raises(InvalidArgumentError, match="2 is duplicated"):
        tf.math.invert_permutation([0, 2, 2])


def test_a_kernel_that_stops_without_an_error_is_a_fault():
    row = TABLE["gather_nd"]
    for raise_error, message in ((None, "a kernel stopped at"), (lambda x, ids, strict: None, "without an error")):
        run = make_kernel_run(row.lowering.launches, row.result, raise_error=raise_error)
        with pytest.raises(AssertionError, match=message):
            run(np.ones((3, 2)), np.array([[5]]), strict=True)


def test_inputs_are_checked_although_there_is_nothing_to_compute():
    with pytest.raises(InvalidArgumentError, match=r"seq_lengths\[0\] = 1 is not in \[0, 0\]"):
        tf.reverse_sequence(np.zeros((2, 0)), [1, 0], seq_axis=1, batch_axis=0)
    with pytest.raises(InvalidArgumentError, match=r"gather: indices\[0,0\] = 7"):
        tf.gather(np.zeros((1, 3, 0)), [[7]], axis=1, batch_dims=1)


TEXTS = np.array([["a", "b", "c"], ["d", "e", "f"]], "S1").astype(object)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: tf.roll(x, 1, 1), [[b"c", b"a", b"b"], [b"f", b"d", b"e"]]),
        (lambda x: tf.transpose(tf.roll(tf.transpose(x), 1, 0)), [[b"c", b"a", b"b"], [b"f", b"d", b"e"]]),
        (lambda x: tf.gather(x, [[2], [0]], axis=1, batch_dims=1), [[b"c"], [b"d"]]),
        (lambda x: tf.gather_nd(x, [[1, 1], [0, 2]]), [b"e", b"c"]),
        (lambda x: tf.reverse_sequence(x, [2, 3], seq_axis=1), [[b"b", b"a", b"c"], [b"f", b"e", b"d"]]),
        (lambda x: tf.pad(x, [[0, 0], [1, 0]], "REFLECT"), [[b"b", b"a", b"b", b"c"], [b"e", b"d", b"e", b"f"]]),
        (lambda x: tf.tensor_scatter_nd_update(x, [[0, 1]], ["z"]), [[b"a", b"z", b"c"], [b"d", b"e", b"f"]]),
        (lambda x: tf.linalg.set_diag(x, ["y", "z"]), [[b"y", b"b", b"c"], [b"d", b"z", b"f"]]),
        (lambda x: tf.linalg.diag(x[0, :2], padding_value="-"), [[b"a", b"-"], [b"-", b"b"]]),
        (lambda x: tf.linalg.diag_part(x, k=(0, 1), padding_value="-"), [[b"b", b"f"], [b"a", b"e"]]),
        (lambda x: tf.one_hot([1, 0], 2, on_value="a", off_value="b"), [[b"b", b"a"], [b"a", b"b"]]),
        (lambda x: tf.roll(x[:0], 1, 1), []),
    ],
)
def test_operations_that_move_elements_move_texts(function, expected):
    assert function(tf.constant(TEXTS)).numpy().tolist() == expected


def test_errors_name_positions_of_texts():
    with pytest.raises(InvalidArgumentError, match=r"gather_nd: indices\[0\] = \[2\]"):
        tf.gather_nd(tf.constant(TEXTS), [[2]])


def test_a_declared_row_runs_its_kernels():
    try:
        row = kernel_operation(
            "test_row", TABLE["roll"].form, launches=TABLE["roll"].lowering.launches, result=same_as_first
        )
        np.testing.assert_array_equal(row(tf.constant([1, 2, 3]), shift=(1,), axis=(0,)), [3, 1, 2])
    finally:
        TABLE.pop("test_row", None)
