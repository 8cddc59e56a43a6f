"""Tests for casts without loss of values."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from fastgrad.core.operation import COMPLEX, FLOATING, INTEGER


def is_lossless_cast(wide: np.dtype, narrow: np.dtype) -> bool:
    """True if a dtype has all the numbers of another one, so that a cast to it and back changes nothing.

    Args:
        wide, narrow: NumPy's dtypes, those of ml_dtypes included.
    """
    if wide == narrow or narrow.kind == "b":
        return True
    if wide in COMPLEX:
        return is_lossless_cast(_part_dtype(wide), _part_dtype(narrow) if narrow in COMPLEX else narrow)
    if wide in FLOATING and narrow in FLOATING:
        w, n = ml_dtypes.finfo(wide), ml_dtypes.finfo(narrow)
        return bool(w.nmant >= n.nmant and w.maxexp >= n.maxexp and w.minexp - w.nmant <= n.minexp - n.nmant)
    if narrow not in INTEGER:
        return False
    numbers = np.iinfo(narrow)
    if wide in FLOATING:
        return numbers.bits - (numbers.min < 0) <= ml_dtypes.finfo(wide).nmant + 1
    return wide in INTEGER and np.iinfo(wide).min <= numbers.min and numbers.max <= np.iinfo(wide).max


def _part_dtype(dtype: np.dtype) -> np.dtype:
    return np.zeros((), dtype).real.dtype
