"""Object code becomes a Python function: linked by llvmlite, wrapped by CPython."""

from __future__ import annotations

import ctypes
import struct
import threading
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

_METH_FASTCALL = 0x80

_lock = threading.Lock()
_engine: Any = None
_kept: list[Any] = []


class _MethodDef(ctypes.Structure):
    """CPython's PyMethodDef."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


def initialize_llvm() -> Any:
    """llvmlite's binding, ready to make code for this machine."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


def host_features() -> str:
    """LLVM's feature string of this CPU; empty where LLVM cannot tell."""
    import llvmlite.binding as llvm

    try:
        return llvm.get_host_cpu_features().flatten()
    except RuntimeError:
        return ""


def undefined_symbols(code: bytes) -> list[str] | None:
    """The symbols a 64-bit ELF object expects from elsewhere; None for another object format."""
    import llvmlite.binding as llvm

    if code[:5] != b"\x7fELF\x02":
        return None
    order = "<" if code[5] == 1 else ">"
    sections = {section.name(): section.data() for section in llvm.ObjectFileRef.from_data(code).sections()}
    names, symbols = sections[".strtab"], sections[".symtab"]
    found = []
    for name_at, _, _, section, _, _ in struct.iter_unpack(order + "IBBHQQ", symbols):
        if section == 0 and name_at != 0:
            found.append(names[name_at : names.index(b"\0", name_at)].decode())
    return found


def load_function(code: bytes, symbol: str, needs: Iterable[str], name: str, fallback: Callable) -> Callable:
    """Link object code into the process and make a Python function of its METH_FASTCALL entry.

    Args:
        code: trusted object code; LLVM aborts the process on a damaged one.
        symbol: the entry's name.
        needs: the names the code leaves undefined.
        name: the function's `__name__`.
        fallback: what the entry calls with arguments that do not fit.

    Raises:
        RuntimeError: if this process has no symbol of a needed name.
    """
    global _engine
    with _lock:
        if _engine is None:
            _engine = _new_engine()
        llvm = initialize_llvm()
        missing = [need for need in needs if llvm.address_of_symbol(need) is None]
        if missing:
            raise RuntimeError(f"kernel {name} needs {', '.join(missing)}, which this process does not have")
        _engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        _engine.finalize_object()
        address = _engine.get_function_address(symbol)
    method = _MethodDef(name.encode(), address, _METH_FASTCALL, None)
    make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)(
        ("PyCFunction_NewEx", ctypes.pythonapi)
    )
    _kept.append(method)
    return make(ctypes.addressof(method), fallback, None)


def _new_engine() -> Any:
    """One JIT engine for all kernels, which knows Python's symbols however the interpreter was linked."""
    from fastgrad.kernels.wrapper import NDARRAY_TYPE, PYTHON_SYMBOLS

    llvm = initialize_llvm()
    for symbol in PYTHON_SYMBOLS:
        llvm.add_symbol(symbol, ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, symbol)))
    llvm.add_symbol(NDARRAY_TYPE, id(np.ndarray))
    machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
