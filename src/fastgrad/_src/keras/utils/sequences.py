"""``pad_sequences``: sequences of different lengths as one array."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import check_choice, require


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
        sequences: a list of sequences; all items of the sequences have one shape.
        maxlen: the length; default that of the longest sequence.
        dtype: the dtype of the result.
        padding, truncating: ``"pre"`` pads or cuts at the beginning, ``"post"`` at the end.
        value: the padding value.

    Returns:
        Shape ``(len(sequences), maxlen, *shape)``.

    Raises:
        ValueError: not a list of sequences, items of several shapes, or a mode other than ``"pre"`` and ``"post"``.
    """
    for name, side in (("padding", padding), ("truncating", truncating)):
        check_choice("pad_sequences", ("pre", "post"), **{name: side})
    require(hasattr(sequences, "__len__"), "pad_sequences", "`sequences` must be iterable")
    for sequence in sequences:
        require(hasattr(sequence, "__len__"), "pad_sequences", "`sequences` must hold iterables", sequence=sequence)
    if isinstance(value, str) and dtype is not object and np.dtype(dtype).kind not in "US":
        raise ValueError(f"{dtype=} is not compatible with strings such as {value=}. Use dtype=object.")
    require(maxlen is None or maxlen >= 0, "pad_sequences", "`maxlen` must be at least 0", maxlen=maxlen)
    length = max(map(len, sequences), default=0) if maxlen is None else maxlen
    shape = next((np.asarray(sequence).shape[1:] for sequence in sequences if len(sequence)), ())
    padded = np.full((len(sequences), length, *shape), value, dtype)
    for position, sequence in enumerate(sequences):
        truncated = np.asarray(
            sequence[max(len(sequence) - length, 0) :] if truncating == "pre" else sequence[:length], dtype
        )
        if len(truncated) and truncated.shape[1:] != shape:
            raise ValueError(f"pad_sequences: {position=} has items of shape {truncated.shape[1:]}, others {shape}")
        if len(truncated):
            padded[position, slice(length - len(truncated), None) if padding == "pre" else slice(len(truncated))] = (
                truncated
            )
    return padded
