"""Kernels of scalar functions without a formula. They are kept in the disk cache, and compiled for GPUs, too.

Only functions of numbers become kernels. Plain Numba (scalar_step.py) takes functions that raise, that use variables of an
enclosing function, arrays or defaults, and functions of several results.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from fastgrad._src.compiler.fusion.scalar_casts import element_type, load_code, store_code
from fastgrad._src.core.operation import FLOAT_DTYPES
from fastgrad._src.custom_operations.formula import promoted_dtype
from fastgrad._src.jit import cache, store
from fastgrad._src.jit.body import digest, fingerprint
from fastgrad._src.jit.build import Kernel
from fastgrad._src.jit.generated_source import function_from_source, name_in_source
from fastgrad._src.jit.signature import parse_signature
from fastgrad._src.jit.uninterrupted import run_uninterrupted
from fastgrad._src.jit.user_function import kernel_function

_CACHE_CONTENT_WITHOUT_KERNEL = b"none"


def result_dtype(inputs: tuple[np.dtype, ...], result: np.dtype) -> np.dtype:
    """Returns the operation's result dtype: the inputs' dtype if it and ``result`` are floats, else ``result``."""
    number_dtypes = [dtype for dtype in inputs if dtype.kind != "b"]
    common_dtype = promoted_dtype(*number_dtypes) if number_dtypes else result
    return common_dtype if result in FLOAT_DTYPES and common_dtype in FLOAT_DTYPES else result


def scalar_kernel(
    name: str, function: FunctionType, inputs: tuple[np.dtype, ...]
) -> tuple[Callable[..., Any], np.dtype] | None:
    """Returns a function's kernel and the dtype of its result; None if the function can't be a kernel.

    Args:
        name: the name in errors.
        function: takes numbers.
        inputs: the dtypes of the numbers.
    """
    try:
        copy = kernel_function(function, name)
        content_hash = fingerprint(copy)
    except TypeError:
        return None
    key = f"scalar function {content_hash} of {[dtype.name for dtype in inputs]}"
    entry = store.load(key)
    if entry is not None and entry.code == _CACHE_CONTENT_WITHOUT_KERNEL:
        return None
    try:
        result = _inferred_dtype(copy, inputs) if entry is None else np.dtype(entry.code.decode())
        kernel = None if result is None else _build_kernel(copy, inputs, result, content_hash)
    except RuntimeError:  # Numba refuses it, or it may raise: plain Numba takes more, or gives the reason
        kernel = result = None
    if entry is None:
        store.save(key, cache.Entry(_CACHE_CONTENT_WITHOUT_KERNEL if result is None else result.name.encode(), ()))
    return None if kernel is None or result is None else (kernel, result_dtype(inputs, result))


def _inferred_dtype(function: FunctionType, inputs: tuple[np.dtype, ...]) -> np.dtype | None:
    """Returns the dtype of a function's result; None if the result is not a number."""
    run_uninterrupted(importlib.import_module, "fastgrad._src.jit.intrinsics")
    from numba import types

    from fastgrad._src.jit.frontend import frontend
    from fastgrad._src.jit.intrinsics import cpu_machine

    numba = frontend(cpu_machine)
    argument_types = tuple([numba.numba_type(dtype.name) if dtype.kind != "b" else types.boolean for dtype in inputs])
    result = numba.scalar_function(function, {}).compiled_function(argument_types).signature.return_type
    dtype_name = "bool" if str(result) == "boolean" else str(result)
    return np.dtype(dtype_name) if dtype_name in _NUMBER_DTYPES else None


_NUMBER_DTYPES = frozenset(
    ["bool", "float32", "float64", *[f"{u}int{width}" for u in ("", "u") for width in (8, 16, 32, 64)]]
)


def _build_kernel(
    function: FunctionType, inputs: tuple[np.dtype, ...], result: np.dtype, content: str
) -> Callable[..., Any]:
    positions = range(len(inputs))
    output_dtype = result_dtype(inputs, result)
    parameters = [f"x{i}: in[{element_type(dtype)}]" for i, dtype in enumerate(inputs)]
    parameters += [
        f"y: out[{element_type(output_dtype)}]",
        *[f"step{i}: int" for i in positions],
        "first: int",
        "last: int",
    ]
    loaded_values = [load_code(f"x{i}[k * step{i}]", dtype) for i, dtype in enumerate(inputs)]
    call = f"function({', '.join(loaded_values)})"
    value = call if output_dtype.kind == "b" else f"{output_dtype.name}({call})"
    name = f"{name_in_source(function.__name__)}_{digest(f'{content} {inputs}'.encode())[:12]}"
    lines = [
        f"def {name}({', '.join([parameter.partition(':')[0] for parameter in parameters])}):",
        "    for k in range(first, last):",
        f"        y[k] = {store_code(value, output_dtype)}",
    ]
    source = "\n".join(lines) + "\n"
    filename = f"<fastgrad kernel {name}>"
    body = function_from_source(name, source, filename, {"function": function, output_dtype.name: output_dtype.type})
    kernel = Kernel(body, parse_signature(", ".join(parameters)), {}, release_gil=False, noalias=True)
    return kernel[()]
