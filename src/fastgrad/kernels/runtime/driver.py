"""The driver: runs the steps of a program, native call after native call, with no Python between them.

A program is a row of int64 words, its frame: where the steps are (`STEP_WORDS` words each: the address of the step's entry,
see `wrapper.step_ir`, the address of its words, the units of its work, how many shares it is cut into, the units that no cut
divides, 0 for a step that waits for the end of its chain, and how many steps from it on are a chain, done share by share), and what
the arrays have to be that it is called with. Their addresses are written into the words of the steps that use them. The planner makes frames, and proves that every address in one has the length that the steps trust.

Steps run one after the other. One that is cut into shares is offered to the team (`thread_pool.py`), a part of them to each thread, the
caller too. A thread takes shares by atomic additions, first its own, then others', so that nobody waits for what is not
begun; the caller goes on when all shares are done. A row of steps in which each share reads only what the same share of those
before it has written is gone through share by share: threads meet once for all of them. Shares are cut by shape, and kernels give the same bits for any shares: so results do not depend on the threads.
"""

from __future__ import annotations

import numpy as np
from numpy import int8, int32, int64

from fastgrad.kernels.codegen.body import (
    atomic_add,
    atomic_load,
    atomic_min,
    atomic_store,
    call_step,
    cycle_counter,
    pointer,
    relax,
    scalar_function,
    yield_processor,
)
from fastgrad.kernels.codegen.build import kernel
from fastgrad.kernels.codegen.wrapper import (
    BYTEORDER_AT,
    CONTIGUOUS_ALIGNED,
    DATA_AT,
    DESCR_AT,
    FLAGS_AT,
    NDIM_AT,
    SHAPE_AT,
    SWAPPED,
    TUPLE_ITEMS_AT,
    TUPLE_SIZE_AT,
    TYPE_AT,
    TYPE_NUMBER_AT,
)
from fastgrad.kernels.math.vector_math import least

STEPS, OBJECTS, OBJECT_COUNT, ARRAY_TYPE, STOPPED_AT, ANSWER, RESUME, INSIDE, HEADER_WORDS = range(9)
"""The first words of a frame: addresses of the steps and of what is known of the objects, how many those are, the
address of NumPy's array type; and, written by the driver, the step that stopped it, and what that answered; whether it
pauses, and where (see `PAUSED`)."""

PAUSED, ABANDONED = 1 << 60, (1 << 60) + 1
"""Answers of steps that are no end; no array has as many elements, whose positions are what checks answer. A loop that has run for long returns to Python, where a signal such as that of Ctrl-C is
dealt with, and goes on when the same step is run again: `RESUME` is set in its frame, and in those around it, until then. A
program that begins while it is set was left in such a pause; all its frames must forget it first."""

BUDGET = 10_000_000
"""About how many nanoseconds pass between two pauses."""

spent = np.zeros(1, np.int64)
"""About how many nanoseconds loops have run since the last pause; of all threads together, as it need not be exact."""
SPENT = spent.__array_interface__["data"][0]

STEP_WORDS = 6

JUMP = 1 << 40
"""A step that answers `-JUMP - i` goes on with step i; a smaller negative answer ends the program, which gives it."""
FINE = -1
STOPPED = 1 << 32

DONE, TABLE, ACTIVE, QUIT, WORST, STALLED, THREADS, CLAIMS = range(0, 64, 8)
SHARED = STALLED + 1
"""Words of a team, each in a cache line of its own: how many shares are done, where the steps are, whether a program runs,
whether to end, the least answer of a share (`NO_ANSWER` if there is none), how long the caller has waited for shares
that others had begun, where that took longer than all it did itself, and how long steps took that were shared, in ticks, how many
threads there are; and from `CLAIMS` on for each thread what is offered to it (the step,
the end of its shares, the next of them)."""

MOST_THREADS = 64
PARKED = CLAIMS + 8 * MOST_THREADS
"""From here on there is a word for each worker: whether it has stopped looking."""

LINE_WORDS = 8
END_AT, STEP_AT = 20, 40
FIELD = (1 << 20) - 1
NO_ANSWER = (1 << 62) - 1
WAITS = 2048

TUPLE_LENGTH = (TUPLE_SIZE_AT - TUPLE_ITEMS_AT) // 8


