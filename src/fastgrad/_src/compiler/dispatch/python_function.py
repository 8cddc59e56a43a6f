"""The Python function that a compiled function records, or runs as it is."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any

from fastgrad._src.compiler.dispatch.element_loops import with_element_loops
from fastgrad._src.compiler.dispatch.loop_conversion import with_program_loops
from fastgrad._src.compiler.dispatch.results import as_results
from fastgrad._src.compiler.dispatch.signature import (
    Call,
    Signature,
    copies_of_containers,
    has_changed_items,
    leaf_for_eager_run,
    rebuild_value,
)
from fastgrad._src.core.errors import OutOfRangeError
from fastgrad._src.core.history import History, HistoryNeeded
from fastgrad._src.core.recording import EndOfElements, control_flow_handler


class PythonFunction:
    """A Python function, with the object whose method it is, its signature, and its loops as operations.

    Args:
        function: the function.
        input_signature: None, or for each argument a (nested) ``TensorSpec``.
        instance: the object whose method it is; it is not kept alive. None for a plain function.
        recorded: makes a compiled function of the body of a loop over a dataset.
        may_change_arguments: whether the function may change the lists and dicts that it gets: the caller does not read them.

    Attributes:
        function, input_signature: as given.
        name: of the function.
        signature: of the function, without ``self`` of a method.
        weak_instance: returns the object; None for a plain function.
        keeps_history: whether it calls ``tf.gradients``.
    """

    keeps_history = False

    def __init__(
        self,
        function: Callable[..., Any],
        input_signature: Any,
        instance: Any,
        recorded: Callable[[Any], Any],
        may_change_arguments: bool = False,
    ) -> None:
        self.function, self.input_signature, self._recorded = function, input_signature, recorded
        self._may_change_arguments = may_change_arguments
        self.name = getattr(function, "__name__", None) or type(function).__name__
        self.signature = Signature(function, input_signature, 0 if instance is None else 1)
        self.weak_instance = None if instance is None else weakref.ref(instance)

    @property
    def instance(self) -> Any:
        """The object whose method it is; None for a plain function."""
        return None if self.weak_instance is None else self.weak_instance()

    @functools.cached_property
    def with_element_loops(self) -> Callable[..., Any] | None:
        """The function with recorded bodies of its loops over datasets; None if it has none."""
        return with_element_loops(self.function, self._recorded)

    @functools.cached_property
    def _with_program_loops(self) -> Callable[..., Any]:
        return with_program_loops(self.function)

    def callable(self, function: Callable[..., Any] | None = None) -> Callable[..., Any]:
        """Returns ``function``, bound to the object; by default the Python function, in a recording with loops as operations."""
        if function is None:
            function = self.function if control_flow_handler() is None else self._with_program_loops
        return function if self.weak_instance is None else functools.partial(function, self.weak_instance())

    def objects_of(self, call: Call) -> list[Any]:
        """Returns the objects that a call depends on by identity."""
        return call.objects if self.weak_instance is None else [self.weak_instance(), *call.objects]

    def run(self, call: Call, function: Callable[..., Any] | None = None) -> Any:
        """Runs the function, or ``function`` if given, inside the active recordings; returns its result as tensors."""
        return as_results(self.call(call, map(leaf_for_eager_run, call.values), function), self.name)

    def call(self, call: Call, leaves: Iterable[Any], function: Callable[..., Any] | None = None) -> Any:
        """Calls the function with other leaves in place of those of a call's arguments; returns its value.

        Raises:
            OutOfRangeError: it takes an element of a dataset's iterator that has none left.
            ValueError: it changes a list or dict among its arguments, which are copies of the caller's.
        """
        leaf_iterator = iter(leaves)
        passed = {name: rebuild_value(value, leaf_iterator) for name, value in call.arguments.items()}
        args, kwargs = self.signature.unbind(passed)
        containers = (
            []
            if self._may_change_arguments
            else [part for name, value in passed.items() for part in copies_of_containers(value, name)]
        )
        try:
            with History() if self.keeps_history else nullcontext():
                result = self.callable(function)(*args, **kwargs)
        except HistoryNeeded:
            self.keeps_history = True
            raise
        except EndOfElements:
            raise OutOfRangeError(
                f"{self.name}(): End of sequence: next() of a dataset's iterator that has no element left."
            ) from None
        changed = [label for label, container, items in containers if has_changed_items(container, items)]
        if changed:
            raise ValueError(
                f"{self.name}() should not modify its Python input arguments: it changes the items of {', '.join(changed)}. A replay runs no "
                "Python, so the caller's list or dict would not change. Change a copy, and return what the caller needs."
            )
        return result
