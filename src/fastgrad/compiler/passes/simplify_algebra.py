"""Algebraic simplification: removes operations that change nothing, and merges pairs of operations.

A rewrite must keep the bits of every result, at NaN, infinities and -0.0 as well; no rounding operation is
reordered. (A NaN keeps its sign; it is a quiet one.) The rules are in ``RULES``, by the operation that
they start from. Each looks at a node and at the nodes of its inputs, which are simplified already.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from fastgrad.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad.compiler.passes.exact_casts import is_lossless_cast
from fastgrad.compiler.passes.rewriting import rewritten, row_name, same_type
from fastgrad.core.operation import BOOLEAN, INTEGER, NUMERIC, REAL, TABLE


class ValueFacts:
    """Facts about the values so far: their nodes, and constant elements."""

    def __init__(self) -> None:
        self._makers: dict[int, Node] = {}
        self._bits: dict[int, bytes] = {}

    def note(self, node: Node) -> None:
        """Notes a node of the new graph as the maker of its values, and values with equal constant elements."""
        for value in node.outputs:
            self._makers[id(value)] = node
        bits = None
        if node.kind is Kind.CONSTANT:
            bits = _bytes_of_element(node.payload)
        elif row_name(node) in {"broadcast_to", "spread"}:
            bits = self._bits.get(id(node.inputs[0]))
        if bits is not None:
            self._bits[id(node.outputs[0])] = bits

    def maker(self, value: Value, *names: str) -> Node | None:
        """Returns the node that made ``value``, if it runs one of the rows ``names``."""
        node = self._makers[id(value)]
        return node if row_name(node) in names else None

    def is_all(self, value: Value, number: complex) -> bool:
        """True if every element of ``value`` is a constant with the bits of ``number``."""
        bits = self._bits.get(id(value))
        return bits is not None and bits == _bytes_of_number(number, value.dtype)


Rule = Callable[[Node, ValueFacts], Node | Value | tuple[Value, ...] | None]
"""Returns the node that replaces a node, or the value that replaces its result (several values for several results); None
if the rule does not apply."""


def simplify_algebra(graph: Graph) -> Graph:
    """Returns the graph with ``RULES`` applied to each node in order.

    Args:
        graph: the graph; it is not changed.
    """
    facts = ValueFacts()

    def simplify(node: Node) -> Node | tuple[Value, ...]:
        for rule in RULES.get(row_name(node) or "", ()):
            replacement = rule(node, facts)
            if isinstance(replacement, Node):
                node = replacement
            elif replacement is not None:
                return replacement if type(replacement) is tuple else (replacement,)  # type: ignore[return-value]
        facts.note(node)
        return node

    return rewritten(graph, simplify)


# ---- bits --------------------------------------------------------------------------------------------


def _bytes_of_element(array: np.ndarray) -> bytes | None:
    """Returns the bytes of one element, if all elements have the same."""
    if array.dtype.kind == "O" or not array.size:
        return None
    flat = np.ascontiguousarray(array).reshape(-1)
    first_bytes = flat[:1].tobytes()
    if flat[-1:].tobytes() != first_bytes:
        return None
    elements = flat.view(np.uint8).reshape(flat.size, -1)
    return first_bytes if (elements == elements[0]).all() else None


def _bytes_of_number(number: complex, dtype: np.dtype) -> bytes:
    if dtype.kind == "c" and not number:
        number = complex(number, number)  # 0.0 or -0.0 in both parts
    return np.array(number).astype(dtype).tobytes()


# ---- kinds of rules ------------------------------------------------------------------------------------


def _drop_neutral_operand(number: complex, dtypes: frozenset[np.dtype], *sides: int) -> Rule:
    """Returns the rule that ``f(x, number)`` is ``x``, if ``number`` is on one of ``sides`` and ``x`` keeps its shape."""

    def rule(node: Node, facts: ValueFacts) -> Value | None:
        for side in sides:
            x, constant = node.inputs[1 - side], node.inputs[side]
            if x.dtype in dtypes and same_type(x, node.outputs[0]) and facts.is_all(constant, number):
                return x
        return None

    return rule


def _replace_small_power(node: Node, facts: ValueFacts) -> Node | Value | None:
    """Replaces the powers 1 and 2 by the number and its square, as the row computes them for a float scalar."""
    x, exponent = node.inputs
    if exponent.shape or exponent.dtype not in REAL or exponent.dtype in INTEGER:
        return None
    if facts.is_all(exponent, 1):
        return x
    if facts.is_all(exponent, 2):
        return replace(node, payload=TABLE["square"], inputs=(x,))
    return None


def _remove_if_type_unchanged(node: Node, facts: ValueFacts) -> Value | None:
    """Removes an operation that changes nothing if its result has the shape and dtype of its input."""
    x = node.inputs[0]
    return x if same_type(x, node.outputs[0]) else None


def _remove_involution(node: Node, facts: ValueFacts) -> Value | None:
    """Replaces ``f(f(x))`` by ``x``."""
    inner = facts.maker(node.inputs[0], node.payload.name)
    return inner.inputs[0] if inner else None


def _remove_repeated(node: Node, facts: ValueFacts) -> Value | None:
    """Replaces ``f(f(x))`` by ``f(x)``."""
    x = node.inputs[0]
    return x if facts.maker(x, node.payload.name) else None


def _drop_inner(inner_name: str) -> Rule:
    """Returns the rule that ``f(inner(x))`` is ``f(x)``."""

    def rule(node: Node, facts: ValueFacts) -> Node | None:
        inner = facts.maker(node.inputs[0], inner_name)
        return replace(node, inputs=inner.inputs) if inner else None

    return rule


def _unwrap_single_input(node: Node, facts: ValueFacts) -> Value | None:
    """Replaces ``f(x)`` by ``x``, for an operation of any number of inputs."""
    return node.inputs[0] if len(node.inputs) == 1 else None


def _merge_equal_inputs(node: Node, facts: ValueFacts) -> Value | None:
    """Replaces ``f(x, x)`` by ``x``, and ``where(c, x, x)`` by ``x``."""
    x, y = node.inputs[-2:]
    return x if x is y and same_type(x, node.outputs[0]) else None


def _drop_join_of_split(split_row: str) -> Rule:
    """Returns the rule that all parts of ``x``, joined along the axis of the split, are ``x``."""

    def rule(node: Node, facts: ValueFacts) -> Value | None:
        parts = facts.maker(node.inputs[0], split_row)
        if parts is None or parts.attributes["axis"] != node.attributes["axis"]:
            return None
        return parts.inputs[0] if node.inputs == parts.outputs else None

    return rule


def _drop_split_of_join(join_row: str) -> Rule:
    """Returns the rule that a join, split along the same axis into parts of the same shapes, gives the joined values."""

    def rule(node: Node, facts: ValueFacts) -> tuple[Value, ...] | None:
        joined = facts.maker(node.inputs[0], join_row)
        if joined is None or joined.attributes["axis"] != node.attributes["axis"]:
            return None
        fits = len(joined.inputs) == len(node.outputs) and all(map(same_type, joined.inputs, node.outputs))
        return joined.inputs if fits else None

    return rule


# ---- rules of one operation ----------------------------------------------------------------------------


def _select_by_constant(node: Node, facts: ValueFacts) -> Value | None:
    condition, x, y = node.inputs
    for number, chosen in ((True, x), (False, y)):
        if facts.is_all(condition, number) and same_type(chosen, node.outputs[0]):
            return chosen
    return None


def _compose_transposes(node: Node, facts: ValueFacts) -> Node | None:
    inner = facts.maker(node.inputs[0], "transpose")
    if inner is None:
        return None
    perm = tuple([inner.attributes["perm"][axis] for axis in node.attributes["perm"]])
    return replace(node, inputs=inner.inputs, attributes={"perm": perm})


def _drop_identity_transpose(node: Node, facts: ValueFacts) -> Value | None:
    perm = node.attributes["perm"]
    return node.inputs[0] if perm == tuple(range(len(perm))) else None


def _compose_reverses(node: Node, facts: ValueFacts) -> Node | None:
    inner = facts.maker(node.inputs[0], "reverse")
    if inner is None:
        return None
    axes = set(inner.attributes["axes"]) ^ set(node.attributes["axes"])
    return replace(node, inputs=inner.inputs, attributes={"axes": tuple(sorted(axes))})


def _remove_empty_reverse(node: Node, facts: ValueFacts) -> Value | None:
    return None if node.attributes["axes"] else node.inputs[0]


def _remove_whole_slice(node: Node, facts: ValueFacts) -> Value | None:
    # The same number of elements, none backwards: all of them, in order.
    forward = all(type(item) is not tuple or item[2] == 1 for item in node.attributes["key"])
    return node.inputs[0] if forward and same_type(node.inputs[0], node.outputs[0]) else None


def _merge_casts(node: Node, facts: ValueFacts) -> Node | None:
    """Replaces two casts by one: if the second dtype holds the first, and the last is the first or holds the second."""
    inner = facts.maker(node.inputs[0], "cast")
    if inner is None:
        return None
    first, wide, last = inner.inputs[0].dtype, inner.outputs[0].dtype, node.outputs[0].dtype
    fits = is_lossless_cast(wide, first) and (last == first or is_lossless_cast(last, wide))
    return replace(node, inputs=inner.inputs) if fits else None


def _absorb_transposes(node: Node, facts: ValueFacts) -> Node | None:
    inputs, attributes = list(node.inputs), dict(node.attributes)
    for position, flag in enumerate(("transpose_a", "transpose_b")):
        inner = facts.maker(inputs[position], "transpose")
        if inner is not None:
            perm = inner.attributes["perm"]
            last = len(perm) - 1
            if perm == (*range(last - 1), last, last - 1):
                inputs[position] = inner.inputs[0]
                attributes[flag] = not attributes[flag]
    inputs_now = tuple(inputs)
    return None if inputs_now == node.inputs else replace(node, inputs=inputs_now, attributes=attributes)


# ---- the rules ------------------------------------------------------------------------------------------

# x + 0.0 is not x where x is -0.0, but x + -0.0 is; x * 1 is not x where x is complex and infinite.
RULES: dict[str, tuple[Rule, ...]] = {
    "add": (_drop_neutral_operand(-0.0, NUMERIC, 0, 1),),
    "subtract": (_drop_neutral_operand(0.0, NUMERIC, 1),),
    "multiply": (_drop_neutral_operand(1, REAL, 0, 1),),
    "multiply_no_nan": (_drop_neutral_operand(1, REAL, 1),),
    "divide": (_drop_neutral_operand(1, REAL, 1),),
    "divide_no_nan": (_drop_neutral_operand(1, REAL, 1),),
    "floordiv": (_drop_neutral_operand(1, INTEGER, 1),),
    "truncatediv": (_drop_neutral_operand(1, INTEGER, 1),),
    "left_shift": (_drop_neutral_operand(0, INTEGER, 1),),
    "right_shift": (_drop_neutral_operand(0, INTEGER, 1),),
    "bitwise_xor": (_drop_neutral_operand(0, INTEGER, 0, 1),),
    "bitwise_or": (_drop_neutral_operand(0, INTEGER, 0, 1), _merge_equal_inputs),
    "bitwise_and": (_merge_equal_inputs,),
    "logical_or": (_drop_neutral_operand(False, BOOLEAN, 0, 1), _merge_equal_inputs),
    "logical_and": (_drop_neutral_operand(True, BOOLEAN, 0, 1), _merge_equal_inputs),
    "pow": (_replace_small_power,),
    "where": (_select_by_constant, _merge_equal_inputs),
    "maximum": (_merge_equal_inputs,),
    "minimum": (_merge_equal_inputs,),
    "negative": (_remove_involution,),
    "conj": (_remove_involution,),
    "invert": (_remove_involution,),
    "logical_not": (_remove_involution,),
    "abs": (_drop_inner("negative"), _remove_repeated),
    "floor": (_remove_repeated,),
    "ceil": (_remove_repeated,),
    "round": (_remove_repeated,),
    "rint": (_remove_repeated,),
    "identity": (_remove_if_type_unchanged,),
    "stop_gradient": (_remove_if_type_unchanged,),
    "cast": (_merge_casts, _remove_if_type_unchanged),
    "reshape": (_drop_inner("reshape"), _remove_if_type_unchanged),
    "broadcast_to": (_drop_inner("broadcast_to"), _remove_if_type_unchanged),
    "spread": (_remove_if_type_unchanged,),
    "tile": (_remove_if_type_unchanged,),
    "pad": (_remove_if_type_unchanged,),
    "strided_slice": (_remove_whole_slice,),
    "transpose": (_compose_transposes, _drop_identity_transpose),
    "reverse": (_compose_reverses, _remove_empty_reverse),
    "concat": (_unwrap_single_input, _drop_join_of_split("split")),
    "stack": (_drop_join_of_split("unstack"),),
    "split": (_drop_split_of_join("concat"),),
    "unstack": (_drop_split_of_join("stack"),),
    "matmul": (_absorb_transposes,),
}
"""By row of the operation table: the rules, in order; each rule sees the node that the rule before it returned."""
