"""Checked builds name what a kernel accessed that is not there (`FASTGRAD_CHECK_BOUNDS=1`)."""

import numpy as np
import pytest
from numpy import int64

from fastgrad._src.jit.body import (
    atomic_add,
    local_array,
    multiply_rows,
    multiply_windows,
    multiply_windows_depthwise,
    pack_panel,
    panel_array,
    panel_columns,
    scalar_function,
    transpose_rows,
)
from fastgrad._src.jit.bounds import NO_BOUND, OutOfBoundsError, OverlapError, checks_bounds
from fastgrad._src.jit.build import in_place_variant, kernel, step_address
from fastgrad._src.kernels.runtime import driver
from fastgrad._src.kernels.runtime.launch import Input, Launch, Launches, Output, run_launches
from tests.kernels.process import run_python


@pytest.mark.skipif(checks_bounds(), reason="they are run as they are")
def test_the_facts_below_in_a_process_that_checks():
    run = run_python("-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, FASTGRAD_CHECK_BOUNDS="1")
    assert run.returncode == 0, run.stdout
    assert " passed" in run.stdout


@pytest.mark.skipif(checks_bounds(), reason="this process checks")
def test_builds_that_do_not_check_have_keys_of_their_own():
    code = "from fastgrad._src.jit.store import platform_key; print(platform_key())"
    keys = {run_python("-c", code, FASTGRAD_CHECK_BOUNDS=value).stdout for value in ("0", "1")}
    assert len(keys - {""}) == 2


def test_another_value_is_refused():
    code = "from fastgrad._src.jit.bounds import checks_bounds; checks_bounds()"
    run = run_python("-c", code, FASTGRAD_CHECK_BOUNDS="yes")
    assert "FASTGRAD_CHECK_BOUNDS is 'yes'; it may be 0 or 1" in run.stderr


checked = pytest.mark.skipif(not checks_bounds(), reason="run in a process that checks, by the first test")


@kernel("x: in[T], out: out[T], n: int, first: int, last: int -> int", T=("float32", "float64"))
def doubled(x, out, n, first, last):
    for i in range(first, last):
        out[i] = T(2) * x[i + n]
    return -1


@scalar_function
def element(x, i):
    """One deeper."""
    return x[i]


@kernel("xs: ins[float64], outs: inouts[float64], count: count, sizes: sizes, more: int, lists: int")
def copied(xs, outs, count, sizes, more, lists):
    for k in range(count + lists):
        for i in range(sizes[k] + more):
            outs[k][i] = element(xs[k], i)


@kernel("out: inout[int64], i: int")
def counted(out, i):
    memory = local_array(int64, 16)
    memory[i] = 1
    atomic_add(out, i, memory[i])


@kernel("a: in[T], b: in[T], c: out[T], depth: int, rows: int, columns: int, pack: int", T=("float32", "float64"))
def product(a, b, c, depth, rows, columns, pack):
    if pack:
        packed, width = panel_array(T, 32), panel_columns(T)
        pack_panel(b, 0, columns, 1, packed, width, depth, columns)
        multiply_rows(a, 0, depth, 1, packed, 0, width, c, 0, columns, 0, depth, rows, columns)
    else:
        multiply_rows(a, 0, depth, 1, b, 0, columns, c, 0, columns, 0, depth, rows, columns)


@checked
def test_an_access_outside_is_not_done_and_names_kernel_parameter_index_and_size():
    x, out = np.ones(8), np.zeros(8)
    doubled[x.dtype](x, out, 0, 0, 8)
    assert (out == 2).all()
    with pytest.raises(OutOfBoundsError, match=r"^kernel doubled: x\[8\] is outside of its 8 elements$"):
        doubled[x.dtype](x, out, 3, 0, 8)
    with pytest.raises(OutOfBoundsError, match=r"^kernel doubled: x\[-2\] is outside of its 8 elements$"):
        doubled[x.dtype](x, out, -2, 0, 8)
    with pytest.raises(OutOfBoundsError, match=r"^kernel doubled: out\[4\] is outside of its 4 elements$"):
        doubled[x.dtype](x, out[:4], 0, 0, 8)
    doubled[x.dtype](x, out, 0, 0, 8)  # as if nothing had been


@kernel("x: in[T], y: in[T], out: out[T], n: int", noalias=True, T=("float32", "float64"))
def sum_of_distinct_arrays(x, y, out, n):
    for i in range(n):
        out[i] = x[i] + y[i]


@checked
def test_arrays_that_a_kernel_takes_for_distinct_are_compared():
    x, y = np.arange(8.0), np.ones(8)
    add = sum_of_distinct_arrays[x.dtype]
    add(x, x, np.empty(8), 8)  # both are only read
    add(x[:4], y, x[4:], 4)  # neighbours
    for given in ((x, y, x, 8), (x[:6], y, x[2:], 6)):
        with pytest.raises(OverlapError, match=r"^kernel sum_of_distinct_arrays: x and out overlap"):
            add(*given)
    with pytest.raises(OverlapError, match="y and out"):
        add(x, y, y[::-1][::-1], 8)


@checked
def test_an_array_that_a_kernel_is_compiled_to_write_over_may_be_that_array_alone():
    x, y = np.arange(8.0), np.ones(8)
    add = in_place_variant(sum_of_distinct_arrays[x.dtype], ((2, 0),))
    add(x, y, x, 8)
    assert (x == np.arange(8.0) + 1).all()
    with pytest.raises(OverlapError, match="y and out"):
        add(y, y, y, 8)


@checked
def test_steps_of_programs_compare_their_arrays():
    x, y = np.arange(8.0), np.ones(8)
    words = np.array([x.ctypes.data, y.ctypes.data, x.ctypes.data, *[8] * 4], np.int64)
    steps = np.array([[step_address(sum_of_distinct_arrays[x.dtype]), words.ctypes.data, 1, 1, 1, 1]], np.int64)
    header = np.zeros(driver.HEADER_WORDS, np.int64)
    header[driver.STEPS], header[driver.ARRAY_TYPE] = steps.ctypes.data, driver.ARRAY_TYPE_ADDRESS
    with pytest.raises(OverlapError, match=r"^kernel sum_of_distinct_arrays: x and out overlap"):
        driver.begin_program[()]((), header, 1)


@checked
def test_lists_know_the_size_of_each_array_and_how_many_there_are():
    xs, outs = (np.ones(3), np.ones(5)), (np.zeros(3), np.zeros(5))
    copied[()](xs, outs, 0, 0)
    assert (outs[1] == 1).all()
    with pytest.raises(OutOfBoundsError, match=r"^kernel copied: xs\[3\] is outside of its 3 elements$"):
        copied[()](xs, outs, 1, 0)
    with pytest.raises(OutOfBoundsError, match=r"^kernel copied: sizes\[2\] is outside of its 2 elements$"):
        copied[()](xs, outs, 0, 1)


@checked
def test_memory_of_the_body_and_atomic_operations():
    with pytest.raises(
        OutOfBoundsError, match=r"^kernel counted: local_array of int64\[16\] is outside of its 16 elements$"
    ):
        counted[()](np.zeros(20, np.int64), 16)
    with pytest.raises(OutOfBoundsError, match=r"^kernel counted: out\[12\] is outside of its 10 elements$"):
        counted[()](np.zeros(10, np.int64), 12)


@checked
@pytest.mark.parametrize("pack", [0, 1])
def test_tiles_of_products(pack):
    shape = depth, rows, columns = 5, 7, 3  # a panel of float64 has 4 columns with the narrowest vectors
    sizes = {"a": rows * depth, "b": depth * columns, "c": rows * columns}
    arrays = {name: np.ones(size + 64) for name, size in sizes.items()}  # some more than is needed: whole vectors of B
    product[arrays["a"].dtype](*arrays.values(), *shape, pack)
    assert (arrays["c"][: sizes["c"]] == depth).all()
    for name, size in sizes.items():
        short = {**arrays, name: arrays[name][: size - 1]}
        with pytest.raises(
            OutOfBoundsError, match=rf"^kernel product: {name}\[\d+\] is outside of its {size - 1} elements$"
        ):
            product[arrays["a"].dtype](*short.values(), *shape, pack)


@kernel("a: in[T], b: in[T], c: out[T], places: in[int64], by_lane: int", T=("float32",))
def windows(a, b, c, places, by_lane):
    if by_lane:
        multiply_windows_depthwise(a, 0, b, 0, c, 0, 0, places, 0, 2, 4, 3, 5)
    else:
        multiply_windows(a, 0, b, 0, c, 0, 0, places, 0, 2, 4, 3, 5)


@checked
@pytest.mark.parametrize("by_lane", [0, 1])
def test_tiles_whose_rows_and_terms_tables_tell(by_lane):
    terms, rows = [(0, 0), (12, 40)], [(8, 0), (0, 80), (16, 40)]  # in bytes: in a and b, in a and c
    places = np.array(terms + rows).reshape(-1)
    last = {"a": (12 + 16) // 4 + 4 * by_lane, "b": 40 // 4 + 4, "c": 80 // 4 + 4}
    arrays = {name: np.ones(at + 1, np.float32) for name, at in last.items()}
    windows[arrays["a"].dtype](*arrays.values(), places, by_lane)
    assert (arrays["c"][:5] == 2).all()
    for name, at in last.items():
        short = {**arrays, name: arrays[name][:-1]}
        with pytest.raises(
            OutOfBoundsError, match=rf"^kernel windows: {name}\[{at}\] is outside of its {at} elements$"
        ):
            windows[arrays["a"].dtype](*short.values(), places, by_lane)
    with pytest.raises(OutOfBoundsError, match=r"^kernel windows: places\[9\]"):
        windows[arrays["a"].dtype](*arrays.values(), places[:-1], by_lane)


@kernel("x: in[T], y: out[T], rows: int, columns: int", T=("uint32", "uint64"))
def transposed(x, y, rows, columns):
    transpose_rows(x, 0, rows, y, 0, columns + 1, rows, columns)


@checked
@pytest.mark.parametrize("dtype", [np.uint32, np.uint64])
def test_transposed_rows(dtype):
    x, y = np.arange(35, dtype=dtype), np.zeros(5 * 8 - 1, dtype)
    transposed[x.dtype](x, y, 5, 7)
    np.testing.assert_array_equal(np.append(y, 0).reshape(5, 8)[:, :7], x.reshape(7, 5).T)
    with pytest.raises(OutOfBoundsError, match=r"^kernel transposed: x\[34\] is outside of its 34 elements$"):
        transposed[x.dtype](x[:-1], y, 5, 7)
    with pytest.raises(OutOfBoundsError, match=r"^kernel transposed: y\[38\] is outside of its 38 elements$"):
        transposed[x.dtype](x, y[:-1], 5, 7)


@checked
def test_a_step_of_a_program_ends_it():
    x, out, after = np.ones(8), np.zeros(8), np.zeros(8)

    def frame(size):
        words = [[x, out, 0, x.size, size], [x, after, 0, x.size, after.size]]
        words = [np.array([w.ctypes.data if isinstance(w, np.ndarray) else w for w in row], np.int64) for row in words]
        steps = np.array([[step_address(doubled[x.dtype]), w.ctypes.data, 8, 1, 8, 1] for w in words], np.int64)
        header = np.zeros(driver.HEADER_WORDS, np.int64)
        header[driver.STEPS], header[driver.ARRAY_TYPE] = steps.ctypes.data, driver.ARRAY_TYPE_ADDRESS
        return header, steps, words

    header, *_kept = frame(NO_BOUND)
    assert driver.begin_program[()]((), header, 2) == driver.RAN_TO_END
    assert (after == 2).all()
    after[:] = 0
    header, *_kept = frame(5)
    with pytest.raises(OutOfBoundsError, match=r"^kernel doubled: out\[5\] is outside of its 5 elements$"):
        driver.begin_program[()]((), header, 2)
    assert (after == 0).all()


@checked
def test_compiled_steps_give_kernels_the_sizes_of_arrays_of_another_type():
    import fastgrad as tf

    @tf.function
    def step(x, v):
        y = tf.reverse(tf.cast(x > 0, tf.bool), [0])
        v.assign_add(tf.reduce_sum(tf.matmul(x, x, transpose_b=True), 0))
        return y, tf.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, s + tf.sort(x)[0]), (0, tf.zeros(4)))

    x, v = tf.random.normal([4, 4]), tf.Variable(tf.zeros(4))
    for _ in range(3):
        y, _ = step(x, v)
    np.testing.assert_array_equal(y, (x.numpy() > 0)[::-1])


@checked
def test_launches_run_at_once():
    x, out = np.ones(8), np.zeros(8)
    launches = Launches((Launch(doubled[x.dtype], (Input(0), Output(0), 1), 8),))
    with pytest.raises(OutOfBoundsError, match=r"x\[8\]"):
        run_launches(launches, [x], [out])
