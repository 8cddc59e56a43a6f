"""The expected state of the undocumented parts of Numba: a canary for each part, as data.

A canary describes a part in the known versions of Numba: the source of a function that fastgrad replaces or relies on, the parameters of
a function that it calls, the names of a class, its base classes. If the installed Numba differs, the optional features that need the part are turned off, and other
features raise an error (`numba_features`). This module imports no private part, so it can also report a missing part.
"""

from __future__ import annotations

import enum
import importlib
import inspect
from collections.abc import Callable, Iterable, Iterator
from types import FunctionType
from typing import Any, NamedTuple

from fastgrad._src.jit.body import code_text, digest

KNOWN_VERSIONS = ("0.63.0", "0.64.0", "0.65.0", "0.65.1", "0.66.0", "0.67.0", "0.68.0", "0.68.1")
"""The versions of Numba whose parts the canaries know."""


class Feature(enum.Enum):
    """What fastgrad does with private parts of Numba, and what happens without it."""

    INFERRED_CALLEES = "types of callees that are not compiled", "each function that a derivative calls is compiled"
    QUICK_LIVENESS = (
        "quick computation of variables' lifetimes",
        "Numba computes them, in minutes for a thousand blocks",
    )
    DIRECT_JUMPS = "direct jumps between the blocks of a derivative", "a derivative tests the number of its block"
    EMISSION = "derivatives written as LLVM IR", "Numba compiles the text of derivatives, which takes longer"
    EXCEPTIONAL_EXITS = (
        "exits by exceptions that free memory",
        "what a derivative holds stays allocated when an exception leaves it",
    )
    LIBRARIES = (
        "code libraries of derivatives, and their cache on disk",
        "each process compiles its derivatives, without the features below",
    )
    LANES = "tangents in the lanes of vectors", "the tangents of a run are computed one after the other"
    EXPONENTIALS = "exponentials as code within loops", "the C library is called for each exponential"
    ORDERED_SUMS = "vector code for loops with sums in order", "such loops have no vector code"
    BLAS = "products of matrices by BLAS", "products of matrices are loops"
    THREADS = "chunks of parallel loops on Numba's threads", "the chunks run one after the other"
    KERNELS = "the target of kernels", "the compilation of a kernel may fail"
    LOCKS = "locks that a fork waits for", "a forked child may wait for a lock forever"
    RANDOM_STATES = "states of random generators", ""
    FRONT_END = "functions in Numba's typed form", ""

    @property
    def purpose(self) -> str:
        """What the parts are used for."""
        return self.value[0]

    @property
    def without(self) -> str:
        """What happens if they differ; empty if derivatives can't do without them."""
        return self.value[1]

    @property
    def is_optional(self) -> bool:
        """True if derivatives can do without it."""
        return bool(self.without)


# ---- what a canary looks at -------------------------------------------------------------------------------------------


def source(part: Any, known: Iterable[str]) -> str:
    """Returns the hash of the text of a function, or of what a property calls."""
    return digest(inspect.getsource(_function_of(part)).rstrip().encode())[:12]


def _function_of(part: Any) -> Any:
    """Returns a function, or what a property calls."""
    function = getattr(part, "fget", None) or getattr(part, "func", None) or getattr(part, "__func__", part)
    return inspect.unwrap(function)


def parameters(part: Any, known: Iterable[str]) -> str:
    """Returns the names of the parameters of a function."""
    return " ".join(inspect.signature(getattr(part, "__func__", part)).parameters)


def bases(part: Any, known: Iterable[str]) -> str:
    """Returns the names of the base classes of a class."""
    return " ".join(base.__name__ for base in part.__bases__)


def names(part: Any, known: Iterable[str]) -> str:
    """Returns which of the known names a module or a class has; a class has the names that its methods' code has, too."""
    if not isinstance(part, type):
        has = set(dir(part))
    else:
        has = {*dir(part), *dir(type(part))}
        functions = [value for base in part.__mro__ for value in vars(base).values()]
        for function in functions:
            code = getattr(inspect.unwrap(function), "__code__", None) if isinstance(function, FunctionType) else None
            has |= {*code.co_names} if code else set()
    return " ".join(name for name in " ".join(known).split() if name in has)


