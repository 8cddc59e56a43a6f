"""Arguments over hard ranges: the whole range by bits, subnormal ones, small ones, and those beside zeros, poles and borders of approximations."""

from __future__ import annotations

import zlib

import ml_dtypes
import numpy as np

from tests.reliability.accuracy.functions import REAL, Range, Row

HALVES = {"float16": np.dtype(np.float16), "bfloat16": np.dtype(ml_dtypes.bfloat16)}
COMPLEX = {"complex64": np.dtype(np.float32), "complex128": np.dtype(np.float64)}
"""Complex dtypes with that of their parts."""
PARTS = ("whole range", "subnormal", "near zero", "moderate", "beside points")
FAST, SLOW = 400, 100
"""Numbers of each part, of functions whose exact values take microseconds or milliseconds."""


def _by_bits(r: np.random.Generator, dtype: np.dtype, count: int) -> np.ndarray:
    x = r.integers(0, 2 ** (8 * dtype.itemsize), count, dtype=f"u{dtype.itemsize}").view(dtype)
    return np.where(np.isfinite(x), x, dtype.type(1.5))


def _part(name: str, given: Range, r: np.random.Generator, dtype: np.dtype, count: int) -> np.ndarray:
    """Numbers of one part, within the range."""
    info = np.finfo(dtype)
    sign = r.choice([-1.0, 1.0], count)
    with np.errstate(all="ignore"):
        match name:
            case "whole range":
                x = _by_bits(r, dtype, count).astype(np.float64)
            case "subnormal":
                x = sign * 2.0 ** r.uniform(
                    np.log2(float(info.smallest_subnormal)), np.log2(float(info.tiny)) + 1, count
                )
            case "near zero":
                x = sign * 10 ** r.uniform(-12, -0.5, count)
            case "moderate":
                x = sign * r.choice([1.0, 3.0, 10.0, 110.0, 750.0], count) * r.random(count)
            case _:
                at = np.array(given.at or (1.0, 2.0, 0.5))
                beside = 10 ** r.uniform(np.log10(float(info.eps)), -1, count) * sign
                x = r.choice(at, count) * (1 + beside * (r.random(count) < 0.9)) if count else at[:0]
                x = np.where(r.random(count) < 0.1, x + beside, x)
        x = _within(x, given, r)
        x = x.astype(dtype)
        low, high = dtype.type(max(given.low, -float(info.max))), dtype.type(min(given.high, float(info.max)))
        return np.clip(x, low, high)


def _within(x: np.ndarray, given: Range, r: np.random.Generator) -> np.ndarray:
    """Numbers out of the range become others that are in it."""
    x = np.where((x < given.low) | (x > given.high), -x, x)
    out = (x < given.low) | (x > given.high)
    low, high = max(given.low, -1e3), min(given.high, 1e3)
    x = np.where(out, r.uniform(low, max(high, low + 1e3 * (given.high == np.inf)), x.size), x)
    return np.floor(x) if given.whole else x


def points(name: str, row: Row, dtype: str, share: int = 1) -> dict[str, tuple[np.ndarray, ...]]:
    """The arguments of a function by part, the same in every run; of all of them every `share`-th."""
    if dtype in COMPLEX:
        return _of_complex(name, row, dtype, share)
    if dtype in HALVES:
        return _of_halves(name, row, dtype, share)
    count, parts = SLOW if row.slow else FAST, {}
    for part in PARTS:
        r = np.random.default_rng(zlib.crc32(f"{name} {dtype} {part}".encode()))
        if len(row.ranges) == 1:
            parts[part] = (_part(part, row.ranges[0], r, np.dtype(dtype), count)[::share],)
        else:
            # Each argument takes its numbers of this part in two of three pairs, and moderate ones in the third.
            columns = []
            for number, given in enumerate(row.ranges):
                mine = _part(part, given, r, np.dtype(dtype), count)
                other = _part("moderate", given, r, np.dtype(dtype), count)
                columns.append(np.where(np.arange(count) % (len(row.ranges) + 1) == number, other, mine))
            parts[part] = tuple(column[::share] for column in columns)
    return parts


def _of_halves(name: str, row: Row, dtype: str, share: int) -> dict[str, tuple[np.ndarray, ...]]:
    """Every finite number of a dtype of two bytes; for functions of several arguments those of `points`."""
    half = HALVES[dtype]
    if len(row.ranges) > 1:
        of_floats = points(name, row, "float32", share)
        with np.errstate(over="ignore"):
            return {part: tuple(_finite(x.astype(half)) for x in columns) for part, columns in of_floats.items()}
    x = np.arange(2**16, dtype=np.uint16).view(half)
    with np.errstate(invalid="ignore"):
        wide = x.astype(np.float64)
        x = x[np.isfinite(wide) & (wide >= row.ranges[0].low) & (wide <= row.ranges[0].high)]
    return {"every number": (x[::share],)}


def _finite(x: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(x.astype(np.float64)), x, x.dtype.type(1.5))


def _of_complex(name: str, row: Row, dtype: str, share: int) -> dict[str, tuple[np.ndarray, ...]]:
    """Numbers with parts of equal and of different size."""
    part_dtype, parts = COMPLEX[dtype], {}
    for part in PARTS:
        r = np.random.default_rng(zlib.crc32(f"{name} {dtype} {part}".encode()))
        columns = []
        for number, _ in enumerate(row.ranges):
            real = _part(part, REAL, r, part_dtype, SLOW)
            imaginary = _part(part if number % 2 else "moderate", REAL, r, part_dtype, SLOW)
            smaller = r.choice(np.array([1.0, 1e-3, 1.0], part_dtype), SLOW)
            columns.append((real + 1j * (imaginary * smaller)).astype(dtype)[::share])
        parts[part] = tuple(columns)
    return parts
