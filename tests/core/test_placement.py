"""Devices: what is made where, copies between them, and errors. Two GPUs are simulated here."""

import copy
import itertools
import pickle
import threading

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.core.placement import common_device
from fastgrad._src.cuda.devices import available, finding

CPU = "/job:localhost/replica:0/task:0/device:CPU:0"
GPU = "/job:localhost/replica:0/task:0/device:GPU:0"
OTHER = "/job:localhost/replica:0/task:0/device:GPU:1"


@pytest.fixture
def gpus(two_gpus):
    yield
    tf.config.set_default_device(None)


@pytest.fixture
def no_gpu():
    available.forget_gpus()
    yield
    available.forget_gpus()


def test_gpus_are_listed(gpus):
    assert [device.name for device in tf.config.list_physical_devices()] == [
        "/physical_device:CPU:0",
        "/physical_device:GPU:0",
        "/physical_device:GPU:1",
    ]
    assert [device.device_type for device in tf.config.list_logical_devices("GPU")] == ["GPU", "GPU"]
    assert tf.config.why_no_gpu() is None


@pytest.mark.parametrize("name", ["GPU:0", "/GPU:0", "/gpu", "/device:GPU:0", GPU])
def test_tensors_and_variables_are_made_where_the_scope_says(gpus, name):
    with tf.device(name):
        made = [tf.constant([1.0, 2.0]), tf.zeros(3), tf.convert_to_tensor(np.ones(2)), tf.Variable([1, 2])]
    assert [x.device for x in made] == [GPU] * 4
    assert made[0].numpy().tolist() == [1.0, 2.0]
    assert tf.constant(1.0).device == CPU


def test_scopes_are_of_one_thread_and_can_be_nested(gpus):
    def elsewhere():
        seen.append(tf.constant(1.0).device)

    seen = []
    with tf.device("GPU:0"):
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        with tf.device("CPU:0"):
            elsewhere()
        with tf.device("GPU:1"):
            elsewhere()
            with tf.device(None):
                elsewhere()
        elsewhere()
    assert seen == [CPU, CPU, OTHER, CPU, GPU]


def test_the_default_is_for_all_threads_outside_of_scopes(gpus):
    tf.config.set_default_device("GPU:1")
    assert tf.config.get_default_device() == tf.constant(1.0).device == OTHER
    with tf.device("CPU:0"):
        assert tf.constant(1.0).device == CPU
    tf.config.set_default_device(None)
    assert tf.config.get_default_device() == tf.constant(1.0).device == CPU


def test_a_gpu_that_is_not_there_is_the_cpu_in_a_scope_and_an_error_as_the_default(gpus):
    with tf.device("GPU:7"):
        assert tf.constant(1.0).device == CPU
    with pytest.raises(ValueError, match=r"there is no GPU:7; GPUs are 2"):
        tf.config.set_default_device("GPU:7")


def test_texts_stay_on_the_host(gpus):
    with tf.device("GPU:0"):
        assert tf.constant(["a"]).device == CPU


def on(device, values):
    with tf.device(device):
        return tf.constant(values)


@pytest.mark.parametrize(("start", "end"), [*itertools.permutations(["CPU:0", "GPU:0", "GPU:1"], 2)])
def test_identity_copies_to_the_scopes_device_and_gradients_come_back(gpus, start, end):
    x = on(start, [1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        with tf.device(end):
            y = tf.identity(x)
    gradient = tape.gradient(y, x)
    assert gradient.device == x.device
    assert gradient.numpy().tolist() == [1.0, 1.0]
    assert y.device.endswith(end)
    assert y.numpy().tolist() == [1.0, 2.0]


def test_identity_without_a_scope_copies_nothing(gpus):
    with tf.device("CPU:0"):
        x = tf.identity(tf.constant(1.0))
    assert tf.identity(x).device == CPU


def test_variables_are_assigned_and_read(gpus):
    with tf.device("GPU:0"):
        v = tf.Variable([1.0, 2.0], name="v")
    before = v.value()
    for value in ([3.0, 4.0], on("GPU:1", [3.0, 4.0]), on("CPU:0", [3.0, 4.0]), on("GPU:0", [3.0, 4.0])):
        v.assign([0.0, 0.0])
        v.assign(value)
        assert v.numpy().tolist() == [3.0, 4.0]
    assert before.numpy().tolist() == [1.0, 2.0]
    assert v.device == before.device == GPU
    host = tf.Variable([0.0, 0.0])
    host.assign(v)
    assert (host.numpy().tolist(), host.device) == ([3.0, 4.0], CPU)
    with pytest.raises(ValueError, match="Shape mismatch"):
        v.assign([1.0])
    assert repr(v) == "<tf.Variable 'v:0' shape=(2,) dtype=float32, numpy=array([3., 4.], dtype=float32)>"


def test_python_reads_values_of_a_gpu(gpus):
    x = on("GPU:0", 3)
    assert (int(x), float(x), bool(x), f"{x}", str(x)) == (3, 3.0, True, "3", "tf.Tensor(3, shape=(), dtype=int32)")
    assert [0, 1, 2, 3, 4][x] == 3
    assert np.asarray(x) == 3
    assert repr(x) == "<tf.Tensor: shape=(), dtype=int32, numpy=3>"


def test_copies_are_on_the_same_device_and_pickles_come_back_on_the_host(gpus):
    x, v = on("GPU:1", [1.0]), tf.Variable(on("GPU:1", [2.0]))
    assert copy.copy(x).device == copy.deepcopy(x).device == copy.deepcopy(v).device == v.device == OTHER
    for one, value in ((x, 1.0), (v, 2.0)):
        back = pickle.loads(pickle.dumps(one))
        assert (back.device, back.numpy().tolist()) == (CPU, [value])


def test_tensors_of_two_devices_in_one_operation_are_an_error_that_names_them(gpus):
    one, other, host = on("GPU:0", [1.0]), on("GPU:1", [1.0]), tf.Variable([1.0])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"add: .* input 0 is on GPU:0, input 1 on GPU:1\. Copy"):
        common_device("add", (one, other))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"input 0 is on CPU:0, input 2 on GPU:1"):
        common_device("add_n", (host.value(), host.value(), other))


