"""``tf.experimental``."""

import importlib as _importlib
from typing import Any as _Any

from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.data.optional import Optional as Optional
from fastgrad.dtypes import NARROW as _NARROW
from fastgrad.extension_types.api_dispatch import dispatch_for_api as dispatch_for_api
from fastgrad.extension_types.api_dispatch import (
    dispatch_for_binary_elementwise_apis as dispatch_for_binary_elementwise_apis,
)
from fastgrad.extension_types.api_dispatch import (
    dispatch_for_unary_elementwise_apis as dispatch_for_unary_elementwise_apis,
)
from fastgrad.extension_types.api_dispatch import unregister_dispatch_for as unregister_dispatch_for
from fastgrad.extension_types.batch_encoder import ExtensionTypeBatchEncoder as ExtensionTypeBatchEncoder
from fastgrad.extension_types.extension_type import BatchableExtensionType as BatchableExtensionType
from fastgrad.extension_types.extension_type import ExtensionType as ExtensionType
from fastgrad.ragged.dynamic_ragged_shape import DynamicRaggedShape as DynamicRaggedShape
from fastgrad.ragged.row_partition import RowPartition as RowPartition

globals().update({dtype.name: dtype for dtype in _NARROW})


def __getattr__(name: str) -> _Any:
    return _importlib.import_module("fastgrad.experimental.numpy") if name == "numpy" else _missing(name)


def __dir__() -> list[str]:
    return sorted({*_present(), "numpy"})


_missing, _present = _namespace_hooks("tf.experimental", globals())
