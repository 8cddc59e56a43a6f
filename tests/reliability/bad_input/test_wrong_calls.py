"""Wrong calls of every public family raise TensorFlow's classes, say what was wrong, and change nothing."""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.ops.random_state import default_random_state

from .attempts import attempts_in_a_process
from .names import OPERANDS, names
from .wrong_calls import INTERNAL, Call, expected, families, public_classes

CALLS = [(family, call) for family, calls in families().items() for call in calls]
IDS = [f"{family}: {call.text}" for family, call in CALLS]
# Families of operations: their calls are also made inside compiled functions, on arguments.
OF_OPERATIONS = {
    "arguments", "axes", "creation", "dtypes", "functions", "gathering", "indices", "linalg", "math", "nn", "random", "ragged", "reductions", "shapes",
    "shaping", "slicing",
}  # fmt: skip
COMPILED = [(family, call) for family, call in CALLS if family in OF_OPERATIONS and "tf.function" not in call.text]
LARGE = [call for _, call in CALLS if "1 << " in call.text or "303700" in call.text]


def raised(call: Call, error: BaseException) -> str:
    """What is wrong with the exception of a call, or nothing."""
    classes, wanted = public_classes(tf, error), expected()[call.text]
    if call.stricter:
        if call.stricter not in classes:
            return f"raised {classes}, the table has {call.stricter}: {error}"
    elif wanted[0] in INTERNAL:
        if not set(classes) & {"ValueError", "TypeError", "OpError", wanted[0]}:
            return f"raised {classes}, TensorFlow {wanted}: {error}"
    elif not set(wanted) <= set(classes):
        return f"raised {classes}, TensorFlow {wanted}: {error}"
    return "" if call.says_enough(str(error)) else f"says too little: {error}"


def state(scope: dict[str, Any], family: str) -> str:
    """All that a wrong call may not change: operands, the variable, the generators, the dtype policy, settings.

    Calls of Keras make layers first, whose weights are drawn.
    """
    arrays = {name: np.asarray(value).tolist() for name, value in scope.items() if name in (*OPERANDS, "ARRAY", "v")}
    settings = [
        tf.keras.config.dtype_policy().name,
        tf.keras.config.floatx(),
        tf.keras.config.epsilon(),
        tf.keras.config.image_data_format(),
    ]
    draws = default_random_state() if family in OF_OPERATIONS else None
    return repr((arrays, draws, settings, tf.config.functions_run_eagerly(), tf.executing_eagerly()))


def attempted(call: Call, function: Any, *arguments: Any) -> str:
    """What is wrong with a call, or nothing."""
    try:
        result = function(*arguments)
    except Exception as error:  # noqa: BLE001 - the exception is what is tested
        return raised(call, error)
    return f"raised nothing and gave {result!r}"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("family", "call"), CALLS, ids=IDS)
def test_a_wrong_call_raises_tensorflows_class_and_changes_nothing(family: str, call: Call, figure: Any) -> None:
    """The tape that is recording still gives the gradient of what came before and after."""
    scope = names(tf)
    tf.random.set_seed(7)
    tf.random.uniform([])
    before = state(scope, family)
    w = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = w * w
        tape.watch([scope[name] for name in OPERANDS if scope[name].dtype.is_floating])
        assert attempted(call, lambda: eval(call.text, scope)) == ""
        y = y * w
    assert state(scope, family) == before
    assert float(tape.gradient(y, w)) == 27.0
    figure("wrong calls", 1)
    figure("wrong calls that TensorFlow takes, or refuses by another class", int(bool(call.stricter)))


def test_there_are_calls_of_every_family(figure: Any) -> None:
    assert len(CALLS) >= 300
    assert len({call.text for _, call in CALLS}) == len(CALLS)
    assert set(expected()) == {call.text for _, call in CALLS}
    figure("families", len(families()))


def compiled_form(call: Call) -> tuple[Any, list[Any], dict[str, Any]]:
    """A call as a compiled function of its operands, and these."""
    scope = names(tf)
    used = [name for name in OPERANDS if name in compile(call.text, "", "eval").co_names or name in call.text]
    function = eval(f"lambda {', '.join(used)}: ({call.text})", scope)
    return tf.function(function), [scope[name] for name in used], scope


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("family", "call"), COMPILED, ids=[f"{family}: {call.text}" for family, call in COMPILED])
def test_a_wrong_call_raises_the_same_class_in_a_compiled_function(family: str, call: Call, figure: Any) -> None:
    function, arguments, scope = compiled_form(call)
    tf.random.set_seed(7)
    tf.random.uniform([])
    before = state(scope, family)
    for _ in range(2):
        assert attempted(call, function, *arguments) == ""
        assert state(scope, family) == before
    figure("wrong calls in compiled functions", 1)


def memory_peak() -> int:
    """The most bytes that the process has held since `forget_memory_peak`."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def forget_memory_peak() -> None:
    """Sets the peak to what the process holds now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads Linux's account of a process's memory")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", LARGE, ids=[call.text for call in LARGE])
def test_a_size_that_no_memory_has_is_refused_at_once(call: Call, figure: Any) -> None:
    """The first call imports what it needs."""
    for _ in range(2):
        scope = names(tf)
        gc.collect()
        forget_memory_peak()
        before = memory_peak()
        assert attempted(call, lambda: eval(call.text, scope)) == ""  # noqa: B023
        taken = memory_peak() - before
    assert taken < 4 << 20, f"{taken} bytes for {call.text}"
    figure("sizes that overflow", 1)


def in_a_process(python: str, environment: dict[str, str], calls: list[tuple[str, Call]]) -> list[str]:
    """What is wrong with calls that are made in a process of their own."""
    answers = attempts_in_a_process(python, "fastgrad", [call.text for _, call in calls], environment)
    wrong = []
    for _, call in calls:
        classes, message = answers[call.text]
        kind = type(classes[0], (Exception,), {}) if classes else None
        if (
            classes == ["crash"]
            or kind is None
            or (
                not set([call.stricter] if call.stricter else expected()[call.text][:1]) <= set(classes)
                and (call.stricter or expected()[call.text][0] not in INTERNAL)
            )
        ):
            wrong.append(f"{call.text}: {classes} {message}")
    return wrong


def some(calls: list[tuple[str, Call]], full: bool, step: int) -> list[tuple[str, Call]]:
    """All calls in the long form, each `step`-th in the short one."""
    return calls if full else calls[::step]


def test_wrong_calls_with_checked_memory(full: bool, figure: Any, tmp_path: Path) -> None:
    """Kernels look at the bounds of every access."""
    calls = some(COMPILED, full, 12)
    environment = {"FASTGRAD_CHECK_BOUNDS": "1", "FASTGRAD_CACHE_DIR": os.environ["FASTGRAD_CACHE_DIR"]}
    assert in_a_process(sys.executable, environment, calls) == []
    figure("wrong calls with checked memory", len(calls))


def test_wrong_calls_in_pythons_development_mode(full: bool, figure: Any) -> None:
    """`python -X dev` checks the heap, and its warnings are errors here."""
    calls = some(CALLS, full, 6)
    options = "-X dev -W error::ResourceWarning -W error::pytest.PytestUnraisableExceptionWarning".partition(
        " -W error::pytest"
    )[0]
    assert in_a_process(f"{sys.executable} {options}", {}, calls) == []
    figure("wrong calls in development mode", len(calls))


def test_the_record_is_readable() -> None:
    assert all(isinstance(classes, list) for classes in expected().values())
    assert json.dumps(expected())
