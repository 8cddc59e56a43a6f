"""Turns object code into a Python function: llvmlite links it, CPython wraps it."""

from __future__ import annotations

import ctypes
import functools
import importlib
import struct
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.jit import bounds
from fastgrad._src.jit.gc_pause import pause_gc
from fastgrad._src.jit.uninterrupted import run_uninterrupted

_METH_FASTCALL = 0x80
_SYMBOL_TABLE = 2  # ELF's SHT_SYMTAB


class _MethodDef(ctypes.Structure):
    """CPython's PyMethodDef."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


def initialize_llvm() -> Any:
    """Returns llvmlite's binding, ready to make code for this machine."""
    with pause_gc():
        llvm = run_uninterrupted(importlib.import_module, "llvmlite.binding")
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


class Machine(NamedTuple):
    """A machine in LLVM's terms; no features if LLVM cannot tell."""

    triple: str
    cpu: str
    features: str


_chosen_machines: list[Machine] = []


def target_machine() -> Machine:
    """Returns the machine that kernels are compiled for: by default this one."""
    return _chosen_machines[-1] if _chosen_machines else _this_machine()


def compile_for(machine: Machine) -> None:
    """Makes this process compile for another machine; call it before all compilations.

    The process may load the code if its own processor runs it, as it does for a level of a wheel.
    """
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    _chosen_machines.append(machine)


@functools.cache
def _this_machine() -> Machine:
    import llvmlite.binding as llvm

    try:
        features = llvm.get_host_cpu_features().flatten()
    except RuntimeError:
        features = ""
    return Machine(llvm.get_process_triple(), llvm.get_host_cpu_name(), features)


def undefined_symbols(code: bytes) -> list[str] | None:
    """Returns the undefined symbols of a 64-bit ELF object; None for another object format."""
    if code[:5] != b"\x7fELF\x02":
        return None
    order = "<" if code[5] == 1 else ">"
    (table_at,) = struct.unpack_from(order + "Q", code, 40)
    size, count = struct.unpack_from(order + "HH", code, 58)
    headers = [struct.unpack_from(order + "IIQQQQII", code, table_at + i * size) for i in range(count)]
    symbols = []
    for _, kind, _, _, offset, length, link, _ in headers:
        if kind == _SYMBOL_TABLE:
            names_at = headers[link][4]
            for name, _, _, section, _, _ in struct.iter_unpack(order + "IBBHQQ", code[offset : offset + length]):
                if section == 0 and name != 0:
                    symbols.append(code[names_at + name : code.index(b"\0", names_at + name)].decode())
    return symbols


def load_function(code: bytes, symbol: str, undefined_names: Iterable[str], name: str, fallback: Any) -> Callable:
    """Links object code into the process and makes a Python function of its METH_FASTCALL entry.

    The address of its other entry goes to the attribute ``step`` of ``fallback``, which is the function's ``__self__``.
    The code lives as long as the function: a caller of the step by its address must hold the function.

    Not thread-safe: the caller holds a lock.

    Args:
        code: trusted object code; LLVM aborts the process on a damaged one.
        symbol: the entry's name.
        undefined_names: the names that the code leaves undefined.
        name: the function's `__name__`.
        fallback: the callable for arguments that do not fit; it does not hold the function.

    Raises:
        RuntimeError: this process has no symbol of a needed name.
    """
    from fastgrad._src.jit.wrapper import program_entry_symbol

    llvm = initialize_llvm()
    engine = _engines.next_engine()
    missing = [need for need in undefined_names if llvm.address_of_symbol(need) is None]
    if missing:
        raise RuntimeError(f"kernel {name} needs {', '.join(missing)}, which this process does not have")
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    address = engine.get_function_address(symbol)
    fallback.step = engine.get_function_address(program_entry_symbol(symbol))
    method = _MethodDef(name.encode(), address, _METH_FASTCALL, None)
    make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)(
        ("PyCFunction_NewEx", ctypes.pythonapi)
    )
    fallback.memory = engine, method
    return make(ctypes.addressof(method), fallback, None)


KERNELS_PER_ENGINE = 16
"""The number of consecutive kernels that share an engine. One engine for each kernel costs several times as much time
and memory; with many kernels, one used kernel keeps the code of all."""


class _Engines:
    """JIT engines; each is freed with the last function whose code it holds."""

    def __init__(self) -> None:
        self._engine: Any = None
        self._places = 0

    def next_engine(self) -> Any:
        """Returns the engine for one more kernel."""
        if not self._places:
            _register_python_symbols()
            llvm = initialize_llvm()
            machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
            self._engine, self._places = (
                llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine),
                KERNELS_PER_ENGINE,
            )
        self._places -= 1
        engine = self._engine
        if not self._places:
            self._engine = None
        return engine


_engines = _Engines()


@functools.cache
def _register_python_symbols() -> None:
    """Registers Python's symbols with LLVM, however the interpreter was linked."""
    from fastgrad._src.jit.external_symbols import PYTHON_SYMBOLS
    from fastgrad._src.jit.wrapper import NDARRAY_TYPE

    llvm = initialize_llvm()
    for symbol in PYTHON_SYMBOLS:
        llvm.add_symbol(symbol, ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, symbol)))
    llvm.add_symbol(NDARRAY_TYPE, id(np.ndarray))
    if bounds.checks_bounds():
        for symbol, address in bounds.symbol_addresses().items():
            llvm.add_symbol(symbol, address)
