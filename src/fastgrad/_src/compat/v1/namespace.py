"""``tf.compat.v1``: what eager programs use of TensorFlow 1.

``aliases.py`` has the names that are in ``tf``, too, and their arguments in TensorFlow 1's order. What needs graphs or sessions is refused.
"""

from __future__ import annotations

from typing import Any as _Any

from fastgrad._src.compat.v1.aliases import MISSING as _MISSING
from fastgrad._src.compat.v1.aliases import find as _find
from fastgrad._src.compat.v1.aliases import names as _names
from fastgrad._src.core.eager import enable_eager_execution as enable_eager_execution
from fastgrad._src.core.eager import executing_eagerly as executing_eagerly
from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.core.variable import Variable as Variable


def executing_eagerly_outside_functions() -> bool:
    """Returns True: operations run at once."""
    return True


def enable_v2_behavior() -> None:
    """Does nothing: behaviour is TensorFlow 2's."""


enable_v2_tensorshape = enable_resource_variables = enable_tensor_equality = enable_control_flow_v2 = enable_v2_behavior


def resource_variables_enabled() -> bool:
    """Returns True: variables are objects with a value."""
    return True


control_flow_v2_enabled = resource_variables_enabled


def disable_eager_execution() -> None:
    """Refuses to go back to graphs.

    Raises:
        RuntimeError: always.
    """
    raise RuntimeError(
        "tf.compat.v1: there are no graphs and sessions here; operations run at once. Call the function itself."
    )


disable_v2_behavior = disable_eager_execution

_missing, _present = _namespace_hooks("tf.compat.v1", globals(), submodules=("logging",))


def __getattr__(name: str) -> _Any:
    if not name.startswith("_"):
        value = _find(name)
        if value is not _MISSING:
            globals()[name] = value
            return value
    return _missing(name)


def __dir__() -> list[str]:
    return sorted({*_present(), *_names("")})
