"""Products of matrices and vectors: the function that adds them, and their derivatives in functions of many forms."""

import itertools

import numba
import numpy as np
import pytest
from numba import prange

import fastgrad as fg
from fastgrad._src.derivatives.codegen.matrix_products import LARGE, add_product
from tests.derivatives.interpreted import text_of_reverse_mode
from tests.derivatives.plain_python import add_product_in_python

pytestmark = pytest.mark.filterwarnings("ignore::numba.core.errors.NumbaPerformanceWarning")  # of views in products
RNG = np.random.default_rng(5)
SIZES = {"small": 3, "large": 12}
assert SIZES["small"] ** 3 < LARGE < SIZES["large"] ** 2  # loops, and BLAS
TOLERANCES = {np.float32: 1e-5, np.float64: 1e-13}


def dense(array):
    return np.ascontiguousarray(array)


def in_columns(array):
    return np.asfortranarray(array)


def part_of_rows(array):
    """A view whose rows are contiguous and apart."""
    whole = np.full([size + 2 for size in array.shape], np.nan, array.dtype)
    view = whole[tuple(slice(1, size + 1) for size in array.shape)]
    view[...] = array
    return view


def spread(array):
    """A view whose elements are apart, and go backwards along the first axis."""
    whole = np.full([2 * size for size in array.shape], np.nan, array.dtype)
    view = whole[tuple(slice(None, None, 2) for _ in array.shape)][::-1]
    view[...] = array
    return view


LAYOUTS = (dense, in_columns, part_of_rows, spread)


def compiled_add(forms, out, a, b, is_guarded):
    """`add_product` with constant forms."""

    @numba.njit
    def call(out, a, b, is_guarded):
        add_product(forms, out, a, b, is_guarded)

    call(out, a, b, is_guarded)


ADD = {"compiled": compiled_add, "interpreted": add_product_in_python}


