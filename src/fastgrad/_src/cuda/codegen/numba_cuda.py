"""The adapter to numba-cuda, the compiler of GPU kernels. Except for the intrinsics, no other module names numba-cuda.

It needs neither a driver nor a GPU. Its project is in maintenance mode; a successor would replace it here. The import of this module
imports numba-cuda.

Public are `cuda.compile` and `extending.intrinsic`. This module calls two inner functions of `cuda.compile` (`compile_cuda`,
`kernel_fixup`), for two reasons. Products must not be contracted with sums, and `cuda.compile` has no option for that. Device
functions are compiled for a GPU that need not exist, but `cuda.jit(device=True)` asks the driver for one.
"""

from __future__ import annotations

import re
from types import FunctionType
from typing import Any

import numpy as np

if not hasattr(np, "row_stack"):  # numba-cuda#907: its import needs np.row_stack, which NumPy 2.5 removed
    setattr(np, "row_stack", np.vstack)  # noqa: B010  # no attribute in the types of NumPy 2.5

from numba import cuda
from numba.cuda import cgutils, types
from numba.cuda.compiler import compile_cuda, kernel_fixup
from numba.cuda.core.errors import NumbaError
from numba.cuda.dispatcher import CUDADispatcher
from numba.cuda.extending import intrinsic
from numba.cuda.typing import make_concrete_template

__all__ = ["DeviceFunction", "FunctionByDtype", "NumbaError", "cgutils", "compile_entry", "cuda", "intrinsic", "types"]

_NVVM_OPTIONS = {"opt": 3, "fma": 0}
"""Options of NVVM: it fuses products with sums only where a body asks for it."""
_NUMBA_ENVIRONMENT_PATTERN = re.compile(r"^\.common \.global \S+ \S+ \S+ \w*NumbaEnv\w*;\n", re.MULTILINE)
"""Declarations that only Python objects need. Their names differ in each compilation."""
_DEVICE_FUNCTION_CAPABILITY = 7, 5
"""The compute capability for device functions; their LLVM IR is the same for all GPUs."""


class DeviceFunction(CUDADispatcher):  # type: ignore[misc]  # numba-cuda has no types
    """A function that kernels call. It is compiled into each kernel for the types of its arguments."""

    def __init__(self, function: FunctionType) -> None:
        super().__init__(function, targetoptions={"device": True})

    def compile_device(self, args: tuple[Any, ...], return_type: Any = None) -> Any:
        """Compiles the device function for argument types ``args``, once for each set of types."""
        if args not in self.overloads:
            with self._compiling_counter:
                result = compile_cuda(self.py_func, return_type, args, forceinline=True, cc=_DEVICE_FUNCTION_CAPABILITY)
            self.overloads[args] = result
            result.target_context.insert_user_function(result.entry_point, result.fndesc, [result.library])
        return self.overloads[args]

    def get_call_template(self, args: Any, kws: Any) -> tuple[Any, ...]:
        """Returns the signature of a call, for type inference."""
        arguments = tuple([types.unliteral(a) for a in args])
        signature = self.compile_device(arguments).signature
        name = self.py_func.__name__
        return make_concrete_template(name, name, [signature]), None, arguments, kws


class FunctionByDtype:
    """A function that selects another function by the type of its first argument."""

    is_compiling = False  # numba-cuda reads it to detect recursion

    def __init__(self, choices: dict[str, DeviceFunction]) -> None:
        self.__name__ = "_or_".join(choice.__name__ for choice in choices.values())
        self._choices = choices

    @property
    def _numba_type_(self) -> Any:
        return types.Dispatcher(self)

    def _function_for(self, args: Any) -> DeviceFunction:
        name = str(types.unliteral(args[0]))
        if name not in self._choices:
            raise TypeError(f"{self.__name__} is for {', '.join(self._choices)}, not {name}")
        return self._choices[name]

    def get_call_template(self, args: Any, kws: Any) -> tuple[Any, ...]:
        """Returns the signature of a call, for type inference."""
        return self._function_for(args).get_call_template(args, kws)

    def get_overload(self, args: Any) -> Any:
        """Returns the compiled function for a call with argument types ``args``."""
        return self._function_for(args).get_overload(args)


def compile_entry(function: FunctionType, arguments: tuple[Any, ...], capability: int) -> str:
    """Compiles a kernel to PTX; its entry keeps the name of ``function``.

    Args:
        function: the entry, which returns nothing.
        arguments: the types of its parameters.
        capability: the compute capability of the GPU, times ten.

    Raises:
        NumbaError: the compiler rejects the entry.
    """
    generation = divmod(capability, 10)
    result = compile_cuda(function, types.void, arguments, nvvm_options=_NVVM_OPTIONS, cc=generation)
    name = result.fndesc.llvm_func_name
    kernel_fixup(result.library.get_function(name), False)
    text: str = result.library.get_asm_str(cc=generation)
    return _NUMBA_ENVIRONMENT_PATTERN.sub("", text).replace(name, function.__name__)
