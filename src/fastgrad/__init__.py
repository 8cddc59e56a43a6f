"""fastgrad (``import fastgrad as tf``): an autodiff engine on NumPy and Numba with TensorFlow's eager model.

This module has only public names. The namespaces ``keras``, ``data``, ``train`` ... are imported lazily.
"""

# pyright: reportUnusedImport=false
from __future__ import annotations

import sys as _sys
from typing import TYPE_CHECKING as _TYPE_CHECKING

import numpy as _numpy  # noqa: F401, ICN001  # first: at the depth of later imports, CPython 3.11 runs NumPy's modules of types six times slower

from fastgrad._src.jit.phases import report as _report

if _report is not None:
    _report.enter("import")

from fastgrad._src import compat as _compat  # noqa: F401  # these packages register what they do for packages below
from fastgrad._src import compiler as _compiler  # noqa: F401
from fastgrad._src import cuda as _cuda  # noqa: F401
from fastgrad._src import files as _files  # noqa: F401
from fastgrad._src.core.dtypes import DType as DType
from fastgrad._src.core.dtypes import as_dtype as as_dtype
from fastgrad._src.core.dtypes import bfloat16 as bfloat16
from fastgrad._src.core.dtypes import bool as bool  # TensorFlow's name
from fastgrad._src.core.dtypes import complex64 as complex64
from fastgrad._src.core.dtypes import complex128 as complex128
from fastgrad._src.core.dtypes import double as double
from fastgrad._src.core.dtypes import float16 as float16
from fastgrad._src.core.dtypes import float32 as float32
from fastgrad._src.core.dtypes import float64 as float64
from fastgrad._src.core.dtypes import half as half
from fastgrad._src.core.dtypes import int8 as int8
from fastgrad._src.core.dtypes import int16 as int16
from fastgrad._src.core.dtypes import int32 as int32
from fastgrad._src.core.dtypes import int64 as int64
from fastgrad._src.core.dtypes import qint8 as qint8
from fastgrad._src.core.dtypes import qint16 as qint16
from fastgrad._src.core.dtypes import qint32 as qint32
from fastgrad._src.core.dtypes import quint8 as quint8
from fastgrad._src.core.dtypes import quint16 as quint16
from fastgrad._src.core.dtypes import string as string
from fastgrad._src.core.dtypes import uint8 as uint8
from fastgrad._src.core.dtypes import uint16 as uint16
from fastgrad._src.core.dtypes import uint32 as uint32
from fastgrad._src.core.dtypes import uint64 as uint64
from fastgrad._src.core.eager import VariableAggregation as VariableAggregation
from fastgrad._src.core.eager import VariableSynchronization as VariableSynchronization
from fastgrad._src.core.eager import control_dependencies as control_dependencies
from fastgrad._src.core.eager import enable_eager_execution as enable_eager_execution
from fastgrad._src.core.eager import executing_eagerly as executing_eagerly
from fastgrad._src.core.eager import get_logger as get_logger
from fastgrad._src.core.eager import get_static_value as get_static_value
from fastgrad._src.core.eager import group as group
from fastgrad._src.core.eager import no_op as no_op
from fastgrad._src.core.eager import tuple as tuple  # TensorFlow's name
from fastgrad._src.core.indexed_slices import IndexedSlices as IndexedSlices
from fastgrad._src.core.interpreter import refuse_free_threading as _refuse_free_threading
from fastgrad._src.core.malloc_tuning import keep_freed_memory as _keep_freed_memory
from fastgrad._src.core.names import MissingModuleFinder as _MissingModuleFinder
from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.core.placement import device as device
from fastgrad._src.core.printing import print as print  # TensorFlow's name
from fastgrad._src.core.recording import init_scope as init_scope
from fastgrad._src.core.recording import inside_function as inside_function
from fastgrad._src.core.scopes import get_current_name_scope as get_current_name_scope
from fastgrad._src.core.scopes import name_scope as name_scope
from fastgrad._src.core.shape import TensorShape as TensorShape
from fastgrad._src.core.tape import GradientTape as GradientTape
from fastgrad._src.core.tape import UnconnectedGradients as UnconnectedGradients
from fastgrad._src.core.tensor import Tensor as Tensor
from fastgrad._src.core.tensor import convert_to_tensor as convert_to_tensor
from fastgrad._src.core.tensor import is_tensor as is_tensor
from fastgrad._src.core.tensor import register_tensor_conversion_function as register_tensor_conversion_function
from fastgrad._src.core.tensor_spec import TensorSpec as TensorSpec
from fastgrad._src.core.tensor_spec import type_spec_from_value as type_spec_from_value
from fastgrad._src.core.type_spec import TypeSpec as TypeSpec
from fastgrad._src.core.variable import Variable as Variable
from fastgrad._src.core.version import VERSION as __version__  # noqa: F401, N811
from fastgrad._src.jit.tracebacks import install_hooks as _install_traceback_hooks
from fastgrad._src.ops import operators as _operators  # noqa: F401  # sets Python's operators of tensors and variables
from fastgrad._src.ops import scatter_into_variable as _scatter_into_variable  # noqa: F401  # sets scatter_add and similar methods of variables
from fastgrad._src.ops.arithmetic import abs as abs
from fastgrad._src.ops.arithmetic import add as add
from fastgrad._src.ops.arithmetic import add_n as add_n
from fastgrad._src.ops.arithmetic import maximum as maximum
from fastgrad._src.ops.arithmetic import minimum as minimum
from fastgrad._src.ops.arithmetic import multiply as multiply
from fastgrad._src.ops.arithmetic import negative as negative
from fastgrad._src.ops.arithmetic import scalar_mul as scalar_mul
from fastgrad._src.ops.arithmetic import sign as sign
from fastgrad._src.ops.arithmetic import subtract as subtract
from fastgrad._src.ops.assertion import Assert as Assert
from fastgrad._src.ops.assertion import assert_equal as assert_equal
from fastgrad._src.ops.assertion import assert_greater as assert_greater
from fastgrad._src.ops.assertion import assert_less as assert_less
from fastgrad._src.ops.assertion import assert_rank as assert_rank
from fastgrad._src.ops.blocks import batch_to_space as batch_to_space
from fastgrad._src.ops.blocks import space_to_batch as space_to_batch
from fastgrad._src.ops.casting import cast as cast
from fastgrad._src.ops.casting import saturate_cast as saturate_cast
from fastgrad._src.ops.clipping import clip_by_global_norm as clip_by_global_norm
from fastgrad._src.ops.clipping import clip_by_norm as clip_by_norm
from fastgrad._src.ops.clipping import clip_by_value as clip_by_value
from fastgrad._src.ops.comparison import equal as equal
from fastgrad._src.ops.comparison import greater as greater
from fastgrad._src.ops.comparison import greater_equal as greater_equal
from fastgrad._src.ops.comparison import less as less
from fastgrad._src.ops.comparison import less_equal as less_equal
from fastgrad._src.ops.comparison import logical_and as logical_and
from fastgrad._src.ops.comparison import logical_not as logical_not
from fastgrad._src.ops.comparison import logical_or as logical_or
from fastgrad._src.ops.comparison import not_equal as not_equal
from fastgrad._src.ops.complex_numbers import complex as complex
from fastgrad._src.ops.contraction import matmul as matmul
from fastgrad._src.ops.control_flow import case as case
from fastgrad._src.ops.control_flow import cond as cond
from fastgrad._src.ops.control_flow import switch_case as switch_case
from fastgrad._src.ops.control_flow import while_loop as while_loop
from fastgrad._src.ops.creation import constant as constant
from fastgrad._src.ops.creation import eye as eye
from fastgrad._src.ops.creation import fill as fill
from fastgrad._src.ops.creation import identity as identity
from fastgrad._src.ops.creation import identity_n as identity_n
from fastgrad._src.ops.creation import linspace as linspace
from fastgrad._src.ops.creation import ones as ones
from fastgrad._src.ops.creation import ones_like as ones_like
from fastgrad._src.ops.creation import range as range
from fastgrad._src.ops.creation import zeros as zeros
from fastgrad._src.ops.creation import zeros_like as zeros_like
from fastgrad._src.ops.custom_gradient import custom_gradient as custom_gradient
from fastgrad._src.ops.custom_gradient import grad_pass_through as grad_pass_through
from fastgrad._src.ops.custom_gradient import recompute_grad as recompute_grad
from fastgrad._src.ops.custom_gradient import stop_gradient as stop_gradient
from fastgrad._src.ops.decompositions import eig as eig
from fastgrad._src.ops.decompositions import eigvals as eigvals
from fastgrad._src.ops.division import divide as divide
from fastgrad._src.ops.division import realdiv as realdiv
from fastgrad._src.ops.division import truediv as truediv
from fastgrad._src.ops.division import truncatediv as truncatediv
from fastgrad._src.ops.division import truncatemod as truncatemod
from fastgrad._src.ops.einsum import einsum as einsum
from fastgrad._src.ops.einsum import tensordot as tensordot
from fastgrad._src.ops.exponential import acos as acos
from fastgrad._src.ops.exponential import acosh as acosh
from fastgrad._src.ops.exponential import asin as asin
from fastgrad._src.ops.exponential import asinh as asinh
from fastgrad._src.ops.exponential import atan as atan
from fastgrad._src.ops.exponential import atan2 as atan2
from fastgrad._src.ops.exponential import atanh as atanh
from fastgrad._src.ops.exponential import cos as cos
from fastgrad._src.ops.exponential import cosh as cosh
from fastgrad._src.ops.exponential import exp as exp
from fastgrad._src.ops.exponential import sigmoid as sigmoid
from fastgrad._src.ops.exponential import sin as sin
from fastgrad._src.ops.exponential import sinh as sinh
from fastgrad._src.ops.exponential import tan as tan
from fastgrad._src.ops.exponential import tanh as tanh
from fastgrad._src.ops.higher_order import foldl as foldl
from fastgrad._src.ops.higher_order import foldr as foldr
from fastgrad._src.ops.higher_order import map_fn as map_fn
from fastgrad._src.ops.higher_order import scan as scan
from fastgrad._src.ops.higher_order import vectorized_map as vectorized_map
from fastgrad._src.ops.indexing import gather as gather
from fastgrad._src.ops.indexing import gather_nd as gather_nd
from fastgrad._src.ops.indexing import unravel_index as unravel_index
from fastgrad._src.ops.inspection import argmax as argmax
from fastgrad._src.ops.inspection import argmin as argmin
from fastgrad._src.ops.joining import concat as concat
from fastgrad._src.ops.joining import split as split
from fastgrad._src.ops.joining import stack as stack
from fastgrad._src.ops.joining import unstack as unstack
from fastgrad._src.ops.matrix_functions import sqrtm as _sqrtm
from fastgrad._src.ops.norms import norm as norm
from fastgrad._src.ops.one_hot import one_hot as one_hot
from fastgrad._src.ops.one_hot import sequence_mask as sequence_mask
from fastgrad._src.ops.padding import pad as pad
from fastgrad._src.ops.power import pow as pow
from fastgrad._src.ops.power import sqrt as sqrt
from fastgrad._src.ops.power import square as square
from fastgrad._src.ops.python_function import numpy_function as numpy_function
from fastgrad._src.ops.python_function import py_function as py_function
from fastgrad._src.ops.python_function import timestamp as timestamp
from fastgrad._src.ops.reduction import reduce_all as reduce_all
from fastgrad._src.ops.reduction import reduce_any as reduce_any
from fastgrad._src.ops.reduction import reduce_logsumexp as reduce_logsumexp
from fastgrad._src.ops.reduction import reduce_max as reduce_max
from fastgrad._src.ops.reduction import reduce_mean as reduce_mean
from fastgrad._src.ops.reduction import reduce_min as reduce_min
from fastgrad._src.ops.reduction import reduce_prod as reduce_prod
from fastgrad._src.ops.reduction import reduce_sum as reduce_sum
from fastgrad._src.ops.reordering import reverse as reverse
from fastgrad._src.ops.reordering import reverse_sequence as reverse_sequence
from fastgrad._src.ops.reordering import roll as roll
from fastgrad._src.ops.repeating import meshgrid as meshgrid
from fastgrad._src.ops.repeating import repeat as repeat
from fastgrad._src.ops.repeating import tile as tile
from fastgrad._src.ops.rounding import floor as floor
from fastgrad._src.ops.rounding import round as round
from fastgrad._src.ops.scan import cumsum as cumsum
from fastgrad._src.ops.scattering import dynamic_stitch as dynamic_stitch
from fastgrad._src.ops.scattering import scatter_nd as scatter_nd
from fastgrad._src.ops.scattering import tensor_scatter_nd_add as tensor_scatter_nd_add
from fastgrad._src.ops.scattering import tensor_scatter_nd_max as tensor_scatter_nd_max
from fastgrad._src.ops.scattering import tensor_scatter_nd_min as tensor_scatter_nd_min
from fastgrad._src.ops.scattering import tensor_scatter_nd_sub as tensor_scatter_nd_sub
from fastgrad._src.ops.scattering import tensor_scatter_nd_update as tensor_scatter_nd_update
from fastgrad._src.ops.selection import boolean_mask as boolean_mask
from fastgrad._src.ops.selection import dynamic_partition as dynamic_partition
from fastgrad._src.ops.selection import where as where
from fastgrad._src.ops.shape_query import broadcast_dynamic_shape as broadcast_dynamic_shape
from fastgrad._src.ops.shape_query import broadcast_static_shape as broadcast_static_shape
from fastgrad._src.ops.shape_query import ensure_shape as ensure_shape
from fastgrad._src.ops.shape_query import rank as rank
from fastgrad._src.ops.shape_query import shape as shape
from fastgrad._src.ops.shape_query import shape_n as shape_n
from fastgrad._src.ops.shape_query import size as size
from fastgrad._src.ops.shaping import bitcast as bitcast
from fastgrad._src.ops.shaping import broadcast_to as broadcast_to
from fastgrad._src.ops.shaping import expand_dims as expand_dims
from fastgrad._src.ops.shaping import reshape as reshape
from fastgrad._src.ops.shaping import squeeze as squeeze
from fastgrad._src.ops.shaping import transpose as transpose
from fastgrad._src.ops.slicing import slice as slice
from fastgrad._src.ops.slicing import strided_slice as strided_slice
from fastgrad._src.ops.sorting import argsort as argsort
from fastgrad._src.ops.sorting import searchsorted as searchsorted
from fastgrad._src.ops.sorting import sort as sort
from fastgrad._src.ops.sorting import unique as unique
from fastgrad._src.ops.sorting import unique_with_counts as unique_with_counts
from fastgrad._src.ops.statistics import histogram_fixed_width as histogram_fixed_width
from fastgrad._src.ops.statistics import histogram_fixed_width_bins as histogram_fixed_width_bins
from fastgrad._src.ops.tensor_array import TensorArray as TensorArray

