"""What the cases cover: every row, dtype and constant of a kernel. A new row, dtype or constant without cases fails here."""

from __future__ import annotations

import itertools
import math

import pytest

from fastgrad._src.core.operation import TABLE
from fastgrad._src.jit.isa import host_isa
from fastgrad._src.kernels.gemm.eager import MOST_DIRECT_MULTIPLY_ADDS
from fastgrad._src.kernels.gemm.layout import LARGE_A_BYTES
from tests.kernels.properties import dtype_of
from tests.ops import samples  # noqa: F401  # which imports all that adds rows
from tests.reliability.boundaries.cases import LAYOUTS, VIEWS
from tests.reliability.boundaries.constants import NO_SIZES, all_constants, blocks_of, declared, modules, reached
from tests.reliability.boundaries.properties import ALL
from tests.reliability.boundaries.sampling import LARGEST_OF, RANDOM, THREADS, Sample, largest_of, long_samples


@pytest.fixture(scope="module")
def cases() -> dict[str, list[Sample]]:
    """The cases of each row in the long form."""
    return {name: long_samples(name) for name in ALL}


# Python computes them, string by string or box by box, or NumPy and SciPy: they have no blocks. tests/structures/strings, image, sparse, signal and ops try them.
WITHOUT_BLOCKS = [
    "as_string",
    "bytes_split",
    "reduce_join",
    "regex_full_match",
    "regex_replace",
    "string_format",
    "string_join",
    "string_length",
    "string_lower",
    "string_ngrams",
    "string_split",
    "string_strip",
    "string_to_number",
    "string_upper",
    "substr",
    "to_hash_bucket",
    "to_hash_bucket_fast",
    "to_hash_bucket_strong",
    "unsorted_segment_join",
    "unicode_decode",
    "unicode_encode",
    "unicode_offsets",
    "unicode_split",
    "unicode_transcode",
    "combined_non_max_suppression",
    "draw_bounding_boxes",
    "non_max_suppression_padded",
    "sample_distorted_bounding_box",
    "combine_sets",
    "edit_distance",
    "fft",
    "ifft",
    "irfft",
    "rfft",
]


@pytest.mark.completeness
def test_every_row_has_a_property():
    # Collectives need several processes: tests/distribute has their cases.
    assert sorted([*ALL, *WITHOUT_BLOCKS]) == sorted(
        name for name, row in TABLE.items() if row.lowering.collective is None
    )


def test_rows_without_blocks_run_in_python():
    assert [name for name in WITHOUT_BLOCKS if TABLE[name].lowering.in_python is None] == []


def test_every_dtype_of_every_property_is_tried(cases):
    tried = {name: {(sample.number, sample.dtype) for sample in cases[name]} for name in ALL}
    missing = [
        (name, number, dtype)
        for name, properties in ALL.items()
        for number, known in enumerate(properties)
        for dtype in known.dtypes
        if (number, dtype) not in tried[name]
    ]
    assert missing == []


def test_every_size_next_to_a_constant_of_the_row_is_tried(cases):
    """Constant - 1, constant and constant + 1, for each size of a row, in a dtype for which the row's code reads the constant."""
    missing = []
    for name, properties in ALL.items():
        sizes: dict[tuple[int, int], set[int]] = {}
        places: dict[tuple[int, int], None] = {}
        for sample in cases[name]:
            for place, block in itertools.product(range(len(sample.sizes)), blocks_of_dtype(name, sample.dtype)):
                sizes.setdefault((place, block), set()).add(sample.sizes[place])
        for known in properties:
            for dtype in known.dtypes:
                places.update(dict.fromkeys(itertools.product(range(known.sizes), blocks_of_dtype(name, dtype))))
        for place, block in places:
            wanted = {size for size in (block - 1, block, block + 1) if size <= largest_of(name, place)}
            missing += [(name, place, size) for size in wanted - sizes.get((place, block), set())]
    assert missing == []


