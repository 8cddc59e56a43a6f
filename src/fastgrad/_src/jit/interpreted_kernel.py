"""Kernels that run as plain Python, under `NUMBA_DISABLE_JIT=1`: one can print in them and debug them.

A body runs as a copy of its function, with the same bytecode and lines, but with other objects for its names and
literals. These are numbers with Numba's types, `NumberType`s, the Python implementations of `body`'s names, and copies
of the scalar functions that it calls.
"""

from __future__ import annotations

import builtins
import dis
import math
import types
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fastgrad._src.jit.body import ByDtype, DtypeConstant, Special
from fastgrad._src.jit.interpreted import INTERPRETED_FUNCTIONS, STEP_TABLE
from fastgrad._src.jit.interpreted_numbers import MATH, NUMBER_TYPES, Integer, NumberType, number_type, typed_literal
from fastgrad._src.jit.interpreted_pointers import AddressPointer, ArrayPointer, PointerTable, pointer_at
from fastgrad._src.jit.signature import (
    ARRAY_KINDS,
    LIST_KINDS,
    SHARE_PARAMETERS,
    Parameter,
    Signature,
    array_size_words,
)
from fastgrad._src.jit.wrapper import TUPLE_ITEMS_AT

_INT64 = NUMBER_TYPES["int64"]
_LOAD_SMALL_INT_OPCODE = dis.opmap.get(
    "LOAD_SMALL_INT"
)  # from Python 3.14 on: an integer in the instruction, not in the code's constants
_LOAD_CONST_OPCODE = dis.opmap["LOAD_CONST"]


_kernels: weakref.WeakValueDictionary[str, PythonKernel] = weakref.WeakValueDictionary()


def functions() -> dict[str, Any]:
    """Returns the functions of all kernels that have been used, by name and dtypes, for breakpoints of a debugger."""
    return {name: kernel.function for name, kernel in _kernels.items()}


class PythonKernel:
    """A kernel for given dtypes that is called like its native function, and runs as plain Python.

    Args:
        function_self: the converter of arguments, as for native functions.
        function: the body.
        signature: its parameters.
        variables: the dtype name of each type variable.
    """

    def __init__(self, function_self: Any, function: Any, signature: Signature, variables: Mapping[str, str]) -> None:
        self.__self__ = function_self
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__
        self.function = python_function(function, variables)
        self._title = f"{self.__name__}[{', '.join(variables.values())}]" if variables else self.__name__
        self._signature = signature
        self._elements = [p.element and number_type(variables.get(p.element, p.element)) for p in signature.parameters]
        self._words = array_size_words(signature)
        function_self.step = STEP_TABLE.add(self)
        _kernels[self._title] = self

    def __repr__(self) -> str:
        return f"<kernel {self._title} as plain Python>"

    def __call__(self, *args: Any) -> int | None:
        """Converts the arguments and runs the body; returns its status, if it has one."""
        names = [p.name for p in self._signature.passed_parameters]
        values = dict(zip(names, self.__self__.converted_arguments(args), strict=True))
        arguments = [self._argument(p, values) for p in self._signature.parameters]
        with np.errstate(all="ignore"):
            return self._status(self.function(*arguments))

    def step(self, address: int, first: Any, last: Any) -> int:
        """Runs the kernel with operands in the words at an address; returns 0, or the kernel's status + 1."""
        words = AddressPointer(_INT64, address)
        shares = dict(zip(SHARE_PARAMETERS, (first, last), strict=True))
        place, arguments = 0, []
        for parameter, kind in zip(self._signature.parameters, self._elements, strict=True):
            if parameter.is_share_bound:
                arguments.append(_INT64(shares[parameter.name]))
                continue
            sizes = [words[i] for i in self._words.get(parameter.name, ())]
            arguments.append(_argument_of_word(parameter, kind, words[place], sizes))
            place += 1
        status = self._status(self.function(*arguments))
        return 0 if status is None else status + 1

    def _status(self, status: Any) -> int | None:
        return int(_INT64(status)) if self._signature.returns_status else None

    def _argument(self, parameter: Parameter, values: Mapping[str, Any]) -> Any:
        name, kind = parameter.name, parameter.kind
        if kind in ARRAY_KINDS:
            return ArrayPointer(values[name], name)
        if kind in LIST_KINDS:
            return PointerTable([ArrayPointer(x, f"{name}[{i}]") for i, x in enumerate(values[name])], name)
        if kind == "objects":
            return AddressPointer(_INT64, id(values[name]) + TUPLE_ITEMS_AT)
        if kind in ("int", "float"):
            return typed_literal(values[name])
        arrays = next(values[p.name] for p in self._signature.parameters if p.kind in LIST_KINDS)
        if kind == "count":
            return np.int64(len(arrays))
        return ArrayPointer(np.array([x.size for x in arrays], np.int64), name)


