"""Matrix products, tensordot and einsum against NumPy, gradients of einsum, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf
from tests.gradients import check_gradient

Invalid = tf.errors.InvalidArgumentError


def normal(*shape, seed=0, dtype=np.float64):
    x = np.random.default_rng(seed).standard_normal((2, *shape))
    return (x[0] + 1j * x[1]).astype(dtype) if np.dtype(dtype).kind == "c" else x[0].astype(dtype)


def oriented(x, transpose, adjoint=False):
    x = x.conj() if adjoint else x
    return x.swapaxes(-1, -2) if transpose or adjoint else x


# ---- matmul ----------------------------------------------------------------------------------------------

sizes = st.integers(0, 4)


@settings(max_examples=120, deadline=None)
@given(
    st.tuples(sizes, sizes, sizes),
    st.sampled_from(
        [((), ()), ((3,), ()), ((), (3,)), ((2,), (2,)), ((1,), (3,)), ((2, 1), (1, 3)), ((0,), (1,)), ((2, 3), ())]
    ),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["float32", "float64", "complex64", "complex128", "int32", "int64"]),
)
def test_matmul_is_numpys(mkn, batches, transpose_a, transpose_b, dtype):
    m, k, n = mkn
    a = (normal(*batches[0], m, k, dtype=np.complex128 if dtype.startswith("c") else np.float64) * 3).astype(dtype)
    b = (normal(*batches[1], k, n, seed=1, dtype=np.complex128 if dtype.startswith("c") else np.float64) * 3).astype(
        dtype
    )
    y = tf.matmul(oriented(a, transpose_a), oriented(b, transpose_b), transpose_a=transpose_a, transpose_b=transpose_b)
    assert y.dtype == dtype
    np.testing.assert_allclose(y.numpy(), np.matmul(a, b), rtol=1e-4, atol=1e-4)


def test_matmul_of_adjoints():
    a, b = normal(2, 4, 3, dtype=complex), normal(5, 4, seed=1, dtype=complex)
    y = tf.matmul(a, b, adjoint_a=True, adjoint_b=True)
    np.testing.assert_allclose(y.numpy(), oriented(a, False, True) @ oriented(b, False, True))
    real = tf.matmul(a.real, b.real, adjoint_a=True, transpose_b=True)
    np.testing.assert_allclose(real.numpy(), oriented(a.real, True) @ b.real.T)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_summed_in_float32(dtype):
    ones = tf.ones((1, 4096), dtype)
    assert tf.matmul(ones, ones, transpose_b=True).dtype == dtype
    assert float(tf.matmul(ones, ones, transpose_b=True)[0, 0]) == 4096.0


def test_small_integers_have_int32_products():
    a, b = np.full((2, 300), 100, np.int8), np.full((300, 1), 200, np.uint8)
    y = tf.matmul(a, tf.constant(b), output_type=tf.int32)
    assert y.dtype == tf.int32
    np.testing.assert_array_equal(y.numpy(), np.full((2, 1), 100 * 200 * 300))
    assert tf.matmul(normal(2, 2), normal(2, 2), output_type=tf.float64).dtype == tf.float64


def test_operands_may_be_anything_that_converts():
    v = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(tf.matmul([[1, 1]], v).numpy(), [[4.0, 6.0]])
    np.testing.assert_array_equal((v @ v).numpy(), [[7.0, 10.0], [15.0, 22.0]])
    np.testing.assert_array_equal((np.ones((1, 2)) @ v.value()).numpy(), [[4.0, 6.0]])


def test_nothing_warns_about_infinities():
    with np.errstate(all="raise"):
        y = tf.matmul([[np.inf, 1.0]], [[0.0], [1.0]])
        assert np.isnan(y.numpy()).all()
        assert np.isinf(tf.matmul([[[1e38]]], [[[1e38]]]).numpy()).all()


def test_a_product_does_not_change_when_a_variable_does():
    v = tf.Variable(np.eye(2, dtype=np.float32))
    with tf.GradientTape() as tape:
        y = tf.matmul(v, v, transpose_a=True)
    v.assign(np.full((2, 2), 7.0))
    np.testing.assert_array_equal(y.numpy(), np.eye(2))
    np.testing.assert_array_equal(tape.gradient(y, v).numpy(), np.full((2, 2), 2.0))


@pytest.mark.parametrize(("a", "b"), [((2, 3), (3,)), ((5, 2, 3), (3,)), ((2, 3), (5, 3)), ((4, 1, 2, 3), (5, 3))])
def test_matvec(a, b):
    a, b = normal(*a), normal(*b, seed=1)
    expected = (a @ b[..., None])[..., 0]
    np.testing.assert_allclose(tf.linalg.matvec(a, b).numpy(), expected)
    np.testing.assert_allclose(tf.linalg.matvec(oriented(a, True), b, transpose_a=True).numpy(), expected)


F = np.ones
REFUSED = [
    (lambda: tf.matmul(F((2, 3)), F((2, 3))), Invalid, r"In\[0\]: \[2, 3\], In\[1\]: \[2, 3\]"),
    (
        lambda: tf.matmul(F((2, 3), "f"), F((2, 3), "f"), transpose_a=True, transpose_b=True),
        Invalid,
        "transpose_a and transpose_b",
    ),
    (lambda: tf.matmul(F((2, 3, 4)), F((2, 3, 4))), Invalid, "size-incompatible"),
    (lambda: tf.matmul(F((2, 3, 4)), F((3, 4, 5))), Invalid, r"batch dimensions: \[2, 3, 4\] vs. \[3, 4, 5\]"),
    (lambda: tf.matmul(F(3), F((3, 2))), Invalid, "at least 2 dimensions"),
    (lambda: tf.matmul(tf.ones((2, 2)), tf.ones((2, 2), tf.float64)), Invalid, "float32.*float64"),
    (lambda: tf.matmul(F((2, 2), bool), F((2, 2), bool)), Invalid, "bool"),
    (lambda: tf.matmul(F((2, 2), "int8"), F((2, 2), "int8")), Invalid, "int8"),
    (lambda: tf.matmul(F((2, 2)), F((2, 2)), output_type=tf.int32), Invalid, "output_type int32"),
    (lambda: tf.matmul(F((2, 2)), F((2, 2)), transpose_a=True, adjoint_a=True), ValueError, "transpose_a.*adjoint_a"),
    (lambda: tf.matmul(F((2, 2)), F((2, 2)), transpose_b=True, adjoint_b=True), ValueError, "transpose_b.*adjoint_b"),
    (lambda: tf.linalg.matvec(F((2, 3)), F(4)), Invalid, r"\[2, 3\].*\[4, 1\]"),
    (lambda: tf.linalg.matvec(F((2, 3)), 1.0), Invalid, r"\[2, 3\] and \[\]"),
    (lambda: tf.tensordot(F((3, 3)), F((3, 3)), 3), ValueError, "must not be larger than the ranks"),
    (lambda: tf.tensordot(F((3, 3)), F((3, 3)), -1), ValueError, "at least 0"),
    (lambda: tf.tensordot(F((3, 3)), F((3, 3)), [[1], [0, 1]]), ValueError, "Different number of contraction axes"),
    (lambda: tf.tensordot(F((3, 3)), F((3, 3)), [1]), ValueError, "length 2"),
    (lambda: tf.tensordot(F((3, 3)), F((3, 3)), 1.5), TypeError, "1.5"),
    (lambda: tf.tensordot(F((3, 3)), F((3, 3)), [[0], [5]]), IndexError, "axis 5 .*operand 1"),
    (lambda: tf.tensordot(F((3, 3)), F((3, 3)), [[1, 1], [0, 0]]), ValueError, "more than once"),
    (lambda: tf.tensordot(F((2, 3)), F((2, 3)), 1), Invalid, r"\[2, 3\].*\[2, 3\]"),
    (lambda: tf.tensordot(tf.ones(2), tf.ones(2, tf.float64), 1), Invalid, "float32.*float64"),
    (lambda: tf.tensordot([True], [True], 1), Invalid, "bool"),
    (lambda: tf.einsum("ii->ii", F((3, 3))), ValueError, "more than once"),
    (lambda: tf.einsum("ij->ijk", F((3, 3))), ValueError, "label k not present"),
    (lambda: tf.einsum("ij,jk->ik", F((3, 3))), ValueError, "Got 1 inputs"),
    (lambda: tf.einsum("i1,1k->ik", F((3, 3)), F((3, 3))), ValueError, "incorrect format"),
    (lambda: tf.einsum("ij->ij->i", F((3, 3))), ValueError, "incorrect format"),
    (lambda: tf.einsum("i..j->ij", F((3, 3))), ValueError, "incorrect format"),
    (lambda: tf.einsum("ij,jk->ik", F((2, 3)), F((4, 4))), Invalid, r"Expected dimension 3 .*\[4, 4\]"),
    (lambda: tf.einsum("i,i->i", F(1), F(3)), Invalid, "one size"),
    (lambda: tf.einsum("ii->i", F((2, 3))), Invalid, r"\[2, 3\]"),
    (lambda: tf.einsum("ij,jk->ik", F((2, 3, 4)), F((3, 4))), Invalid, "rank 2 but got: 3"),
    (lambda: tf.einsum("i...j,jk->ik", F(3), F((3, 4))), Invalid, "rank at least 2"),
    (lambda: tf.einsum("...ij,...jk->ik", F((5, 2, 3)), F((3, 4))), Invalid, "no ellipsis"),
    (lambda: tf.einsum("...i,...i->...i", F((2, 3)), F((4, 3))), Invalid, "one size"),
    (lambda: tf.einsum("ij,jk->ik", tf.ones((3, 3)), tf.ones((3, 3), tf.float64)), Invalid, "float32.*float64"),
    (lambda: tf.einsum("ij,jk->ik", F((3, 3), bool), F((3, 3), bool)), Invalid, "bool"),
    (lambda: tf.einsum("ij,jk->ik", F((3, 3)), F((3, 3)), foo=1), TypeError, "foo"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


# ---- tensordot -------------------------------------------------------------------------------------------

DOTS = [0, 1, [[1], [1]], [[1, 2], [1, 0]], [[2, 1], [0, 1]], [-1, 0], [[-1], [-3]], [[], []], [(2,), (0,)]]


@pytest.mark.parametrize("axes", DOTS)
def test_tensordot_is_numpys(axes):
    a, b = normal(2, 3, 4), normal(4, 3, 5, seed=1)
    np.testing.assert_allclose(tf.tensordot(a, b, axes).numpy(), np.tensordot(a, b, axes))


def test_tensordot_over_everything_and_with_axes_in_a_tensor():
    a, b = normal(2, 3), normal(2, 3, seed=1)
    assert tf.tensordot(a, b, 2).shape == ()
    np.testing.assert_allclose(float(tf.tensordot(a, b, 2)), (a * b).sum())
    np.testing.assert_allclose(tf.tensordot(a, b, tf.constant([[0], [0]])).numpy(), a.T @ b)
    assert int(tf.tensordot([1, 2], [3, 4], 1)) == 11


# ---- einsum ----------------------------------------------------------------------------------------------

EQUATIONS = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    (" ij , jk -> ik ", (2, 3), (3, 4)),
    ("ij,kj->ki", (2, 3), (4, 3)),
    ("ji", (2, 3)),
    ("ij->ji", (2, 3)),
    ("ij->", (2, 3)),
    ("ij->j", (2, 3)),
    ("ii", (3, 3)),
    ("ii->i", (3, 3)),
    ("...ii->...i", (2, 3, 3)),
    ("iij,jk->ik", (2, 2, 3), (3, 4)),
    ("iji,j->i", (3, 2, 3), (2,)),
    ("ii,ii->", (3, 3), (3, 3)),
    ("iii->i", (2, 2, 2)),
    ("i,i->", (3,), (3,)),
    ("i,j->ij", (2,), (3,)),
    ("i,j->ji", (2,), (3,)),
    ("i,i->i", (3,), (3,)),
    (",i->i", (), (3,)),
    ("->", ()),
    ("ij,i->ij", (2, 3), (2,)),
    ("ijk,ik->ij", (2, 3, 4), (2, 4)),
    ("bthd,bshd->bhts", (2, 5, 3, 4), (2, 6, 3, 4)),
    ("bhts,bshd->bthd", (2, 3, 5, 6), (2, 6, 3, 4)),
    ("abc,cd->abd", (2, 3, 4), (4, 5)),
    ("abc,cbd->ad", (2, 3, 4), (4, 3, 5)),
    ("abcd,bd->ca", (2, 3, 4, 2), (3, 2)),
    ("ij,jk->", (2, 3), (3, 4)),
    ("...ij,...jk->...ik", (5, 2, 3), (3, 4)),
    ("...ij,...jk->...ik", (5, 1, 2, 3), (4, 3, 2)),
    ("ij...,jk...->ik...", (2, 3, 1), (3, 4, 5)),
    ("...,...->...", (2, 1), (3,)),
    ("b...a,a->...b", (2, 3, 4), (4,)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)),
    ("ij,kl,jk->li", (2, 3), (4, 5), (3, 4)),
    ("i,i,i->i", (3,), (3,), (3,)),
    ("i,j,k->kji", (2,), (3,), (4,)),
    ("aij,ajk,akl,alm->im", (2, 3, 4), (2, 4, 3), (2, 3, 5), (2, 5, 3)),
    ("ij,jk->ik", (2, 0), (0, 3)),
    ("i->", (0,)),
]


@pytest.mark.parametrize("case", EQUATIONS, ids=[case[0] for case in EQUATIONS])
def test_einsum_is_numpys(case):
    equation, *shapes = case
    arrays = [normal(*shape, seed=seed) for seed, shape in enumerate(shapes)]
    y, expected = tf.einsum(equation, *arrays), np.einsum(equation, *arrays)
    assert y.shape == expected.shape
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-11, atol=1e-12)


def test_an_ellipsis_comes_first_in_an_implicit_output():
    x = normal(2, 5, 3)
    np.testing.assert_array_equal(tf.einsum("b...a", x).numpy(), np.einsum("b...a->...ab", x))
    assert tf.einsum("...i", x).shape == (2, 5, 3)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_einsum_of_any_letters(data):
    size = {"a": 1, "b": 2, "c": 3, "d": 2}
    terms = [
        "".join(data.draw(st.lists(st.sampled_from("abcd"), max_size=3, unique=data.draw(st.booleans()))))
        for _ in range(data.draw(st.integers(1, 3)))
    ]
    known = sorted(set("".join(terms)))
    output = "".join(data.draw(st.permutations(known)))[: data.draw(st.integers(0, len(known)))]
    equation = ",".join(terms) + "->" + output
    arrays = [normal(*[size[c] for c in term], seed=seed) for seed, term in enumerate(terms)]
    y = tf.einsum(equation, *arrays)
    np.testing.assert_allclose(y.numpy(), np.einsum(equation, *arrays), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(
    "case",
    [
        ("iij,jk->ik", (2, 2, 2), (2, 2)),
        ("bij,kj->bk", (2, 2, 3), (2, 3)),
        ("...i,...i->...", (2, 1, 2), (3, 2)),
    ],
)
def test_gradients_of_einsum(order, case):
    equation, *shapes = case
    arrays = [normal(*shape, seed=seed) for seed, shape in enumerate(shapes)]
    check_gradient(lambda *xs: tf.einsum(equation, *xs), *arrays, order=order)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "complex64", "int32", "int64"])
def test_einsum_keeps_the_dtype(dtype):
    a = tf.cast(np.arange(6).reshape(2, 3), dtype)
    y = tf.einsum("ij,kj->ik", a, a, optimize="optimal")
    assert y.dtype == dtype
    np.testing.assert_array_equal(y.numpy().astype(complex), [[5, 14], [14, 50]])


@pytest.mark.parametrize("small", ["int8", "uint8"])
def test_bfloat16_times_small_integers_with_an_output_type(small):
    a = tf.cast(tf.reshape(tf.range(1, 13), [2, 2, 3]), "bfloat16")
    b = tf.cast(tf.reshape(tf.range(13, 25), [2, 3, 2]), small)
    product = tf.matmul(a, b, output_type=tf.bfloat16)
    assert product.dtype == "bfloat16"
    assert tf.cast(product, "int32").numpy().tolist() == [[[94, 100], [229, 244]], [[508, 532], [696, 728]]]
    assert tf.matmul(b, a, transpose_a=True, transpose_b=True, output_type=tf.bfloat16).shape == (2, 2, 2)
    with pytest.raises(tf.errors.InvalidArgumentError, match="output_type float32"):
        tf.matmul(a, b, output_type=tf.float32)


@pytest.mark.parametrize(
    ("equation", "a_shape", "b_shape"),
    [
        ("ij,ij->i", (1000, 300), (1000, 300)),
        ("ij,ij->j", (300, 1000), (300, 1000)),
        ("ij,ji->i", (500, 80), (80, 500)),
        ("bij,bji->b", (100, 40, 30), (100, 30, 40)),
        ("bij,ijb->jb", (100, 40, 30), (40, 30, 100)),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32"])
def test_many_inner_products(equation, a_shape, b_shape, dtype):
    r = np.random.default_rng(0)
    a, b = [r.integers(-8, 9, shape).astype(dtype) for shape in (a_shape, b_shape)]
    wanted = np.einsum(equation, a.astype(np.float64), b.astype(np.float64))
    x, y = tf.constant(a), tf.constant(b)

    def products(x, y):
        if dtype == "int32":
            return [tf.einsum(equation, x, y)]
        with tf.GradientTape() as tape:
            tape.watch([x, y])
            z = tf.einsum(equation, x, y)
        return [z, *tape.gradient(z, [x, y])]

    found = products(x, y)
    np.testing.assert_array_equal(found[0].numpy(), wanted.astype(dtype))
    if dtype != "int32":
        weights = np.ones(wanted.shape)
        letters, last = equation.split("->")
        first, second = letters.split(",")
        for g, (one, other, beside) in zip(found[1:], ((first, second, b), (second, first, a)), strict=True):
            want = np.einsum(f"{last},{other}->{one}", weights, beside.astype(np.float64))
            np.testing.assert_array_equal(g.numpy(), want)
    compiled = tf.function(products)
    for _ in range(2):
        for again, eager in zip(compiled(x, y), found, strict=True):
            np.testing.assert_array_equal(again.numpy(), eager.numpy())


def test_many_inner_products_have_the_bits_of_a_compiled_step():
    x, y = np.random.default_rng(1).standard_normal((2, 1000, 300), np.float32)
    eager = tf.einsum("ij,ij->i", x, y).numpy()
    compiled = tf.function(lambda x, y: tf.einsum("ij,ij->i", x, y))
    for _ in range(3):
        np.testing.assert_array_equal(compiled(x, y).numpy(), eager)
    np.testing.assert_allclose(eager, np.einsum("ij,ij->i", x, y, dtype=np.float64), rtol=1e-5, atol=1e-4)
