"""The base class of TensorFlow's tests, and the helpers around it, for eager execution on fastgrad."""

from __future__ import annotations

import contextlib
import math
import shutil
import tempfile
import threading
import unittest.mock
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from absl.testing import absltest

import fastgrad as tf
from tests.conformance.suites.stand_in import set_apart

GRAPH_MODE = "graph mode"


def to_numpy(x: Any) -> Any:
    """The value of a tensor, variable, ragged tensor or structure of them, as NumPy arrays."""
    if isinstance(x, tf.IndexedSlices):
        return type(x)(to_numpy(x.values), to_numpy(x.indices), None)
    if tf.nest.is_nested(x) and not isinstance(x, tf.RaggedTensor):
        return tf.nest.map_structure(to_numpy, x)
    return x.numpy() if isinstance(x, (tf.Tensor, tf.Variable)) else x


def _array(x: Any) -> np.ndarray:
    x = to_numpy(x)
    return np.array(x.to_list() if isinstance(x, tf.RaggedTensor) else x)


class _CheckedThread(threading.Thread):
    """A thread whose exception is raised where it is joined."""

    def __init__(self, target: Callable[..., Any], args: tuple = (), kwargs: dict | None = None):
        super().__init__()
        self.work = lambda: target(*args, **(kwargs or {}))
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.work()
        except BaseException as error:  # noqa: BLE001  # raised by join
            self.error = error

    def join(self, timeout: float | None = None) -> None:
        super().join(timeout)
        if self.error is not None:
            raise self.error


