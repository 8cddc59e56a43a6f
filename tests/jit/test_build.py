import ctypes
import gc
import math
import os
import re
import sys
import threading
import weakref

import numpy as np
import pytest

from fastgrad._src.jit import build, store
from fastgrad._src.jit.body import Special, fingerprint, from_bits, local_array, scalar_function
from fastgrad._src.jit.bounds import checks_bounds
from fastgrad._src.jit.build import full_name, in_place_variant, inspect_llvm, is_compiled, kernel, step_address
from fastgrad._src.jit.signature import parse_signature
from tests.kernels.process import run_python

FLOATS = ("float32", "float64")
F4, F8, I4, I8 = (np.dtype(name) for name in ("float32", "float64", "int32", "int64"))


@scalar_function
def _twice(x):
    return x + x


@kernel("x: in[T], y: inout[T], n: int, scale: float", T=FLOATS)
def accumulate(x, y, n, scale):
    """y += 2 scale x."""
    for i in range(n):
        y[i] += _twice(x[i]) * T(scale)


@kernel("targets: inouts[T], sources: ins[T], count: count, sizes: sizes, scale: float", T=FLOATS)
def accumulate_all(targets, sources, count, sizes, scale):
    for k in range(count):
        target, source = targets[k], sources[k]
        for i in range(sizes[k]):
            target[i] += source[i] * T(scale)


@kernel("x: in[T], n: int -> int", T=("int32", "int64", "bool"))
def first_zero(x, n):
    for i in range(n):
        if x[i] == 0:
            return i
    return -1


@pytest.mark.parametrize("dtype", [F4, F8])
def test_a_kernel_computes_in_the_dtype_it_is_asked_for(dtype):
    x, y = np.linspace(-1, 1, 37, dtype=dtype), np.ones(37, dtype)
    assert accumulate[dtype](x, y, 37, 0.25) is None
    np.testing.assert_array_equal(y, 1 + x * dtype.type(0.5))
    assert accumulate[dtype] is accumulate[dtype]


def test_a_key_is_anything_that_names_a_dtype():
    assert accumulate[np.float32] is accumulate["float32"] is accumulate[F4]
    assert accumulate[np.dtype(">f4")] is accumulate[F4]


def test_a_dtype_without_a_specialisation_is_refused_by_name():
    with pytest.raises(TypeError, match=r"accumulate: T is float16; it may be float32, float64"):
        accumulate[np.float16]
    with pytest.raises(TypeError, match="a dtype for each of"):
        accumulate[F4, F4]


@pytest.mark.parametrize(
    "change",
    [
        lambda x: np.repeat(x, 2)[::2],
        lambda x: x[::-1][::-1],
        lambda x: np.asfortranarray(np.stack([x, x]).T)[:, 0],
        lambda x: x.astype(">f8"),
        lambda x: x.view(np.matrix),
        lambda x: np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(F8),
    ],
    ids=["strided", "reversed twice", "column", "byte-swapped", "subclass", "unaligned and read-only"],
)
def test_inputs_in_any_layout_are_read(change):
    x, y = np.arange(11.0), np.zeros(11)
    accumulate[F8](change(x), y, 11, 1.0)
    np.testing.assert_array_equal(y, 2 * x)


def test_an_alias_of_a_dtype_is_the_dtype():
    x = np.array([3, 0, 1], np.longlong if np.dtype(np.longlong).num != I8.num else np.int_)
    assert first_zero[x.dtype](x, 3) == 1
    assert first_zero[I8](x, 3) == 1


def test_booleans_travel_as_bytes():
    assert first_zero[np.bool_](np.array([True, True, False]), 3) == 2


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (np.zeros(22)[::2], "strides"),
        (np.zeros(11, ">f8"), ">f8"),
        (np.zeros(11, "f4"), "must be a float64 array, got float32 array"),
        ([0.0] * 11, "must be a float64 array, got"),
        (None, "must be a float64 array, got None"),
    ],
)
def test_outputs_must_fit(y, said):
    with pytest.raises(TypeError, match=f"(?s)accumulate: y .*{said}"):
        accumulate[F8](np.arange(11.0), y, 11, 1.0)


def test_a_read_only_output_is_refused():
    y = np.zeros(3)
    y.flags.writeable = False
    with pytest.raises(TypeError, match="writeable=False"):
        accumulate[F8](np.ones(3), y, 3, 1.0)
    assert not y.any()