def text(part: Any, known: Iterable[str]) -> str:
    """Returns the text of a value."""
    return str(part)


def major(part: Any, known: Iterable[str]) -> str:
    """Returns the first number of a version."""
    return str(part[0])


_ERRORS = ImportError, AttributeError, OSError, TypeError, ValueError
"""What is raised if there is no such part, or it has no text."""


class Canary(NamedTuple):
    """What fastgrad expects of a private part of Numba.

    Attributes:
        feature: what needs it.
        part: the module, and after a colon the name within it.
        look: what is compared.
        known: what it is in the known versions.
    """

    feature: Feature
    part: str
    look: Callable[[Any, Iterable[str]], str]
    known: tuple[str, ...]

    def difference(self) -> str:
        """Returns the dotted name of what differs in the installed Numba; an empty text if nothing does."""
        name = self.part.replace(":", ".")
        try:
            found = self.look(part_of(self.part), self.known)
        except _ERRORS:
            return name
        if found in self.known:
            return ""
        missing = [part for part in " ".join(self.known).split() if part not in found.split()]
        return f"{name}.{missing[0]}" if self.look is names and missing else name

    def fingerprint(self) -> str:
        """Returns a text that tells what it looks at from all else; that of a function has its bytecode, not its source."""
        try:
            part = part_of(self.part)
            found = code_text(_function_of(part).__code__, True) if self.look is source else self.look(part, self.known)
        except _ERRORS:
            found = "missing"
        return f"{self.feature.name} {self.part} {self.look.__name__} {self.known} {found}"


def part_of(path: str) -> Any:
    """Returns a part of a module, as its class has it: a property, not its value."""
    module, _, names_within = path.partition(":")
    part: Any = importlib.import_module(module)
    for name in filter(None, names_within.split(".")):
        part = inspect.getattr_static(part, name) if isinstance(part, type) else getattr(part, name)
    return part


def differences() -> Iterator[tuple[Feature, str]]:
    """Yields the features whose parts differ in the installed Numba, with the names of the parts."""
    for canary in CANARIES:
        different = canary.difference()
        if different:
            yield canary.feature, different


def fingerprint() -> str:
    """Returns a hash of all that the canaries look at: if it is the same, so are the `differences`. It reads no texts, which takes most of their time."""
    return digest("\n".join([canary.fingerprint() for canary in CANARIES]).encode())


def advice(parts: Iterable[str]) -> str:
    """Returns a sentence for the user of a Numba whose ``parts`` differ."""
    return (
        f"Numba {part_of('numba:__version__')} differs from the versions that fastgrad knows in {', '.join(dict.fromkeys(parts))}. "
        f'Numba {KNOWN_VERSIONS[0]} to {KNOWN_VERSIONS[-1]} work: pip install "numba=={KNOWN_VERSIONS[-1]}".'
    )


