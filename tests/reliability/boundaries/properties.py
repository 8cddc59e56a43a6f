"""The properties of all rows, by the row's name: those of `tests/kernels`, those of this folder, and the same for half-width floats."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from fastgrad.operation import TABLE
from tests.kernels.every_property import PROPERTIES
from tests.kernels.properties import ANY, HALVES, Property, dtype_of
from tests.reliability.boundaries import elementwise, host, reals, sequences, updates, wider, windows

WIDTHS = ("float32", "float64", "float16", "bfloat16", "complex64", "complex128", "bool")
EVERY = (*WIDTHS, *[f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)])
NOT_ROUNDED = ("nextafter", "in_top_k", "apply_update_by_element")
"""Rows that compute no half-width floats in float32: the next number is another one, and programs and functions give the others only wider ones."""


def rounded(make: Callable[..., Any], dtype: str) -> Callable[..., Any]:
    """Makes the arrays of float32, rounded to a half-width float."""

    def made(r: np.random.Generator, _: str, *sizes: int) -> Any:
        arrays, attributes = make(r, "float32", *sizes)
        kind = dtype_of(dtype)
        return [x.astype(kind) if np.asarray(x).dtype == np.float32 else x for x in map(np.asarray, arrays)], attributes

    return made


def in_halves(known: Property, dtype: str) -> Property:
    """A property for a half-width float: computed in float32 and rounded, so off by a few of its units at most."""
    wide = known.name == "sums_of_squares"  # whose results are float64
    return replace(
        known, make=rounded(known.make, dtype), dtypes=(dtype,), ulps=known.ulps if wide else min(known.ulps, 4.0)
    )


ALL: dict[str, list[Property]] = {}
for known in itertools.chain(
    PROPERTIES, *[module.PROPERTIES for module in (elementwise, reals, windows, sequences, updates, host, wider)]
):
    if set(ANY) <= set(known.dtypes):  # moves, which are made of any dtype
        known = replace(known, dtypes=tuple(d for d in EVERY if dtype_of(d) in TABLE[known.name].dtypes))
    ALL.setdefault(known.name, []).append(known)
for name, properties in ALL.items():
    tried = {dtype for known in properties for dtype in known.dtypes}
    for dtype in HALVES:
        if dtype not in tried and dtype_of(dtype) in TABLE[name].dtypes and name not in NOT_ROUNDED:
            properties += [in_halves(known, dtype) for known in properties if known.dtypes[0] in ("float32", "float64")]
