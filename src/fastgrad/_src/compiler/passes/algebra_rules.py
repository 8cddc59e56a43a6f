"""Algebraic rules, and producers of rules: what each row of the operation table may have as ``simplifications``.

A rule must keep the bits of every result, at NaN, infinities and -0.0 as well; no rounding operation is reordered.
(A NaN keeps its sign; it is a quiet one.) A rule looks at a node and at the nodes of its inputs, which are simplified
already.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import ml_dtypes
import numpy as np

from fastgrad._src.compiler.graph.graph import Kind, Node, Value
from fastgrad._src.compiler.passes.keep_eager_bits import has_bits_of_eager
from fastgrad._src.compiler.passes.rewriting import have_same_type, operation_of
from fastgrad._src.core.operation import COMPLEX_DTYPES, FLOAT_DTYPES, INTEGER_DTYPES, REAL_DTYPES, TABLE


class ValueFacts:
    """Facts about the values of a graph: the node of each, and the bits of values whose elements are one constant."""

    def __init__(self) -> None:
        self._producers: dict[int, Node] = {}
        self._bits: dict[int, bytes | None] = {}

    def add(self, node: Node) -> None:
        """Adds a node as the producer of its outputs."""
        for value in node.outputs:
            self._producers[id(value)] = node

    def producer(self, value: Value, *names: str) -> Node | None:
        """Returns the node that computes ``value``, if the name of its operation is in ``names``; else None."""
        node = self._producers[id(value)]
        row = operation_of(node)
        return node if row is not None and row.name in names else None

    def is_all(self, value: Value, number: complex) -> bool:
        """True if every element of ``value`` is a constant with the bits of ``number``."""
        bits = self._bits_of(value)
        return bits is not None and bits == _bytes_of_number(number, value.dtype)

    def _bits_of(self, value: Value) -> bytes | None:
        """Returns the bytes of an element of a value whose elements are one constant, computed once; None for others."""
        if id(value) not in self._bits:
            node, bits = self._producers[id(value)], None
            if node.kind is Kind.CONSTANT:
                bits = _bytes_of_element(node.payload)
            elif node.lowering.index_map.broadcasts:
                bits = self._bits_of(node.inputs[0])
            self._bits[id(value)] = bits
        return self._bits[id(value)]


Rule = Callable[[Node, ValueFacts], Node | Value | tuple[Value, ...] | None]
"""Returns the node that replaces a node, or the value that replaces its result (several values for several results);
None if the rule does not apply."""


# ---- bits --------------------------------------------------------------------------------------------


def _bytes_of_element(array: np.ndarray) -> bytes | None:
    """Returns the bytes of an element if all elements of an array have the same bytes; else None."""
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


# ---- casts ---------------------------------------------------------------------------------------------


def is_lossless_cast(wide: np.dtype, narrow: np.dtype) -> bool:
    """True if dtype ``wide`` has all numbers of ``narrow``, so that a cast from ``narrow`` to ``wide`` loses nothing.

    Args:
        wide, narrow: NumPy's dtypes, those of ml_dtypes included.
    """
    if wide == narrow or narrow.kind == "b":
        return True
    if wide in COMPLEX_DTYPES:
        return is_lossless_cast(
            _real_part_dtype(wide), _real_part_dtype(narrow) if narrow in COMPLEX_DTYPES else narrow
        )
    if wide in FLOAT_DTYPES and narrow in FLOAT_DTYPES:
        w, n = ml_dtypes.finfo(wide), ml_dtypes.finfo(narrow)
        return bool(w.nmant >= n.nmant and w.maxexp >= n.maxexp and w.minexp - w.nmant <= n.minexp - n.nmant)
    if narrow not in INTEGER_DTYPES:
        return False
    numbers = np.iinfo(narrow)
    if wide in FLOAT_DTYPES:
        return numbers.bits - (numbers.min < 0) <= ml_dtypes.finfo(wide).nmant + 1
    return wide in INTEGER_DTYPES and np.iinfo(wide).min <= numbers.min and numbers.max <= np.iinfo(wide).max


def _real_part_dtype(dtype: np.dtype) -> np.dtype:
    return np.zeros((), dtype).real.dtype


# ---- kinds of rules ------------------------------------------------------------------------------------


def drop_neutral_operand(number: complex, dtypes: frozenset[np.dtype], *positions: int) -> Rule:
    """Returns the rule that replaces ``f(x, number)`` by ``x`` of the same type, for ``number`` at ``positions``."""

    def drop_operand(node: Node, facts: ValueFacts) -> Value | None:
        for position in positions:
            x, constant = node.inputs[1 - position], node.inputs[position]
            if x.dtype in dtypes and have_same_type(x, node.outputs[0]) and facts.is_all(constant, number):
                return x
        return None

    return drop_operand


def replace_small_power(node: Node, facts: ValueFacts) -> Node | Value | None:
    """Replaces ``x ** 1`` by ``x`` and ``x ** 2`` by ``square(x)``, if the exponent is a float scalar."""
    x, exponent = node.inputs
    if exponent.shape or exponent.dtype not in REAL_DTYPES or exponent.dtype in INTEGER_DTYPES:
        return None
    if facts.is_all(exponent, 1):
        return x
    if facts.is_all(exponent, 2):
        return replace(node, payload=TABLE["square"], inputs=(x,))
    return None


def remove_if_type_unchanged(node: Node, facts: ValueFacts) -> Value | None:
    """Replaces an operation by its input if the result has the same shape and dtype."""
    x = node.inputs[0]
    return x if have_same_type(x, node.outputs[0]) else None


def cancel_involution(node: Node, facts: ValueFacts) -> Value | None:
    """Replaces ``f(f(x))`` by ``x``."""
    inner = facts.producer(node.inputs[0], node.payload.name)
    return inner.inputs[0] if inner else None


def merge_idempotent(node: Node, facts: ValueFacts) -> Value | None:
    """Replaces ``f(f(x))`` by ``f(x)``."""
    x = node.inputs[0]
    return x if facts.producer(x, node.payload.name) else None


def drop_inner_operation(inner_name: str) -> Rule:
    """Returns the rule that replaces ``f(inner(x))`` by ``f(x)``, for an operation ``inner``."""

    def drop_inner(node: Node, facts: ValueFacts) -> Node | None:
        inner = facts.producer(node.inputs[0], inner_name)
        return replace(node, inputs=inner.inputs) if inner else None

    return drop_inner


def unwrap_single_input(node: Node, facts: ValueFacts) -> Value | None:
    """Replaces ``f(x)`` by ``x``, for an operation such as concat that has one input here."""
    return node.inputs[0] if len(node.inputs) == 1 else None


def merge_equal_inputs(node: Node, facts: ValueFacts) -> Value | None:
    """Replaces ``f(x, x)`` by ``x``, and ``where(c, x, x)`` by ``x``."""
    x, y = node.inputs[-2:]
    return x if x is y and have_same_type(x, node.outputs[0]) else None


def drop_join_of_split(split_name: str) -> Rule:
    """Returns the rule that replaces ``join(split(x))`` by ``x``, if both have the same axis."""

    def rule(node: Node, facts: ValueFacts) -> Value | None:
        parts = facts.producer(node.inputs[0], split_name)
        if parts is None or parts.attributes["axis"] != node.attributes["axis"]:
            return None
        return parts.inputs[0] if node.inputs == parts.outputs else None

    return rule


def drop_split_of_join(join_name: str) -> Rule:
    """Returns the rule that replaces ``split(join(values))`` by ``values``, if axis and shapes are the same."""

    def rule(node: Node, facts: ValueFacts) -> tuple[Value, ...] | None:
        joined = facts.producer(node.inputs[0], join_name)
        if joined is None or joined.attributes["axis"] != node.attributes["axis"]:
            return None
        fits = len(joined.inputs) == len(node.outputs) and all(map(have_same_type, joined.inputs, node.outputs))
        return joined.inputs if fits else None

    return rule


# ---- rules of one operation ----------------------------------------------------------------------------


def select_by_constant(node: Node, facts: ValueFacts) -> Value | None:
    """Replaces ``where(True, x, y)`` by ``x``, and ``where(False, x, y)`` by ``y``."""
    condition, x, y = node.inputs
    for number, chosen in ((True, x), (False, y)):
        if facts.is_all(condition, number) and have_same_type(chosen, node.outputs[0]):
            return chosen
    return None


def compose_transposes(node: Node, facts: ValueFacts) -> Node | None:
    """Replaces a transpose of a transpose by one transpose."""
    inner = facts.producer(node.inputs[0], "transpose")
    if inner is None:
        return None
    perm = tuple([inner.attributes["perm"][axis] for axis in node.attributes["perm"]])
    return replace(node, inputs=inner.inputs, attributes={"perm": perm})


def drop_identity_transpose(node: Node, facts: ValueFacts) -> Value | None:
    """Replaces a transpose that moves no axis by its input."""
    perm = node.attributes["perm"]
    return node.inputs[0] if perm == tuple(range(len(perm))) else None


def compose_reverses(node: Node, facts: ValueFacts) -> Node | None:
    """Replaces a reverse of a reverse by one reverse."""
    inner = facts.producer(node.inputs[0], "reverse")
    if inner is None:
        return None
    axes = set(inner.attributes["axes"]) ^ set(node.attributes["axes"])
    return replace(node, inputs=inner.inputs, attributes={"axes": tuple(sorted(axes))})


def remove_empty_reverse(node: Node, facts: ValueFacts) -> Value | None:
    """Replaces a reverse of no axis by its input."""
    return None if node.attributes["axes"] else node.inputs[0]


def remove_whole_slice(node: Node, facts: ValueFacts) -> Value | None:
    """Replaces a slice of all elements in order by its input."""
    # The same number of elements, none backwards: all of them, in order.
    forward = all(type(item) is not tuple or item[2] == 1 for item in node.attributes["key"])
    return node.inputs[0] if forward and have_same_type(node.inputs[0], node.outputs[0]) else None


def merge_casts(node: Node, facts: ValueFacts) -> Node | None:
    """Replaces ``cast(cast(x, wide), last)`` by ``cast(x, last)``, if neither replaced cast can change a number."""
    inner = facts.producer(node.inputs[0], "cast")
    if inner is None:
        return None
    first, wide, last = inner.inputs[0].dtype, inner.outputs[0].dtype, node.outputs[0].dtype
    fits = is_lossless_cast(wide, first) and (last == first or is_lossless_cast(last, wide))
    return replace(node, inputs=inner.inputs) if fits else None


def absorb_transposes(node: Node, facts: ValueFacts) -> Node | None:
    """Replaces transposed operands of a matrix product by ``transpose_a`` and ``transpose_b``, if the product keeps its bits.

    NumPy computes some small products without ``transpose_b`` that a kernel computes with it.
    """
    merged = with_absorbed_transposes(node, facts)
    return merged if merged is None or has_bits_of_eager(merged) == has_bits_of_eager(node) else None


def with_absorbed_transposes(product: Node, facts: ValueFacts) -> Node | None:
    """Returns a matrix product of what its operands are the transposes of; None if no operand is one."""
    inputs, attributes = list(product.inputs), dict(product.attributes)
    for position, flag in enumerate(("transpose_a", "transpose_b")):
        inner = facts.producer(inputs[position], "transpose")
        if inner is not None:
            perm = inner.attributes["perm"]
            last = len(perm) - 1
            if perm == (*range(last - 1), last, last - 1):
                inputs[position] = inner.inputs[0]
                attributes[flag] = not attributes[flag]
    inputs_now = tuple(inputs)
    return None if inputs_now == product.inputs else replace(product, inputs=inputs_now, attributes=attributes)
