"""TensorShape: a tuple of sizes, some or all of which may be unknown."""

import pickle

import numpy as np
import pytest

import fastgrad as tf

Shape = tf.TensorShape


@pytest.mark.parametrize(
    ("dims", "text", "representation"),
    [
        ((), "()", "TensorShape([])"),
        ([None, 2], "(None, 2)", "TensorShape([None, 2])"),
        (3, "(3,)", "TensorShape([3])"),
        (None, "<unknown>", "TensorShape(None)"),
        (np.array([2, 3]), "(2, 3)", "TensorShape([2, 3])"),
        ([np.int64(3)], "(3,)", "TensorShape([3])"),
    ],
)
def test_text(dims, text, representation):
    shape = Shape(dims)
    assert (str(shape), repr(shape)) == (text, representation)
    assert Shape(shape) is shape
    assert repr(pickle.loads(pickle.dumps(shape))) == representation


def test_slices_and_sums_are_shapes():
    shape = Shape([2, 4, 5])
    one = [1]
    for result, dims in [(shape[1:], [4, 5]), (shape + one, [2, 4, 5, 1]), (one + shape, [1, 2, 4, 5])]:
        assert isinstance(result, Shape)
        assert result == dims
    assert shape.concatenate(None).rank is None


def test_what_is_known():
    shape = Shape([2, None])
    assert (shape.rank, shape.ndims, shape.as_list(), shape.dims) == (2, 2, [2, None], [2, None])
    assert not shape.is_fully_defined()
    assert shape.num_elements() is None
    assert Shape([2, 3]).num_elements() == 6
    assert Shape(()).num_elements() == 1


def test_unknown_rank():
    shape = Shape(None)
    assert shape.rank is None
    assert not shape
    assert Shape(())
    assert shape == Shape(None)
    assert shape != Shape([])
    assert shape[0] is None
    assert shape[1:].rank is None
    assert shape.with_rank(2).as_list() == [None, None]
    with pytest.raises(ValueError, match="unknown"):
        len(shape)
    with pytest.raises(ValueError, match="unknown"):
        shape.as_list()


def test_compatibility_and_merging():
    shape = Shape([2, None])
    assert shape.is_compatible_with([2, 5])
    assert shape.is_compatible_with(None)
    assert not shape.is_compatible_with([2, 5, 1])
    assert not shape.is_compatible_with([3, 5])
    assert shape.merge_with([None, 3]) == [2, 3]
    with pytest.raises(ValueError, match="incompatible"):
        Shape([2, 4]).merge_with([None, 3])
    with pytest.raises(ValueError, match="incompatible"):
        Shape([2, 3]).assert_is_compatible_with([2, 4])
    with pytest.raises(ValueError, match="rank 2"):
        Shape([2]).with_rank(2)
    with pytest.raises(ValueError, match="rank 3"):
        Shape([2, 3]).assert_has_rank(3)


def test_sizes_are_whole_numbers_from_zero():
    with pytest.raises(ValueError, match="-1"):
        Shape([-1])
    for dims in (["a"], [1.5], "ab"):
        with pytest.raises(TypeError, match="integer"):
            Shape(dims)
