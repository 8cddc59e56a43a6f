"""``keras.preprocessing.sequence``."""

from __future__ import annotations

from fastgrad.keras.utils.sequences import pad_sequences as pad_sequences
from fastgrad.names import refusal_of as _refusal_of

__getattr__ = _refusal_of("tf.keras.preprocessing.sequence", globals())