CANARIES: tuple[Canary, ...] = (
    Canary(Feature.INFERRED_CALLEES, "numba.core.dispatcher:Dispatcher.compile", source, ("3a28c241c0a4",)),
    Canary(
        Feature.INFERRED_CALLEES,
        "numba.core.dispatcher:Dispatcher",
        names,
        ("_compiler _compiling_counter _can_compile _cache overloads targetoptions py_func",),
    ),
    Canary(
        Feature.INFERRED_CALLEES,
        "numba.core.dispatcher:_FunctionCompiler",
        names,
        ("targetdescr targetoptions locals pipeline_class py_func",),
    ),
    Canary(Feature.INFERRED_CALLEES, "numba.core.base:BaseContext", names, ("_defns",)),
    Canary(Feature.INFERRED_CALLEES, "numba.core.base:BaseContext.get_function", source, ("dcd73de8cba0",)),
    Canary(Feature.INFERRED_CALLEES, "numba.core.base:OverloadSelector.append", parameters, ("self value sig",)),
    Canary(Feature.INFERRED_CALLEES, "numba.core.base:BaseContext.insert_user_function", source, ("32a03ba7cd40",)),
    Canary(Feature.INFERRED_CALLEES, "numba.core.imputils:user_function", source, ("0983f4005d7d",)),
    Canary(Feature.INFERRED_CALLEES, "numba.core.typed_passes:BaseNativeLowering.run_pass", source, ("2edb7ff2458c",)),
    Canary(
        Feature.INFERRED_CALLEES,
        "numba.core.compiler:compile_extra",
        parameters,
        ("typingctx targetctx func args return_type flags locals library pipeline_class",),
    ),
    Canary(
        Feature.INFERRED_CALLEES,
        "numba.core.compiler:Flags",
        names,
        ("no_compile no_cpython_wrapper no_cfunc_wrapper error_model copy",),
    ),
    Canary(Feature.INFERRED_CALLEES, "numba.core.targetconfig:ConfigStack", names, ("enter",)),
    Canary(
        Feature.INFERRED_CALLEES, "numba.core.codegen:CPUCodeLibrary._finalize_final_module", source, ("d26a1c9fb592",)
    ),
    Canary(
        Feature.INFERRED_CALLEES,
        "numba.core.codegen:CPUCodeLibrary._finalize_dynamic_globals",
        source,
        ("fd82b3bae908",),
    ),
    Canary(Feature.INFERRED_CALLEES, "numba.core.codegen:CPUCodeLibrary.finalize", source, ("3cc6ec8f8f53",)),
    Canary(
        Feature.INFERRED_CALLEES,
        "numba.np.arrayobj:ol_raise_with_shape_context_cpu",
        source,
        (
            "fc0abf9cc4ea",
            "57bf454ddc3a",
        ),
    ),
    Canary(
        Feature.QUICK_LIVENESS,
        "numba.core.analysis:compute_live_map",
        source,
        (
            "9e5cc741edaf",
            "5268d88ad09d",
        ),
    ),
    Canary(Feature.QUICK_LIVENESS, "numba.core.postproc:VariableLifetime.livemap", source, ("9b0991dfa795",)),
    Canary(Feature.QUICK_LIVENESS, "numba.core.controlflow:CFGraph", names, ("topo_order successors predecessors",)),
    Canary(
        Feature.DIRECT_JUMPS,
        "numba.core.compiler:DefaultPassBuilder.define_nopython_pipeline",
        source,
        ("db1bdf32dab8",),
    ),
    Canary(
        Feature.DIRECT_JUMPS,
        "numba.core.compiler:DefaultPassBuilder.define_untyped_pipeline",
        source,
        ("d405785132d7",),
    ),
    Canary(
        Feature.DIRECT_JUMPS, "numba.core.compiler:DefaultPassBuilder.define_typed_pipeline", source, ("7535bc8e606a",)
    ),
    Canary(
        Feature.DIRECT_JUMPS,
        "numba.core.compiler:DefaultPassBuilder.define_nopython_lowering_pipeline",
        source,
        ("0d526a4069c8",),
    ),
    Canary(Feature.DIRECT_JUMPS, "numba.core.compiler_machinery:PassManager.add_pass_after", source, ("09aa1ed29b07",)),
    Canary(Feature.DIRECT_JUMPS, "numba.core.compiler:Flags", names, ("enable_ssa",)),
    Canary(
        Feature.DIRECT_JUMPS,
        "numba.core.untyped_passes",
        names,
        (
            "WithLifting InlineClosureLikes MakeFunctionToJitFunction InlineInlinables DeadBranchPrune FindLiterallyCalls LiteralUnroll LiteralPropagationSubPipelinePass",
        ),
    ),
    Canary(Feature.FRONT_END, "numba.core.ir:Jump.__init__", parameters, ("self target loc",)),
    Canary(Feature.FRONT_END, "numba.core.ir:Branch.__init__", parameters, ("self cond truebr falsebr loc",)),
    Canary(Feature.FRONT_END, "numba.core.ir:Assign.__init__", parameters, ("self value target loc",)),
    Canary(Feature.FRONT_END, "numba.core.ir_utils:compute_cfg_from_blocks", parameters, ("blocks",)),
    Canary(
        Feature.FRONT_END,
        "numba.core.ir",
        names,
        (
            "Arg Assign Branch Const Del Expr FreeVar Global Jump Loc Raise Return Scope SetItem StaticRaise StaticSetItem UNDEFINED Var",
        ),
    ),
    Canary(Feature.FRONT_END, "numba.core.ir:Expr.getitem", parameters, ("cls value index loc",)),
    Canary(Feature.FRONT_END, "numba.core.ir_utils:build_definitions", parameters, ("blocks definitions",)),
    Canary(Feature.FRONT_END, "numba.core.bytecode:FunctionIdentity", names, ("from_function",)),
    Canary(
        Feature.FRONT_END, "numba.core.compiler:DefaultPassBuilder.define_untyped_pipeline", parameters, ("state name",)
    ),
    Canary(Feature.FRONT_END, "numba.core.compiler:CompilerBase", names, ("state define_pipelines",)),
    Canary(
        Feature.FRONT_END,
        "numba.core.compiler_machinery:PassManager",
        names,
        ("passes add_pass add_pass_after finalize",),
    ),
    Canary(
        Feature.FRONT_END, "numba.core.typed_passes", names, ("NativeLowering NopythonRewrites NopythonTypeInference",)
    ),
    Canary(
        Feature.FRONT_END, "numba.core.typing.templates:_OverloadFunctionTemplate", names, ("_overload_func _get_impl",)
    ),
    Canary(
        Feature.FRONT_END, "numba.core.typing.templates:_OverloadMethodTemplate", bases, ("_OverloadAttributeTemplate",)
    ),
    Canary(Feature.FRONT_END, "numba.core.typing.templates", names, ("builtin_registry Signature",)),
    Canary(
        Feature.FRONT_END,
        "numba.core.unsafe.eh",
        names,
        ("exception_check mark_try_block end_try_block exception_match",),
    ),
    Canary(Feature.FRONT_END, "numba.np.ufunc.array_exprs:RewriteArrayExprs", names, ("match apply",)),
    Canary(Feature.FRONT_END, "numba.np.ufunc.dufunc:DUFunc", names, ("_dispatcher",)),
    Canary(Feature.FRONT_END, "numba.np.ufunc.gufunc:GUFunc", names, ("gufunc_builder",)),
    Canary(Feature.FRONT_END, "numba.cpython.builtins:ol_isinstance", parameters, ("var typs",)),
    Canary(Feature.FRONT_END, "numba.cpython.listobj", names, ("arg_sort_backwards arg_sort_forwards",)),
    Canary(Feature.FRONT_END, "numba.stencils.stencil:StencilFunc", names, ("kernel_ir neighborhood",)),
    Canary(Feature.FRONT_END, "numba.experimental.jitclass.base:JitClassType", names, ("class_type",)),
    Canary(Feature.EMISSION, "numba.core.lowering:BaseLower.lower", source, ("8783c260470f", "d11fc211cf1b")),
    Canary(Feature.EMISSION, "numba.core.lowering:BaseLower.__init__", source, ("cd2e5851896e",)),
    Canary(Feature.EMISSION, "numba.core.lowering:BaseLower.setup_function", source, ("11493813bc28",)),
    Canary(Feature.EMISSION, "numba.core.lowering:BaseLower.extract_function_arguments", source, ("a299bc857231",)),
    Canary(Feature.EMISSION, "numba.core.typed_passes:BaseNativeLowering.run_pass", source, ("2edb7ff2458c",)),
    Canary(Feature.EMISSION, "numba.core.typed_passes:NoPythonBackend.run_pass", source, ("90868d5e5796",)),
    Canary(
        Feature.EMISSION,
        "numba.core.funcdesc:PythonFunctionDescriptor.from_specialized_function",
        parameters,
        ("cls func_ir typemap restype calltypes mangler inline noalias abi_tags",),
    ),
    Canary(Feature.EMISSION, "numba.core.extending:_Intrinsic", names, ("_defn",)),
    Canary(
        Feature.EMISSION,
        "numba.core.callconv:CPUCallConv",
        names,
        ("decode_arguments get_return_type init_call_helper return_value",),
    ),
    Canary(
        Feature.EMISSION,
        "numba.core.callconv:CPUCallConv.return_user_exc",
        parameters,
        ("self builder exc exc_args loc func_name",),
    ),
    Canary(
        Feature.EMISSION,
        "numba.core.typing.context:BaseContext",
        names,
        ("resolve_function_type resolve_getattr resolve_setitem resolve_value_type unify_types",),
    ),
    Canary(
        Feature.EMISSION,
        "numba.core.typing:fold_arguments",
        parameters,
        ("pysig args kws normal_handler default_handler stararg_handler",),
    ),
    Canary(
        Feature.EMISSION,
        "numba.core.base:BaseContext",
        names,
        (
            "call_internal cast get_constant get_constant_generic get_dummy_value get_return_value get_value_type make_helper make_tuple nrt",
        ),
    ),
    Canary(Feature.EMISSION, "numba.core.base:BaseContext.get_getattr", parameters, ("self typ attr",)),
    Canary(
        Feature.EMISSION,
        "numba.core.cgutils:get_item_pointer2",
        parameters,
        ("context builder data shape strides layout inds wraparound boundscheck",),
    ),
    Canary(
        Feature.EMISSION,
        "numba.core.cgutils",
        names,
        ("alloca_once for_range get_null_value if_unlikely memset pack_array",),
    ),
    Canary(Feature.EMISSION, "numba.np.arrayobj:_empty_nd_impl", parameters, ("context builder arrtype shapes",)),
    Canary(Feature.EMISSION, "numba.np.arrayobj:load_item", parameters, ("context builder arrayty ptr",)),
    Canary(Feature.EMISSION, "numba.np.arrayobj:store_item", parameters, ("context builder arrayty val ptr",)),
    Canary(Feature.EXCEPTIONAL_EXITS, "numba.core.callconv:CPUCallConv._return_errcode_raw", source, ("a484b2b6b2a5",)),
    Canary(Feature.EXCEPTIONAL_EXITS, "numba.core.callconv:CPUCallConv", bases, ("BaseCallConv",)),
    Canary(Feature.EXCEPTIONAL_EXITS, "numba.core.cpu:CPUContext.call_conv", source, ("2a76250a3ca0",)),
    Canary(Feature.EXCEPTIONAL_EXITS, "numba.core.cpu:CPUContext", bases, ("BaseContext",)),
    Canary(
        Feature.EXCEPTIONAL_EXITS,
        "numba.core.lowering:Lower._find_singly_assigned_variable",
        source,
        (
            "94a29147b918",
            "d86571043f7f",
        ),
    ),
    Canary(Feature.EXCEPTIONAL_EXITS, "numba.core.lowering:BaseLower.pre_lower", source, ("d84b93601332",)),
    Canary(Feature.EXCEPTIONAL_EXITS, "numba.core.lowering:BaseLower.post_lower", source, ("b4ec9205e778",)),
    Canary(Feature.EXCEPTIONAL_EXITS, "numba.core.lowering:BaseLower.lower_function_body", source, ("8ede98b70cfd",)),
    Canary(Feature.EXCEPTIONAL_EXITS, "numba.core.lowering:Lower._alloca_var", source, ("08830323372d",)),
    Canary(Feature.EXCEPTIONAL_EXITS, "numba.core.lowering:Lower.storevar", source, ("828458124d7d",)),
    Canary(Feature.EXCEPTIONAL_EXITS, "numba.core.lowering:Lower.delvar", source, ("165e7ae63b4d",)),
    Canary(Feature.EXCEPTIONAL_EXITS, "numba.core.lowering:Lower.alloca_lltype", source, ("dbc58391df1e",)),
    Canary(Feature.EXCEPTIONAL_EXITS, "numba.core.lowering:Lower", bases, ("BaseLower",)),
    Canary(Feature.EXCEPTIONAL_EXITS, "numba.core.typed_passes:BaseNativeLowering.run_pass", source, ("2edb7ff2458c",)),
    Canary(
        Feature.EXCEPTIONAL_EXITS, "numba.core.typed_passes:NativeLowering.lowering_class", source, ("fc5ad8e1a157",)
    ),
    Canary(
        Feature.LIBRARIES,
        "numba.core.codegen:CodeLibrary.__init__",
        source,
        (
            "539ecddad0e1",
            "675ef8db5842",
        ),
    ),
    Canary(
        Feature.LIBRARIES,
        "numba.core.codegen:CPUCodeLibrary.__init__",
        source,
        (
            "2b927b7be61c",
            "061fc5522ec1",
        ),
    ),
    Canary(Feature.LIBRARIES, "numba.core.codegen:CPUCodeLibrary._optimize_functions", source, ("87d0642defe5",)),
    Canary(Feature.LIBRARIES, "numba.core.codegen:CPUCodeLibrary._optimize_final_module", source, ("f041d10f563c",)),
    Canary(Feature.LIBRARIES, "numba.core.codegen:CPUCodeLibrary._finalize_final_module", source, ("d26a1c9fb592",)),
    Canary(Feature.LIBRARIES, "numba.core.codegen:CPUCodeLibrary._get_module_for_linking", source, ("597eb0bbe046",)),
    Canary(Feature.LIBRARIES, "numba.core.codegen:CPUCodeLibrary.finalize", source, ("3cc6ec8f8f53",)),
    Canary(Feature.LIBRARIES, "numba.core.codegen:JITCodeLibrary._finalize_specific", source, ("1065cc6367c5",)),
    Canary(Feature.LIBRARIES, "numba.core.codegen:CPUCodeLibrary._unserialize", source, ("e3972cecae87",)),
    Canary(
        Feature.LIBRARIES, "numba.core.codegen:CPUCodeLibrary.serialize_using_object_code", source, ("7be9c9e17d0e",)
    ),
    Canary(Feature.LIBRARIES, "numba.core.codegen:JITCPUCodegen.set_env", parameters, ("self env_name env",)),
    Canary(Feature.LIBRARIES, "numba.core.compiler:CompileResult._reduce", source, ("5f35f6893bd3",)),
    Canary(Feature.LIBRARIES, "numba.core.compiler:CompileResult._rebuild", source, ("edc7c945671b",)),
    Canary(Feature.LIBRARIES, "numba.core.environment:lookup_environment", source, ("41d3df008c1d",)),
    Canary(Feature.LIBRARIES, "numba.core.environment:Environment", names, ("can_cache consts globals",)),
    Canary(Feature.LIBRARIES, "numba.core.funcdesc:FunctionDescriptor.__init__", source, ("9f4001a9ffa1",)),
    Canary(Feature.LIBRARIES, "numba.core.itanium_mangler:mangle", source, ("b4f25728c689",)),
    Canary(Feature.LIBRARIES, "numba.core.itanium_mangler:mangle_identifier", source, ("dd78d06bed61",)),
    Canary(
        Feature.LIBRARIES,
        "numba.core.callconv:CPUCallConv.emit_unwrap_dynamic_exception_fn",
        source,
        (
            "535dcb30f6ff",
            "8b366c5e07bd",
        ),
    ),
    Canary(Feature.LIBRARIES, "numba.np.ufunc.array_exprs:_lower_array_expr", source, ("0c62b69bc29d",)),
    Canary(Feature.LIBRARIES, "numba.core.sigutils:normalize_signature", parameters, ("sig",)),
    Canary(Feature.LIBRARIES, "numba.core.serialize:dumps", parameters, ("obj",)),
    Canary(Feature.LIBRARIES, "numba.core.caching:NullCache", names, ("load_overload save_overload",)),
    Canary(
        Feature.LIBRARIES, "numba.core.dispatcher:_FunctionCompiler._get_implementation", parameters, ("self args kws",)
    ),
    Canary(Feature.LANES, "numba.core.codegen:CPUCodegen._module_pass_manager", source, ("b7f52bb0b6d5",)),
    Canary(Feature.LANES, "numba.core.codegen:CPUCodegen._pass_builder", source, ("20967bc97bd7",)),
    Canary(Feature.EXPONENTIALS, "numba.core.codegen:CPUCodegen", names, ("_tm _tm_features",)),
    Canary(Feature.EXPONENTIALS, "numba.core.config", names, ("USING_SVML",)),
    Canary(
        Feature.EXPONENTIALS,
        "llvmlite.binding:llvm_version_info",
        major,
        (
            "20",
            "21",
            "22",
        ),
    ),
    Canary(
        Feature.ORDERED_SUMS,
        "llvmlite.binding:llvm_version_info",
        major,
        (
            "20",
            "21",
            "22",
        ),
    ),
    Canary(Feature.ORDERED_SUMS, "llvmlite.binding:set_option", parameters, ("name option",)),
    Canary(Feature.BLAS, "numba.np.linalg:call_xxgemm", source, ("3bb22e1a9261",)),
    Canary(Feature.THREADS, "numba.np.ufunc.parallel:build_gufunc_kernel", source, ("7bc54b45953f",)),
    Canary(Feature.THREADS, "numba.np.ufunc.parallel", names, ("_launch_threads",)),
    Canary(
        Feature.THREADS,
        "numba.core.callconv:CPUCallConv",
        names,
        ("_get_return_status return_status_propagate call_function",),
    ),
    Canary(
        Feature.KERNELS,
        "numba.core.cpu:CPUContext",
        names,
        (
            "init call_conv mangler post_lowering load_additional_registries insert_user_function refresh _internal_codegen",
        ),
    ),
    Canary(
        Feature.KERNELS,
        "numba.core.callconv:MinimalCallConv",
        names,
        (
            "_make_call_helper get_return_type get_function_type decorate_function get_arguments return_value return_native_none return_user_exc return_status_propagate call_function _get_arg_packer",
        ),
    ),
    Canary(
        Feature.KERNELS, "numba.core.callconv:MinimalCallConv._return_errcode_raw", parameters, ("self builder code",)
    ),
    Canary(
        Feature.KERNELS,
        "numba.core.typing.templates",
        names,
        ("Registry _OverloadAttributeTemplate make_concrete_template fold_arguments",),
    ),
    Canary(
        Feature.KERNELS,
        "numba.core.typing.context:BaseContext.resolve_function_type",
        parameters,
        ("self func args kws",),
    ),
    Canary(Feature.KERNELS, "numba.core.typing.context:BaseContext.install_registry", parameters, ("self registry",)),
    Canary(
        Feature.KERNELS, "numba.core.typed_passes:PreLowerStripPhis._strip_phi_nodes", parameters, ("self func_ir",)
    ),
    Canary(Feature.KERNELS, "numba.core.interpreter:Interpreter.post_process", parameters, ("self peepholes func_ir",)),
    Canary(Feature.KERNELS, "numba.core.interpreter", names, ("peep_hole_delete_with_exit",)),
    Canary(Feature.KERNELS, "numba.core.ssa:reconstruct_ssa", parameters, ("func_ir",)),
    Canary(Feature.KERNELS, "numba.core.transforms:canonicalize_cfg", parameters, ("blocks",)),
    Canary(
        Feature.KERNELS, "numba.core.target_extension", names, ("CPU target_registry jit_registry dispatcher_registry",)
    ),
    Canary(
        Feature.KERNELS,
        "numba.core.codegen:CodeLibrary",
        names,
        ("add_linking_library add_ir_module finalize get_function get_llvm_str get_asm_str _finalized",),
    ),
    Canary(Feature.LOCKS, "numba.core.compiler_lock:_CompilerLock", names, ("_lock",)),
    Canary(Feature.LOCKS, "llvmlite.binding.ffi:_LLVMLock", names, ("_lock",)),
    Canary(Feature.RANDOM_STATES, "numba._helperlib", names, ("rnd_get_np_state_ptr rnd_get_py_state_ptr",)),
    Canary(
        Feature.RANDOM_STATES, "numba.cpython.randomimpl:rnd_state_t", text, ("{i32, [624 x i32], i32, double, i32}",)
    ),
)
