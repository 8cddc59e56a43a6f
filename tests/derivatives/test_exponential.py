"""The exponential that derivatives inline has the bits of the one that Numba calls."""

import math
import platform

import llvmlite.binding as llvm
import numba
import numpy as np
import pytest

import fastgrad as fg
from fastgrad._src.jit import dispatcher_cache as disk_cache
from fastgrad._src.jit import exponential
from fastgrad._src.jit.numba_internals import cpu_target

DRAWN = np.random.default_rng(0)
ARGUMENTS = {
    "moderate": DRAWN.normal(size=200_000),
    "of all results": DRAWN.uniform(-760.0, 730.0, 200_000),
    "of all sizes": DRAWN.uniform(-1.0, 1.0, 200_000) * 2.0 ** DRAWN.integers(-1074, 1024, 200_000),
    "near the steps of the table": (DRAWN.integers(-60_000, 60_000, 200_000) + DRAWN.choice([0.0, 0.5], 200_000))
    * (math.log(2.0) / 128),
    "hard": np.array(exponential.probe_arguments()),
    "special": np.array(
        [
            *(0.0, -0.0, np.nan, np.inf, -np.inf, 5e-324, -5e-324, 1e308, -1e308, 709.782712893384, 709.7827128933841),
            *(-708.3964185322641, -708.3964185322642, -745.1332191019411, -745.1332191019412, 512.0, -512.0),
            *(np.nextafter(512.0, 0.0), np.nextafter(-512.0, 0.0), 2.0**-54, -(2.0**-54)),
        ]
    ),
}
MODULE = """
declare double @llvm.exp.f64(double)
define double @f(double %x) {
  %y = call double @llvm.exp.f64(double %x)
  ret double %y
}
"""
LOOP = """
declare double @llvm.exp.f64(double)
define void @f(ptr noalias %x, ptr noalias %y, i64 %n) {
entry:
  br label %loop
loop:
  %i = phi i64 [0, %entry], [%next, %loop]
  %from = getelementptr inbounds double, ptr %x, i64 %i
  %number = load double, ptr %from
  %power = call double @llvm.exp.f64(double %number)
  %to = getelementptr inbounds double, ptr %y, i64 %i
  store double %power, ptr %to
  %next = add nuw nsw i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %end
end:
  ret void
}
"""


@numba.njit
def of_number(x):
    return math.exp(x)


of_element = numba.njit(lambda x: np.exp(x)[0])


@numba.njit
def powers(x):
    result = np.empty_like(x)
    for i in range(len(x)):
        result[i] = math.exp(x[i])
    return result


of_number_and_slope = fg.value_and_grad(of_number)
of_element_and_slope = fg.value_and_grad(of_element)


@numba.njit
def derived_powers(x):
    results = np.empty((4, len(x)))
    for i in range(len(x)):
        results[0, i], results[1, i] = of_number_and_slope(x[i])
        value, slope = of_element_and_slope(x[i : i + 1])
        results[2, i], results[3, i] = value, slope[0]
    return results


@pytest.mark.parametrize("name", ARGUMENTS)
def test_values_and_slopes_have_the_bits_of_numbas_own_exponential(name):
    x = ARGUMENTS[name]
    expected = powers(x)
    for row in derived_powers(x):
        assert np.array_equal(row.view(np.int64), expected.view(np.int64))


powers_of_an_expression = numba.njit(lambda x: np.exp(x) + 0.0 * x)


@pytest.mark.parametrize("function", [powers, powers_of_an_expression])
@pytest.mark.parametrize("name", ARGUMENTS)
def test_loops_that_llvm_vectorizes_have_the_bits_of_the_function(name, function):
    x = ARGUMENTS[name]
    for part in (x, x[:13], x[-21:]):
        value, tangent = fg.jvp(function)(part, np.ones_like(part))
        assert np.array_equal(value.view(np.int64), function(part).view(np.int64))
        if function is powers:
            assert np.array_equal(tangent.view(np.int64), powers(part).view(np.int64))