@pytest.mark.parametrize("n", [3, np.int64(3), np.int8(3), np.array(3)])
@pytest.mark.parametrize("scale", [2, 2.0, np.float32(2), True + True, np.int64(2)])
def test_numbers_may_be_pythons_or_numpys(n, scale):
    y = np.zeros(3)
    accumulate[F8](np.ones(3), y, n, scale)
    np.testing.assert_array_equal(y, 4)


@pytest.mark.parametrize(
    ("n", "scale", "error", "said"),
    [
        (3.0, 1.0, TypeError, r"n must be int, got 3\.0"),
        ("3", 1.0, TypeError, "n must be int, got '3'"),
        (1 << 63, 1.0, OverflowError, "beyond int64"),
        (-1 << 70, 1.0, OverflowError, "beyond int64"),
        (3, "1", TypeError, "scale must be float, got '1'"),
        (3, None, TypeError, "scale must be float, got None"),
        (3, 1j, TypeError, "scale must be float"),
    ],
)
def test_other_values_are_refused_by_name(n, scale, error, said):
    y = np.zeros(3)
    with pytest.raises(error, match=f"accumulate: .*{said}"):
        accumulate[F8](np.ones(3), y, n, scale)
    assert not y.any()


def test_minus_one_is_a_number_like_others():
    y = np.zeros(3)
    accumulate[F8](np.ones(3), y, -1, -1.0)
    assert not y.any()
    accumulate[F8](np.ones(3), y, 3, -1.0)
    np.testing.assert_array_equal(y, -2)


@pytest.mark.parametrize("arguments", [(), (np.ones(3),), (np.ones(3), np.ones(3), 3, 1.0, 2)])
def test_the_number_of_arguments_is_checked(arguments):
    with pytest.raises(TypeError, match=r"accumulate\(x, y, n, scale\) takes 4 arguments"):
        accumulate[F8](*arguments)


@pytest.mark.parametrize("sequence", [list, tuple])
def test_lists_of_arrays_are_taken_at_once(sequence):
    shapes = [(3,), (2, 5), (), (0, 4), (17,)]
    targets = sequence(np.ones(shape) for shape in shapes)
    sources = sequence(np.full(shape, k, F8) for k, shape in enumerate(shapes))
    accumulate_all[F8](targets, sources, 0.5)
    for k, target in enumerate(targets):
        np.testing.assert_array_equal(target, np.full(shapes[k], 1 + 0.5 * k))
    accumulate_all[F8](sequence(), sequence(), 0.5)


def test_an_array_of_a_list_is_converted_if_it_is_only_read():
    target, source = np.zeros(4), np.arange(8.0)[::2]
    accumulate_all[F8]([np.zeros(2), target], (np.ones(2), source), 1)
    np.testing.assert_array_equal(target, source)


@pytest.mark.parametrize(
    ("targets", "sources", "error", "said"),
    [
        ([np.zeros(3)], [np.zeros(4)], ValueError, "sources has arrays of .4. elements, targets of .3."),
        ([np.zeros(3)], [], ValueError, "sources has arrays of .. elements"),
        ([np.zeros(3), np.zeros(2)], [np.zeros(2), np.zeros(3)], ValueError, r"sources has arrays of .2, 3. elements"),
        ([np.zeros(3)], np.zeros((1, 3)), TypeError, "sources must be a tuple or list of arrays"),
        ([np.zeros(3)], [None], TypeError, r"sources\[0\] must be a float64 array, got None"),
        ([np.zeros(6)[::2]], [np.zeros(3)], TypeError, r"targets\[0\] must be C-contiguous"),
        ([np.zeros(3, F4)], [np.zeros(3)], TypeError, r"targets\[0\] must be a float64 array, got float32 array"),
    ],
)
def test_lists_that_do_not_go_together_are_refused(targets, sources, error, said):
    with pytest.raises(error, match=f"accumulate_all: {said}"):
        accumulate_all[F8](targets, sources, 1.0)


@pytest.mark.parametrize("dtype", [I4, I8])
def test_a_status_is_an_int(dtype):
    assert first_zero[dtype](np.array([5, 4, 0, 0], dtype), 4) == 2
    assert first_zero[dtype](np.array([5, 4], dtype), 2) == -1


