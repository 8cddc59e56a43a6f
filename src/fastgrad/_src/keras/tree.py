"""``keras.tree``: nested structures of lists, tuples, named tuples and dicts. ``None`` is a leaf."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastgrad._src.core import nest as _nest
from fastgrad._src.core.argument_checks import checked_callable
from fastgrad._src.core.nest import flatten as flatten
from fastgrad._src.core.nest import is_nested as is_nested
from fastgrad._src.core.nest import pack_sequence_as as pack_sequence_as


class MAP_TO_NONE:  # noqa: N801  # Keras's name
    """What a function of ``traverse`` returns for None in the place of a part: None leaves the part as it is."""


def map_structure(func: Callable[..., Any], *structures: Any, none_is_leaf: bool = True) -> Any:
    """Returns the results of ``func`` on the leaves of structures of one form, in that form.

    Args:
        func: takes a leaf of each structure.
        *structures: of one form; of lists and tuples the type counts, too.
        none_is_leaf: whether ``func`` is called for None; else None stays.

    Raises:
        TypeError: ``func`` cannot be called.
        ValueError: the structures have different forms.
    """
    checked_callable("map_structure", "func", func)
    for other in structures[1:]:
        assert_same_structure(structures[0], other)

    def apply(*leaves: Any) -> Any:
        return None if leaves[0] is None and not none_is_leaf else func(*leaves)

    return _nest.map_structure(apply, *structures)


def assert_same_structure(a: Any, b: Any) -> None:
    """Checks that two structures have one form, and their containers the same types.

    Raises:
        ValueError: the forms or the types differ.
    """
    try:
        _nest.assert_same_structure(a, b)
    except (TypeError, ValueError) as error:
        raise ValueError(f"assert_same_structure: `a`={a!r:.200} and `b`={b!r:.200}: {error}") from None


def flatten_with_path(structure: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """Returns the leaves with their paths: tuples of positions and keys."""
    if not is_nested(structure):
        return [((), structure)]
    if isinstance(structure, Mapping):
        items: Any = [(key, structure[key]) for key in sorted(structure)]
    else:
        items = enumerate(structure)
    return [((key, *path), leaf) for key, part in items for path, leaf in flatten_with_path(part)]


def map_structure_up_to(shallow_structure: Any, func: Callable[..., Any], *structures: Any) -> Any:
    """Returns the results of ``func`` on the parts of structures at the leaves of ``shallow_structure``, in its form.

    Raises:
        TypeError: ``func`` cannot be called.
        ValueError: the outer part of a structure differs from ``shallow_structure``.
    """
    checked_callable("map_structure_up_to", "func", func)
    parts = [_parts_up_to(shallow_structure, structure) for structure in structures]
    return pack_sequence_as(shallow_structure, [func(*leaves) for leaves in zip(*parts, strict=True)])


def _parts_up_to(shallow: Any, structure: Any) -> list[Any]:
    if not is_nested(shallow):
        return [structure]
    fits = type(structure) is type(shallow) and len(structure) == len(shallow)
    if not fits or (isinstance(shallow, Mapping) and set(shallow) != set(structure)):
        raise ValueError(f"map_structure_up_to: {structure!r:.200} does not have the structure {shallow!r:.200}.")
    keys = sorted(shallow) if isinstance(shallow, Mapping) else range(len(shallow))
    return [part for key in keys for part in _parts_up_to(shallow[key], structure[key])]


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """Returns a structure with parts replaced by the results of ``func``, where these are not None.

    Args:
        func: takes a part of the structure: a container or a leaf. None keeps the part, ``MAP_TO_NONE`` puts None in its place.
        structure: a nested structure.
        top_down: whether ``func`` is called for a container before its parts; then it is not called for parts of a replaced container.

    Raises:
        TypeError: ``func`` cannot be called.
    """
    checked_callable("traverse", "func", func)

    def with_children(part: Any) -> Any:
        if not is_nested(part):
            return part
        return _nest._with_children(part, [traverse(func, child, top_down) for child in _nest._children(part)])

    if not top_down:
        structure = with_children(structure)
    result = func(structure)
    if result is None:
        return with_children(structure) if top_down else structure
    return None if result is MAP_TO_NONE else result


def map_shape_structure(func: Callable[[Any], Any], structure: Any) -> Any:
    """Returns the results of ``func`` on the shapes of a structure: lists and tuples of integers and None."""
    if isinstance(structure, (list, tuple)) and all(size is None or isinstance(size, int) for size in structure):
        return func(structure)
    if not is_nested(structure):
        return func(structure)
    children = [map_shape_structure(func, child) for child in _nest._children(structure)]
    return _nest._with_children(structure, children)
