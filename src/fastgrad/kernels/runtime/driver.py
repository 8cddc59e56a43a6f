"""The driver: runs the steps of a program, native call after native call, with no Python between them.

A program is an array of int64 words, its frame. The frame says where the steps are, and which dtypes and shapes the
arrays of a call must have. The driver writes the addresses of the arrays into the words of the steps that use them. The
planner makes frames, and proves that the memory at every address in a frame has the length that the steps trust.

A step has `STEP_WORDS` words: the address of its entry (see `wrapper.step_ir`), the address of its words, the units of
its work, the number of its shares, its grain, and the length of the chain that begins with it. The grain is the number
of units that no cut divides; it is 0 for a step that waits for the end of its chain.

Steps run one after the other. The thread pool (`thread_pool.py`) runs a step that is cut into shares. Each thread, the
caller included, owns a part of the shares. A thread takes shares by atomic additions, first its own, then those of
other threads, so that no thread waits for a share that has not begun. The caller continues when all shares are done. In
a chain, each share reads only results of the same share of earlier steps. So threads run a chain share by share, with
one barrier at its end. Shares are cut by shape, and kernels give the same bits for any shares. So results do not depend
on the threads.
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
    SWAPPED_BYTEORDER,
    TUPLE_ITEMS_AT,
    TUPLE_SIZE_AT,
    TYPE_AT,
    TYPE_NUMBER_AT,
)
from fastgrad.kernels.math.vector_math import least

STEPS, OBJECTS, OBJECT_COUNT, ARRAY_TYPE, STOPPED_AT, ANSWER, RESUME, PAUSE_PLACE, HEADER_WORDS = range(9)
"""The first words of a frame: the address of the steps, the address of the arrays' descriptions, their number, and the
address of NumPy's array type. The driver writes the other words: the step that stopped the program, its answer, whether
the program pauses, and where (see `PAUSED`)."""

PAUSED, ABANDONED = 1 << 60, (1 << 60) + 1
"""Answers of steps that do not end the program. Checks answer with positions of elements, which are smaller. A loop
that has run long returns to Python, which then handles signals such as Ctrl-C. It continues when the same step runs
again; until then, `RESUME` is set in its frame and in the frames around it. If a program begins while `RESUME` is set,
an earlier call ended in such a pause; all its frames must clear it first."""

NANOSECONDS_BETWEEN_PAUSES = 10_000_000
"""About how many nanoseconds pass between two pauses."""

loop_nanoseconds = np.zeros(1, np.int64)
"""About how many nanoseconds loops have run since the last pause, summed over all threads; it need not be exact."""
LOOP_NANOSECONDS_ADDRESS = loop_nanoseconds.__array_interface__["data"][0]

STEP_WORDS = 6

JUMP_ANSWER = 1 << 40
"""A step that answers `-JUMP_ANSWER - i` jumps to step i; a smaller negative answer ends the program, which returns
it."""
NOT_STOPPED = -1
STOPPED = 1 << 32

DONE, TABLE, ACTIVE, QUIT, WORST, STALLED, THREADS, CLAIMS = range(0, 64, 8)
SHARED = STALLED + 1
"""Words of a thread pool, each in a cache line of its own:

- `DONE`: the number of finished shares;
- `TABLE`: the address of the steps;
- `ACTIVE`: whether a program runs;
- `QUIT`: whether the workers must end;
- `WORST`: the least answer of a share (`NO_ANSWER` if there is none);
- `STALLED`: the ticks that the caller waited for shares of other threads, in steps where that took longer than its own
  work;
