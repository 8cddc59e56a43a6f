"""``tf.test``: a test case with assertions about tensors, numeric derivatives, and what this machine has."""

from __future__ import annotations

import random as _random
import tempfile as _tempfile
import unittest as _unittest
from collections.abc import Callable as _Callable
from collections.abc import Mapping as _Mapping
from collections.abc import Sequence as _Sequence
from typing import Any as _Any

import numpy as np

from fastgrad._src.compiler.config import list_physical_devices as _list_physical_devices
from fastgrad._src.core import nest as _nest
from fastgrad._src.core.dtypes import as_dtype as _as_dtype
from fastgrad._src.core.errors import InvalidArgumentError as _InvalidArgumentError
from fastgrad._src.core.names import missing_member_getattr as _missing_member_getattr
from fastgrad._src.core.tape import GradientTape as _GradientTape
from fastgrad._src.core.tensor import convert_to_tensor as _convert_to_tensor
from fastgrad._src.ops.default_generators import set_seed as _set_seed

main = _unittest.main

_SEED = 87654321  # TensorFlow's


def _as_array(value: _Any) -> np.ndarray:
    return np.asarray(value.numpy() if hasattr(value, "numpy") else value)


class TestCase(_unittest.TestCase):
    """``unittest.TestCase`` with assertions about tensors, variables, arrays and nested structures of them.

    Example:
        >>> class SquareTest(tf.test.TestCase):
        ...     def test_square(self):
        ...         self.assertAllClose(tf.square([2.0, 3.0]), [4.0, 9.0])
        >>> SquareTest("test_square").run().wasSuccessful()
        True
    """

    __getattr__ = _missing_member_getattr

    def setUp(self) -> None:
        """Gives each test the same random numbers: sets the seeds of Python, NumPy and TensorFlow, to the same number as TensorFlow."""
        super().setUp()
        _random.seed(_SEED)
        np.random.seed(_SEED)  # noqa: NPY002
        _set_seed(_SEED)

    def get_temp_dir(self) -> str:
        if "_temp_dir" not in vars(self):
            folder = _tempfile.TemporaryDirectory()
            self.addCleanup(folder.cleanup)
            self._temp_dir = folder.name
        return self._temp_dir

    def evaluate(self, tensors: _Any) -> _Any:
        return _nest.map_structure(lambda x: x.numpy() if hasattr(x, "numpy") else x, tensors)

    def assertAllClose(self, a: _Any, b: _Any, rtol: float = 1e-6, atol: float = 1e-6, msg: str | None = None) -> None:
        if isinstance(a, _Mapping):
            self.assertEqual(a.keys(), b.keys(), msg)
            for key, value in a.items():
                self.assertAllClose(value, b[key], rtol, atol, msg)
            return
        try:
            x, y = _as_array(a), _as_array(b)
        except (TypeError, ValueError):  # sequences of unequal shapes
            self.assertEqual(len(a), len(b), msg)
            for left, right in zip(a, b, strict=True):
                self.assertAllClose(left, right, rtol, atol, msg)
            return
        self.assertEqual(x.shape, y.shape, msg)
        np.testing.assert_allclose(x, y, rtol, atol, err_msg=msg or "")

    def assertNotAllClose(
        self, a: _Any, b: _Any, rtol: float = 1e-6, atol: float = 1e-6, msg: str | None = None
    ) -> None:
        try:
            self.assertAllClose(a, b, rtol, atol)
        except AssertionError:
            return
        raise AssertionError(f"The two values are close at all elements. {msg or ''}")

    def assertAllEqual(self, a: _Any, b: _Any, msg: str | None = None) -> None:
        x, y = (_as_array(_convert_to_tensor(value) if _is_text(value) else value) for value in (a, b))
        self.assertEqual(x.shape, y.shape, msg)
        np.testing.assert_array_equal(x, y, err_msg=msg or "")

    def assertNotAllEqual(self, a: _Any, b: _Any, msg: str | None = None) -> None:
        try:
            self.assertAllEqual(a, b)
        except AssertionError:
            return
        raise AssertionError(f"The two values are equal at all elements. {msg or ''}")

    def assertAllGreater(self, a: _Any, comparison_target: _Any) -> None:
        self.assertGreater(_as_array(a).min(), comparison_target)

    def assertAllGreaterEqual(self, a: _Any, comparison_target: _Any) -> None:
        self.assertGreaterEqual(_as_array(a).min(), comparison_target)

    def assertAllLess(self, a: _Any, comparison_target: _Any) -> None:
        self.assertLess(_as_array(a).max(), comparison_target)

    def assertAllLessEqual(self, a: _Any, comparison_target: _Any) -> None:
        self.assertLessEqual(_as_array(a).max(), comparison_target)

    def assertAllInSet(self, target: _Any, expected_set: _Any) -> None:
        others = set(_as_array(target).reshape(-1).tolist()) - set(expected_set)
        self.assertFalse(
            others, f"{len(others)} unique elements are not in the set {expected_set}: {sorted(others)[:10]}"
        )

    def assertNear(self, f1: _Any, f2: _Any, err: float, msg: str | None = None) -> None:
        self.assertTrue(abs(f1 - f2) <= err, f"{f1} != {f2} +/- {err}. {msg or ''}")

    def assertArrayNear(self, farray1: _Any, farray2: _Any, err: float, msg: str | None = None) -> None:
        self.assertEqual(len(farray1), len(farray2), msg)
        for x, y in zip(farray1, farray2, strict=True):
            self.assertNear(float(x), float(y), err, msg)

    def assertRaisesIncompatibleShapesError(self, exception_type: type[Exception] = _InvalidArgumentError) -> _Any:
        return self.assertRaisesRegex(  # noqa: PT027
            exception_type, "Incompatible shapes|Dimensions must be equal|required broadcastable shapes"
        )

    def assertShapeEqual(self, input_a: _Any, input_b: _Any, msg: str | None = None) -> None:
        self.assertEqual(tuple(input_a.shape), tuple(input_b.shape), msg)

    def assertDTypeEqual(self, target: _Any, expected_dtype: _Any) -> None:
        self.assertEqual(_as_dtype(_as_array(target).dtype), _as_dtype(expected_dtype))

    def assertLen(self, container: _Any, expected_len: int, msg: str | None = None) -> None:
        self.assertEqual(len(container), expected_len, msg)

    def assertEmpty(self, container: _Any, msg: str | None = None) -> None:
        self.assertEqual(len(container), 0, msg)


