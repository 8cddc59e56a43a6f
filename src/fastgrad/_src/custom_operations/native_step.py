"""Users' functions as steps of programs: plain Numba compiles them with a loop over the items of a batch.

The step has the entry that all kernels have (``jit/wrapper.py: step_ir``): the address of a row of 64-bit
words, its arguments, and the first and last item of work. A function that raises stops the step; the returned value
tells the item.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence
from math import prod
from types import CellType, FunctionType
from typing import Any

import numpy as np

from fastgrad._src.derivatives.functions.dispatchers import dispatcher_of_copy, import_numba, numba_with_compiler
from fastgrad._src.derivatives.functions.snapshot import (
    compile_error,
    globals_and_closure_values,
    is_user_function,
    is_user_operation,
    python_function,
)
from fastgrad._src.jit.body import digest
from fastgrad._src.jit.bounds import checks_bounds
from fastgrad._src.jit.generated_source import function_from_source
from fastgrad._src.jit.jit_switch import DISABLE_JIT_VARIABLE, jit_is_disabled
from fastgrad._src.jit.locks import new_rlock
from fastgrad._src.jit.signature import SHARE_PARAMETERS, parse_signature
from fastgrad._src.kernels.runtime.eager_launch import EagerFrame, uses_pool
from fastgrad._src.kernels.runtime.launch import Launches, run_launches

_compile_lock = new_rlock()


class UserStep:
    """A step that runs a user's function, which ``Launch`` takes as a kernel.

    Args:
        name: the name in reports.
        parameters: the parameters in the notation of kernels, without ``first`` and ``last``.

    Attributes:
        signature: the parsed parameters.
        parameters: each parameter with the dtype of its array, or None.
        dtypes: the dtypes of these parameters by name.
        places: as in built kernels; see ``build._NativeFunctionSelf``.
        in_place: empty: no result is in place.
        source: None: there is no source for another machine.
    """

    source = None
    in_place = ()

    def __init__(self, name: str, parameters: str) -> None:
        self.__name__ = self.name = name
        self.signature = parse_signature(f"{parameters}, first: int, last: int -> int")
        self.parameters = [(p, None if p.element is None else np.dtype(p.element)) for p in self.signature.parameters]
        self.dtypes = {p.name: d for p, d in self.parameters}
        self.places = tuple(
            [
                (SHARE_PARAMETERS.index(p.name) if p.name in SHARE_PARAMETERS else -1, d, False)
                for p, d in self.parameters
            ]
        )

    def inspect_code(self, as_assembly: bool) -> str:
        """Returns the code of the step as LLVM IR, or as assembly."""
        raise NotImplementedError

    def run(self, words: Sequence[int], first: int, last: int) -> int:
        """Runs some items with ``words`` as the arguments; returns 0, or one more than the item where it stopped."""
        raise NotImplementedError

    @property
    def __self__(self) -> UserStep:
        """Returns the step itself. Native functions have the kernel's data in this attribute."""
        return self

    def __call__(self, *arguments: Any) -> int:
        """Runs the items ``first`` to ``last``, the last two arguments; returns the item where it stopped, or -1."""
        *operands, first, last = arguments
        return self.run([x.ctypes.data if isinstance(x, np.ndarray) else x for x in operands], first, last) - 1


class NativeStep(UserStep):
    """A step that Numba has compiled.

    Args:
        name, parameters: as of ``UserStep``.
        compiled: Numba's function, which holds the machine code.

    Attributes:
        step: the address of the entry.
    """

    def __init__(self, name: str, parameters: str, compiled: Any) -> None:
        super().__init__(name, parameters)
        self._compiled = compiled
        self.step: int = compiled.address
        function_type = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
        self._entry = function_type(compiled.address)

    def inspect_code(self, as_assembly: bool) -> str:
        # Numba's public interface has no `inspect_asm` for C functions; their library has it.
        return str(self._compiled._library.get_asm_str() if as_assembly else self._compiled.inspect_llvm())

    def run(self, words: Sequence[int], first: int, last: int) -> int:
        return int(self._entry(np.array(words, np.int64).ctypes.data, first, last))


