"""The undocumented parts of Numba that derivatives use, in one place: check a new release of Numba here first."""

from __future__ import annotations

from types import CellType, FunctionType
from typing import Any

from fastgrad._src.jit.numba_canaries import advice

try:
    from numba import _helperlib as _helperlib
    from numba.core import analysis as analysis
    from numba.core import bytecode as bytecode
    from numba.core import cgutils as cgutils
    from numba.core import codegen as codegen
    from numba.core import compiler as compiler
    from numba.core import config as config
    from numba.core import dispatcher as dispatcher
    from numba.core import environment as environment
    from numba.core import errors as errors
    from numba.core import ir as ir
    from numba.core import ir_utils as ir_utils
    from numba.core import lowering as lowering
    from numba.core import serialize as serialize
    from numba.core import sigutils as sigutils
    from numba.core.caching import NullCache as NullCache
    from numba.core.callconv import RETCODE_NONE as RETCODE_NONE
    from numba.core.callconv import RETCODE_OK as RETCODE_OK
    from numba.core.callconv import CPUCallConv as CPUCallConv
    from numba.core.ccallback import CFunc as CFunc
    from numba.core.codegen import JITCodeLibrary as JITCodeLibrary
    from numba.core.compiler import CompilerBase as CompilerBase
    from numba.core.compiler import DefaultPassBuilder as DefaultPassBuilder
    from numba.core.compiler_lock import global_compiler_lock as global_compiler_lock
    from numba.core.compiler_machinery import FunctionPass as FunctionPass
    from numba.core.compiler_machinery import LoweringPass as LoweringPass
    from numba.core.compiler_machinery import PassManager as PassManager
    from numba.core.compiler_machinery import register_pass as register_pass
    from numba.core.cpu import CPUContext as CPUContext
    from numba.core.cpu import ParallelOptions as ParallelOptions
    from numba.core.dispatcher import Dispatcher as Dispatcher
    from numba.core.dispatcher import _FunctionCompiler as _FunctionCompiler
    from numba.core.errors import ForceLiteralArg as ForceLiteralArg
    from numba.core.errors import NumbaError as NumbaError
    from numba.core.extending import _Intrinsic as _Intrinsic
    from numba.core.imputils import impl_ret_borrowed as impl_ret_borrowed
    from numba.core.imputils import user_function as user_function
    from numba.core.inline_closurecall import length_of_iterator as length_of_iterator
    from numba.core.ir_utils import build_definitions as build_definitions
    from numba.core.postproc import PostProcessor as PostProcessor
    from numba.core.registry import CPUDispatcher as CPUDispatcher
    from numba.core.registry import cpu_target as cpu_target
    from numba.core.runtime import rtsys as rtsys
    from numba.core.targetconfig import ConfigStack as ConfigStack
    from numba.core.typed_passes import NativeLowering as NativeLowering
    from numba.core.typed_passes import NoPythonBackend as NoPythonBackend
    from numba.core.typed_passes import NopythonRewrites as NopythonRewrites
    from numba.core.typed_passes import NopythonTypeInference as NopythonTypeInference
    from numba.core.typing import fold_arguments as fold_arguments
    from numba.core.typing import signature as signature
    from numba.core.typing.templates import Signature as Signature
    from numba.core.typing.templates import _OverloadFunctionTemplate as _OverloadFunctionTemplate
    from numba.core.typing.templates import _OverloadMethodTemplate as _OverloadMethodTemplate
    from numba.core.typing.templates import builtin_registry as builtin_registry
    from numba.core.unsafe.eh import end_try_block as end_try_block
    from numba.core.unsafe.eh import exception_check as exception_check
    from numba.core.unsafe.eh import exception_match as exception_match
    from numba.core.unsafe.eh import mark_try_block as mark_try_block
    from numba.core.untyped_passes import DeadBranchPrune as DeadBranchPrune
    from numba.core.untyped_passes import ExtractByteCode as ExtractByteCode
    from numba.core.untyped_passes import FindLiterallyCalls as FindLiterallyCalls
    from numba.core.untyped_passes import FixupArgs as FixupArgs
    from numba.core.untyped_passes import InlineClosureLikes as InlineClosureLikes
    from numba.core.untyped_passes import InlineInlinables as InlineInlinables
    from numba.core.untyped_passes import LiteralPropagationSubPipelinePass as LiteralPropagationSubPipelinePass
    from numba.core.untyped_passes import LiteralUnroll as LiteralUnroll
    from numba.core.untyped_passes import MakeFunctionToJitFunction as MakeFunctionToJitFunction
    from numba.core.untyped_passes import WithLifting as WithLifting
    from numba.cpython.builtins import ol_isinstance as ol_isinstance
    from numba.cpython.listobj import arg_sort_backwards as arg_sort_backwards
    from numba.cpython.listobj import arg_sort_forwards as arg_sort_forwards
    from numba.experimental.jitclass.base import JitClassType as JitClassType
    from numba.np.arrayobj import _empty_nd_impl as _empty_nd_impl
    from numba.np.arrayobj import load_item as load_item
    from numba.np.arrayobj import make_array as make_array
    from numba.np.arrayobj import ol_raise_with_shape_context_cpu as ol_raise_with_shape_context_cpu
    from numba.np.arrayobj import populate_array as populate_array
    from numba.np.arrayobj import store_item as store_item
    from numba.np.numpy_support import as_dtype as as_dtype
    from numba.np.random import distributions as distributions
    from numba.np.random import generator_core as generator_core
    from numba.np.random import random_methods as random_methods
    from numba.np.ufunc import parallel as parallel
    from numba.np.ufunc.array_exprs import RewriteArrayExprs as RewriteArrayExprs
    from numba.np.ufunc.dufunc import DUFunc as DUFunc
    from numba.np.ufunc.gufunc import GUFunc as GUFunc
    from numba.np.ufunc.sigparse import parse_signature as parse_signature
    from numba.np.unsafe.ndarray import empty_inferred as empty_inferred
    from numba.stencils.stencil import StencilFunc as StencilFunc
except ImportError as error:
    raise ImportError(f"derivatives: {advice([error.name or 'numba'])}") from error


def captured_values_read(blocks: dict[int, ir.Block]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the values of globals and of closures that Numba found when it made the blocks of a function."""
    read = [getattr(statement, "value", None) for block in blocks.values() for statement in block.body]
    of_kinds = [
        {value.name: value.value for value in read if isinstance(value, kind) and value.value is not ir.UNDEFINED}
        for kind in (ir.Global, ir.FreeVar)
    ]
    return of_kinds[0], of_kinds[1]


def with_captured_values(function: FunctionType, blocks: dict[int, ir.Block]) -> FunctionType:
    """Returns a function with the values of globals and closures that Numba found when it made its ``blocks``."""
    globals_read, variables = captured_values_read(blocks)
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    closure = tuple(CellType(variables[name]) if name in variables else cell for name, cell in cells)
    scope = {**function.__globals__, **globals_read}
    frozen = FunctionType(function.__code__, scope, function.__name__, function.__defaults__, closure)
    frozen.__kwdefaults__ = function.__kwdefaults__
    frozen.__module__, frozen.__qualname__ = function.__module__, function.__qualname__
    return frozen


def compiled_blocks(compiled: Any, argument_types: tuple[Any, ...]) -> dict[int, ir.Block]:
    """Returns the blocks from which Numba compiled a function for a signature; none of a function that it loaded from its cache."""
    result = compiled.overloads.get(argument_types)
    return getattr(getattr(result, "type_annotation", None), "blocks", {})
