"""``keras.preprocessing.sequence``."""

from __future__ import annotations

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.preprocessing.skipgrams import make_sampling_table as make_sampling_table
from fastgrad._src.keras.preprocessing.skipgrams import skipgrams as skipgrams
from fastgrad._src.keras.utils.sequences import pad_sequences as pad_sequences

__getattr__, __dir__ = _namespace_hooks("tf.keras.preprocessing.sequence", globals())
