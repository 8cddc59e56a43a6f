"""Gradients that are IndexedSlices: the dense gradient's result, without the dense gradient."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf
from tests.gradients import gradient_of
from tests.keras.optimizers.sparse_gradients import OPTIONS, ROWS, WIDTH, draw, slices

from .reference import ALL, IDS

RATE = 0.125


def dense(ids, values):
    gradient = np.zeros((ROWS, WIDTH), values.dtype)
    np.add.at(gradient, ids, values)
    return tf.constant(gradient)


def both(name, options, batches, dtype=np.float64, index_dtype=np.int64):
    """The weights and slots after sparse updates, and after the dense updates they stand for."""
    random = np.random.default_rng(0)
    start, other = random.normal(size=(ROWS, WIDTH)).astype(dtype), random.normal(size=2).astype(dtype)
    results = []
    for sparse in (True, False):
        table, bias = tf.Variable(start), tf.Variable(other)
        optimizer = getattr(tf.optimizers, name)(RATE, **options)
        for ids, values in batches:
            values = values.astype(dtype)
            gradient = slices(ids, values, index_dtype) if sparse else dense(ids, values)
            optimizer.apply_gradients([(gradient, table), (tf.constant(other), bias)])
        results.append([table.numpy(), bias.numpy(), *[v.numpy() for v in optimizer.variables]])
    return zip(*results, strict=True)


@pytest.mark.parametrize(("name", "options"), ALL, ids=IDS)
@pytest.mark.parametrize("index_dtype", [np.int32, np.int64])
def test_equals_the_dense_update(name, options, index_dtype):
    for sparse, full in both(name, options, draw(), index_dtype=index_dtype):
        np.testing.assert_allclose(sparse, full, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda o: "-".join(o) or "plain")
@pytest.mark.parametrize("name", ["SGD", "Adam", "Adagrad", "Ftrl"])
def test_equals_the_dense_update_with_every_option(name, option):
    for sparse, full in both(name, option, draw(1)):
        np.testing.assert_allclose(sparse, full, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["SGD", "Adam", "Ftrl"])
def test_equals_the_dense_update_in_half_precision(name):
    for sparse, full in both(name, {}, draw(2), dtype=np.float16):
        np.testing.assert_allclose(sparse, full, rtol=4e-3, atol=4e-3)


@given(ids=st.lists(st.lists(st.integers(0, ROWS - 1), max_size=40), max_size=3))
@settings(max_examples=25)
def test_repeated_rows_are_summed_first(ids):
    random = np.random.default_rng(3)
    batches = [(np.array(i, np.int64), random.normal(size=(len(i), WIDTH))) for i in ids]
    for sparse, full in both("Adam", {}, batches):
        np.testing.assert_allclose(sparse, full, rtol=1e-12, atol=1e-14)


def test_a_gradient_from_the_tape():
    table, wanted = tf.Variable(np.ones((4, 2))), np.ones((4, 2))
    gradient = gradient_of(lambda table: tf.reduce_sum(tf.gather(table, [1, 3, 1]) * 2.0), table)
    assert isinstance(gradient, tf.IndexedSlices)
    tf.optimizers.SGD(0.5).apply_gradients([(gradient, table)])
    wanted[1] -= 2
    wanted[3] -= 1
    np.testing.assert_array_equal(table, wanted)


@pytest.mark.parametrize("name", ["SGD", "Adagrad", "Adam", "RMSprop"])
def test_slots_written_by_others_are_noticed(name):
    options = {"momentum": 0.5} if name == "SGD" else {}
    table, twin = tf.Variable(np.ones((ROWS, WIDTH))), tf.Variable(np.ones((ROWS, WIDTH)))
    optimizers = [getattr(tf.optimizers, name)(RATE, **options) for _ in range(2)]
    batches = draw(4, 6)
    for number, (ids, values) in enumerate(batches):
        optimizers[0].apply_gradients([(slices(ids, values), table)])
        optimizers[1].apply_gradients([(dense(ids, values), twin)])
        if number == 1:
            for optimizer in optimizers:
                optimizer.variables[2].assign_add(np.full((ROWS, WIDTH), 0.5))
        if number == 3:
            dense_step = tf.constant(np.full((ROWS, WIDTH), 0.25))
            for optimizer, variable in zip(optimizers, (table, twin), strict=True):
                optimizer.apply_gradients([(dense_step, variable)])
        np.testing.assert_allclose(table.numpy(), twin.numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", ["SGD", "Adam", "Adagrad", "Adamax", "Nadam", "Lion", "Adadelta", "RMSprop", "Ftrl"])
def test_the_dense_gradient_is_never_made(name):
    def update(rows):
        table = tf.Variable(np.ones((rows, 16), np.float32))
        gradient = tf.IndexedSlices(tf.ones((64, 16)), tf.constant(np.arange(64) * 7), tf.constant([rows, 16]))
        optimizer = getattr(tf.optimizers, name)(RATE)
        optimizer.build([table])
        tracemalloc.start()
        try:
            optimizer.apply_gradients([(gradient, table)])
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    update(640)  # compiles kernels, perhaps
    assert update(40_000) < 40_000 * 16 * 4 / 8


def test_building_slots_makes_no_second_copy():
    table = tf.Variable(np.ones((40_000, 16), np.float32))
    optimizer = tf.optimizers.Adagrad(RATE)
    tracemalloc.start()
    try:
        optimizer.build([table])
        assert tracemalloc.get_traced_memory()[1] < table.numpy().nbytes * 1.25
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("ids", "values", "shape"),
    [
        ([0, ROWS], np.ones((2, WIDTH)), [ROWS, WIDTH]),
        ([-1, 0], np.ones((2, WIDTH)), [ROWS, WIDTH]),
        ([np.iinfo(np.int64).min], np.ones((1, WIDTH)), [ROWS, WIDTH]),
        ([0], np.ones((2, WIDTH)), [ROWS, WIDTH]),
        ([0], np.ones((1, WIDTH + 1)), [ROWS, WIDTH]),
        ([[0]], np.ones((1, WIDTH)), [ROWS, WIDTH]),
        ([0], np.ones((1, WIDTH)), [ROWS + 1, WIDTH]),
        ([0.5], np.ones((1, WIDTH)), [ROWS, WIDTH]),
    ],
)
@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_slices_that_do_not_fit_are_refused_and_nothing_changes(name, ids, values, shape):
    table = tf.Variable(np.ones((ROWS, WIDTH)))
    optimizer = getattr(tf.optimizers, name)(RATE)
    bad = tf.IndexedSlices(tf.constant(values), tf.constant(ids), tf.constant(shape))
    with pytest.raises(tf.errors.InvalidArgumentError, match=name):
        optimizer.apply_gradients([(bad, table)])
    assert len(optimizer.variables) == 2
    np.testing.assert_array_equal(table, np.ones((ROWS, WIDTH)))
    assert int(optimizer.iterations) == 0


def test_too_little_memory_for_rows_changes_no_variable(monkeypatch):
    """What a sparse update needs memory for comes before dense variables change."""
    optimizer = tf.keras.optimizers.Adam(0.1)
    dense, table = tf.Variable([1.0, 2.0]), tf.Variable(np.ones((4, 2), np.float32))
    gradients = [tf.constant([1.0, 1.0]), tf.IndexedSlices(tf.ones([1, 2]), tf.constant([2]), tf.constant([4, 2]))]
    optimizer.apply_gradients(zip(gradients, [dense, table], strict=True))
    before = [variable.numpy() for variable in (dense, table, *optimizer.variables)]

    def refuse(*args, **options):
        raise MemoryError

    with monkeypatch.context() as context:
        context.setattr(type(optimizer), "_nonzero_slot_flags", refuse)
        with pytest.raises(MemoryError):
            optimizer.apply_gradients(zip(gradients, [dense, table], strict=True))
    for variable, value in zip((dense, table, *optimizer.variables), before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
