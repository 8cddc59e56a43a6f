"""Name scopes: the paths of operations in TensorFlow's graphs."""

from __future__ import annotations

import threading

_scopes = threading.local()


class name_scope:  # noqa: N801  # TensorFlow's name
    """A context that prefixes the names of variables and modules; it changes no computation.

    Args:
        name: one path segment, or several with ``/`` between. A name that ends in ``/`` is the whole path.

    Raises:
        ValueError: ``name`` is not a string.

    Example:
        >>> with tf.name_scope("encoder"):
        ...     v = tf.Variable(1.0, name="scale")
        >>> v.name
        'encoder/scale:0'
    """

    def __init__(self, name: str) -> None:
        if not isinstance(name, str):
            raise ValueError("name for name_scope must be a string.")
        self._name = name

    @property
    def name(self) -> str:
        """The ``name`` argument."""
        return self._name

    def __enter__(self) -> str:
        self._before = current_name_scope()
        name = self._name
        _scopes.path = name if not name or name.endswith("/") else f"{self._before}{name}/"
        return _scopes.path

    def __exit__(self, *exception: object) -> None:
        _scopes.path = self._before


def current_name_scope() -> str:
    """Returns the names of the open scopes, each followed by ``/``; empty outside of all scopes."""
    return getattr(_scopes, "path", "")


def get_current_name_scope() -> str:
    """Returns the names of the open scopes, joined by ``/``. TensorFlow: tf.get_current_name_scope."""
    return current_name_scope().removesuffix("/")
