"""Hashes of strings that are TensorFlow's.

They are MurmurHash64A of Austin Appleby, FarmHash's Fingerprint64 of Geoff Pike, and SipHash-2-4 of Jean-Philippe
Aumasson and Daniel Bernstein.
"""

from __future__ import annotations

from numpy import int64, uint8, uint32, uint64

from fastgrad._src.jit.body import local_array, pointer, scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.hashing.bytes_objects import text_address, text_size

MURMUR, FARM, SIP = range(3)
"""The hash functions of `text_hashes`."""


@scalar_function
def load_uint64(address):
    """Returns the eight bytes at an address."""
    return pointer(uint64, address)[0]


@scalar_function
def load_uint32(address):
    """Returns the four bytes at an address."""
    return uint64(pointer(uint32, address)[0])


@scalar_function
def load_uint8(address):
    """Returns the byte at an address."""
    return uint64(pointer(uint8, address)[0])


@scalar_function
def load_last_bytes(address, size):
    """Returns the last size % 8 of the `size` bytes at an address, as the low bytes of a word."""
    state = uint64(0)
    for i in range(size - size % 8, size):
        state |= load_uint8(address + i) << uint64(8 * (i % 8))
    return state


@scalar_function
def rotate_right(x, count):
    """Rotates the bits of x by 1 to 63 places."""
    return (x >> uint64(count)) | (x << uint64(64 - count))


@scalar_function
def shift_mix(x):
    """Mixes the high bits of x into the low ones."""
    return x ^ (x >> uint64(47))


# ---- MurmurHash64A ---------------------------------------------------------------------------------------------------


@scalar_function
def murmur_hash(address, size):
    """Returns the MurmurHash64A of `size` bytes, with the seed 0xDECAFCAFFE."""
    factor = uint64(0xC6A4A7935BD1E995)
    state = uint64(0xDECAFCAFFE) ^ (uint64(size) * factor)
    for at in range(0, size - size % 8, 8):
        state = (state ^ (shift_mix(load_uint64(address + at) * factor) * factor)) * factor
    if size % 8 != 0:
        state = (state ^ load_last_bytes(address, size)) * factor
    return shift_mix(shift_mix(state) * factor)


# ---- FarmHash --------------------------------------------------------------------------------------------------------

K0, K1, K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


@scalar_function
def hash_of_two(u, v, factor):
    """Returns the hash of two words."""
    a = shift_mix((u ^ v) * factor)
    return shift_mix((v ^ a) * factor) * factor


