"""Users' functions as steps of programs: plain Numba compiles them, with a loop around that reads its arrays from words.

The step has the entry that all kernels have (``kernels/codegen/wrapper.py: step_ir``): the address of a row of words, and
the first and last item of work. A function that raises stops the step: the answer says for which item.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import linecache
from collections.abc import Callable, Sequence
from math import prod
from types import CellType, FunctionType
from typing import Any

import numpy as np

from fastgrad.custom.functions import outside_values, python_function
from fastgrad.kernels.codegen.body import digest
from fastgrad.kernels.codegen.bounds import checks_bounds
from fastgrad.kernels.codegen.interpreted import STEPS
from fastgrad.kernels.codegen.jit_switch import jit_is_disabled, refuse_code
from fastgrad.kernels.codegen.locks import new_rlock
from fastgrad.kernels.codegen.signature import SHARE, parse_signature
from fastgrad.kernels.codegen.uninterrupted import uninterrupted
from fastgrad.kernels.runtime.eager_launch import Frame, is_plain, is_shared
from fastgrad.kernels.runtime.launch import Launches, run_launches

_lock = new_rlock()


class NativeStep:
    """A compiled step, which ``Launch`` takes as a kernel.

    Args:
        name: shown in reports.
        parameters: in the notation of kernels, without ``first`` and ``last``.
        compiled: Numba's function, which holds the machine code.

    Attributes:
        step: the address of the entry.
        signature: its parameters.
        parameters: each with the dtype of its array, or None.
        places: as those of kernels that are built; see ``build._Conversion``.
        in_place: results are nowhere else.
        source: None: there is none for another machine.
    """

    source = None
    in_place = ()

    def __init__(self, name: str, parameters: str, compiled: Any) -> None:
        self.__name__ = self.name = name
        self.signature = parse_signature(f"{parameters}, first: int, last: int -> int")
        self.parameters = [(p, None if p.element is None else np.dtype(p.element)) for p in self.signature.parameters]
        self.places = tuple([(SHARE.index(p.name) if p.name in SHARE else -1, d, False) for p, d in self.parameters])
        self._compiled = compiled
        self._entry: Any
        self.step: int
        if isinstance(compiled, PythonStep):
            self.step, self._entry = STEPS.add(compiled), compiled.step
            return
        self.step = compiled.address
        kind = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
        self._entry = kind(compiled.address)

    def text(self, assembly: bool) -> str:
        """The code as LLVM IR, or as assembly."""
        refuse_code(self.name)
        # Functions for C have no `inspect_asm` in Numba's public interface; their library has it.
        return str(self._compiled._library.get_asm_str() if assembly else self._compiled.inspect_llvm())

    @property
    def __self__(self) -> NativeStep:
        """What is known of the kernel; native functions have it here."""
        return self

    def __call__(self, *arguments: Any) -> int:
        """Does the items from ``first`` to ``last``, the last two arguments; the item that it stopped at, or -1."""
        *operands, first, last = arguments
        words = np.array([x.ctypes.data if isinstance(x, np.ndarray) else x for x in operands], np.int64)
        return self._entry(words.ctypes.data, first, last) - 1


class PythonStep:
    """The function of a step as plain Python, for processes in which nothing is compiled.

    Args:
        function: of ``words``, ``first`` and ``last``.
        count: how many words there are.
    """

    def __init__(self, function: Callable[..., int], count: int) -> None:
        self._function = function
        self._count = count

    def step(self, address: int, first: Any, last: Any) -> int:
        """Runs it with the words at an address."""
        with np.errstate(all="ignore"):
            words = (ctypes.c_int64 * self._count).from_address(address)
            return self._function(words, int(first), int(last))


def _array_at(address: int, shape: tuple[int, ...], kind: Any) -> np.ndarray:
    """The array at an address."""
    size = prod(shape) * np.dtype(kind).itemsize
    memory = (ctypes.c_char * size).from_address(address) if size else b""
    return np.frombuffer(memory, kind).reshape(shape)


def _readonly(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


_IN_PYTHON: dict[str, Any] = {"as_pointer": int, "carray": _array_at, "readonly": _readonly}


@functools.cache
def _numba() -> tuple[Any, dict[str, Any]]:
    """Numba, and what the functions of steps use of it: a pointer of an address, arrays that are only read."""
    try:
        numba = uninterrupted(importlib.import_module, "numba")
    except ImportError as error:
        raise ImportError("functions of users are compiled by Numba; install numba.") from error
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def as_pointer(context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(types.voidptr))

        return types.voidptr(address), generate

    @intrinsic
    def readonly(context: Any, array: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return arguments[0]

        return types.Array(array.dtype, array.ndim, array.layout, readonly=True)(array), generate

    return numba, {"as_pointer": as_pointer, "readonly": readonly, "carray": numba.carray}


def dispatcher_of(function: Any, **options: Any) -> Any:
    """A function as Numba compiles it: one of Numba's as it is, any other by ``numba.njit``.

    Functions that it calls and that Numba does not know, as plain ones and those of ``elementwise``, are compiled, too. In checked
    builds accesses to arrays are checked.

    Args:
        function: the user's.
        options: of ``numba.njit``; with any the function is compiled again.
    """
    numba, _ = _numba()
    target_options = getattr(function, "targetoptions", None)
    if not options and not checks_bounds() and target_options is not None and _fits_steps(function):
        return function
    kept = {key: value for key, value in (target_options or {}).items() if key not in _DROPPED}
    checked = {"boundscheck": True} if checks_bounds() else {}
    options |= checked
    copy = _with_others(python_function(function), lambda inner: dispatcher_of(inner, **options))
    if not jit_is_disabled():
        return numba.njit(**(kept | options))(copy)
    from numba.core.registry import CPUDispatcher  # what njit makes, where it is not switched off

    return CPUDispatcher(copy, targetoptions={"nopython": True, **kept, **options})


def in_python(function: FunctionType) -> FunctionType:
    """The function as plain Python, for processes in which nothing is compiled."""
    return _with_others(function, in_python)


def _fits_steps(dispatcher: Any) -> bool:
    """Whether a step can call what Numba has compiled: its types are open, it starts no threads, and its code can be looked at."""
    options = dispatcher.targetoptions
    is_cached = (
        type(dispatcher._cache).__name__ != "NullCache"
    )  # of code from a file Numba shows nothing: see needs_gil
    return dispatcher._can_compile and not options.get("parallel") and not options.get("forceobj") and not is_cached


_DROPPED = frozenset(["nopython", "forceobj", "looplift", "cache", "parallel"])
# Loops of ``prange`` run one after another: the threads of a step have no others below them.


def _with_others(function: FunctionType, other: Callable[[FunctionType], Any]) -> FunctionType:
    """The function itself, or a copy that calls others in the place of the functions that Numba does not know."""
    values = outside_values(function)
    instead = {
        name: other(python_function(value))
        for name, value in values.items()
        if value is not function and _is_unknown(value)
    }
    if not instead:
        return function
    code = function.__code__
    cells = [
        CellType(instead[name]) if name in instead else cell
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True)
    ]
    copy = FunctionType(code, function.__globals__ | instead, function.__name__, function.__defaults__, tuple(cells))
    copy.__kwdefaults__, copy.__module__, copy.__qualname__ = (
        function.__kwdefaults__,
        function.__module__,
        function.__qualname__,
    )
    return copy


def _is_unknown(value: Any) -> bool:
    """Whether a value is a function of the user's that Numba can't call."""
    if isinstance(value, FunctionType):
        return (value.__module__ or "").partition(".")[0] not in {"numpy", "numba", "math", "scipy", "builtins"}
    return hasattr(value, "operation") and hasattr(value, "__wrapped__")  # of ``elementwise``


def typed_as(name: str, dispatcher: Any, types: Sequence[Any]) -> Any:
    """The type that Numba gives the result of a function for arguments of these Numba types.

    Raises:
        TypeError: Numba can't compile the function; the text has Numba's reason and the line.
    """
    numba, _ = _numba()
    with _lock:
        try:
            dispatcher.compile(tuple(types))
        except numba.core.errors.NumbaError as error:
            raise refused(name, types, error, dispatcher.py_func) from error
        return dispatcher.overloads[tuple(types)].signature.return_type


def needs_gil(dispatcher: Any, types: Sequence[Any]) -> bool:
    """Whether a compiled function, or one that it calls, takes Python's lock: to print, or for ``objmode``.

    A thread of a step must not wait for the lock, which the thread that waits for the step may hold.
    """
    name = ""
    for line in dispatcher.overloads[tuple(types)].library.get_llvm_str().splitlines():
        if line.startswith("define"):
            name = line.partition("@")[2].strip('"')
        elif "gil_ensure" in line and not line.startswith("declare") and not name.startswith(_ENTRIES):
            return True
    return False


_ENTRIES = ("cfunc.", "cpython.")
# What Numba makes for callers in C and Python: no part of what other compiled functions call.


def refused(name: str, types: Sequence[Any], error: Exception, function: FunctionType) -> TypeError:
    """The error for a function that Numba can't compile."""
    line = f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}"
    return TypeError(f"{name}: Numba can't compile the function at {line} for ({', '.join(map(str, types))}).\n{error}")


