"""``pad_sequences``: sequences of different lengths as one array."""

from __future__ import annotations

from typing import Any

import numpy as np


def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """Pads or truncates sequences to one length, and returns them as an array.

    Args:
        sequences: a list of sequences, whose items have one shape.
        maxlen: the length; default that of the longest sequence.
        dtype: the dtype of the result.
        padding, truncating: ``"pre"`` pads or cuts at the beginning, ``"post"`` at the end.
        value: the padding value.

    Returns:
        Shape ``(len(sequences), maxlen, *shape)``.

    Raises:
        ValueError: not a list of sequences, items of several shapes, or a mode other than ``"pre"`` and ``"post"``.
    """
    for name, word in (("padding", padding), ("truncating", truncating)):
        if word not in ("pre", "post"):
            raise ValueError(f'pad_sequences: `{name}` must be "pre" or "post", got {word!r}.')
    if not hasattr(sequences, "__len__"):
        raise ValueError("`sequences` must be iterable.")
    for one in sequences:
        if not hasattr(one, "__len__"):
            raise ValueError(f"`sequences` must be a list of iterables. Found non-iterable: {one}")
    if isinstance(value, str) and dtype is not object and np.dtype(dtype).kind not in "US":
        raise ValueError(
            f"`dtype` {dtype} is not compatible with `value`'s type: {type(value)}. "
            "Use dtype=object for strings of different lengths."
        )
    if maxlen is not None and maxlen < 0:
        raise ValueError(f"pad_sequences: Argument `maxlen` must be at least 0. Received: maxlen={maxlen}")
    length = max(map(len, sequences), default=0) if maxlen is None else maxlen
    shape = next((np.asarray(one).shape[1:] for one in sequences if len(one)), ())
    padded = np.full((len(sequences), length, *shape), value, dtype)
    for position, one in enumerate(sequences):
        kept = np.asarray(one[max(len(one) - length, 0) :] if truncating == "pre" else one[:length], dtype)
        if len(kept) and kept.shape[1:] != shape:
            raise ValueError(
                f"Shape of sample {kept.shape[1:]} of sequence at position {position} is different from expected shape {shape}"
            )
        if len(kept):
            padded[position, slice(length - len(kept), None) if padding == "pre" else slice(len(kept))] = kept
    return padded
