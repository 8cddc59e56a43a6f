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


_TABLE = {
    Feature.INFERRED_CALLEES: """
        source numba.core.dispatcher:Dispatcher.compile = 3a28c241c0a4
        names numba.core.dispatcher:Dispatcher = _compiler _compiling_counter _can_compile _cache overloads targetoptions py_func
        names numba.core.dispatcher:_FunctionCompiler = targetdescr targetoptions locals pipeline_class py_func
        names numba.core.base:BaseContext = _defns
        source numba.core.base:BaseContext.get_function = dcd73de8cba0
        parameters numba.core.base:OverloadSelector.append = self value sig
        source numba.core.base:BaseContext.insert_user_function = 32a03ba7cd40
        source numba.core.imputils:user_function = 0983f4005d7d
        source numba.core.typed_passes:BaseNativeLowering.run_pass = 2edb7ff2458c
        parameters numba.core.compiler:compile_extra = typingctx targetctx func args return_type flags locals library pipeline_class
        names numba.core.compiler:Flags = no_compile no_cpython_wrapper no_cfunc_wrapper error_model copy
        names numba.core.targetconfig:ConfigStack = enter
        source numba.core.codegen:CPUCodeLibrary._finalize_final_module = d26a1c9fb592
        source numba.core.codegen:CPUCodeLibrary._finalize_dynamic_globals = fd82b3bae908
        source numba.core.codegen:CPUCodeLibrary.finalize = 3cc6ec8f8f53
        source numba.np.arrayobj:ol_raise_with_shape_context_cpu = fc0abf9cc4ea | 57bf454ddc3a
    """,
    Feature.QUICK_LIVENESS: """
        source numba.core.analysis:compute_live_map = 9e5cc741edaf | 5268d88ad09d
        source numba.core.postproc:VariableLifetime.livemap = 9b0991dfa795
        names numba.core.controlflow:CFGraph = topo_order successors predecessors
    """,
    Feature.DIRECT_JUMPS: """
        source numba.core.compiler:DefaultPassBuilder.define_nopython_pipeline = db1bdf32dab8
        source numba.core.compiler:DefaultPassBuilder.define_untyped_pipeline = d405785132d7
        source numba.core.compiler:DefaultPassBuilder.define_typed_pipeline = 7535bc8e606a
        source numba.core.compiler:DefaultPassBuilder.define_nopython_lowering_pipeline = 0d526a4069c8
        source numba.core.compiler_machinery:PassManager.add_pass_after = 09aa1ed29b07
        names numba.core.compiler:Flags = enable_ssa
        names numba.core.untyped_passes = WithLifting InlineClosureLikes MakeFunctionToJitFunction InlineInlinables DeadBranchPrune FindLiterallyCalls LiteralUnroll LiteralPropagationSubPipelinePass
    """,
    Feature.FRONT_END: """
        parameters numba.core.ir:Jump.__init__ = self target loc
        parameters numba.core.ir:Branch.__init__ = self cond truebr falsebr loc
        parameters numba.core.ir:Assign.__init__ = self value target loc
        parameters numba.core.ir_utils:compute_cfg_from_blocks = blocks
        names numba.core.ir = Arg Assign Branch Const Del Expr FreeVar Global Jump Loc Raise Return Scope SetItem StaticRaise StaticSetItem UNDEFINED Var
        parameters numba.core.ir:Expr.getitem = cls value index loc
        parameters numba.core.ir_utils:build_definitions = blocks definitions
        names numba.core.bytecode:FunctionIdentity = from_function
        names numba.np.linalg = ensure_blas
        parameters numba.core.compiler:DefaultPassBuilder.define_untyped_pipeline = state name
        names numba.core.compiler:CompilerBase = state define_pipelines
        names numba.core.compiler_machinery:PassManager = passes add_pass add_pass_after finalize
        names numba.core.typed_passes = NativeLowering NopythonRewrites NopythonTypeInference
        names numba.core.typing.templates:_OverloadFunctionTemplate = _overload_func _get_impl
        bases numba.core.typing.templates:_OverloadMethodTemplate = _OverloadAttributeTemplate
        names numba.core.typing.templates = builtin_registry Signature
        source numba.core.interpreter:Interpreter.op_RERAISE = 8a8688857bf2
        names numba.core.unsafe.eh = exception_check mark_try_block end_try_block exception_match
        names numba.np.ufunc.array_exprs:RewriteArrayExprs = match apply
        names numba.np.ufunc.dufunc:DUFunc = _dispatcher
        names numba.np.ufunc.gufunc:GUFunc = gufunc_builder
        parameters numba.cpython.builtins:ol_isinstance = var typs
        names numba.cpython.listobj = arg_sort_backwards arg_sort_forwards
        names numba.stencils.stencil:StencilFunc = kernel_ir neighborhood
        names numba.experimental.jitclass.base:JitClassType = class_type
    """,
    Feature.EMISSION: """
        source numba.core.lowering:BaseLower.lower = 8783c260470f | d11fc211cf1b
        source numba.core.lowering:BaseLower.__init__ = cd2e5851896e
        source numba.core.lowering:BaseLower.setup_function = 11493813bc28
        source numba.core.lowering:BaseLower.extract_function_arguments = a299bc857231
        source numba.core.typed_passes:BaseNativeLowering.run_pass = 2edb7ff2458c
        source numba.core.typed_passes:NoPythonBackend.run_pass = 90868d5e5796
        parameters numba.core.funcdesc:PythonFunctionDescriptor.from_specialized_function = cls func_ir typemap restype calltypes mangler inline noalias abi_tags
        names numba.core.extending:_Intrinsic = _defn
        names numba.core.callconv:CPUCallConv = decode_arguments get_return_type init_call_helper return_value
        parameters numba.core.callconv:CPUCallConv.return_user_exc = self builder exc exc_args loc func_name
        names numba.core.typing.context:BaseContext = resolve_function_type resolve_getattr resolve_setitem resolve_value_type unify_types
        parameters numba.core.typing:fold_arguments = pysig args kws normal_handler default_handler stararg_handler
        names numba.core.base:BaseContext = call_internal cast get_constant get_constant_generic get_dummy_value get_return_value get_value_type make_helper make_tuple nrt
        parameters numba.core.base:BaseContext.get_getattr = self typ attr
        parameters numba.core.cgutils:get_item_pointer2 = context builder data shape strides layout inds wraparound boundscheck
        names numba.core.cgutils = alloca_once for_range get_null_value if_unlikely memset pack_array
        parameters numba.np.arrayobj:_empty_nd_impl = context builder arrtype shapes
        parameters numba.np.arrayobj:load_item = context builder arrayty ptr
        parameters numba.np.arrayobj:store_item = context builder arrayty val ptr
    """,
    Feature.EXCEPTIONAL_EXITS: """
        source numba.core.callconv:CPUCallConv._return_errcode_raw = a484b2b6b2a5
        bases numba.core.callconv:CPUCallConv = BaseCallConv
        source numba.core.cpu:CPUContext.call_conv = 2a76250a3ca0
        bases numba.core.cpu:CPUContext = BaseContext
        source numba.core.lowering:Lower._find_singly_assigned_variable = 94a29147b918 | d86571043f7f
        source numba.core.lowering:BaseLower.pre_lower = d84b93601332
        source numba.core.lowering:BaseLower.post_lower = b4ec9205e778
        source numba.core.lowering:BaseLower.lower_function_body = 8ede98b70cfd
        source numba.core.lowering:Lower._alloca_var = 08830323372d
        source numba.core.lowering:Lower.storevar = 828458124d7d
        source numba.core.lowering:Lower.delvar = 165e7ae63b4d
        source numba.core.lowering:Lower.alloca_lltype = dbc58391df1e
        bases numba.core.lowering:Lower = BaseLower
        source numba.core.typed_passes:BaseNativeLowering.run_pass = 2edb7ff2458c
        source numba.core.typed_passes:NativeLowering.lowering_class = fc5ad8e1a157
    """,
    Feature.LIBRARIES: """
        source numba.core.codegen:CodeLibrary.__init__ = 539ecddad0e1 | 675ef8db5842
        source numba.core.codegen:CPUCodeLibrary.__init__ = 2b927b7be61c | 061fc5522ec1
        source numba.core.codegen:CPUCodeLibrary._optimize_functions = 87d0642defe5
        source numba.core.codegen:CPUCodeLibrary._optimize_final_module = f041d10f563c
        source numba.core.codegen:CPUCodeLibrary._finalize_final_module = d26a1c9fb592
        source numba.core.codegen:CPUCodeLibrary._get_module_for_linking = 597eb0bbe046
        source numba.core.codegen:CPUCodeLibrary.finalize = 3cc6ec8f8f53
        source numba.core.codegen:JITCodeLibrary._finalize_specific = 1065cc6367c5
        source numba.core.codegen:CPUCodeLibrary._unserialize = e3972cecae87
        source numba.core.codegen:CPUCodeLibrary.serialize_using_object_code = 7be9c9e17d0e
        parameters numba.core.codegen:JITCPUCodegen.set_env = self env_name env
        source numba.core.compiler:CompileResult._reduce = 5f35f6893bd3
        source numba.core.compiler:CompileResult._rebuild = edc7c945671b
        source numba.core.environment:lookup_environment = 41d3df008c1d
        names numba.core.environment:Environment = can_cache consts globals
        source numba.core.funcdesc:FunctionDescriptor.__init__ = 9f4001a9ffa1
        source numba.core.itanium_mangler:mangle = b4f25728c689
        source numba.core.itanium_mangler:mangle_identifier = dd78d06bed61
        source numba.core.callconv:CPUCallConv.emit_unwrap_dynamic_exception_fn = 535dcb30f6ff | 8b366c5e07bd
        source numba.np.ufunc.array_exprs:_lower_array_expr = 0c62b69bc29d
        parameters numba.core.sigutils:normalize_signature = sig
        parameters numba.core.serialize:dumps = obj
        names numba.core.caching:NullCache = load_overload save_overload
        parameters numba.core.dispatcher:_FunctionCompiler._get_implementation = self args kws
    """,
    Feature.LANES: """
        source numba.core.codegen:CPUCodegen._module_pass_manager = b7f52bb0b6d5
        source numba.core.codegen:CPUCodegen._pass_builder = 20967bc97bd7
    """,
    Feature.EXPONENTIALS: """
        names numba.core.codegen:CPUCodegen = _tm _tm_features
        names numba.core.config = USING_SVML
        major llvmlite.binding:llvm_version_info = 20 | 21 | 22
    """,
    Feature.ORDERED_SUMS: """
        major llvmlite.binding:llvm_version_info = 20 | 21 | 22
        parameters llvmlite.binding:set_option = name option
    """,
    Feature.BLAS: """
        source numba.np.linalg:call_xxgemm = 3bb22e1a9261
    """,
    Feature.THREADS: """
        source numba.np.ufunc.parallel:build_gufunc_kernel = 7bc54b45953f
        names numba.np.ufunc.parallel = _launch_threads
        names numba.core.callconv:CPUCallConv = _get_return_status return_status_propagate call_function
    """,
    Feature.KERNELS: """
        names numba.core.cpu:CPUContext = init call_conv mangler post_lowering load_additional_registries insert_user_function refresh _internal_codegen
        names numba.core.callconv:MinimalCallConv = _make_call_helper get_return_type get_function_type decorate_function get_arguments return_value return_native_none return_user_exc return_status_propagate call_function _get_arg_packer
        parameters numba.core.callconv:MinimalCallConv._return_errcode_raw = self builder code
        names numba.core.typing.templates = Registry _OverloadAttributeTemplate make_concrete_template fold_arguments
        parameters numba.core.typing.context:BaseContext.resolve_function_type = self func args kws
        parameters numba.core.typing.context:BaseContext.install_registry = self registry
        parameters numba.core.typed_passes:PreLowerStripPhis._strip_phi_nodes = self func_ir
        parameters numba.core.interpreter:Interpreter.post_process = self peepholes func_ir
        names numba.core.interpreter = peep_hole_delete_with_exit
        parameters numba.core.ssa:reconstruct_ssa = func_ir
        parameters numba.core.transforms:canonicalize_cfg = blocks
        names numba.core.target_extension = CPU target_registry jit_registry dispatcher_registry
        names numba.core.codegen:CodeLibrary = add_linking_library add_ir_module finalize get_function get_llvm_str get_asm_str _finalized
    """,
    Feature.LOCKS: """
        names numba.core.compiler_lock:_CompilerLock = _lock
        names llvmlite.binding.ffi:_LLVMLock = _lock
    """,
    Feature.RANDOM_STATES: """
        names numba._helperlib = rnd_get_np_state_ptr rnd_get_py_state_ptr
        text numba.cpython.randomimpl:rnd_state_t = {i32, [624 x i32], i32, double, i32}
    """,
}
"""A line for each canary: what is compared, the part, and what it is in the known versions; ``|`` stands between alternatives."""


def _canaries_of(feature: Feature, lines: str) -> Iterator[Canary]:
    looks = {look.__name__: look for look in (source, parameters, bases, names, text, major)}
    for line in lines.strip().splitlines():
        left, _, known = line.partition(" = ")
        look, part = left.split()
        yield Canary(feature, part, looks[look], tuple(known.split(" | ")))


CANARIES: tuple[Canary, ...] = tuple(canary for row in _TABLE.items() for canary in _canaries_of(*row))
