"""Products by cuBLASLt, on a stand-in for its bindings in a simulated GPU's memory."""

from __future__ import annotations

import gc
import inspect
from itertools import pairwise

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from fastgrad._src.cuda.devices.blas import Blas, ProductSpec, installed_blas
from tests.cuda.simulation.driver import SimulatedDriver, simulated_gpus
from tests.cuda.stand_in import cublas_lt as stand_in

F32 = np.float32


class WithLibrary(SimulatedDriver):
    """A simulated GPU that has the stand-in."""

    def __init__(self):
        super().__init__()
        stand_in.within[0] = lambda address, nbytes: self._check_range(address, nbytes, "cuBLASLt")
        self.blas = Blas(stand_in, stand_in)


@pytest.fixture(autouse=True)
def gpu():
    stand_in.calls.clear()
    with simulated_gpus(1, WithLibrary):
        yield
    stand_in.refused.clear()


def numbers(*shape, dtype=F32):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(dtype)


class Layers:
    """A perceptron of three layers, and Adam."""

    def __init__(self, activation, dtype="float32"):
        sizes = [12, 16, 24, 5]
        self.activation, self.dtype = activation, dtype
        self.variables = [
            tf.Variable(numbers(*shape) * F32(0.3)) for pair in pairwise(sizes) for shape in (pair, pair[1:])
        ]
        self.optimizer = keras.optimizers.Adam(0.01)

    def step(self, x, t):
        with tf.GradientTape() as tape:
            h = tf.cast(x, self.dtype)
            weights = [tf.cast(v, self.dtype) for v in self.variables]
            for i in (0, 2, 4):
                h = h @ weights[i] + weights[i + 1]
                h = self.activation(h) if i < 4 else h
            loss = tf.reduce_mean(tf.square(tf.cast(h, tf.float32) - t))
        self.optimizer.apply_gradients(zip(tape.gradient(loss, self.variables), self.variables, strict=True))
        return loss


def gelu(x):
    return tf.nn.gelu(x, approximate=True)


X, T = numbers(10, 12), numbers(10, 5)


def trained(device, compiled=True, steps=3, **options):
    """Losses and weights after some steps; the number of the library's products of the last one."""
    with tf.device(device):
        model = Layers(**options)
        step = tf.function(model.step) if compiled else model.step
        losses = []
        for _ in range(steps):
            stand_in.calls.clear()
            losses.append(float(step(tf.constant(X), tf.constant(T))))
    return losses, [v.numpy() for v in model.variables], len(stand_in.calls)


def assert_as_on_the_cpu(rtol=1e-5, atol=1e-6, **options):
    losses, weights, products = trained("GPU:0", **options)
    wanted, wanted_weights, _ = trained("CPU:0", **options)
    np.testing.assert_allclose(losses, wanted, rtol=rtol)
    for ours, theirs in zip(weights, wanted_weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol)
    return products


@pytest.mark.parametrize("activation", [tf.nn.relu, gelu])
@pytest.mark.parametrize("compiled", [False, True])
def test_steps_have_the_librarys_products(activation, compiled):
    assert assert_as_on_the_cpu(activation=activation, compiled=compiled) == 8


def test_bfloat16_is_multiplied_by_the_library():
    assert assert_as_on_the_cpu(activation=tf.nn.relu, dtype="bfloat16", rtol=0.03, atol=0.02) == 8


def test_products_that_the_library_refuses_are_ours():
    stand_in.refused.add(np.dtype(F32))
    assert assert_as_on_the_cpu(activation=tf.nn.relu) == 0


def on_the_gpu(function, *arrays):
    """What a compiled function gives when it is replayed."""
    with tf.device("GPU:0"):
        compiled, given = tf.function(function), [tf.constant(array) for array in arrays]
        compiled(*given)
        stand_in.calls.clear()
        return compiled(*given).numpy()


@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_transpositions(transpose_a, transpose_b, dtype):
    a = numbers(*((5, 3) if transpose_a else (3, 5)), dtype=dtype)
    b = numbers(*((7, 5) if transpose_b else (5, 7)), dtype=dtype)
    found = on_the_gpu(lambda a, b: tf.matmul(a, b, transpose_a=transpose_a, transpose_b=transpose_b), a, b)
    wanted = (a.T if transpose_a else a).astype(float) @ (b.T if transpose_b else b).astype(float)
    np.testing.assert_allclose(found, wanted, rtol=1e-2 if dtype == "float16" else 1e-5, atol=1e-5)
    assert stand_in.calls == [False]


