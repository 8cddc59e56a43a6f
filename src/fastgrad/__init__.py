"""fastgrad (``import fastgrad as tf``): an autodiff engine on NumPy and Numba with TensorFlow's eager model.

This module has only public names. The namespaces ``keras``, ``data``, ``train`` ... are imported lazily.
"""

from __future__ import annotations

import importlib as _importlib
import sys as _sys
from typing import Any as _Any

from fastgrad.kernels.codegen.phases import report as _report

if _report is not None:
    _report.enter("import")

from fastgrad.core.eager import AggregationMethod as AggregationMethod
from fastgrad.core.eager import VariableAggregation as VariableAggregation
from fastgrad.core.eager import VariableSynchronization as VariableSynchronization
from fastgrad.core.eager import control_dependencies as control_dependencies
from fastgrad.core.eager import enable_eager_execution as enable_eager_execution
from fastgrad.core.eager import executing_eagerly as executing_eagerly
from fastgrad.core.eager import get_logger as get_logger
from fastgrad.core.eager import get_static_value as get_static_value
from fastgrad.core.eager import group as group
from fastgrad.core.eager import inside_function as inside_function
from fastgrad.core.eager import is_symbolic_tensor as is_symbolic_tensor
from fastgrad.core.eager import no_op as no_op
from fastgrad.core.eager import tuple as tuple  # TensorFlow's name
from fastgrad.core.indexed_slices import IndexedSlices as IndexedSlices
from fastgrad.core.interpreter import refuse_free_threading as _refuse_free_threading
from fastgrad.core.malloc_tuning import keep_freed_memory as _keep_freed_memory
from fastgrad.core.names import MissingModuleFinder as _MissingModuleFinder
from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.core.placement import device as device
from fastgrad.core.printing import print as print  # TensorFlow's name
from fastgrad.core.recording import init_scope as init_scope
from fastgrad.core.scopes import get_current_name_scope as get_current_name_scope
from fastgrad.core.scopes import name_scope as name_scope
from fastgrad.core.shape import TensorShape as TensorShape
from fastgrad.core.tape import GradientTape as GradientTape
from fastgrad.core.tape import UnconnectedGradients as UnconnectedGradients
from fastgrad.core.tensor import Tensor as Tensor
from fastgrad.core.tensor import convert_to_tensor as convert_to_tensor
from fastgrad.core.tensor import is_tensor as is_tensor
from fastgrad.core.tensor_spec import TensorSpec as TensorSpec
from fastgrad.core.tensor_spec import type_spec_from_value as type_spec_from_value
from fastgrad.core.type_spec import TypeSpec as TypeSpec
from fastgrad.core.variable import Variable as Variable
from fastgrad.dtypes import DType as DType
from fastgrad.dtypes import as_dtype as as_dtype
from fastgrad.dtypes import bfloat16 as bfloat16
from fastgrad.dtypes import bool as bool  # TensorFlow's name
from fastgrad.dtypes import complex64 as complex64
from fastgrad.dtypes import complex128 as complex128
from fastgrad.dtypes import double as double
from fastgrad.dtypes import float16 as float16
from fastgrad.dtypes import float32 as float32
from fastgrad.dtypes import float64 as float64
from fastgrad.dtypes import half as half
from fastgrad.dtypes import int8 as int8
from fastgrad.dtypes import int16 as int16
from fastgrad.dtypes import int32 as int32
from fastgrad.dtypes import int64 as int64
from fastgrad.dtypes import qint8 as qint8
from fastgrad.dtypes import qint16 as qint16
from fastgrad.dtypes import qint32 as qint32
from fastgrad.dtypes import quint8 as quint8
from fastgrad.dtypes import quint16 as quint16
from fastgrad.dtypes import string as string
from fastgrad.dtypes import uint8 as uint8
from fastgrad.dtypes import uint16 as uint16
from fastgrad.dtypes import uint32 as uint32
from fastgrad.dtypes import uint64 as uint64
from fastgrad.kernels.codegen.gc_pause import importing as _importing
from fastgrad.kernels.codegen.tracebacks import install_hooks as _install_traceback_hooks
from fastgrad.ops import operators as _operators  # noqa: F401  # sets Python's operators of tensors and variables
from fastgrad.ops import variable_rows as _variable_rows  # noqa: F401  # sets scatter_add and similar methods of variables
from fastgrad.ops.arithmetic import abs as abs
from fastgrad.ops.arithmetic import add as add
from fastgrad.ops.arithmetic import add_n as add_n
from fastgrad.ops.arithmetic import maximum as maximum
from fastgrad.ops.arithmetic import minimum as minimum
from fastgrad.ops.arithmetic import multiply as multiply
from fastgrad.ops.arithmetic import negative as negative
from fastgrad.ops.arithmetic import scalar_mul as scalar_mul
from fastgrad.ops.arithmetic import sign as sign
from fastgrad.ops.arithmetic import subtract as subtract
from fastgrad.ops.assertion import Assert as Assert
from fastgrad.ops.assertion import assert_equal as assert_equal
from fastgrad.ops.assertion import assert_greater as assert_greater
from fastgrad.ops.assertion import assert_less as assert_less
from fastgrad.ops.assertion import assert_rank as assert_rank
from fastgrad.ops.blocks import batch_to_space as batch_to_space
from fastgrad.ops.blocks import space_to_batch as space_to_batch
from fastgrad.ops.blocks import space_to_batch as space_to_batch_nd  # noqa: F401
from fastgrad.ops.casting import cast as cast
from fastgrad.ops.casting import saturate_cast as saturate_cast
from fastgrad.ops.clipping import clip_by_global_norm as clip_by_global_norm
from fastgrad.ops.clipping import clip_by_norm as clip_by_norm
from fastgrad.ops.clipping import clip_by_value as clip_by_value
from fastgrad.ops.comparison import equal as equal
from fastgrad.ops.comparison import greater as greater
from fastgrad.ops.comparison import greater_equal as greater_equal
from fastgrad.ops.comparison import less as less
from fastgrad.ops.comparison import less_equal as less_equal
from fastgrad.ops.comparison import logical_and as logical_and
from fastgrad.ops.comparison import logical_not as logical_not
from fastgrad.ops.comparison import logical_or as logical_or
from fastgrad.ops.comparison import not_equal as not_equal
from fastgrad.ops.complex_numbers import complex as complex
from fastgrad.ops.contraction import matmul as matmul
from fastgrad.ops.control_flow import case as case
from fastgrad.ops.control_flow import cond as cond
from fastgrad.ops.control_flow import switch_case as switch_case
from fastgrad.ops.control_flow import while_loop as while_loop
from fastgrad.ops.creation import constant as constant
from fastgrad.ops.creation import eye as eye
from fastgrad.ops.creation import fill as fill
from fastgrad.ops.creation import identity as guarantee_const  # noqa: F401
from fastgrad.ops.creation import identity as identity
from fastgrad.ops.creation import identity_n as identity_n
from fastgrad.ops.creation import linspace as linspace
from fastgrad.ops.creation import ones as ones
from fastgrad.ops.creation import ones_like as ones_like
from fastgrad.ops.creation import range as range
from fastgrad.ops.creation import zeros as zeros
from fastgrad.ops.creation import zeros_like as zeros_like
from fastgrad.ops.custom_gradient import custom_gradient as custom_gradient
from fastgrad.ops.custom_gradient import grad_pass_through as grad_pass_through
from fastgrad.ops.custom_gradient import recompute_grad as recompute_grad
from fastgrad.ops.custom_gradient import stop_gradient as stop_gradient
from fastgrad.ops.decompositions import eig as eig
from fastgrad.ops.decompositions import eigvals as eigvals
from fastgrad.ops.division import divide as divide
from fastgrad.ops.division import realdiv as realdiv
from fastgrad.ops.division import truediv as truediv
from fastgrad.ops.division import truncatediv as truncatediv
from fastgrad.ops.division import truncatemod as truncatemod
from fastgrad.ops.einsum import einsum as einsum
from fastgrad.ops.einsum import tensordot as tensordot
from fastgrad.ops.exponential import acos as acos
from fastgrad.ops.exponential import acosh as acosh
from fastgrad.ops.exponential import asin as asin
from fastgrad.ops.exponential import asinh as asinh
from fastgrad.ops.exponential import atan as atan
from fastgrad.ops.exponential import atan2 as atan2
from fastgrad.ops.exponential import atanh as atanh
from fastgrad.ops.exponential import cos as cos
from fastgrad.ops.exponential import cosh as cosh
from fastgrad.ops.exponential import exp as exp
from fastgrad.ops.exponential import sigmoid as sigmoid
from fastgrad.ops.exponential import sin as sin
from fastgrad.ops.exponential import sinh as sinh
from fastgrad.ops.exponential import tan as tan
from fastgrad.ops.exponential import tanh as tanh
from fastgrad.ops.higher_order import foldl as foldl
from fastgrad.ops.higher_order import foldr as foldr
from fastgrad.ops.higher_order import map_fn as map_fn
from fastgrad.ops.higher_order import scan as scan
from fastgrad.ops.higher_order import vectorized_map as vectorized_map
from fastgrad.ops.indexing import gather as gather
from fastgrad.ops.indexing import gather_nd as gather_nd
from fastgrad.ops.indexing import unravel_index as unravel_index
from fastgrad.ops.inspection import argmax as argmax
from fastgrad.ops.inspection import argmin as argmin
from fastgrad.ops.joining import concat as concat
from fastgrad.ops.joining import split as split
from fastgrad.ops.joining import stack as stack
from fastgrad.ops.joining import unstack as unstack
from fastgrad.ops.matrix_functions import sqrtm as matrix_square_root  # noqa: F401
from fastgrad.ops.norms import norm as norm
from fastgrad.ops.one_hot import one_hot as one_hot
from fastgrad.ops.one_hot import sequence_mask as sequence_mask
from fastgrad.ops.padding import pad as pad
from fastgrad.ops.power import pow as pow
from fastgrad.ops.power import sqrt as sqrt
from fastgrad.ops.power import square as square
from fastgrad.ops.python_function import numpy_function as numpy_function
from fastgrad.ops.python_function import py_function as py_function
from fastgrad.ops.python_function import timestamp as timestamp
from fastgrad.ops.reduction import reduce_all as reduce_all
from fastgrad.ops.reduction import reduce_any as reduce_any
from fastgrad.ops.reduction import reduce_logsumexp as reduce_logsumexp
from fastgrad.ops.reduction import reduce_max as reduce_max
from fastgrad.ops.reduction import reduce_mean as reduce_mean
from fastgrad.ops.reduction import reduce_min as reduce_min
from fastgrad.ops.reduction import reduce_prod as reduce_prod
from fastgrad.ops.reduction import reduce_sum as reduce_sum
from fastgrad.ops.reordering import reverse as reverse
from fastgrad.ops.reordering import reverse_sequence as reverse_sequence
from fastgrad.ops.reordering import roll as roll
from fastgrad.ops.repeating import meshgrid as meshgrid
from fastgrad.ops.repeating import repeat as repeat
from fastgrad.ops.repeating import tile as tile
from fastgrad.ops.rounding import floor as floor
from fastgrad.ops.rounding import round as round
from fastgrad.ops.scan import cumsum as cumsum
from fastgrad.ops.scattering import dynamic_stitch as dynamic_stitch
from fastgrad.ops.scattering import scatter_nd as scatter_nd
from fastgrad.ops.scattering import tensor_scatter_nd_add as tensor_scatter_nd_add
from fastgrad.ops.scattering import tensor_scatter_nd_max as tensor_scatter_nd_max
from fastgrad.ops.scattering import tensor_scatter_nd_min as tensor_scatter_nd_min
from fastgrad.ops.scattering import tensor_scatter_nd_sub as tensor_scatter_nd_sub
from fastgrad.ops.scattering import tensor_scatter_nd_update as tensor_scatter_nd_update
from fastgrad.ops.selection import boolean_mask as boolean_mask
from fastgrad.ops.selection import dynamic_partition as dynamic_partition
from fastgrad.ops.selection import where as where
from fastgrad.ops.shape_query import broadcast_dynamic_shape as broadcast_dynamic_shape
from fastgrad.ops.shape_query import broadcast_static_shape as broadcast_static_shape
from fastgrad.ops.shape_query import ensure_shape as ensure_shape
from fastgrad.ops.shape_query import rank as rank
from fastgrad.ops.shape_query import shape as shape
from fastgrad.ops.shape_query import shape_n as shape_n
from fastgrad.ops.shape_query import size as size
from fastgrad.ops.shaping import bitcast as bitcast
from fastgrad.ops.shaping import broadcast_to as broadcast_to
from fastgrad.ops.shaping import expand_dims as expand_dims
from fastgrad.ops.shaping import reshape as reshape
from fastgrad.ops.shaping import squeeze as squeeze
from fastgrad.ops.shaping import transpose as transpose
from fastgrad.ops.slicing import slice as slice
from fastgrad.ops.slicing import strided_slice as strided_slice
from fastgrad.ops.sorting import argsort as argsort
from fastgrad.ops.sorting import searchsorted as searchsorted
from fastgrad.ops.sorting import sort as sort
from fastgrad.ops.sorting import unique as unique
from fastgrad.ops.sorting import unique_with_counts as unique_with_counts
from fastgrad.ops.statistics import histogram_fixed_width as histogram_fixed_width
from fastgrad.ops.statistics import histogram_fixed_width_bins as histogram_fixed_width_bins
from fastgrad.ops.tensor_array import TensorArray as TensorArray
from fastgrad.version import VERSION as _VERSION

