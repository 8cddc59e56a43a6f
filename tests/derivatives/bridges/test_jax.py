"""Functions that Numba compiles as functions of JAX's arrays: values and gradients, plain, under jit and under vmap, against JAX's own."""

import numba
import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="pip install fastgrad[jax]")
jnp = pytest.importorskip("jax.numpy")
door = pytest.importorskip("fastgrad.jax")


@pytest.fixture(autouse=True)
def float64():
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


@numba.njit
def losses(theta, scale, x, k):
    """A float, an array and an integer; it writes `x`."""
    out = np.empty(x.shape)
    for i in range(x.size):
        x[i] -= np.sin(theta[k]) * theta[0]
        out[i] = (x[i] / scale) ** 2
    return np.sum(out) / x.size, out, x.size


def losses_of_jax(theta, scale, x, k):
    out = ((x - jnp.sin(theta[k]) * theta[0]) / scale) ** 2
    return jnp.mean(out), out, x.size


def total(results):
    return results[0] + (results[1] ** 2).sum()


function = door.as_function(losses, shape_of=lambda theta, scale, x, k: [(), x.shape, ()])
ARGUMENTS = np.array([0.7, 1.1, -0.4]), 1.3, np.array([0.2, -1.0, 2.5, 0.1]), 1


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit], ids=["plain", "jit"])
def test_values_and_gradients_of_several_results_are_those_of_jax(transform):
    for own, peer in zip(transform(function)(*ARGUMENTS), losses_of_jax(*ARGUMENTS), strict=True):
        np.testing.assert_allclose(own, peer, rtol=1e-14)
    own, peer = [
        transform(jax.grad(lambda *arguments, f=f: total(f(*arguments)), (0, 1, 2)))(*ARGUMENTS)
        for f in (function, losses_of_jax)
    ]
    for one, other in zip(own, peer, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_vmap_calls_it_for_each_row():
    rows = np.stack([ARGUMENTS[2], 2.0 * ARGUMENTS[2]])
    own, peer = [
        jax.jit(jax.vmap(jax.grad(lambda x, f=f: total(f(*ARGUMENTS[:2], x, 1)))))(rows)
        for f in (function, losses_of_jax)
    ]
    np.testing.assert_allclose(own, peer, rtol=1e-12)


def test_float32_stays_float32():
    square = door.as_function(lambda x: x * x)
    value, slope = jax.value_and_grad(square)(jnp.float32(3.0))
    assert value.dtype == slope.dtype == jnp.float32
    assert (value, slope) == (9.0, 6.0)


def test_without_x64_results_have_32_bits():
    jax.config.update("jax_enable_x64", False)
    value, slope = jax.value_and_grad(door.as_function(lambda x: x * np.float64(2.0)))(3.0)
    assert value.dtype == slope.dtype == jnp.float32
    assert (value, slope) == (6.0, 2.0)


def test_arguments_that_argnums_leaves_out_are_constants():
    by_a, by_b = jax.grad(door.as_function(lambda a, b: a * b, argnums=1), (0, 1))(2.0, 3.0)
    assert (by_a, by_b) == (0.0, 2.0)


def test_what_can_not_be_is_an_error():
    cube = door.as_function(lambda x: x**3)
    with pytest.raises(ValueError, match="Pure callbacks do not support JVP"):
        jax.grad(jax.grad(cube))(2.0)
    with pytest.raises(TypeError, match="pass shape_of"):
        door.as_function(lambda x: x)(jnp.ones(3))
    with pytest.raises(ValueError, match=r"returns arrays of the ranks \[1\], and shape_of the shapes \[\(\)\]"):
        door.as_function(lambda x: x, shape_of=lambda x: ())(jnp.ones(3))
    with pytest.raises(Exception, match="shape"):
        jax.block_until_ready(door.as_function(lambda x: x, shape_of=lambda x: (2,))(jnp.ones(3)))
    with pytest.raises(TypeError, match="missing a required argument: 'x'"):
        cube()
    with pytest.raises(ValueError, match="draws random numbers"):
        door.as_function(lambda x: x * np.random.rand())
