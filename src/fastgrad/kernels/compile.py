"""From a kernel's Python function to object code. Importing this module imports Numba, so only a cache miss does.

Numba translates the body and the functions it calls to plain LLVM IR, with two shortcuts over `numba.njit` that take
a first compilation from about 0.8 s to 0.3 s and a further one from 0.1 s to 0.05 s: the typing and lowering rules of
scalars alone are loaded (no arrays, strings, containers, no run-time system), and LLVM optimises each kernel once,
together with its wrapper, instead of once per function and stage.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

import llvmlite.binding as llvm
from numba.core import codegen, compiler, cpu, fastmathpass, types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.cpu_options import FastMathOptions
from numba.core.typing import context as typing_context
from numba.core.typing import make_concrete_template, templates

from fastgrad.kernels.native import host_features, initialize_llvm, undefined_symbols
from fastgrad.kernels.signature import ARRAY_KINDS, LIST_KINDS, Signature
from fastgrad.kernels.wrapper import NDARRAY_TYPE, PYTHON_SYMBOLS, RAISED, NativeFunction, wrapper_ir

# What a body may call: functions of the C library that neither allocate nor fail.
_LIBM = [
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cbrt",
    "ceil",
    "cos",
    "cosh",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expm1",
    "fabs",
    "floor",
    "fma",
    "fmod",
    "hypot",
    "ldexp",
    "lgamma",
    "log",
    "log10",
    "log1p",
    "log2",
    "nearbyint",
    "pow",
    "rint",
    "round",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "tgamma",
    "trunc",
]
ALLOWED_SYMBOLS = PYTHON_SYMBOLS | {NDARRAY_TYPE, "memcpy", "memmove", "memset", "sincos", "sincosf", "bzero"}
ALLOWED_SYMBOLS |= {name + suffix for name in _LIBM for suffix in ("", "f")}


class _ScalarTyping(typing_context.BaseContext):
    """Numba's typing rules without those of methods, which would load every container type."""

    def __init__(self) -> None:
        self._scalar_registries: dict[Any, templates.Registry] = {}
        super().__init__()

    def load_additional_registries(self) -> None:
        from numba.core.typing import mathdecl

        self.install_registry(mathdecl.registry)

    def install_registry(self, registry: Any) -> None:
        if registry not in self._scalar_registries:
            scalar = templates.Registry()
            scalar.functions, scalar.globals = registry.functions, registry.globals
            scalar.attributes = [
                attribute
                for attribute in registry.attributes
                if not issubclass(attribute, templates._OverloadAttributeTemplate)
            ]
            self._scalar_registries[registry] = scalar
        super().install_registry(self._scalar_registries[registry])


class _ScalarTarget(cpu.CPUContext):
    """Numba's CPU target without its run-time system and without containers."""

    def load_additional_registries(self) -> None:
        from numba.core import optional  # noqa: F401 - registers on import, as do the next
        from numba.cpython import builtins, mathimpl, numbers, rangeobj, tupleobj  # noqa: F401

        self.install_registry(mathimpl.registry)

    def post_lowering(self, mod: Any, library: Any) -> None:
        fastmathpass.rewrite_module(mod, self.fastmath)


class _PlainLibrary(codegen.CPUCodeLibrary):
    """Collects the IR of functions, neither optimised nor made executable."""

    def _optimize_functions(self, ll_module: Any) -> None:
        pass

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalized = True


class _Frontend:
    """Numba's contexts, and the scalar functions compiled so far."""

    def __init__(self) -> None:
        self.typing = _ScalarTyping()
        self.target = _ScalarTarget(self.typing)
        self.target.refresh()
        self.callees: dict[Any, _Callee] = {}

    def lower(self, function: FunctionType, arguments: tuple, result: Any, inline: bool) -> Any:
        """Translate one function. Returns its library and Numba's compile result."""
        flags = compiler.Flags()
        flags.no_cpython_wrapper = flags.no_cfunc_wrapper = flags.no_compile = True
        flags.error_model = "numpy"
        flags.fastmath = FastMathOptions({"contract"})
        flags.nrt = False
        flags.forceinline = inline
        library = _PlainLibrary(self.target.codegen(), function.__name__)
        outcome = compiler.compile_extra(
            self.typing, self.target, function, arguments, result, flags, {}, library=library
        )
        library.finalize()
        return library, outcome


class _CalleeType(types.Dispatcher):
    """The Numba type of a `_Callee`."""


