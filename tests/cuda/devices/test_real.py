"""NVIDIA's GPUs by cuda-core: on a stand-in for NVIDIA's driver, and what is said where something is missing."""

import shutil
import subprocess
import sys
from importlib.util import find_spec

import pytest

import fastgrad as tf
from fastgrad._src.cuda.codegen.compile import COMPILER_PACKAGES
from fastgrad._src.cuda.devices import available, finding


def missing() -> str | None:
    """What the packages' code can't run on a stand-in without."""
    if find_spec("cuda") is None or find_spec("cuda.core") is None or find_spec("cuda.bindings") is None:
        return "cuda-core is not installed"
    absent = [package for package in COMPILER_PACKAGES if not finding._is_installed(package)]
    if absent:
        return f"{absent[0]} is not installed"
    return None if shutil.which("cc") and sys.platform == "linux" else "there is no C compiler, or this is not Linux"


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
@pytest.mark.parametrize("file", ["stand_in/facts.py", "runtime/test_steps.py"])
def test_the_driver_by_cuda_core_does_what_drivers_do(file):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.cuda.stand_in.plugin", f"tests/cuda/{file}"]
    child = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)
    assert child.returncode == 0, child.stdout[-6000:]


@pytest.fixture
def fresh():
    available.forget_gpus()
    yield
    available.forget_gpus()


@pytest.mark.parametrize("absent", ["cuda-core", "cuda-bindings", None])
def test_a_missing_package_is_named_with_what_installs_it(fresh, monkeypatch, absent):
    monkeypatch.setitem(sys.modules, "cuda.core", None)  # importing it raises ImportError
    monkeypatch.setattr(finding, "_is_installed", lambda name: name != absent)
    assert tf.config.list_physical_devices("GPU") == []
    line = tf.config.why_no_gpu()
    assert line.endswith('; run: pip install "fastgrad[cuda]"')
    assert "\n" not in line
    assert (f"the package {absent} is not installed" if absent else "cuda-core can't be imported") in line


@pytest.mark.parametrize("absent", COMPILER_PACKAGES)
def test_a_missing_compiler_is_named(fresh, monkeypatch, absent):
    monkeypatch.setattr(finding, "cuda_core", lambda: None)
    monkeypatch.setattr(finding, "_is_installed", lambda name: name != absent)
    assert tf.config.list_physical_devices("GPU") == []
    assert tf.config.why_no_gpu() == f'no GPU: the package {absent} is not installed; run: pip install "fastgrad[cuda]"'


def test_nothing_of_gpus_is_imported_by_what_needs_none():
    code = """
import sys
import fastgrad as tf
v = tf.Variable([1.0])
with tf.GradientTape() as tape:
    y = tf.reduce_sum(v * 2.0)
v.assign_sub(tape.gradient(y, v))
tf.function(lambda x: x + 1)(tf.ones(3))
print([name for name in sys.modules if name.startswith("fastgrad._src.cuda.") or name.split(".")[0] == "cuda"])
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=600)
    assert found.stdout == "[]\n"
