"""``tf.signal``: Fourier transforms, frames of signals, windows."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.signal.fourier import fft as fft
from fastgrad._src.signal.fourier import fft2d as fft2d
from fastgrad._src.signal.fourier import fft3d as fft3d
from fastgrad._src.signal.fourier import fftnd as fftnd
from fastgrad._src.signal.fourier import fftshift as fftshift
from fastgrad._src.signal.fourier import ifft as ifft
from fastgrad._src.signal.fourier import ifft2d as ifft2d
from fastgrad._src.signal.fourier import ifft3d as ifft3d
from fastgrad._src.signal.fourier import ifftshift as ifftshift
from fastgrad._src.signal.fourier import irfft as irfft
from fastgrad._src.signal.fourier import irfft2d as irfft2d
from fastgrad._src.signal.fourier import irfft3d as irfft3d
from fastgrad._src.signal.fourier import rfft as rfft
from fastgrad._src.signal.fourier import rfft2d as rfft2d
from fastgrad._src.signal.fourier import rfft3d as rfft3d
from fastgrad._src.signal.frames import frame as frame
from fastgrad._src.signal.frames import inverse_stft as inverse_stft
from fastgrad._src.signal.frames import inverse_stft_window_fn as inverse_stft_window_fn
from fastgrad._src.signal.frames import overlap_and_add as overlap_and_add
from fastgrad._src.signal.frames import stft as stft
from fastgrad._src.signal.windows import hamming_window as hamming_window
from fastgrad._src.signal.windows import hann_window as hann_window
from fastgrad._src.signal.windows import kaiser_window as kaiser_window
from fastgrad._src.signal.windows import linear_to_mel_weight_matrix as linear_to_mel_weight_matrix

__getattr__, __dir__ = _namespace_hooks("tf.signal", globals())
