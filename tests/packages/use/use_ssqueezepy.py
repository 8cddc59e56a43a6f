"""Wavelet transforms, synchrosqueezing and ridges of ssqueezepy."""

import os

import numpy as np

os.environ["SSQ_GPU"] = "0"
import ssqueezepy

TIMES = np.linspace(0.0, 1.0, 64, endpoint=False)
CHIRP = np.cos(2 * np.pi * (5 * TIMES + 8 * TIMES**2)) + 0.01 * np.random.default_rng(0).normal(size=64)
for parallel in ("0", "1"):
    os.environ["SSQ_PARALLEL"] = parallel
    for wavelet in ("gmw", "morlet", "bump", "cmhat", "hhhat"):
        ssqueezepy.cwt(CHIRP, (wavelet, {"dtype": "float64"}), nv=4)
    for norm in ("bandpass", "energy"):
        for order in (0, 1):
            ssqueezepy.Wavelet(("gmw", {"norm": norm, "order": order, "dtype": "float64"}), N=64).psifn(scale=3.7)
    for scales in ("log", "log-piecewise", "linear"):
        ssqueezepy.ssq_cwt(CHIRP, ("gmw", {"dtype": "float64"}), scales=scales, nv=4, dtype="float64")
    transform, *_ = ssqueezepy.ssq_stft(CHIRP, n_fft=16, dtype="float64")
    ssqueezepy.extract_ridges(transform, np.arange(1.0, 10.0), parallel=parallel == "1", transform="stft")