def test_calls_leak_no_reference():
    function, x, y, n, scale = accumulate[F8], np.ones(3), np.zeros(3), 3, 0.125
    odd, targets = np.ones(6)[::2], [np.zeros(3)]

    def calls():
        for _ in range(50):
            function(x, y, n, scale)
            function(odd, y, n, scale)
            accumulate_all[F8](targets, (x,), scale)
            for bad in ((x, y, "3", scale), (x, y, n), (None, y, n, scale)):
                with pytest.raises(TypeError):
                    function(*bad)

    calls()
    gc.collect()
    held = (x, y, odd, targets, targets[0], function)
    before = [sys.getrefcount(v) for v in held]
    none = sys.getrefcount(None)
    calls()
    gc.collect()
    assert [sys.getrefcount(v) for v in held] == before
    assert abs(sys.getrefcount(None) - none) < 20


def test_a_subclass_of_int_may_change_arrays_while_it_is_read():
    y = np.zeros(3)

    class Index:
        def __index__(self):
            targets.append(np.zeros(1))
            return 3

    targets = []
    accumulate[F8](np.ones(3), y, Index(), 1.0)
    assert len(targets) >= 1
    np.testing.assert_array_equal(y, 2)


def test_a_kernel_without_type_variables_is_called_directly():
    @kernel("x: inout[int64], n: int")
    def count_up(x, n):
        for i in range(n):
            x[i] = i

    x = np.zeros(5, np.int64)
    count_up(x, 5)
    np.testing.assert_array_equal(x, range(5))


def test_a_kernel_may_release_the_gil_and_promise_distinct_arrays():
    @kernel("x: in[T], out: out[T], n: int", release_gil=True, noalias=True, T=FLOATS)
    def square(x, out, n):
        for i in range(n):
            out[i] = x[i] * x[i]

    out = np.empty(4)
    square[F8](np.arange(4.0), out, 4)
    np.testing.assert_array_equal(out, [0, 1, 4, 9])


@kernel("x: in[T], y: in[T], first: out[T], second: out[T], n: int", noalias=True, T=FLOATS)
def first_without_x(x, y, first, second, n):
    for i in range(n):
        a, b = x[i], y[i]
        first[i] = b + b
        second[i] = a * b


@pytest.mark.skipif(checks_bounds(), reason="checked builds compare arrays, and promise nothing")
def test_a_result_may_be_written_over_an_array_that_another_result_is_made_of():
    """With the promise of distinct arrays LLVM may read x again after `first` is stored."""
    r = np.random.default_rng(0)
    for n in (1, 7, 64, 1000):
        x, y = r.normal(size=n), r.normal(size=n)
        over, second = x.copy(), np.empty(n)
        in_place_variant(first_without_x[F8], ((2, 0),))(over, y, over, second, n)
        np.testing.assert_array_equal(over, y + y)
        np.testing.assert_array_equal(second, x * y)


@pytest.mark.skipif(checks_bounds(), reason="checked builds compare arrays, and promise nothing")
def test_a_kernel_for_one_array_has_one_pointer_and_is_vectorised():
    native = in_place_variant(first_without_x[F8], ((2, 0),))
    step = inspect_llvm(native).split("_step(")[1]
    assert re.search(r"load <\d+ x double>", step)
    assert not re.search("memcheck|vector.memcheck", step)
    assert inspect_llvm(native) != inspect_llvm(first_without_x[F8])


def test_a_kernel_without_a_promise_is_the_same_for_all_arrays():
    @kernel("x: in[T], out: out[T], n: int", T=FLOATS)
    def copy(x, out, n):
        for i in range(n):
            out[i] = x[i]

    assert in_place_variant(copy[F8], ((1, 0),)) is copy[F8]


def test_a_kernel_for_arrays_is_built_once_and_goes_with_its_last_user():
    native = in_place_variant(first_without_x[F4], ((2, 0),))
    assert in_place_variant(first_without_x[F4], ((2, 0),)) is native
    assert in_place_variant(first_without_x[F4], ((3, 1),)) is not native
    gone = weakref.ref(native)
    del native
    gc.collect()
    assert gone() is None


def test_a_kernel_for_later_is_compiled_by_its_first_call(monkeypatch, tmp_path):
    monkeypatch.setenv("FASTGRAD_CACHE_DIR", str(tmp_path))
    compiled = []
    compile_kernel = build._compile
    monkeypatch.setattr(build, "_compile", lambda *a: compiled.append(a) or compile_kernel(*a))

    @kernel("out: out[T]", T=FLOATS)
    def eight(out):
        out[0] = T(8)

    later = eight.deferred_function(F8)
    assert (later.__name__, full_name(later), compiled) == ("eight", "eight[float64]", [])
    out = np.zeros(1)
    for _ in range(2):
        later(out)
    assert step_address(later) == step_address(later)
    assert (out[0], len(compiled)) == (8, 1)