class _Callee:
    """A scalar function as Numba sees it in the globals of a kernel: compiled when a call is typed."""

    is_compiling = False  # Numba asks, to find recursion

    def __init__(self, frontend: _Frontend, function: FunctionType) -> None:
        self.frontend = frontend
        self.function = function
        self.overloads: dict[tuple, tuple[object, Any]] = {}

    @property
    def _numba_type_(self) -> _CalleeType:
        return _CalleeType(self)

    def get_call_template(self, args: Any, kws: Any) -> tuple:
        arguments = tuple(types.unliteral(a) for a in args)
        if arguments not in self.overloads:
            library, outcome = self.frontend.lower(self.function, arguments, None, inline=True)
            key = object()
            self.frontend.target.insert_user_function(key, outcome.fndesc, [library])
            self.overloads[arguments] = key, outcome.signature
        signatures = [signature for _, signature in self.overloads.values()]
        return make_concrete_template(self.function.__name__, self.function.__name__, signatures), None, args, kws

    def get_overload(self, arguments: tuple) -> object:
        return self.overloads[tuple(types.unliteral(a) for a in arguments)][0]


@functools.cache
def _frontend() -> _Frontend:
    return _Frontend()


def _numba_type(element: str) -> Any:
    return types.uint8 if element == "bool" else getattr(types, element)


def _bound(function: FunctionType, variables: Mapping[str, str], is_callee: Callable[[Any], Any]) -> FunctionType:
    """A copy of a function whose globals have the type variables and compilable callees."""
    scope = dict(function.__globals__)
    for name in function.__code__.co_names:
        callee = is_callee(scope.get(name))
        if callee is not None:
            scope[name] = _callee(callee, variables, is_callee)
    scope.update({name: _numba_type(element) for name, element in variables.items()})
    return FunctionType(function.__code__, scope, function.__name__, function.__defaults__, function.__closure__)


def _callee(function: FunctionType, variables: Mapping[str, str], is_callee: Callable[[Any], Any]) -> _Callee:
    frontend = _frontend()
    key = function, tuple(variables.items())
    if key not in frontend.callees:
        frontend.callees[key] = _Callee(frontend, _bound(function, variables, is_callee))
    return frontend.callees[key]


@global_compiler_lock
def compile_kernel(
    function: FunctionType,
    signature: Signature,
    variables: Mapping[str, str],
    is_callee: Callable[[Any], Any],
    symbol: str,
    type_numbers: tuple[int | None, ...],
    release_gil: bool,
    noalias: bool,
) -> tuple[bytes, list[str]]:
    """Object code that defines `symbol` as a METH_FASTCALL function, and the symbols it leaves undefined.

    Args:
        function: the body, over pointers and scalars.
        signature: its parameters.
        variables: the dtype name of each type variable.
        is_callee: gives the function behind a global that is a scalar function, else None.
        symbol: the name to define.
        type_numbers: NumPy's type number for each parameter that is an array or a list of arrays.
        release_gil: whether the body runs without the GIL.
        noalias: whether arrays never overlap.

    Raises:
        RuntimeError: if the body may raise or calls something a kernel must not call.
    """
    initialize_llvm()
    arguments = []
    for parameter in signature.parameters:
        if parameter.kind in ARRAY_KINDS + LIST_KINDS:
            pointer = types.CPointer(_numba_type(variables.get(parameter.element, parameter.element)))
            arguments.append(types.CPointer(pointer) if parameter.kind in LIST_KINDS else pointer)
        elif parameter.kind == "sizes":
            arguments.append(types.CPointer(types.int64))
        else:
            arguments.append(types.float64 if parameter.kind == "float" else types.int64)
    result = types.int64 if signature.returns_status else types.none
    library, outcome = _frontend().lower(_bound(function, variables, is_callee), tuple(arguments), result, inline=True)
    native = NativeFunction(symbol, outcome.fndesc.llvm_func_name, signature, type_numbers, release_gil, noalias)
    module = llvm.parse_assembly(wrapper_ir(native))
    module.triple = library._final_module.triple
    module.link_in(library._final_module)
    _optimise(module, symbol)
    code = _target_machine().emit_object(module)
    undefined = undefined_symbols(code)
    if undefined is None:
        undefined = [f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm.")]
        undefined += [g.name for g in module.global_variables if g.is_declaration]
    refused = sorted(set(undefined) - ALLOWED_SYMBOLS)
    if RAISED in refused:
        raise RuntimeError(f"kernel {function.__name__} may raise; a kernel's body must not")
    if refused:
        raise RuntimeError(f"kernel {function.__name__} needs {', '.join(refused)}, which a kernel must not call")
    return code, sorted(undefined)


@functools.cache
def _target_machine() -> Any:
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=host_features(),
        opt=3,
        reloc="static" if target.name.startswith("x86") else "default",
        codemodel="jitdefault",
        jit=True,
    )


def _optimise(module: Any, symbol: str) -> None:
    """Make everything but the wrapper private and run LLVM's -O3 pipeline once."""
    machine = _target_machine()
    module.data_layout = str(machine.target_data)
    for function in module.functions:
        if not function.is_declaration and function.name != symbol:
            function.linkage = "internal"
    for variable in module.global_variables:
        if not variable.is_declaration:
            variable.linkage = "internal"
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = True
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