class TestCase(absltest.TestCase):
    """Assertions about tensors, and no sessions: values are there at once."""

    def get_temp_dir(self) -> str:
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def setUp(self) -> None:
        super().setUp()
        tf.random.set_seed(87654321)
        np.random.seed(87654321)

    def evaluate(self, x: Any) -> Any:
        return to_numpy(x)

    @contextlib.contextmanager
    def session(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        if kwargs.get("graph") is not None:
            set_apart(GRAPH_MODE)()
        yield set_apart("sessions")

    cached_session = test_session = session

    def device(self, use_gpu: bool) -> Any:
        return contextlib.nullcontext()

    def checkedThread(self, target: Callable[..., Any], args: tuple = (), kwargs: dict | None = None) -> _CheckedThread:
        return _CheckedThread(target, args, kwargs)

    def _GetNdArray(self, a: Any) -> np.ndarray:
        return _array(a)

    def _eval_tensor(self, tensor: Any) -> Any:
        return to_numpy(tensor)

    def assertAllClose(self, a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-6, msg: str | None = None) -> None:
        if isinstance(a, dict):
            self.assertEqual(set(a), set(b))
            for key in a:
                self.assertAllClose(a[key], b[key], rtol, atol, msg)
            return
        a, b = to_numpy(a), to_numpy(b)
        if isinstance(a, tf.RaggedTensor) or isinstance(b, tf.RaggedTensor):
            a, b = _plain(a), _plain(b)
        if isinstance(a, (list, tuple)):
            try:
                np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
            except (TypeError, ValueError):
                self.assertEqual(len(a), len(b))
                for x, y in zip(a, b, strict=True):
                    self.assertAllClose(x, y, rtol, atol, msg)
                return
        a, b = np.asarray(a), np.asarray(b)
        self.assertEqual(a.shape, b.shape, msg)
        if a.dtype.name == "bfloat16" or b.dtype.name == "bfloat16":
            a, b = a.astype(np.float32), b.astype(np.float32)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol, err_msg=msg or "")

    def assertAllCloseAccordingToType(
        self, a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-6, float_rtol: float = 1e-6,
        float_atol: float = 1e-6, half_rtol: float = 1e-3, half_atol: float = 1e-3, bfloat16_rtol: float = 1e-2,
        bfloat16_atol: float = 1e-2, msg: str | None = None,
    ) -> None:  # fmt: skip
        names = {_array(a).dtype.name, _array(b).dtype.name}
        if names & {"float32", "complex64"}:
            rtol, atol = max(rtol, float_rtol), max(atol, float_atol)
        if "float16" in names:
            rtol, atol = max(rtol, half_rtol), max(atol, half_atol)
        if "bfloat16" in names:
            rtol, atol = max(rtol, bfloat16_rtol), max(atol, bfloat16_atol)
        self.assertAllClose(a, b, rtol, atol, msg)

    def assertNotAllClose(self, a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-6, msg: str | None = None) -> None:
        try:
            self.assertAllClose(a, b, rtol, atol)
        except AssertionError:
            return
        self.fail(msg or "the values are close at all elements")

    def assertAllEqual(self, a: Any, b: Any, msg: str | None = None) -> None:
        a, b = to_numpy(a), to_numpy(b)
        if isinstance(a, tf.RaggedTensor) or isinstance(b, tf.RaggedTensor):
            self.assertEqual(_plain(a), _plain(b), msg)
            return
        a, b = np.asarray(a), np.asarray(b)
        self.assertEqual(a.shape, b.shape, msg)
        a, b = (np.char.encode(x).astype(object) if x.dtype.kind == "U" else x for x in (a, b))
        same = a == b
        if a.dtype.kind in "fc" or a.dtype.name == "bfloat16":
            same = np.logical_or(same, np.logical_and(a != a, b != b))
        if not np.all(same):  # writing large arrays takes long
            self.fail(f"{msg or ''} not equal: {a!r} {b!r}")

    def assertNotAllEqual(self, a: Any, b: Any, msg: str | None = None) -> None:
        try:
            self.assertAllEqual(a, b)
        except AssertionError:
            return
        self.fail(msg or "the values are equal at all elements")

    def assertAllGreater(self, a: Any, low: Any) -> None:
        self.assertTrue(np.all(_array(a) > low))

    def assertAllLess(self, a: Any, high: Any) -> None:
        self.assertTrue(np.all(_array(a) < high))

    def assertAllGreaterEqual(self, a: Any, low: Any) -> None:
        self.assertTrue(np.all(_array(a) >= low))

    def assertAllLessEqual(self, a: Any, high: Any) -> None:
        self.assertTrue(np.all(_array(a) <= high))

    def assertAllInRange(
        self, a: Any, low: Any, high: Any, open_lower_bound: bool = False, open_upper_bound: bool = False
    ) -> None:
        x = _array(a)
        self.assertTrue(np.all(x > low if open_lower_bound else x >= low))
        self.assertTrue(np.all(x < high if open_upper_bound else x <= high))

    def assertAllInSet(self, a: Any, expected: Any) -> None:
        self.assertTrue(set(_array(a).ravel().tolist()) <= set(np.asarray(list(expected)).ravel().tolist()))

    def assertNear(self, a: float, b: float, err: float, msg: str | None = None) -> None:
        self.assertTrue(math.fabs(a - b) <= err, msg or f"{a} and {b} differ by more than {err}")

    def assertArrayNear(self, a: Any, b: Any, err: float, msg: str | None = None) -> None:
        self.assertEqual(len(a), len(b))
        for x, y in zip(a, b, strict=True):
            self.assertNear(x, y, err, msg)

    def assertNDArrayNear(self, a: Any, b: Any, err: float, msg: str | None = None) -> None:
        self.assertTrue(np.linalg.norm(_array(a) - _array(b)) <= err, msg)

    def assertShapeEqual(self, a: Any, b: Any, msg: str | None = None) -> None:
        self.assertEqual(tuple(np.shape(to_numpy(a))), tuple(np.shape(to_numpy(b))), msg)

    def assertDTypeEqual(self, a: Any, dtype: Any) -> None:
        self.assertEqual(_array(a).dtype, tf.as_dtype(dtype).as_numpy_dtype)

    def assertItemsEqual(self, a: Any, b: Any, msg: str | None = None) -> None:
        self.assertCountEqual(a, b, msg)

    def assertStartsWith(self, actual: str, expected: str, msg: str | None = None) -> None:
        self.assertTrue(actual.startswith(expected), msg or f"{actual!r} does not start with {expected!r}")

    def assertDeviceEqual(self, *args: Any) -> None:
        set_apart("names of devices")()

    def assertProtoEquals(self, *args: Any, **kwargs: Any) -> None:
        set_apart("protocol buffers")()

    @contextlib.contextmanager
    def assertRaisesWithPredicateMatch(self, kind: Any, predicate: Any) -> Iterator[None]:
        if isinstance(predicate, str):
            with self.assertRaisesRegex(kind, predicate):
                yield
            return
        with self.assertRaises(kind) as raised:
            yield
        self.assertTrue(predicate is None or predicate(raised.exception), f"unexpected error: {raised.exception}")

    def assertRaisesOpError(self, expected: Any) -> Any:
        return self.assertRaisesWithPredicateMatch(tf.errors.OpError, expected)

    def assertRaisesIncompatibleShapesError(
        self, exception_type: Any = tf.errors.InvalidArgumentError, **_: Any
    ) -> Any:
        return self.assertRaises(exception_type)


