"""Shared memory of a simulated block, and who has touched which element of it since the last barrier.

Beside each byte stand two words: who has written the element that begins there, and who has read it, each as number of
the time between barriers, times `_THREADS`, plus number of the thread. A kernel's code looks at them itself (`WATCHING`).
"""

from __future__ import annotations

import ctypes

import numpy as np

from fastgrad.cuda.simulation import fibers

WATCH = "fastgrad_watch"
"""The function that a simulated kernel calls at each access of an element: (its address, its bytes, whether it is written)."""

SHARED = 48 * 1024
"""How many bytes of shared memory a block may have that says how much it needs when it is compiled."""

_THREADS = 2048  # more than a block has
_SEVERAL = _THREADS - 1  # readers
_memory = np.empty(SHARED + 64, np.uint8)
_touched = np.zeros((SHARED, 2), np.int64)

BEGIN = (_memory.ctypes.data + 63) // 64 * 64
END = BEGIN + SHARED

_TIME, _RACES, _PLACE, _FIRST, _SECOND = range(5)
_state = (ctypes.c_int64 * 5)()
_STATE, _TOUCHED = "fastgrad_races", "fastgrad_touched"


def clear() -> int:
    """Begins a block; gives where its memory begins. All bits set are a NaN of any size, and no index that is right."""
    _memory.fill(255)
    _state[_RACES] = 0
    barrier()
    return BEGIN


def barrier() -> None:
    """All threads have waited for each other."""
    _state[_TIME] += 1


def found() -> str | None:
    """The first race of the block, if there is one."""
    if not _state[_RACES]:
        return None
    first = "others" if _state[_FIRST] == _SEVERAL else f"thread {_state[_FIRST]}"
    return (
        f"thread {_state[_SECOND]} and {first} touch the shared element at byte {_state[_PLACE]} with no barrier between"
        ", and one of them writes"
    )


def addresses() -> dict[str, int]:
    """The addresses of what `WATCHING` uses."""
    return {_STATE: ctypes.addressof(_state), _TOUCHED: _touched.ctypes.data}


def _word(place: int) -> str:
    return f"getelementptr (i64, ptr @{_STATE}, i64 {place})"


WATCHING = f"""
@{fibers.STATE} = external global i64
@{_STATE} = external global i64
@{_TOUCHED} = external global i64

define void @{WATCH}(ptr %place, i64 %bytes, i1 %written) alwaysinline {{
  %address = ptrtoint ptr %place to i64
  %offset = sub i64 %address, {BEGIN}
  %shared = icmp ult i64 %offset, {SHARED}
  br i1 %shared, label %look, label %done
look:
  %thread = load i64, ptr {fibers.word(fibers.THREAD)}
  %time = load i64, ptr {_word(_TIME)}
  %now = mul i64 %time, {_THREADS}
  %me = add i64 %now, %thread
  %several = add i64 %now, {_SEVERAL}
  %at = mul i64 %offset, 2
  %writer.at = getelementptr i64, ptr @{_TOUCHED}, i64 %at
  %reader.at = getelementptr i64, ptr %writer.at, i64 1
  %writer = load i64, ptr %writer.at
  %reader = load i64, ptr %reader.at
  %writer.now = icmp uge i64 %writer, %now
  %reader.now = icmp uge i64 %reader, %now
  %writer.other = icmp ne i64 %writer, %me
  %reader.other = icmp ne i64 %reader, %me
  %after.writing = and i1 %writer.now, %writer.other
  %other.read = and i1 %reader.now, %reader.other
  %after.reading = and i1 %other.read, %written
  %race = or i1 %after.writing, %after.reading
  %races = load i64, ptr {_word(_RACES)}
  %none = icmp eq i64 %races, 0
  %first = and i1 %race, %none
  br i1 %first, label %tell, label %note
tell:
  %who = select i1 %after.writing, i64 %writer, i64 %reader
  %other = sub i64 %who, %now
  store i64 1, ptr {_word(_RACES)}
  store i64 %offset, ptr {_word(_PLACE)}
  store i64 %other, ptr {_word(_FIRST)}
  store i64 %thread, ptr {_word(_SECOND)}
  br label %note
note:
  %readers = select i1 %other.read, i64 %several, i64 %me
  %noted.at = select i1 %written, ptr %writer.at, ptr %reader.at
  %noted = select i1 %written, i64 %me, i64 %readers
  store i64 %noted, ptr %noted.at
  br label %done
done:
  ret void
}}
"""
