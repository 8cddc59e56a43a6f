"""Numba's typing rules, target and pipeline, reduced to the needs of loops over numbers and pointers.

Three differences from `numba.njit` make a compilation several times as fast:

- Only the typing and lowering rules of numbers and pointers are loaded: no arrays, strings, containers or run-time
  system.
- Functions return only their values, without a status (`_ReturnByValue`), since a body must not raise. So LLVM has less
  code to clean up.
- A function becomes only IR. LLVM optimises a kernel once, with all the functions it calls.

docs/numba.md lists the parts of Numba that are used, and which of them are private.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import (
    callconv,
    cgutils,
    codegen,
    compiler,
    compiler_machinery,
    cpu,
    errors,
    interpreter,
    ir_utils,
    ssa,
    target_extension,
    transforms,
    typed_passes,
    untyped_passes,
)
from numba.core.compiler_machinery import PassManager
from numba.core.typing import context as typing_context
from numba.core.typing import templates

from fastgrad._src.jit.wrapper import RAISE_SYMBOL

HASHED_SYMBOL_PREFIX = "fastgrad_function_"
"""The prefix of a function's symbol that is a hash of its content."""


class ScalarTyping(typing_context.BaseContext):  # type: ignore[misc]  # Numba has no types
    """Numba's typing rules without those of methods, which would load every container type.

    The rule for a call of given types is cached: Numba would try all rules at each call.
    """

    def __init__(self) -> None:
        self._scalar_registries: dict[Any, templates.Registry] = {}
        self._resolved: dict[Any, Any] = {}
        super().__init__()

    def load_additional_registries(self) -> None:
        """Loads the rules of `math`."""
        from numba.core.typing import mathdecl

        self.install_registry(mathdecl.registry)

    def install_registry(self, registry: Any) -> None:
        """Loads the rules of a registry, without those of methods."""
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

    def resolve_function_type(self, func: Any, args: Any, kws: Any) -> Any:
        """Returns the signature of a call, or None; signatures are cached."""
        key = None if kws else (func, tuple(args))
        known = self._resolved.get(key)
        if known is None:
            known = super().resolve_function_type(func, args, kws)
            if key is not None and known is not None:
                self._resolved[key] = known
        return known


class _ReturnByValue(callconv.BaseCallConv):  # type: ignore[misc]  # Numba has no types
    """A calling convention in which functions return only their value.

    Where Numba would raise, functions call a function that does not exist. LLVM removes the call if it is unreachable;
    otherwise the compilation is refused.
    """

    def _make_call_helper(self, builder: Any) -> Any:
        return None

    def get_return_type(self, kind: Any) -> Any:
        return self.context.data_model_manager[kind].get_return_type()

    def get_function_type(self, result: Any, arguments: Any) -> Any:
        return ir.FunctionType(self.get_return_type(result), list(self._get_arg_packer(arguments).argument_types))

    def decorate_function(self, function: Any, names: Any, kinds: Any, noalias: bool = False) -> None:
        self._get_arg_packer(kinds).assign_names(self.get_arguments(function), ["arg." + name for name in names])

    def get_arguments(self, function: Any) -> Any:
        return function.args

    def return_value(self, builder: Any, value: Any) -> None:
        builder.ret(value)

    def return_native_none(self, builder: Any) -> None:
        builder.ret(builder.function.function_type.return_type(None))

    def return_user_exc(self, builder: Any, *_: Any, **__: Any) -> None:
        kind = ir.FunctionType(ir.VoidType(), [])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, RAISE_SYMBOL), [])
        builder.unreachable()

    def return_status_propagate(self, builder: Any, status: Any) -> None:
        builder.unreachable()

    def call_function(self, builder: Any, callee: Any, result: Any, kinds: Any, arguments: Any) -> Any:
        value = builder.call(callee, self._get_arg_packer(kinds).as_arguments(builder, arguments))
        yes, no = cgutils.true_bit, cgutils.false_bit
        status = callconv.Status(ir.IntType(32)(0), yes, no, no, no, no, no, None)
        return status, self.context.get_returned_value(builder, result, value)


