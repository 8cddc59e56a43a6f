"""The epilogue of a dense layer's product: bias and activation in place; and their gradients in one pass.

`BIAS_KERNELS["relu"][dtype](z, bias, columns, 0, z.size)` replaces the product z, of shape (rows, columns), by relu(z +
bias); its last two arguments are the range of z's elements to do. `DENSE_GRADIENT_KERNELS["relu"][dtype](g, y, dz, db,
rows, columns)` computes, from the cotangent g of the result y, the cotangents dz of the product and db of the bias (the
column sums of dz). There are such kernels for linear and tanh, too.
"""

from collections.abc import Sequence

from fastgrad._src.jit.body import local_array, specialized
from fastgrad._src.jit.build import Kernel, kernel
from fastgrad._src.kernels.elementwise.activation import (
    linear_of,
    linear_slope_of_result,
    relu_of,
    relu_slope_of_result,
    tanh_slope_of_result,
)
from fastgrad._src.kernels.gemm.steps import product_launches
from fastgrad._src.kernels.math.vector_math import greatest, least, tanh
from fastgrad._src.kernels.reduction.reductions import BLOCK_ROWS, LANES
from fastgrad._src.kernels.runtime.launch import Input, Launch, Launches, Output, Spec, single_launch

FLOATS = ("float32", "float64")

# The functions that the two bodies below call; each kernel is compiled with its own.
apply_activation = linear_of
preactivation_cotangent = linear_slope_of_result


def _add_bias_and_activate(z, bias, columns, first, last):
    for r in range(first // columns, (last + columns - 1) // columns):
        start = r * columns
        for c in range(greatest(first - start, 0), least(last - start, columns)):
            z[start + c] = apply_activation(z[start + c] + bias[c])


def _gradient_bias(g, y, dz, db, rows, columns):
    block = local_array(T, 256)
    total = local_array(T, 256)
    for first in range(0, columns, LANES):
        width = least(LANES, columns - first)
        for c in range(width):
            total[c] = T(0)
        for start in range(0, rows, BLOCK_ROWS):
            for c in range(width):
                block[c] = T(0)
            for r in range(start, least(start + BLOCK_ROWS, rows)):
                at = r * columns + first
                for c in range(width):
                    cotangent = preactivation_cotangent(g[at + c], y[at + c])
                    dz[at + c] = cotangent
                    block[c] += cotangent
            for c in range(width):
                total[c] += block[c]
        for c in range(width):
            db[first + c] = total[c]


def _bias_kernel(name: str, activation: object) -> Kernel:
    function = specialized(_add_bias_and_activate, f"bias_{name}", apply_activation=activation)
    return kernel("z: inout[T], bias: in[T], columns: int, first: int, last: int", T=FLOATS)(function)


def _gradient_kernel(name: str, slope: object) -> Kernel:
    function = specialized(_gradient_bias, f"{name}_gradient_bias", preactivation_cotangent=slope)
    signature = "g: in[T], y: in[T], dz: out[T], db: out[T], rows: int, columns: int"
    return kernel(signature, in_place={"dz": ("g",)}, T=FLOATS)(function)


_ACTIVATIONS = {
    "linear": (linear_of, linear_slope_of_result),
    "relu": (relu_of, relu_slope_of_result),
    "tanh": (tanh, tanh_slope_of_result),
}
BIAS_KERNELS = {name: _bias_kernel(name, function) for name, (function, _) in _ACTIVATIONS.items()}
DENSE_GRADIENT_KERNELS = {name: _gradient_kernel(name, slope) for name, (_, slope) in _ACTIVATIONS.items()}
"""The kernels of a dense layer's gradients by the name of the activation."""


def dense_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], activation: str) -> Launches:
    """Returns the launches of `dense`: the product, with bias and activation applied to its parts in the cache."""
    (y,) = outputs
    rows, columns = y.shape
    finish = Launch(BIAS_KERNELS[activation][y.dtype], (Output(0), Input(2), columns), rows * columns)
    return product_launches(inputs[:2], epilogue=finish)


def dense_gradient_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], activation: str) -> Launches:
    """Returns the launch of a dense layer's gradients: those of the product's result and of the bias."""
    g, _ = inputs
    rows, columns = g.shape
    finish = DENSE_GRADIENT_KERNELS[activation][g.dtype]
    return single_launch(finish, Input(0), Input(1), Output(0), Output(1), rows, columns)