- `SHARED`: the ticks that shared steps took;
- `THREADS`: the number of threads;
- from `CLAIMS` on, for each thread its offer: the step, the end of its shares, the next of them."""

MOST_THREADS = 64
FIRST_PARKED_WORD = CLAIMS + 8 * MOST_THREADS
"""From here on, one word for each worker: whether it has stopped polling."""

CACHE_LINE_WORDS = 8
CLAIM_END_SHIFT, CLAIM_STEP_SHIFT = 20, 40
CLAIM_FIELD_MASK = (1 << 20) - 1
NO_ANSWER = (1 << 62) - 1
POLLS_BEFORE_YIELD = 2048

TUPLE_LENGTH = (TUPLE_SIZE_AT - TUPLE_ITEMS_AT) // 8


@scalar_function
def is_unexpected_array(array, expected, array_type):
    """True if an object is not a contiguous, aligned array of the expected dtype and shape in native byte order."""
    if pointer(int64, array + TYPE_AT)[0] != array_type:
        return True
    descr = pointer(int64, array + DESCR_AT)[0]
    if pointer(int32, descr + TYPE_NUMBER_AT)[0] != expected[0]:
        return True
    if pointer(int8, descr + BYTEORDER_AT)[0] == SWAPPED_BYTEORDER:
        return True
    if pointer(int32, array + FLAGS_AT)[0] & CONTIGUOUS_ALIGNED != CONTIGUOUS_ALIGNED:
        return True
    if pointer(int32, array + NDIM_AT)[0] != expected[1]:
        return True
    shape = pointer(int64, pointer(int64, array + SHAPE_AT)[0])
    for axis in range(expected[1]):  # noqa: SIM110 - a kernel has no generators
        if shape[axis] != expected[2 + axis]:
            return True
    return False


@scalar_function
def bind_arrays(objects, frame):
    """Writes the arrays' addresses into the steps; returns the number of the first array that does not fit, else -1."""
    if frame[RESUME] != 0:
        frame[ANSWER] = ABANDONED
        return STOPPED
    count = frame[OBJECT_COUNT]
    if objects[TUPLE_LENGTH] != count:
        return count
    expected = pointer(int64, frame[OBJECTS])
    for i in range(count):
        if is_unexpected_array(objects[i], expected, frame[ARRAY_TYPE]):
            return i
        data = pointer(int64, objects[i] + DATA_AT)[0]
        at = 2 + expected[1]
        places = expected[at]
        for k in range(places):
            pointer(int64, expected[at + 1 + k])[0] = data
        expected = pointer(int64, expected[at + 1 + places])  # the next description's address
    return NOT_STOPPED


@scalar_function
def run_steps(frame, start, stop):
    """Runs the steps [start, stop); returns -1, the negative answer that ended the program, or `STOPPED`."""
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
            if answer > -JUMP_ANSWER:
                return answer
            i = -answer - JUMP_ANSWER
    return NOT_STOPPED


@scalar_function
def run_share(team, thread):
    """Runs a share of the step that a thread pool offers, of the thread's own part first; returns if there was one.

    Each thread begins with the same part of the work in every step, so its own earlier results are in its cache.
    """
    threads = team[THREADS]
    for i in range(threads):
        place = CLAIMS + CACHE_LINE_WORDS * ((thread + i) % threads)
        word = atomic_load(team, place)
        if (word & CLAIM_FIELD_MASK) < (word >> CLAIM_END_SHIFT & CLAIM_FIELD_MASK):
            word = atomic_add(team, place, 1)
            # Only now is it certain that the step is not over and that its table exists: the step waits for this share.
            share = word & CLAIM_FIELD_MASK
            if share < (word >> CLAIM_END_SHIFT & CLAIM_FIELD_MASK):
                steps = pointer(int64, atomic_load(team, TABLE))
                step = STEP_WORDS * (word >> CLAIM_STEP_SHIFT)
                shares, count = steps[step + 3], steps[step + 5]
                for one in range(step, step + STEP_WORDS * count, STEP_WORDS):
                    units, grain = steps[one + 2], steps[one + 4]
                    if grain == 0:
                        continue
                    if count > 1:
                        grain = int64(1)  # the same fraction of each step of the chain
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
def run_shared_step(team, step_number, shares):
    """Runs one step in shares on all threads of a thread pool; returns the least answer of the shares."""
    threads = team[THREADS]
    atomic_store(team, DONE, 0)
    atomic_store(team, WORST, NO_ANSWER)
    # From the last thread on, so that the workers have their offers when the caller begins.
    for i in range(threads):
        t = threads - 1 - i
        begin, end = shares * t // threads, shares * (t + 1) // threads
        atomic_store(
            team, CLAIMS + CACHE_LINE_WORDS * t, step_number << CLAIM_STEP_SHIFT | end << CLAIM_END_SHIFT | begin
        )
    began = cycle_counter()
    while run_share(team, 0):
        pass
    finished = cycle_counter()
    waits = 0
    while atomic_load(team, DONE) < shares:
        relax()
        waits += 1
        if waits % POLLS_BEFORE_YIELD == 0:
            yield_processor()  # other threads may wait for this core
    ended = cycle_counter()
    team[SHARED] += ended - began
    if ended - finished > finished - began:
        team[STALLED] += ended - finished
    steps = pointer(int64, atomic_load(team, TABLE))
    for i in range(step_number + 1, step_number + steps[STEP_WORDS * step_number + 5]):
        step = STEP_WORDS * i
        if steps[step + 4] == 0:
            call_step(steps[step], steps[step + 1], 0, steps[step + 2])
    worst = atomic_load(team, WORST)
    return 0 if worst == NO_ANSWER else worst


