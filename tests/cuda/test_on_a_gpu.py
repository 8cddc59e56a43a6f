"""On real hardware: what elsewhere is simulated. `make test-gpu` runs these."""

import subprocess
import sys

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.cuda.devices import available
from fastgrad._src.cuda.devices.driver import OutOfDeviceMemory

REASON = available.no_gpu_reason()

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(REASON is not None, reason=str(REASON))]

X = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.fixture
def gpu():
    return available.gpu_device(0)


@pytest.mark.parametrize(
    "file",
    [
        "cuda/runtime/test_steps",
        "cuda/runtime/test_control_flow",
        "cuda/runtime/test_fit",
        "cuda/runtime/test_rows",
        "cuda/runtime/test_layers",
        "cuda/runtime/test_recurrent_layers",
        "core/test_placement",
    ],
)
def test_what_is_simulated_elsewhere_holds_on_a_gpu(file):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.cuda.on_hardware", f"tests/{file}.py"]
    # Facts about a process without GPUs, and about memory of the host, hold in simulation alone.
    command += ["-k", "not simulated_gpu_is and not without_a_gpu and not dlpack_gives"]
    child = subprocess.run(command, check=False, capture_output=True, text=True, timeout=1800)
    assert child.returncode == 0, child.stdout[-6000:]


def test_copies_of_all_kinds(gpu):
    x = gpu.put(X)
    np.testing.assert_array_equal(x.copy().on_host(), X)
    pinned = gpu.driver.allocate_pinned(X.nbytes).view(np.float32).reshape(X.shape)
    pinned[:] = X + 1
    gpu.driver.wait(gpu.driver.copy_in_parallel(x.address, pinned, gpu.driver.event()))
    np.testing.assert_array_equal(x.on_host(), X + 1)


def test_memory_that_is_out_is_an_error_after_which_work_goes_on(gpu):
    total = gpu.driver.free_and_total_bytes()[1]
    with pytest.raises(OutOfDeviceMemory):
        gpu.driver.allocate(2 * total)
    with pytest.raises(tf.errors.ResourceExhaustedError, match=rf"OOM: {2 * total:,} bytes are wanted on GPU:0"):
        gpu.array((2 * total,), np.uint8)
    np.testing.assert_array_equal(gpu.put(X).on_host(), X)


@pytest.mark.parametrize("library", ["torch", "cupy"])
def test_arrays_go_to_other_libraries_and_back(library):
    module = pytest.importorskip(library)
    with tf.device("GPU:0"):
        x = tf.constant(X)
    theirs = module.from_dlpack(x)
    theirs += 1
    np.testing.assert_array_equal(x.numpy(), X)
    back = tf.constant(theirs)
    assert back.device.endswith("GPU:0")
    np.testing.assert_array_equal(back.numpy(), X + 1)
