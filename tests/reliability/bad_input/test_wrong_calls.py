"""Wrong calls of every public family raise TensorFlow's classes, say what was wrong, and change nothing."""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

import fastgrad as tf
from tests.record import skip_unanswered

from .attempts import attempts_in_a_process
from .names import OPERANDS, names
from .public_names import named_in, public_callables, value_of
from .unchanged import state
from .wrong_calls import INTERNAL, Call, expected, families, public_classes

CALLS = [(family, call) for family, calls in families().items() for call in calls]
IDS = [f"{family}: {call.text}" for family, call in CALLS]
# Families of operations: their calls are also made inside compiled functions, on arguments.
OF_OPERATIONS = {
    "arguments", "axes", "creation", "dtypes", "functions", "gathering", "image", "indices", "linalg", "lookup", "math", "nn", "random", "ragged", "reductions",
    "sets", "shapes", "shaping", "signal", "slicing", "sparse", "strings",
}  # fmt: skip
COMPILED = [(family, call) for family, call in CALLS if family in OF_OPERATIONS and "tf.function" not in call.text]
LARGE = [call for _, call in CALLS if "1 << " in call.text or "303700" in call.text]


def wrong_class(call: Call, classes: list[str]) -> str:
    """What is wrong with the public classes of the exception of a call, or nothing; nothing where TensorFlow's are not recorded."""
    wanted = expected().get(call.text)
    if wanted is None:
        return ""
    if call.stricter:
        fits = call.stricter in classes
    elif wanted[0] in INTERNAL:
        fits = bool(set(classes) & {"ValueError", "TypeError", "OpError", wanted[0]})
    else:
        fits = set(wanted) <= set(classes)
    return "" if fits else f"raised {classes}, TensorFlow {wanted}, the table {call.stricter or 'the same'}"


def raised(call: Call, error: BaseException) -> str:
    """What is wrong with the exception of a call, or nothing."""
    wrong = wrong_class(call, public_classes(tf, error))
    if wrong:
        return f"{wrong}: {error}"
    return "" if call.says_enough(str(error)) else f"says too little: {error}"


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
    before = state(scope, draws=family in OF_OPERATIONS)  # calls of Keras make layers first, whose weights are drawn
    w = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = w * w
        tape.watch([scope[name] for name in OPERANDS if scope[name].dtype.is_floating])
        assert attempted(call, lambda: eval(call.text, scope)) == ""
        y = y * w
    assert state(scope, draws=family in OF_OPERATIONS) == before
    assert float(tape.gradient(y, w)) == 27.0
    figure("wrong calls", 1)
    figure("wrong calls that TensorFlow takes, or refuses by another class", int(bool(call.stricter)))
    skip_unanswered({call.text} - {*expected()})


# Public names without a wrong call, by the reason.
WITHOUT_WRONG_CALLS = {
    "takes no arguments, or only ones that are not looked at": {
        "tf.enable_eager_execution", "tf.executing_eagerly", "tf.get_current_name_scope", "tf.get_logger", "tf.group", "tf.inside_function", "tf.no_op",
        "tf.tuple", "tf.config.functions_run_eagerly", "tf.config.get_default_device", "tf.config.get_num_threads", "tf.config.why_no_gpu", "tf.config.get_background_compilation",
        "tf.config.experimental.enable_op_determinism", "tf.config.experimental.tensor_float_32_execution_enabled", "tf.debugging.disable_check_numerics",
        "tf.debugging.enable_traceback_filtering", "tf.debugging.disable_traceback_filtering",
        "tf.keras.config.backend", "tf.keras.config.dtype_policy", "tf.keras.config.epsilon",
        "tf.keras.config.floatx", "tf.keras.config.image_data_format", "tf.random.get_global_generator",
        "tf.summary.should_record_summaries", "tf.summary.experimental.get_step", "tf.train.RandomState", "tf.train.get_global_step",
        "tf.train.get_or_create_global_step", "tf.keras.Regularizer", "tf.keras.activations.linear", "tf.keras.utils.clear_session", "tf.timestamp",
        "tf.test.gpu_device_name", "tf.test.is_built_with_cuda", "tf.test.is_built_with_gpu_support",
        "tf.test.is_gpu_available", "tf.test.main", "tf.config.get_soft_device_placement",
        "tf.config.experimental.get_synchronous_execution", "tf.profiler.experimental.ProfilerOptions",
    },
    "takes every value, as in TensorFlow": {
        "tf.autograph.trace", "tf.compat.dimension_value", "tf.compat.path_to_str", "tf.get_static_value", "tf.is_tensor", "tf.nest.is_nested", "tf.config.get_visible_devices",
        "tf.config.list_logical_devices", "tf.config.set_compile_messages", "tf.config.set_background_compilation", "tf.debugging.enable_check_numerics", "tf.random.set_global_generator",
        "tf.summary.record_if", "tf.summary.experimental.set_step", "tf.keras.utils.pack_x_y_sample_weight", "tf.keras.saving.get_custom_objects",
        "tf.keras.saving.get_registered_name", "tf.keras.utils.is_keras_tensor",
    },
    "a class whose objects the library makes": {
        "tf.DType", "tf.Tensor", "tf.audio.DecodeWav", "tf.config.LogicalDevice", "tf.config.PhysicalDevice",
    },
    "names of constants": { "tf.UnconnectedGradients", "tf.image.ResizeMethod", "tf.lookup.TextFileIndex"},
    "classes of exceptions": {f"tf.errors.{name}" for name, value in vars(tf.errors).items() if isinstance(value, type) and name[0] != "_"},
    "tests/derivatives makes wrong calls": {
        "tf.adjoint", "tf.cfunc", "tf.check_gradients", "tf.fixed_point", "tf.grad", "tf.hessian", "tf.hvp", "tf.implicit_root", "tf.jacobian", "tf.jvp",
        "tf.log_density", "tf.value_and_grad", "tf.vjp",
    },
    "tests/distribute makes wrong calls, most of them on several ranks": {
        names[0] for names in public_callables().values() if names[0].startswith("tf.distribute.")
    },
}  # fmt: skip