@scalar_function
def array_differs(array, wanted, array_type):
    """Whether an object is not an array of the dtype and shape wanted, contiguous, aligned and in native byte order."""
    if pointer(int64, array + TYPE_AT)[0] != array_type:
        return True
    descr = pointer(int64, array + DESCR_AT)[0]
    if pointer(int32, descr + TYPE_NUMBER_AT)[0] != wanted[0]:
        return True
    if pointer(int8, descr + BYTEORDER_AT)[0] == SWAPPED:
        return True
    if pointer(int32, array + FLAGS_AT)[0] & CONTIGUOUS_ALIGNED != CONTIGUOUS_ALIGNED:
        return True
    if pointer(int32, array + NDIM_AT)[0] != wanted[1]:
        return True
    shape = pointer(int64, pointer(int64, array + SHAPE_AT)[0])
    for axis in range(wanted[1]):  # noqa: SIM110 - a kernel has no generators
        if shape[axis] != wanted[2 + axis]:
            return True
    return False


@scalar_function
def bound(objects, frame):
    """Writes the addresses of the arrays where they are used; the number of the first that does not fit, else -1."""
    if frame[RESUME] != 0:
        frame[ANSWER] = ABANDONED
        return STOPPED
    count = frame[OBJECT_COUNT]
    if objects[TUPLE_LENGTH] != count:
        return count
    wanted = pointer(int64, frame[OBJECTS])
    for i in range(count):
        if array_differs(objects[i], wanted, frame[ARRAY_TYPE]):
            return i
        data = pointer(int64, objects[i] + DATA_AT)[0]
        at = 2 + wanted[1]
        places = wanted[at]
        for k in range(places):
            pointer(int64, wanted[at + 1 + k])[0] = data
        wanted = pointer(int64, wanted[at + 1 + places])  # the next one's address
    return FINE


@scalar_function
def run_steps(frame, start, stop):
    """Runs the steps [start, stop); -1, the negative answer that ended it, or `STOPPED` at one that is in the frame then."""
    steps = pointer(int64, frame[STEPS])
    frame[RESUME] = 0
    i = start
    while i < stop:
        step = STEP_WORDS * i
        answer = call_step(steps[step], steps[step + 1], 0, steps[step + 2])
        i += 1
        if answer != 0:
            if answer > 0:
                frame[STOPPED_AT] = i - 1
                frame[ANSWER] = answer - 1
                frame[RESUME] = 1 if answer - 1 == PAUSED else 0
                return STOPPED
            if answer > -JUMP:
                return answer
            i = -answer - JUMP
    return FINE