__version__ = _VERSION

newaxis = None

_LAZY = (
    "audio",
    "autodiff",
    "autograph",
    "bitwise",
    "compat",
    "config",
    "contrib",
    "data",
    "debugging",
    "distribute",
    "dtypes",
    "errors",
    "experimental",
    "image",
    "initializers",
    "io",
    "keras",
    "linalg",
    "lookup",
    "losses",
    "math",
    "metrics",
    "nest",
    "nn",
    "optimizers",
    "profiler",
    "quantization",
    "queue",
    "ragged",
    "random",
    "raw_ops",
    "saved_model",
    "sets",
    "signal",
    "sparse",
    "strings",
    "summary",
    "test",
    "train",
    "types",
    "version",
)

_refuse_free_threading()
_install_traceback_hooks()
_keep_freed_memory()

# Lazily imported names, with the module of each.
_MODULE_OF_LAZY_NAME = {
    "CriticalSection": "core.critical_section",
    "DeviceSpec": "core.device_spec",
    "Module": "module",
    "RaggedTensor": "ragged",
    "RaggedTensorSpec": "ragged",
    "SparseTensor": "sparse",
    "SparseTensorSpec": "sparse",
    "adjoint": "differentiation",
    "as_string": "strings",
    "cfunc": "differentiation",
    "check_gradients": "differentiation",
    "constant_initializer": "initializers",
    "edit_distance": "composed_ops.label_sequences",
    "elementwise": "custom",
    "extract_volume_patches": "image.geometry",
    "fftnd": "signal",
    "fingerprint": "strings.hashing",
    "fixed_point": "differentiation",
    "function": "compiler.function",
    "grad": "differentiation",
    "gradients": "core.eager",
    "hessian": "differentiation",
    "hvp": "differentiation",
    "ifftnd": "signal",
    "irfftnd": "signal",
    "implicit_root": "differentiation",
    "jacobian": "differentiation",
    "jvp": "differentiation",
    "kernel": "custom",
    "make_ndarray": "io.string_tensors",
    "make_tensor_proto": "io.string_tensors",
    "ones_initializer": "initializers",
    "random_normal_initializer": "initializers",
    "random_uniform_initializer": "initializers",
    "required_space_to_batch_paddings": "composed_ops.space_to_batch_paddings",
    "rfftnd": "signal",
    "value_and_grad": "differentiation",
    "vjp": "differentiation",
    "zeros_initializer": "initializers",
}


def __getattr__(name: str) -> _Any:
    if name in _LAZY:
        with _importing():
            return _importlib.import_module("fastgrad." + name)
    if name in _MODULE_OF_LAZY_NAME:
        with _importing():
            value = globals()[name] = getattr(_importlib.import_module("fastgrad." + _MODULE_OF_LAZY_NAME[name]), name)
        return value
    return _missing(name)


def __dir__() -> list[str]:
    return sorted({*_present(), *_LAZY, *_MODULE_OF_LAZY_NAME})


_missing, _present = _namespace_hooks("tf", globals())
_sys.meta_path.append(_MissingModuleFinder)
if _report is not None:
    _report.leave()