@pytest.mark.parametrize(
    "shapes",
    [
        ((2, 5, 9), (2, 9, 6)),
        ((3, 4, 8), (8, 4)),
        ((4, 8), (3, 8, 4)),
        ((1, 9), (9, 4)),
        ((9, 4), (4, 1)),
        ((1, 3), (3, 1)),
    ],
)
def test_batches_rows_and_columns(shapes):
    a, b = (numbers(*shape) for shape in shapes)
    np.testing.assert_allclose(on_the_gpu(tf.matmul, a, b), a.astype(float) @ b, rtol=1e-5, atol=1e-5)
    assert stand_in.calls == [False]


@pytest.mark.parametrize("shapes", [((2, 1, 3, 5), (4, 5, 2)), ((0, 3), (3, 2)), ((2, 0), (0, 3))])
def test_what_strides_do_not_say_is_left_to_our_kernels(shapes):
    a, b = (numbers(*shape) for shape in shapes)
    np.testing.assert_allclose(on_the_gpu(tf.matmul, a, b), a.astype(float) @ b, rtol=1e-5, atol=1e-5)
    assert stand_in.calls == []


def test_integers_are_left_to_our_kernels():
    a = np.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(on_the_gpu(tf.matmul, a, a.T.copy()), a @ a.T)
    assert stand_in.calls == []


def test_tf32_is_for_who_asks_for_it():
    x = numbers(4, 4)
    product = tf.function(lambda x: x @ x)
    assert not tf.config.experimental.tensor_float_32_execution_enabled()
    try:
        with tf.device("GPU:0"):
            x = tf.constant(x)
            for enabled in (False, True, False):
                tf.config.experimental.enable_tensor_float_32_execution(enabled)
                assert tf.config.experimental.tensor_float_32_execution_enabled() is enabled
                product(x)
                stand_in.calls.clear()
                product(x)
                x @ x
                assert stand_in.calls == [enabled] * 2
            tf.config.experimental.enable_tensor_float_32_execution(True)
            stand_in.calls.clear()
            tf.cast(x, tf.float64) @ tf.cast(x, tf.float64)
            assert stand_in.calls == [False]
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(False)


def test_descriptions_go_with_the_programs_that_need_them():
    blas = Blas(stand_in, stand_in)
    gc.collect()
    before = stand_in.live()
    spec = ProductSpec("float32", "float32", 1, 4, 8, 3, False, False, 12, 24)
    kernel = blas.kernel_of(spec)
    assert blas.kernel_of(spec) is kernel
    assert stand_in.live() == before + 5
    stand_in.refused.add(np.dtype(np.float64))
    assert blas.kernel_of(spec._replace(dtype="float64", out="float64")) is None
    assert stand_in.live() == before + 5
    del kernel
    gc.collect()
    assert stand_in.live() == before


def test_without_the_package_there_is_no_library(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "nvmath.bindings", None)
    assert installed_blas() is None


def test_the_stand_in_has_the_packages_names_numbers_and_signatures():
    lt = pytest.importorskip("nvmath.bindings.cublasLt", reason="nvmath-python is not installed")
    cublas = pytest.importorskip("nvmath.bindings.cublas")
    for ours in vars(stand_in).values():
        name = getattr(ours, "__name__", "")
        theirs = getattr(lt, name, None) or getattr(cublas, name, None)
        if inspect.isclass(ours) and issubclass(ours, stand_in.enum.Enum) and ours is not stand_in.enum.IntEnum:
            numbers = {one.name: int(one) for one in theirs}
            assert {one.name: int(one) for one in ours}.items() <= numbers.items()
            kind = {"MatmulDescAttribute": "matmul_desc", "MatrixLayoutAttribute": "matrix_layout"}.get(name)
            kind = "matmul_preference" if name == "MatmulPreferenceAttribute" else kind
            for one in ours if kind else ():
                asked = getattr(lt, f"get_{kind}_attribute_dtype")(getattr(theirs, one.name))
                assert np.dtype(asked) == np.dtype(stand_in.DTYPES[one.name]), one
        elif (
            inspect.isfunction(ours)
            and not name.startswith("_")
            and name != "live"
            and ours.__module__ == stand_in.__name__
        ):
            assert [*inspect.signature(ours).parameters] == [*inspect.signature(theirs).parameters], name
    fields = lt.matmul_heuristic_result_dtype.fields
    assert (fields["algo"][1], fields["workspace_size"][1], lt.matmul_heuristic_result_dtype.itemsize) == (0, 64, 96)
    assert lt.MatmulHeuristicResult(1).ptr
    assert np.size(lt.MatmulHeuristicResult(1).workspace_size) == 1
