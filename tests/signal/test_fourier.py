"""Fourier transforms beside SciPy's, with gradients, compiled, and over rows at once."""

import numpy as np
import pytest
from scipy import fft as scipy_fft

import fastgrad as tf
from fastgrad import signal
from tests.gradients import check_gradient

RNG = np.random.default_rng(8)


def normal(*shape, dtype="float64"):
    return RNG.normal(size=shape).astype(dtype)


def waves(*shape, dtype="complex128"):
    return (normal(*shape) + 1j * normal(*shape)).astype(dtype)


@pytest.mark.parametrize("norm", [None, "backward", "ortho", "forward"])
@pytest.mark.parametrize(
    ("axes", "lengths"), [(None, None), ([0], [5]), ([2, 0], None), ([-1, 1], [2, 6]), ([0, 1, 2], [3, 3, 3])]
)
def test_transforms_over_any_axes_are_scipys(axes, lengths, norm):
    z = waves(2, 3, 4)
    wanted, got = scipy_fft.fftn(z, lengths, axes, norm), signal.fftnd(tf.constant(z), lengths, axes, norm)
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_results_have_the_precision_of_their_arguments(dtype):
    z = tf.constant(waves(3, 8, dtype=dtype))
    assert signal.fft(z).dtype == dtype
    assert signal.irfft(z).dtype == tf.as_dtype(dtype).real_dtype
    assert signal.rfft(tf.math.real(z)).dtype == dtype
    tolerance = 1e-5 if dtype == "complex64" else 1e-13
    np.testing.assert_allclose(signal.ifft(signal.fft(z)), z, rtol=tolerance, atol=tolerance)


def parts(z):
    return tf.math.real(z), tf.math.imag(z)


@pytest.mark.parametrize("length", [2, 3, 4, 5, 6, 7])
def test_gradients_of_other_lengths_are_differences(length):
    check_gradient(lambda x: parts(signal.rfft(x, [length]) ** 2), normal(2, 5))
    check_gradient(lambda x, y: signal.irfft(tf.complex(x, y), [length]) ** 2, normal(2, 3), normal(2, 3), order=2)


def test_gradients_over_several_axes_are_differences():
    check_gradient(lambda x: parts(signal.rfft3d(x, [3, 2, 4]) ** 2), normal(2, 3, 3))
    check_gradient(lambda x, y: signal.irfft3d(tf.complex(x, y)) ** 2, normal(2, 3, 3), normal(2, 3, 3))
    check_gradient(
        lambda x, y: parts(signal.fftnd(tf.complex(x, y), [4, 2], [0, 2], "forward") ** 2),
        normal(2, 3, 3),
        normal(2, 3, 3),
    )


def test_a_compiled_step_and_rows_at_once_have_the_values_of_eager_ones():
    x = tf.constant(normal(3, 4, 8, dtype="float32"))

    def loss(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(tf.abs(signal.rfft2d(x)) ** 2 * signal.irfft2d(signal.rfft2d(x))[..., :5])
        return y, tape.gradient(y, x)

    compiled = tf.function(loss)
    for _ in range(3):
        for got, wanted in zip(compiled(x[0]), loss(x[0]), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)
    by_rows = [loss(row) for row in x]
    for got, wanted in zip(tf.vectorized_map(loss, x), zip(*by_rows, strict=True), strict=True):
        np.testing.assert_allclose(got, tf.stack(wanted), rtol=1e-5, atol=1e-5)


def test_nothing_has_a_spectrum_of_zeros():
    assert signal.rfft(np.zeros((2, 0), "float32"), [4]).numpy().tolist() == [[0, 0, 0], [0, 0, 0]]
    assert signal.irfft(np.zeros((0, 3), "complex64"), [4]).shape == (0, 4)
    assert signal.fft(np.zeros((0, 3), "complex64")).shape == (0, 3)


def test_a_transform_over_no_axes_changes_nothing():
    for x in (tf.constant(2 + 1j), tf.constant(waves(2, 3))):
        np.testing.assert_array_equal(signal.fftnd(x, axes=[]), x)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: signal.fft(tf.constant([1, 2])),
            tf.errors.InvalidArgumentError,
            "fft: expected a tensor of complex128 or complex64, got int32",
        ),
        (lambda: signal.rfft(np.zeros(3), [2, 2]), tf.errors.InvalidArgumentError, r"fft_length must have shape \[1\]"),
        (lambda: signal.rfft(np.zeros(3), [-2]), tf.errors.InvalidArgumentError, "fft_length must be >= 0"),
        (lambda: signal.fftnd(waves(2, 2), axes=[0, -2]), tf.errors.InvalidArgumentError, "axes must be different"),
        (lambda: signal.fftnd(waves(2, 2), norm="none"), ValueError, "norm must be one of"),
    ],
)
def test_wrong_arguments_say_what_is_wanted(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize("shape", [(3, 20_000), (129, 301), (1, 40_000), (7, 70, 90)])
@pytest.mark.parametrize("precision", [32, 64])
def test_large_transforms_are_numpys_on_any_number_of_threads(shape, precision):
    x = waves(*shape, dtype=f"complex{2 * precision}")
    real = normal(*shape, dtype=f"float{precision}")
    calls = {
        "fft": lambda: (signal.fft(tf.constant(x)), np.fft.fft(x)),
        "fft2d": lambda: (signal.fft2d(tf.constant(x)), np.fft.fft2(x)),
        "ifft2d": lambda: (signal.ifft2d(tf.constant(x)), np.fft.ifft2(x)),
        "rfft2d": lambda: (signal.rfft2d(tf.constant(real)), np.fft.rfft2(real)),
        "irfft": lambda: (signal.irfft(tf.constant(x)), np.fft.irfft(x)),
    }
    before = tf.config.get_num_threads()
    try:
        for call in calls.values():
            bits = set()
            for threads in (1, 2, 3):
                tf.config.set_num_threads(threads)
                got, wanted = call()
                assert got.dtype == wanted.dtype
                error = np.abs(got.numpy() - wanted).max() / np.abs(wanted).max()
                assert error < 4 * np.finfo(f"float{precision}").eps
                bits.add(got.numpy().tobytes())
            assert len(bits) == 1
    finally:
        tf.config.set_num_threads(before)