def test_what_is_made_of_python_values_goes_with_any_device(gpus):
    free = tf.constant([1.0])
    for device in ("GPU:0", "GPU:1"):
        x = on(device, [2.0])
        found, arrays = common_device("add", (x, free, tf.zeros(1)))
        assert found.name == x.device
        assert [array.device for array in arrays] == [found] * 3
    assert common_device("add", (free, free))[0] is None
    assert tf.zeros_like(x).device == tf.ones_like(x).device == OTHER


def test_memory_is_told(gpus):
    before = tf.config.experimental.get_memory_info("GPU:0")
    x = on("GPU:0", np.zeros(1000, np.float32))
    now = tf.config.experimental.get_memory_info("GPU:0")
    assert now["current"] >= before["current"] + 4000
    assert now["peak"] >= now["current"]
    del x
    assert tf.config.experimental.get_memory_info("GPU:0")["current"] == before["current"]
    with pytest.raises(ValueError, match="no GPU of this machine"):
        tf.config.experimental.get_memory_info("CPU:1")
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def test_without_a_gpu_the_list_is_empty_and_one_line_says_why(no_gpu, monkeypatch):
    def none():
        raise finding.GpuUnavailableError("no GPU: this is a test; run: nothing")

    monkeypatch.setattr(finding, "real_gpu_count", none)
    assert tf.config.list_physical_devices("GPU") == []
    assert tf.config.why_no_gpu() == "no GPU: this is a test; run: nothing"
    with pytest.raises(ValueError, match=r"there is no GPU:0; no GPU: this is a test"):
        tf.config.set_default_device("GPU:0")
    with tf.device("/GPU:0"):
        assert tf.constant(1.0).device == CPU


def test_the_former_variable_of_simulated_gpus_is_refused(monkeypatch, no_gpu):
    monkeypatch.setenv("FASTGRAD_SIMULATED_GPU", "1")
    with pytest.raises(ValueError, match=r"FASTGRAD_SIMULATED_GPU is set, but .* tests/cuda/simulation/driver.py"):
        tf.config.list_physical_devices()


@pytest.mark.parametrize(
    "name", ["/CPU:0", "cpu", "CPU:0", "/device:CPU:0", "/job:localhost/replica:0/task:0/device:CPU:0", None, "/GPU:0"]
)
def test_without_a_gpu_everything_is_on_the_host(no_gpu, name):
    with tf.device(name):
        y = tf.constant(1.0) + 1.0
    assert float(y) == 2.0
    assert y.device == CPU


@pytest.mark.parametrize("name", ["nonsense", "/CPU:0/more", "/job:worker/CPU:0", 3])
def test_other_names_of_devices_are_refused(name):
    with pytest.raises(ValueError, match=r"tf\.device"), tf.device(name):
        pass


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.1.0", reason="NumPy's from_dlpack gives arrays to read")
def test_dlpack_gives_bytes_that_nobody_else_has(gpus):
    v = tf.Variable(on("GPU:0", [1.0, 2.0]))
    for x in (v.value(), v):
        array = np.from_dlpack(x)  # a simulated GPU's memory is the host's
        array += 1
        assert array.tolist() == [2.0, 3.0]
        assert x.numpy().tolist() == [1.0, 2.0]
    del x, v
    assert np.ones(2, np.float32).tolist() == [1.0, 1.0]
    assert array.tolist() == [2.0, 3.0]


def test_the_memory_of_a_simulated_gpu_is_no_cuda_array(gpus):
    assert not hasattr(on("GPU:0", [1.0]), "__cuda_array_interface__")
    assert not hasattr(on("CPU:0", [1.0]), "__cuda_array_interface__")
    assert not hasattr(tf.Variable(on("GPU:0", [1.0])), "__cuda_array_interface__")


def test_arrays_of_other_libraries_on_a_gpu_that_is_not_there_are_refused(no_gpu, monkeypatch):
    class Foreign:
        def __init__(self):
            self.__cuda_array_interface__ = {"shape": (1,), "typestr": "<f4", "data": (1, False), "version": 3}

    monkeypatch.setattr(finding, "real_gpu_count", lambda: 0)
    with pytest.raises(ValueError, match="a Foreign on GPU:0 does not become a tensor"):
        tf.constant(Foreign())
