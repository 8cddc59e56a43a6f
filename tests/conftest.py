"""What the whole suite shares: kernels stay compiled between runs, hypothesis draws the same examples each time."""

import gc
import os
import random
import signal
import sys

import numpy as np
import pytest
from hypothesis import settings

from tests import selection
from tests.reliability import figures
from tests.reliability.figures import (  # noqa: F401 - hooks and fixtures of the suites in tests/reliability
    figure,
    full,
    pytest_runtest_logreport,
    pytest_sessionfinish,
)
from tests.selection import pytest_configure  # noqa: F401 - a hook

# The processes of pytest-xdist have the processors between them.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("FASTGRAD_NUM_THREADS", "1")

# Messages about compilation come with a cold cache only: tests of what a program prints must not see them.
os.environ.setdefault("FASTGRAD_QUIET", "1")

# Kernels are addressed by their content, so runs and clones share them.
os.environ.setdefault("FASTGRAD_CACHE_DIR", str(selection.cache_folder("kernels")))
os.environ.setdefault("FASTGRAD_COMPILER_PROCESS", "0")  # workers of pytest use all processors

selection.run_seed()  # before pytest-xdist starts processes, which inherit it

# A shell that runs the suite in the background has it ignore Ctrl-C, which some tests send.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No deadline: a test's first example may import SciPy or compile a kernel.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")


def pytest_addoption(parser):
    figures.pytest_addoption(parser)
    selection.pytest_addoption(parser)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Processors that this process may use, which in a container are fewer than the machine has."""
    from fastgrad._src.jit.processors import default_threads

    return default_threads()


_GENERATOR_STATES = {}


def pytest_collection_finish(session):
    """Remember the state of each module's random generators after its import, and take what was collected for permanent."""
    for module in {item.module for item in session.items if hasattr(item, "module")}:
        generators = [value for value in vars(module).values() if isinstance(value, np.random.Generator)]
        if generators:
            _GENERATOR_STATES[module] = [(each, each.bit_generator.state) for each in generators]
    gc.freeze()


def pytest_runtest_teardown(item, nextitem):
    """Take what a module leaves for permanent: else each garbage collection of later tests looks at all of it, which takes a second."""
    if nextitem is None or nextitem.path != item.path:
        gc.collect()
        gc.freeze()


@pytest.fixture(autouse=True)
def _draws_do_not_depend_on_other_tests(request):
    """A test draws the same numbers alone, in any order and in any process."""
    from fastgrad._src.ops import default_generators, random_generator  # after the variables of the environment are set

    random.seed(0)  # initial weights of Keras's layers follow it
    np.random.seed(0)
    for generator, state in _GENERATOR_STATES.get(getattr(request, "module", None), ()):
        generator.bit_generator.state = state
    keys = random.Random(0)  # generators without a seed take keys of their own, the same ones in each run
    with pytest.MonkeyPatch.context() as patch:
        for module in (random_generator, default_generators):
            patch.setattr(module, "unpredictable_state", lambda: [0, 0, keys.getrandbits(63)])
        default_generators.set_seed(None)
        yield


@pytest.fixture
def no_kept_derivatives(monkeypatch):
    """Have this test derive: a derivative in memory, or on disk from an earlier run, is not derived again."""
    from fastgrad._src.jit.dispatcher_cache import DispatcherCache

    monkeypatch.setattr(DispatcherCache, "load_overload", lambda self, signature, target: None)


def _settings_of_the_process():
    """The settings that change what later tests of this process run, by name. Those of GPUs are the simulation's to take back."""
    from fastgrad._src.compiler.dispatch import background_compilation, eager_execution, locking
    from fastgrad._src.core import deferral, recording, repeated_backward
    from fastgrad._src.core.tape import GradientTape

    with GradientTape():  # drops tapes that nothing refers to, which a wrong call leaves
        pass
    return {
        "defers": deferral.is_deferring(),
        "recorders.active": len(recording.recorders.active),
        "programs.is_on": repeated_backward.programs.is_on,
        "run_functions_eagerly": eager_execution.functions_run_eagerly(),
        "enable_op_determinism": eager_execution.ops_are_deterministic(),
        "set_background_compilation": background_compilation.get_background_compilation(),
        "fast_path_block_count": [*locking.fast_path_block_count],
    }


@pytest.fixture(autouse=True)
def _settings_of_the_process_are_as_before():
    """Fails a test that leaves a setting: later tests would fail, or not run what they are for, in some orders only."""
    before = _settings_of_the_process()
    yield
    assert _settings_of_the_process() == before


@pytest.fixture
def two_gpus():
    """Two simulated GPUs."""
    from tests.cuda.simulation.driver import simulated_gpus

    with simulated_gpus(2):
        yield


@pytest.fixture(autouse=True)
def _no_dtype_policy_is_left():
    """Keras has a function that sets the global policy, and none that forgets it."""
    yield
    module = sys.modules.get("fastgrad._src.keras.dtype_policy")
    if module is not None:
        module._GlobalPolicy.policy = None


@pytest.fixture
def simulated_gpu():
    """A GPU that the processor stands in for."""
    from tests.cuda.simulation.driver import simulated_gpus

    with simulated_gpus(1):
        yield