@pytest.mark.parametrize("way", ADD)
@pytest.mark.parametrize("sizes", [(2, 3, 4), (1, 40, 30), (20, 1, 30), (20, 30, 1), (7, 0, 5), (12, 30, 20)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_product_is_added(way, sizes, dtype):
    m, k, n = sizes
    a, b, before = (RNG.normal(size=shape).astype(dtype) for shape in ((m, k), (k, n), (m, n)))
    expected = before + a @ b
    for number, layouts in enumerate(itertools.product(LAYOUTS, repeat=3)):
        if way == "compiled" and number % 7:  # each is compiled
            continue
        of_a, of_b, of_out = layouts
        for forms in ("mmm", "mtm", "tmt"):
            operands = [
                layout((array.T if form == "t" else array).copy())
                for form, layout, array in zip(forms, (of_out, of_a, of_b), (before, a, b), strict=True)
            ]
            ADD[way](forms, *operands, False)
            out = operands[0].T if forms[0] == "t" else operands[0]
            np.testing.assert_allclose(out, expected, rtol=0, atol=40 * TOLERANCES[dtype])


@pytest.mark.parametrize("way", ADD)
def test_flat_arrays_and_vectors_are_matrices(way):
    m, k, n = 5, 30, 7
    a, b = RNG.normal(size=(m, k)), RNG.normal(size=(k, n))
    flat = np.zeros(200)
    ADD[way]("ftt", (flat, 3, m, n, 2 * n, 2), np.asfortranarray(a.T), np.ascontiguousarray(b.T), False)
    found = np.lib.stride_tricks.as_strided(flat[3:], (m, n), (16 * n, 16))
    np.testing.assert_allclose(found, a @ b, atol=1e-13)
    assert np.count_nonzero(flat) == m * n
    column, row = np.zeros(m), np.zeros(n)
    ADD[way]("cmc", column, a, np.ascontiguousarray(b[:, 0]), False)
    ADD[way]("rrm", row, np.ascontiguousarray(a[0]), b, False)
    np.testing.assert_allclose(column, a @ b[:, 0], atol=1e-13)
    np.testing.assert_allclose(row, a[0] @ b, atol=1e-13)
    outer = np.zeros((m, n))
    ADD[way]("mcr", outer, np.ascontiguousarray(a[:, 0]), np.ascontiguousarray(b[0]), False)
    np.testing.assert_allclose(outer, np.outer(a[:, 0], b[0]), atol=1e-13)


@pytest.mark.parametrize("way", ADD)
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_a_guarded_product_of_zero_and_infinity_is_zero(way, size):
    a, b = RNG.normal(size=(size, size)), RNG.normal(size=(size, size))
    a[0, 1], a[2, 1] = np.inf, 0.0
    b[1] = 0.0
    b[1, 2] = 1.0
    expected = np.array([[sum(x * y for x, y in zip(r, c, strict=True) if x and y) for c in b.T] for r in a])
    assert np.isinf(expected[0, 2])
    assert np.isfinite(expected).sum() == size * size - 1
    out = np.zeros((size, size))
    ADD[way]("mmm", out, a, b, True)
    np.testing.assert_allclose(out, expected, atol=1e-12)
    out[:] = 0.0
    with np.errstate(invalid="ignore"):
        ADD[way]("mmm", out, a, b, False)
    assert np.isnan(out[0]).sum() == size - 1


# ---- derivatives ----------------------------------------------------------------------------------------------------


def matrices(a, b):
    return np.sum(np.sin(a @ b))


def of_matrix_and_vector(a, b):
    return np.sum(np.sin(np.dot(a, b[0])))


def of_vector_and_matrix(a, b):
    return np.sum(np.sin(a[:, 1] @ b))


def method(a, b):
    return np.sum(np.sin(a.dot(b)))


def out_is_given(a, b):
    out = np.empty((a.shape[0], b.shape[1]))
    np.dot(a, b, out)
    return np.sum(out * out)


def one_operand_twice(a, b):
    return np.sum(np.sin(a @ a)) + np.sum(np.cos(b.T @ b))


def slices(a, b):
    total = 0.0
    for i in range(1, a.shape[0]):
        total += np.sum(np.sin(a[:i, 1:] @ b[1:, :i]))
    return total


def steps_and_transpositions(a, b):
    return np.sum(np.sin(a[::-1, ::2].T @ b[:, ::-1])) + np.sum(a[::2].T @ b[::2, 1])


def expression_as_operand(a, b):
    return np.sum(np.sin((a - b[0]) @ (2.0 * b + a)))


def in_a_loop(a, b):
    state = a[0].copy()
    for i in range(4):
        state = np.tanh(b @ state + a[i % a.shape[0]])
    return np.sum(state * state)


def matrix_state_in_a_loop(a, b):
    state = np.eye(a.shape[0])
    for _ in range(4):
        state = a @ state @ b.T / a.shape[0] + state
    return np.sum(np.sin(state))


def operand_is_overwritten(a, b):
    c = a.copy()
    total = 0.0
    for i in range(3):
        total += np.sum(np.sin(c @ b))
        c[i] *= 1.5
        c[:, i] = b[i]
    return total


def operand_is_overwritten_after_its_last_use(a, b):
    c = a * 2.0
    y = c @ b
    c[:] = y
    return np.sum(y * c) + np.sum(c)


def result_is_overwritten(a, b):
    y = a @ b
    y[0] = np.sin(y[1])
    y *= y
    return np.sum(y @ b)


def in_branches(a, b):
    y = a @ b if a[0, 0] > b[0, 0] else a @ b.T
    if y[0, 0] > 100.0:
        y = y @ b
    return np.sum(np.sin(y))


def one_of_two_arrays(a, b):
    c, d = a.copy(), b.copy()
    total = 0.0
    for _ in range(3):
        total += np.sum(np.sin(c @ d))
        c, d = d, c
    return total


def constant_operand(a, b):
    scale = np.arange(a.size).reshape(a.shape) / a.size
    return np.sum(np.sin(scale @ a)) + np.sum(np.cos(b @ scale)) + np.sum(scale @ b[0])


def after_a_root(a, b):
    return np.sum(np.sqrt(np.abs(a)) @ b)


FUNCTIONS = [
    *(matrices, of_matrix_and_vector, of_vector_and_matrix, method, out_is_given, one_operand_twice, slices),
    *(steps_and_transpositions, expression_as_operand, in_a_loop, matrix_state_in_a_loop, operand_is_overwritten),
    *(operand_is_overwritten_after_its_last_use, result_is_overwritten, in_branches, one_of_two_arrays),
    *(constant_operand, after_a_root),
]


def name_of(function):
    return function.__name__


def operands(size, layout=dense, dtype=np.float64):
    rng = np.random.default_rng(size)
    return [layout(rng.uniform(-0.7, 0.9, size=(size, size)).astype(dtype)) for _ in range(2)]


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("function", FUNCTIONS, ids=name_of)
def test_derivatives_are_those_of_differences(function, size):
    compiled = numba.njit(function)
    for argnums in ((0, 1), 0, 1):
        fg.check_gradients(compiled, *operands(size), argnums=argnums)
    np.testing.assert_allclose(fg.value_and_grad(compiled)(*operands(size))[0], compiled(*operands(size)), rtol=1e-13)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_arguments_of_all_layouts(layout):
    for function in (matrices, slices, of_vector_and_matrix):
        expected = fg.grad(numba.njit(function), argnums=(0, 1))(*operands(12))
        found = fg.grad(numba.njit(function), argnums=(0, 1))(*operands(12, layout))
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-12)


@pytest.mark.parametrize("function", [matrices, in_a_loop, slices], ids=name_of)
def test_numbers_of_single_precision(function):
    found = fg.grad(numba.njit(function), argnums=(0, 1))(*operands(12, dtype=np.float32))
    expected = fg.grad(numba.njit(function), argnums=(0, 1))(
        *[x.astype(np.float64) for x in operands(12, dtype=np.float32)]
    )
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-5 * np.max(np.abs(other)))


