"""Eager operations in each library: what `benchmarks.eager_operations` compares. A repeat is one call from Python.

A case is a name and a size: a function of so many elements, a reduction of rows of 256, or an optimizer's update of so many weights in
matrices of 16 x 16 (`many`) or in one.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks import data

Repeat = Callable[[int], Any]
Inputs = Sequence[np.ndarray]
ROW = 256
SIDE = 16
RATE, RHO, EPSILON = 1e-3, 0.9, 1e-7
POSITIVE = {"log", "sqrt", "pow"}

EXACT: Mapping[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "sigmoid": lambda x: 1.0 / (1.0 + np.exp(-x)),
    "sin": np.sin,
    "erf": np.vectorize(math.erf),
    "sqrt": np.sqrt,
    "pow": lambda x, y: x**y,
    "sum": np.sum,
    "mean of rows": lambda x: np.mean(x, -1),
    "mean of columns": lambda x: np.mean(x, 0),
    "greatest of rows": lambda x: np.argmax(x, -1),
    "softmax": lambda x: np.exp(x) / np.sum(np.exp(x), -1, keepdims=True),
    "SGD": lambda w, g: w - RATE * g,
    "Adam": lambda w, g: w - RATE * g / (np.abs(g) + EPSILON),
    "RMSprop": lambda w, g: w - RATE * g / (np.sqrt((1.0 - RHO) * g * g) + EPSILON),
}
"""In float64; of an optimizer the weights after the first update."""
OPTIMIZERS = ("SGD", "Adam", "RMSprop")
OF_ROWS = ("mean of rows", "mean of columns", "greatest of rows", "softmax")
OF_TWO = ("add", "pow")


def inputs_of(case: tuple[str, int]) -> Inputs:
    """Returns the input arrays of a case."""
    name, size = case
    operation = name.removeprefix("many ")
    if operation in OPTIMIZERS:
        shape = (size // SIDE**2, SIDE, SIDE) if name != operation else (1, size // 1024, 1024)
        # Gradients far from zero, where the libraries' epsilons don't count.
        return data.uniform(*shape), data.uniform(*shape, seed=1) + np.float32(2.0)
    shape = (size // ROW, ROW) if name in OF_ROWS else (size,)
    shift = np.float32(1.5 if name in POSITIVE else 0.0)
    return tuple([data.uniform(*shape, seed=seed) + shift for seed in range(1 + (name in OF_TWO))])


def error_of(case: tuple[str, int], inputs: Inputs, found: np.ndarray) -> float:
    """Returns the largest error of a result against float64, relative to the largest number in it."""
    exact = EXACT[case[0].removeprefix("many ")](*[one.astype(np.float64) for one in inputs])
    return float(np.max(np.abs(found - exact)) / max(float(np.max(np.abs(exact))), 1.0))


def _calls(function: Callable[..., Any], operands: Sequence[Any]) -> Repeat:
    def repeat(count: int) -> Any:
        for _ in range(count):
            y = function(*operands)
        return y

    return repeat


def fastgrad_operation(case: tuple[str, int], inputs: Inputs, threads: int) -> Repeat:
    """Returns a function that repeats a case with fastgrad's eager tensors and optimizers."""
    import fastgrad as tf
    from benchmarks.threads import use_threads

    use_threads(threads)
    operation = case[0].removeprefix("many ")
    if operation in OPTIMIZERS:
        weights = [tf.Variable(one) for one in inputs[0]]
        pairs = [(tf.constant(g), w) for g, w in zip(inputs[1], weights, strict=True)]
        settings = {"SGD": {}, "Adam": {"epsilon": EPSILON}, "RMSprop": {"rho": RHO, "epsilon": EPSILON}}[operation]
        optimizer = getattr(tf.keras.optimizers, operation)(RATE, **settings)

        def repeat(count: int) -> Any:
            for _ in range(count):
                optimizer.apply_gradients(pairs)
            return np.stack([weight.numpy() for weight in weights]) if count == 1 else None

        return repeat
    functions = {
        "sum": tf.reduce_sum,
        "mean of rows": lambda x: tf.reduce_mean(x, -1),
        "mean of columns": lambda x: tf.reduce_mean(x, 0),
        "greatest of rows": lambda x: tf.argmax(x, -1),
        "softmax": tf.nn.softmax,
    }
    return _calls(functions.get(operation) or getattr(tf.math, operation), [tf.constant(one) for one in inputs])


def numpy_operation(case: tuple[str, int], inputs: Inputs, threads: int) -> Repeat:
    """Returns a function that repeats a case with NumPy."""
    name = case[0]
    functions = {
        "pow": np.power,
        "sum": np.sum,
        "mean of rows": lambda x: x.mean(-1),
        "mean of columns": lambda x: x.mean(0),
        "greatest of rows": lambda x: x.argmax(-1),
    }
    function = functions.get(name) or getattr(np, name, None)
    if function is None:
        raise NotImplementedError(f"NumPy has no {name}")
    return _calls(function, inputs)


def torch_operation(case: tuple[str, int], inputs: Inputs, threads: int) -> Repeat:
    """Returns a function that repeats a case with PyTorch's eager tensors and fused or multi-tensor optimizers."""
    import torch

    torch.set_num_threads(threads)
    operation = case[0].removeprefix("many ")
    tensors = [torch.from_numpy(one) for one in inputs]
    if operation in OPTIMIZERS:
        weights = [torch.nn.Parameter(one.clone()) for one in tensors[0]]
        for weight, gradient in zip(weights, tensors[1], strict=True):
            weight.grad = gradient.clone()
        settings = {
            "SGD": {"fused": True},
            "Adam": {"fused": True, "eps": EPSILON},
            "RMSprop": {"foreach": True, "alpha": RHO, "eps": EPSILON},
        }[operation]
        optimizer = getattr(torch.optim, operation)(weights, lr=RATE, **settings)

        def repeat(count: int) -> Any:
            for _ in range(count):
                optimizer.step()
            return torch.stack([weight.detach() for weight in weights]).numpy() if count == 1 else None

        return repeat
    functions = {
        "mean of rows": lambda x: x.mean(-1),
        "mean of columns": lambda x: x.mean(0),
        "greatest of rows": lambda x: x.argmax(-1),
        "softmax": lambda x: torch.softmax(x, -1),
    }
    return _calls(functions.get(operation) or getattr(torch, operation), tensors)


LIBRARIES: Mapping[str, Callable[[tuple[str, int], Inputs, int], Repeat]] = {
    "fastgrad": fastgrad_operation,
    "numpy": numpy_operation,
    "torch": torch_operation,
}
"""The measured library, then its peers."""
