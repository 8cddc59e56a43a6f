"""Compiles a kernel's Python function to object code. Only a cache miss imports this module, because the import loads Numba.

Numba makes LLVM IR of a body (`frontend`). LLVM optimises each kernel once, together with its wrapper.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import llvmlite.binding as llvm

from fastgrad._src.jit.bounds import CHECKED_BUILD_SYMBOLS, checks_bounds
from fastgrad._src.jit.external_symbols import C_SYMBOLS_OF_KERNELS, PYTHON_SYMBOLS
from fastgrad._src.jit.frontend import TypeName, lower_body
from fastgrad._src.jit.intrinsics import cpu_machine
from fastgrad._src.jit.isa import features_for_loops
from fastgrad._src.jit.library_calls import LIBRARY_CALL_PREFIX, definitions_ir
from fastgrad._src.jit.native import initialize_llvm, target_machine, undefined_symbols
from fastgrad._src.jit.object_code import Settings, object_code, optimise
from fastgrad._src.jit.object_code import target_machine as llvm_machine
from fastgrad._src.jit.phases import watch_numba
from fastgrad._src.jit.signature import ARRAY_KINDS, LIST_KINDS, KernelSource, Parameter
from fastgrad._src.jit.wrapper import NDARRAY_TYPE, RAISE_SYMBOL, program_entry_symbol, wrapper_ir

watch_numba()

ALLOWED_SYMBOLS = PYTHON_SYMBOLS | C_SYMBOLS_OF_KERNELS | {NDARRAY_TYPE}


def compile_kernel(source: KernelSource, symbol: str) -> tuple[bytes, list[str]]:
    """Returns object code that defines `symbol` as a METH_FASTCALL function, and the symbols it leaves undefined.

    Args:
        source: the kernel's source.
        symbol: the name to define.

    Raises:
        RuntimeError: the body has constructs that a kernel's body must not have, may raise, or calls a forbidden
        function.
    """
    module, settings = unoptimised_module(source, symbol)
    optimise(module, settings)
    return checked_code(source, *object_code(module, settings))


def checked_code(source: KernelSource, code: bytes, declared: list[str]) -> tuple[bytes, list[str]]:
    """Returns object code and the symbols that it leaves undefined.

    Args:
        source: the kernel's source.
        code: its object code.
        declared: the names that its module declares.

    Raises:
        RuntimeError: as of `compile_kernel`.
    """
    undefined = undefined_symbols(code)
    if undefined is None:
        undefined = declared
    refused = sorted(set(undefined) - ALLOWED_SYMBOLS - (CHECKED_BUILD_SYMBOLS if checks_bounds() else frozenset()))
    if RAISE_SYMBOL in refused:
        raise RuntimeError(f"kernel {source.function.__name__} may raise; a kernel's body must not")
    if refused:
        raise RuntimeError(
            f"kernel {source.function.__name__} needs {', '.join(refused)}, which a kernel must not call"
        )
    return code, sorted(undefined)


def optimised_module(source: KernelSource, symbol: str) -> Any:
    """Returns the optimised LLVM module from which `compile_kernel` makes object code, for the same arguments."""
    module, settings = unoptimised_module(source, symbol)
    optimise(module, settings)
    return module


def unoptimised_module(source: KernelSource, symbol: str) -> tuple[Any, Settings]:
    """Returns a kernel's module as Numba makes it, with its wrapper, and the settings of its optimisation."""
    initialize_llvm()
    arguments = [parameter_type(parameter, source.variables) for parameter in source.signature.parameters]
    result = "int64" if source.signature.returns_status else "none"
    # Checked builds compare addresses instead of trusting them.
    noalias = source.noalias and not checks_bounds()
    in_place = () if checks_bounds() else source.in_place
    body = lower_body(
        source.function, arguments, result, types_by_name(source.variables), noalias, in_place, cpu_machine
    )
    module = llvm.parse_assembly(wrapper_ir(source, symbol) + body.text)
    machine = target_machine()
    settings = Settings(
        machine.triple, machine.cpu, features_for_loops(), (symbol, program_entry_symbol(symbol)), False
    )
    module.triple, module.data_layout = machine.triple, str(_llvm_machine(settings).target_data)
    for part in body.modules:
        module.link_in(part, preserve=True)
    rare = [f.name for f in module.functions if f.name.startswith(LIBRARY_CALL_PREFIX)]
    if rare:
        module.link_in(llvm.parse_assembly(definitions_ir(rare)))
    return module, settings._replace(inline=bool(rare))


def assembly(module: Any) -> str:
    """Returns the assembly of an optimised module."""
    machine = target_machine()
    settings = Settings(machine.triple, machine.cpu, features_for_loops(), (), False)
    return str(_llvm_machine(settings).emit_assembly(module))


def parameter_type(parameter: Parameter, variables: Mapping[str, str]) -> TypeName:
    """Returns the type of a parameter in the body."""
    if parameter.kind in ARRAY_KINDS + LIST_KINDS:
        element = variables.get(str(parameter.element), str(parameter.element))
        return ("**" if parameter.kind in LIST_KINDS else "*") + ("uint8" if element == "bool" else element)
    if parameter.kind in ("sizes", "objects"):
        return "*int64"
    return "float64" if parameter.kind == "float" else "int64"


def types_by_name(variables: Mapping[str, str]) -> dict[str, TypeName]:
    """Returns the names of types in a body: its type variables, and integers of the same widths."""
    types = dict(variables)
    for name, element in variables.items():
        types[name + "_bits"] = "int32" if element in ("float32", "int32") else "int64"
    return types


def _llvm_machine(settings: Settings) -> Any:
    return llvm_machine(settings.triple, settings.cpu, settings.features)