def _plain(x: Any) -> Any:
    """A ragged tensor, an array or nested lists of them as nested lists."""
    if isinstance(x, tf.RaggedTensor):
        return x.to_list()
    if isinstance(x, (list, tuple)):
        return [_plain(part) for part in x]
    return np.asarray(x).tolist()


def unchanged(*args: Any, **kwargs: Any) -> Any:
    """A decorator that changes nothing, used with or without arguments."""
    if len(args) == 1 and not kwargs and callable(args[0]):
        return args[0]
    return lambda decorated: decorated


def apart(reason: str) -> Callable[..., Any]:
    """A decorator, used with or without arguments, for tests that are set apart for ``reason``."""

    def decorate(*args: Any, **kwargs: Any) -> Any:
        def refuse(decorated: Any) -> Any:
            if isinstance(decorated, type):
                decorated.setUp = lambda self: set_apart(reason)()
                return decorated

            def test(self: Any, *arguments: Any, **options: Any) -> None:
                set_apart(reason)()

            test.__name__ = decorated.__name__
            return test

        return refuse(args[0]) if len(args) == 1 and not kwargs and callable(args[0]) else refuse

    return decorate


def _reals(x: Any) -> np.ndarray:
    """The real numbers of a tensor or array in one row; a complex number is two."""
    x = np.array(to_numpy(x)).ravel()
    return x.view(x.real.dtype) if np.iscomplexobj(x) else x


def _from_reals(reals: np.ndarray, like: Any) -> tf.Tensor:
    """A tensor of the shape and dtype of ``like``."""
    kind = np.array(to_numpy(like)).dtype
    array = reals.view(kind) if kind.kind == "c" else reals
    return tf.constant(array.reshape(tuple(like.shape)), like.dtype)


def _exact_rows(f: Callable[..., Any], x: list, place: int) -> np.ndarray:
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x[place])
        y = f(*x)
    size, count = _reals(x[place]).size, _reals(y).size
    rows = np.zeros((count, size), _reals(x[place]).dtype)
    for i in range(count):
        seed = np.zeros_like(_reals(y))
        seed[i] = 1
        slope = tape.gradient(y, x[place], output_gradients=_from_reals(seed, y))
        if slope is not None:
            rows[i] = _reals(tf.convert_to_tensor(slope))
    if count == 0:
        slope = tape.gradient(y, x[place])
        if slope is not None and slope.shape != x[place].shape:
            raise ValueError(f"Empty gradient has wrong shape: expected {x[place].shape}, got {slope.shape}")
    return rows


