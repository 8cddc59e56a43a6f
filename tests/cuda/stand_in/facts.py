"""Facts about the driver by cuda-core, on a stand-in for NVIDIA's: `test_real.py` runs this file in a process of its own."""

import ctypes

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.cuda.codegen.kernel import STATUS_WITHOUT_ERROR, device_kernel_of
from fastgrad._src.cuda.devices import available, finding, real
from fastgrad._src.cuda.devices.blas import Blas
from fastgrad._src.cuda.devices.driver import OutOfDeviceMemory
from tests.cuda.driver_calls import got, put, scale
from tests.cuda.row_sums import sum_rows
from tests.cuda.stand_in import cublas_lt
from tests.cuda.stand_in import driver as stand_in

X = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.fixture(autouse=True)
def all_is_well():
    yield
    assert not stand_in.failures, stand_in.failures[0]


@pytest.fixture(scope="session")
def driver():
    return real.RealDriver(0)


def test_the_gpu_is_found_and_named(driver):
    assert finding.real_gpu_count() == 1
    assert (driver.name, driver.capability, driver.is_simulated) == ("Stand-in", 90, False)
    free, total = driver.free_and_total_bytes()
    assert 0 < free <= total == stand_in.MEMORY


def test_copies(driver):
    at, to = put(driver, X), driver.allocate(X.nbytes)
    driver.copy(to, at, X.nbytes)
    driver.fill(at, 0, 8)
    np.testing.assert_array_equal(got(driver, to, X), X)
    np.testing.assert_array_equal(got(driver, at, X).reshape(-1)[:4], [0, 0, 2, 3])
    driver.copy_in(at, X[:0])


def test_memory_that_is_out_is_told_and_free_memory_comes_back(driver):
    before = driver.free_and_total_bytes()
    at = driver.allocate(1000)
    with pytest.raises(OutOfDeviceMemory, match="134217728 bytes"):
        driver.allocate(1 << 27)
    driver.free(at)
    assert driver.free_and_total_bytes() == before


def test_copies_ahead(driver):
    pinned = driver.allocate_pinned(X.nbytes).view(np.float32).reshape(X.shape)
    pinned[:] = X
    at = driver.allocate(X.nbytes)
    event = driver.copy_in_parallel(at, pinned, driver.event())
    driver.wait(event)
    driver.synchronize_event(event)
    np.testing.assert_array_equal(got(driver, at, X), X)


def test_a_launch_passes_addresses_numbers_and_units(driver):
    loaded = driver.load(device_kernel_of(scale), {"T": "float32"})
    x = np.array([1, 2, 3, -1, 4, -5], np.float32)
    at, y, answer = put(driver, x), driver.allocate(x.nbytes), put(driver, np.array(STATUS_WITHOUT_ERROR, np.uint64))
    driver.launch(loaded, (at, y, 2.5, answer), 6)
    assert got(driver, answer, np.zeros((), np.uint64)) == 3
    np.testing.assert_array_equal(got(driver, y, x)[:3], [2.5, 5, 7.5])
    driver.launch(loaded, (at, y, 2.5, answer), 0)  # nothing to do
    assert stand_in.launches[-1] == ("scale", 1, 256)


@pytest.mark.parametrize(("units", "blocks"), [(1, 1), (3, 3), (100, 4 * 2 * 4)])
def test_there_are_no_more_blocks_than_the_gpu_has_room_for(driver, units, blocks):
    x = np.ones((units, 4), np.float32)
    loaded = driver.load(sum_rows, {"T": "float32"})
    words = put(driver, x), driver.allocate(4 * units), 4, driver.allocate(8)
    driver.launch(loaded, words, units)
    assert stand_in.launches[-1] == ("sum_rows", blocks, 256)
    assert (got(driver, words[1], x[:, 0]) == 4).all()


def test_a_graph_does_what_was_recorded(driver):
    loaded = driver.load(sum_rows, {"T": "float32"})
    words = put(driver, X), driver.allocate(12), 4, driver.allocate(8)
    copy = put(driver, X[:, 0].copy())

    def work():
        driver.launch(loaded, words, 3)
        driver.copy(copy, words[1], 12)
        driver.fill(words[1], 0, 4)

    graph = driver.capture_graph(work)
    np.testing.assert_array_equal(got(driver, copy, X[:, 0].copy()), X[:, 0])
    for factor in (1, 3):
        driver.copy_in(words[0], X * factor)
        driver.launch_graph(graph)
        driver.synchronize()
        np.testing.assert_array_equal(got(driver, copy, X[:, 0].copy()), factor * X.sum(1))


def test_products_of_cublaslt_are_recorded_from_the_second_time_on(monkeypatch):
    def within(address, nbytes):
        assert nbytes <= stand_in._room(address)

    monkeypatch.setattr(cublas_lt, "within", [within])
    monkeypatch.setattr(cublas_lt, "do", [stand_in._do])
    driver = available.gpu_device(0).driver
    monkeypatch.setattr(driver, "_blas", Blas(cublas_lt, cublas_lt))
    a, b = np.ones((4, 8), np.float32), np.arange(8, dtype=np.float32)
    with tf.device("GPU:0"):
        step = tf.function(lambda x, w, b: tf.exp(tf.nn.relu(x @ w + b) @ w))
        given = tf.constant(a), tf.constant(np.eye(8, dtype=np.float32)), tf.constant(b)
        before, counts = len(cublas_lt.calls), []
        for _ in range(5):
            np.testing.assert_allclose(step(*given), np.exp(a + b), rtol=1e-6)
            counts.append(len(cublas_lt.calls) - before)
    assert counts == [0, 2, 4, 4, 4]  # on the host, launched, recorded, replayed


