"""``tf.types``: classes for annotations."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np

from fastgrad._src.compiler.dispatch.concrete import ConcreteFunction
from fastgrad._src.compiler.function import Function
from fastgrad._src.core.names import Namespace
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.variable import Variable

_TensorLike = Tensor | Variable | np.ndarray | np.generic | bool | int | float | complex | str | bytes | tuple | list


@runtime_checkable
class _SupportsTracing(Protocol):
    """What says by which type ``tf.function`` knows it; such values are compared as other Python values are."""

    def __tf_tracing_type__(self, context: Any) -> Any:
        """Returns the type."""


experimental = Namespace(
    "tf.types.experimental",
    Callable=Function,
    ConcreteFunction=ConcreteFunction,
    GenericFunction=Function,
    PolymorphicFunction=Function,
    SupportsTracingProtocol=_SupportsTracing,
    TensorLike=_TensorLike,
)
