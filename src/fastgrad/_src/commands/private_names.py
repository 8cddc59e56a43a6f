"""TensorFlow's private names that packages import from ``tensorflow.python``, and what fastgrad gives for them.

``PRIVATE_NAMES`` has only names that a package uses. Names that only Keras's backend reads are in ``keras_fastgrad/names.py``.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import numpy as np

from fastgrad._src.core.tensor import Tensor


class _Context:
    """``tensorflow.python.eager.context.context()``: the state of execution."""

    def executing_eagerly(self) -> bool:
        """Returns True: compiled functions, too, record an eager run."""
        return True

    def clear_kernel_cache(self) -> None:
        """Does nothing: fastgrad's kernels hold no state of their device."""

    @property
    def device_spec(self) -> Any:
        """The device that the program has chosen: none."""
        return importlib.import_module("fastgrad").DeviceSpec()


_CONTEXT = _Context()


def _context() -> _Context:
    return _CONTEXT


def _global_seed() -> int | str | None:
    from fastgrad._src.ops.default_generators import global_seed

    return global_seed()


def smart_cond(pred: Any, true_fn: Any = None, false_fn: Any = None, name: str | None = None) -> Any:
    """Calls one function at once if ``pred`` is a number of Python."""
    if isinstance(pred, (bool, int, np.bool_)):
        return true_fn() if pred else false_fn()
    return importlib.import_module("fastgrad").cond(pred, true_fn, false_fn)


def _smart_constant_value(pred: Any) -> Any:
    """Returns ``pred`` as a bool; None for a tensor, whose value a compiled function does not know."""
    return None if isinstance(pred, Tensor) else bool(pred)


def _no_operation() -> None:
    """Does nothing: fastgrad's operations always give the same result for the same arguments."""


def _is_op_determinism_enabled() -> bool:
    """Returns False: with True, Keras refuses ``jit_compile``."""
    return False


