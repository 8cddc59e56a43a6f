"""Shared memory of a simulated block, with race detection between barriers.

Each byte has two words: the last writer and the last reader of the element that begins there. A word is the number of the interval
between barriers, times `_INTERVAL_MULTIPLIER`, plus the number of the thread. A kernel's code checks them itself (`WATCH_IR`).
"""

from __future__ import annotations

import ctypes

import numpy as np

from tests.cuda.simulation import fibers

WATCH_SYMBOL = "fastgrad_watch"
"""The symbol of the function that a simulated kernel calls at each access: (address, bytes, whether it is a write)."""

SHARED_MEMORY_BYTES = 48 * 1024
"""The largest static shared memory of a block in bytes."""

_INTERVAL_MULTIPLIER = 2048  # more than the threads of a block
_SEVERAL_READERS = _INTERVAL_MULTIPLIER - 1  # stands for several readers
_shared_memory = np.empty(SHARED_MEMORY_BYTES + 64, np.uint8)
_last_accesses = np.zeros((SHARED_MEMORY_BYTES, 2), np.int64)

SHARED_BEGIN_ADDRESS = (_shared_memory.ctypes.data + 63) // 64 * 64
SHARED_END_ADDRESS = SHARED_BEGIN_ADDRESS + SHARED_MEMORY_BYTES

_INTERVAL, _RACES, _OFFSET, _FIRST_THREAD, _SECOND_THREAD = range(5)
_race_state = (ctypes.c_int64 * 5)()
_STATE_SYMBOL, _LAST_ACCESSES_SYMBOL = "fastgrad_races", "fastgrad_touched"


def begin_block() -> int:
    """Begins a block; returns the start of its memory. All bits are set: NaN in any float type, an invalid index."""
    _shared_memory.fill(255)
    _race_state[_RACES] = 0
    begin_interval()
    return SHARED_BEGIN_ADDRESS


def begin_interval() -> None:
    """Starts a new interval between barriers: all threads have waited for each other."""
    _race_state[_INTERVAL] += 1


def first_race() -> str | None:
    """Returns a description of the block's first race, or None."""
    if not _race_state[_RACES]:
        return None
    number = _race_state[_FIRST_THREAD]
    first_thread = "others" if number == _SEVERAL_READERS else f"thread {number}"
    return (
        f"thread {_race_state[_SECOND_THREAD]} and {first_thread} touch the shared element at byte {_race_state[_OFFSET]} with no barrier between"
        ", and one of them writes"
    )


def addresses_by_symbol() -> dict[str, int]:
    """Returns the addresses of the race detection's memory by the symbols that `WATCH_IR` uses."""
    return {_STATE_SYMBOL: ctypes.addressof(_race_state), _LAST_ACCESSES_SYMBOL: _last_accesses.ctypes.data}


def _state_word_ir(index: int) -> str:
    return f"getelementptr (i64, ptr @{_STATE_SYMBOL}, i64 {index})"


WATCH_IR = f"""
@{fibers.STATE_SYMBOL} = external global i64
@{_STATE_SYMBOL} = external global i64
@{_LAST_ACCESSES_SYMBOL} = external global i64

define void @{WATCH_SYMBOL}(ptr %place, i64 %bytes, i1 %written) alwaysinline {{
  %address = ptrtoint ptr %place to i64
  %offset = sub i64 %address, {SHARED_BEGIN_ADDRESS}
  %shared = icmp ult i64 %offset, {SHARED_MEMORY_BYTES}
  br i1 %shared, label %look, label %done
look:
  %thread = load i64, ptr {fibers.state_word_ir(fibers.THREAD)}
  %time = load i64, ptr {_state_word_ir(_INTERVAL)}
  %now = mul i64 %time, {_INTERVAL_MULTIPLIER}
  %me = add i64 %now, %thread
  %several = add i64 %now, {_SEVERAL_READERS}
  %at = mul i64 %offset, 2
  %writer.at = getelementptr i64, ptr @{_LAST_ACCESSES_SYMBOL}, i64 %at
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
  %races = load i64, ptr {_state_word_ir(_RACES)}
  %none = icmp eq i64 %races, 0
  %first = and i1 %race, %none
  br i1 %first, label %tell, label %note
tell:
  %who = select i1 %after.writing, i64 %writer, i64 %reader
  %other = sub i64 %who, %now
  store i64 1, ptr {_state_word_ir(_RACES)}
  store i64 %offset, ptr {_state_word_ir(_OFFSET)}
  store i64 %other, ptr {_state_word_ir(_FIRST_THREAD)}
  store i64 %thread, ptr {_state_word_ir(_SECOND_THREAD)}
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
