"""Elements of datasets that are copied to a GPU ahead. Two GPUs are simulated here."""

import threading

import numpy as np
import pytest

import fastgrad as tf
from tests.cuda.simulation.driver import SimulatedDriver

pytestmark = pytest.mark.usefixtures("two_gpus")
X = np.arange(20, dtype=np.float32).reshape(10, 2)


def batches(size=4):
    return tf.data.Dataset.from_tensor_slices({"x": X, "text": [str(n) for n in range(10)]}).batch(size)


@pytest.mark.parametrize("buffer_size", [None, 0, 1, 3, 100, tf.data.AUTOTUNE])
def test_elements_come_in_order_on_the_device(buffer_size):
    dataset = batches().apply(tf.data.experimental.prefetch_to_device("/GPU:1", buffer_size))
    for _ in range(2):
        found = list(dataset)
        assert all(element["x"].device.endswith("GPU:1") for element in found)
        assert all(element["text"].device.endswith("CPU:0") for element in found)
        np.testing.assert_array_equal(np.concatenate([element["x"].numpy() for element in found]), X)
        assert [text for element in found for text in element["text"].numpy()] == [b"%d" % n for n in range(10)]


def test_elements_are_on_their_way_before_they_are_asked_for(monkeypatch):
    sent = []
    copy_in_parallel = SimulatedDriver.copy_in_parallel
    monkeypatch.setattr(SimulatedDriver, "copy_in_parallel", lambda *given: sent.append(1) or copy_in_parallel(*given))
    elements = iter(tf.data.Dataset.from_tensor_slices(X).apply(tf.data.experimental.prefetch_to_device("GPU:0", 3)))
    next(elements)
    assert len(sent) == 4
    next(elements)
    assert len(sent) == 5


def test_an_iteration_can_be_abandoned():
    elements = iter(batches(1).apply(tf.data.experimental.prefetch_to_device("GPU:0", 3)))
    first = next(elements)
    before = threading.active_count()
    del elements
    with tf.device("GPU:0"):
        others = [tf.constant(np.full((1, 2), n, np.float32)) for n in range(8)]
    assert [float(x.numpy()[0, 0]) for x in others] == list(range(8))
    np.testing.assert_array_equal(first["x"].numpy(), X[:1])
    assert threading.active_count() <= before


def test_copies_have_the_length_and_the_specification_of_the_elements():
    dataset = batches().apply(tf.data.experimental.prefetch_to_device("GPU:0"))
    assert dataset.cardinality().numpy() == 3
    assert dataset.element_spec == batches().element_spec


def test_without_such_a_gpu_elements_stay_on_the_host():
    dataset = batches().apply(tf.data.experimental.prefetch_to_device("GPU:5"))
    assert {element["x"].device[-5:] for element in dataset} == {"CPU:0"}


def test_what_is_no_device_or_no_size_is_refused():
    with pytest.raises(ValueError, match="'nowhere' is not the name of a device"):
        tf.data.experimental.prefetch_to_device("nowhere")
    with pytest.raises(tf.errors.InvalidArgumentError, match="buffer_size"):
        tf.data.experimental.prefetch_to_device("GPU:0", -2)
