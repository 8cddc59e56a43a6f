"""The simulated GPU's driver: memory whose bounds are known, launches, graphs."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.core.dispatch import dispatchers
from fastgrad._src.core.placement import placement
from fastgrad._src.cuda.codegen.kernel import STATUS_WITHOUT_ERROR, device_kernel_of
from fastgrad._src.cuda.devices.driver import OutOfDeviceMemory
from tests.cuda.driver_calls import got, put, scale
from tests.cuda.row_sums import sum_rows
from tests.cuda.simulation.driver import ALLOCATION_ALIGNMENT_IN_BYTES, SimulatedDriver, simulated_gpus
from tests.cuda.simulation.lock_step import SimulationError


@pytest.fixture
def driver():
    return SimulatedDriver(1 << 16)


X = np.arange(12, dtype=np.float32).reshape(3, 4)


def test_what_is_copied_in_comes_out(driver):
    at, to = put(driver, X), driver.allocate(X.nbytes)
    driver.copy(to, at, X.nbytes)
    np.testing.assert_array_equal(got(driver, to, X), X)
    driver.fill(at + 4, 0, 8)
    np.testing.assert_array_equal(got(driver, at, X).reshape(-1)[:4], [0, 0, 0, 3])
    assert at % ALLOCATION_ALIGNMENT_IN_BYTES == to % ALLOCATION_ALIGNMENT_IN_BYTES == 0


def test_new_memory_is_full_of_nan(driver):
    assert np.isnan(got(driver, driver.allocate(X.nbytes), X)).all()


def test_freed_memory_is_used_again_and_its_end_is_an_error(driver):
    free, total = driver.free_and_total_bytes()
    assert free == total == 1 << 16
    addresses = [driver.allocate(1000) for _ in range(3)]
    driver.free(addresses[1])
    assert driver.allocate(900) == addresses[1]
    with pytest.raises(OutOfDeviceMemory, match="70000 bytes"):
        driver.allocate(70000)
    for address in addresses:
        driver.free(address)
    assert driver.free_and_total_bytes() == (free, total)
    driver.free(driver.allocate((1 << 16) - ALLOCATION_ALIGNMENT_IN_BYTES))


@pytest.mark.parametrize("off", [-256, 8, 1 << 20])
def test_copies_outside_of_what_is_allocated_are_refused(driver, off):
    at = put(driver, X)
    with pytest.raises(SimulationError, match="48 bytes at 0x.* not in allocated memory"):
        driver.copy_in(at + off, X)


def test_freeing_twice_is_refused(driver):
    at = driver.allocate(8)
    driver.free(at)
    with pytest.raises(SimulationError, match="was not allocated"):
        driver.free(at)


def row_sums(driver):
    at, sums, answer = put(driver, X), driver.allocate(12), driver.allocate(8)
    driver.fill(answer, 255, 8)
    return driver.load(sum_rows, {"T": "float32"}), (at, sums, 4, answer)


def test_launches_run_kernels(driver):
    loaded, words = row_sums(driver)
    driver.launch(loaded, words, 3)
    np.testing.assert_array_equal(got(driver, words[1], X[0, :3]), X.sum(1))
    assert got(driver, words[3], np.zeros((), np.uint64)) == STATUS_WITHOUT_ERROR


def test_launches_with_addresses_that_are_nobodys_are_refused(driver):
    loaded, words = row_sums(driver)
    driver.free(words[1])
    with pytest.raises(SimulationError, match="kernel sum_rows: sums: .* not in allocated memory"):
        driver.launch(loaded, words, 3)


def test_kernels_of_the_cpu_answer_where_they_are_stopped(driver):
    loaded = driver.load(device_kernel_of(scale), {"T": "float32"})
    x = np.array([1, 2, 3, -1, 4, -5], np.float32)
    at, y, answer = put(driver, x), driver.allocate(x.nbytes), put(driver, np.array(STATUS_WITHOUT_ERROR, np.uint64))
    driver.launch(loaded, (at, y, 2.5, answer), 6)
    assert got(driver, answer, np.zeros((), np.uint64)) == 3
    np.testing.assert_array_equal(got(driver, y, x)[:3], [2.5, 5, 7.5])


def test_a_graph_does_what_was_recorded_each_time(driver):
    loaded, words = row_sums(driver)
    copy = driver.allocate(12)

    def work():
        driver.launch(loaded, words, 3)
        driver.copy(copy, words[1], 12)

    graph = driver.capture_graph(work)
    assert np.isnan(got(driver, copy, X[0, :3])).all()
    for factor in (1, 10):
        driver.copy_in(words[0], X * factor)
        driver.launch_graph(graph)
        driver.synchronize()
        np.testing.assert_array_equal(got(driver, copy, X[0, :3]), factor * X.sum(1))
    driver.free(words[0])
    with pytest.raises(SimulationError, match="kernel sum_rows: x"):
        driver.launch_graph(graph)


@pytest.mark.parametrize("does", ["allocate", "copy_out", "synchronize"])
def test_what_no_graph_can_do_is_refused(driver, does):
    at = put(driver, X)
    work = {
        "allocate": lambda: driver.allocate(8),
        "copy_out": lambda: driver.copy_out(X, at),
        "synchronize": driver.synchronize,
    }
    with pytest.raises(SimulationError, match="which no graph can"):
        driver.capture_graph(work[does])
    driver.allocate(8)


def test_copies_ahead_are_there_when_their_event_has_come(driver):
    at, pinned = driver.allocate(X.nbytes), driver.allocate_pinned(X.nbytes).view(np.float32).reshape(X.shape)
    pinned[:] = X
    event = driver.copy_in_parallel(at, pinned, driver.event())
    assert np.isnan(got(driver, at, X)).all()  # without a wait, the old values are there
    driver.wait(event)
    np.testing.assert_array_equal(got(driver, at, X), X)
    event = driver.copy_in_parallel(at, pinned, event)
    pinned[:] = 5  # too early: the copy is not done yet
    driver.synchronize_event(event)
    assert (got(driver, at, X) == 5).all()


def test_a_process_that_has_used_simulated_gpus_is_as_before():
    before = [*dispatchers], placement.active
    with simulated_gpus(1), tf.device("GPU:0"):
        assert (tf.constant([1.0, 2.0]) * 2.0).device.endswith("GPU:0")
        assert len(dispatchers) > len(before[0])
    assert ([*dispatchers], placement.active) == before
    with simulated_gpus(1), tf.device("GPU:0"):
        assert (tf.constant([1.0, 2.0]) * 2.0).device.endswith("GPU:0")
