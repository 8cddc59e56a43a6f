"""Every kernel that a GPU may be given becomes PTX that lacks nothing; those written for GPUs become good machine code."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from fastgrad._src.cuda.codegen.compile import UnsupportedOnGpuError
from tests.cuda.codegen import kernels_of_table as found
from tests.cuda.codegen.linking import machine_code, ptx_of

CAPABILITIES = (80, 90, 100)
OLDEST = CAPABILITIES[0]
STACK = re.compile(r"\.local .*__local_depot\d+\[(\d+)\]")
MOST_STACK_BYTES = 1 << 10
"""The most bytes of a thread's stack: a GPU keeps stacks for all threads that it can run at a time, some 270,000."""
LARGER_STACKS = {
    "order_lines": "2 KB: counts of the values of a byte, for each line that is sorted",
    "adafactor_matrix": "2 KB: partial sums, in one thread",
    "adafactor_vector": "2 KB: partial sums, in one thread",
    "zeta": "2 KB: arguments, sums and starts of a block of elements",
}
"""Kernels with a larger stack, which may have `MOST_EXCEPTIONAL_BYTES`, and the reason."""
MOST_EXCEPTIONAL_BYTES = 1 << 11
ONLY_ON_A_CPU = {
    *("row_extremes", "column_extremes", "sum_along", "sum_across", "add_totals"),
    *("softmax", "softmax_gradient", "log_softmax", "log_softmax_gradient"),
    *("softmax_across", "softmax_across_gradient", "log_softmax_across", "log_softmax_across_gradient"),
    *("cross_entropy", "sparse_cross_entropy_and_gradient"),
    *("sums_of_squares", "sums_of_squares_of_blocks"),
    *("layer_norm", "layer_norm_gradient", "layer_norm_parameter_sums", "layer_norm_parameters_gradient"),
    *("attention", "attention_gradient", "row_products"),
    "order_ids",
}
"""Kernels of eager reductions, which are groups on a GPU, of rows that run there as their references, and of the order of segments."""
COMPUTES = re.compile(r"\b(add|mul|fma|div|sqrt|rcp)\.\S*f64")


@pytest.fixture(scope="module")
def compiled():
    """The kernels for GPUs, each with its PTX."""
    kernels = [*found.for_gpus(), *found.for_single_rows()]
    return [(one, ptx_of(one.kernel, one.dtypes, OLDEST)) for one in kernels]


def test_kernels_need_no_library_and_no_large_stack(compiled):
    """`compile_ptx` refuses functions of C by name; others would be external symbols, which no driver resolves."""
    texts = [*compiled]
    for one in found.all_different(found.of_the_cpu()):
        with suppress(UnsupportedOnGpuError):  # what calls by addresses, which `choice` leaves on the host
            texts.append((one, ptx_of(one.kernel, one.dtypes, OLDEST)))
    assert len(texts) > len(compiled) + 100
    assert [one.kernel.name for one, text in texts if ".extern" in text] == []
    stacks = [(one.kernel.name, sum(map(int, STACK.findall(text)))) for one, text in texts]
    large = {name: size for name, size in stacks if size > MOST_STACK_BYTES and name not in ONLY_ON_A_CPU}
    assert large.keys() == LARGER_STACKS.keys()
    assert max(large.values()) <= MOST_EXCEPTIONAL_BYTES


def test_a_gpu_gets_no_kernel_that_is_only_for_a_cpu():
    launched = {one.kernel.name for one in (*found.of_rows(), *found.of_programs())}
    assert not launched & ONLY_ON_A_CPU


def test_kernels_for_gpus_have_no_stack(compiled):
    assert [one.kernel.name for one, text in compiled if ".local" in text] == []


def test_kernels_of_float32_compute_nothing_in_float64(compiled):
    """Numbers that are passed come as float64; what is 1 less one of them is computed once."""
    narrow = [(one, text) for one, text in compiled if one.elements & {"float32"} and not one.elements & {"float64"}]
    assert len(narrow) > len(compiled) / 2
    assert [one.kernel.name for one, text in narrow if COMPUTES.search(text)] == []


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_they_become_machine_code_without_spills(compiled, capability):
    """PTX of an older generation is taken by the linker of a newer one."""
    kernels = compiled if capability == 90 else compiled[: len(found.for_gpus())]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        linked = [pool.submit(machine_code, text, capability) for _, text in kernels]
    cubins = [one.result() for one in linked]
    assert all(cubin.code.startswith(b"\x7fELF") for cubin in cubins)
    assert [
        one.kernel.name for (one, _), cubin in zip(kernels, cubins, strict=True) if cubin.spills or cubin.stack
    ] == []
