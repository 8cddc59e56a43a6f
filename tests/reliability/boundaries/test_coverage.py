"""A row without a property, and a constant of a kernel that no size is made of, fail here: a new one is tested by being there."""

from __future__ import annotations

import itertools

from fastgrad.operation import ANY, TABLE
from fastgrad.ops.attention import WIDEST
from tests.kernels.every_kernel import all_kernels
from tests.reliability.boundaries.cases import LAYOUTS, VIEWS
from tests.reliability.boundaries.constants import NO_SIZES, all_constants, blocks_of, declared, modules, reached
from tests.reliability.boundaries.properties import ALL
from tests.reliability.boundaries.sampling import LARGEST, LARGEST_OF, THREADS, borders


def test_every_row_has_a_property():
    assert sorted(ALL) == sorted(TABLE)


def test_every_constant_of_a_kernel_is_a_size_that_some_row_is_tried_with():
    used = set().union(*[reached(name).sizes for name in ALL])
    assert sorted(all_constants() - used) == []


def test_constants_that_are_no_sizes_are_there():
    known = {module.__name__.removeprefix("fastgrad.kernels."): declared(module) for module in modules()}
    assert [
        f"{module}.{name}" for module, names in NO_SIZES.items() for name in names.split() if name not in known[module]
    ] == []


NOT_TRIED = {
    "nextafter": ("float16 bfloat16", "the number after it is that of float32, rounded"),
    "igamma_slope": ("float64", "the referee is a difference of fourth order"),
    "linear_recurrence": ("complex64", "only gradients of cumulative products call it"),
}
"""Dtypes that are left out, and why."""


def test_every_dtype_of_a_row_that_computes_is_tried():
    """Rows that declare no dtypes move elements, or are for optimizers and generators, which give them floats and int64."""
    missing = {}
    for name, properties in ALL.items():
        tried = {dtype for known in properties for dtype in known.dtypes}
        row = TABLE[name]
        if row.code is not None or row.form.name in ("REDUCE", "CONTRACT", "CONVOLVE", "POOL", "SCAN", "FUSED"):
            offered = {dtype.name for dtype in row.dtypes if dtype.kind != "O"}
            if row.dtypes != ANY and offered - tried - set(NOT_TRIED.get(name, ("", ""))[0].split()):
                missing[name] = sorted(offered - tried)
    assert not missing, missing


def test_sizes_lie_on_both_sides_of_each_block():
    for name in ("matmul", "reduce_sum", "softmax"):
        for block in blocks_of(name, 4):
            sizes = set(itertools.chain(*[at.values() for _, at in borders(2, blocks_of(name, 4), LARGEST)]))
            assert {block - 1, block, block + 1} <= sizes or block > LARGEST


def test_figures_of_what_there_is_to_try(figure):
    kernels = {kernel for name in ALL for kernel in reached(name).kernels}
    figure("rows of the operation table", len(ALL))
    figure("properties", sum(map(len, ALL.values())))
    figure("kernels that the rows' code names", len(kernels))
    figure("kernels of the library", len({f"{k.function.__module__}.{k.__name__}" for k in all_kernels()}))
    figure("dtypes", len({dtype for properties in ALL.values() for known in properties for dtype in known.dtypes}))
    figure("constants of kernels that sizes are made of", len(all_constants()))
    figure("layouts of operands", len(LAYOUTS))
    figure("views that programs make of operands", len(VIEWS) - 1)
    figure("numbers of threads", len(THREADS))
    assert LARGEST_OF["attention"] > WIDEST