def _argument_of_word(parameter: Parameter, element: Any, word: Any, sizes: list[Any]) -> Any:
    name, kind = parameter.name, parameter.kind
    if kind in ARRAY_KINDS:
        return pointer_at(element, word, sizes[0], name)
    if kind == "sizes":
        return pointer_at(_INT64, word, sizes[0], name)
    if kind in LIST_KINDS:
        table, counts = AddressPointer(_INT64, word), AddressPointer(_INT64, sizes[0])
        pointers = [pointer_at(element, table[i], counts[i], f"{name}[{i}]") for i in range(sizes[1])]
        return PointerTable(pointers, name)
    return AddressPointer(NUMBER_TYPES["float64"], word)[0] if kind == "float" else word


# ---- functions as Numba understands them -----------------------------------------------------------------------


def python_function(function: Any, variables: Mapping[str, str]) -> Any:
    """Returns a copy of a body or a scalar function in which numbers and names have Numba's meaning.

    Args:
        function: the function.
        variables: the dtype name of each type variable.
    """
    types_of_names = {name: number_type(element) for name, element in variables.items()}
    for name, element in variables.items():
        types_of_names[f"{name}_bits"] = NUMBER_TYPES["int32" if element in ("float32", "int32") else "int64"]
    return _interpretable_copy(function, types_of_names, {})


def _interpretable_copy(function: Any, types_of_names: Mapping[str, NumberType], copies: dict[Any, Any]) -> Any:
    if function not in copies:
        scope = dict(function.__globals__)
        copies[function] = types.FunctionType(_code_with_typed_literals(function.__code__), scope, function.__name__)
        for name in function.__code__.co_names:
            if name in scope:
                scope[name] = _interpretable_global(scope[name], types_of_names, copies)
        scope.update(types_of_names, range=_int64_range)
    return copies[function]


def _interpretable_global(value: Any, types_of_names: Mapping[str, NumberType], copies: dict[Any, Any]) -> Any:
    """Returns what replaces a global of a kernel's body when the body runs as plain Python."""
    if isinstance(value, Special):
        return INTERPRETED_FUNCTIONS.get(value, value)
    if isinstance(value, DtypeConstant):
        return typed_literal(value.values[types_of_names["T"].name])
    if isinstance(value, ByDtype):
        choices = {
            name: _interpretable_copy(choice, types_of_names, copies)
            for name, choice in value.functions_by_dtype.items()
        }
        return lambda *args: choices[_dtype_name(args[0])](*args)
    value = getattr(value, "py_func", value)  # the Python function, if Numba has compiled it
    if isinstance(value, types.FunctionType):
        return _interpretable_copy(value, types_of_names, copies)
    if isinstance(value, type) and issubclass(value, (np.number, np.bool_)):
        return number_type(value)
    return MATH if value is math else typed_literal(value)


def _dtype_name(value: Any) -> str:
    return value.kind if type(value) is Integer else np.result_type(value).name


def _int64_range(*bounds: Any) -> Iterator[Any]:
    return map(np.int64, builtins.range(*bounds))


def _code_with_typed_literals(code: types.CodeType) -> types.CodeType:
    """Returns the code with its literal numbers as NumPy scalars."""
    constants = [typed_literal(constant) for constant in code.co_consts]
    units = bytearray(code.co_code)
    if _LOAD_SMALL_INT_OPCODE is not None:
        places: dict[int, int] = {}
        for at in range(0, len(units), 2):
            if units[at] == _LOAD_SMALL_INT_OPCODE:
                value = units[at + 1]
                if value not in places:
                    places[value] = len(constants)
                    constants.append(np.int64(value))
                if places[value] > 255:
                    raise ValueError(f"{code.co_name}: more than 255 literals in a kernel that runs as plain Python")
                units[at], units[at + 1] = _LOAD_CONST_OPCODE, places[value]
    return code.replace(co_consts=tuple(constants), co_code=bytes(units))
