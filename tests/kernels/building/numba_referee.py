"""What Numba makes of bodies, as LLVM IR: the referee of `translate`.

Two shortcuts over `numba.njit` take a first compilation from about 0.8 s to 0.3 s and a further one from 0.1 s to 0.05 s:
the typing and lowering rules of scalars alone are loaded (no arrays, strings, containers, no run-time system), and LLVM
optimises each kernel once, together with its wrapper, instead of once per function and stage.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from types import FunctionType
from typing import Any, ClassVar

import numpy as np
from llvmlite import ir
from numba.core import cgutils, codegen, compiler, cpu, typed_passes, untyped_passes
from numba.core import types as numba_types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import PassManager
from numba.core.typing import context as typing_context
from numba.core.typing import make_concrete_template, templates

from fastgrad.kernels.building.arithmetic import LOWERINGS
from fastgrad.kernels.building.atomics import GIVES_NOTHING, GIVES_WORD
from fastgrad.kernels.building.body import (
    ByDtype,
    Special,
    call_pair,
    call_real,
    call_step,
    float_bits,
    from_bits,
    is_scalar_function,
    local_array,
    masked_loads,
    multiply_lanes,
    multiply_rows,
    multiply_windows,
    pack_panel,
    panel_array,
    panel_columns,
    pointer,
    prefetch,
    transpose_rows,
    vector_lanes,
)
from fastgrad.kernels.building.isa import host_isa
from fastgrad.kernels.building.number_types import Type, llvm_type
from fastgrad.kernels.building.translate import Translated
from fastgrad.kernels.building.window_emission import WindowTiles
from fastgrad.kernels.building.wrapper import RAISED

types: Any = numba_types  # whose names are made when it is imported


class _ScalarTyping(typing_context.BaseContext):  # type: ignore[misc]  # Numba has no types
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


class _ScalarTarget(cpu.CPUContext):  # type: ignore[misc]  # Numba has no types
    """Numba's CPU target without its run-time system and without containers."""

    def load_additional_registries(self) -> None:
        from numba.core import optional  # noqa: F401 - registers on import, as do the next
        from numba.cpython import builtins, mathimpl, numbers, rangeobj, tupleobj  # noqa: F401

        self.install_registry(mathimpl.registry)

    def post_lowering(self, mod: Any, library: Any) -> None:
        """Nothing: there is no fast math.

        Not even contraction to FMA: LLVM would contract the vectorised loop and the loop for remainders and overlaps
        differently, so that bits would depend on where arrays lie. Kernels say `fused_multiply_add` where they mean it.
        """


class _PlainLibrary(codegen.CPUCodeLibrary):  # type: ignore[misc]  # Numba has no types
    """Collects the IR of functions, neither optimised nor made executable."""

    def _optimize_functions(self, ll_module: Any) -> None:
        pass

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalized = True


class _Pipeline(compiler.CompilerBase):  # type: ignore[misc]  # Numba has no types
    """Those of Numba's passes that plain loops over scalars need; the rest took more than half of the time."""

    _PASSES = (
        (untyped_passes.TranslateByteCode, "read the bytecode"),
        (untyped_passes.FixupArgs, "name the arguments"),
        (untyped_passes.IRProcessing, "process the IR"),
        (untyped_passes.ReconstructSSA, "assign each variable once"),
        (typed_passes.NopythonTypeInference, "infer types"),
        (typed_passes.PreLowerStripPhis, "remove phi nodes"),
        (typed_passes.IRLegalization, "check the IR"),
        (typed_passes.NativeLowering, "lower to LLVM IR"),
        (typed_passes.NoPythonBackend, "collect the result"),
    )

    def define_pipelines(self) -> list[PassManager]:
        manager = PassManager("kernel")
        for step, purpose in self._PASSES:
            manager.add_pass(step, purpose)
        manager.finalize()
        return [manager]


