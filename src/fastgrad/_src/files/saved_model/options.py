"""The options of ``tf.saved_model.save`` and ``load``: accepted for programs written for TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(eq=False)
class SaveOptions:
    """Options of ``tf.saved_model.save``.

    Args:
        function_aliases: ``tf.function``s by the names that ``function_aliases`` of the loaded object shall give them.
        namespace_whitelist, save_debug_info, experimental_debug_stripper, experimental_io_device,
        experimental_variable_policy, experimental_custom_gradients, experimental_image_format, experimental_skip_saver,
        experimental_sharding_callback, extra_tags: kept for TensorFlow's signature.
    """

    namespace_whitelist: Any = None
    save_debug_info: bool = False
    function_aliases: Any = None
    experimental_debug_stripper: bool = False
    experimental_io_device: str | None = None
    experimental_variable_policy: Any = None
    experimental_custom_gradients: bool = True
    experimental_image_format: bool = False
    experimental_skip_saver: bool = False
    experimental_sharding_callback: Any = None
    extra_tags: Any = None

    def __post_init__(self) -> None:
        self.namespace_whitelist = list(self.namespace_whitelist or [])
        self.function_aliases = dict(self.function_aliases or {})


@dataclass(eq=False)
class LoadOptions:
    """Options of ``tf.saved_model.load``.

    Args:
        experimental_load_function_aliases: whether the loaded object gets the dict ``function_aliases``.
        allow_partial_checkpoint, experimental_io_device, experimental_skip_checkpoint, experimental_variable_policy: kept for
        TensorFlow's signature.
    """

    allow_partial_checkpoint: bool = False
    experimental_io_device: str | None = None
    experimental_skip_checkpoint: bool = False
    experimental_variable_policy: Any = None
    experimental_load_function_aliases: bool = False
