"""The variables that objects hold, under names that say where: ``model/layers/dense/kernel``.

An object says what it holds by ``_saved_variables()`` and ``_saved_children()``, dicts by name (layers and modules
do); lists, tuples and dicts hold their items; an optimizer its ``variables``, numbered. Values may
arrive before the variables they are for: a layer or optimizer that is not built keeps them in ``_awaited`` and
takes them when it is.

What a checkpoint holds beside variables comes from objects that say ``saves_state = True`` and have the methods ``state()``, which
gives arrays by name, and ``restore(arrays)``: iterators, the random state.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad.shape import TensorShape
from fastgrad.variable import Variable


def is_trackable(obj: Any) -> bool:
    """Whether ``obj`` is something whose variables can be found."""
    return (
        isinstance(obj, (Variable, list, tuple, dict))
        or hasattr(obj, "_saved_variables")
        or hasattr(obj, "apply_gradients")
        or hasattr(obj, "saves_state")
    )


def own_variables(obj: Any) -> dict[str, Variable]:
    """The variables that ``obj`` itself holds, by name."""
    if hasattr(obj, "_saved_variables"):
        return obj._saved_variables()
    if isinstance(obj, dict):
        return {str(key): item for key, item in obj.items() if isinstance(item, Variable)}
    if isinstance(obj, (list, tuple)):
        return {str(position): item for position, item in enumerate(obj) if isinstance(item, Variable)}
    if hasattr(obj, "apply_gradients"):
        variables = obj.variables() if callable(obj.variables) else obj.variables
        return {str(position): item for position, item in enumerate(variables)}
    return {}


def own_children(obj: Any) -> dict[str, Any]:
    """The objects that ``obj`` holds and that may hold variables, by name."""
    if hasattr(obj, "_saved_children"):
        return obj._saved_children()
    items: list[tuple[str, Any]] = []
    if isinstance(obj, dict):
        items = [(str(key), item) for key, item in obj.items()]
    elif isinstance(obj, (list, tuple)):
        items = [(str(position), item) for position, item in enumerate(obj)]
    return {name: item for name, item in items if is_trackable(item) and not isinstance(item, Variable)}


def named_variables(root: Any, with_generators: bool = False) -> dict[str, Variable]:
    """All variables in ``root`` and the objects it holds, each once, under the first name that leads to it.

    Args:
        root: the object.
        with_generators: whether the states of layers' random generators, which are no weights, are among them.
    """
    return _named(root, with_generators)[0]


def named_states(root: Any) -> dict[str, Any]:
    """The objects with a state in ``root`` and the objects it holds, by the first names that lead to them."""
    return _named(root)[1]


def _named(root: Any, with_generators: bool = True) -> tuple[dict[str, Variable], dict[str, Any]]:
    variables: dict[str, Variable] = {}
    states: dict[str, Any] = {}
    seen: set[int] = set()

    def walk(obj: Any, prefix: str) -> None:
        if id(obj) in seen:
            return
        seen.add(id(obj))
        if hasattr(obj, "saves_state"):
            states[prefix] = obj
        for name, variable in own_variables(obj).items():
            if id(variable) not in seen:
                seen.add(id(variable))
                variables[prefix + name] = variable
        for name, child in own_children(obj).items():
            walk(child, f"{prefix}{name}/")
        if with_generators and hasattr(obj, "_saved_generators"):
            for name, generator in obj._saved_generators().items():
                walk(generator, f"{prefix}{name}/")

    walk(root, "")
    return variables, states


def misfits(variables: dict[str, Variable], values: dict[str, np.ndarray]) -> list[str]:
    """Says of each value that has another shape or dtype than the variable of its name what both have."""
    found = []
    for name, value in values.items():
        variable = variables.get(name)
        if variable is None:
            continue
        if value.shape != variable._array.shape:
            found.append(
                f"The value of '{name}' has shape {TensorShape.of(value.shape)}, the variable has shape {variable.shape}."
            )
        elif value.dtype != variable._array.dtype:
            found.append(
                f"The value of '{name}' has dtype {value.dtype}, the variable has dtype {variable.dtype.name}."
            )
    return found


def check_fit(variables: dict[str, Variable], values: dict[str, np.ndarray]) -> None:
    """Raises ValueError if values have other shapes or dtypes than the variables of their names."""
    found = misfits(variables, values)
    if found:
        raise ValueError(" ".join([*found, "Nothing has been changed."]))


def deliver(root: Any, values: dict[str, np.ndarray]) -> set[str]:
    """Assigns values to the variables of their names, now or, for objects not built yet, when they are.

    Args:
        root: the object whose variables are meant.
        values: by name, as from ``named_variables``.

    Returns:
        The names that no variable has or waits for.

    Raises:
        ValueError: a value has another shape or dtype than its variable; nothing has been assigned.
    """
    variables, states = _named(root)
    check_fit(variables, values)
    for prefix, holder in states.items():
        own = [name for name in values if name.startswith(prefix) and name not in variables]
        if own:
            holder.restore({name[len(prefix) :]: values[name] for name in own})
            values = {name: value for name, value in values.items() if name not in own}
    for name, value in values.items():
        if name in variables:
            variables[name].assign(value)
    return _await(root, {name: value for name, value in values.items() if name not in variables})


def _await(obj: Any, values: dict[str, np.ndarray]) -> set[str]:
    """Leaves values with the objects in ``obj`` that are not built; gives the names that nobody waits for."""
    left = set(values)
    for name, child in own_children(obj).items():
        prefix = name + "/"
        meant = {key[len(prefix) :]: values[key] for key in left if key.startswith(prefix)}
        if meant:
            left = {key for key in left if not key.startswith(prefix)} | {prefix + key for key in _await(child, meant)}
    if left and hasattr(obj, "_awaited") and not obj.built:
        obj._awaited.update({key: values[key] for key in left})
        return set()
    return left
