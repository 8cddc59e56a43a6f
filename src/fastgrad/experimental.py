"""``tf.experimental``."""

from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.data.optional import Optional as Optional
from fastgrad.extension_types.api_dispatch import dispatch_for_api as dispatch_for_api
from fastgrad.extension_types.api_dispatch import (
    dispatch_for_binary_elementwise_apis as dispatch_for_binary_elementwise_apis,
)
from fastgrad.extension_types.api_dispatch import (
    dispatch_for_unary_elementwise_apis as dispatch_for_unary_elementwise_apis,
)
from fastgrad.extension_types.api_dispatch import unregister_dispatch_for as unregister_dispatch_for
from fastgrad.extension_types.extension_type import BatchableExtensionType as BatchableExtensionType
from fastgrad.extension_types.extension_type import ExtensionType as ExtensionType
from fastgrad.ragged.row_partition import RowPartition as RowPartition

__getattr__, __dir__ = _namespace_hooks("tf.experimental", globals())
