"""The properties of all rows, by the row's name: those of `tests/kernels`, those of this folder, and the same for half-width floats."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from fastgrad._src.core.operation import TABLE
from tests.kernels.every_property import PROPERTIES
from tests.kernels.properties import ANY, HALVES, Property, dtype_of
from tests.reliability.boundaries import elementwise, host, reals, referees, sequences, updates, wider, windows

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
    """A property for a half-width float, which is computed in float32 and rounded."""
    return replace(known, make=rounded(known.make, dtype), dtypes=(dtype,))


SIGNED = ("int8", "int16", "int32", "int64")
INTEGERS = (*SIGNED, "uint8", "uint16", "uint32", "uint64")
COMPLEX = ("complex64", "complex128")
WIDER: dict[str, tuple[str, ...]] = {
    "top_k": INTEGERS,
    "spread": (*HALVES, *INTEGERS, *COMPLEX, "bool"),
    "cross": INTEGERS,
    "gather_gradient": (*INTEGERS, "complex64"),
    "scatter_nd": (*INTEGERS, "complex64"),
    "tensor_scatter_nd_add": ("complex64",),
    "mirror_pad_gradient": (*INTEGERS, *COMPLEX),
    "searchsorted": INTEGERS,
    "unique": INTEGERS,
    "bincount": ("int64",),
    "assert": INTEGERS,
    "sparse_dense_matmul": ("int32", "int64"),
}
"""Dtypes that properties of `tests/kernels` leave out although their functions make them."""


def properties_of_rows() -> dict[str, list[Property]]:
    """The properties of each row."""
    rows: dict[str, list[Property]] = {}
    modules = (elementwise, reals, windows, sequences, updates, host, wider, referees)
    for known in itertools.chain(PROPERTIES, *[module.PROPERTIES for module in modules]):
        name, dtypes = known.name, known.dtypes
        if set(ANY) <= set(dtypes):  # moves, which are made of any dtype
            dtypes = tuple([dtype for dtype in EVERY if dtype_of(dtype) in TABLE[name].dtypes])
        dtypes = tuple(dict.fromkeys((*dtypes, *WIDER.get(name, ()))))
        exact = known.exact or referees.REFEREES.get(name)
        rows.setdefault(name, []).append(replace(known, dtypes=dtypes, exact=exact))
    for name, properties in rows.items():
        dtypes = {dtype for known in properties for dtype in known.dtypes}
        for dtype in HALVES:
            if dtype not in dtypes and dtype_of(dtype) in TABLE[name].dtypes and name not in NOT_ROUNDED:
                properties += [
                    in_halves(known, dtype) for known in properties if known.dtypes[0] in ("float32", "float64")
                ]
    return rows


ALL = properties_of_rows()
