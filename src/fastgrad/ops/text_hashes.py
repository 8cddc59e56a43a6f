"""Hashes of bytes that are TensorFlow's: of strings, and of crossed features.

They are MurmurHash64A of Austin Appleby, FarmHash's Fingerprint64 of Geoff Pike, and SipHash-2-4 of Jean-Philippe Aumasson and Daniel Bernstein.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

_MASK = (1 << 64) - 1


def _word(text: bytes, position: int, size: int = 8) -> int:
    return int.from_bytes(text[position : position + size], "little")


def _rotate_right(x: int, count: int) -> int:
    return ((x >> count) | (x << (64 - count))) & _MASK


def _rotate_left(x: int, count: int) -> int:
    return _rotate_right(x, 64 - count)


# ---- MurmurHash64A -----------------------------------------------------------------------------------------------


def hash64(text: bytes) -> int:
    """Returns the hash of ``tf.strings.to_hash_bucket``: MurmurHash64A with the seed 0xDECAFCAFFE."""
    factor = 0xC6A4A7935BD1E995
    state = 0xDECAFCAFFE ^ (len(text) * factor & _MASK)
    whole = len(text) & ~7
    for (word,) in struct.iter_unpack("<Q", text[:whole]):
        mixed = word * factor & _MASK
        mixed = (mixed ^ (mixed >> 47)) * factor & _MASK
        state = (state ^ mixed) * factor & _MASK
    if whole < len(text):
        state = (state ^ _word(text, whole)) * factor & _MASK
    state = (state ^ (state >> 47)) * factor & _MASK
    return state ^ (state >> 47)


# ---- FarmHash ------------------------------------------------------------------------------------------------------

_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def _shift_mix(x: int) -> int:
    return x ^ (x >> 47)


def _hash_of_two(u: int, v: int, factor: int) -> int:
    a = _shift_mix((u ^ v) * factor & _MASK)
    return _shift_mix((v ^ a) * factor & _MASK) * factor & _MASK


def _hash_to_16(text: bytes) -> int:
    count = len(text)
    factor = _K2 + count * 2
    if count >= 8:
        a, b = (_word(text, 0) + _K2) & _MASK, _word(text, count - 8)
        c = (_rotate_right(b, 37) * factor + a) & _MASK
        d = ((_rotate_right(a, 25) + b) * factor) & _MASK
        return _hash_of_two(c, d, factor)
    if count >= 4:
        return _hash_of_two(count + (_word(text, 0, 4) << 3), _word(text, count - 4, 4), factor)
    if count:
        y, z = text[0] + (text[count >> 1] << 8), count + (text[-1] << 2)
        return _shift_mix((y * _K2 ^ z * _K0) & _MASK) * _K2 & _MASK
    return _K2


def _hash_to_32(text: bytes) -> int:
    count = len(text)
    factor = _K2 + count * 2
    a, b = _word(text, 0) * _K1 & _MASK, _word(text, 8)
    c, d = _word(text, count - 8) * factor & _MASK, _word(text, count - 16) * _K2 & _MASK
    return _hash_of_two(
        (_rotate_right((a + b) & _MASK, 43) + _rotate_right(c, 30) + d) & _MASK,
        (a + _rotate_right((b + _K2) & _MASK, 18) + c) & _MASK,
        factor,
    )


def _hash_to_64(text: bytes) -> int:
    count = len(text)
    factor = _K2 + count * 2
    a, b = _word(text, 0) * _K2 & _MASK, _word(text, 8)
    c, d = _word(text, count - 8) * factor & _MASK, _word(text, count - 16) * _K2 & _MASK
    y = (_rotate_right((a + b) & _MASK, 43) + _rotate_right(c, 30) + d) & _MASK
    z = _hash_of_two(y, (a + _rotate_right((b + _K2) & _MASK, 18) + c) & _MASK, factor)
    e, f = _word(text, 16) * factor & _MASK, _word(text, 24)
    g, h = (y + _word(text, count - 32)) * factor & _MASK, (z + _word(text, count - 24)) * factor & _MASK
    return _hash_of_two(
        (_rotate_right((e + f) & _MASK, 43) + _rotate_right(g, 30) + h) & _MASK,
        (e + _rotate_right((f + a) & _MASK, 18) + g) & _MASK,
        factor,
    )


def _weak_hash(text: bytes, position: int, a: int, b: int) -> tuple[int, int]:
    """Returns two words that depend on the 32 bytes at ``position``."""
    w, x, y, z = struct.unpack_from("<4Q", text, position)
    a = (a + w) & _MASK
    b = _rotate_right((b + a + z) & _MASK, 21)
    c = a
    a = (a + x + y) & _MASK
    b = (b + _rotate_right(a, 44)) & _MASK
    return (a + z) & _MASK, (b + c) & _MASK


def fingerprint64(text: bytes) -> int:
    """Returns the hash of ``tf.strings.to_hash_bucket_fast``: FarmHash's Fingerprint64."""
    count = len(text)
    if count <= 16:
        return _hash_to_16(text)
    if count <= 32:
        return _hash_to_32(text)
    if count <= 64:
        return _hash_to_64(text)
    seed = 81
    x, y = seed, (seed * _K1 + 113) & _MASK
    z = _shift_mix((y * _K2 + 113) & _MASK) * _K2 & _MASK
    v, w = (0, 0), (0, 0)
    x = (x * _K2 + _word(text, 0)) & _MASK
    last = (count - 1) // 64 * 64
    for position in range(0, last, 64):
        x = _rotate_right((x + y + v[0] + _word(text, position + 8)) & _MASK, 37) * _K1 & _MASK
        y = _rotate_right((y + v[1] + _word(text, position + 48)) & _MASK, 42) * _K1 & _MASK
        x ^= w[1]
        y = (y + v[0] + _word(text, position + 40)) & _MASK
        z = _rotate_right((z + w[0]) & _MASK, 33) * _K1 & _MASK
        v = _weak_hash(text, position, v[1] * _K1 & _MASK, (x + w[0]) & _MASK)
        w = _weak_hash(text, position + 32, (z + w[1]) & _MASK, (y + _word(text, position + 16)) & _MASK)
        z, x = x, z
    factor = (_K1 + ((z & 0xFF) << 1)) & _MASK
    position = count - 64
    w = ((w[0] + ((count - 1) & 63)) & _MASK, w[1])
    v = ((v[0] + w[0]) & _MASK, v[1])
    w = ((w[0] + v[0]) & _MASK, w[1])
    x = _rotate_right((x + y + v[0] + _word(text, position + 8)) & _MASK, 37) * factor & _MASK
    y = _rotate_right((y + v[1] + _word(text, position + 48)) & _MASK, 42) * factor & _MASK
    x ^= w[1] * 9 & _MASK
    y = (y + v[0] * 9 + _word(text, position + 40)) & _MASK
    z = _rotate_right((z + w[0]) & _MASK, 33) * factor & _MASK
    v = _weak_hash(text, position, v[1] * factor & _MASK, (x + w[0]) & _MASK)
    w = _weak_hash(text, position + 32, (z + w[1]) & _MASK, (y + _word(text, position + 16)) & _MASK)
    z, x = x, z
    return _hash_of_two(
        (_hash_of_two(v[0], w[0], factor) + _shift_mix(y) * _K0 + z) & _MASK,
        (_hash_of_two(v[1], w[1], factor) + x) & _MASK,
        factor,
    )


