"""Compiles a kernel to PTX, the GPU's assembly language, by numba-cuda.

This needs neither a driver nor a GPU; `link` makes machine code of the PTX. The first compilation imports Numba.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from fastgrad._src.cuda.codegen.entry import entry_of, entry_source
from fastgrad._src.cuda.codegen.kernel import DeviceKernel
from fastgrad._src.cuda.codegen.library import GPU_REPLACEMENTS
from fastgrad._src.jit.body import ByDtype, DtypeConstant, Special, digest, fingerprint, is_scalar_function
from fastgrad._src.jit.signature import ARRAY_KINDS, LIST_KINDS, Parameter

COMPILER_PACKAGES = (
    *("numba-cuda", "numba", "llvmlite"),
    *("nvidia-cuda-nvrtc", "nvidia-cuda-runtime", "nvidia-nvjitlink", "nvidia-nvvm"),
)
"""The packages that make machine code; the code depends on their versions."""


class UnsupportedOnGpuError(RuntimeError):
    """The error for a body that uses something a GPU can't do."""


def compile_ptx(kernel: DeviceKernel, dtypes: Mapping[str, Any], capability: int) -> str:
    """Compiles a kernel to PTX; the entry is named `entry_name(kernel)`.

    Args:
        kernel: the kernel to compile.
        dtypes: the dtype of each type variable.
        capability: the compute capability of the GPU, times ten: 80, 90, 100, ...

    Raises:
        TypeError: the kernel does not support the dtypes.
        UnsupportedOnGpuError: the body uses something that a GPU can't do.
        RuntimeError: numba-cuda rejects the body; the message has its reason.
    """
    variables = kernel.checked_dtypes(dtypes)
    from fastgrad._src.cuda.codegen import numba_cuda

    types = numba_cuda.types
    type_items = tuple(variables.items())
    entry = _compilable_copy(entry_of(kernel, _device_function(kernel.function, type_items)), type_items)
    arguments = [_numba_type_of_parameter(parameter, variables) for parameter in kernel.entry_parameters]
    try:
        return numba_cuda.compile_entry(entry, (*arguments, types.CPointer(types.int64), types.int64), capability)
    except numba_cuda.NumbaError as error:
        raise RuntimeError(f"kernel {kernel.name} can't be compiled for a GPU: {error}") from error


def cache_key_of(kernel: DeviceKernel, dtypes: Mapping[str, Any]) -> str:
    """Returns the cache key of a kernel's machine code, without the GPU. Does not import Numba.

    Raises:
        TypeError: the kernel does not support the dtypes.
    """
    variables = kernel.checked_dtypes(dtypes)
    lines = [
        f"kernel {kernel.name}({kernel.signature.text})",
        f"types {variables}",
        f"body {fingerprint(kernel.function)}",
        entry_source(kernel),
        _compiler_versions(),
    ]
    return "\n".join(lines)


@functools.cache
def _compiler_versions() -> str:
    """Returns the versions of the compiler packages and of fastgrad's own code generation, as text."""
    folder = Path(__file__).parent
    own_digest = digest(b"".join(file.read_bytes() for file in sorted(folder.glob("*.py"))))
    functions = [
        fingerprint(function)
        for value in GPU_REPLACEMENTS.values()
        for function in (value.functions_by_dtype.values() if isinstance(value, ByDtype) else [value])
    ]
    versions = [f"{package} {metadata.version(package)}" for package in COMPILER_PACKAGES]
    return "\n".join([f"builder {own_digest}", *functions, *versions])


def _numba_type_of_parameter(parameter: Parameter, variables: Mapping[str, str]) -> Any:
    """Returns Numba's type of a parameter of a kernel's entry."""
    from fastgrad._src.cuda.codegen.numba_cuda import types

    if parameter.kind in ARRAY_KINDS + LIST_KINDS:
        array = types.CPointer(_numba_scalar_type(variables.get(str(parameter.element), str(parameter.element))))
        return types.CPointer(array) if parameter.kind in LIST_KINDS else array
    if parameter.kind in ("sizes", "objects"):
        return types.CPointer(types.int64)
    return types.float64 if parameter.kind == "float" else types.int64


def _numba_scalar_type(dtype: str) -> Any:
    """Returns Numba's type of an element of a dtype."""
    from fastgrad._src.cuda.codegen.numba_cuda import types

    return types.uint8 if dtype == "bool" else getattr(types, dtype)


@functools.lru_cache(maxsize=4096)
def _replacement_of_global(value: Any, variables: tuple[tuple[str, str], ...]) -> Any:
    """Returns the function or number that numba-cuda compiles in place of a global of a kernel's body."""
    from fastgrad._src.cuda.codegen.intrinsics import SPECIALS
    from fastgrad._src.cuda.codegen.numba_cuda import FunctionByDtype

    value = GPU_REPLACEMENTS.get(value, value)
    if isinstance(value, DtypeConstant):
        return value.values[dict(variables)["T"]]
    if isinstance(value, ByDtype):
        return FunctionByDtype(
            {name: _replacement_of_global(choice, variables) for name, choice in value.functions_by_dtype.items()}
        )
    if not isinstance(value, Special):
        return _device_function(value, variables)
    if value not in SPECIALS:
        raise UnsupportedOnGpuError(f"{value.name} is for a CPU")
    return _intrinsic_or_device_function(SPECIALS[value])


@functools.cache
def _intrinsic_or_device_function(function: Any) -> Any:
    """Returns an intrinsic, or a device function whose globals numba-cuda can use unchanged."""
    from fastgrad._src.cuda.codegen.numba_cuda import DeviceFunction

    return DeviceFunction(function) if isinstance(function, FunctionType) else function


def _device_function(function: FunctionType, variables: tuple[tuple[str, str], ...]) -> Any:
    from fastgrad._src.cuda.codegen.numba_cuda import DeviceFunction

    return DeviceFunction(_compilable_copy(function, variables))


def _compilable_copy(function: FunctionType, variables: tuple[tuple[str, str], ...]) -> FunctionType:
    """Returns a copy of a function that numba-cuda can compile, with its own globals."""
    from fastgrad._src.jit.compile import types_by_name

    scope = {name: value for name, value in function.__globals__.items() if name.startswith("__")}
    for name in function.__code__.co_names:
        if name in function.__globals__:
            value = function.__globals__[name]
            if isinstance(value, (Special, ByDtype, DtypeConstant)) or is_scalar_function(value):
                value = _replacement_of_global(value, variables)
            elif isinstance(value, type) and issubclass(value, np.generic):
                value = _numba_scalar_type(np.dtype(value).name)
            scope[name] = value
    scope |= {name: _numba_scalar_type(dtype) for name, dtype in types_by_name(dict(variables)).items()}
    return FunctionType(function.__code__, scope, function.__name__)
