"""Arrays in a GPU's memory, and the blocks that they are in."""

import gc

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.cuda.devices.memory import Device, block_size
from fastgrad.errors import ResourceExhaustedError
from tests.cuda.simulation.driver import SimulatedDriver


@pytest.fixture
def device():
    return Device(SimulatedDriver(1 << 20))


X = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize(
    "array", [X, np.array(7, np.int64), np.zeros((0, 4), np.float16), np.array([True, False]), X.T, X[:, ::2]]
)
def test_arrays_go_there_and_back(device, array):
    there = device.put(array)
    assert (there.shape, there.dtype, there.ndim, there.size, there.nbytes, there.itemsize) == (
        array.shape,
        array.dtype,
        array.ndim,
        array.size,
        array.nbytes,
        array.itemsize,
    )
    np.testing.assert_array_equal(there.on_host(), array)
    np.testing.assert_array_equal(there.copy().on_host(), array)


def test_copies_have_memory_of_their_own_and_reshaped_arrays_do_not(device):
    x = device.put(X)
    twin, flat = x.copy(), x.reshape((6,))
    x.write(X + 1)
    np.testing.assert_array_equal(twin.on_host(), X)
    np.testing.assert_array_equal(flat.on_host(), X.reshape(-1) + 1)
    address = x.address
    del x
    assert device.array((6,), np.float32).address != address
    np.testing.assert_array_equal(flat.on_host(), X.reshape(-1) + 1)


def test_arrays_are_written_from_other_devices(device):
    other = Device(SimulatedDriver(1 << 12), 1)
    x = other.put(X)
    there = device.array((2, 3), np.float32)
    there.write(x)
    np.testing.assert_array_equal(there.on_host(), X)
    for wrong in (x.reshape((6,)), X.astype(np.float64)):
        with pytest.raises(ValueError, match="are written to"):
            there.write(wrong)


def test_numpy_does_not_get_the_elements_silently(device):
    x = device.put(X)
    with pytest.raises(TypeError, match=r"GPU:0 does not become one of NumPy silently"):
        np.asarray(x)
    with pytest.raises(TypeError):
        np.add(x, 1)
    with pytest.raises(TypeError, match="on the host only"):
        device.put(np.array(["text"], object))


def test_a_free_block_is_given_out_again_without_asking_the_driver(device):
    x = device.put(X)
    address = x.address
    del x
    assert device.bytes_in_blocks() == (0, 512)
    device.driver.allocate = None
    assert device.array((5, 5), np.float32).address == address


def test_memory_that_is_out_is_an_error_with_sizes_after_which_work_goes_on(device):
    held = [device.array((1 << 16,), np.float32) for _ in range(3)]
    with pytest.raises(
        ResourceExhaustedError, match=r"524,288 bytes are wanted on GPU:0 .*1,048,576 bytes .* have 786,432"
    ):
        device.array((1 << 17,), np.float32)
    held.pop()
    held.pop()
    assert device.bytes_in_blocks() == (1 << 18, 1 << 19)
    held.append(device.array((1 << 17,), np.float32))  # both blocks are given back for it
    assert device.bytes_in_blocks() == ((1 << 18) + (1 << 19), 0)
    np.testing.assert_array_equal(device.put(X).on_host(), X)


def test_arrays_in_cycles_are_found_before_memory_is_out(device):
    class Cycle:
        def __init__(self, array):
            self.array, self.itself = array, self

    gc.disable()
    try:
        address = Cycle(device.array((1 << 17,), np.float32)).array.address
        assert device.array((1 << 17,), np.float32).address == address
    finally:
        gc.enable()


def test_the_cache_can_be_emptied(device):
    free, total = device.driver.free_and_total_bytes()
    device.put(X)
    device.empty_cache()
    assert device.driver.free_and_total_bytes() == (free, total)
    assert device.bytes_in_blocks() == (0, 0)


@pytest.mark.parametrize("nbytes", [0, 1, 511, 512, 513, 4095, 4097, 70_000, 1 << 20, (1 << 20) + 1, 3 * 10**9])
def test_blocks_are_little_larger_than_what_is_in_them(nbytes):
    size = block_size(nbytes)
    assert max(nbytes, 1) <= size
    assert size <= max(nbytes + 512, nbytes * 9 / 8)
    assert size % 256 == 0
    assert block_size(size) == size


def test_tensors_too_large_for_a_gpu_are_an_error_after_which_work_goes_on(simulated_gpu):
    with tf.device("GPU:0"):
        with pytest.raises(ResourceExhaustedError, match=r"OOM: 2,147,483,648 bytes are wanted on GPU:0"):
            tf.zeros((1 << 16, 1 << 13))
        np.testing.assert_array_equal(tf.ones(3) + 1.0, [2, 2, 2])
