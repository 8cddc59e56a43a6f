"""Steps of programs that call a user's function of arrays, compiled by Numba, for each item of a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from fastgrad._src.core.errors import InternalError, InvalidArgumentError
from fastgrad._src.core.result_rules import ArraySpec
from fastgrad._src.custom_operations.core_signature import GufuncSignature
from fastgrad._src.custom_operations.native_step import (
    compiled_step,
    dispatcher_of,
    inferred_type,
    needs_gil,
    numba_type,
    run_natively,
    with_python_callees,
)
from fastgrad._src.derivatives.functions.snapshot import python_function
from fastgrad._src.jit.jit_switch import jit_is_disabled
from fastgrad._src.kernels.runtime.launch import Input, Launch, Launches, Output, Spec
from fastgrad._src.ops.kernel_launches import cached_launches


class ArrayStep:
    """The loop over a batch, for inputs and results of certain dtypes.

    Args:
        name: the function's name, for errors and reports.
        function: takes arrays, and numbers where the signature has ``()``. Its last parameters are the results, or it returns them.
        signature: the shapes of one item.
        dtypes: the dtypes of the inputs, then those of the results.

    Attributes:
        needs_gil: whether the function takes the GIL. Such a function can't be a step of a program.

    Raises:
        TypeError: Numba can't compile the function.
    """

    def __init__(self, name: str, function: Any, signature: GufuncSignature, dtypes: tuple[np.dtype, ...]) -> None:
        self._name = name
        self._signature = signature
        self._inputs, self._results = dtypes[: len(signature.inputs)], dtypes[len(signature.inputs) :]
        self._writes = signature.has_result_parameters(function)
        self.needs_gil = jit_is_disabled()
        ranks: list[int | None] = [None] * len(signature.results)
        if self.needs_gil:
            self._function = with_python_callees(python_function(function))
        else:
            self._function = dispatcher_of(function)
            argument_types = self._argument_types()
            given = inferred_type(name, self._function, argument_types)
            given_types = [given] if len(ranks) == 1 else getattr(given, "types", ())
            if len(given_types) == len(ranks):
                ranks = [getattr(given_type, "ndim", None) for given_type in given_types]
            self.needs_gil = needs_gil(self._function, argument_types)
        self._step = compiled_step(name, self._kernel_parameters(), self._kernel_source(ranks), self._kernel_globals())

    def _argument_types(self) -> list[Any]:
        """Returns Numba's types of the function's arguments."""
        inputs = zip(self._inputs, self._signature.inputs, strict=True)
        types = [numba_type(dtype, len(dims) or None, readonly=True) for dtype, dims in inputs]
        results = zip(self._results, self._signature.results, strict=True) if self._writes else ()
        return types + [numba_type(dtype, max(len(dims), 1)) for dtype, dims in results]

    def _kernel_parameters(self) -> str:
        parameters = [f"x{i}: in[{dtype.name}]" for i, dtype in enumerate(self._inputs)]
        parameters += [f"y{i}: out[{dtype.name}]" for i, dtype in enumerate(self._results)]
        parameters += [f"stride{i}: int" for i in range(len(self._inputs))]
        parameters += [f"size_{name}: int" for name in self._signature.names]
        return ", ".join(parameters)

    def _kernel_source(self, ranks: Sequence[int | None]) -> list[str]:
        """Returns the lines of the loop for a function that returns arrays of these ranks; a rank is None if the result is no array or unknown."""
        signature, count = self._signature, len(self._inputs)
        arrays = count + len(self._results)
        lines = [f"size_{name} = words[{arrays + count + i}]" for i, name in enumerate(signature.names)]
        lines += ["stopped = 0", "for item in range(first, last):"]
        for i, dims in enumerate(signature.inputs):
            array = f"carray(as_pointer(words[{i}] + item * words[{arrays + i}]), {_shape_text(dims)}, input{i})"
            lines.append(f"    x{i} = {array}[0]" if not dims else f"    x{i} = readonly({array})")
        for i, (dims, dtype) in enumerate(zip(signature.results, self._results, strict=True)):
            size = " * ".join([*[_size_text(dim) for dim in dims], str(dtype.itemsize)])
            lines.append(
                f"    y{i} = carray(as_pointer(words[{count + i}] + item * {size}), {_shape_text(dims)}, result{i})"
            )
            if self._writes:
                lines.append(f"    y{i}.fill(0)")
        inputs, results = [f"x{i}" for i in range(count)], [f"y{i}" for i in range(len(self._results))]
        lines.append("    try:")
        if self._writes:
            lines.append(f"        function({', '.join(inputs + results)})")
        else:
            lines.append(f"        given = function({', '.join(inputs)})")
            for i, dims in enumerate(signature.results):
                value = "given" if len(results) == 1 else f"given[{i}]"
                lines.append(f"        if np.asarray({value}).shape != {f'y{i}.shape' if dims else '()'}:")
                lines.append("            raise ValueError")
                if not dims or ranks[i] != len(dims):
                    lines.append(f"        y{i}[{', '.join(':' * len(dims)) or '0'}] = {value}")
                    continue
                # Loops: Numba compiles an assignment to a slice with the text of its error, which takes seconds.
                lines.append(f"        value{i} = {value}")
                indices = [f"i{axis}" for axis in range(len(dims))]
                for axis, index in enumerate(indices):
                    lines.append(f"        {'    ' * axis}for {index} in range(y{i}.shape[{axis}]):")
                place = ", ".join(indices)
                lines.append(f"        {'    ' * len(dims)}y{i}[{place}] = value{i}[{place}]")
        return [
            *lines,
            "    except Exception:",
            "        stopped = item + 1",
            "    if stopped:",
            "        break",
            "return stopped",
        ]

    def _kernel_globals(self) -> dict[str, Any]:
        names: dict[str, Any] = {"function": self._function, "np": np}
        names |= {f"input{i}": dtype.type for i, dtype in enumerate(self._inputs)}
        return names | {f"result{i}": dtype.type for i, dtype in enumerate(self._results)}

    def launches(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches:
        """Returns the loop's launches. Each input has the whole batch, or one item that all of the batch shares."""
        signature = self._signature
        sizes = signature.sizes([x.shape for x in inputs])
        rank = len(outputs[0].shape) - len(signature.results[0])
        units = prod(outputs[0].shape[:rank])
        strides = []
        for x, dims in zip(inputs, signature.inputs, strict=True):
            is_shared = prod(x.shape[: len(x.shape) - len(dims)]) == 1
            strides.append(0 if is_shared else prod(x.shape[len(x.shape) - len(dims) :]) * x.dtype.itemsize)
        operands = [*map(Input, range(len(inputs))), *map(Output, range(len(outputs)))]
        numbers = [*strides, *[sizes[name] for name in signature.names]]
        cost = float(prod(sizes.values()) or 1)
        return Launches((Launch(self._step, (*operands, *numbers), units, cost),))

    def run(self, arrays: Sequence[np.ndarray], shapes: Sequence[tuple[int, ...]]) -> tuple[np.ndarray, ...]:
        """Runs the loop over a batch eagerly; returns new results of ``shapes``.

        Raises:
            Exception: what the function raises.
            InvalidArgumentError: the function returned arrays of shapes that were not declared.
        """
        results = tuple([np.empty(shape, dtype) for shape, dtype in zip(shapes, self._results, strict=True)])
        if not any(y.size for y in results):
            return results
        launches, _ = cached_launches(
            self.launches, lambda *_: tuple(map(ArraySpec, shapes, self._results)), arrays, {}
        )
        assert launches is not None
        failed_item = run_natively(launches, arrays, results, self.needs_gil)
        if failed_item is not None:
            self._raise_item_error(arrays, failed_item, self._signature.sizes([x.shape for x in arrays]))
        return results

    def _raise_item_error(self, arrays: Sequence[np.ndarray], item: int, sizes: Mapping[str, int]) -> None:
        """Calls the user's Python function on the batch item where the compiled loop stopped, to raise the error."""
        arguments: list[Any] = []
        for x, dims in zip(arrays, self._signature.inputs, strict=True):
            shape = x.shape[x.ndim - len(dims) :]
            batch = x.reshape(-1, *shape) if x.size else np.zeros((1, *shape), x.dtype)
            value = batch[item if len(batch) > 1 else 0]
            if dims:
                value = np.ascontiguousarray(value)
                value.flags.writeable = False
            arguments.append(value)
        if self._writes:
            results = zip(self._signature.results, self._results, strict=True)
            arguments += [np.zeros([sizes.get(str(d), d) for d in dims] or 1, dtype) for dims, dtype in results]
        result = self._function(*arguments)
        if not self._writes:
            returned_shapes = [np.shape(y) for y in (result if isinstance(result, tuple) else (result,))]
            declared_shapes = [tuple([sizes.get(str(dim), dim) for dim in dims]) for dims in self._signature.results]
            if returned_shapes != declared_shapes:
                raise InvalidArgumentError(
                    f"{self._name}: the function returned arrays of shapes {returned_shapes}; {self._signature.text} says {declared_shapes}."
                )
        raise InternalError(
            f"{self._name}: the function stopped a step at item {item}, and does not when Python calls it."
        )


def _size_text(dim: str | int) -> str:
    return str(dim) if isinstance(dim, int) else f"size_{dim}"


def _shape_text(dims: Sequence[str | int]) -> str:
    return f"({', '.join([_size_text(dim) for dim in dims] or ['1'])},)"
