"""Arguments over hard ranges: the whole range by bits, subnormal ones, small ones, and those beside zeros, poles and borders of approximations."""

from __future__ import annotations

import zlib

import numpy as np

from tests.reliability.accuracy.functions import Range, Row

HALVES = ("float16", "bfloat16")
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


def every_half(dtype: np.dtype) -> np.ndarray:
    """Every finite number of a type of two bytes."""
    x = np.arange(2**16, dtype=np.uint16).view(dtype)
    return x[np.isfinite(x)]
