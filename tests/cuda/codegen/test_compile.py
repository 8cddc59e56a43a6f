"""Kernels for a GPU become PTX, and machine code where NVIDIA's linker is installed."""

import math
import re

import pytest

from fastgrad._src.cuda.codegen.compile import UnsupportedOnGpuError
from fastgrad._src.cuda.codegen.entry import entry_name
from fastgrad._src.cuda.codegen.kernel import device_kernel, device_kernel_of
from fastgrad._src.cuda.kernels.rows import logsumexp, norms
from fastgrad._src.jit.body import call_c_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.math.vector_math import tanh
from fastgrad._src.kernels.random import random as draws
from tests.cuda.codegen.linking import machine_code, need_compilers, ptx_of

FLOATS = ("float32", "float64")
CAPABILITIES = (80, 90, 100)


@kernel("x: in[T], bias: in[T], y: out[T], first: int, last: int", noalias=True, T=FLOATS)
def quads(x, bias, y, first, last):
    for unit in range(first, last):
        for i in range(4 * unit, 4 * unit + 4):
            y[i] = tanh(x[i] * bias[0] + x[i])


KERNELS = {
    "logsumexp": logsumexp,
    "norms": norms,
    "normal": device_kernel_of(draws.normal),
    "quads": device_kernel_of(quads),
}


@pytest.mark.parametrize("name", KERNELS)
def test_no_kernel_of_float32_computes_in_float64_or_calls_or_has_a_stack(name):
    text = ptx_of(KERNELS[name], {"T": "float32"}, 90)
    assert f".visible .entry {entry_name(KERNELS[name])}(" in text
    assert ".f64" not in text
    assert not re.search(r"\bcall", text)
    assert ".local" not in text


def test_products_are_fused_with_sums_only_where_the_body_says_so():
    text = ptx_of(KERNELS["quads"], {"T": "float32"}, 90)
    assert "fma.rn.f32" in text, "tanh's polynomial"
    assert "mul.rn.f32" in text, "x * bias + x is rounded twice, as on the CPU; .rn keeps the assembler from fusing it"


def test_threads_of_a_block_share_memory_and_wait_for_each_other():
    text = ptx_of(logsumexp, {"T": "float32"}, 90)
    assert "bar.sync" in text or "barrier.sync" in text
    assert "st.shared" in text


@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.parametrize("name", KERNELS)
def test_machine_code_has_no_spills_and_no_stack(name, capability):
    for dtype in FLOATS if name != "normal" else FLOATS[:1]:
        cubin = machine_code(ptx_of(KERNELS[name], {"T": dtype}, capability), capability)
        assert cubin.code.startswith(b"\x7fELF")
        assert cubin.spills == cubin.stack == 0
        assert 0 < cubin.registers <= 96
        assert (cubin.shared > 0) == KERNELS[name].together


@pytest.mark.parametrize("dtype", FLOATS)
def test_functions_of_math_are_those_of_libdevice(dtype):
    @device_kernel("x: inout[T], first: int, last: int", T=FLOATS)
    def calls(x, first, last):
        for unit in range(first, last):
            x[unit] = math.lgamma(math.exp(x[unit]))

    text = ptx_of(calls, {"T": dtype}, 90)
    assert ".extern" not in text
    assert (".f64" in text) == (dtype == "float64")


def test_what_the_compiler_refuses_is_said_with_its_reason():
    @device_kernel("x: inout[T], first: int, last: int", T=FLOATS)
    def calls(x, first, last):
        for unit in range(first, last):
            x[unit] = math.comb(unit, 2)

    with pytest.raises(RuntimeError, match=r"kernel calls can't be compiled for a GPU: [^$]*comb"):
        ptx_of(calls, {"T": "float32"}, 90)


def test_what_calls_the_host_is_refused_by_name():
    @device_kernel("x: inout[T], address: int, first: int, last: int", T=FLOATS)
    def calls(x, address, first, last):
        for unit in range(first, last):
            x[unit] = call_c_function(address, x[unit])

    with pytest.raises(UnsupportedOnGpuError, match="call_c_function is for a CPU"):
        ptx_of(calls, {"T": "float32"}, 90)


@pytest.mark.parametrize("noalias", [True, False])
def test_arrays_that_are_only_read_are_read_through_the_cache_of_constants_if_none_overlap(noalias):
    @kernel("x: in[T], y: out[T], first: int, last: int", noalias=noalias, T=FLOATS)
    def copy(x, y, first, last):
        for i in range(first, last):
            y[i] = x[i]

    assert ("ld.global.nc" in ptx_of(device_kernel_of(copy), {"T": "float32"}, 90)) == noalias


def test_the_compiler_is_the_package_numba_cuda_not_the_frozen_copy_in_numba():
    need_compilers()
    from fastgrad._src.cuda.codegen.numba_cuda import cuda

    assert cuda.implementation == "NVIDIA"
