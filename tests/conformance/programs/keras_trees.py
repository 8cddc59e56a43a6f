"""Nested structures in `keras.tree`."""

from typing import Any, NamedTuple

from ..refusal import refused


class Point(NamedTuple):
    x: Any
    y: Any


STRUCTURE = {"b": [1, (2, None)], "a": Point(3, {"c": 4})}


def structures(tf):
    tree = tf.keras.tree
    return {
        "flatten": lambda: [tree.flatten(STRUCTURE), tree.flatten(None), tree.flatten(()), tree.flatten([5])],
        "flatten_with_path": lambda: [tree.flatten_with_path(STRUCTURE), tree.flatten_with_path(3)],
        "is_nested": lambda: [tree.is_nested(x) for x in (STRUCTURE, (), 3, None, "ab")],
        "map_structure": lambda: [
            tree.map_structure(lambda x: x and x + 1, STRUCTURE)["b"],
            tree.map_structure(lambda x: [x], STRUCTURE, none_is_leaf=False)["b"],
            tree.map_structure(lambda x, y: x + y, [1, 2], [3, 4]),
        ],
        "map_structure: types": lambda: refused(lambda: tree.map_structure(lambda x, y: x, [1, 2], (3, 4))),
        "map_structure: lengths": lambda: refused(lambda: tree.map_structure(lambda x, y: x, [1], [3, 4])),
        "map_structure: no function": lambda: refused(lambda: tree.map_structure(3, [1])),
        "map_structure_up_to": lambda: tree.map_structure_up_to([1, 2], lambda x, y: [x, y], [[1], {"a": 2}], [3, [4]]),
        "map_structure_up_to: a leaf": lambda: refused(lambda: tree.map_structure_up_to([1, [2]], lambda x: x, [1, 2])),
        "map_structure_up_to: keys": lambda: refused(
            lambda: tree.map_structure_up_to({"a": 1}, lambda x: x, {"a": [1], "b": 2})
        ),
        "assert_same_structure": lambda: tree.assert_same_structure([1, (2,)], [3, (5,)]),
        "assert_same_structure: types": lambda: refused(lambda: tree.assert_same_structure([1], (1,))),
        "assert_same_structure: keys": lambda: refused(lambda: tree.assert_same_structure({"a": 1}, {"b": 1})),
        "pack_sequence_as": lambda: tree.pack_sequence_as(STRUCTURE, [1, 2, 3, 4, 5])["b"],
        "pack_sequence_as: too few": lambda: refused(lambda: tree.pack_sequence_as([1, 2], [1])),
        "map_shape_structure": lambda: tree.map_shape_structure(
            lambda shape: [len(shape), *shape], {"a": (1, None), "b": [(2, 3), [4]]}
        ),
        "traverse": lambda: [
            tree.traverse(lambda x: x * 2 if isinstance(x, int) else None, STRUCTURE)["b"],
            tree.traverse(lambda x: tree.MAP_TO_NONE if x == 2 else None, [1, (2, 3)]),
            tree.traverse(lambda x: "list" if isinstance(x, list) else None, [1, [2]], top_down=False),
            tree.traverse(lambda x: "tuple" if isinstance(x, tuple) else None, [1, (2,)]),
        ],
        "traverse: no function": lambda: refused(lambda: tree.traverse(3, [1])),
    }
