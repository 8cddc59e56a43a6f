"""Functions that Numba compiles as operations of PyTensor: values, gradients and second derivatives in PyTensor's modes, and in PyMC's models."""

import pickle

import numba
import numpy as np
import pytest

import fastgrad as fg

pytensor = pytest.importorskip("pytensor", reason="pip install fastgrad[pymc]")
pt = pytest.importorskip("pytensor.tensor")
NullTypeGradError, hessian = pytensor.gradient.NullTypeGradError, pytensor.gradient.hessian
door = pytest.importorskip("fastgrad.pytensor")
private = pytest.importorskip("fastgrad._src.derivatives.bridges.pytensor")

pytestmark = pytest.mark.filterwarnings("default")  # those of PyTensor and PyMC about their own versions

MODES = ["NUMBA", "CVM" if hasattr(pytensor.graph.op.Op, "pullback") else "FAST_RUN", "FAST_COMPILE"]
"""PyTensor's modes: Numba, C with rewrites, Python."""


@numba.njit
def loglik(theta, scale, x, k):
    total = 0.0
    for value in x:
        total -= 0.5 * ((value - np.sin(theta[k]) * theta[0]) / scale) ** 2 + np.log(scale)
    return total


def symbolic_loglik(theta, scale, x, k):
    return -pt.sum(0.5 * ((x - pt.sin(theta[k]) * theta[0]) / scale) ** 2 + pt.log(scale))


THETA, SCALE, X = np.array([0.7, 1.1, -0.4]), 1.3, np.array([0.2, -1.0, 2.5, 0.1])


def variables():
    return pt.dvector("theta"), pt.dscalar("scale")


def operations(function):
    """The names of fastgrad's operations in a compiled graph."""
    return [type(n.op).__name__ for n in function.maker.fgraph.toposort() if isinstance(n.op, private._CompiledOp)]


@pytest.mark.parametrize("mode", MODES)
def test_value_gradient_and_hessian_are_those_of_the_same_function_in_pytensor(mode):
    theta, scale = variables()
    found, expected = [
        pytensor.function([theta, scale], [y, *pt.grad(y, [theta, scale]), hessian(y, theta)], mode=how)(THETA, SCALE)
        for y, how in [
            (door.as_op(loglik)(theta, scale, X, 1), mode),
            (symbolic_loglik(theta, scale, X, 1), "FAST_COMPILE"),
        ]
    ]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)
    step = 1e-6 * np.array([0.0, 1.0, 0.0])
    difference = (loglik(THETA + step, SCALE, X, 1) - loglik(THETA - step, SCALE, X, 1)) / 2e-6
    np.testing.assert_allclose(found[1][1], difference, rtol=1e-6)


def test_value_and_gradient_share_one_run():
    theta, scale = variables()
    y = door.as_op(loglik)(theta, scale, X, 1)
    both = pytensor.function([theta, scale], [y, pt.grad(y, theta)], mode="NUMBA")
    assert operations(both) == ["ValueAndGradientOp"]
    assert operations(pytensor.function([theta, scale], y, mode="NUMBA")) == ["FunctionOp"]
    twice = y + door.as_op(loglik)(theta, scale, X, 1)
    assert operations(pytensor.function([theta, scale], twice, mode="NUMBA")) == ["FunctionOp"]


@numba.njit
def several(a, b):
    grown = b * a
    return a * np.sum(b), grown, (np.outer(b, b), b.size, b > 1.0)


@pytest.mark.parametrize("mode", MODES)
def test_several_results(mode):
    a, b = pt.dscalar(), pt.dvector()

    def cost_of(value, grown, matrix, count):
        return value**2 + pt.sum(grown * np.arange(3.0)) + pt.sum(matrix**3) * count

    outputs = door.as_op(several)(a, b)
    assert [(y.dtype, y.ndim) for y in outputs] == [
        ("float64", 0),
        ("float64", 1),
        ("float64", 2),
        ("int64", 0),
        ("bool", 1),
    ]
    expected = cost_of(a * pt.sum(b), b * a, pt.outer(b, b), 3)
    values = 1.5, np.array([0.5, 1.5, -1.0])
    found = []
    for cost, how in [(cost_of(*outputs[:4]), mode), (expected, "FAST_COMPILE")]:
        gradients = pt.grad(cost, [a, b])
        more = [pt.grad(pt.sum(gradients[1] * b), b), pt.grad(gradients[0], b)]
        found.append(pytensor.function([a, b], [cost, *gradients, *more], mode=how)(*values))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)
    np.testing.assert_array_equal(outputs[4].eval({b: values[1], a: 1.0}), [False, True, False])


