"""Kernels for a GPU, run thread by thread on the CPU."""

import numpy as np
import pytest

from fastgrad._src.cuda.codegen.body import block_size, shared_array, synchronize, thread_index
from fastgrad._src.cuda.codegen.kernel import device_kernel, device_kernel_of
from fastgrad._src.jit.body import local_array
from fastgrad._src.jit.bounds import OutOfBoundsError
from fastgrad._src.jit.build import kernel as cpu_kernel
from fastgrad._src.kernels.random import random as draws
from tests.cuda.row_sums import sum_rows
from tests.cuda.simulation.lock_step import SimulationError, simulate

FLOATS = ("float32", "float64")


def rows(dtype, *shape):
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(3, 1), (2, 7), (1, 300), (4, 513)])
def test_threads_of_a_block_share_memory(dtype, shape):
    x, tolerance = rows(dtype, *shape), 1e-5 if dtype == "float32" else 1e-13
    sums = np.empty(len(x), dtype)
    simulate(sum_rows, {"T": dtype}, [x, sums, shape[1]], len(x))
    np.testing.assert_allclose(sums, x.sum(1, dtype=np.float64), rtol=tolerance, atol=tolerance)


def test_a_row_with_a_nan_is_nan_and_others_are_not():
    x = rows("float32", 2, 40)
    x[1, 33] = np.nan
    sums = np.empty(2, np.float32)
    simulate(sum_rows, {"T": "float32"}, [x, sums, 40], 2)
    np.testing.assert_array_equal(np.isnan(sums), [False, True])


def test_the_number_of_blocks_does_not_matter():
    x = rows("float32", 5, 70)
    found = []
    for blocks in (1, 2, 7):
        sums = np.empty(5, np.float32)
        simulate(sum_rows, {"T": "float32"}, [x, sums, 70], 5, blocks)
        found.append(sums.tobytes())
    assert len(set(found)) == 1


@pytest.mark.parametrize("kernel", [draws.uniform, draws.normal, draws.truncated_normal])
def test_random_numbers_are_the_cpus_to_the_bit(kernel):
    words, size = np.array([2**64 - 3, 1, 77], np.uint64).view(np.int64), draws.UNIT_ELEMENTS + 5
    on_cpu, on_gpu = np.zeros(size, np.float32), np.zeros(size, np.float32)
    kernel[np.dtype(np.float32)](on_cpu, size, words, 0, draws.unit_count(size))
    simulate(device_kernel_of(kernel), {"T": "float32"}, [on_gpu, size, words], draws.unit_count(size))
    assert len(np.unique(on_cpu)) > 4000
    np.testing.assert_array_equal(on_gpu, on_cpu)


def test_shared_memory_is_nan_until_it_is_written():
    @device_kernel("x: out[T], first: int, last: int", T=FLOATS)
    def reads_first(x, first, last):
        parts = shared_array(T, 32)
        for unit in range(first, last):
            x[unit * 32 + thread_index()] = parts[thread_index()]

    x = np.zeros(32, np.float32)
    simulate(reads_first, {"T": "float32"}, [x], 1, threads=32)
    assert np.isnan(x).all()


def test_a_missing_barrier_is_an_error():
    @device_kernel("x: out[T], first: int, last: int", T=FLOATS)
    def writes_too_late(x, first, last):
        parts = shared_array(T, 64)
        for _ in range(first, last):
            parts[thread_index()] = T(thread_index())
            x[thread_index()] = parts[63 - thread_index()]

    @device_kernel("x: out[T], first: int, last: int", T=FLOATS)
    def writes_too_early(x, first, last):
        parts = shared_array(T, 64)
        for _ in range(first, last):
            parts[thread_index()] = T(thread_index())
            synchronize()
            x[thread_index()] = parts[0]
            parts[thread_index()] = T(1)

    for kernel, threads_and_place in (
        (writes_too_late, "32 and thread 31 .* byte 128"),
        (writes_too_early, "1 and .* byte 0"),
    ):
        with pytest.raises(SimulationError, match=rf"kernel {kernel.name}: thread {threads_and_place} with no barrier"):
            simulate(kernel, {"T": "float32"}, [np.zeros(64, np.float32)], 1, blocks=1)


def test_memory_that_threads_share_may_be_written_again_after_a_barrier():
    @device_kernel("x: out[T], first: int, last: int", T=FLOATS)
    def turns(x, first, last):
        parts = shared_array(T, 64)
        for _ in range(first, last):
            for turn in range(3):
                parts[63 - thread_index()] = T(thread_index() + turn)
                synchronize()
                x[thread_index()] = parts[thread_index()]
                synchronize()

    x = np.zeros(64, np.float32)
    simulate(turns, {"T": "float32"}, [x], 4)
    np.testing.assert_array_equal(x, 65.0 - np.arange(64))


