"""The functions and objects of libpython, the C library and Numba that generated code names.

Generated code names no other symbol of these libraries. `tests/jit/test_external_symbols.py` looks each up in every
Python that is installed.
"""

from __future__ import annotations

PYTHON_SYMBOLS = frozenset(
    [
        "PyErr_Clear", "PyErr_NoMemory", "PyErr_Occurred", "PyEval_RestoreThread", "PyEval_SaveThread",
        "PyFloat_AsDouble", "PyList_Type", "PyLong_AsLongLong", "PyLong_FromLongLong", "PyMem_RawFree",
        "PyMem_RawMalloc", "PyObject_CallNoArgs", "PyObject_Vectorcall", "PyTuple_Type", "Py_IncRef", "_Py_NoneStruct",
    ]
)  # fmt: skip
"""What native wrappers of kernels need of Python."""

PYTHON_FUNCTIONS_BY_ADDRESS = frozenset(["PyBytes_FromStringAndSize", "Py_DecRef", "PyErr_Clear"])
"""Python's functions that kernels call by an address among their arguments."""

YIELD_FUNCTION = "sched_yield"
"""The C library's function (POSIX) with which a thread lets other threads run."""

_MATH_FUNCTIONS = [
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "cos", "cosh", "erf", "erfc", "exp",
    "exp2", "expm1", "fabs", "floor", "fma", "fmod", "hypot", "ldexp", "lgamma", "log", "log10", "log1p", "log2",
    "nearbyint", "pow", "rint", "round", "sin", "sinh", "sqrt", "tan", "tanh", "tgamma", "trunc",
]  # fmt: skip

C_SYMBOLS_OF_KERNELS = frozenset(
    [
        *("bzero", "memcpy", "memmove", "memset", "sincos", "sincosf", YIELD_FUNCTION),
        *(name + suffix for name in _MATH_FUNCTIONS for suffix in ("", "f")),
    ]
)
"""The C library's functions that a kernel's body may call: they neither allocate nor fail."""

C_SYMBOLS_OF_DERIVATIVES = frozenset(["free", "madvise", "malloc", "memcpy", "realloc"])
"""The C library's functions that derivatives call for their record stacks."""

NUMBA_SYMBOLS = frozenset(
    [
        *("get_num_threads", "numba_get_np_random_state", "numba_get_py_random_state", "numba_parallel_for"),
        "numba_xxgemm",
    ]
)
"""Functions of Numba's C modules that derivatives call."""
