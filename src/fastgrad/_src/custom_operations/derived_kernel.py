"""Gradients of users' functions of arrays, derived by ``fastgrad._src.derivatives``.

The gradient of a kernel takes the cotangents of its results and its inputs, and returns the cotangents of the inputs, by reverse
mode. The second gradient takes the cotangents of this gradient's results, and returns the cotangents of all its arguments, by reverse
mode over forward mode.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastgrad._src.core.operation import INEXACT_DTYPES
from fastgrad._src.custom_operations.core_signature import Dims, GufuncSignature
from fastgrad._src.custom_operations.native_step import dispatcher_of
from fastgrad._src.jit.body import digest
from fastgrad._src.jit.generated_source import function_from_source

Dtypes = tuple[np.dtype, ...]


class DerivedKernel:
    """The function that computes the gradient of a kernel, for inputs of certain dtypes.

    Args:
        function: the user's function.
        signature: its signature.
        result_dtypes: maps the dtypes of its inputs to the dtypes of its results.
        order: 1 for the gradient, 2 for the gradient of the gradient.

    Attributes:
        signature: the gradient's signature, as text.
    """

    def __init__(
        self, function: Any, signature: GufuncSignature, result_dtypes: Callable[[Dtypes], Dtypes], order: int = 1
    ) -> None:
        self._function = function
        self._core = signature
        self._primal_dtypes = result_dtypes
        self.order = order
        inputs, results = map(dims_text, signature.inputs), map(dims_text, signature.results)
        x, y = ",".join(inputs), ",".join(results)
        self.signature = f"{y},{x}->{x}" if order == 1 else f"{x},{y},{x}->{y},{x}"

    def next(self) -> DerivedKernel:
        """Returns the gradient of the gradient."""
        return DerivedKernel(self._function, self._core, self._primal_dtypes, 2)

    def result_dtypes(self, inputs: Dtypes) -> Dtypes:
        """Returns the dtypes of the cotangents: those of the inputs, and float32 for integers."""
        count = len(self._core.inputs) if self.order == 2 else len(self._core.results)
        return tuple([dtype if dtype in INEXACT_DTYPES else np.dtype(np.float32) for dtype in inputs[count:]])

    def function(self, inputs: Dtypes) -> Any:
        """Returns the function for inputs of the dtypes ``inputs``.

        Raises:
            DifferentiationError: the user's function can't be differentiated; the message has file and line.
        """
        from fastgrad._src.derivatives.transforms import pullback, second_pullback

        count = len(self._core.inputs)
        input_dtypes = inputs[-count:]
        result_dtypes = self._primal_dtypes(input_dtypes)
        floats = tuple([i for i, dtype in enumerate(input_dtypes) if dtype in INEXACT_DTYPES])
        results = [i for i, dtype in enumerate(result_dtypes) if dtype in INEXACT_DTYPES]
        primal = self._primal(results, result_dtypes)
        x, g = [f"x{i}" for i in range(count)], [f"g{i}" for i in range(len(self._core.results))]
        v = [f"v{i}" for i in range(count)] if self.order == 2 else []
        chosen = [g[i] for i in results]
        if self.order == 1:
            pull = pullback(primal, floats, len(results))
            arguments = [*x, *chosen]
        else:
            pull = second_pullback(primal, floats, floats, len(results))
            zeros = [f"np.zeros_like({g[i]})" if self._core.results[i] else f"0.0 * {g[i]}" for i in results]
            arguments = [*x, *[v[i] for i in floats], *zeros, *chosen]
        cotangents = [_zeros(name, dims) for name, dims in zip(x, self._core.inputs, strict=True)]
        for place, i in enumerate(floats):
            cotangents[i] = f"cotangents[{place}]"
        if self.order == 2:
            tangents = [_zeros(name, dims) for name, dims in zip(g, self._core.results, strict=True)]
            for place, i in enumerate(results):
                tangents[i] = f"tangents[{place}]"
            cotangents = [*tangents, *cotangents]
        lines = [
            f"{'tangents, ' if self.order == 2 else ''}cotangents = pull({', '.join(arguments)})",
            f"return {', '.join(cotangents)}",
        ]
        return _function("gradient", [*v, *g, *x], lines, {"pull": pull, "np": np})

    def _primal(self, chosen: Sequence[int], dtypes: Dtypes) -> Any:
        """Returns the function from the inputs to the results with the numbers ``chosen``, as new arrays and numbers."""
        core, function = self._core, dispatcher_of(self._function)
        x = [f"x{i}" for i in range(len(core.inputs))]
        if not core.has_result_parameters(self._function):
            if len(chosen) == len(core.results):
                return function
            items = "results" if len(core.results) == 1 else "results[{}]"
            texts = [items.format(i) for i in chosen]
            return _function(
                "primal",
                x,
                [f"results = function({', '.join(x)})", f"return {', '.join(texts)}"],
                {"function": function},
            )
        sizes = {str(dim): f"x{i}.shape[{axis}]" for i, dims in enumerate(core.inputs) for axis, dim in enumerate(dims)}
        y = [f"y{i}" for i in range(len(core.results))]
        lines = []
        for name, dims, dtype in zip(y, core.results, dtypes, strict=True):
            shape = [str(dim) if isinstance(dim, int) else sizes[dim] for dim in dims] or ["1"]
            lines.append(f"{name} = np.zeros(({', '.join(shape)},), np.{dtype.name if dtype.kind != 'b' else 'bool_'})")
        lines.append(f"function({', '.join([*x, *y])})")
        lines.append(f"return {', '.join([y[i] if core.results[i] else f'{y[i]}[0]' for i in chosen])}")
        return _function("primal", x, lines, {"function": function, "np": np})


def dims_text(dims: Dims) -> str:
    """Returns the text of the dimensions of an input or a result."""
    return f"({','.join(map(str, dims))})"


def _zeros(name: str, dims: Dims) -> str:
    return f"np.zeros({name}.shape, np.float32)" if dims else "0.0"


def _function(name: str, parameters: Sequence[str], lines: Sequence[str], scope: dict[str, Any]) -> Any:
    source = "\n".join([f"def {name}({', '.join(parameters)}):", *[f"    {line}" for line in lines], ""])
    text = function_from_source(name, source, f"<derivative {name} {digest(source.encode())[:12]}>", scope)
    return dispatcher_of(text, error_model="numpy")
