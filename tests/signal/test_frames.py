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


@pytest.mark.parametrize("norm", [None, "ortho"])
@pytest.mark.parametrize("window", [signal.vorbis_window, signal.kaiser_bessel_derived_window, None])
def test_a_signal_comes_back_from_its_modified_cosine_transform(window, norm):
    x = RNG.normal(size=32)
    back = signal.inverse_mdct(signal.mdct(x, 8, window_fn=window, norm=norm), window_fn=window, norm=norm)
    np.testing.assert_allclose(back[4:-4], x[4:-4], rtol=1e-9, atol=1e-12)


def test_windows_have_half_widths():
    assert signal.hann_window(6, dtype=tf.float16).dtype == tf.float16
    np.testing.assert_allclose(signal.kaiser_window(6, dtype=tf.bfloat16), signal.kaiser_window(6), rtol=1e-2)


def test_wrong_lengths_say_what_is_wanted():
    with pytest.raises(tf.errors.InvalidArgumentError, match="frame_length must be 1 or more, got 0"):
        signal.frame([1.0, 2.0], 0, 1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="frame_step must be 1 or more, got -1"):
        signal.overlap_and_add([[1.0, 2.0]], -1)
    with pytest.raises(ValueError, match="multiple of 4, got 6"):
        signal.mdct([1.0, 2.0], 6)


def test_frames_without_samples_have_no_signal():
    assert signal.inverse_mdct(np.zeros((3, 2, 0), "float32")).shape == (3, 0)


def test_axes_of_frames_count_from_both_ends():
    np.testing.assert_array_equal(
        signal.frame([[1.0, 2.0, 3.0]], 2, 1, axis=-1), signal.frame([[1.0, 2.0, 3.0]], 2, 1, axis=1)
    )
