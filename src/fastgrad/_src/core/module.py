"""``tf.Module``: a named object that collects the variables and modules among its attributes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from fastgrad._src.core.object_graph import dict_of_unique_names, is_checkpoint_only, nested_items
from fastgrad._src.core.restoration import DeferredRestorationOwner
from fastgrad._src.core.scopes import current_name_scope, name_scope
from fastgrad._src.core.variable import Variable


class Module(DeferredRestorationOwner):
    """The base class of objects that hold variables and other modules.

    A module finds variables and modules in its attributes, in the order of the attributes' names, also inside of lists,
    tuples and dicts. Keras layers and metrics count as modules; TensorFlow 2.21 does not look into them.

    Args:
        name: a Python identifier; default: the class name in snake case.

    Raises:
        TypeError, ValueError: ``name`` is not a string, or not an identifier.

    Example:
        >>> class Line(tf.Module):
        ...     def __init__(self):
        ...         self.slope = tf.Variable(2.0)
        >>> [v.numpy() for v in Line().trainable_variables]
        [np.float32(2.0)]
    """

    def __init__(self, name: str | None = None) -> None:
        if name is None:
            name = _snake_case(type(self).__name__)
        if not isinstance(name, str):
            raise TypeError(f"tf.Module: name must be a string, got {name!r}.")
        if not name.isidentifier():
            raise ValueError(
                f"{name!r} is not a valid module name. Module names must be valid Python identifiers (e.g. a valid class name)."
            )
        self._name = name
        self._scope_name = f"{current_name_scope()}{name}/"

    @property
    def name(self) -> str:
        """The name of the module."""
        return self._name

    @property
    def name_scope(self) -> name_scope:
        """A name scope: the scopes that were open when the module was created, then the module's name."""
        return name_scope(self._scope_name)

    @classmethod
    def with_name_scope(cls, method: Callable[..., Any]) -> Callable[..., Any]:
        """Decorates a method so that it runs inside of ``name_scope``."""

        @wraps(method)
        def scoped(self: Module, *args: Any, **kwargs: Any) -> Any:
            with self.name_scope:
                return method(self, *args, **kwargs)

        return scoped

    @property
    def variables(self) -> tuple[Any, ...]:
        """All variables of the module and of its submodules."""
        return self._all_variables()

    def _all_variables(self) -> tuple[Any, ...]:  # a subclass may override ``variables``, as dm-sonnet's does
        found: dict[int, Any] = {}
        for holder in (self, *self.submodules):
            for variable in _variables_of(holder):
                found.setdefault(id(variable), variable)
        return tuple(found.values())

    @property
    def trainable_variables(self) -> tuple[Any, ...]:
        """The trainable ``variables``."""
        return tuple(variable for variable in self._all_variables() if variable.trainable)

    @property
    def non_trainable_variables(self) -> tuple[Any, ...]:
        """The non-trainable ``variables``."""
        return tuple(variable for variable in self._all_variables() if not variable.trainable)

    @property
    def submodules(self) -> tuple[Any, ...]:
        """All nested modules; direct children come first."""
        found: dict[int, Any] = {}
        outer: list[Any] = [self]
        while outer:
            inner = [m for holder in outer for m in _modules_of(holder) if m is not self and id(m) not in found]
            outer = list({id(module): module for module in inner}.values())
            found.update({id(module): module for module in outer})
        return tuple(found.values())

    def _saved_variables(self) -> dict[str, Variable]:
        """Returns the module's own variables by their names in files: the attribute, then the position or key."""
        return dict_of_unique_names(
            (name, item) for name, item in _named_variables_and_modules(self) if isinstance(item, Variable)
        )

    def _saved_children(self) -> dict[str, Any]:
        """Returns the direct submodules by their names in files."""
        return dict_of_unique_names(
            (name, item) for name, item in _named_variables_and_modules(self) if not isinstance(item, Variable)
        )

    def _checkpointed_attributes(self) -> dict[str, Any]:
        """Returns the optimizers, iterators and random states among the attributes."""
        return dict_of_unique_names(_named_items_of_attributes(self, is_checkpoint_only))


def _snake_case(name: str) -> str:
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name))
    return words.lower()


def _named_variables_and_modules(module: Module) -> Iterator[tuple[str, Any]]:
    """Yields variables and modules among the attributes, with their names."""
    return _named_items_of_attributes(
        module, lambda value: isinstance(value, Variable) or hasattr(value, "_saved_variables")
    )


def _named_items_of_attributes(module: Module, is_selected: Callable[[Any], bool]) -> Iterator[tuple[str, Any]]:
    for name in sorted(vars(module).keys() - {"_deferred"}):
        yield from nested_items(name, vars(module)[name], is_selected)


def _variables_of(holder: Any) -> list[Any]:
    if isinstance(holder, Module):
        return [item for _, item in _named_variables_and_modules(holder) if isinstance(item, Variable)]
    return list(holder.variables)  # of a layer or metric, including nested layers


def _modules_of(holder: Any) -> list[Any]:
    if isinstance(holder, Module):
        return [
            item
            for _, item in _named_variables_and_modules(holder)
            if isinstance(getattr(type(item), "variables", None), property)
        ]
    return []