def numba_type(dtype: np.dtype, rank: int | None = None, readonly: bool = False) -> Any:
    """Numba's type of a number, or of a C-contiguous array."""
    numba, _ = _numba()
    scalar = numba.from_dtype(dtype)
    return scalar if rank is None else numba.types.Array(scalar, rank, "C", readonly=readonly)


def compiled_step(name: str, parameters: str, lines: Sequence[str], names: dict[str, Any]) -> NativeStep:
    """The step whose function has these lines.

    Args:
        name: for reports and tracebacks.
        parameters: in the notation of kernels, without ``first`` and ``last``.
        lines: of a function of ``words``, ``first`` and ``last``.
        names: what they use: the user's functions, dtypes.

    Raises:
        TypeError: Numba can't compile it.
    """
    source = "\n".join(["def step(words, first, last):", *[f"    {line}" for line in lines]]) + "\n"
    filename = f"<fastgrad step {name} {digest(source.encode())[:12]}>"
    linecache.cache[filename] = len(source), None, source.splitlines(keepends=True), filename
    scope = {**names, **(_IN_PYTHON if jit_is_disabled() else _numba()[1])}
    exec(compile(source, filename, "exec"), scope)  # noqa: S102 - our own text
    if jit_is_disabled():
        return NativeStep(name, parameters, PythonStep(scope["step"], parameters.count(",") + 1))
    numba, _ = _numba()
    with _lock:
        try:
            compiled = numba.cfunc("int64(CPointer(int64), int64, int64)", nopython=True)(scope["step"])
        except numba.core.errors.NumbaError as error:
            raise refused(name, [parameters], error, scope["step"]) from error
    return NativeStep(name, parameters, compiled)


def run_natively(
    launches: Launches, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray], alone: bool
) -> int | None:
    """Runs launches that may stop, by the team where there is much work.

    Args:
        launches: what to run; running it again gives the same.
        inputs: of the shapes and dtypes that it was made for.
        outputs: C-contiguous.
        alone: whether this thread does all of it; it does not hold Python's lock.

    Returns:
        None, or the item that stopped it.
    """
    arrays = [np.require(x, None, ["C", "A"]) for x in inputs]
    if not alone and is_shared(launches) and is_plain(launches):
        scratch = [np.empty(size, dtype) for dtype, size in launches.scratch]
        if Frame(launches, arrays, outputs).run((*arrays, *outputs, *scratch)):
            return None
    return run_launches(launches, arrays, outputs)
