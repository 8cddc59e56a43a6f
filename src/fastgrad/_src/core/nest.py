"""Nested structures of lists, tuples, named tuples and dicts (``tf.nest``).

The keys of dicts are visited in sorted order, as in TensorFlow. So dicts with the same keys flatten alike, whatever
their insertion order.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any


def is_nested(structure: Any) -> bool:
    """True if ``structure`` is a list, tuple or dict, not a leaf."""
    return _is_container(type(structure))


def _is_container_type(kind: Any) -> bool:
    return issubclass(kind, (list, tuple, Mapping))


_is_container: Callable[[Any], bool] = functools.lru_cache(maxsize=4096)(_is_container_type)


def flatten(structure: Any, expand_composites: bool = False) -> list[Any]:
    """Returns the leaves from left to right; for a single leaf, a list of one.

    Args:
        structure: a nested structure or a leaf.
        expand_composites: whether composites are replaced by their parts: a ragged tensor by its flat values and its
            splits, outermost first; ``IndexedSlices`` by values, indices and ``dense_shape``, if given.

    Example:
        >>> tf.nest.flatten({"b": [2, 3], "a": 1})
        [1, 2, 3]
    """
    if expand_composites:
        return [part for leaf in flatten(structure) for part in _component_tensors(leaf)]
    structure_type = type(structure)
    if not _is_container(structure_type):
        return [structure]
    if (structure_type is list or structure_type is tuple) and _is_flat(structure):
        return list(structure)
    leaves: list[Any] = []
    _append_leaves(structure, leaves)
    return leaves


def _component_tensors(leaf: Any) -> list[Any]:
    return leaf._to_components()[1] if hasattr(leaf, "_to_components") else [leaf]


def _is_flat(structure: Any) -> bool:
    for item in structure:  # noqa: SIM110  # a generator costs a microsecond, for each gradient
        if _is_container(type(item)):
            return False
    return True


def _append_leaves(structure: Any, leaves: list[Any]) -> None:
    for item in _children(structure):
        if is_nested(item):
            _append_leaves(item, leaves)
        else:
            leaves.append(item)


def pack_sequence_as(structure: Any, flat_sequence: Any, expand_composites: bool = False) -> Any:
    """Packs ``flat_sequence`` into the form of ``structure``; ``expand_composites`` as in ``flatten``.

    Raises:
        ValueError: the number of leaves differs.
        TypeError: ``flat_sequence`` is not a sequence.

    Example:
        >>> tf.nest.pack_sequence_as({"a": 0, "b": [0, 0]}, [1, 2, 3])
        {'a': 1, 'b': [2, 3]}
    """
    if expand_composites:
        return _packed_with_composites(structure, list(flat_sequence))
    if (
        type(structure) is list
        and type(flat_sequence) is list
        and len(structure) == len(flat_sequence)
        and _is_flat(structure)
    ):
        return list(flat_sequence)
    if not is_nested(flat_sequence) and not hasattr(flat_sequence, "__iter__"):
        raise TypeError(f"nest.pack_sequence_as: flat_sequence must be a sequence, got {type(flat_sequence).__name__}.")
    flat = list(flat_sequence)
    if not is_nested(structure):
        if len(flat) != 1:
            raise ValueError(
                f"nest.pack_sequence_as: the structure is one leaf, but flat_sequence had {len(flat)} elements."
            )
        return flat[0]
    count = len(flatten(structure))
    if count != len(flat):
        raise ValueError(
            f"nest.pack_sequence_as: could not pack sequence. Structure had {count} atoms, but flat_sequence had {len(flat)} items."
        )
    return _packed_from_iterator(structure, iter(flat))


def _packed_with_composites(structure: Any, parts: list[Any]) -> Any:
    leaves = flatten(structure)
    count = sum(len(_component_tensors(leaf)) for leaf in leaves)
    if count != len(parts):
        raise ValueError(
            f"nest.pack_sequence_as: could not pack sequence. Structure had {count} atoms, but flat_sequence had {len(parts)} items."
        )
    part_iterator = iter(parts)
    packed_leaves = [
        leaf._from_components(leaf._to_components()[0], [next(part_iterator) for _ in _component_tensors(leaf)])
        if hasattr(leaf, "_to_components")
        else next(part_iterator)
        for leaf in leaves
    ]
    return pack_sequence_as(structure, packed_leaves) if is_nested(structure) else packed_leaves[0]


def _packed_from_iterator(structure: Any, leaves: Any) -> Any:
    return _with_children(
        structure,
        [_packed_from_iterator(item, leaves) if is_nested(item) else next(leaves) for item in _children(structure)],
    )


def map_structure(func: Callable[..., Any], *structure: Any, **options: Any) -> Any:
    """Applies ``func`` to the corresponding leaves of structures of the same form.

    Args:
        func: called with one leaf of each structure.
        *structure: one or more structures.
        **options: ``check_types`` (default True): whether different container types are an error; ``expand_composites`` as in
            ``flatten``.

    Raises:
        TypeError: ``func`` is not callable, or the container types differ.
        ValueError: there is no structure, or the forms of structures differ.

    Example:
        >>> tf.nest.map_structure(lambda a, b: a + b, {"x": 1, "y": [2, 3]}, {"x": 10, "y": [20, 30]})
        {'x': 11, 'y': [22, 33]}
    """
    check_types = options.pop("check_types", True)
    expand = options.pop("expand_composites", False)
    if options:
        raise ValueError(
            f"nest.map_structure: only check_types and expand_composites are keyword arguments, got {list(options)}."
        )
    if not callable(func):
        raise TypeError(f"func must be callable, got: {func!r}")
    if not structure:
        raise ValueError("nest.map_structure: must provide at least one structure.")
    for other in structure[1:]:
        assert_same_structure(structure[0], other, check_types=check_types)
    leaf_groups = zip(*[flatten(item, expand) for item in structure], strict=True)
    return pack_sequence_as(structure[0], [func(*leaves) for leaves in leaf_groups], expand)


def assert_same_structure(nest1: Any, nest2: Any, check_types: bool = True, expand_composites: bool = False) -> None:
    """Raises an error unless both structures have the same form.

    Raises:
        ValueError: numbers of items, keys or depths differ.
        TypeError: with ``check_types``, container types differ.
    """
    if is_nested(nest1) != is_nested(nest2):
        raise ValueError(f"The two structures don't have the same nested structure: {nest1!r} against {nest2!r}.")
    if not is_nested(nest1):
        return
    if check_types and _container_type(nest1) != _container_type(nest2):
        raise TypeError(
            f"The two structures don't have the same sequence type: {type(nest1).__name__} against {type(nest2).__name__}."
        )
    if isinstance(nest1, Mapping) and isinstance(nest2, Mapping) and set(nest1) != set(nest2):
        raise ValueError(f"The two dictionaries don't have the same set of keys: {list(nest1)} against {list(nest2)}.")
    first, second = _children(nest1), _children(nest2)
    if len(first) != len(second):
        raise ValueError(
            f"The two structures don't have the same number of elements: {len(first)} against {len(second)}: {nest1!r}, {nest2!r}."
        )
    for a, b in zip(first, second, strict=True):
        assert_same_structure(a, b, check_types)


def _container_type(structure: Any) -> type:
    return dict if isinstance(structure, Mapping) else type(structure)


def _children(structure: Any) -> list[Any]:
    if isinstance(structure, Mapping):
        try:
            return [structure[key] for key in sorted(structure)]
        except TypeError:
            raise TypeError(f"nest only supports dicts with sortable keys, got {list(structure)!r}.") from None
    return list(structure)


def _with_children(structure: Any, children: list[Any]) -> Any:
    if isinstance(structure, Mapping):
        values = dict(zip(sorted(structure), children, strict=True))
        return _mapping_of_same_type(structure, {key: values[key] for key in structure})
    if hasattr(structure, "_fields"):
        return type(structure)(*children)
    return type(structure)(children)


def _mapping_of_same_type(structure: Mapping[Any, Any], values: dict[Any, Any]) -> Any:
    if type(structure) is dict:
        return values
    if hasattr(structure, "default_factory"):
        return type(structure)(structure.default_factory, values)  # type: ignore[call-arg]  # a defaultdict
    return type(structure)(values)  # type: ignore[call-arg]  # mappings are built from mappings