# ---- SipHash -------------------------------------------------------------------------------------------------------


def _sip_rounds(state: Sequence[int], count: int) -> tuple[int, int, int, int]:
    a, b, c, d = state
    for _ in range(count):
        a, c = (a + b) & _MASK, (c + d) & _MASK
        b, d = _rotate_left(b, 13) ^ a, _rotate_left(d, 16) ^ c
        a = _rotate_left(a, 32)
        c, a = (c + b) & _MASK, (a + d) & _MASK
        b, d = _rotate_left(b, 17) ^ c, _rotate_left(d, 21) ^ a
        c = _rotate_left(c, 32)
    return a, b, c, d


def siphash(text: bytes, key: Sequence[int]) -> int:
    """Returns the hash of ``tf.strings.to_hash_bucket_strong``: SipHash-2-4 with a key of two words."""
    first, second = [word & _MASK for word in key]
    state = (
        first ^ 0x736F6D6570736575,
        second ^ 0x646F72616E646F6D,
        first ^ 0x6C7967656E657261,
        second ^ 0x7465646279746573,
    )
    padded = text + bytes(7 - len(text) % 8) + bytes([len(text) & 0xFF])
    for (word,) in struct.iter_unpack("<Q", padded):
        a, b, c, d = _sip_rounds((*state[:3], state[3] ^ word), 2)
        state = (a ^ word, b, c, d)
    a, b, c, d = _sip_rounds((state[0], state[1], state[2] ^ 0xFF, state[3]), 4)
    return a ^ b ^ c ^ d
