"""``tf.experimental``."""

from fastgrad.core.api_dispatch import dispatch_for_api as dispatch_for_api
from fastgrad.core.api_dispatch import dispatch_for_binary_elementwise_apis as dispatch_for_binary_elementwise_apis
from fastgrad.core.api_dispatch import dispatch_for_unary_elementwise_apis as dispatch_for_unary_elementwise_apis
from fastgrad.core.api_dispatch import unregister_dispatch_for as unregister_dispatch_for
from fastgrad.core.extension_type import BatchableExtensionType as BatchableExtensionType
from fastgrad.core.extension_type import ExtensionType as ExtensionType
from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.data.optional import Optional as Optional

__getattr__, __dir__ = _namespace_hooks("tf.experimental", globals())
