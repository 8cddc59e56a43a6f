"""Functions that Numba compiles as differentiable functions of PyTorch's tensors.

Import it by its name: ``import fastgrad.torch``. It needs PyTorch (``pip install "fastgrad[torch]"``), which ``import fastgrad`` does not import.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastgrad._src.derivatives.exported_function import ExportedFunction

try:
    import torch
except ImportError as error:
    raise ImportError(f'fastgrad.torch needs PyTorch: pip install "fastgrad[torch]". {error}') from error

__all__ = ["as_function"]


def as_function(f: Callable[..., Any], argnums: int | Sequence[int] | None = None) -> Callable[..., Any]:
    """Returns a function of PyTorch's tensors that computes ``f``, with gradients and second derivatives by ``backward``.

    Args:
        f: a function that ``numba.njit`` compiled, or that Numba can compile. It takes numbers and arrays, and returns a number, an array, or a tuple
            of them. It draws no random numbers. Values that it reads from outside are frozen at the first use.
        argnums: the index of the argument to differentiate with respect to, or several indices; other arguments are constants. Default: all
            arguments that are float64 or float32 in a call.

    Returns:
        a function of the arguments of ``f``: tensors on the CPU, NumPy arrays, or numbers. ``f`` gets a tensor of shape () as a number. The
        function returns a tensor, or a tuple for several results. If ``f`` writes its arguments, it writes to copies.

    Raises:
        TypeError: ``f`` is no function, or has ``*args``; when the function is called: an argument is on another device, Numba can't compile ``f``
            for the arguments, or the result is of another type.
        ValueError: ``argnums`` are not indices of parameters, or ``f`` draws random numbers.
        DifferentiationError: in ``backward``: ``f`` has a construct that can't be differentiated.
        NotImplementedError: when a third derivative is asked for.

    Example:
        >>> import numba
        >>> import torch
        >>> import fastgrad.torch
        >>> @numba.njit
        ... def decay(rate, x):
        ...     total = 0.0
        ...     for value in x:
        ...         total = rate * total + value
        ...     return total
        >>> rate = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
        >>> fastgrad.torch.as_function(decay)(rate, torch.ones(2, dtype=torch.float64)).backward()
        >>> rate.grad
        tensor(1., dtype=torch.float64)
    """
    exported = ExportedFunction(f, argnums, "as_function", "PyTorch")

    def function(*arguments: Any, **named: Any) -> Any:
        results = _Function.apply(exported, *exported.bound(arguments, named))
        return results if len(results) > 1 else results[0]

    function.__name__, function.__doc__ = exported.name, f.__doc__
    return function


class _Function(torch.autograd.Function):  # type: ignore[misc]  # PyTorch is not there when types are checked
    """PyTorch's record of a call."""

    @staticmethod
    def forward(ctx: Any, exported: ExportedFunction, *arguments: Any) -> Any:
        """Computes the results."""
        _save_inputs(ctx, exported, arguments)
        arrays = [_as_array(exported, x) for x in arguments]
        ctx.positions = exported.positions([x.dtype for x in arrays])
        results = [torch.from_numpy(y) for y in exported.results(arrays)]
        ctx.mark_non_differentiable(*[y for y in results if not y.is_floating_point()])
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        """Computes the cotangents of the arguments."""
        arguments = _saved_inputs(ctx)
        # Also those that this call of PyTorch does not ask for: second derivatives may need them.
        positions = tuple(
            n for n in ctx.positions if isinstance(arguments[n], torch.Tensor) and arguments[n].requires_grad
        )
        gradients = dict(zip(positions, _Pullback.apply(ctx.exported, positions, *arguments, *cotangents), strict=True))
        return (None, *[gradients.get(number) for number in range(len(arguments))])


class _Pullback(torch.autograd.Function):  # type: ignore[misc]
    """PyTorch's record of the cotangents of arguments, a function of arguments and the cotangents of results."""

    @staticmethod
    def forward(ctx: Any, exported: ExportedFunction, positions: tuple[int, ...], *inputs: Any) -> Any:
        """Computes the cotangents of the arguments numbered ``positions``."""
        _save_inputs(ctx, exported, inputs)
        ctx.positions = positions
        arrays, count = [_as_array(exported, x) for x in inputs], exported.arity
        return tuple(map(torch.from_numpy, exported.cotangents(arrays[:count], positions, arrays[count:])))

    @staticmethod
    def backward(ctx: Any, *tangents: Any) -> Any:
        """Computes the cotangents of the inputs: second derivatives."""
        inputs, count = _saved_inputs(ctx), ctx.exported.arity
        results = _SecondPullback.apply(ctx.exported, ctx.positions, *inputs, *tangents)
        of_floats = [number for number in range(count, len(inputs)) if inputs[number].is_floating_point()]
        gradients = dict(zip([*of_floats, *ctx.positions], results, strict=True))
        return (None, None, *[gradients.get(number) for number in range(len(inputs))])


class _SecondPullback(torch.autograd.Function):  # type: ignore[misc]
    """PyTorch's record of second derivatives, which have no derivatives."""

    @staticmethod
    def forward(ctx: Any, exported: ExportedFunction, positions: tuple[int, ...], *inputs: Any) -> Any:
        """Computes the cotangents of the inputs of ``_Pullback``."""
        ctx.exported = exported
        arrays, count = [_as_array(exported, x) for x in inputs], exported.arity
        last = len(arrays) - len(positions)
        results = exported.compute_second_cotangents(arrays[:count], positions, arrays[count:last], arrays[last:])
        return tuple(map(torch.from_numpy, results))

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        """Raises NotImplementedError."""
        raise NotImplementedError(f"as_function: third derivatives of {ctx.exported.name} are not there.")


def _save_inputs(ctx: Any, exported: ExportedFunction, values: Sequence[Any]) -> None:
    """Keeps inputs for ``backward``. PyTorch raises there if a tensor has been written in place."""
    ctx.exported = exported
    ctx.save_for_backward(*[x for x in values if isinstance(x, torch.Tensor)])
    ctx.constants = [None if isinstance(x, torch.Tensor) else np.array(x) for x in values]


def _saved_inputs(ctx: Any) -> list[Any]:
    tensors = iter(ctx.saved_tensors)
    return [next(tensors) if x is None else x for x in ctx.constants]


def _as_array(exported: ExportedFunction, value: Any) -> np.ndarray:
    """Returns an argument as an array, which may share its memory."""
    if not isinstance(value, torch.Tensor):
        return np.asarray(value)
    if value.device.type != "cpu":
        raise TypeError(
            f"{exported.owner}: {exported.name} got a tensor on the device {value.device}, and Numba compiles it for the CPU: pass tensor.cpu()."
        )
    return value.detach().numpy()