def _is_text(value: _Any) -> bool:
    if hasattr(value, "numpy"):
        return False
    array = np.asarray(value)
    return array.dtype.kind in "US" or (
        array.dtype.kind == "O" and all(isinstance(item, (str, bytes)) for item in array.flat)
    )


def compute_gradient(f: _Callable[..., _Any], x: _Sequence[_Any], delta: float | None = None) -> tuple[_Any, _Any]:
    """Returns the Jacobians of a function by its gradients, and by central differences.

    Args:
        f: a function from the tensors ``x`` to a tensor.
        x: real floating tensors.
        delta: the step of the differences; default ``2 ** -10``, which float32 represents.

    Returns:
        Two tuples, with an array of shape (elements of the result, elements of the argument) for each argument.

    Raises:
        ValueError: ``x`` is no list or tuple, or an argument is no real floating tensor.
    """
    if not isinstance(x, (list, tuple)):
        raise ValueError(f"compute_gradient: `x` must be a list or tuple of tensors, got {type(x).__name__}.")
    tensors = [_convert_to_tensor(value) for value in x]
    if not all(value.dtype.is_floating for value in tensors):
        raise ValueError(f"compute_gradient: x must be real floating tensors, got {[t.dtype.name for t in tensors]}.")
    with _GradientTape(persistent=True) as tape:
        tape.watch(tensors)
        y = _convert_to_tensor(f(*tensors))
    rows = y._array.size
    jacobians = [
        tape.jacobian(y, value, experimental_use_pfor=False, unconnected_gradients="zero") for value in tensors
    ]
    analytic = tuple(_as_array(jacobian).reshape(rows, -1) for jacobian in jacobians)
    step, numeric = 2.0**-10 if delta is None else delta, []
    for position, tensor in enumerate(tensors):
        columns = []
        for index in np.ndindex(*tensor.shape):
            sides = []
            for sign in (1, -1):
                moved = _as_array(tensor).copy()
                moved[index] += sign * step
                sides.append(_as_array(f(*tensors[:position], _convert_to_tensor(moved), *tensors[position + 1 :])))
            columns.append(((sides[0] - sides[1]) / (2 * step)).reshape(-1))
        numeric.append(np.stack(columns, 1) if columns else np.zeros((rows, 0), analytic[position].dtype))
    return analytic, tuple(numeric)


def gpu_device_name() -> str:
    """Returns the name of the first GPU, or an empty string."""
    return "/device:GPU:0" if _list_physical_devices("GPU") else ""


def is_gpu_available(cuda_only: bool = False, min_cuda_compute_capability: _Any = None) -> bool:
    """True if there is a GPU; both arguments are kept for TensorFlow's signature."""
    return bool(gpu_device_name())


def is_built_with_cuda() -> bool:
    """True if there is a GPU: Numba compiles kernels for it, whatever this package was built with."""
    return is_gpu_available()


def is_built_with_gpu_support() -> bool:
    """As ``is_built_with_cuda``."""
    return is_gpu_available()