@scalar_function
def took_share(team, me):
    """Does a share of what is offered, its own first, then another thread's; whether there was one.

    Each thread begins with the same part of the work in every step: what it has written is in its own cache then.
    """
    threads = team[THREADS]
    for i in range(threads):
        place = CLAIMS + LINE_WORDS * ((me + i) % threads)
        word = atomic_load(team, place)
        if (word & FIELD) < (word >> END_AT & FIELD):
            word = atomic_add(team, place, 1)
            # Only now is it certain that the step is not over, and that its table is there: it waits for this share.
            share = word & FIELD
            if share < (word >> END_AT & FIELD):
                steps = pointer(int64, atomic_load(team, TABLE))
                step = STEP_WORDS * (word >> STEP_AT)
                shares, count = steps[step + 3], steps[step + 5]
                for one in range(step, step + STEP_WORDS * count, STEP_WORDS):
                    units, grain = steps[one + 2], steps[one + 4]
                    if grain == 0:
                        continue
                    if count > 1:
                        grain = int64(1)  # the same fraction of each
                    blocks = (units + grain - 1) // grain
                    first = blocks * share // shares * grain
                    last = least(blocks * (share + 1) // shares * grain, units)
                    answer = call_step(steps[one], steps[one + 1], first, last)
                    if answer != 0:
                        atomic_min(team, WORST, answer)
                atomic_add(team, DONE, 1)
                return True
    return False


@scalar_function
def shared_step(team, number, shares):
    """Runs a step with the team; what the share with the least answer answered."""
    threads = team[THREADS]
    atomic_store(team, DONE, 0)
    atomic_store(team, WORST, NO_ANSWER)
    # From the last on, so that the others have theirs when the caller begins.
    for i in range(threads):
        t = threads - 1 - i
        begin, end = shares * t // threads, shares * (t + 1) // threads
        atomic_store(team, CLAIMS + LINE_WORDS * t, number << STEP_AT | end << END_AT | begin)
    began = cycle_counter()
    while took_share(team, 0):
        pass
    finished = cycle_counter()
    waits = 0
    while atomic_load(team, DONE) < shares:
        relax()
        waits += 1
        if waits % WAITS == 0:
            yield_processor()  # the others may be waiting for this core
    ended = cycle_counter()
    team[SHARED] += ended - began
    if ended - finished > finished - began:
        team[STALLED] += ended - finished
    steps = pointer(int64, atomic_load(team, TABLE))
    for i in range(number + 1, number + steps[STEP_WORDS * number + 5]):
        step = STEP_WORDS * i
        if steps[step + 4] == 0:
            call_step(steps[step], steps[step + 1], 0, steps[step + 2])
    worst = atomic_load(team, WORST)
    return 0 if worst == NO_ANSWER else worst


@scalar_function
def run_with_team(frame, team, start, stop):
    """`run_steps` on all threads of a team, which no other program uses at the time."""
    steps = pointer(int64, frame[STEPS])
    atomic_store(team, TABLE, frame[STEPS])
    atomic_store(team, ACTIVE, 1)
    frame[RESUME] = 0
    result = FINE
    i = start
    while i < stop:
        step = STEP_WORDS * i
        if steps[step + 3] > 1 and i + steps[step + 5] <= stop:
            answer = shared_step(team, i, steps[step + 3])
            i += steps[step + 5]
        else:
            answer = call_step(steps[step], steps[step + 1], 0, steps[step + 2])
            i += 1
        if answer > 0:
            frame[STOPPED_AT] = i - 1
            frame[ANSWER] = answer - 1
            frame[RESUME] = 1 if answer - 1 == PAUSED else 0
            result = STOPPED
            i = stop
        elif answer <= -JUMP:
            i = -answer - JUMP
        elif answer < 0:
            result = answer
            i = stop
    atomic_store(team, ACTIVE, 0)
    return result


@kernel("objects: objects, frame: inout[int64], team: inout[int64], stop: int -> int", release_gil=True)
def begin_with_team(objects, frame, team, stop):
    """`begin` on all threads of a team, without the GIL."""
    refused = bound(objects, frame)
    if refused >= 0:
        return refused
    return run_with_team(frame, team, 0, stop)


@kernel("frame: inout[int64], team: inout[int64], start: int, stop: int -> int", release_gil=True)
def go_on_with_team(frame, team, start, stop):
    """`go_on` on all threads of a team, without the GIL."""
    return run_with_team(frame, team, start, stop)


@kernel("team: inout[int64], number: int, patience: int -> int", release_gil=True)
def follow(team, number, patience):
    """What a worker does: takes shares until there has been none for so many looks, or the team ends.

    Returns 1 if the team has ended; else the worker's `PARKED` word is set now.
    """
    idle = 0
    while atomic_load(team, QUIT) == 0:
        if took_share(team, number + 1):
            idle = 0
            continue
        relax()
        idle += 1
        if idle % WAITS == 0:
            yield_processor()
        if idle >= patience and atomic_load(team, ACTIVE) == 0:
            atomic_store(team, PARKED + LINE_WORDS * number, 1)
            return 0
    return 1


@kernel("objects: objects, frame: inout[int64], stop: int -> int")
def begin(objects, frame, stop):
    """Gives a program its arrays, a tuple, and runs its steps before `stop`.

    Returns -1, or `-1 - i` at the end of way i; `STOPPED` if a step answered something, which is in the frame then; or the
    number of the first array that does not fit (their count, if there are more or fewer), having done nothing.
    """
    refused = bound(objects, frame)
    if refused >= 0:
        return refused
    return run_steps(frame, 0, stop)


@kernel("objects: objects, frame: inout[int64], stop: int -> int", release_gil=True)
def begin_released(objects, frame, stop):
    """`begin` without the GIL."""
    refused = bound(objects, frame)
    if refused >= 0:
        return refused
    return run_steps(frame, 0, stop)


@kernel("frame: inout[int64], start: int, stop: int -> int")
def go_on(frame, start, stop):
    """Runs the steps [start, stop) of a program that has begun; returns as `begin`."""
    return run_steps(frame, start, stop)


@kernel("frame: inout[int64], start: int, stop: int -> int", release_gil=True)
def go_on_released(frame, start, stop):
    """`go_on` without the GIL."""
    return run_steps(frame, start, stop)


@kernel("later: int -> int")
def clock(later):
    """How far the processor's clock will have got so many ticks later; `STALLED` and `SHARED` are in ticks."""
    return cycle_counter() + later


ARRAY_TYPE_ADDRESS = id(np.ndarray)
