"""Hash tables of numbers and of strings, by open addressing: equal keys share a number, and keys are found again.

A table is an array of 2^bits slots. A slot is -1 or the position of a key in its array; the slot of a key is the first
free one from the high bits of its hash on. At least half of the slots stay free.
"""

from __future__ import annotations

from typing import Any

from numpy import int64, uint64

from fastgrad._src.jit.body import by_dtype, float_bits, scalar_function, specialized
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.hashing.bytes_objects import text_address, text_size
from fastgrad._src.kernels.hashing.text_hashes import farm_hash, load_uint8, load_uint64

KEY_DTYPES = ("int32", "int64", "float32", "float64")
NUMBER_DTYPES = ("int32", "int64")


def _float_bits(value):
    return uint64(int64(float_bits(value + T(0))))  # 0 for -0


def _integer_bits(value):
    return uint64(int64(value))


key_bits = by_dtype(float32=_float_bits, float64=_float_bits, int32=_integer_bits, int64=_integer_bits)


@scalar_function
def key_hash(x, i):
    """Returns the hash of number i."""
    return key_bits(x[i]) * uint64(0x9E3779B97F4A7C15)  # 2^64 / the golden ratio: spreads successive integers


@scalar_function
def same_key(x, i, y, j):
    """True if two numbers are equal."""
    return x[i] == y[j]


@scalar_function
def text_hash(x, i):
    """Returns the hash of string i."""
    return farm_hash(text_address(x, i), text_size(x, i))


@scalar_function
def same_text(x, i, y, j):
    """True if two strings are equal."""
    size, a, b = text_size(x, i), text_address(x, i), text_address(y, j)
    if size != text_size(y, j):
        return False
    at = 0
    while at + 8 <= size and load_uint64(a + at) == load_uint64(b + at):
        at += 8
    while at < size and load_uint8(a + at) == load_uint8(b + at):
        at += 1
    return at == size


@scalar_function
def slot_of_key(x, i, keys, slots, slot_bits):
    """Returns the slot of a key equal to x[i], or else the free slot for x[i]."""
    slot = int64(key_hash(x, i) >> uint64(64 - slot_bits))
    while slots[slot] >= 0 and not same_key(x, i, keys, slots[slot]):
        slot = (slot + 1) & ((1 << slot_bits) - 1)
    return slot


@scalar_function
def fill_slots(x, first_positions, slots, slot_bits, found):
    """Puts the positions of the first `found` distinct elements into 2^`slot_bits` slots; NaN has none."""
    for slot in range(1 << slot_bits):
        slots[slot] = -1
    for k in range(found):
        i = first_positions[k]
        if same_key(x, i, x, i):
            slots[slot_of_key(x, i, x, slots, slot_bits)] = i


def _number_elements(x, slots, first_positions, numbers, counts, slot_bits, size):
    """Numbers distinct elements in order of first appearance; returns how many there are.

    The table begins with 2^`slot_bits` slots and grows; `slots` has a power of 2 of at least 2 * `size`.
    """
    found = 0
    fill_slots(x, first_positions, slots, slot_bits, 0)
    for i in range(size):
        if found >= 1 << (slot_bits - 1):
            slot_bits += 1
            fill_slots(x, first_positions, slots, slot_bits, found)
        slot = slot_of_key(x, i, x, slots, slot_bits)
        if slots[slot] < 0:
            if same_key(x, i, x, i):
                slots[slot] = i
            first_positions[found] = i
            numbers[i] = found
            counts[found] = 1
            found += 1
        else:
            number = numbers[slots[slot]]
            numbers[i] = number
            counts[number] += 1
    return found


def _find_elements(x, keys, slots, positions, slot_bits, first, last):
    """Writes the position in `keys` of each element of x, or -1."""
    for i in range(first, last):
        positions[i] = slots[slot_of_key(x, i, keys, slots, slot_bits)]


def _kernels_of(keys: str, name: str, variables: dict[str, Any], **functions: Any) -> tuple[Any, Any]:
    """Returns the kernels `number_{name}` and `find_{name}`.

    Args:
        keys: the kind of the parameters with keys.
        name: what keys are.
        variables: the dtypes of the type variables of `keys`.
        functions: `key_hash` and `same_key` for such keys.
    """
    find_slot = scalar_function(specialized(slot_of_key, f"slot_of_{name}", slot_of_key.__doc__, **functions))
    functions["slot_of_key"] = find_slot
    fill = scalar_function(specialized(fill_slots, f"fill_slots_of_{name}", fill_slots.__doc__, **functions))
    functions["fill_slots"] = fill
    number, find = [
        specialized(body, f"{verb}_{name}", body.__doc__, **functions)
        for verb, body in (("number", _number_elements), ("find", _find_elements))
    ]
    return (
        kernel(
            f"x: {keys}, slots: inout[int64], first_positions: inout[int64], numbers: inout[I], counts: inout[I], "
            "slot_bits: int, size: int -> int",
            **variables,
            I=NUMBER_DTYPES,
        )(number),
        kernel(
            f"x: {keys}, keys: {keys}, slots: in[int64], positions: out[int64], slot_bits: int, first: int, last: int",
            **{name: dtypes[:2] for name, dtypes in variables.items()},
        )(find),
    )


number_numbers, find_numbers = _kernels_of("in[T]", "numbers", {"T": KEY_DTYPES})
number_texts, find_texts = _kernels_of("int", "texts", {}, key_hash=text_hash, same_key=same_text)
