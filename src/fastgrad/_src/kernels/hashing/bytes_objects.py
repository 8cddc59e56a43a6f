"""Arrays of Python's bytes objects, as kernels read and make them: by the address of the array's first element.

An element is the address of a bytes object. Callers check with `first_object_of_other_class` that all are, and hold the GIL and
the array meanwhile.
"""

from __future__ import annotations

from numpy import int32, int64, uint8

from fastgrad._src.jit.body import call_python, pointer, scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.jit.wrapper import SIZE_AT, TYPE_AT

TEXT_AT = bytes.__basicsize__ - 1  # an object of no bytes has a 0 at the end


@scalar_function
def text_address(texts, i):
    """Returns the address of the first byte of string i."""
    return pointer(int64, texts)[i] + TEXT_AT


@scalar_function
def text_size(texts, i):
    """Returns the number of bytes of string i."""
    return pointer(int64, pointer(int64, texts)[i] + SIZE_AT)[0]


@kernel("objects: int, bytes_class: int, count: int -> int")
def first_object_of_other_class(objects, bytes_class, count):
    """Returns the first of `count` objects whose class is another than the one at the address `bytes_class`, or -1."""
    for i in range(count):
        item = pointer(int64, objects)[i]
        if item == 0 or pointer(int64, item + TYPE_AT)[0] != bytes_class:
            return i
    return -1


@kernel("texts: int, out: out[int32], first: int, last: int")
def byte_counts(texts, out, first, last):
    """Writes the number of bytes of each string."""
    for i in range(first, last):
        out[i] = int32(text_size(texts, i))


@kernel("texts: int, out: out[int32], first: int, last: int")
def character_counts(texts, out, first, last):
    """Writes the number of bytes of each string that begin a character of UTF-8."""
    for i in range(first, last):
        start, found = text_address(texts, i), 0
        for at in range(text_size(texts, i)):
            found += 1 if int64(pointer(uint8, start)[at]) & 0xC0 != 0x80 else 0
        out[i] = int32(found)


@kernel(
    "addresses: in[int64], sizes: in[int64], objects: int, bytes_from_memory: int, release: int, "
    "clear_error: int, first: int, last: int -> int"
)
def make_bytes_objects(addresses, sizes, objects, bytes_from_memory, release, clear_error, first, last):
    """Replaces objects of an array by bytes objects with copies of memory; returns the first that fails, or -1.

    `bytes_from_memory`, `release` and `clear_error` are the addresses of PyBytes_FromStringAndSize, Py_DecRef and
    PyErr_Clear.
    """
    items = pointer(int64, objects)
    for i in range(first, last):
        item = call_python(bytes_from_memory, addresses[i], sizes[i])
        if item == 0:
            call_python(clear_error)
            return i
        before = items[i]
        items[i] = item
        call_python(release, before)
    return -1


@kernel("texts: int, addresses: out[int64], sizes: out[int64], start: int, size: int, first: int, last: int -> int")
def find_substrings(texts, addresses, sizes, start, size, first, last):
    """Writes where `size` bytes, to the end if negative, from `start` on of each string lie; a negative `start` counts from the end.

    A start outside of its string stops the kernel.
    """
    for i in range(first, last):
        count = text_size(texts, i)
        begin = start + count if start < 0 else start
        if begin < 0 or begin > count:
            return i
        rest = count - begin
        addresses[i] = text_address(texts, i) + begin
        sizes[i] = rest if size < 0 or size > rest else size
    return -1
