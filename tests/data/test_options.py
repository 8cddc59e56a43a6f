"""Settings of datasets."""

import copy

import pytest

import fastgrad as tf

Options = tf.data.Options


def with_size(size):
    options = Options()
    options.threading.private_threadpool_size = size
    return options


def test_options_with_the_same_settings_are_equal():
    assert Options() == Options()
    assert with_size(3) == with_size(3) == copy.deepcopy(with_size(3))
    assert with_size(3) != with_size(4)
    assert with_size(3) != Options()
    assert Options() != 3
    assert Options().autotune == Options().autotune == tf.data.experimental.AutotuneOptions()
    with pytest.raises(TypeError, match="unhashable"):
        hash(Options())


def test_datasets_merge_options():
    first, second = with_size(3), Options()
    second.deterministic = False
    dataset = tf.data.Dataset.range(2)
    assert dataset.options() == Options()
    assert dataset.with_options(first).with_options(first).options() == first
    both = dataset.with_options(first).with_options(second).options()
    assert (both.threading.private_threadpool_size, both.deterministic) == (3, False)
    assert tf.data.Dataset.zip(dataset.with_options(second), dataset).options().deterministic is False
    dataset = dataset.with_options(first)
    first.threading.private_threadpool_size = 5
    assert dataset.options() == with_size(3)
    with pytest.raises(TypeError, match="Could not merge incompatible options"):
        first.merge(3)


def test_settings_have_types():
    options = Options()
    with pytest.raises(TypeError, match=r'Property "deterministic" must be of type .*bool'):
        options.deterministic = 3
    with pytest.raises(TypeError, match=r'Property "threading" must be'):
        options.threading = 3
    with pytest.raises(AttributeError, match="Cannot set the property wrong on ThreadingOptions"):
        options.threading.wrong = 3
    with pytest.raises(AttributeError, match="wrong"):
        options.wrong
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    options.experimental_deterministic = True
    options.experimental_threading.max_intra_op_parallelism = 1
    assert (options.deterministic, options.threading.max_intra_op_parallelism) == (True, 1)


def test_options_of_a_dataset_cannot_be_changed():
    options = tf.data.Dataset.range(2).options()
    for change in (
        lambda: setattr(options, "deterministic", True),
        lambda: setattr(options.threading, "private_threadpool_size", 3),
    ):
        with pytest.raises(ValueError, match="with_options"):
            change()