class _Frontend:
    """Numba's contexts, and the callables that bodies have used so far."""

    def __init__(self) -> None:
        self.typing = _ScalarTyping()
        self.target = _ScalarTarget(self.typing)
        self.target.refresh()
        self.functions: dict[Any, _Callable] = {}

    def lower(self, function: FunctionType, arguments: tuple, result: Any, inline: bool) -> Any:
        """Translate one function. Returns its library and Numba's compile result."""
        flags = compiler.Flags()
        flags.no_cpython_wrapper = flags.no_cfunc_wrapper = flags.no_compile = True
        flags.error_model = "numpy"
        flags.nrt = False
        flags.forceinline = inline
        library = _PlainLibrary(self.target.codegen(), function.__name__)
        outcome = compiler.compile_extra(
            self.typing,
            self.target,
            function,
            arguments,
            result,
            flags,
            {},
            library=library,
            pipeline_class=_Pipeline,
        )
        library.finalize()
        return library, outcome


class _Callable:
    """Something callable as Numba sees it in the globals of a kernel: given an implementation when a call is typed."""

    is_compiling = False  # Numba asks, to find recursion

    def __init__(self, name: str) -> None:
        self.__name__ = name
        self.overloads: dict[tuple, tuple[object, Any]] = {}

    @property
    def _numba_type_(self) -> Any:
        return types.Dispatcher(self)

    def implement(self, key: object, arguments: tuple) -> Any:
        """Register an implementation for the argument types under a key; returns its Numba signature."""
        raise NotImplementedError

    def get_call_template(self, args: Any, kws: Any) -> tuple:
        arguments = tuple(args)
        if arguments not in self.overloads:
            key = object()
            self.overloads[arguments] = key, self.implement(key, arguments)
        signature = self.overloads[arguments][1]
        return make_concrete_template(self.__name__, self.__name__, [signature]), None, args, kws

    def get_overload(self, arguments: tuple) -> object:
        for key, signature in self.overloads.values():
            if signature.args == tuple(arguments):
                return key
        raise KeyError(arguments)


class _ScalarFunction(_Callable):
    """A function of scalars, compiled for the types of its arguments; `choices` has one by the first one's dtype."""

    choices: Mapping[str | None, FunctionType]

    def implement(self, key: object, arguments: tuple) -> Any:
        arguments = tuple(types.unliteral(a) for a in arguments)
        function = self.choices.get(None) or self.choices[str(arguments[0])]
        library, outcome = _frontend().lower(function, arguments, None, inline=True)
        _frontend().target.insert_user_function(key, outcome.fndesc, [library])
        return outcome.signature


class _LocalArray(_Callable):
    """`local_array(T, 16)`."""

    def implement(self, key: object, arguments: tuple) -> Any:
        element, length = arguments
        count = self.elements(element.dtype, length.literal_value)

        def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            with builder.goto_entry_block():
                memory = builder.alloca(ir.ArrayType(context.get_value_type(element.dtype), count))
                memory.align = 64
            return builder.bitcast(memory, context.get_value_type(signature.return_type))

        _frontend().target.insert_func_defn([(lower, key, arguments)])
        return types.CPointer(element.dtype)(*arguments)

    def elements(self, element: Any, length: int) -> int:
        """How many elements there are to be."""
        return length


class _Reinterpret(_Callable):
    """`float_bits(x)` and `from_bits(i)`: the same bits as another type."""

    _RESULTS: ClassVar = {
        "float_bits": {types.float32: types.int32, types.float64: types.int64},
        "from_bits": {types.int32: types.float32, types.int64: types.float64},
    }

    def implement(self, key: object, arguments: tuple) -> Any:
        result = self._RESULTS[self.__name__][arguments[0]]

        def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.bitcast(args[0], context.get_value_type(result))

        _frontend().target.insert_func_defn([(lower, key, arguments)])
        return result(*arguments)


class _Pointer(_Callable):
    """`pointer(int64, address)`."""

    def implement(self, key: object, arguments: tuple) -> Any:
        def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.inttoptr(args[1], context.get_value_type(signature.return_type))

        _frontend().target.insert_func_defn([(lower, key, arguments)])
        return types.CPointer(arguments[0].dtype)(*arguments)


class _CallStep(_Callable):
    """`call_step(step, words, first, last)`."""

    def implement(self, key: object, arguments: tuple) -> Any:
        def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            word = ir.IntType(64)
            kind = ir.FunctionType(word, [word] * 3)
            return builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])

        _frontend().target.insert_func_defn([(lower, key, arguments)])
        return types.int64(*arguments)


