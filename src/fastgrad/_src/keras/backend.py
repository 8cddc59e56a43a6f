"""``keras.backend``: settings of ``keras``, and the functions that it had in Keras 2."""

from __future__ import annotations

from typing import Any as _Any

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.jit.tracebacks import enable_traceback_filtering as _enable_traceback_filtering
from fastgrad._src.keras import dtype_policy as _dtype_policy
from fastgrad._src.keras import random as _random
from fastgrad._src.keras.naming import get_uid as get_uid
from fastgrad._src.keras.naming import name_scope as name_scope
from fastgrad._src.keras.naming import reset_uids as reset_uids
from fastgrad._src.keras.settings import epsilon as epsilon
from fastgrad._src.keras.settings import floatx as floatx
from fastgrad._src.keras.settings import image_data_format as image_data_format
from fastgrad._src.keras.settings import set_floatx as set_floatx
from fastgrad._src.keras.settings import set_image_data_format as set_image_data_format


def clear_session(free_memory: bool = True) -> None:
    """Resets the numbering of names, so that the next ``Dense`` is named ``dense``, and settings.

    The global dtype policy becomes that of ``floatx()``, and tracebacks are shortened. ``floatx()``,
    ``epsilon()`` and ``image_data_format()`` stay.

    Args:
        free_memory: whether to run the garbage collector, which frees reference cycles.

    Example:
        >>> tf.keras.backend.clear_session()
        >>> tf.keras.layers.Dense(1).name
        'dense'
    """
    reset_uids()
    _random._reset_global_generator()
    _dtype_policy.clear_global_policy()
    _enable_traceback_filtering()
    if free_memory:
        import gc

        gc.collect()


def backend() -> str:
    """Returns ``"tensorflow"``: this package has TensorFlow's names and behaviour."""
    return "tensorflow"


_missing, _present = _namespace_hooks(
    "tf.keras.backend",
    globals(),
    {
        "is_keras_tensor": "keras.layers.symbolic",
        "result_type": "keras.ops.function",
        "standardize_dtype": "keras.utils.arrays",
    },
)


def __getattr__(name: str) -> _Any:
    from fastgrad._src.keras.legacy_backend import LEGACY  # functions of Keras 2, which few programs call

    if name in LEGACY:
        return LEGACY[name]
    return _missing(name)


def __dir__() -> list[str]:
    from fastgrad._src.keras.legacy_backend import LEGACY

    return sorted({*_present(), *LEGACY})