def test_an_entry_that_was_found_is_not_read_again(monkeypatch, tmp_path):
    monkeypatch.setenv("FASTGRAD_CACHE_DIR", str(tmp_path))
    read = []
    load = store.load
    monkeypatch.setattr(store, "load", lambda content: read.append(content) or load(content))

    @kernel("out: out[T]", T=FLOATS)
    def nine(out):
        out[0] = T(9)

    first = nine.deferred_function(F8)
    assert not is_compiled(first)
    first.native_function()
    again, count = nine.deferred_function(F8), len(read)
    assert is_compiled(again)
    assert is_compiled(again)
    out = np.zeros(1)
    again(out)
    assert is_compiled(again)
    assert (out[0], len(read) - count) == (9, 1)


def test_special_names_work_in_bodies():
    @kernel("out: out[float32], n: int")
    def specials(out, n):
        lanes = local_array(np_float32, 8)
        for i in range(8):
            lanes[i] = np_float32(i)
        for i in range(n):
            out[i] = from_bits(np_int32((127 + i) << 23)) + lanes[i % 8]

    out = np.empty(3, F4)
    specials(out, 3)
    np.testing.assert_array_equal(out, [1, 3, 6])
    with pytest.raises(TypeError, match="of_another_machine is for the bodies of kernels"):
        Special("of_another_machine")(F4, 8)


np_float32, np_int32 = np.float32, np.int32


def test_division_by_zero_follows_ieee():
    @kernel("x: in[T], out: out[T], n: int", T=FLOATS)
    def inverse(x, out, n):
        for i in range(n):
            out[i] = T(1) / x[i]

    out = np.empty(3)
    inverse[F8](np.array([0.0, -0.0, math.inf]), out, 3)
    np.testing.assert_array_equal(out, [math.inf, -math.inf, 0])


def test_rounding_errors_are_not_simplified_away():
    @kernel("x: in[T], out: out[T], n: int", T=FLOATS)
    def shift_and_back(x, out, n):
        for i in range(n):
            out[i] = (x[i] + T(1e17)) - T(1e17)

    x, out = np.array([3.0, -0.0]), np.empty(2)
    shift_and_back[F8](x, out, 2)
    np.testing.assert_array_equal(out, (x + 1e17) - 1e17)


@pytest.mark.skipif(checks_bounds(), reason="kernels of checked builds have a way out")
def test_a_body_that_may_raise_is_refused_when_compiled():
    @kernel("out: out[int64], n: int, step: int")
    def count_by(out, n, step):
        for i in range(0, n, step):
            out[i] = i

    with pytest.raises(RuntimeError, match="kernel count_by may raise"):
        count_by(np.zeros(3, np.int64), 3, 1)


def _plain(x):
    return x


_array = np.ones(3)
_factor = 2.0


def test_a_body_may_use_no_other_globals():
    @kernel("out: out[float64]")
    def uses_array(out):
        out[0] = _array[0]

    @kernel("out: out[float64]")
    def uses_function(out):
        out[0] = _plain(1.0)

    for bad in (uses_array, uses_function):
        with pytest.raises(TypeError, match="a kernel may use numbers, modules and scalar functions"):
            bad(np.zeros(1))
    local = 3.0

    @kernel("out: out[float64]")
    def has_closure(out):
        out[0] = local

    with pytest.raises(TypeError, match="no closure"):
        has_closure(np.zeros(1))


def _reads_factor(out):
    out[0] = _factor


def _reads_factor_twice(out):
    out[0] = _twice(_factor)


def test_the_fingerprint_covers_code_constants_and_callees(monkeypatch):
    before = fingerprint(_reads_factor), fingerprint(_reads_factor_twice)
    assert len(set(before)) == 2
    monkeypatch.setitem(globals(), "_factor", 3.0)
    changed = fingerprint(_reads_factor), fingerprint(_reads_factor_twice)
    assert not set(changed) & set(before)

    @scalar_function
    def thrice(x):
        return x + x + x

    monkeypatch.setitem(globals(), "_twice", thrice)
    assert fingerprint(_reads_factor_twice) != changed[1]
    assert fingerprint(_reads_factor) == changed[0]


