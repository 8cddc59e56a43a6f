"""``keras.mixed_precision``: policies of float32 weights with 16-bit computations."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.dtype_policy import DTypePolicy as DTypePolicy
from fastgrad._src.keras.dtype_policy import DTypePolicy as Policy
from fastgrad._src.keras.dtype_policy import global_policy as dtype_policy
from fastgrad._src.keras.dtype_policy import global_policy as global_policy
from fastgrad._src.keras.dtype_policy import set_global_policy as set_dtype_policy
from fastgrad._src.keras.dtype_policy import set_global_policy as set_global_policy
from fastgrad._src.keras.optimizers.namespace import LossScaleOptimizer as LossScaleOptimizer

__all__ = [
    "DTypePolicy",
    "LossScaleOptimizer",
    "Policy",
    "dtype_policy",
    "global_policy",
    "set_dtype_policy",
    "set_global_policy",
]

__getattr__, __dir__ = _namespace_hooks("tf.keras.mixed_precision", globals())