newaxis = None

_refuse_free_threading()
_install_traceback_hooks()
_keep_freed_memory()

_NAMESPACES = (
    "audio",
    "autodiff",
    "autograph",
    "bitwise",
    "compat",
    "config",
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
    "xla",
)

# Names that are imported when they are asked for, with the module of each.
space_to_batch_nd = space_to_batch
guarantee_const = identity
matrix_square_root = _sqrtm

if _TYPE_CHECKING:  # they are imported at their first use, and editors know them before
    from fastgrad._src.custom_operations import elementwise as elementwise
    from fastgrad._src.custom_operations import kernel as kernel
    from fastgrad._src.derivatives.adjoints import adjoint as adjoint
    from fastgrad._src.derivatives.bridges.log_density import log_density as log_density
    from fastgrad._src.derivatives.c_functions import cfunc as cfunc
    from fastgrad._src.derivatives.check import check_gradients as check_gradients
    from fastgrad._src.derivatives.implicit_functions import fixed_point as fixed_point
    from fastgrad._src.derivatives.implicit_functions import implicit_root as implicit_root
    from fastgrad._src.derivatives.matrices import hessian as hessian
    from fastgrad._src.derivatives.matrices import jacobian as jacobian
    from fastgrad._src.derivatives.transforms import grad as grad
    from fastgrad._src.derivatives.transforms import hvp as hvp
    from fastgrad._src.derivatives.transforms import jvp as jvp
    from fastgrad._src.derivatives.transforms import value_and_grad as value_and_grad
    from fastgrad._src.derivatives.transforms import vjp as vjp