def test_arrays_of_floats_and_of_indices():
    @numba.njit
    def picked(x, indices, power=2):
        out = np.zeros(indices.size, x.dtype)
        for i, index in enumerate(indices):
            out[i] = x[index] ** power
        return out

    x, indices = pt.fvector(), pt.lvector()
    y = door.as_op(picked)(x, indices=indices)
    assert y.dtype == "float32"
    gradient = pt.grad(pt.sum(y), x)
    assert gradient.dtype == "float32"
    given = {x: np.array([1, 2, 3], "float32"), indices: np.array([2, 2, 0])}
    np.testing.assert_array_equal(gradient.eval(given), [2, 0, 12])
    np.testing.assert_array_equal(hessian(pt.sum(y), x).eval(given), np.diag([2, 0, 4]))
    assert door.as_op(picked)(np.array([3.0]), [0]).eval().tolist() == [9.0]
    through_integers = pt.grad(pt.sum(door.as_op(picked)(x, pt.cast(x, "int64"))), x)
    np.testing.assert_array_equal(through_integers.eval({x: np.array([1, 0], "float32")}), [2, 0])


def test_arguments_that_are_written_returned_or_views():
    @numba.njit
    def halved(x):
        for i in range(x.size):
            x[i] *= 0.5
        return x

    @numba.njit
    def same(x):
        return x

    x = pt.dmatrix()
    value = np.arange(6.0).reshape(2, 3)
    for mode in MODES:
        y = door.as_op(halved)(x[:, 1]) + x[:, 1]
        outputs = [y, pt.grad(pt.sum(y), x), door.as_op(same)(x.T) * 2.0, pt.grad(pt.sum(door.as_op(same)(x) ** 2), x)]
        found = pytensor.function([x], outputs, mode=mode)(value)
        np.testing.assert_array_equal(found[0], [1.5, 6.0])
        np.testing.assert_array_equal(found[1], [[0, 1.5, 0]] * 2)
        np.testing.assert_array_equal(found[2], 2 * value.T)
        np.testing.assert_array_equal(found[3], 2 * value)
        np.testing.assert_array_equal(value, np.arange(6.0).reshape(2, 3))
    constant = pytensor.function([], door.as_op(halved)(np.array([1.0, 2.0])) + 0.0, mode="NUMBA")
    assert constant().tolist() == constant().tolist() == [0.5, 1.0]


def test_floats_without_a_gradient():
    theta, scale = variables()
    op = door.as_op(loglik, argnums=0)
    y = op(theta, scale, X, 1)
    pt.grad(y, theta)
    with pytest.raises(NullTypeGradError, match="argnums"):
        pt.grad(y, scale)
    assert op == door.as_op(loglik, (0,)) != door.as_op(loglik, (0, 1))
    assert hash(op) == hash(door.as_op(loglik, 0))
    whole = door.as_op(numba.njit(lambda x: x * x), argnums=0)(3)
    assert (whole.dtype, float(whole.eval())) == ("float64", 9.0)


def test_shapes():
    theta, scale = variables()
    y = door.as_op(loglik)(theta, scale, X, 1)
    shapes = pytensor.function([theta, scale], [y.shape, pt.grad(y, theta).shape], on_unused_input="ignore")
    assert [shape.tolist() for shape in shapes(THETA, SCALE)] == [[], [3]]
    assert operations(shapes) == []
    assert door.as_op(several)(scale, theta)[2].shape.eval({theta: THETA, scale: SCALE}).tolist() == [3, 3]


def test_further_derivatives():
    x = pt.dscalar()
    y = door.as_op(numba.njit(lambda x: x**3))(x)
    second = pt.grad(pt.grad(y, x), x)
    assert second.eval({x: 2.0}) == pytest.approx(12.0)
    with pytest.raises(NotImplementedError, match="third derivatives"):
        pt.grad(second, x)


def test_functions_of_python_derivatives_and_functions_with_signatures():
    def square(x):
        return x * x

    x = pt.dscalar()
    signed = numba.njit(["float64(float64)"])(square)
    for f, expected in [(square, 6.0), (signed, 6.0), (fg.grad(square), 2.0)]:
        assert pt.grad(door.as_op(f)(x), x).eval({x: 3.0}) == expected