@pytest.mark.parametrize("outside", range(9))
def test_one_lane_outside_of_the_range_changes_no_other(outside):
    x = np.linspace(-3.0, 3.0, 9)
    for number in (600.0, -600.0, 720.0, np.nan, np.inf):
        x[outside] = number
        assert np.array_equal(fg.jvp(powers)(x, x)[0].view(np.int64), powers(x).view(np.int64))


@numba.njit
def scaled_powers(x, scale):
    total = 0.0
    for i in range(len(x)):
        total += math.exp(scale) * x[i] + math.exp(x[i]) / math.exp(-scale)
    return total


def test_sums_have_the_bits_of_the_function_and_right_slopes():
    x, scale = np.linspace(-2.0, 3.0, 57), 0.7
    value, (by_x, by_scale) = fg.value_and_grad(scaled_powers, argnums=(0, 1))(x, scale)
    assert value == scaled_powers(x, scale)
    np.testing.assert_allclose(by_x, np.exp(scale) + np.exp(x + scale), rtol=1e-14)
    assert by_scale == pytest.approx(value, rel=1e-14)
    assert fg.jvp(scaled_powers, argnums=1)(x, scale, 1.0)[1] == pytest.approx(value, rel=1e-14)


def inlined(features=None, text=MODULE):
    """Returns a module with calls of the exponential after they were inlined, for a processor with other ``features``."""
    codegen = cpu_target.target_context.codegen()

    class Codegen:
        _tm = codegen._tm
        _tm_features = codegen._tm_features if features is None else features

    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = codegen._tm.triple, codegen._data_layout
    exponential.replace_exponentials(module, Codegen)
    module.verify()
    passes, builder = codegen._module_pass_manager(opt=3, loop_vectorize=True)
    passes.run(module, builder)
    exponential.inline_exponentials(module, Codegen)
    module.verify()
    return str(module)


def has_known_processor():
    """Returns whether this is a processor of x86-64 with fused multiply-add, and a glibc that uses it."""
    library, version = platform.libc_ver()
    is_new = library == "glibc" and tuple(map(int, version.split("."))) >= (2, 28)
    return is_new and "+fma" in cpu_target.target_context.codegen()._tm_features.split(",")


def test_the_exponential_of_glibc_is_known():
    assert exponential.is_known() or not has_known_processor()


@pytest.mark.usefixtures("known")
def test_a_call_becomes_arithmetic_with_a_call_outside_of_its_range():
    text = inlined("+fma")
    assert "llvm.exp.f64" not in text
    assert text.count("call double @exp(") == 1
    assert text.count("define") == 1


def test_a_loop_has_the_arithmetic_of_vectors():
    text = inlined(text=LOOP)
    assert ("x double> @llvm.fma" in text) == (exponential.is_known() and has_known_processor())
    assert text.count("define") == 1


@pytest.fixture
def known(monkeypatch):
    monkeypatch.setattr(exponential, "is_known", lambda: True)


@pytest.mark.usefixtures("known")
def test_without_fused_multiply_add_the_call_stays():
    text = inlined("+avx")
    if not cpu_target.target_context.codegen()._tm.triple.startswith(("aarch64", "arm64")):
        assert "call double @llvm.exp.f64" in text


def test_with_another_c_library_the_call_stays(monkeypatch):
    monkeypatch.setattr(exponential, "_EXPECTED", "")
    monkeypatch.setattr(exponential, "is_known", exponential.is_known.__wrapped__)
    assert not exponential.is_known()
    assert "call double @llvm.exp.f64" in inlined("+fma")


def test_one_other_bit_makes_another_library(monkeypatch):
    calls = []

    def other(prototype):
        def made(address):
            def exp(x):
                calls.append(x)
                return np.nextafter(math.exp(x), 0.0) if len(calls) == 700 else math.exp(x)

            return exp

        return made

    monkeypatch.setattr(exponential.ctypes, "CFUNCTYPE", lambda *types: other(types))
    assert not exponential.is_known.__wrapped__()
    assert len(calls) == len(exponential.probe_arguments())


def test_code_with_and_without_it_has_keys_of_its_own(monkeypatch):
    own = disk_cache._content("key")
    is_known = exponential.is_known()
    monkeypatch.setattr(exponential, "is_known", lambda: not is_known)
    assert disk_cache._content("key") != own