def test_constants_above_the_largest_size_are_tried_as_products_of_sizes(cases):
    """Numbers of elements, bytes or multiplications: below, at and above the constant."""
    missing = []
    for name, properties in ALL.items():
        blocks = {block for known in properties for dtype in known.dtypes for block in blocks_of_dtype(name, dtype)}
        most = max(largest_of(name, place) for place in range(max(known.sizes for known in properties)))
        amounts = {amount for sample in cases[name] for amount in products_of(sample.sizes)}
        for block in blocks:
            near = (
                any(block // 2 <= n < block for n in amounts),
                block in amounts,
                any(block < n <= 2 * block for n in amounts),
            )
            if block + 1 > most and not all(near):
                missing.append((name, block))
    assert missing == []


@pytest.mark.parametrize("name", ["matmul", "dense"])
def test_products_are_tried_below_and_above_the_constants_of_their_bytes_and_multiplications(name, cases):
    large = [
        sample.sizes[0] * sample.sizes[1] * dtype_of(sample.dtype).itemsize
        for sample in cases[name]
        if sample.sizes[2] * dtype_of(sample.dtype).itemsize >= host_isa().panel_bytes
    ]
    work = [math.prod(sample.sizes) for sample in cases[name] if sample.sizes[0] > 1]
    for constant, amounts in ((LARGE_A_BYTES, large), (MOST_DIRECT_MULTIPLY_ADDS, work)):
        assert constant in amounts
        assert any(constant / 2 < n < constant for n in amounts)
        assert any(constant < n < 2 * constant for n in amounts)


def blocks_of_dtype(name: str, dtype: str) -> tuple[int, ...]:
    return blocks_of(name, dtype_of(dtype).itemsize)


def products_of(sizes: tuple[int, ...]) -> set[int]:
    """The products of each pair of sizes, and of all."""
    return {math.prod(pair) for pair in itertools.combinations(sizes, 2)} | {math.prod(sizes)}


@pytest.mark.completeness
def test_every_constant_of_a_kernel_is_a_size_of_some_row():
    used = set().union(*[reached(name).sizes for name in ALL])
    assert sorted(all_constants() - used) == []


def test_constants_that_are_no_sizes_are_there():
    known = {module.__name__.removeprefix("fastgrad._src.kernels."): declared(module) for module in modules()}
    assert [
        f"{module}.{name}" for module, names in NO_SIZES.items() for name in names.split() if name not in known[module]
    ] == []


def test_limits_name_rows_of_the_table():
    assert sorted(set(LARGEST_OF) - set(ALL)) == []


HALVES = "float16 bfloat16"
INTEGERS = "int8 int16 int32 int64 uint8 uint16 uint32 uint64"
COMPLEX = "complex64 complex128"
FLOATS_ONLY = f"{INTEGERS} {COMPLEX} bool"
INT64_ONLY = f"{HALVES} float32 float64 int8 int16 int32 uint8 uint16 uint32 uint64 {COMPLEX} bool"
NOT_TRIED: dict[str, tuple[str, str]] = {
    "nextafter": (HALVES, "the function refuses them"),
    "igamma_slope": ("float64", "the referee is a difference of fourth order"),
    "check_numerics": (COMPLEX, "the function refuses them"),
    "sparse_dense_matmul": (f"int8 int16 uint8 uint16 uint32 uint64 {COMPLEX}", "SciPy computes them"),
    **dict.fromkeys(
        [
            "add_rows",
            "apply_adafactor_matrix",
            "apply_adafactor_vector",
            "apply_update",
            "apply_update_to_live_rows",
            "apply_update_to_rows",
            "sum_rows",
        ],
        (FLOATS_ONLY, "optimizers have float variables"),
    ),
    "apply_update_by_element": (HALVES, "compiled programs give it float32 and float64"),
    "scatter_into_variable": (FLOATS_ONLY, "its generator makes floats"),
    "sums_of_squares": (FLOATS_ONLY, "only norms of gradients call it"),
    **dict.fromkeys(
        [
            f"random_{what}"
            for what in [
                "gamma",
                "poisson",
                "binomial",
                "categories",
                "shuffled_positions",
                "uniform",
                "normal",
                "truncated_normal",
            ]
        ],
        (FLOATS_ONLY, "draws are floats, or follow from float parameters"),
    ),
    **dict.fromkeys(
        ["random_integers"],
        (f"{HALVES} float32 float64 int8 int16 uint16 uint32 {COMPLEX} bool", "draws are of these integers"),
    ),
    "random_integers_between": (
        f"{HALVES} float32 float64 int8 int16 uint16 uint32 uint64 {COMPLEX} bool",
        "draws are of these integers",
    ),
    "random_bits": (f"{INT64_ONLY} int64".replace("uint64", ""), "draws are uint64"),
    "random_bits_of_dropout": (f"{INT64_ONLY} int64 uint64".replace("uint32", ""), "draws are uint32"),
    **dict.fromkeys(["advance_generator", "whole_turns", "ends_turn"], (INT64_ONLY, "counters are int64")),
    **dict.fromkeys(
        ["philox_words", "invert_permutation", "unravel_index"],
        (INT64_ONLY.replace(" int32", ""), "the functions take int32 and int64"),
    ),
    "assert": (f"{COMPLEX} bool", "comparisons of these have no order"),
    "assert_true": (f"{INT64_ONLY} int64".replace(" bool", ""), "its operand is a comparison"),
    "bincount": (
        "int8 int16 uint8 uint16 uint32 uint64 complex64 complex128 bool",
        "weights are floats, int32 or int64",
    ),
    "dilation2d": (
        "int8 int16 int32 int64 uint8 uint16 uint32 uint64",
        "its windows begin at the lowest float; row_cases.py has integers",
    ),
    "bitcast": (INT64_ONLY.replace(" int8", ""), "it moves no element; int8 and int64 stand for all"),
    "in_top_k": (f"{HALVES} float64 {FLOATS_ONLY}", "predictions are float32"),
    "histogram_fixed_width_bins": (
        f"int8 uint8 uint16 uint32 uint64 {COMPLEX} bool",
        "its range needs negative numbers and 40",
    ),
    **dict.fromkeys(["gather_gradient", "scatter_nd", "mirror_pad_gradient"], ("bool", "they add elements")),
    **dict.fromkeys(["searchsorted", "unique"], (f"{COMPLEX} bool", "these have no order")),
}
"""Dtypes of rows that are left out, and why; rows that declare no dtypes are offered every one."""


@pytest.mark.completeness
def test_every_dtype_of_a_row_is_tried_or_left_out_for_a_reason():
    wrong = {}
    for name, properties in ALL.items():
        offered = {dtype.name for dtype in TABLE[name].dtypes if dtype.kind != "O"}
        tried = {dtype for known in properties for dtype in known.dtypes}
        left_out = set(NOT_TRIED.get(name, ("", ""))[0].split())
        if offered - tried != left_out:
            wrong[name] = {
                "not tried": sorted(offered - tried - left_out),
                "tried": sorted(left_out - (offered - tried)),
            }
    assert wrong == {}
    assert sorted(set(NOT_TRIED) - set(ALL)) == []


ONLY_COMPARED_WITH_ITSELF = {
    **dict.fromkeys(
        ["eig", "eigh", "lu", "logm", "qr", "sqrtm", "svd"],
        "LAPACK computes them; results are unique up to signs and order only",
    ),
    **dict.fromkeys(
        [
            "random_bits",
            "random_bits_of_dropout",
            "random_binomial",
            "random_categories",
            "random_gamma",
            "random_integers",
            "random_integers_between",
            "random_normal",
            "random_shuffled_positions",
            "random_poisson",
            "random_truncated_normal",
            "random_uniform",
        ],
        "tests/kernels/random compares draws with Philox and with distributions",
    ),
    **dict.fromkeys(["advance_generator", "philox_words"], "integers that seeds are made of"),
}
"""Rows of which kernels and compiled programs are only compared with the eager row, and why."""


@pytest.mark.completeness
def test_rows_without_an_exact_result_are_named():
    assert sorted(ONLY_COMPARED_WITH_ITSELF) == sorted(
        name for name, properties in ALL.items() if all(known.exact is None for known in properties)
    )


def test_figures_of_what_there_is_to_try(cases, figure):
    figure("rows of the operation table", len(ALL))
    figure("properties", sum(map(len, ALL.values())))
    figure("random cases among those of rows", RANDOM * len(ALL))
    figure(
        "pairs of a property and a dtype", sum(len(known.dtypes) for properties in ALL.values() for known in properties)
    )
    figure("constants of kernels that sizes are made of", len(all_constants()))
    figure("layouts of operands", len(LAYOUTS))
    figure("views that programs make of operands", len(VIEWS) - 1)
    figure("numbers of threads", len(THREADS))
