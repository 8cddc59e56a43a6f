"""``tf.experimental``."""

from fastgrad._src.core.dtypes import NARROW as _NARROW
from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.data.optional import Optional as Optional
from fastgrad._src.structures.extension_types.api_dispatch import dispatch_for_api as dispatch_for_api
from fastgrad._src.structures.extension_types.api_dispatch import (
    dispatch_for_binary_elementwise_apis as dispatch_for_binary_elementwise_apis,
)
from fastgrad._src.structures.extension_types.api_dispatch import (
    dispatch_for_unary_elementwise_apis as dispatch_for_unary_elementwise_apis,
)
from fastgrad._src.structures.extension_types.api_dispatch import unregister_dispatch_for as unregister_dispatch_for
from fastgrad._src.structures.extension_types.batch_encoder import (
    ExtensionTypeBatchEncoder as ExtensionTypeBatchEncoder,
)
from fastgrad._src.structures.extension_types.extension_type import BatchableExtensionType as BatchableExtensionType
from fastgrad._src.structures.extension_types.extension_type import ExtensionType as ExtensionType
from fastgrad._src.structures.ragged.dynamic_ragged_shape import DynamicRaggedShape as DynamicRaggedShape
from fastgrad._src.structures.ragged.row_partition import RowPartition as RowPartition

globals().update({dtype.name: dtype for dtype in _NARROW})

__getattr__, __dir__ = _namespace_hooks("tf.experimental", globals(), submodules=("numpy",))
