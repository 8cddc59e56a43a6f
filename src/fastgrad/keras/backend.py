"""``keras.backend``: settings of ``keras``."""

from __future__ import annotations

from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.keras.naming import get_uid as get_uid
from fastgrad.keras.naming import name_scope as name_scope
from fastgrad.keras.naming import reset_uids as reset_uids
from fastgrad.keras.settings import epsilon as epsilon
from fastgrad.keras.settings import floatx as floatx
from fastgrad.keras.settings import image_data_format as image_data_format
from fastgrad.keras.settings import set_epsilon as set_epsilon
from fastgrad.keras.settings import set_floatx as set_floatx
from fastgrad.keras.settings import set_image_data_format as set_image_data_format


def clear_session(free_memory: bool = True) -> None:
    """Resets the numbering of names: the next ``Dense`` is named ``dense`` again.

    Args:
        free_memory: whether to run the garbage collector, which frees reference cycles.
    """
    reset_uids()
    if free_memory:
        import gc

        gc.collect()


def backend() -> str:
    """Returns ``"tensorflow"``: this package has TensorFlow's names and behaviour."""
    return "tensorflow"


__getattr__, __dir__ = _namespace_hooks("tf.keras.backend", globals())
