"""Steps that start collectives of MPI, and steps that wait for them; meanwhile a progress thread drives the transfers.

A transfer is one collective. A step starts it without waiting (`MPI_Iallreduce` and its like), and gets a ticket. A
later step waits for the ticket. MPI moves data only while it is called. So the progress thread tests the transfers in
flight from time to time, and a waiting step tests them itself. A lock lets one of them test at a time.

The words of the engine are shared by the steps and the progress thread:

- `LOCK`: how many threads hold the lock or try to take it;
- `STARTED`: the number of transfers that have been started; a ticket is this number when a transfer starts, from 1;
- `OLDEST`: the ticket of the oldest transfer that may be in flight;
- `FAILED`: not 0 if the job has failed, so that no step waits any more;
- `QUIT`: whether the progress thread must end;
- `PARKED`: whether the progress thread waits for its semaphore;
- `WAITING_FOR`: the ticket that a step waits for, 0 if none does;
- `PAUSE_TICKS`: the ticks of the processor's clock after which a waiting step returns to Python;
- `FLAG`, `STATUS`: what MPI's test writes;
- `LATENCY_TICKS`, `MEGABYTE_TICKS`, `LINK_FREE_AT`: of the simulated network, see `simulated_network`;
- from `FUNCTIONS` on: the addresses of functions of MPI and of the C library;
- from `SLOTS_AT` on: the transfers, each at its ticket modulo `SLOTS`: its state, its request, its signature, and the
  ticks of the clock before which it does not count as done.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import os
import threading
import time
from collections.abc import Mapping

import numpy as np
from numpy import int64

from fastgrad._src.jit.body import (
    address_of,
    atomic_add,
    atomic_load,
    atomic_store,
    call_integers,
    cycle_counter,
    scalar_function,
    spin_loop_hint,
    yield_processor,
)
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.collectives.world import function_address, handle_of, world
from fastgrad._src.kernels.runtime.driver import PAUSED, clock_ticks

LOCK, STARTED, OLDEST, FAILED, QUIT, PARKED, WAITING_FOR, PAUSE_TICKS, COMMUNICATOR = range(0, 72, 8)
FLAG, STATUS = 72, 80
FUNCTIONS = 96
TEST, ALL_REDUCE, REDUCE_SCATTER, ALL_GATHER, BROADCAST, ALL_TO_ALL = range(FUNCTIONS, FUNCTIONS + 6)
POST_SEMAPHORE, WAIT_SEMAPHORE, SLEEP, SEMAPHORE = range(FUNCTIONS + 6, FUNCTIONS + 10)
IN_PLACE, NO_DATATYPE = FUNCTIONS + 10, FUNCTIONS + 11
TYPE_SIZE, LATENCY_TICKS, MEGABYTE_TICKS, LINK_FREE_AT = range(FUNCTIONS + 12, FUNCTIONS + 16)
SLOTS_AT, SLOT_WORDS, SLOTS = 128, 8, 256
STATE, REQUEST, SIGNATURE, DUE = range(4)
"""The words of a transfer."""

FREE, IN_FLIGHT, DONE, BROKEN = range(4)
"""The states of a slot."""

_FUNCTION_NAMES = {
    TEST: "MPI_Test",
    ALL_REDUCE: "MPI_Iallreduce",
    REDUCE_SCATTER: "MPI_Ireduce_scatter_block",
    ALL_GATHER: "MPI_Iallgather",
    BROADCAST: "MPI_Ibcast",
    ALL_TO_ALL: "MPI_Ialltoall",
    TYPE_SIZE: "MPI_Type_size",
}

TRANSFER_FAILED, WORDS_DIFFER = 0, 1
"""Statuses of steps that stop the program: MPI or another process failed; the processes reduce different things."""

SLEEP_MICROSECONDS, MOST_SLEEP_MICROSECONDS = 50, 800
"""Microseconds between two tests of the progress thread, after the start of a transfer and at most: the time doubles, as
each test takes the processor from the computation for some microseconds."""

PAUSE_SECONDS = 0.01
"""Seconds after which a waiting step returns to Python, which handles signals."""

FINISH_SECONDS = 1.0
"""Seconds that the transfers of an abandoned program may still take."""

POLLS_BEFORE_YIELD = 8


@scalar_function
def try_lock(engine):
    """Takes the lock and returns True, or returns False if another thread has it."""
    if atomic_add(engine, LOCK, 1) == 0:
        return True
    atomic_add(engine, LOCK, -1)
    return False


@scalar_function
def test_transfers(engine):
    """Tests all transfers in flight; the caller has the lock."""
    base = address_of(engine)
    started = atomic_load(engine, STARTED)
    oldest = engine[OLDEST]
    ticket = oldest
    while ticket <= started:
        slot = SLOTS_AT + SLOT_WORDS * (ticket % SLOTS)
        if atomic_load(engine, slot + STATE) == IN_FLIGHT:
            engine[FLAG] = 0
            code = call_integers(engine[TEST], base + 8 * (slot + REQUEST), base + 8 * FLAG, base + 8 * STATUS)
            if code != 0:
                atomic_store(engine, slot + STATE, BROKEN)
            elif engine[FLAG] != 0 and (engine[slot + DUE] == 0 or cycle_counter() >= engine[slot + DUE]):
                atomic_store(engine, slot + STATE, DONE)
        if oldest == ticket and atomic_load(engine, slot + STATE) != IN_FLIGHT:
            oldest += 1
        ticket += 1
    atomic_store(engine, OLDEST, oldest)


@scalar_function
def completion_ticks(engine, count, datatype):
    """Returns the ticks at which a transfer that starts now is done on the simulated network; 0 without one.

    Transfers share one link: a transfer uses it after those that started before. The caller has the lock.
    """
    if engine[LATENCY_TICKS] == 0 and engine[MEGABYTE_TICKS] == 0:
        return 0
    engine[FLAG] = 0
    call_integers(engine[TYPE_SIZE], datatype, address_of(engine) + 8 * FLAG)
    now = cycle_counter()
    began = engine[LINK_FREE_AT] if engine[LINK_FREE_AT] > now else now
    engine[LINK_FREE_AT] = began + (count * engine[FLAG] * engine[MEGABYTE_TICKS] >> 20)
    return engine[LINK_FREE_AT] + engine[LATENCY_TICKS]


@kernel(
    "data: inout[uint8], result: inout[uint8], ticket: inout[int64], engine: inout[int64], function: int, count: int, "
    "datatype: int, operator: int, signature: int"
)
def start_transfer(data, result, ticket, engine, function, count, datatype, operator, signature):
    """Starts a collective, with `function` one of `ALL_REDUCE` ...; its buffers belong to MPI until the wait ends.

    `ALL_REDUCE` and `BROADCAST` change `data` in place. `ALL_GATHER` gathers `result` in place: the process's own part
    is there. `count` is the number of elements of `data`, or of one process's part. `operator` is MPI's operator, or
    the root of a broadcast.
    """
    while not try_lock(engine):
        yield_processor()
    number = engine[STARTED] + 1
    slot = SLOTS_AT + SLOT_WORDS * (number % SLOTS)
    while atomic_load(engine, slot + STATE) == IN_FLIGHT:  # so many transfers are in flight that the slot is taken
        test_transfers(engine)
    source, target, group = address_of(data), address_of(result), engine[COMMUNICATOR]
    request = address_of(engine) + 8 * (slot + REQUEST)
    engine[slot + REQUEST] = 0
    engine[slot + SIGNATURE] = signature
    engine[slot + DUE] = completion_ticks(engine, count, datatype)
    entry = engine[function]
    if atomic_load(engine, FAILED) != 0:
        code = 1  # other ranks no longer take part
    elif function == ALL_REDUCE:
        code = call_integers(entry, engine[IN_PLACE], source, count, datatype, operator, group, request)
    elif function == REDUCE_SCATTER:
        code = call_integers(entry, source, target, count, datatype, operator, group, request)
    elif function == ALL_GATHER:
        code = call_integers(entry, engine[IN_PLACE], 0, engine[NO_DATATYPE], target, count, datatype, group, request)
    elif function == BROADCAST:
        code = call_integers(entry, source, count, datatype, operator, group, request)
    else:
        code = call_integers(entry, source, count, datatype, target, count, datatype, group, request)
    atomic_store(engine, slot + STATE, IN_FLIGHT if code == 0 else BROKEN)
    atomic_store(engine, STARTED, number)
    ticket[0] = number
    atomic_add(engine, LOCK, -1)
    if atomic_load(engine, PARKED) != 0:
        atomic_store(engine, PARKED, 0)
        call_integers(engine[POST_SEMAPHORE], engine[SEMAPHORE])


@kernel("ticket: in[int64], engine: inout[int64] -> int")
def wait_for_transfer(ticket, engine):
    """Waits until a transfer is done, and frees its slot; returns -1, `TRANSFER_FAILED`, or `PAUSED` after a while."""
    slot = SLOTS_AT + SLOT_WORDS * (ticket[0] % SLOTS)
    began = cycle_counter()
    atomic_store(engine, WAITING_FOR, ticket[0])
    polls = 0
    while atomic_load(engine, slot + STATE) == IN_FLIGHT:
        if atomic_load(engine, FAILED) != 0:
            return TRANSFER_FAILED
        if try_lock(engine):
            test_transfers(engine)
            atomic_add(engine, LOCK, -1)
        else:
            spin_loop_hint()
        polls += 1
        if polls % POLLS_BEFORE_YIELD == 0:
            yield_processor()
            if cycle_counter() - began > engine[PAUSE_TICKS]:
                return PAUSED
    atomic_store(engine, WAITING_FOR, 0)
    if atomic_load(engine, slot + STATE) == BROKEN:
        return TRANSFER_FAILED
    atomic_store(engine, slot + STATE, FREE)
    return -1


@kernel("engine: inout[int64], microseconds: int", release_gil=True)
def drive_transfers(engine, microseconds):
    """The loop of the progress thread: tests transfers in flight until `QUIT` is set; sleeps while there are none."""
    pause, last_started = microseconds, int64(0)
    while atomic_load(engine, QUIT) == 0:
        if atomic_load(engine, OLDEST) <= atomic_load(engine, STARTED):
            if try_lock(engine):
                test_transfers(engine)
                atomic_add(engine, LOCK, -1)
            started = atomic_load(engine, STARTED)
            if started != last_started:
                pause = microseconds
            elif pause < MOST_SLEEP_MICROSECONDS:
                pause *= 2
            last_started = started
            call_integers(engine[SLEEP], pause)
        else:
            atomic_store(engine, PARKED, 1)
            if atomic_load(engine, OLDEST) > atomic_load(engine, STARTED) and atomic_load(engine, QUIT) == 0:
                call_integers(engine[WAIT_SEMAPHORE], engine[SEMAPHORE])
            atomic_store(engine, PARKED, 0)


@kernel("source: in[uint8], target: inout[uint8], skipped: int, offset: int, size: int, first: int, last: int")
def copy_part(source, target, skipped, offset, size, first, last):
    """Copies `size` bytes, from byte `skipped` of one array to byte `offset` of another; a unit is 64 bytes."""
    stop = size if last * 64 > size else last * 64
    for i in range(first * 64, stop):
        target[offset + i] = source[skipped + i]


@kernel("data: inout[uint8], offset: int, size: int")
def clear_bytes(data, offset, size):
    """Sets `size` bytes from `offset` on to zero."""
    for i in range(size):
        data[offset + i] = 0


CHECKED_DTYPES = ("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
"""The dtypes that MPI reduces."""


# A process that receives less than it expects reads what its memory held before, such as the check words of an earlier
# transfer. So they depend on the number of the transfer, too.

TRANSFERS_BETWEEN_CHECK_WORDS = 32
"""The number of transfers after which check words come again."""


@kernel("data: inout[T], at: int, even: int, odd: int, engine: in[int64]", T=CHECKED_DTYPES)
def write_check_words(data, at, even, odd, engine):
    """Writes two numbers that tell what a process reduces in its next transfer, to be reduced with the data."""
    turn = (atomic_load(engine, STARTED) + 1) % TRANSFERS_BETWEEN_CHECK_WORDS
    data[at] = even + turn
    data[at + 1] = odd + TRANSFERS_BETWEEN_CHECK_WORDS - turn


@kernel(
    "data: in[T], at: int, even: int, odd: int, times: int, modulus: int, ticket: in[int64] -> int", T=CHECKED_DTYPES
)
def verify_check_words(data, at, even, odd, times, modulus, ticket):
    """Returns -1 if the reduced check words are those of equal words in all processes, else `WORDS_DIFFER`.

    `times` is how often the reduction adds a word; sums in integers of few bits are right modulo `modulus`.
    """
    turn = ticket[0] % TRANSFERS_BETWEEN_CHECK_WORDS
    first = data[at] - even - times * turn
    second = data[at + 1] - odd - times * (TRANSFERS_BETWEEN_CHECK_WORDS - turn)
    return -1 if first % modulus == 0 and second % modulus == 0 else WORDS_DIFFER


@kernel("data: inout[uint8], at: int, signature: int, engine: in[int64]")
def write_signature(data, at, signature, engine):
    """Writes the signature and the number of the next transfer, in eight bytes."""
    number = signature + (atomic_load(engine, STARTED) + 1 << 24)
    for i in range(8):
        data[at + i] = number >> 8 * i & 255


@kernel("data: in[uint8], at: int, signature: int, ticket: in[int64] -> int")
def verify_signature(data, at, signature, ticket):
    """Returns -1 if eight bytes are those of `write_signature`, else `WORDS_DIFFER`."""
    number = signature + (ticket[0] << 24)
    for i in range(8):
        if data[at + i] != number >> 8 * i & 255:
            return WORDS_DIFFER
    return -1


class Engine:
    """The engine of transfers of this process, and its progress thread.

    Attributes:
        words: the words that steps and the progress thread share.
    """

    def __init__(self) -> None:
        group = world()
        self._abandoned: list[object] = []  # memory that MPI may still write to
        self.words = np.zeros(SLOTS_AT + SLOT_WORDS * SLOTS, np.int64)
        self.words[OLDEST] = 1
        ticks = _ticks_per_second()
        self.words[PAUSE_TICKS] = max(1, int(PAUSE_SECONDS * ticks))
        latency, seconds_per_byte = simulated_network()
        self.words[LATENCY_TICKS] = int(latency * ticks)
        self.words[MEGABYTE_TICKS] = int(seconds_per_byte * ticks * 2**20)
        self.words[COMMUNICATOR] = handle_of(group.communicator)
        self.words[IN_PLACE] = int(group.mpi.IN_PLACE)
        self.words[NO_DATATYPE] = handle_of(group.mpi.DATATYPE_NULL)
        for word, name in _FUNCTION_NAMES.items():
            self.words[word] = function_address(name)
        library = ctypes.CDLL(None)
        self._semaphore = ctypes.create_string_buffer(64)
        if library.sem_init(self._semaphore, 0, 0) != 0:
            raise OSError("sem_init: the progress thread of fastgrad.distribute needs a semaphore, and got none.")
        for word, name in ((POST_SEMAPHORE, "sem_post"), (WAIT_SEMAPHORE, "sem_wait"), (SLEEP, "usleep")):
            self.words[word] = ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
        self.words[SEMAPHORE] = ctypes.addressof(self._semaphore)
        self._post = library.sem_post
        drive = drive_transfers[()]
        start_transfer[()], wait_for_transfer[()]
        self._thread = threading.Thread(
            target=drive, args=(self.words, SLEEP_MICROSECONDS), name="fastgrad-progress", daemon=True
        )
        self._thread.start()
        atexit.register(self.stop)  # before mpi4py finalises MPI: functions registered last run first

    def finish(self, memory: object) -> None:
        """Does `world.finish_transfers`."""
        deadline = time.monotonic() + FINISH_SECONDS
        while self.words[OLDEST] <= self.words[STARTED]:
            if time.monotonic() > deadline:
                self.words[FAILED] = 1
                self._abandoned.append(memory)
                return
            time.sleep(SLEEP_MICROSECONDS * 1e-6)

    def stop(self) -> None:
        """Ends the progress thread."""
        self.words[QUIT] = 1
        self._post(self._semaphore)
        self._thread.join(timeout=5)


@functools.cache
def engine() -> Engine:
    """Returns the engine of transfers of this process; the first call starts it."""
    return Engine()


def simulated_network(environment: Mapping[str, str] = os.environ) -> tuple[float, float]:
    """Returns the seconds that each transfer takes on the simulated network, and the seconds that each byte takes.

    Benchmarks simulate a slower network than that of the machine: a transfer counts as done only after this time.
    `FASTGRAD_SIMULATED_LATENCY_US` is in microseconds, `FASTGRAD_SIMULATED_BANDWIDTH_GBPS` in gigabits a second;
    0, or no variable, means no delay.

    Raises:
        ValueError: a variable is no number, or is negative.
    """
    values = []
    for name in ("FASTGRAD_SIMULATED_LATENCY_US", "FASTGRAD_SIMULATED_BANDWIDTH_GBPS"):
        text = environment.get(name, "").strip() or "0"
        try:
            values.append(float(text))
        except ValueError:
            values.append(-1.0)
        if not 0 <= values[-1] < float("inf"):
            raise ValueError(f"{name} is {text!r}; it is a number from 0 on. Unset it for the real network.")
    latency, bandwidth = values
    return latency * 1e-6, 8e-9 / bandwidth if bandwidth else 0.0


def _ticks_per_second() -> float:
    """Returns about how many ticks of the processor's clock a second has."""
    ticks, began = clock_ticks[()](), time.perf_counter()
    while (seconds := time.perf_counter() - began) < 0.002:
        pass
    return float(clock_ticks[()]() - ticks) / seconds