def test_what_fails_while_it_is_recorded_leaves_the_driver_as_it_was(driver):
    with pytest.raises(ZeroDivisionError):
        driver.capture_graph(lambda: 1 // 0)
    np.testing.assert_array_equal(got(driver, put(driver, X), X), X)


def test_machine_code_comes_from_the_disk_and_a_bad_file_is_made_anew(driver, tmp_path, monkeypatch):
    monkeypatch.setenv("FASTGRAD_CACHE_DIR", str(tmp_path))
    first = real.cached_cubin(sum_rows, {"T": "float32"}, 90)
    (file,) = tmp_path.glob("*.kernel")
    assert first.code[:4] == b"\x7fELF"
    assert first.spills == first.stack == 0
    monkeypatch.setattr(real, "link", None)
    assert real.cached_cubin(sum_rows, {"T": "float32"}, 90) == first
    monkeypatch.undo()
    monkeypatch.setenv("FASTGRAD_CACHE_DIR", str(tmp_path))
    for damage in (lambda b: b[:100], lambda b: b[:-1] + bytes([b[-1] ^ 1]), lambda b: b""):
        file.write_bytes(damage(file.read_bytes()))
        assert real.cached_cubin(sum_rows, {"T": "float32"}, 90) == first
    real.cached_cubin(sum_rows, {"T": "float32"}, 80)
    assert len(list(tmp_path.glob("*.kernel"))) == 2


def test_tensors_are_lent_as_dlpack_and_as_cuda_arrays(driver):
    with tf.device("GPU:0"):
        x = tf.constant(X)
    assert x.device.endswith("GPU:0")
    found = x.__cuda_array_interface__
    assert (found["shape"], found["typestr"], found["strides"]) == (X.shape, "<f4", None)
    assert found["stream"] == available.gpu_device(0).driver.stream
    np.testing.assert_array_equal(
        X, np.ctypeslib.as_array((ctypes.c_float * 12).from_address(found["data"][0])).reshape(X.shape)
    )
    assert x.__dlpack_device__() == (2, 0)
    assert "dltensor" in repr(x.__dlpack__())
    np.testing.assert_array_equal(x.numpy(), X)


def test_arrays_of_other_libraries_become_tensors(driver):
    class Foreign:
        def __init__(self, array, strides=None):
            self.address = put(driver, array)
            self.__cuda_array_interface__ = {
                "shape": array.shape,
                "typestr": array.dtype.str,
                "data": (self.address, False),
                "strides": strides,
                "version": 3,
                "stream": None,
            }

    x = tf.constant(Foreign(X))
    assert x.device.endswith("GPU:0")
    np.testing.assert_array_equal(x.numpy(), X)
    with pytest.raises(ValueError, match="C-contiguous first"):
        tf.constant(Foreign(X, (4, 12)))
    with pytest.raises(TypeError, match="use tf.cast"):
        tf.constant(Foreign(X), tf.int32)


def test_arrays_that_are_lent_by_dlpack_become_tensors(driver):
    class Lender:
        def __init__(self, tensor):
            self.tensor = tensor

        def __dlpack_device__(self):
            return self.tensor.__dlpack_device__()

        def __dlpack__(self, **options):
            return self.tensor.__dlpack__(**options)

    with tf.device("GPU:0"):
        theirs = tf.Variable(X)
    x = tf.constant(Lender(theirs))
    assert (x.device, x.dtype, x.shape) == (theirs.device, tf.float32, X.shape)
    theirs.assign_add(X)
    np.testing.assert_array_equal(x.numpy(), X, "the tensor has bytes of its own")
    with pytest.raises(TypeError, match="use tf.cast"):
        tf.constant(Lender(theirs), tf.int32)


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({"version": 12080}, "no GPU: NVIDIA's driver is for CUDA 12.8, which is older than 13.0; install driver 580"),
        ({"cuInit": 100}, "no GPU: NVIDIA's driver finds none; see: nvidia-smi"),
        ({"cuInit": 803}, "no GPU: NVIDIA's driver says CUDA_ERROR_SYSTEM_DRIVER_MISMATCH; see: nvidia-smi"),
    ],
)
def test_why_there_is_no_gpu_is_one_line(monkeypatch, said, line):
    for name, value in said.items():
        monkeypatch.setitem(stand_in.says, name, value)
    available.forget_gpus()
    assert tf.config.list_physical_devices("GPU") == []
    assert tf.config.why_no_gpu().startswith(line)
    assert "\n" not in tf.config.why_no_gpu()
    available.forget_gpus()


def test_a_gpu_that_is_too_old_is_named(monkeypatch):
    monkeypatch.setattr(finding, "capability_of", lambda device: 70)
    available.forget_gpus()
    assert tf.config.list_physical_devices("GPU") == []
    assert tf.config.why_no_gpu().startswith("no GPU: compute capability 7.0 is older than 7.5; hide older GPUs")
    available.forget_gpus()
