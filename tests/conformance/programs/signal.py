"""Fourier transforms, frames of signals and windows, with gradients."""

import numpy as np

from ..differentiation import value_and_gradients


def _wave(tf, *shape, dtype="float32"):
    count = 1
    for size in shape:
        count *= size
    numbers = tf.range(count, dtype="float64")
    return tf.cast(tf.reshape(tf.sin(numbers * 1.3) + 0.1 * numbers, shape), dtype)


def _waves(tf, *shape, dtype="complex64"):
    part = "float32" if dtype == "complex64" else "float64"
    return tf.complex(_wave(tf, *shape, dtype=part), tf.reverse(_wave(tf, *shape, dtype=part), [-1]))


def _weighted(tf, function, *inputs):
    """The value, and gradients of a loss that weights each element otherwise."""

    def loss(*values):
        result = function(*values)
        parts = [tf.math.real(result), tf.math.imag(result)] if result.dtype.is_complex else [result]
        weights = _wave(tf, *result.shape, dtype=parts[0].dtype)
        return tf.add_n([tf.reduce_sum(weights * part * part + k * part) for k, part in enumerate(parts)])

    return function(*inputs), value_and_gradients(tf, loss, *inputs)


def complex_transforms(tf):
    signal = tf.signal
    questions = {}
    for dtype in ("complex64", "complex128"):
        for name, shape in (("fft", (2, 6)), ("fft2d", (2, 3, 4)), ("fft3d", (2, 2, 3))):
            x = _waves(tf, *shape, dtype=dtype)
            for full in (name, "i" + name):
                questions[f"{full} {dtype}"] = lambda full=full, x=x: _weighted(tf, getattr(signal, full), x)
    return questions | {
        "of one element": lambda: signal.fft(_waves(tf, 3, 1)),
        "of floats": lambda: signal.fft([1.0, 2.0]).dtype,
        "of a scalar": lambda: signal.fft(tf.complex(1.0, 2.0)),
        "of a vector in 2 dimensions": lambda: signal.fft2d(_waves(tf, 3)),
        "of nothing": lambda: signal.fft(tf.zeros((2, 0), tf.complex64)),
        "of no rows": lambda: signal.fft(tf.zeros((0, 4), tf.complex64)),
        "compiled": lambda: tf.function(lambda x: signal.ifft(signal.fft(x) * 2.0))(_waves(tf, 2, 5)),
        "fftshift": lambda: [signal.fftshift(_wave(tf, n)) for n in (4, 5)],
        "ifftshift": lambda: [signal.ifftshift(_wave(tf, n)) for n in (4, 5)],
        "fftshift of an axis": lambda: [signal.fftshift(_wave(tf, 3, 4), axes=axes) for axes in (0, -1, [0, 1], (1,))],
    }


def real_transforms(tf):
    signal = tf.signal
    questions = {}
    for dtype in ("float32", "float64"):
        of_complex = "complex64" if dtype == "float32" else "complex128"
        for name, shape in (("rfft", (2, 6)), ("rfft", (2, 5)), ("rfft2d", (2, 3, 4))):
            x = _wave(tf, *shape, dtype=dtype)
            questions[f"{name} {shape} {dtype}"] = lambda name=name, x=x: _weighted(tf, getattr(signal, name), x)
        for name, shape in (("irfft", (2, 4)), ("irfft2d", (2, 3, 4))):
            x = _waves(tf, *shape, dtype=of_complex)
            questions[f"{name} {dtype}"] = lambda name=name, x=x: _weighted(tf, getattr(signal, name), x)
    for length in (6, 8, 9):
        questions[f"rfft to {length}"] = lambda n=length: _weighted(tf, lambda x: signal.rfft(x, [n]), _wave(tf, 2, 6))
        questions[f"irfft to {length}"] = lambda n=length: _weighted(
            tf, lambda x: signal.irfft(x, [n]), _waves(tf, 2, 4)
        )
    for length in (1, 4, 5):  # TensorFlow has no gradient of a shorter transform
        questions[f"rfft to {length}"] = lambda n=length: signal.rfft(_wave(tf, 2, 6), [n])
        questions[f"irfft to {length}"] = lambda n=length: signal.irfft(_waves(tf, 2, 4), [n])
    return questions | {
        "rfft2d to other lengths": lambda: signal.rfft2d(_wave(tf, 3, 4), [2, 7]),
        "irfft2d to other lengths": lambda: signal.irfft2d(_waves(tf, 3, 4), [2, 5]),
        "rfft3d": lambda: signal.rfft3d(_wave(tf, 3, 2, 5, dtype="float64")),
        "irfft3d": lambda: signal.irfft3d(_waves(tf, 3, 2, 3)),
        "of arrays": lambda: [
            signal.fft(np.ones(3, "complex128")).dtype,
            signal.rfft(np.ones(3)).dtype,
            signal.irfft(np.ones(3, "complex128")).dtype,
        ],
        "of integers": lambda: signal.rfft(tf.constant([1, 2])),
        "of complex numbers": lambda: signal.rfft(_waves(tf, 4)),
        "irfft of floats": lambda: signal.irfft([1.0, 2.0]).dtype,
        "wrong number of lengths": lambda: signal.rfft(_wave(tf, 4), [2, 2]),
        "of a scalar": lambda: signal.rfft(1.0),
    }


