"""``tf.compat.v1``: what eager programs use of TensorFlow 1.

Names that mean the same in both versions are those of ``tf``. Others are refused, also where ``tf`` has the name: its arguments have another order
or meaning there.
"""

from __future__ import annotations

import importlib as _importlib
from typing import Any as _Any

from fastgrad.compat.v1 import logging as logging
from fastgrad.core.eager import enable_eager_execution as enable_eager_execution
from fastgrad.core.eager import executing_eagerly as executing_eagerly
from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.core.variable import Variable as Variable
from fastgrad.ops.creation import ones_like as ones_like
from fastgrad.ops.creation import zeros_like as zeros_like
from fastgrad.random import set_seed as _set_seed

set_random_seed = _set_seed
_SAME = frozenset(
    [
        "AggregationMethod",
        "Assert",
        "DType",
        "GradientTape",
        "IndexedSlices",
        "Module",
        "RaggedTensor",
        "RaggedTensorSpec",
        "SparseTensor",
        "SparseTensorSpec",
        "Tensor",
        "TensorArray",
        "TensorShape",
        "TensorSpec",
        "UnconnectedGradients",
        "VariableSynchronization",
        "abs",
        "acos",
        "acosh",
        "add",
        "add_n",
        "argsort",
        "as_dtype",
        "as_string",
        "asin",
        "asinh",
        "atan",
        "atan2",
        "atanh",
        "bfloat16",
        "bitcast",
        "bool",
        "broadcast_dynamic_shape",
        "broadcast_static_shape",
        "broadcast_to",
        "cast",
        "clip_by_global_norm",
        "clip_by_norm",
        "clip_by_value",
        "complex",
        "complex128",
        "complex64",
        "concat",
        "control_dependencies",
        "cos",
        "cosh",
        "cumsum",
        "custom_gradient",
        "divide",
        "double",
        "dynamic_partition",
        "dynamic_stitch",
        "einsum",
        "ensure_shape",
        "equal",
        "exp",
        "eye",
        "fftnd",
        "fill",
        "float16",
        "float32",
        "float64",
        "floor",
        "function",
        "get_logger",
        "get_static_value",
        "grad_pass_through",
        "greater",
        "greater_equal",
        "group",
        "half",
        "histogram_fixed_width",
        "histogram_fixed_width_bins",
        "identity",
        "identity_n",
        "ifftnd",
        "init_scope",
        "int16",
        "int32",
        "int64",
        "int8",
        "irfftnd",
        "is_symbolic_tensor",
        "is_tensor",
        "less",
        "less_equal",
        "linspace",
        "logical_and",
        "logical_not",
        "logical_or",
        "matmul",
        "matrix_square_root",
        "maximum",
        "meshgrid",
        "minimum",
        "multiply",
        "negative",
        "newaxis",
        "no_op",
        "not_equal",
        "numpy_function",
        "one_hot",
        "ones",
        "pow",
        "print",
        "py_function",
        "range",
        "rank",
        "realdiv",
        "recompute_grad",
        "repeat",
        "reshape",
        "reverse",
        "rfftnd",
        "roll",
        "round",
        "saturate_cast",
        "scatter_nd",
        "searchsorted",
        "sequence_mask",
        "shape_n",
        "sigmoid",
        "sign",
        "sin",
        "sinh",
        "slice",
        "sort",
        "space_to_batch_nd",
        "split",
        "sqrt",
        "square",
        "stack",
        "stop_gradient",
        "strided_slice",
        "string",
        "subtract",
        "switch_case",
        "tan",
        "tanh",
        "tensor_scatter_nd_add",
        "tensor_scatter_nd_max",
        "tensor_scatter_nd_min",
        "tensor_scatter_nd_sub",
        "tensor_scatter_nd_update",
        "tensordot",
        "tile",
        "timestamp",
        "truediv",
        "truncatediv",
        "truncatemod",
        "type_spec_from_value",
        "uint16",
        "uint32",
        "uint64",
        "uint8",
        "unique",
        "unique_with_counts",
        "unravel_index",
        "unstack",
        "vectorized_map",
        "zeros",
    ]
)
"""The names whose objects are the same in both versions."""


def executing_eagerly_outside_functions() -> bool:
    """Returns True: operations run at once."""
    return True


def enable_v2_behavior() -> None:
    """Does nothing: behaviour is TensorFlow 2's."""


enable_v2_tensorshape = enable_resource_variables = enable_tensor_equality = enable_control_flow_v2 = enable_v2_behavior


def resource_variables_enabled() -> bool:
    """Returns True: variables are objects with a value."""
    return True


control_flow_v2_enabled = resource_variables_enabled


def disable_eager_execution() -> None:
    """Refuses to go back to graphs.

    Raises:
        RuntimeError: always.
    """
    raise RuntimeError(
        "tf.compat.v1: there are no graphs and sessions here; operations run at once. Call the function itself."
    )


disable_v2_behavior = disable_eager_execution

_missing, _present = _namespace_hooks("tf.compat.v1", globals())


def __getattr__(name: str) -> _Any:
    if name in _SAME:
        return getattr(_importlib.import_module("fastgrad"), name)
    return _missing(name)


def __dir__() -> list[str]:
    return sorted({*_present(), *_SAME})
