"""``tf.variable_creator_scope``: functions that take part in the creation of variables."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from fastgrad._src.core.argument_checks import checked_callable
from fastgrad._src.core.eager import VariableAggregation, VariableSynchronization
from fastgrad._src.core.replicas import ALONE, replica_group_scope


class _Creators(threading.local):
    active: tuple[Callable[..., Any], ...] = ()  # outermost first


_creators = _Creators()


class CreatedByScopes(type):
    """The class of ``Variable``: lets the functions of the open scopes create its objects, but not those of its subclasses."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if not _creators.active or any(type(base) is CreatedByScopes for base in cls.__mro__[1:]):
            return super().__call__(*args, **kwargs)
        create: Callable[..., Any] = super().__call__
        for creator in _creators.active:
            create = partial(creator, create)
        arguments = inspect.signature(vars(cls)["__init__"]).bind(None, *args, **kwargs)
        arguments.apply_defaults()
        _, *names = arguments.arguments  # without ``self``
        options = {name: arguments.arguments[name] for name in names}
        # TensorFlow's defaults, which creators test
        options["synchronization"] = options["synchronization"] or VariableSynchronization.AUTO
        options["aggregation"] = options["aggregation"] or VariableAggregation.NONE
        return create(**options)


@contextmanager
def hidden_variable_scope() -> Iterator[None]:
    """A context in which the library creates its own variables: no ``variable_creator_scope`` gets them, and no strategy shares them."""
    before = _creators.active
    _creators.active = ()
    try:
        with replica_group_scope(ALONE):
            yield
    finally:
        _creators.active = before


@contextmanager
def variable_creator_scope(variable_creator: Callable[..., Any]) -> Iterator[None]:
    """A context in which ``tf.Variable(...)`` returns what ``variable_creator`` returns. TensorFlow: tf.variable_creator_scope.

    The function of the innermost scope runs first. Subclasses of ``tf.Variable``, such as Keras's weights, are created without it.

    Args:
        variable_creator: is called as ``variable_creator(next_creator, **kwargs)``. ``kwargs`` has all arguments of
            ``tf.Variable`` by name. ``next_creator(**kwargs)`` is the function of the scope around this one, or creates the variable.

    Raises:
        TypeError: ``variable_creator`` is not callable.

    Example:
        >>> def frozen(next_creator, **kwargs):
        ...     return next_creator(**{**kwargs, "trainable": False})
        >>> with tf.variable_creator_scope(frozen):
        ...     v = tf.Variable(1.0)
        >>> v.trainable
        False
    """
    checked_callable("tf.variable_creator_scope", "variable_creator", variable_creator)
    before = _creators.active
    _creators.active = (*before, variable_creator)
    try:
        yield
    finally:
        _creators.active = before