def frames(tf):
    signal = tf.signal
    x = _wave(tf, 2, 12)
    return {
        "frame": lambda: _weighted(tf, lambda x: signal.frame(x, 4, 3), x),
        "frame with gaps": lambda: _weighted(tf, lambda x: signal.frame(x, 2, 5), x),
        "frame to the end": lambda: _weighted(tf, lambda x: signal.frame(x, 5, 3, pad_end=True, pad_value=7), x),
        "frame of another axis": lambda: signal.frame(_wave(tf, 9, 2), 4, 2, axis=0),
        "frame of a middle axis": lambda: signal.frame(_wave(tf, 2, 9, 2), 4, 2, True, axis=-2),
        "frame of integers": lambda: signal.frame(tf.range(7), 3, 2),
        "frame of too few": lambda: signal.frame(_wave(tf, 3), 4, 2),
        "frame of a scalar": lambda: signal.frame(1.0, 2, 1),
        "lengths are tensors": lambda: signal.frame(x, tf.constant(4), tf.constant(2)),
        "overlap_and_add": lambda: _weighted(tf, lambda x: signal.overlap_and_add(x, 2), _wave(tf, 2, 3, 5)),
        "overlap_and_add without overlap": lambda: signal.overlap_and_add(_wave(tf, 3, 4), 4),
        "overlap_and_add with gaps": lambda: signal.overlap_and_add(_wave(tf, 3, 4), 6),
        "overlap_and_add of a vector": lambda: signal.overlap_and_add(_wave(tf, 3), 2),
        "overlap_and_add by a float": lambda: signal.overlap_and_add(_wave(tf, 3, 2), 1.0),
        "stft": lambda: _weighted(tf, lambda x: signal.stft(x, 5, 2), x),
        "stft without a window": lambda: signal.stft(x, 6, 3, fft_length=6, window_fn=None),
        "stft with another window": lambda: signal.stft(x, 8, 3, window_fn=signal.hamming_window, pad_end=True),
        "inverse_stft": lambda: _weighted(tf, lambda x: signal.inverse_stft(x, 5, 2, 8), _waves(tf, 3, 5)),
        "inverse_stft of longer frames": lambda: signal.inverse_stft(_waves(tf, 3, 3), 6, 2, 4, window_fn=None),
        "there and back": lambda: signal.inverse_stft(
            signal.stft(x, 4, 2), 4, 2, window_fn=signal.inverse_stft_window_fn(2)
        ),
        "inverse window": lambda: signal.inverse_stft_window_fn(3, signal.hamming_window)(8, tf.float32),
        "compiled": lambda: tf.function(lambda x: signal.stft(x, 4, 2))(x),
    }


def windows(tf):
    signal = tf.signal
    questions = {}
    for name in ("hann_window", "hamming_window", "kaiser_window"):
        for length in (1, 4, 6, 7):
            questions[f"{name} {length}"] = lambda name=name, n=length: getattr(signal, name)(n)
        questions[f"{name} float64"] = lambda name=name: getattr(signal, name)(8, dtype=tf.float64)
        questions[f"{name} of integers"] = lambda name=name: getattr(signal, name)(8, dtype=tf.int32)
    return questions | {
        "symmetric": lambda: [signal.hann_window(n, periodic=False) for n in (4, 5)],
        "beta": lambda: [signal.kaiser_window(5, beta=beta) for beta in (0.5, 4.0)],
        "mel": lambda: signal.linear_to_mel_weight_matrix(4, 9),
        "mel float64": lambda: signal.linear_to_mel_weight_matrix(6, 17, 16000, 20.0, 7000.0, tf.float64),
        "mel above half of the rate": lambda: signal.linear_to_mel_weight_matrix(4, 9, 4000),
        "mel in the wrong order": lambda: signal.linear_to_mel_weight_matrix(4, 9, 8000, 900.0, 100.0),
    }
