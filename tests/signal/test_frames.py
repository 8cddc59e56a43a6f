"""Frames of signals: their transposes, and what several functions give together."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import signal

RNG = np.random.default_rng(9)


@pytest.mark.parametrize(("length", "step"), [(4, 2), (5, 3), (3, 3), (2, 5), (6, 4)])
def test_overlap_and_add_is_the_transpose_of_frame(length, step):
    x, frames = RNG.normal(size=(2, 20)), RNG.normal(size=(2, 1 + (20 - length) // step, length))
    left = tf.reduce_sum(signal.frame(x, length, step) * frames)
    added = signal.overlap_and_add(frames, step)
    np.testing.assert_allclose(left, tf.reduce_sum(x[:, : added.shape[1]] * added), rtol=1e-12)


@pytest.mark.parametrize("window", [signal.hann_window, signal.hamming_window])
@pytest.mark.parametrize("step", [2, 3, 4])
def test_a_signal_comes_back_from_its_spectra(window, step):
    x = RNG.normal(size=(2, 48))
    spectra = signal.stft(x, 8, step, window_fn=window)
    back = signal.inverse_stft(spectra, 8, step, window_fn=signal.inverse_stft_window_fn(step, window))
    np.testing.assert_allclose(back[:, 8:-8], x[:, 8 : back.shape[1] - 8], rtol=1e-9, atol=1e-12)


def test_windows_have_half_widths():
    assert signal.hann_window(6, dtype=tf.float16).dtype == tf.float16
    np.testing.assert_allclose(signal.kaiser_window(6, dtype=tf.bfloat16), signal.kaiser_window(6), rtol=1e-2)


def test_a_truth_value_is_a_number_of_a_window():
    np.testing.assert_array_equal(signal.kaiser_window(6, tf.constant(True)), signal.kaiser_window(6, 1.0))


def test_wrong_lengths_say_what_is_wanted():
    with pytest.raises(tf.errors.InvalidArgumentError, match="frame_length must be 1 or more, got 0"):
        signal.frame([1.0, 2.0], 0, 1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="frame_step must be 1 or more, got -1"):
        signal.overlap_and_add([[1.0, 2.0]], -1)


def test_axes_of_frames_count_from_both_ends():
    np.testing.assert_array_equal(
        signal.frame([[1.0, 2.0, 3.0]], 2, 1, axis=-1), signal.frame([[1.0, 2.0, 3.0]], 2, 1, axis=1)
    )