@pytest.mark.parametrize(
    "text", ["x in[T]", "x: in", "x: int[T]", "x: somewhere[T]", "x: in[T] -> float", "n: count", "x: in[T,]"]
)
def test_a_signature_that_cannot_be_read_is_refused(text):
    with pytest.raises(ValueError, match=r"kernel|count"):
        parse_signature(text)


def test_the_parameters_must_be_those_of_the_signature():
    with pytest.raises(ValueError, match="add_one: its parameters"):

        @kernel("x: in[T]", T=FLOATS)
        def add_one(y):
            y[0] = 1


def test_two_threads_that_come_first_compile_once(monkeypatch, tmp_path):
    monkeypatch.setenv("FASTGRAD_CACHE_DIR", str(tmp_path))
    compiled = []
    compile_kernel = build._compile
    monkeypatch.setattr(build, "_compile", lambda *a: compiled.append(a) or compile_kernel(*a))

    @kernel("out: out[T]", T=FLOATS)
    def seven(out):
        out[0] = T(7)

    out, start = np.zeros(4), threading.Barrier(4)

    def use(i):
        start.wait()
        seven[F8](out[i:])

    threads = [threading.Thread(target=use, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(out, 7)
    assert len(compiled) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_uses_and_loads_kernels():
    code = """
import os, numpy as np
from fastgrad._src.kernels.elementwise import activation
x, out = np.ones(3), np.empty(3)
activation.gelu[x.dtype](x, out, 0, 3)
pid = os.fork()
if pid == 0:
    activation.gelu[x.dtype](x, out, 0, 3)
    activation.gelu_gradient[x.dtype](x, x, out, 0, 3)
    os._exit(0 if 1.08 < out[0] < 1.09 else 1)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    result = run_python("-c", code)
    assert result.stdout == "0\n", result.stderr


def test_importing_kernels_loads_neither_compiler():
    code = "import sys, fastgrad._src.kernels.gemm.dense; print([m for m in ('numba', 'llvmlite', 'scipy') if m in sys.modules])"
    assert run_python("-c", code).stdout == "[]\n"


def test_a_warm_process_never_imports_numba():
    code = """
import sys, numpy as np
from fastgrad._src.kernels.elementwise import activation
x, out = np.ones(3), np.empty(3)
activation.gelu[x.dtype](x, out, 0, 3)
print('numba' in sys.modules, 0.84 < out[0] < 0.85)
"""
    assert run_python("-c", code).returncode == 0
    assert run_python("-c", code).stdout == "False True\n"


def test_the_native_layouts_are_those_of_this_python():
    """The wrapper reads sizes and flags at the offsets that ctypes finds, too."""
    from fastgrad._src.jit import wrapper

    array = np.arange(6.0).reshape(2, 3)
    at = id(array)
    assert ctypes.c_ssize_t.from_address(at + wrapper.DATA_AT).value == array.ctypes.data
    assert ctypes.c_int.from_address(at + wrapper.NDIM_AT).value == 2
    assert ctypes.c_ssize_t.from_address(at + wrapper.DESCR_AT).value == id(array.dtype)
    assert ctypes.c_int.from_address(at + wrapper.FLAGS_AT).value == array.flags.num
    assert ctypes.c_int.from_address(id(array.dtype) + wrapper.TYPE_NUMBER_AT).value == array.dtype.num
    pair = (array, None)
    assert ctypes.c_ssize_t.from_address(id(pair) + wrapper.TUPLE_ITEMS_AT).value == at
    assert ctypes.c_ssize_t.from_address(id(pair) + wrapper.SIZE_AT).value == 2


def test_the_llvm_ir_and_the_assembly_of_a_kernel_are_those_of_its_dtypes():
    accumulate["float32"]
    kept = dict(accumulate)
    text, assembly = accumulate.inspect_llvm("float32"), accumulate.inspect_asm("float32")
    assert "@accumulate(" in text, "the entry that Python calls has the kernel's name"
    assert "fadd" in text
    assert "double" in text, "the scale is a float64"
    assert "fmul double" not in text, "it is rounded to float32 before it is used"
    assert "accumulate:" in assembly
    assert accumulate.inspect_llvm("float64").count("fmul double") > 0
    assert dict(accumulate).items() >= kept.items(), "what is compiled stays"
    with pytest.raises(TypeError, match="T is int32; it may be float32, float64"):
        accumulate.inspect_asm("int32")
