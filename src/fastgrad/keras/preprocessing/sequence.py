"""``keras.preprocessing.sequence``."""

from __future__ import annotations

from fastgrad.core.names import missing_name_getattr as _refusal_of
from fastgrad.keras.utils.sequences import pad_sequences as pad_sequences

__getattr__ = _refusal_of("tf.keras.preprocessing.sequence", globals())