@pytest.mark.parametrize("function", [matrices, in_a_loop, slices, operand_is_overwritten], ids=name_of)
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_second_derivatives(function, size):
    a, b = operands(size)
    compiled = numba.njit(function)
    direction = RNG.normal(size=a.shape)
    step = 1e-5
    gradient = fg.grad(compiled)
    expected = (gradient(a + step * direction, b) - gradient(a - step * direction, b)) / (2 * step)
    np.testing.assert_allclose(fg.hvp(compiled)(a, b, direction), expected, atol=1e-7 * (1 + np.max(np.abs(expected))))
    along = numba.njit(lambda a, b, t: np.sum(fg_gradient(a, b) * t))
    fg_gradient = gradient
    np.testing.assert_allclose(fg.grad(along)(a, b, direction), expected, atol=1e-7 * (1 + np.max(np.abs(expected))))


def test_several_tangents_at_once():
    a, b = operands(12)
    compiled = numba.njit(lambda x, a: a @ np.sin(a @ x))
    expected = a @ np.diag(np.cos(a @ b[0])) @ a
    np.testing.assert_allclose(fg.jacobian(compiled)(b[0], a), expected, atol=1e-12)


@numba.njit(parallel=True)
def in_parallel(a, b):
    total = 0.0
    for i in prange(6):
        total += np.sum(np.sin((a * i) @ b)) + np.sum(np.cos(b @ a[i % 3]))
    return total


@numba.njit
def recursive(a, b, n):
    if n == 0:
        return np.sum(a)
    return recursive(np.sin(a @ b), b, n - 1) + np.sum(a @ b[0])


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_products_in_functions_with_a_reverse_sweep_of_their_own(size):
    a, b = operands(size)
    fg.check_gradients(in_parallel, a, b)
    fg.check_gradients(recursive, a, b, 3)


@numba.njit
def regression(weights, x, y):
    residual = x @ weights - y
    return np.sum(residual * residual)


def test_constant_data_have_neither_cotangents_nor_copies():
    text = text_of_reverse_mode(regression, (np.ones(3), np.ones((5, 3)), np.ones(5)), (0,))
    assert text.count("add_product(") == 2  # the product, and its adjoint
    assert "save_array" not in text
    assert "contiguous" not in text


@numba.njit
def with_constants_made_before_a_loop(a, b):
    c = 2.0 * a
    state = b[0].copy()
    for _ in range(3):
        state = c @ state
    return np.sum(state)


def test_an_operand_that_nothing_writes_later_is_not_copied():
    text = text_of_reverse_mode(with_constants_made_before_a_loop, operands(3), (0, 1))
    assert text.count("save_array(") == 1  # the state


@pytest.mark.parametrize("shapes", [((3, 4), (3, 4)), ((3, 4), (3,)), ((3,), (4, 3))])
def test_sizes_that_do_not_fit_are_an_error(shapes):
    total = numba.njit(lambda a, b: np.sum(np.dot(a, b)))
    a, b = (np.ones(shape) for shape in shapes)
    for derivative in (fg.grad(total), fg.value_and_grad(total, argnums=(0, 1))):
        with pytest.raises(ValueError, match="sizes"):
            derivative(a, b)
    with pytest.raises(ValueError, match="sizes"):
        fg.jvp(total)(a, b, np.ones_like(a))


@numba.njit
def weighted_roots(x, w):
    y = w @ np.sqrt(x)
    return np.sum(y * y)


@numba.njit
def products_of_roots(x, w):
    y = np.sqrt(x)
    return np.sum((w @ y) @ y)


@numba.njit
def roots_of_products(x, w):
    return np.sum(np.sqrt(w @ x))


SLOPES_AT_ROOTS = {  # at the element of x that is 0
    weighted_roots: 0.0,  # a weight that does not depend on x is 0
    products_of_roots: np.inf,
    roots_of_products: 0.0,
}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("function", SLOPES_AT_ROOTS, ids=name_of)
def test_zeros_times_infinite_slopes(function, size):
    x, w = (np.abs(array) for array in operands(size))
    x[0, 0], w[:, 0] = 0.0, 0.0
    if function is products_of_roots:
        w[0, 0], x[0, 1] = 0.5, 0.3
    if function is roots_of_products:
        w[0] = 0.0
    with np.errstate(all="ignore"):
        gradient = fg.grad(function)(x, w)
        unit = np.zeros_like(x)
        unit[0, 0] = 1.0
        slope = fg.jvp(function)(x, w, unit)[1]
    for found in (gradient[0, 0], slope):
        assert found == SLOPES_AT_ROOTS[function] or (np.isinf(SLOPES_AT_ROOTS[function]) and np.isnan(found))
    assert np.isfinite(gradient.ravel()[1:]).all()
