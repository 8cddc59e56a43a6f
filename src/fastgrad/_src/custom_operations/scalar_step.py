"""Scalar functions without a formula, compiled by Numba: a loop over the elements, as a step of programs.

The loop is a kernel like fastgrad's own where possible (scalar_kernel.py). Otherwise plain Numba compiles it.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import FunctionType
from typing import Any

import numpy as np

from fastgrad._src.core.errors import InternalError, InvalidArgumentError
from fastgrad._src.core.result_rules import ArraySpec
from fastgrad._src.custom_operations.native_step import (
    compiled_step,
    dispatcher_of,
    inferred_type,
    needs_gil,
    numba_type,
    run_natively,
    with_python_callees,
)
from fastgrad._src.custom_operations.scalar_kernel import result_dtype, scalar_kernel
from fastgrad._src.derivatives.functions.snapshot import Snapshot
from fastgrad._src.jit.jit_switch import jit_is_disabled
from fastgrad._src.kernels.elementwise.elementwise import Operands
from fastgrad._src.kernels.runtime.launch import Launches, Spec
from fastgrad._src.ops.kernel_launches import cached_launches


def cotangent_count_error(name: str, count: int, expected_count: int) -> InvalidArgumentError:
    """Returns the error for a gradient function that returns another number of cotangents than there are inputs."""
    return InvalidArgumentError(
        f"{name}: the gradient function returned {count} cotangents, and should return {expected_count}, one for each input."
    )


class ScalarStep:
    """The loop over elements for inputs of certain dtypes.

    Args:
        name: the function's name, for errors and reports.
        function: takes numbers.
        inputs: the dtypes of the numbers.
        part: the index of the result to compute, if the function gives several: one for each input after the first two.
        reached: what the function reaches.
        is_derivative: whether the function is the text of a derivative, which only plain Numba compiles.

    Attributes:
        dtype: the result's dtype. The inputs' dtype if it and the dtype of Numba's result are floats, else the latter.
        needs_gil: whether the function takes the GIL. Such a function can't be a step of a program.

    Raises:
        TypeError: Numba can't compile the function, or its result is not a number.
    """

    _kernel: Any
    needs_gil = False

    def __init__(
        self,
        name: str,
        function: FunctionType,
        inputs: tuple[np.dtype, ...],
        part: int | None,
        reached: Snapshot,
        is_derivative: bool = False,
    ) -> None:
        runs_python = jit_is_disabled()
        is_kernel = part is None and reached.refusal is None and not is_derivative and not runs_python
        kernel_and_dtype = scalar_kernel(name, function, inputs) if is_kernel else None
        if kernel_and_dtype is not None:
            self._kernel, self.dtype = kernel_and_dtype
            return
        from numba.core.errors import NumbaNotImplementedError
        from numba.np.numpy_support import as_dtype

        self._dispatcher = dispatcher_of(function, error_model="numpy")
        self._called = with_python_callees(function) if runs_python else self._dispatcher
        argument_types = [numba_type(dtype) for dtype in inputs]
        result = inferred_type(name, self._dispatcher, argument_types)
        self.needs_gil = runs_python or needs_gil(self._dispatcher, argument_types)
        if part is not None:
            count = len(getattr(result, "types", [result]))
            if count != len(inputs) - 2:
                raise cotangent_count_error(name, count, len(inputs) - 2)
            result = result.types[part]
        try:
            dtype = as_dtype(result)
        except NumbaNotImplementedError:
            raise TypeError(f"{name}: the function gives {result}, and should give a number.") from None
        self.dtype = result_dtype(inputs, dtype)
        positions = range(len(inputs))
        parameters = [*[f"x{i}: in[{dtype.name}]" for i, dtype in enumerate(inputs)], f"y: out[{self.dtype.name}]"]
        parameters += [f"step{i}: int" for i in positions]
        count = len(inputs)
        lines = [
            f"x{i} = carray(as_pointer(words[{i}]), (last * words[{count + 1 + i}] + 1,), type{i})" for i in positions
        ]
        lines.append(f"y = carray(as_pointer(words[{count}]), (last,), result)")
        lines += [f"step{i} = words[{count + 1 + i}]" for i in positions]
        call = f"function({', '.join([f'x{i}[k * step{i}]' for i in positions])}){'' if part is None else f'[{part}]'}"
        lines += [
            "stopped = 0",
            "for k in range(first, last):",
            "    try:",
            f"        y[k] = {call}",
            "    except Exception:",
            "        stopped = k + 1",
            "    if stopped:",
            "        break",
            "return stopped",
        ]
        elements = {f"type{i}": dtype.type for i, dtype in enumerate(inputs)}
        scope = {"function": self._called, "result": self.dtype.type, **elements}
        self._kernel = compiled_step(name, ", ".join(parameters), lines, scope)

    def launches(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches | None:
        """Returns the loop's launches for inputs that broadcast to the shape of the output."""
        operands = Operands(inputs, outputs[0].shape)
        if not operands.known:
            return None
        return operands.launches_of_kernel(self._kernel)

    def run(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """Runs the loop over elements eagerly, for arrays that broadcast; returns a new result.

        Raises:
            Exception: what the function raises.
        """
        shape = np.broadcast_shapes(*[x.shape for x in arrays])
        y = np.empty(shape, self.dtype)
        if not y.size:
            return y
        launches, _ = cached_launches(self.launches, lambda *_: ArraySpec(shape, self.dtype), arrays, {})
        assert launches is not None
        failed_element = run_natively(launches, arrays, [y], self.needs_gil)
        if failed_element is not None:
            values = [np.broadcast_to(x, shape).reshape(-1)[failed_element] for x in arrays]
            self._called(*values)  # raises
            raise InternalError(f"a function stopped a step at element {failed_element}, and does not for {values}.")
        return y