class PythonStep(UserStep):
    """A step that runs as plain Python. It has no address: programs return to Python for it.

    Args:
        name, parameters: as of ``UserStep``.
        function: takes ``words``, ``first`` and ``last``.
    """

    def __init__(self, name: str, parameters: str, function: Callable[..., int]) -> None:
        super().__init__(name, parameters)
        self._function = function

    def inspect_code(self, as_assembly: bool) -> str:
        """Raises RuntimeError: the step has no machine code."""
        raise RuntimeError(
            f"{self.name} runs as plain Python, as {DISABLE_JIT_VARIABLE} says; unset it to see its code"
        )

    def run(self, words: Sequence[int], first: int, last: int) -> int:
        with np.errstate(all="ignore"):
            return self._function(words, first, last)


def _array_at(address: int, shape: tuple[int, ...], kind: Any) -> np.ndarray:
    """Returns a NumPy array over the memory at ``address``."""
    size = prod(shape) * np.dtype(kind).itemsize
    memory = (ctypes.c_char * size).from_address(address) if size else b""
    return np.frombuffer(memory, kind).reshape(shape)


def _as_readonly(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


_PYTHON_STEP_FUNCTIONS: dict[str, Any] = {"as_pointer": int, "carray": _array_at, "readonly": _as_readonly}


@functools.cache
def _numba_functions() -> dict[str, Any]:
    """Returns the functions that steps use from Numba: pointers from addresses, and read-only arrays."""
    numba = import_numba()
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

    return {"as_pointer": as_pointer, "readonly": readonly, "carray": numba.carray}


def dispatcher_of(function: Any, **options: Any) -> Any:
    """Returns a function compiled by Numba: unchanged if Numba compiled it for steps, else by ``numba.njit``.

    Numba also compiles the functions that it calls and that Numba does not know: plain ones and those of ``elementwise``. Checked
    builds check accesses to arrays.

    Args:
        function: the user's function.
        options: options of ``numba.njit``. With any option the function is compiled again.
    """
    target_options = getattr(function, "targetoptions", None)
    if not options and not checks_bounds() and target_options is not None and _is_callable_from_steps(function):
        return function
    options |= {"boundscheck": True} if checks_bounds() else {}
    copy = _with_replaced_callees(python_function(function), lambda inner: dispatcher_of(inner, **options))
    return dispatcher_of_copy(function, copy, **options)


def with_python_callees(function: FunctionType) -> FunctionType:
    """Returns a user's function with Python callees instead of Numba's, for ``PythonStep``."""
    return _with_replaced_callees(function, with_python_callees)


def _is_callable_from_steps(dispatcher: Any) -> bool:
    """True if a step can call a Numba function: it compiles for new types, without threads and without a file cache."""
    options = dispatcher.targetoptions
    is_cached = (
        type(dispatcher._cache).__name__ != "NullCache"
    )  # Numba shows no code that comes from a file: see needs_gil
    return dispatcher._can_compile and not options.get("parallel") and not options.get("forceobj") and not is_cached


def _with_replaced_callees(function: FunctionType, replacement_of: Callable[[FunctionType], Any]) -> FunctionType:
    """Returns a user's function, or a copy that calls ``replacement_of(callee)`` for callees unknown to Numba."""
    values = globals_and_closure_values(function)
    replacements = {
        name: replacement_of(python_function(value))
        for name, value in values.items()
        if value is not function and (is_user_function(value) or is_user_operation(value))
    }
    if not replacements:
        return function
    code = function.__code__
    cells = [
        CellType(replacements[name]) if name in replacements else cell
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True)
    ]
    copy = FunctionType(
        code, function.__globals__ | replacements, function.__name__, function.__defaults__, tuple(cells)
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__module__ = function.__module__
    copy.__qualname__ = function.__qualname__
    return copy


def inferred_type(name: str, dispatcher: Any, types: Sequence[Any]) -> Any:
    """Returns the type that Numba infers for a function's result from arguments of the Numba types ``types``.

    Raises:
        TypeError: Numba can't compile the function; the message has Numba's reason and the line.
    """
    with _compile_lock, numba_with_compiler() as numba:
        try:
            dispatcher.compile(tuple(types))
        except numba.core.errors.NumbaError as error:
            raise compile_error(name, types, error, dispatcher.py_func) from error
        return dispatcher.overloads[tuple(types)].signature.return_type


def needs_gil(dispatcher: Any, types: Sequence[Any]) -> bool:
    """True if a compiled function, or one that it calls, takes the GIL: to print, or for ``objmode``.

    A thread of a step must not wait for the GIL: the thread that waits for the step may hold it.
    """
    name = ""
    for line in dispatcher.overloads[tuple(types)].library.get_llvm_str().splitlines():
        if line.startswith("define"):
            name = line.partition("@")[2].strip('"')
        elif "gil_ensure" in line and not line.startswith("declare") and not name.startswith(_NUMBA_WRAPPER_PREFIXES):
            return True
    return False


_NUMBA_WRAPPER_PREFIXES = ("cfunc.", "cpython.")
# Numba generates these entries for callers in C and Python; other compiled functions do not call them.


def numba_type(dtype: np.dtype, rank: int | None = None, readonly: bool = False) -> Any:
    """Returns Numba's type of a number, or of a C-contiguous array."""
    numba = import_numba()
    scalar = numba.from_dtype(dtype)
    return scalar if rank is None else numba.types.Array(scalar, rank, "C", readonly=readonly)


def compiled_step(name: str, parameters: str, lines: Sequence[str], names: dict[str, Any]) -> UserStep:
    """Returns a step from ``lines``, the body of its function: compiled, or as plain Python if Numba's switch says so.

    Args:
        name: the name in reports and tracebacks.
        parameters: the parameters in the notation of kernels, without ``first`` and ``last``.
        lines: the body of a function of ``words``, ``first`` and ``last``.
        names: the values of names in the lines: the user's functions, dtypes.

    Raises:
        TypeError: Numba can't compile the function.
    """
    source = "\n".join(["def step(words, first, last):", *[f"    {line}" for line in lines]]) + "\n"
    filename = f"<fastgrad step {name} {digest(source.encode())[:12]}>"
    intrinsics = _PYTHON_STEP_FUNCTIONS if jit_is_disabled() else _numba_functions()
    step = function_from_source("step", source, filename, names | intrinsics)
    if jit_is_disabled():
        return PythonStep(name, parameters, step)
    numba = import_numba()
    with _compile_lock:
        try:
            compiled = numba.cfunc("int64(CPointer(int64), int64, int64)", nopython=True)(step)
        except numba.core.errors.NumbaError as error:
            raise compile_error(name, [parameters], error, step) from error
    return NativeStep(name, parameters, compiled)


def run_natively(
    launches: Launches, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray], on_this_thread: bool
) -> int | None:
    """Runs kernel launches that may stop at an item with an error; the thread pool runs large work.

    Args:
        launches: the launches. A second run of them gives the same results.
        inputs: arrays of the shapes and dtypes that the launches were made for.
        outputs: C-contiguous arrays.
        on_this_thread: whether this thread does all the work; it does not hold the GIL.

    Returns:
        None, or the item where the launches stopped.
    """
    arrays = [np.require(x, None, ["C", "A"]) for x in inputs]
    if not on_this_thread and uses_pool(launches):
        scratch = [np.empty(size, dtype) for dtype, size in launches.scratch]
        if EagerFrame(launches, arrays, outputs).run((*arrays, *outputs, *scratch)) < 0:
            return None
    return run_launches(launches, arrays, outputs)