class _StatusReturns(callconv.MinimalCallConv):  # type: ignore[misc]  # Numba has no types
    """The calling convention of checked builds: an access outside of an array makes each function return at once."""

    def return_user_exc(self, builder: Any, exc: Any, *args: Any, **kws: Any) -> None:
        if exc is IndexError:
            self._return_errcode_raw(builder, callconv.RETCODE_USEREXC)
        else:
            _ReturnByValue.return_user_exc(self, builder)


class _ScalarTarget(cpu.CPUContext):  # type: ignore[misc]  # Numba has no types
    """Numba's CPU target without its run-time system and without containers."""

    def __init__(self, typing: ScalarTyping, name: str, leaves: bool) -> None:
        self._convention = (_StatusReturns if leaves else _ReturnByValue)(self)
        super().__init__(typing, name)

    @property
    def call_conv(self) -> Any:
        return self._convention

    def init(self) -> None:
        super().init()
        self._internal_codegen._library_class = KernelLibrary

    def mangler(self, name: str, types: Any, **tags: Any) -> str:
        """Returns a function's symbol: its content hash if that is its name, so that other processes can use it."""
        head, _, symbol = name.rpartition(".")
        if symbol.startswith(HASHED_SYMBOL_PREFIX):
            return f".NumbaEnv.{symbol}" if head.startswith(".NumbaEnv") else symbol
        mangled: str = super().mangler(name, types, **tags)
        return mangled

    def load_additional_registries(self) -> None:
        from numba.core import optional  # noqa: F401 - registers on import, as do the next
        from numba.cpython import builtins, mathimpl, numbers, rangeobj, tupleobj  # noqa: F401

        self.install_registry(mathimpl.registry)

    def post_lowering(self, mod: Any, library: Any) -> None:
        """Does nothing: there is no fast math.

        Not even contraction to FMA: LLVM would contract the vectorised loop and the loop for remainders and overlaps
        differently, so bits would depend on the addresses of arrays. Kernels use `fused_multiply_add` explicitly.
        """


def registered_target(typing: ScalarTyping, name: str, returns_status: bool, jit: Callable[..., Any]) -> Any:
    """Returns the target for a machine, registered by name: intrinsics go to it, not to Numba's CPU target."""
    name = f"fastgrad: {name}"
    kind = type("KernelTarget", (target_extension.CPU,), {})
    target_extension.target_registry[name] = kind
    target_extension.jit_registry[kind] = jit
    target = _ScalarTarget(typing, name, returns_status)
    contexts = SimpleNamespace(typing_context=typing, target_context=target)
    target_extension.dispatcher_registry[kind] = SimpleNamespace(targetdescr=contexts)
    target.refresh()
    return target


class KernelLibrary(codegen.CodeLibrary):  # type: ignore[misc]  # Numba has no types
    """The IR of a function, neither optimised nor made executable, and the libraries of the functions it calls."""

    def __init__(self, owner: Any, name: str) -> None:
        super().__init__(owner, name)
        self._reload_init: set[Any] = (
            set()
        )  # Numba's lowering adds to this set; older versions create it in their own subclass
        self._own: list[Any] = []
        self._called: dict[KernelLibrary, None] = {}

    def add_linking_library(self, library: Any) -> None:
        """Records the library of a called function."""
        self._called[library] = None

    def add_ir_module(self, ir_module: Any) -> None:
        """Adds the LLVM IR module of the compiled function to the library."""
        module = llvm.parse_assembly(cgutils.normalize_ir_text(str(ir_module)))
        for function in module.functions:
            if not function.is_declaration and function.linkage == llvm.Linkage.external:
                function.linkage = "weak_odr"  # two libraries may have the same function
        self._own.append(module)

    def add_bitcode(self, code: bytes) -> None:
        """Adds a module as bitcode, a result of `bitcode`, to the library."""
        self._own.append(llvm.parse_bitcode(code))

    def bitcode(self, symbol: str) -> bytes:
        """Returns the function and its callees as one module, in which only names with content hashes are public."""
        first, *others = [module.clone() for module in self.modules()]
        for module in others:
            first.link_in(module)
        for i, function in enumerate(first.functions):
            if not function.is_declaration and not function.name.startswith(HASHED_SYMBOL_PREFIX):
                function.name, function.linkage = f"{symbol}.{i}", "internal"
        code: bytes = first.as_bitcode()
        return code

    def finalize(self) -> None:
        """Declares the library's modules complete, as Numba requires; optimises nothing."""
        self._finalized = True

    def modules(self) -> Iterator[Any]:
        """Yields the modules of the function and of all functions that it calls."""
        seen: dict[KernelLibrary, None] = {}
        waiting = [self]
        while waiting:
            library = waiting.pop()
            if library not in seen:
                seen[library] = None
                waiting.extend(library._called)
                yield from library._own

    def get_function(self, name: str) -> Any:
        """Returns a function of the library's own modules."""
        return next(module.get_function(name) for module in self._own)

    def get_llvm_str(self) -> str:
        """Returns all IR as text."""
        return "\n".join(map(str, self.modules()))

    def get_asm_str(self) -> str:
        """Raises NotImplementedError: only a kernel has machine code."""
        raise NotImplementedError("a function has machine code only as part of a kernel")