@pytest.mark.completeness
def test_there_is_a_wrong_call_of_each_public_name(figure: Any) -> None:
    public = public_callables()
    called = named_in([call.text for _, call in CALLS])
    exempt = {id(value_of(name)) for names_of_reason in WITHOUT_WRONG_CALLS.values() for name in names_of_reason}
    assert [names[0] for number, names in public.items() if number not in called | exempt] == []
    assert [public[number][0] for number in exempt & called & set(public)] == [], "have a wrong call"
    figure("public names with a wrong call", len(called & set(public)))


@pytest.mark.completeness
def test_each_wrong_call_is_there_once_and_recorded(figure: Any) -> None:
    assert len({call.text for _, call in CALLS}) == len(CALLS)
    figure("families", len(families()))
    skip_unanswered({call.text for _, call in CALLS} - {*expected()})


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
    before = state(scope, draws=True)
    for _ in range(2):
        assert attempted(call, function, *arguments) == ""
        assert state(scope, draws=True) == before
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


LARGE_COMPILED = [call for call in LARGE if call in [call for _, call in COMPILED]]


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads Linux's account of a process's memory")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", LARGE_COMPILED, ids=[call.text for call in LARGE_COMPILED])
def test_a_size_that_no_memory_has_is_refused_at_once_in_a_compiled_function(call: Call, figure: Any) -> None:
    """The first call traces and compiles."""
    function, arguments, _ = compiled_form(call)
    for _ in range(2):
        gc.collect()
        forget_memory_peak()
        before = memory_peak()
        assert attempted(call, function, *arguments) == ""
        taken = memory_peak() - before
    assert taken < 4 << 20, f"{taken} bytes for {call.text}"
    figure("sizes that overflow in compiled functions", 1)


def in_a_process(python: str, environment: dict[str, str], calls: list[tuple[str, Call]]) -> list[str]:
    """What is wrong with calls that are made in a process of their own, and what it says of destructors and of files left open."""
    wrong: list[str] = []
    answers = attempts_in_a_process(python, "fastgrad", [call.text for _, call in calls], environment, wrong)
    for _, call in calls:
        classes, message = answers[call.text]
        if classes == ["crash"] or wrong_class(call, classes):
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
    """`python -X dev` checks the heap; a file that is left open, or an exception in a destructor, is an error here."""
    calls = some(CALLS, full, 6)
    assert in_a_process(f"{sys.executable} -X dev -W error::ResourceWarning", {}, calls) == []
    figure("wrong calls in development mode", len(calls))


def test_a_file_that_is_left_open_is_noticed() -> None:
    noise: list[str] = []
    options = "-X dev -W error::ResourceWarning"
    attempts_in_a_process(f"{sys.executable} {options}", "fastgrad", ["open('/dev/null') and V[9]"], {}, noise)
    assert "unclosed file" in noise[0]
    assert "open('/dev/null')" in noise[0]


def test_the_record_is_readable() -> None:
    assert all(isinstance(classes, list) for classes in expected().values())
    assert json.dumps(expected())
