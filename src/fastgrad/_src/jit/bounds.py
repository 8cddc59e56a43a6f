"""Checked builds: `FASTGRAD_CHECK_BOUNDS=1` compares each access of a kernel's body with the size of its memory.

A pointer of a checked body is an address with a number of elements and a name (`checked_pointers`). The native function
reads them from the array object; a step reads them from words after the words of its parameters (`wrapper.step_ir`).
The first access out of bounds is not executed: it is recorded here and the kernel ends. The call from Python then raises
`OutOfBoundsError`. Object code of checked builds has its own keys in the disk cache. A compiler for another machine
chooses with `bounds_checks` whether its bodies are checked.

Memory is not checked if a body gets its address as a number (`pointer(int64, address)`): Python's objects, the frames
of programs, and the addresses that loops compute.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
from collections.abc import Iterator
from contextvars import ContextVar
from typing import NoReturn

RECORD_SYMBOL = "fastgrad_bounds_record"
REPORT_SYMBOL = "fastgrad_bounds_report"
RECORDER_SYMBOL = "fastgrad_out_of_bounds"

CHECKED_BUILD_SYMBOLS = frozenset([RECORD_SYMBOL, REPORT_SYMBOL])
"""The additional names that object code of checked builds needs."""

OUT_OF_BOUNDS_CODE = 1 << 30
"""The answer of a step that an access outside has ended; it stops a program."""

NO_BOUND = -1
"""The number of elements of memory that is not checked."""

EVENT_WORD, NAME_WORD, INDEX_WORD, SIZE_WORD, KERNEL_WORD = range(5)
"""Words of the record: the event; the address of the name of the accessed memory; the index and the number of elements,
or the address of the name of the other array; the address of the kernel's name."""

ACCESS_OUTSIDE, OVERLAP = 1, 2
"""The possible events in the first word of the record."""

_first_error_record = (ctypes.c_int64 * 5)()


class OutOfBoundsError(RuntimeError):
    """A kernel accessed an element that does not exist: a mistake in the kernel, or in the sizes that it was given."""


class OverlapError(RuntimeError):
    """A kernel that was compiled for distinct arrays was given overlapping arrays, one of which it writes."""


_checks_in_context: ContextVar[bool | None] = ContextVar("chosen", default=None)


def checks_bounds() -> bool:
    """True if kernels built now are checked: as `bounds_checks` chose, else if `FASTGRAD_CHECK_BOUNDS` is 1."""
    chosen = _checks_in_context.get()
    return _checks_by_environment() if chosen is None else chosen


@contextlib.contextmanager
def bounds_checks(on: bool) -> Iterator[None]:
    """Switches bounds checks on or off for the kernels that are compiled in this context."""
    token = _checks_in_context.set(on)
    try:
        yield
    finally:
        _checks_in_context.reset(token)


@functools.cache
def _checks_by_environment() -> bool:
    chosen = os.environ.get("FASTGRAD_CHECK_BOUNDS", "")
    if chosen not in ("", "0", "1"):
        raise ValueError(f"FASTGRAD_CHECK_BOUNDS is {chosen!r}; it may be 0 or 1")
    return chosen == "1"


def has_error() -> bool:
    """True if a checked kernel has recorded an access outside of an array, or overlapping arrays."""
    return _first_error_record[EVENT_WORD] != 0


def raise_error() -> NoReturn:
    """Raises the error that a checked kernel has recorded, and clears the record.

    Raises:
        OutOfBoundsError: a kernel accessed an element that does not exist.
        OverlapError: a kernel was given arrays that overlap.
    """
    what, name, index, size, kernel = _first_error_record
    _first_error_record[:] = [0] * len(_first_error_record)
    addresses = (kernel, name, index) if what == OVERLAP else (kernel, name)
    texts = [ctypes.string_at(at).decode() if at else "?" for at in addresses]
    if what == OVERLAP:
        raise OverlapError(f"kernel {texts[0]}: {texts[1]} and {texts[2]} overlap; it was compiled for distinct arrays")
    raise OutOfBoundsError(f"kernel {texts[0]}: {texts[1]}[{index}] is outside of its {size} elements")


def symbol_addresses() -> dict[str, int]:
    """Returns the addresses of what object code of checked builds refers to, by symbol: `CHECKED_BUILD_SYMBOLS`."""
    return {RECORD_SYMBOL: ctypes.addressof(_first_error_record), REPORT_SYMBOL: id(raise_error)}


def recorder_ir() -> str:
    """Returns the LLVM IR of the function that records the first access outside, and of what the function needs."""
    words = {
        name: f"getelementptr (i64, ptr @{RECORD_SYMBOL}, i64 {place})" for name, place in _RECORD_WORD_NUMBERS.items()
    }
    return f"""
@{RECORD_SYMBOL} = external global i64
@{REPORT_SYMBOL} = external global i8

define void @{RECORDER_SYMBOL}(ptr %name, i64 %index, i64 %size) noinline cold {{
  %flag = load i64, ptr @{RECORD_SYMBOL}
  %first = icmp eq i64 %flag, 0
  br i1 %first, label %write, label %done
write:
  %address = ptrtoint ptr %name to i64
  store i64 {ACCESS_OUTSIDE}, ptr @{RECORD_SYMBOL}
  store i64 %address, ptr {words["name"]}
  store i64 %index, ptr {words["index"]}
  store i64 %size, ptr {words["size"]}
  store i64 0, ptr {words["kernel"]}
  br label %done
done:
  ret void
}}

define internal void @.compare(ptr %a, i64 %a_size, i64 %a_width, ptr %a_name, ptr %b, i64 %b_size, i64 %b_width, ptr %b_name) noinline {{
  %a_bytes = mul i64 %a_size, %a_width
  %b_bytes = mul i64 %b_size, %b_width
  %a_end = getelementptr i8, ptr %a, i64 %a_bytes
  %b_end = getelementptr i8, ptr %b, i64 %b_bytes
  %before = icmp ult ptr %a, %b_end
  %after = icmp ult ptr %b, %a_end
  %overlap = and i1 %before, %after
  %flag = load i64, ptr @{RECORD_SYMBOL}
  %first = icmp eq i64 %flag, 0
  %new = and i1 %overlap, %first
  br i1 %new, label %write, label %done
write:
  %a_address = ptrtoint ptr %a_name to i64
  %b_address = ptrtoint ptr %b_name to i64
  %kernel = ptrtoint ptr @.kernel_name to i64
  store i64 {OVERLAP}, ptr @{RECORD_SYMBOL}
  store i64 %a_address, ptr {words["name"]}
  store i64 %b_address, ptr {words["index"]}
  store i64 %kernel, ptr {words["kernel"]}
  br label %done
done:
  ret void
}}

define internal void @.blame(ptr %kernel) noinline cold {{
  %blamed = load i64, ptr {words["kernel"]}
  %first = icmp eq i64 %blamed, 0
  br i1 %first, label %write, label %done
write:
  %address = ptrtoint ptr %kernel to i64
  store i64 %address, ptr {words["kernel"]}
  br label %done
done:
  ret void
}}
"""


_RECORD_WORD_NUMBERS = {"name": NAME_WORD, "index": INDEX_WORD, "size": SIZE_WORD, "kernel": KERNEL_WORD}


def string_constant_ir(symbol: str, text: str) -> str:
    """Returns LLVM IR that defines a private constant, a zero-terminated string."""
    return f'@{symbol} = private constant [{len(text) + 1} x i8] c"{text}\\00"'