def compute_gradient(f: Callable[..., Any], x: Any, delta: float | None = None) -> tuple[list, list]:
    """Jacobians of ``f`` by the tape and by central differences, one for each of the arguments ``x``."""
    if not isinstance(x, (list, tuple)):
        raise ValueError("`x` must be a list or tuple of values convertible to a Tensor (arguments to `f`)")
    x = [tf.convert_to_tensor(value) for value in x]
    delta = delta or 1.0 / 1024
    exact, numerical = [], []
    for place, value in enumerate(x):
        exact.append(_exact_rows(f, x, place))
        differences = np.zeros_like(exact[-1])
        for i in range(differences.shape[1]):
            sides = []
            for step in (delta, -delta):
                moved = _reals(value)
                moved[i] += step
                arguments = [*x[:place], _from_reals(moved, value), *x[place + 1 :]]
                sides.append(_reals(f(*arguments)).astype(np.float64))
            differences[:, i] = (sides[0] - sides[1]) / (2 * delta)
        numerical.append(differences)
    return exact, numerical


def max_error(first: list, second: list) -> float:
    """The largest difference between two lists of Jacobians."""
    return max((float(np.max(np.abs(a - b))) for a, b in zip(first, second, strict=True) if a.size), default=0.0)


_graph_only = [
    "run_deprecated_v1", "run_v1_only", "deprecated_graph_mode_only", "build_as_function_and_v1_graph",
    "enable_control_flow_v2", "with_control_flow_v2", "run_in_graph_mode",
]  # fmt: skip
_plain_decorators = [
    "run_in_graph_and_eager_modes", "run_all_in_graph_and_eager_modes", "run_v2_only", "disable_xla", "disable_tfrt",
    "with_eager_op_as_function", "disable_mlir_bridge", "run_without_tensor_float_32",
    "run_all_without_tensor_float_32", "xla_allow_fallback", "assert_no_new_tensors", "assert_no_garbage_created",
    "assert_no_new_pyobjects_executing_eagerly", "no_xla_auto_jit", "also_run_as_tf_function", "run_in_async_and_sync_mode",
    "with_forward_compatibility_horizons", "run_functions_eagerly", "set_xla_env_flag",
]  # fmt: skip
_no_context = ["use_gpu", "force_gpu", "force_cpu", "device", "deterministic_ops"]
_false = [
    "is_gpu_available", "is_xla_enabled", "IsMklEnabled", "IsBuiltWithROCm", "IsBuiltWithXLA", "IsBuiltWithNvcc",
    "GpuSupportsHalfMatMulAndConv", "is_built_with_cuda", "is_built_with_rocm", "is_built_with_gpu_support",
    "is_built_with_xla", "is_mlir_bridge_enabled",
]  # fmt: skip


def _moved_channels(order: list[int]) -> Callable[[Any], Any]:
    def move(shape: Any) -> Any:
        if isinstance(shape, tf.Tensor):
            return tf.transpose(shape, order)
        return [shape[i] for i in order]

    return move


test_util_members: dict[str, Any] = {
    "TensorFlowTestCase": TestCase,
    **{name: apart(GRAPH_MODE) for name in _graph_only},
    **{name: apart("an NVIDIA GPU") for name in ["run_gpu_only", "run_cuda_only"]},
    **dict.fromkeys(_plain_decorators, unchanged),
    **{name: lambda *args, **kwargs: contextlib.nullcontext() for name in _no_context},
    **{name: lambda *args, **kwargs: False for name in _false},
    "NHWCToNCHW": _moved_channels([0, 3, 1, 2]),
    "NCHWToNHWC": _moved_channels([0, 2, 3, 1]),
    "evaluate": to_numpy,
    "gpu_device_name": lambda: "",
    "matmul_without_tf32": tf.matmul,
}
test_members: dict[str, Any] = {
    **test_util_members,
    "TestCase": TestCase,
    "Benchmark": object,
    "main": lambda *args, **kwargs: None,
    "mock": unittest.mock,
    "get_temp_dir": tempfile.mkdtemp,
}
