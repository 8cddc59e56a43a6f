"""Functions that Numba compiles as functions of PyTorch's tensors: values and gradients, against PyTorch's own."""

import numba
import numpy as np
import pytest

import fastgrad as fg

torch = pytest.importorskip("torch", reason="pip install fastgrad[torch]")
door = pytest.importorskip("fastgrad.torch")


@numba.njit
def losses(theta, scale, x, k):
    """A float, an array and an integer; it writes `x`."""
    out = np.empty(x.shape)
    for i in range(x.size):
        x[i] -= np.sin(theta[k]) * theta[0]
        out[i] = (x[i] / scale) ** 2
    return np.sum(out) / x.size, out, x.size


def losses_of_torch(theta, scale, x, k):
    out = ((x - torch.sin(theta[k]) * theta[0]) / scale) ** 2
    return out.mean(), out


def tensors(dtype=torch.float64):
    values = [0.7, 1.1, -0.4], 1.3, [0.2, -1.0, 2.5, 0.1]
    return [torch.tensor(value, dtype=dtype, requires_grad=True) for value in values]


def tensors_of(*values):
    return [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in values]


def test_values_and_gradients_of_several_results_are_those_of_pytorch():
    function = door.as_function(losses)
    own, peer = tensors(), tensors()
    mean, out, size = function(*own, k=1)
    expected = losses_of_torch(*peer, 1)
    assert size.dtype == torch.int64
    assert size == 4
    assert not size.requires_grad
    torch.testing.assert_close((mean, out), expected)
    (mean + (out**2).sum()).backward()
    (expected[0] + (expected[1] ** 2).sum()).backward()
    for one, other in zip(own, peer, strict=True):
        torch.testing.assert_close(one.grad, other.grad)
    torch.testing.assert_close(own[2], peer[2])  # f got a copy to write


def test_gradcheck_of_pytorch_passes():
    function = door.as_function(losses)
    assert torch.autograd.gradcheck(lambda *arguments: function(*arguments, 2)[:2], tensors())


def test_gradgradcheck_of_pytorch_passes():
    function = door.as_function(losses)
    assert torch.autograd.gradgradcheck(lambda *arguments: function(*arguments, 2)[:2], tensors())


def test_a_mixed_second_derivative_is_there_if_one_gradient_alone_was_asked_for():
    function, (a, b) = door.as_function(lambda a, b: a * a * b), tensors_of(2.0, 3.0)
    (slope,) = torch.autograd.grad(function(a, b), a, create_graph=True)
    assert torch.autograd.grad(slope, b) == (4.0,)


def test_a_result_that_is_not_used_and_arguments_that_are_not_contiguous():
    function, matrix = door.as_function(lambda a: (a.sum(), a[0] * 2.0)), torch.ones(3, 2, dtype=torch.float64)
    matrix.requires_grad_()
    function(matrix.T)[1].sum().backward()
    np.testing.assert_array_equal(matrix.grad, [[2.0, 0.0]] * 3)


def test_float32_stays_float32():
    function, x = door.as_function(lambda x: x * x), torch.tensor(3.0, requires_grad=True)
    y = function(x)
    y.backward()
    assert y.dtype == x.grad.dtype == torch.float32
    assert x.grad == 6.0


def test_arguments_that_argnums_leaves_out_are_constants():
    theta, scale, x = tensors()
    door.as_function(losses, argnums=1)(theta, scale, x, 1)[0].backward()
    assert theta.grad is None
    assert x.grad is None
    assert scale.grad is not None
    with pytest.raises(TypeError, match="argnums names the argument 3 of losses, which is int64"):
        door.as_function(losses, argnums=3)(theta, scale, x, 1)


def test_what_can_not_be_is_an_error():
    function, x = door.as_function(lambda x: x**3), torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(function(x), x, create_graph=True)
    (second,) = torch.autograd.grad(slope, x, create_graph=True)
    assert (slope, second) == (12.0, 12.0)
    with pytest.raises(NotImplementedError, match="third derivatives of <lambda> are not there"):
        second.backward()
    with pytest.raises(TypeError, match="device meta"):
        function(torch.ones((), device="meta"))
    with pytest.raises(TypeError, match="missing a required argument: 'x'"):
        function()
    with pytest.raises(TypeError, match="returns none"):
        door.as_function(lambda x: None)(x)
    with pytest.raises(ValueError, match="draws random numbers"):
        door.as_function(lambda x: x * np.random.rand())
    values = {"a": 1.0}
    with pytest.raises(TypeError):
        door.as_function(lambda x: x * values["a"])(x)


def test_a_tensor_that_is_written_before_backward_is_an_error():
    x = torch.ones(2, dtype=torch.float64, requires_grad=True)
    moved = x * 1.0
    y = door.as_function(lambda x: np.sum(x * x))(moved)
    moved.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_a_function_with_an_adjoint_of_its_own():
    root = fg.implicit_root(lambda z, a: z * z - a, lambda z, a: np.sqrt(a))
    a = torch.tensor(4.0, dtype=torch.float64, requires_grad=True)
    door.as_function(root)(1.0, a).backward()
    assert a.grad == 0.25