@scalar_function
def hash_to_16(text, size):
    """Returns the fingerprint of up to 16 bytes."""
    k2, count = uint64(K2), uint64(size)
    factor = k2 + count * uint64(2)
    if size >= 8:
        a, b = load_uint64(text) + k2, load_uint64(text + size - 8)
        c, d = rotate_right(b, 37) * factor + a, (rotate_right(a, 25) + b) * factor
        return hash_of_two(c, d, factor)
    if size >= 4:
        return hash_of_two(count + (load_uint32(text) << uint64(3)), load_uint32(text + size - 4), factor)
    if size > 0:
        y = load_uint8(text) + (load_uint8(text + size // 2) << uint64(8))
        z = count + (load_uint8(text + size - 1) << uint64(2))
        return shift_mix((y * k2) ^ (z * uint64(K0))) * k2
    return k2


@scalar_function
def hash_to_32(text, size):
    """Returns the fingerprint of 17 to 32 bytes."""
    k2 = uint64(K2)
    factor = k2 + uint64(size) * uint64(2)
    a, b = load_uint64(text) * uint64(K1), load_uint64(text + 8)
    c, d = load_uint64(text + size - 8) * factor, load_uint64(text + size - 16) * k2
    return hash_of_two(rotate_right(a + b, 43) + rotate_right(c, 30) + d, a + rotate_right(b + k2, 18) + c, factor)


@scalar_function
def hash_to_64(text, size):
    """Returns the fingerprint of 33 to 64 bytes."""
    k2 = uint64(K2)
    factor = k2 + uint64(size) * uint64(2)
    a, b = load_uint64(text) * k2, load_uint64(text + 8)
    c, d = load_uint64(text + size - 8) * factor, load_uint64(text + size - 16) * k2
    y = rotate_right(a + b, 43) + rotate_right(c, 30) + d
    z = hash_of_two(y, a + rotate_right(b + k2, 18) + c, factor)
    e, f = load_uint64(text + 16) * factor, load_uint64(text + 24)
    g, h = (y + load_uint64(text + size - 32)) * factor, (z + load_uint64(text + size - 24)) * factor
    return hash_of_two(rotate_right(e + f, 43) + rotate_right(g, 30) + h, e + rotate_right(f + a, 18) + g, factor)


@scalar_function
def weak_hash_low(at, a):
    """Returns the first of two words that depend on the 32 bytes at an address, and on a."""
    return a + load_uint64(at) + load_uint64(at + 8) + load_uint64(at + 16) + load_uint64(at + 24)


@scalar_function
def weak_hash_high(at, a, b):
    """Returns the second of two words that depend on the 32 bytes at an address, and on a and b."""
    c = a + load_uint64(at)
    return (
        rotate_right(b + c + load_uint64(at + 24), 21)
        + rotate_right(c + load_uint64(at + 8) + load_uint64(at + 16), 44)
        + c
    )


@scalar_function
def long_hash(text, size):
    """Returns the fingerprint of more than 64 bytes."""
    k0, k1, k2, seed = uint64(K0), uint64(K1), uint64(K2), uint64(81)
    y = seed * k1 + uint64(113)
    z = shift_mix(y * k2 + uint64(113)) * k2
    v, v_high, w, w_high = uint64(0), uint64(0), uint64(0), uint64(0)
    x = seed * k2 + load_uint64(text)
    for at in range(text, text + (size - 1) // 64 * 64, 64):
        x = (rotate_right(x + y + v + load_uint64(at + 8), 37) * k1) ^ w_high
        y = rotate_right(y + v_high + load_uint64(at + 48), 42) * k1 + v + load_uint64(at + 40)
        z = rotate_right(z + w, 33) * k1
        a, b = v_high * k1, x + w
        v, v_high = weak_hash_low(at, a), weak_hash_high(at, a, b)
        a, b = z + w_high, y + load_uint64(at + 16)
        w, w_high = weak_hash_low(at + 32, a), weak_hash_high(at + 32, a, b)
        z, x = x, z
    factor = k1 + ((z & uint64(0xFF)) << uint64(1))
    at = text + size - 64
    w += uint64((size - 1) % 64)
    v += w
    w += v
    x = (rotate_right(x + y + v + load_uint64(at + 8), 37) * factor) ^ (w_high * uint64(9))
    y = rotate_right(y + v_high + load_uint64(at + 48), 42) * factor + v * uint64(9) + load_uint64(at + 40)
    z = rotate_right(z + w, 33) * factor
    a, b = v_high * factor, x + w
    v, v_high = weak_hash_low(at, a), weak_hash_high(at, a, b)
    a, b = z + w_high, y + load_uint64(at + 16)
    w, w_high = weak_hash_low(at + 32, a), weak_hash_high(at + 32, a, b)
    return hash_of_two(
        hash_of_two(v, w, factor) + shift_mix(y) * k0 + x, hash_of_two(v_high, w_high, factor) + z, factor
    )


@scalar_function
def farm_hash(text, size):
    """Returns FarmHash's Fingerprint64 of `size` bytes."""
    if size <= 16:
        return hash_to_16(text, size)
    if size <= 32:
        return hash_to_32(text, size)
    return hash_to_64(text, size) if size <= 64 else long_hash(text, size)


# ---- SipHash ---------------------------------------------------------------------------------------------------------


@scalar_function
def sip_rounds(state, count):
    """Mixes the four words of a state `count` times."""
    a, b, c, d = state[0], state[1], state[2], state[3]
    for _ in range(count):
        a, c = a + b, c + d
        b, d = rotate_right(b, 51) ^ a, rotate_right(d, 48) ^ c
        a = rotate_right(a, 32)
        c, a = c + b, a + d
        b, d = rotate_right(b, 47) ^ c, rotate_right(d, 43) ^ a
        c = rotate_right(c, 32)
    state[0], state[1], state[2], state[3] = a, b, c, d


@scalar_function
def sip_hash(text, size, key_low, key_high, state):
    """Returns the SipHash-2-4 of `size` bytes with a key of two words; `state` is scratch memory of four words."""
    state[0] = uint64(key_low) ^ uint64(0x736F6D6570736575)
    state[1] = uint64(key_high) ^ uint64(0x646F72616E646F6D)
    state[2] = uint64(key_low) ^ uint64(0x6C7967656E657261)
    state[3] = uint64(key_high) ^ uint64(0x7465646279746573)
    for at in range(0, size - size % 8 + 8, 8):
        mixed = load_uint64(text + at) if at + 8 <= size else load_last_bytes(text, size) | (uint64(size) << uint64(56))
        state[3] ^= mixed
        sip_rounds(state, 2)
        state[0] ^= mixed
    state[2] ^= uint64(0xFF)
    sip_rounds(state, 4)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


@kernel("texts: int, out: out[int64], function: int, key_low: int, key_high: int, buckets: int, first: int, last: int")
def text_hashes(texts, out, function, key_low, key_high, buckets, first, last):
    """Writes the hash of each string, modulo `buckets` if that is not 0. Only SipHash has a key."""
    state = local_array(uint64, 4)
    for i in range(first, last):
        text, size = text_address(texts, i), text_size(texts, i)
        if function == FARM:
            mixed = farm_hash(text, size)
        elif function == MURMUR:
            mixed = murmur_hash(text, size)
        else:
            mixed = sip_hash(text, size, key_low, key_high, state)
        out[i] = int64(mixed % uint64(buckets) if buckets != 0 else mixed)