class _CallReal(_Callable):
    """`call_real(address, x, ...)`."""

    def implement(self, key: object, arguments: tuple) -> Any:
        def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kind = ir.FunctionType(ir.DoubleType(), [ir.DoubleType()] * (len(args) - 1) + [ir.IntType(32)])
            return builder.call(builder.inttoptr(args[0], kind.as_pointer()), [*args[1:], ir.IntType(32)(0)])

        _frontend().target.insert_func_defn([(lower, key, arguments)])
        return types.float64(*arguments)


class _CallPair(_Callable):
    """`call_pair(address, x, pair)`."""

    def implement(self, key: object, arguments: tuple) -> Any:
        def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pair = args[2]
            second = builder.gep(pair, [ir.IntType(64)(1)])
            kind = ir.FunctionType(ir.VoidType(), [ir.DoubleType(), pair.type, pair.type])
            builder.call(builder.inttoptr(args[0], kind.as_pointer()), [args[1], pair, second])
            return builder.load(pair)

        _frontend().target.insert_func_defn([(lower, key, arguments)])
        return types.float64(*arguments)


class _Arithmetic(_Callable):
    """`fused_multiply_add(a, b, c)` and others; see `arithmetic`."""

    def implement(self, key: object, arguments: tuple) -> Any:
        translate = _TRANSLATIONS[self.__name__]

        def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return translate(builder, args)

        _frontend().target.insert_func_defn([(lower, key, arguments)])
        return arguments[0](*arguments)


class _Atomic(_Callable):
    """`atomic_add(words, i, value)` and others; see `atomics`."""

    def implement(self, key: object, arguments: tuple) -> Any:
        special = next(one for one in (*GIVES_WORD, *GIVES_NOTHING) if one.name == self.__name__)

        def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            wide = [context.cast(builder, a, t, w) for a, t, w in zip(args, signature.args, wanted, strict=True)]
            if special in GIVES_WORD:
                return GIVES_WORD[special](builder, wide)
            GIVES_NOTHING[special](builder, wide)
            return context.get_dummy_value()

        wanted = [a if isinstance(a, types.CPointer) else types.int64 for a in arguments]
        _frontend().target.insert_func_defn([(lower, key, arguments)])
        return (types.int64 if special in GIVES_WORD else types.none)(*arguments)


class _Prefetch(_Callable):
    """`prefetch(pointer, index)`."""

    def implement(self, key: object, arguments: tuple) -> Any:
        def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            flag = ir.IntType(32)
            element = builder.gep(args[0], [args[1]])
            line = builder.bitcast(element, ir.IntType(8).as_pointer())
            kind = ir.FunctionType(ir.VoidType(), [line.type, flag, flag, flag])
            function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
            builder.call(function, [line, flag(0), flag(3), flag(1)])
            return context.get_dummy_value()

        _frontend().target.insert_func_defn([(lower, key, arguments)])
        return types.none(*arguments)


class _TileCall(_Callable):
    """`multiply_rows(...)`, `multiply_windows(...)`, `multiply_lanes(...)`, `pack_panel(...)` and `transpose_rows(...)`."""

    def implement(self, key: object, arguments: tuple) -> Any:
        def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            tiles = WindowTiles(builder.module, context.get_value_type(arguments[0].dtype), host_isa())
            getattr(tiles, self.__name__)(builder, args)
            return context.get_dummy_value()

        _frontend().target.insert_func_defn([(lower, key, arguments)])
        return types.none(*arguments)


class _TileConstant(_Callable):
    """`vector_lanes(T)`, `panel_columns(T)` and `masked_loads(T)`."""

    def implement(self, key: object, arguments: tuple) -> Any:
        def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            machine = host_isa()
            size = arguments[0].dtype.bitwidth // 8
            values = {
                "vector_lanes": machine.vector_bytes // size,
                "panel_columns": machine.panel_bytes // size,
                "masked_loads": int(machine.masks),
            }
            return ir.IntType(64)(values[self.__name__])

        _frontend().target.insert_func_defn([(lower, key, arguments)])
        return types.int64(*arguments)


