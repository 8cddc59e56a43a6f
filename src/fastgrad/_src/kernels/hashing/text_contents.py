"""Parsing of strings: numbers in decimal digits, and characters of UTF-8."""

from __future__ import annotations

from numpy import float64, int32, int64

from fastgrad._src.jit.body import scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.hashing.bytes_objects import text_address, text_size
from fastgrad._src.kernels.hashing.text_hashes import load_uint8

MOST_DIGITS = 18  # of an int64
MOST_EXACT_DIGITS = 15  # a float64 has each whole number of so many digits


@scalar_function
def count_digits(address, end, most):
    """Returns how many bytes from an address on are decimal digits, `most` + 1 if there are more."""
    count = 0
    while address + count < end and count <= most and 0 <= int64(load_uint8(address + count)) - 48 <= 9:
        count += 1
    return count


@scalar_function
def append_digits(address, count, number):
    """Returns `number` with the `count` digits at an address behind it."""
    for i in range(count):
        number = number * 10 + int64(load_uint8(address + i)) - 48
    return number


@kernel("texts: int, numbers: out[int64], signed: int, first: int, last: int -> int")
def parse_integers(texts, numbers, signed, first, last):
    """Writes the integers that strings of at most 18 digits say; any other string stops the kernel.

    Negative numbers are such strings if `signed` is not 0.
    """
    for i in range(first, last):
        at, size = text_address(texts, i), text_size(texts, i)
        end = at + size
        negative = signed != 0 and size > 0 and int64(load_uint8(at)) == 45
        at += 1 if negative else 0
        count = count_digits(at, end, MOST_DIGITS)
        if count == 0 or count > MOST_DIGITS or at + count != end:
            return i
        number = append_digits(at, count, 0)
        numbers[i] = -number if negative else number
    return -1


@kernel("texts: int, powers: in[float64], numbers: out[float64], first: int, last: int -> int")
def parse_floats(texts, powers, numbers, first, last):
    """Writes the numbers that strings of at most 15 digits with a point say; any other string stops the kernel.

    `powers` are those of 10. Digits and power are exact, so the quotient is the nearest float64 (Clinger 1990).
    """
    for i in range(first, last):
        at, size = text_address(texts, i), text_size(texts, i)
        end = at + size
        negative = size > 0 and int64(load_uint8(at)) == 45
        at += 1 if negative else 0
        whole = count_digits(at, end, MOST_EXACT_DIGITS)
        number = append_digits(at, whole, 0)
        at += whole
        behind = 0
        if at < end and int64(load_uint8(at)) == 46:
            at += 1
            behind = count_digits(at, end, MOST_EXACT_DIGITS)
            at += behind
        if at != end or whole + behind == 0 or whole + behind > MOST_EXACT_DIGITS:
            return i
        value = float64(append_digits(at - behind, behind, number)) / powers[behind]
        numbers[i] = -value if negative else value
    return -1


@scalar_function
def continuation_bits(address, end):
    """Returns the six bits of a byte that continues a character of UTF-8, or -1."""
    if address >= end:
        return -1
    bits = int64(load_uint8(address))
    return bits & 0x3F if bits & 0xC0 == 0x80 else -1


@kernel("texts: int, codes: out[int32], offsets: out[int64], sizes: out[int64], first: int, last: int -> int")
def decode_utf8(texts, codes, offsets, sizes, first, last):
    """Writes the codes of characters, the position of each in its string, and the number of characters of each string.

    A string that is not UTF-8 stops the kernel.
    """
    place = 0
    for i in range(first, last):
        start, before = text_address(texts, i), place
        end = start + text_size(texts, i)
        at = start
        while at < end:
            head = int64(load_uint8(at))
            code, length = head, 1
            if head >= 0x80:
                a, b, c = continuation_bits(at + 1, end), continuation_bits(at + 2, end), continuation_bits(at + 3, end)
                if head < 0xE0:
                    code, length = ((head & 0x1F) << 6) | a, 2
                    valid = head >= 0xC2 and a >= 0
                elif head < 0xF0:
                    code, length = ((head & 0x0F) << 12) | (a << 6) | b, 3
                    valid = a >= 0 and b >= 0 and code >= 0x800 and (code < 0xD800 or code > 0xDFFF)
                else:
                    code, length = ((head & 0x07) << 18) | (a << 12) | (b << 6) | c, 4
                    valid = head < 0xF8 and a >= 0 and b >= 0 and c >= 0 and code >= 0x10000 and code <= 0x10FFFF
                if not valid:
                    return i
            codes[place] = int32(code)
            offsets[place] = at - start
            place += 1
            at += length
        sizes[i] = place - before
    return -1


@scalar_function
def skip_characters(at, end, count):
    """Returns the address of the `count`-th byte from `at` on that begins a character, counted from 0, or `end`."""
    while at < end and (count > 0 or int64(load_uint8(at)) & 0xC0 == 0x80):
        count -= 1 if int64(load_uint8(at)) & 0xC0 != 0x80 else 0
        at += 1
    return at


@kernel("texts: int, addresses: out[int64], sizes: out[int64], start: int, size: int, first: int, last: int -> int")
def find_character_substrings(texts, addresses, sizes, start, size, first, last):
    """Writes where `size` characters from `start` on of each string lie, as `bytes_objects.find_substrings` does for bytes."""
    for i in range(first, last):
        at = text_address(texts, i)
        end, count = at + text_size(texts, i), 0
        for address in range(at, end):
            count += 1 if int64(load_uint8(address)) & 0xC0 != 0x80 else 0
        begin = start + count if start < 0 else start
        if begin < 0 or begin > count:
            return i
        if size >= 0 and size < count - begin:
            end = skip_characters(at, end, begin + size)
        at = skip_characters(at, end, begin) if begin > 0 else at
        addresses[i] = at
        sizes[i] = end - at
    return -1


@scalar_function
def is_space(address):
    """True if a byte is white space of ASCII."""
    code = int64(load_uint8(address))
    return code == 32 or (code >= 9 and code <= 13)


@kernel("texts: int, addresses: out[int64], sizes: out[int64], counts: out[int64], first: int, last: int")
def find_words(texts, addresses, sizes, counts, first, last):
    """Writes where the words between white space of all strings lie, and how many each string has."""
    place = 0
    for i in range(first, last):
        at, before = text_address(texts, i), place
        end = at + text_size(texts, i)
        while at < end:
            start = at
            while at < end and not is_space(at):
                at += 1
            if at > start:
                addresses[place] = start
                sizes[place] = at - start
                place += 1
            at += 1
        counts[i] = place - before