@pytest.mark.parametrize("mode", MODES)
def test_exceptions_of_the_function(mode):
    @numba.njit
    def root(x):
        if x < 0.0:
            raise ValueError("a negative number")
        return np.sqrt(x)

    x = pt.dscalar()
    y = door.as_op(root)(x)
    for output in (y, pt.grad(y, x)):
        function = pytensor.function([x], output, mode=mode)
        assert float(function(4.0)) in {2.0, 0.25}
        with pytest.raises(ValueError, match="a negative number"):
            function(-1.0)


def test_wrong_calls_say_what_is_wrong():
    x = pt.dvector()
    with pytest.raises(TypeError, match="expected a Python function"):
        door.as_op(3)
    with pytest.raises(ValueError, match="argnums is 4"):
        door.as_op(loglik, 4)
    with pytest.raises(TypeError, match="loglik: missing a required argument"):
        door.as_op(loglik)(x)
    with pytest.raises(TypeError, match="the argument scale of loglik is 'wide'"):
        door.as_op(loglik)(x, "wide", X, 1)
    with pytest.raises(TypeError, match="Numba can't compile"):
        door.as_op(loglik)(1.0, 1.0, X, 1)
    with pytest.raises(TypeError, match="returns none: return"):
        door.as_op(numba.njit(lambda x: None))(x)
    with pytest.raises(ValueError, match="draws random numbers"):
        door.as_op(numba.njit(lambda x: x + np.random.normal()))

    @numba.njit
    def hashed(x):
        return x * (hash(x) % 3)

    y = door.as_op(hashed)(pt.dscalar("z"))
    assert float(y.eval({"z": 2.0})) == 4.0
    with pytest.raises(
        fg.errors.DifferentiationError, match="a call of hash with these arguments can't be differentiated"
    ):
        pt.grad(y, y.owner.inputs[0]).eval({"z": 2.0})


def test_pickles():
    op = door.as_op(loglik, 0)
    again = pickle.loads(pickle.dumps(op))
    assert again == op
    assert float(again(THETA, SCALE, X, 1).eval()) == pytest.approx(loglik(THETA, SCALE, X, 1))


def test_pymc_models_with_potentials_and_distributions():
    pm = pytest.importorskip("pymc", reason="pip install fastgrad[pymc]")
    op = door.as_op(loglik)
    found = []
    for kind in ("potential", "distribution", "pymc"):
        with pm.Model() as model:
            theta = pm.Normal("theta", 0.0, 2.0, shape=3)
            scale = pm.HalfNormal("scale", 1.0)
            if kind == "potential":
                pm.Potential("y", op(theta, scale, X, 1))
            elif kind == "distribution":
                pm.CustomDist(
                    "y",
                    theta,
                    scale,
                    logp=lambda x, theta, scale: op(theta, scale, x, 1),
                    signature="(3),()->(4)",
                    observed=X,
                )
            else:
                pm.Potential("y", symbolic_loglik(theta, scale, X, 1))
        point = {"theta": THETA, "scale_log__": np.array(0.3)}
        second = model.compile_d2logp(negate_output=False)(point)
        found.append(np.concatenate([[model.compile_logp()(point)], model.compile_dlogp()(point), np.ravel(second)]))
    np.testing.assert_allclose(found[0], found[2], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found[1], found[2], rtol=1e-9, atol=1e-12)


def test_samples_of_pymc_and_nutpie_are_those_of_the_posterior():
    pm = pytest.importorskip("pymc", reason="pip install fastgrad[pymc]")
    nutpie = pytest.importorskip("nutpie", reason="pip install fastgrad[pymc]")

    @numba.njit
    def precise(x):
        total = 0.0
        for i in range(x.size):
            total -= 50.0 * (x[i] - i) ** 2
        return total

    with pm.Model() as model:
        x = pm.Flat("x", shape=2, initval=np.zeros(2))
        pm.Potential("p", door.as_op(precise)(x))
    options = {"draws": 300, "tune": 300, "chains": 2}
    traces = [nutpie.sample(nutpie.compile_pymc_model(model), **options, seed=1, progress_bar=False)]
    with model:
        traces.append(pm.sample(**options, random_seed=1, progressbar=False, cores=1))
    for trace in traces:
        np.testing.assert_allclose(trace.posterior["x"].mean(("chain", "draw")), [0.0, 1.0], atol=0.03)
        np.testing.assert_allclose(trace.posterior["x"].std(("chain", "draw")), [0.1, 0.1], atol=0.03)
