"""Spectra, pitch and sequences of librosa."""

import librosa
import numpy as np

RATE = 8000
TONE = np.sin(2 * np.pi * 440.0 * np.arange(4000) / RATE) + 0.01 * np.random.default_rng(0).normal(size=4000)
random = np.random.default_rng(1)
librosa.pyin(TONE, fmin=200, fmax=800, sr=RATE, frame_length=1024)
librosa.zero_crossings(TONE)
librosa.util.localmax(TONE[:50])
librosa.util.localmin(TONE[:50])
librosa.util.peak_pick(TONE[:200], pre_max=3, post_max=3, pre_avg=3, post_avg=5, delta=0.1, wait=4)
librosa.sequence.dtw(random.normal(size=(2, 5)), random.normal(size=(2, 6)))
librosa.sequence.rqa(random.uniform(size=(5, 5)))
transition = librosa.sequence.transition_loop(3, 0.8)
librosa.sequence.viterbi(random.uniform(0.1, 0.9, size=(3, 6)), transition)
librosa.util.phasor(TONE[:5])
librosa.util.abs2(TONE[:5] + 1j)
librosa.beat.beat_track(y=TONE, sr=RATE)
librosa.griffinlim(np.abs(librosa.stft(TONE[:1024], n_fft=256)), n_iter=1)
