"""``tf.CriticalSection``."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from fastgrad._src.core.argument_checks import checked_callable


class CriticalSection:
    """Runs functions one after the other, also if threads ask at the same time.

    In a recorded function, ``execute`` records the operations of its function: a call of a compiled function is no
    critical section of its own. Call the compiled function in ``execute`` instead.

    Args:
        name: kept for TensorFlow's signature, as are the other arguments.
    """

    def __init__(
        self,
        name: str | None = None,
        shared_name: str | None = None,
        critical_section_def: Any = None,
        import_scope: Any = None,
    ) -> None:
        self._lock, self._owner = threading.Lock(), 0

    def execute(self, fn: Callable[[], Any], exclusive_resource_access: bool = True, name: str | None = None) -> Any:
        """Returns the result of ``fn()``, which runs while no other function of this section runs.

        Args:
            fn: a function without arguments.
            exclusive_resource_access, name: kept for TensorFlow's signature.

        Raises:
            TypeError: ``fn`` is not callable.
            ValueError: a function of this section calls ``execute`` of the section, which would wait forever.
        """
        checked_callable("CriticalSection.execute", "fn", fn)
        if self._owner == threading.get_ident():
            raise ValueError(
                "CriticalSection.execute: fn calls execute of a section that it runs in, which would wait forever."
            )
        with self._lock:
            self._owner = threading.get_ident()
            try:
                return fn()
            finally:
                self._owner = 0