PRIVATE_NAMES: dict[str, tuple[tuple[str, Any, str], ...]] = {
    # module: (name, fastgrad's public name or a function, packages that use it)
    "eager.context": (
        ("async_wait", _no_operation, "keras"),
        ("context", _context, "dm-sonnet, keras"),
        ("executing_eagerly", "executing_eagerly", "qkeras, scikeras"),
        ("global_seed", _global_seed, "scikeras"),
    ),
    "framework.config": (
        ("disable_op_determinism", _no_operation, "keras, scikeras"),
        ("enable_op_determinism", "config.experimental.enable_op_determinism", "keras, scikeras"),
        ("is_op_determinism_enabled", _is_op_determinism_enabled, "keras, scikeras"),
    ),
    "framework.dtypes": tuple(
        (name, f"dtypes.{name}", "tf-slim")
        for name in ("bool", "float16", "float32", "float64", "int32", "int64", "string", "uint8")
    ),
    "framework.ops": (
        ("control_dependencies", "control_dependencies", "tf-slim"),
        ("convert_to_tensor", "convert_to_tensor", "qkeras, tf-slim"),
        ("device", "compat.v1.device", "tf-slim"),
        ("name_scope", "compat.v1.name_scope", "tf-slim"),
    ),
    "framework.smart_cond": (
        ("smart_cond", smart_cond, "qkeras, spektral, tensorflow-model-optimization"),
        ("smart_constant_value", _smart_constant_value, "qkeras"),
    ),
    "framework.tensor_shape": (
        ("TensorShape", "TensorShape", "tf-slim"),
        ("dimension_value", "compat.dimension_value", "tf-slim"),
    ),
    "framework.tensor_util": (
        ("constant_value", "get_static_value", "tf-slim"),
        ("is_tf_type", "is_tensor", "keras"),
    ),
    "ops.array_ops": (
        ("boolean_mask", "compat.v1.boolean_mask", "tf-slim"),
        ("concat", "concat", "tf-slim"),
        ("expand_dims", "compat.v1.expand_dims", "qkeras, tf-slim"),
        ("gather_nd", "compat.v1.gather_nd", "tf-slim"),
        ("identity", "identity", "tf-slim"),
        ("one_hot", "one_hot", "tf-slim"),
        ("ones", "ones", "tf-slim"),
        ("ones_like", "compat.v1.ones_like", "tf-slim"),
        ("pad", "compat.v1.pad", "qkeras, tf-slim"),
        ("rank", "rank", "tf-slim"),
        ("reshape", "reshape", "qkeras, tf-slim"),
        ("shape", "compat.v1.shape", "qkeras, tf-slim"),
        ("size", "compat.v1.size", "qkeras, tf-slim"),
        ("slice", "slice", "tf-slim"),
        ("split", "split", "qkeras"),
        ("squeeze", "compat.v1.squeeze", "qkeras, tf-slim"),
        ("stop_gradient", "stop_gradient", "tf-slim"),
        ("tile", "tile", "tf-slim"),
        ("transpose", "compat.v1.transpose", "tf-slim"),
        ("where", "compat.v1.where", "tf-slim"),
        ("zeros", "zeros", "tf-slim"),
        ("zeros_like", "compat.v1.zeros_like", "tf-slim"),
    ),
    "ops.control_flow_ops": (
        ("group", "group", "tf-slim"),
        ("no_op", "no_op", "tf-slim"),
    ),
    "ops.math_ops": (
        ("abs", "abs", "tf-slim"),
        ("add", "add", "tf-slim"),
        ("add_n", "add_n", "tf-slim"),
        ("cast", "cast", "qkeras, tf-slim"),
        ("cumsum", "cumsum", "tf-slim"),
        ("equal", "equal", "tf-slim"),
        ("exp", "exp", "tf-slim"),
        ("floor", "floor", "tf-slim"),
        ("greater", "greater", "tf-slim"),
        ("greater_equal", "greater_equal", "tf-slim"),
        ("is_nan", "math.is_nan", "keras"),
        ("less", "less", "tf-slim"),
        ("less_equal", "less_equal", "tf-slim"),
        ("log", "math.log", "tf-slim"),
        ("logical_and", "logical_and", "tf-slim"),
        ("logical_not", "logical_not", "tf-slim"),
        ("logical_or", "logical_or", "tf-slim"),
        ("matmul", "matmul", "tf-slim"),
        ("maximum", "maximum", "tf-slim"),
        ("minimum", "minimum", "tf-slim"),
        ("multiply", "multiply", "tf-slim"),
        ("negative", "negative", "tf-slim"),
        ("not_equal", "not_equal", "tf-slim"),
        ("range", "range", "tf-slim"),
        ("reduce_any", "reduce_any", "tf-slim"),
        ("reduce_max", "reduce_max", "tf-slim"),
        ("reduce_mean", "reduce_mean", "tf-slim"),
        ("reduce_min", "reduce_min", "tf-slim"),
        ("reduce_prod", "reduce_prod", "tf-slim"),
        ("reduce_sum", "reduce_sum", "tf-slim"),
        ("rsqrt", "math.rsqrt", "qkeras, tf-slim"),
        ("sqrt", "sqrt", "qkeras, tf-slim"),
    ),
    "ops.nn": (("batch_normalization", "nn.batch_normalization", "qkeras, tf-slim"),),
    "ops.nn_ops": (("relu", "nn.relu", "tf-slim"),),
    "util.nest": (
        ("flatten", "nest.flatten", "tf-slim"),
        ("pack_sequence_as", "nest.pack_sequence_as", "tf-slim"),
    ),
}
"""What fastgrad gives for the names of ``tensorflow.python``, by module."""


class PrivateModule(ModuleType):
    """A module below ``tensorflow.python``.

    Args:
        name: TensorFlow's name of the module.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        path = f"{self.__name__}.{name}".removeprefix("tensorflow.python.")
        if any(f"{module}.".startswith(f"{path}.") for module in PRIVATE_NAMES):
            value: Any = PrivateModule(f"tensorflow.python.{path}")
        else:
            value = self._value(name)
        vars(self)[name] = value
        return value

    def _value(self, name: str) -> Any:
        for row_name, target, _ in PRIVATE_NAMES.get(self.__name__.removeprefix("tensorflow.python."), ()):
            if row_name == name:
                return _public_value(target) if isinstance(target, str) else target
        raise AttributeError(
            f"{self.__name__}.{name}: fastgrad does not have this private name of TensorFlow", name=name
        )


def _public_value(path: str) -> Any:
    value: Any = importlib.import_module("fastgrad")
    for part in path.split("."):
        value = getattr(value, part)
    return value


PYTHON = PrivateModule("tensorflow.python")
"""The module ``tensorflow.python``."""