class _KernelInterpreter(interpreter.Interpreter):  # type: ignore[misc]  # Numba has no types
    """Numba's reader of bytecode without its search for what `with` blocks leave behind: a body has none."""

    def post_process(self, peepholes: Any, func_ir: Any) -> Any:
        kept = [peephole for peephole in peepholes if peephole is not interpreter.peep_hole_delete_with_exit]
        return super().post_process(kept, func_ir)


@compiler_machinery.register_pass(mutates_CFG=True, analysis_only=False)
class _ReadBytecode(compiler_machinery.FunctionPass):  # type: ignore[misc]  # Numba has no types
    """From bytecode to Numba's IR, with each variable assigned once.

    Numba has three passes for this; two of them also compute the lifetimes of variables, which only reference counts and
    generators need.
    """

    _name = "fastgrad_read_bytecode"

    def __init__(self) -> None:
        super().__init__()

    def run_pass(self, state: Any) -> bool:
        function_ir = _KernelInterpreter(state.func_id).interpret(state.bc)
        if function_ir.is_generator:
            raise errors.UnsupportedError("a kernel's body cannot yield", loc=function_ir.loc)
        function_ir.blocks = transforms.canonicalize_cfg(function_ir.blocks)
        state.func_ir = ssa.reconstruct_ssa(function_ir)
        state.func_ir._definitions = ir_utils.build_definitions(state.func_ir.blocks)
        return True


@compiler_machinery.register_pass(mutates_CFG=False, analysis_only=False)
class _RemovePhis(typed_passes.PreLowerStripPhis):  # type: ignore[misc]  # Numba has no types
    """Turns phi nodes into assignments, without lifetimes of variables.

    Numba's next pass would add the end of each lifetime, where Numba counts references and sets the variable to zero: a
    tenth of the IR of a body, which LLVM then removes.
    """

    _name = "fastgrad_remove_phis"

    def run_pass(self, state: Any) -> bool:
        state.func_ir = self._strip_phi_nodes(state.func_ir)
        state.func_ir._definitions = ir_utils.build_definitions(state.func_ir.blocks)
        return True


class KernelPipeline(compiler.CompilerBase):  # type: ignore[misc]  # Numba has no types
    """The Numba passes that plain loops over scalars need; the other passes took more than half of the time."""

    _PASSES = (
        (_ReadBytecode, "read the bytecode"),
        (untyped_passes.FixupArgs, "name the arguments"),
        (typed_passes.NopythonTypeInference, "infer types"),
        (_RemovePhis, "remove phi nodes"),
        (typed_passes.NativeLowering, "lower to LLVM IR"),
        (typed_passes.NoPythonBackend, "collect the result"),
    )

    def define_pipelines(self) -> list[PassManager]:
        """Returns the pipelines of a compilation: one, with the passes above."""
        manager = PassManager("kernel")
        for step, purpose in self._PASSES:
            manager.add_pass(step, purpose)
        manager.finalize()
        return [manager]