class _PanelArray(_LocalArray):
    """`panel_array(T, 256)`."""

    def elements(self, element: Any, length: int) -> int:
        return int(length * host_isa().panel_bytes * 8 // element.bitwidth)


_TRANSLATIONS = {special.name: translate for special, translate in LOWERINGS.items()}
_SPECIALS: dict[Special, Any] = {
    **dict.fromkeys(LOWERINGS, _Arithmetic),
    **dict.fromkeys((*GIVES_WORD, *GIVES_NOTHING), _Atomic),
    call_pair: _CallPair,
    call_real: _CallReal,
    call_step: _CallStep,
    float_bits: _Reinterpret,
    from_bits: _Reinterpret,
    local_array: _LocalArray,
    masked_loads: _TileConstant,
    multiply_lanes: _TileCall,
    multiply_rows: _TileCall,
    multiply_windows: _TileCall,
    pack_panel: _TileCall,
    panel_array: _PanelArray,
    panel_columns: _TileConstant,
    pointer: _Pointer,
    prefetch: _Prefetch,
    transpose_rows: _TileCall,
    vector_lanes: _TileConstant,
}


@functools.cache
def _frontend() -> _Frontend:
    return _Frontend()


def _numba_type(element: Type) -> Any:
    if element[0] == "*":
        return types.CPointer(_numba_type(element[1:]))
    return types.uint8 if element == "bool" else getattr(types, element)


def _bound(function: FunctionType, variables: Mapping[str, str]) -> FunctionType:
    """A copy of a function whose globals are the type variables and what Numba can compile."""
    scope = {name: value for name, value in function.__globals__.items() if name.startswith("__")}
    for name in function.__code__.co_names:
        if name in function.__globals__:
            scope[name] = _compilable(name, function.__globals__[name], tuple(variables.items()))
    for name, element in variables.items():
        scope[name] = _numba_type(element)
        scope[name + "_bits"] = types.int32 if element in ("float32", "int32") else types.int64
    return FunctionType(function.__code__, scope, function.__name__)


def _compilable(name: str, value: Any, variables: tuple[tuple[str, str], ...]) -> Any:
    """What stands for a global of a body while Numba compiles it."""
    known = _frontend().functions
    if isinstance(value, Special):
        return known.setdefault(value, _SPECIALS[value](value.name))
    if is_scalar_function(value) or isinstance(value, ByDtype):
        if (value, variables) not in known:
            known[value, variables] = function = _ScalarFunction(name)  # before its globals, one of which may be itself
            choices = value.choices if isinstance(value, ByDtype) else {None: value}
            try:
                function.choices = {dtype: _bound(choice, dict(variables)) for dtype, choice in choices.items()}
            except BaseException:
                del known[value, variables]
                raise
        return known[value, variables]
    if isinstance(value, type):
        return _numba_type(np.dtype(value).name)
    return value


@global_compiler_lock
def translated(
    function: FunctionType, arguments: Sequence[Type], result: Type, variables: Mapping[str, Type], noalias: bool
) -> Translated:
    """As `translate.translated`.

    A way out with an error leaves a call of a function that does not exist, which the check of undefined symbols reports.
    """
    kinds = tuple([_numba_type(kind) for kind in arguments])
    types_alone = {name: kind for name, kind in variables.items() if not name.endswith("_bits")}
    library, outcome = _frontend().lower(_bound(function, types_alone), kinds, _numba_type(result), inline=True)
    name, texts = outcome.fndesc.llvm_func_name, [llvm_type(kind) for kind in arguments]
    formal = ", ".join(f"{text}{' noalias' if noalias and text == 'ptr' else ''} %a{i}" for i, text in enumerate(texts))
    given = "".join(f", {text} %a{i}" for i, text in enumerate(texts))
    answer = "i64" if result == "int64" else "ptr"
    last = "%value = load i64, ptr %result\n  ret i64 %value" if result == "int64" else "ret void"
    text = f"""
declare i32 @{name}({", ".join(["ptr", "ptr", *texts])})

define internal {llvm_type(result)} @.body({formal}) noinline {{
  %result = alloca {answer}
  %error = alloca ptr
  %status = call i32 @{name}(ptr %result, ptr %error{given})
  %fine = icmp eq i32 %status, 0
  br i1 %fine, label %done, label %raised
raised:
  call void @{RAISED}()
  unreachable
done:
  {last}
}}
"""
    return Translated(text, str(library._final_module))