@scalar_function
def run_steps_on_pool(frame, team, start, stop):
    """Runs the steps [start, stop) on a thread pool, which no other program uses; returns the same as `run_steps`."""
    steps = pointer(int64, frame[STEPS])
    atomic_store(team, TABLE, frame[STEPS])
    atomic_store(team, ACTIVE, 1)
    frame[RESUME] = 0
    result = NOT_STOPPED
    i = start
    while i < stop:
        step = STEP_WORDS * i
        if steps[step + 3] > 1 and i + steps[step + 5] <= stop:
            answer = run_shared_step(team, i, steps[step + 3])
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
        elif answer <= -JUMP_ANSWER:
            i = -answer - JUMP_ANSWER
        elif answer < 0:
            result = answer
            i = stop
    atomic_store(team, ACTIVE, 0)
    return result


@kernel("objects: objects, frame: inout[int64], team: inout[int64], stop: int -> int", release_gil=True)
def begin_with_pool(objects, frame, team, stop):
    """Begins a program, as `begin`, on all threads of a thread pool, without the GIL."""
    refused = bind_arrays(objects, frame)
    if refused >= 0:
        return refused
    return run_steps_on_pool(frame, team, 0, stop)


@kernel("frame: inout[int64], team: inout[int64], start: int, stop: int -> int", release_gil=True)
def continue_with_pool(frame, team, start, stop):
    """Continues a program on all threads of a thread pool, without the GIL; returns the same as `begin`."""
    return run_steps_on_pool(frame, team, start, stop)


@kernel("team: inout[int64], worker: int, idle_polls: int -> int", release_gil=True)
def run_worker(team, worker, idle_polls):
    """The loop of a worker: takes shares until `idle_polls` polls in a row gave none, or until the thread pool ends.

    Returns 1 if the thread pool has ended. Else it returns 0, and the worker's word from `FIRST_PARKED_WORD` on is set.
    """
    idle = 0
    while atomic_load(team, QUIT) == 0:
        if run_share(team, worker + 1):
            idle = 0
            continue
        relax()
        idle += 1
        if idle % POLLS_BEFORE_YIELD == 0:
            yield_processor()
        if idle >= idle_polls and atomic_load(team, ACTIVE) == 0:
            atomic_store(team, FIRST_PARKED_WORD + CACHE_LINE_WORDS * worker, 1)
            return 0
    return 1


_BEGIN_SIGNATURE = "objects: objects, frame: inout[int64], stop: int -> int"
_CONTINUE_SIGNATURE = "frame: inout[int64], start: int, stop: int -> int"


@kernel(_BEGIN_SIGNATURE)
def begin(objects, frame, stop):
    """Gives a program its arrays, a tuple, and runs its steps before `stop`.

    Returns -1, or `-1 - i` at the end of path i of the trace tree; `STOPPED` if a step stopped the program, with its
    answer in the frame; or the number of the first array that does not fit (the expected count, if the tuple has
    another length). In the last case no step has run.
    """
    refused = bind_arrays(objects, frame)
    if refused >= 0:
        return refused
    return run_steps(frame, 0, stop)


begin_released = kernel(_BEGIN_SIGNATURE, release_gil=True)(begin.function)
"""`begin` without the GIL."""


@kernel(_CONTINUE_SIGNATURE)
def continue_program(frame, start, stop):
    """Runs the steps [start, stop) of a program that has begun; returns the same as `begin`."""
    return run_steps(frame, start, stop)


continue_released = kernel(_CONTINUE_SIGNATURE, release_gil=True)(continue_program.function)
"""`continue_program` without the GIL."""


@kernel("ticks: int -> int")
def clock_after(ticks):
    """Returns the processor's clock plus `ticks` ticks; `STALLED` and `SHARED` are in ticks."""
    return cycle_counter() + ticks


ARRAY_TYPE_ADDRESS = id(np.ndarray)
