"""For what TensorFlow refuses with a class that depends on the way a call happens to take through it."""

from collections.abc import Callable
from typing import Any


def refused(function: Callable[[], Any]) -> bool:
    """Whether the call raises, whatever it raises."""
    try:
        function()
    except Exception:  # noqa: BLE001 (any refusal will do)
        return True
    return False
