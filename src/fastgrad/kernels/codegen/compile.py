"""From a kernel's Python function to object code. Importing this module imports Numba, so only a cache miss does.

Numba makes LLVM IR of a body (`frontend`). LLVM optimises each kernel once, together with its wrapper.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import llvmlite.binding as llvm

from fastgrad.kernels.codegen.atomics import YIELD_FUNCTION
from fastgrad.kernels.codegen.bounds import CHECKED_BUILD_SYMBOLS, checks_bounds
from fastgrad.kernels.codegen.frontend import TypeName, lower_body
from fastgrad.kernels.codegen.intrinsics import cpu_machine
from fastgrad.kernels.codegen.isa import features_for_loops
from fastgrad.kernels.codegen.library_calls import LIBRARY_CALL_PREFIX, definitions_ir
from fastgrad.kernels.codegen.native import initialize_llvm, run_passes, target_machine, undefined_symbols
from fastgrad.kernels.codegen.phases import watch_numba
from fastgrad.kernels.codegen.signature import ARRAY_KINDS, LIST_KINDS, KernelSource, Parameter
from fastgrad.kernels.codegen.wrapper import NDARRAY_TYPE, PYTHON_SYMBOLS, RAISE_SYMBOL, step_symbol, wrapper_ir

watch_numba()

# The functions of the C library that a body may call: they neither allocate nor fail.
_LIBM = [
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "cos", "cosh", "erf", "erfc", "exp",
    "exp2", "expm1", "fabs", "floor", "fma", "fmod", "hypot", "ldexp", "lgamma", "log", "log10", "log1p", "log2",
    "nearbyint", "pow", "rint", "round", "sin", "sinh", "sqrt", "tan", "tanh", "tgamma", "trunc",
]  # fmt: skip
ALLOWED_SYMBOLS = PYTHON_SYMBOLS | {
    NDARRAY_TYPE,
    "memcpy",
    "memmove",
    "memset",
    "sincos",
    "sincosf",
    "bzero",
    YIELD_FUNCTION,
}
ALLOWED_SYMBOLS |= {name + suffix for name in _LIBM for suffix in ("", "f")}


def compile_kernel(source: KernelSource, symbol: str) -> tuple[bytes, list[str]]:
    """Returns object code that defines `symbol` as a METH_FASTCALL function, and the symbols it leaves undefined.

    Args:
        source: the kernel's source.
        symbol: the name to define.

    Raises:
        RuntimeError: the body has constructs that a kernel's body must not have, may raise, or calls a forbidden
        function.
    """
    module = optimised_module(source, symbol)
    code = _target_machine().emit_object(module)
    undefined = undefined_symbols(code)
    if undefined is None:
        undefined = [f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm.")]
        undefined += [g.name for g in module.global_variables if g.is_declaration]
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
    module.triple, module.data_layout = target_machine().triple, str(_target_machine().target_data)
    for part in body.modules:
        module.link_in(part, preserve=True)
    rare = [f.name for f in module.functions if f.name.startswith(LIBRARY_CALL_PREFIX)]
    if rare:
        module.link_in(llvm.parse_assembly(definitions_ir(rare)))
    _optimise(module, symbol, bool(rare))
    return module


def assembly(module: Any) -> str:
    """Returns the assembly of an optimised module."""
    return str(_target_machine().emit_assembly(module))


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


@functools.cache
def _target_machine() -> Any:
    machine = target_machine()
    compiler = llvm.Target.from_triple(machine.triple)
    return compiler.create_target_machine(
        cpu=machine.cpu,
        features=features_for_loops(),
        opt=3,
        reloc="static" if compiler.name.startswith("x86") else "default",
        codemodel="jitdefault",
        jit=True,
    )


def _optimise(module: Any, symbol: str, inline: bool) -> None:
    """Makes everything but the entries private and runs LLVM's -O3 pipeline once.

    Args:
        module: the kernel's module.
        symbol: the kernel's name.
        inline: whether vectorisation may have added calls (see `library_calls`), which are then inlined, too.
    """
    machine = _target_machine()
    kept = symbol, step_symbol(symbol)
    module.data_layout = str(machine.target_data)
    for function in module.functions:
        if not function.is_declaration and function.name not in kept:
            function.linkage = "internal"
    for variable in module.global_variables:
        if not variable.is_declaration and not variable.name.startswith("llvm."):
            variable.linkage = "internal"
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = True
    builder = llvm.create_pass_builder(machine, options)
    run_passes(builder.getModulePassManager(), module, builder)
    if inline:
        after = llvm.create_new_module_pass_manager()
        after.add_always_inliner_pass()
        run_passes(after, module, builder)
