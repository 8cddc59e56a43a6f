"""All contact with numba-cuda, the compiler of kernels for GPUs: no other module names it but for the intrinsics.

It needs neither a driver nor a GPU. Its project is in maintenance mode; a successor takes its place here. Importing this module imports it.

Public are `cuda.compile` and `extending.intrinsic`. Two things of `cuda.compile` are done here by the functions that it is made of
(`compile_cuda`, `kernel_fixup`): products are not contracted with sums, which it has no option for, and functions that a kernel calls
are compiled for a GPU that is not there, where `cuda.jit(device=True)` asks the driver for one.
"""

from __future__ import annotations

import re
from types import FunctionType
from typing import Any

import numpy as np

if not hasattr(np, "row_stack"):  # numba-cuda#907: NumPy 2.5 has none, and numba-cuda names it when it is imported
    np.row_stack = np.vstack  # noqa: NPY201

from numba import cuda
from numba.cuda import cgutils, types
from numba.cuda.compiler import compile_cuda, kernel_fixup
from numba.cuda.core.errors import NumbaError
from numba.cuda.dispatcher import CUDADispatcher
from numba.cuda.extending import intrinsic
from numba.cuda.typing import make_concrete_template

__all__ = ["ChosenFunction", "DeviceFunction", "NumbaError", "cgutils", "compile_entry", "cuda", "intrinsic", "types"]

_OPTIONS = {"opt": 3, "fma": 0}
"""NVVM's: products are fused with sums only where a body says so."""
_ENVIRONMENT = re.compile(r"^\.common \.global \S+ \S+ \S+ \w*NumbaEnv\w*;\n", re.MULTILINE)
"""Words that only Python's own objects would need; their names differ each time."""
_ANY = 7, 5  # what a function that kernels call is compiled for: its LLVM IR is the same for all


class DeviceFunction(CUDADispatcher):  # type: ignore[misc]  # numba-cuda has no types
    """A function that kernels call; it is compiled into each for the types of its arguments."""

    def __init__(self, function: FunctionType) -> None:
        super().__init__(function, targetoptions={"device": True})

    def compile_device(self, args: tuple[Any, ...], return_type: Any = None) -> Any:
        """What the compiler gives for arguments of these types; each is compiled once."""
        if args not in self.overloads:
            with self._compiling_counter:
                result = compile_cuda(self.py_func, return_type, args, forceinline=True, cc=_ANY)
            self.overloads[args] = result
            result.target_context.insert_user_function(result.entry_point, result.fndesc, [result.library])
        return self.overloads[args]

    def get_call_template(self, args: Any, kws: Any) -> tuple[Any, ...]:
        """The signature of a call, for what infers types."""
        arguments = tuple([types.unliteral(a) for a in args])
        signature = self.compile_device(arguments).signature
        name = self.py_func.__name__
        return make_concrete_template(name, name, [signature]), None, arguments, kws


class ChosenFunction:
    """A function that is another one for each type of its first argument."""

    is_compiling = False  # asked for to find recursion

    def __init__(self, choices: dict[str, DeviceFunction]) -> None:
        self.__name__ = "_or_".join(choice.__name__ for choice in choices.values())
        self._choices = choices

    @property
    def _numba_type_(self) -> Any:
        return types.Dispatcher(self)

    def _chosen(self, args: Any) -> DeviceFunction:
        name = str(types.unliteral(args[0]))
        if name not in self._choices:
            raise TypeError(f"{self.__name__} is for {', '.join(self._choices)}, not {name}")
        return self._choices[name]

    def get_call_template(self, args: Any, kws: Any) -> tuple[Any, ...]:
        """As that of a `DeviceFunction`."""
        return self._chosen(args).get_call_template(args, kws)

    def get_overload(self, args: Any) -> Any:
        """What a call of this signature is lowered by."""
        return self._chosen(args).get_overload(args)


def compile_entry(function: FunctionType, arguments: tuple[Any, ...], capability: int) -> str:
    """The PTX of a kernel whose entry, a function that gives nothing, gets its own name there.

    Args:
        function: the entry.
        arguments: the types of its parameters.
        capability: the compute capability of the GPU, times ten.

    Raises:
        NumbaError: the compiler refuses it.
    """
    generation = divmod(capability, 10)
    result = compile_cuda(function, types.void, arguments, nvvm_options=_OPTIONS, cc=generation)
    name = result.fndesc.llvm_func_name
    kernel_fixup(result.library.get_function(name), False)
    text: str = result.library.get_asm_str(cc=generation)
    return _ENVIRONMENT.sub("", text).replace(name, function.__name__)
