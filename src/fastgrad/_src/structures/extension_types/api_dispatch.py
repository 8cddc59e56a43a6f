"""``tf.experimental.dispatch_for_api`` and related functions: dispatch of functions of ``tf`` for extension types, by the types of the arguments."""

from __future__ import annotations

import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from fastgrad._src.core.composite import CompositeOperand

_Target = TypeVar("_Target", bound=Callable[..., Any])


class _Elementwise(NamedTuple):
    """A handler of element-wise functions: the types of its operands, and the function of the API and the operands."""

    types: tuple[Any, ...]
    target: Callable[..., Any]


class _Dispatched(NamedTuple):
    """A function of ``tf`` that calls targets for some types of arguments.

    Attributes:
        api: the original function.
        wrapper: what stands in the namespaces in its place.
        targets: annotations by the names of the parameters, and the function that is called.
        places: the namespaces and the names there.
    """

    api: Callable[..., Any]
    wrapper: Callable[..., Any]
    targets: list[tuple[Mapping[str, Any], Callable[..., Any]]]
    places: list[tuple[Any, str]]


_dispatched: list[_Dispatched] = []
_elementwise: list[_Elementwise] = []


def dispatch_for_api(api: Any, *signatures: Mapping[Any, Any]) -> Callable[[_Target], _Target]:
    """Returns a decorator: for arguments of certain types, a call of ``api`` calls the decorated function instead.

    This holds for ``api`` as an attribute of ``tf``. Names imported from ``tf`` before the first registration keep the original.

    Args:
        api: a public function, such as ``tf.concat``. The decorated function has the same parameters; ``name`` may be missing.
        *signatures: a dict from names or positions of parameters to types, one for each alternative. Default: the annotations
            of the decorated function.

    Raises:
        ValueError: ``api`` is no public function; the decorated function has other parameters; there are no types.
    """

    def register(target: _Target) -> _Target:
        entry = _entry_for(api)
        wanted, got = inspect.signature(entry.api), inspect.signature(target)
        optional = {"name"} - got.parameters.keys()
        if [name for name in wanted.parameters if name not in optional] != list(got.parameters):
            raise ValueError(
                f"Dispatch function's signature {got} does not match API's signature {wanted}: the names differ."
            )
        names = list(wanted.parameters)
        hints = {name: hint for name, hint in typing.get_type_hints(target).items() if name in names}
        chosen = [
            {names[key] if isinstance(key, int) else key: kind for key, kind in types_of.items()}
            for types_of in signatures or (hints,)
        ]
        if not all(chosen) or any(key not in names for types_of in chosen for key in types_of):
            raise ValueError(
                f"Failed to determine a dispatch signature: annotate parameters, or give a dict by {names}."
            )
        entry.targets.extend([(types_of, target) for types_of in chosen])
        if entry not in _dispatched:
            _install(entry)
        return target

    return register


def dispatch_for_unary_elementwise_apis(x_type: Any) -> Callable[[_Target], _Target]:
    """Returns a decorator: element-wise functions of one ``x_type`` call the decorated function ``handler(api, x)``."""
    return _elementwise_decorator(x_type)


def dispatch_for_binary_elementwise_apis(x_type: Any, y_type: Any) -> Callable[[_Target], _Target]:
    """Returns a decorator: element-wise functions of two operands of these types call ``handler(api, x, y)``."""
    return _elementwise_decorator(x_type, y_type)


def _elementwise_decorator(*operand_types: Any) -> Callable[[_Target], _Target]:
    def register(target: _Target) -> _Target:
        wanted = len(operand_types) + 1
        if not callable(target):
            raise ValueError(f"The dispatch function of element-wise APIs must be callable, got {target!r}.")
        if len(inspect.signature(target).parameters) != wanted:
            raise TypeError(
                f"The dispatch function of element-wise APIs takes {wanted} parameters, the API and its operands; got "
                f"{inspect.signature(target)}."
            )
        if any(handler.types == operand_types for handler in _elementwise):
            raise ValueError(f"Element-wise APIs already have a dispatch function registered for {operand_types}.")
        _elementwise.append(_Elementwise(operand_types, target))
        return target

    return register


def unregister_dispatch_for(dispatch_target: Callable[..., Any]) -> None:
    """Removes all registrations of a function.

    Raises:
        ValueError: the function is not registered.
    """
    is_known = False
    for entry in list(_dispatched):
        kept = [item for item in entry.targets if item[1] is not dispatch_target]
        is_known |= len(kept) < len(entry.targets)
        entry.targets[:] = kept
        if not kept:
            _dispatched.remove(entry)
            for namespace, name in entry.places:
                setattr(namespace, name, entry.api)
    kept_handlers = [handler for handler in _elementwise if handler.target is not dispatch_target]
    if not is_known and len(kept_handlers) == len(_elementwise):
        raise ValueError(f"unregister_dispatch_for: Function {dispatch_target} was not registered.")
    _elementwise[:] = kept_handlers


def call_elementwise(error: CompositeOperand, api: Callable[..., Any], operands: tuple[Any, ...]) -> Any:
    """Calls the handler that is registered for element-wise functions of these operands; raises ``error`` without any."""
    for handler in reversed(_elementwise):
        if len(handler.types) == len(operands) and all(map(fits_annotation, operands, handler.types)):
            return handler.target(api, *operands)
    raise error


def fits_annotation(value: Any, annotation: Any) -> bool:
    """True if ``value`` is of the annotated type: a class, or a ``Union``, ``List`` or ``Tuple`` of such."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return any(fits_annotation(value, kind) for kind in args)
    if origin in (list, tuple):
        kinds = [kind for kind in args if kind is not Ellipsis]
        return (
            isinstance(value, (list, tuple)) and bool(value) and all(fits_annotation(item, kinds[0]) for item in value)
        )
    return annotation is Any or isinstance(value, annotation)


def _entry_for(api: Any) -> _Dispatched:
    for entry in _dispatched:
        if api is entry.wrapper or api is entry.api:
            return entry
    places = [
        (module, name)
        for path, module in list(sys.modules.items())
        if path.partition(".")[0] == "fastgrad"
        for name, value in list(vars(module).items())
        if value is api
    ]
    if not callable(api) or not any("__getattr__" in vars(module) for module, _ in places):
        raise ValueError(f"dispatch_for_api: {api!r} does not support dispatch: it is no public function of tf.")
    signature, targets = inspect.signature(api), list[tuple[Mapping[str, Any], Callable[..., Any]]]()

    @functools.wraps(api, updated=())
    def dispatching(*args: Any, **kwargs: Any) -> Any:
        try:
            arguments = signature.bind(*args, **kwargs).arguments
        except TypeError:
            return api(*args, **kwargs)
        for types_of, target in reversed(targets):
            if all(name in arguments and fits_annotation(arguments[name], kind) for name, kind in types_of.items()):
                if "name" in arguments and "name" not in inspect.signature(target).parameters:
                    del arguments["name"]
                return target(**arguments)
        return api(*args, **kwargs)

    return _Dispatched(api, dispatching, targets, places)


def _install(entry: _Dispatched) -> None:
    _dispatched.append(entry)
    for namespace, name in entry.places:
        setattr(namespace, name, entry.wrapper)
