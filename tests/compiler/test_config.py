"""tf.config: the devices there are, and the line about compilation."""

import pytest

import fastgrad as tf
from fastgrad._src.compiler import config
from fastgrad._src.jit.progress import COMPILATION_PROGRESS


def test_there_is_one_cpu_and_no_gpu():
    (cpu,) = tf.config.list_physical_devices()
    assert (cpu.name, cpu.device_type) == ("/physical_device:CPU:0", "CPU")
    assert tf.config.list_physical_devices("CPU") == tf.config.get_visible_devices() == [cpu]
    assert tf.config.experimental.list_physical_devices("CPU") == [cpu]
    assert tf.config.list_physical_devices("GPU") == tf.config.list_logical_devices("GPU") == []
    assert tf.config.list_logical_devices("CPU")[0].name == "/device:CPU:0"


def test_messages_about_compilation_can_be_switched_off(monkeypatch):
    monkeypatch.setattr(COMPILATION_PROGRESS, "enabled", True)
    tf.config.set_compile_messages(False)
    assert not COMPILATION_PROGRESS.enabled
    tf.config.set_compile_messages(True)
    assert COMPILATION_PROGRESS.enabled


def test_threads_of_one_operation_are_those_of_kernels():
    before = tf.config.get_num_threads()
    threading = tf.config.threading
    try:
        assert threading.get_intra_op_parallelism_threads() == threading.get_inter_op_parallelism_threads() == 0
        threading.set_intra_op_parallelism_threads(3)
        assert threading.get_intra_op_parallelism_threads() == tf.config.get_num_threads() == 3
        threading.set_inter_op_parallelism_threads(2)
        assert threading.get_inter_op_parallelism_threads() == 2
        for setter in (threading.set_intra_op_parallelism_threads, threading.set_inter_op_parallelism_threads):
            with pytest.raises(ValueError, match="num_threads is -1"):
                setter(-1)
        assert threading.get_intra_op_parallelism_threads() == 3
    finally:
        threading.set_intra_op_parallelism_threads(0)
        threading.set_inter_op_parallelism_threads(0)
        tf.config.set_num_threads(before)


@pytest.mark.parametrize("space", [tf.config, tf.config.experimental], ids=["config", "experimental"])
def test_the_cpu_can_be_divided_into_logical_devices(space, monkeypatch):
    monkeypatch.setattr(config, "_logical_devices", {})
    (cpu,) = tf.config.list_physical_devices("CPU")
    name = "virtual" if space is tf.config.experimental else "logical"
    configuration = getattr(space, f"{name.title()}DeviceConfiguration")()
    assert getattr(space, f"get_{name}_device_configuration")(cpu) is None
    getattr(space, f"set_{name}_device_configuration")(cpu, [configuration] * 3)
    assert [device.name for device in tf.config.list_logical_devices()] == [f"/device:CPU:{n}" for n in range(3)]
    assert tf.config.list_physical_devices() == [cpu]
    assert getattr(space, f"get_{name}_device_configuration")(cpu) == [configuration] * 3
    with tf.device("/device:CPU:2"):
        assert float(tf.constant(1.0) + 1.0) == 2.0


@pytest.mark.parametrize(
    ("configurations", "text"),
    [
        ([], r"must be LogicalDeviceConfigurations, got \[\]"),
        ([3], "must be LogicalDeviceConfigurations"),
        ([tf.config.LogicalDeviceConfiguration(memory_limit=9)], "memory limit"),
    ],
)
def test_logical_devices_that_cannot_be_are_refused(configurations, text):
    (cpu,) = tf.config.list_physical_devices("CPU")
    with pytest.raises(ValueError, match=text):
        tf.config.set_logical_device_configuration(cpu, configurations)
    with pytest.raises(ValueError, match="Unrecognized device: 'CPU'"):
        tf.config.set_logical_device_configuration("CPU", [tf.config.LogicalDeviceConfiguration()])
    assert tf.config.list_logical_devices("CPU") == [tf.config.LogicalDevice("/device:CPU:0", "CPU")]


def test_hidden_devices_are_not_listed_and_a_wrong_device_hides_none():
    (cpu,) = tf.config.list_physical_devices("CPU")
    try:
        tf.config.set_visible_devices([], "CPU")
        assert tf.config.get_visible_devices() == tf.config.list_logical_devices("CPU") == []
        assert tf.config.list_physical_devices("CPU") == [cpu]
        tf.config.set_visible_devices([], "GPU")
        assert tf.config.get_visible_devices("CPU") == []
    finally:
        tf.config.set_visible_devices(cpu)
    with pytest.raises(ValueError, match="set_visible_devices: Unrecognized device: 'cpu'"):
        tf.config.set_visible_devices([cpu, "cpu"])
    assert tf.config.experimental.get_visible_devices() == [cpu]


def test_a_missing_gpu_is_an_error_without_soft_placement():
    with tf.device("/GPU:7"):
        assert tf.constant(1.0).device.endswith("CPU:0")
    tf.config.set_soft_device_placement(False)
    try:
        with pytest.raises(tf.errors.InvalidArgumentError, match="there is no GPU 7 .*set_soft_device_placement"):
            tf.device("/GPU:7").__enter__()
    finally:
        tf.config.set_soft_device_placement(True)


def test_memory_and_details_of_the_cpu():
    (cpu,) = tf.config.list_physical_devices("CPU")
    experimental = tf.config.experimental
    assert experimental.get_memory_usage("CPU:0") > 1 << 20
    experimental.reset_memory_stats("CPU:0")
    assert experimental.get_memory_growth(cpu) is True
    assert experimental.get_device_details(cpu) == {}