_MODULE_OF_LAZY_NAME = {
    "CriticalSection": "core.critical_section",
    "DeviceSpec": "core.device_spec",
    "Module": "core.module",
    "RaggedTensor": "structures.ragged.ragged_tensor",
    "RaggedTensorSpec": "structures.ragged.spec",
    "SparseTensor": "structures.sparse.sparse_tensor",
    "SparseTensorSpec": "structures.sparse.spec",
    "adjoint": "derivatives.adjoints",
    "as_string": "structures.strings.formatting",
    "cfunc": "derivatives.c_functions",
    "check_gradients": "derivatives.check",
    "constant_initializer": "ops.initialization",
    "edit_distance": "structures.sparse.label_sequences",
    "elementwise": "custom_operations",
    "fftnd": "signal.fourier",
    "fingerprint": "structures.strings.hashing",
    "fixed_point": "derivatives.implicit_functions",
    "function": "compiler.function",
    "grad": "derivatives.transforms",
    "gradients": "core.history",
    "hessian": "derivatives.matrices",
    "hvp": "derivatives.transforms",
    "implicit_root": "derivatives.implicit_functions",
    "jacobian": "derivatives.matrices",
    "jvp": "derivatives.transforms",
    "kernel": "custom_operations",
    "log_density": "derivatives.bridges.log_density",
    "make_ndarray": "files.records.string_tensors",
    "make_tensor_proto": "files.records.string_tensors",
    "ones_initializer": "ops.initialization",
    "random_normal_initializer": "ops.initialization",
    "random_uniform_initializer": "ops.initialization",
    "required_space_to_batch_paddings": "ops.composed.space_to_batch_paddings",
    "value_and_grad": "derivatives.transforms",
    "variable_creator_scope": "core.variable_creators",
    "vjp": "derivatives.transforms",
    "zeros_initializer": "ops.initialization",
}

__getattr__, __dir__ = _namespace_hooks("tf", globals(), _MODULE_OF_LAZY_NAME, _NAMESPACES)
_sys.meta_path.append(_MissingModuleFinder)
if _report is not None:
    _report.leave()