def test_accesses_outside_of_arrays_are_errors_that_name_kernel_array_and_index():
    @device_kernel("x: in[T], y: out[T], many: ins[T], n: int, first: int, last: int", T=FLOATS)
    def moves(x, y, many, n, first, last):
        parts = shared_array(T, 64)
        for unit in range(first, last):
            parts[thread_index()] = T(0)
            synchronize()
            parts[thread_index() + n // 100] = x[unit * block_size() + thread_index()] + many[1][n % 4]
            synchronize()
            y[n % 100 - unit] = parts[0]
            synchronize()

    def run(size, n):
        x, y = np.ones(size, np.float32), np.ones(20, np.float32)
        simulate(moves, {"T": "float32"}, [x, y, (x[:1].copy(), x[:3].copy()), n], 2, blocks=1)

    run(128, 12)
    cases = [
        (127, 12, r"x\[127\] is outside of its 127"),
        (128, 20, r"y\[20\] is outside of its 20"),
        (128, 0, r"y\[-1\] is outside of its 20"),
        (128, 3, r"many\[3\] is outside of its 3"),
        (128, 112, r"shared_array of float32\[64\] is outside of its 64"),
    ]
    for size, n, text in cases:
        with pytest.raises(OutOfBoundsError, match=f"kernel moves: {text} elements"):
            run(size, n)
    run(128, 12)


def test_a_block_has_48_kilobytes_to_share():
    @device_kernel("x: out[T], first: int, last: int", T=FLOATS)
    def wants(x, first, last):
        more, parts = shared_array(T, 2048), shared_array(T, 10241)
        for _ in range(first, last):
            more[thread_index()] = T(0)
            parts[thread_index()] = more[thread_index()]

    with pytest.raises(SimulationError, match="kernel wants has more than the 49152 bytes of shared memory"):
        simulate(wants, {"T": "float32"}, [np.zeros(32, np.float32)], 1)


def test_a_barrier_that_not_all_threads_reach_is_an_error():
    @device_kernel("x: out[T], first: int, last: int", T=FLOATS)
    def diverges(x, first, last):
        for _ in range(first, last):
            if thread_index() < 7:
                synchronize()
            x[thread_index()] = T(1)

    with pytest.raises(SimulationError, match="thread 7 has ended while thread 0 waits for it"):
        simulate(diverges, {"T": "float32"}, [np.zeros(32, np.float32)], 1, blocks=1, threads=32)


def test_threads_that_wait_in_different_places_are_an_error():
    @device_kernel("x: inout[T], first: int, last: int", T=FLOATS)
    def diverges(x, first, last):
        for _ in range(first, last):
            if thread_index() == 3:
                synchronize()
            else:
                synchronize()

    with pytest.raises(SimulationError, match=r"different places: 0 \(synchronize\) and 3 \(synchronize\)"):
        simulate(diverges, {"T": "float32"}, [np.zeros(32, np.float32)], 1, blocks=1, threads=32)


def test_dtypes_that_a_kernel_is_not_for_are_refused():
    with pytest.raises(TypeError, match="sum_rows: T is int32; it may be float32, float64"):
        simulate(sum_rows, {"T": "int32"}, [np.zeros(1), np.zeros(1), 1], 1)
    with pytest.raises(TypeError, match="give a dtype for each of"):
        simulate(sum_rows, {}, [np.zeros(1), np.zeros(1), 1], 1)


def test_of_the_answers_of_units_that_are_not_fine_the_smallest_counts():
    @device_kernel("x: in[T], first: int, last: int -> int", T=FLOATS)
    def finds(x, first, last):
        for unit in range(first, last):
            if x[unit] < 0:
                return unit
        return -1

    x = np.ones(300, np.float32)
    assert simulate(finds, {"T": "float32"}, [x], 300) is None
    x[[250, 77, 99]] = -1
    assert simulate(finds, {"T": "float32"}, [x], 300, blocks=3) == 77


def test_local_arrays_of_the_cpu_and_of_the_simulation_are_compiled_in_one_process():
    def reversed_parts(x, y, first, last):
        part = local_array(T, 5)
        for unit in range(first, last):
            for i in range(5):
                part[i] = x[5 * unit + i]
            for i in range(5):
                y[5 * unit + i] = part[4 - i]

    x, text = rows("float32", 4, 5), "x: in[T], y: out[T], first: int, last: int"
    for on_cpu_first in (True, False):
        compiled, y, z = cpu_kernel(text, T=FLOATS)(reversed_parts), np.zeros_like(x), np.zeros_like(x)
        if on_cpu_first:
            compiled[x.dtype](x, y, 0, 4)
        simulate(device_kernel_of(compiled), {"T": "float32"}, [x, z], 4)
        compiled[x.dtype](x, y, 0, 4)
        np.testing.assert_array_equal(y, x[:, ::-1])
        np.testing.assert_array_equal(z, y)
