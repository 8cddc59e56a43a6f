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

from fastgrad._src.jit.body import (
    atomic_add,
    atomic_load,
    atomic_min,
    atomic_store,
    call_step,
    cycle_counter,
    pointer,
    scalar_function,
    spin_loop_hint,
    yield_processor,
)
from fastgrad._src.jit.build import kernel
from fastgrad._src.jit.wrapper import (
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
from fastgrad._src.kernels.math.vector_math import least

STEPS, OBJECTS, OBJECT_COUNT, ARRAY_TYPE, STOPPED_AT, STATUS, RESUME, PAUSE_PLACE, HEADER_WORDS = range(9)
"""The first words of a frame: the address of the steps, the address of the arrays' descriptions, their number, and the
address of NumPy's array type. The driver writes the other words: the step that stopped the program, the status of its
kernel, whether the program pauses, and where (see `PAUSED`)."""

PAUSED, ABANDONED = 1 << 60, (1 << 60) + 1
"""Statuses that do not end the program. The status of a check is the position of an element, which is smaller. A loop
that has run long returns to Python, which then handles signals such as Ctrl-C. It continues when the same step runs
again; until then, `RESUME` is set in its frame and in the frames around it. If a program begins while `RESUME` is set,
an earlier call ended in such a pause; all its frames must clear it first."""

LOOP_PAUSE_INTERVAL_NANOSECONDS = 10_000_000
"""About how many nanoseconds of loops pass until one returns to Python, which handles signals."""

nanoseconds_since_pause = np.zeros(1, np.int64)
"""About how many nanoseconds loops have run since the last pause, summed over all threads; it need not be exact."""
NANOSECONDS_SINCE_PAUSE_ADDRESS = nanoseconds_since_pause.__array_interface__["data"][0]

STEP_WORDS = 6

FIRST_JUMP_CODE = 1 << 40
"""A step returns a code: 0, or its kernel's status + 1. A step with the code `-FIRST_JUMP_CODE - i` jumps to step i;
any other negative code ends the program, which returns it."""
RAN_TO_END = -1
STOPPED = 1 << 32

DONE, TABLE, ACTIVE, QUIT, WORST, STALLED_TICKS, THREADS, CLAIMS = range(0, 64, 8)
SHARED_TICKS = STALLED_TICKS + 1
"""Words of a thread pool, each in a cache line of its own:

- `DONE`: the number of finished shares;
- `TABLE`: the address of the steps;
- `ACTIVE`: whether a program runs;
- `QUIT`: whether the workers must end;
- `WORST`: the least code of a share (`NO_SHARE_CODE` if there is none);
- `STALLED_TICKS`: the ticks that the caller waited for shares of other threads, in steps where that took longer
  than its own work;
- `SHARED_TICKS`: the ticks that steps took that ran in shares;
- `THREADS`: the number of threads;
- from `CLAIMS` on, for each thread its offer: the step, the end of its shares, the next of them."""

MOST_THREADS = 64
FIRST_PARKED_FLAG = CLAIMS + 8 * MOST_THREADS
"""From here on, one word for each worker: whether it has stopped polling."""

CACHE_LINE_WORDS = 8
CLAIM_END_SHIFT, CLAIM_STEP_SHIFT = 20, 40
CLAIM_FIELD_MASK = (1 << 20) - 1
NO_SHARE_CODE = (1 << 62) - 1
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
def bind_arrays(arrays, frame):
    """Writes the arrays' addresses into the steps; returns the number of the first array that does not fit, else -1."""
    if frame[RESUME] != 0:
        frame[STATUS] = ABANDONED
        return STOPPED
    count = frame[OBJECT_COUNT]
    if arrays[TUPLE_LENGTH] != count:
        return count
    expected = pointer(int64, frame[OBJECTS])
    for i in range(count):
        if is_unexpected_array(arrays[i], expected, frame[ARRAY_TYPE]):
            return i
        data = pointer(int64, arrays[i] + DATA_AT)[0]
        at = 2 + expected[1]
        places = expected[at]
        for k in range(places):
            pointer(int64, expected[at + 1 + k])[0] = data
        expected = pointer(int64, expected[at + 1 + places])  # the next description's address
    return -1


@scalar_function
def run_steps(frame, first_step, end_step):
    """Runs the steps [first_step, end_step); returns -1, the negative code that ended the program, or `STOPPED`."""
    steps = pointer(int64, frame[STEPS])
    frame[RESUME] = 0
    i = first_step
    while i < end_step:
        step = STEP_WORDS * i
        code = call_step(steps[step], steps[step + 1], 0, steps[step + 2])
        i += 1
        if code != 0:
            if code > 0:
                frame[STOPPED_AT] = i - 1
                frame[STATUS] = code - 1
                frame[RESUME] = 1 if code - 1 == PAUSED else 0
                return STOPPED
            if code > -FIRST_JUMP_CODE:
                return code
            i = -code - FIRST_JUMP_CODE
    return RAN_TO_END


@scalar_function
def run_next_share(pool, thread):
    """Runs one share of the pool's current step, from the thread's part of the shares if any; True if it ran one.

    Each thread begins with the same part of the work in every step, so its own earlier results are in its cache.
    """
    threads = pool[THREADS]
    for i in range(threads):
        place = CLAIMS + CACHE_LINE_WORDS * ((thread + i) % threads)
        word = atomic_load(pool, place)
        if (word & CLAIM_FIELD_MASK) < (word >> CLAIM_END_SHIFT & CLAIM_FIELD_MASK):
            word = atomic_add(pool, place, 1)
            # Only now is it certain that the step is not over and that its table exists: the step waits for this share.
            share = word & CLAIM_FIELD_MASK
            if share < (word >> CLAIM_END_SHIFT & CLAIM_FIELD_MASK):
                steps = pointer(int64, atomic_load(pool, TABLE))
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
                    code = call_step(steps[one], steps[one + 1], first, last)
                    if code != 0:
                        atomic_min(pool, WORST, code)
                atomic_add(pool, DONE, 1)
                return True
    return False


@scalar_function
def run_step_in_shares(pool, step_number, share_count):
    """Runs one step as `share_count` shares on all threads of a thread pool; returns the least code of a share."""
    threads = pool[THREADS]
    atomic_store(pool, DONE, 0)
    atomic_store(pool, WORST, NO_SHARE_CODE)
    # From the last thread on, so that the workers have their offers when the caller begins.
    for i in range(threads):
        t = threads - 1 - i
        begin, end = share_count * t // threads, share_count * (t + 1) // threads
        atomic_store(
            pool, CLAIMS + CACHE_LINE_WORDS * t, step_number << CLAIM_STEP_SHIFT | end << CLAIM_END_SHIFT | begin
        )
    began = cycle_counter()
    while run_next_share(pool, 0):
        pass
    finished = cycle_counter()
    waits = 0
    while atomic_load(pool, DONE) < share_count:
        spin_loop_hint()
        waits += 1
        if waits % POLLS_BEFORE_YIELD == 0:
            yield_processor()  # other threads may wait for this core
    ended = cycle_counter()
    pool[SHARED_TICKS] += ended - began
    if ended - finished > finished - began:
        pool[STALLED_TICKS] += ended - finished
    steps = pointer(int64, atomic_load(pool, TABLE))
    for i in range(step_number + 1, step_number + steps[STEP_WORDS * step_number + 5]):
        step = STEP_WORDS * i
        if steps[step + 4] == 0:
            call_step(steps[step], steps[step + 1], 0, steps[step + 2])
    worst = atomic_load(pool, WORST)
    return 0 if worst == NO_SHARE_CODE else worst


@scalar_function
def run_steps_on_pool(frame, pool, first_step, end_step):
    """Does `run_steps` on a thread pool, which no other program uses."""
    steps = pointer(int64, frame[STEPS])
    atomic_store(pool, TABLE, frame[STEPS])
    atomic_store(pool, ACTIVE, 1)
    frame[RESUME] = 0
    result = RAN_TO_END
    i = first_step
    while i < end_step:
        step = STEP_WORDS * i
        if steps[step + 3] > 1 and i + steps[step + 5] <= end_step:
            code = run_step_in_shares(pool, i, steps[step + 3])
            i += steps[step + 5]
        else:
            code = call_step(steps[step], steps[step + 1], 0, steps[step + 2])
            i += 1
        if code > 0:
            frame[STOPPED_AT] = i - 1
            frame[STATUS] = code - 1
            frame[RESUME] = 1 if code - 1 == PAUSED else 0
            result = STOPPED
            i = end_step
        elif code <= -FIRST_JUMP_CODE:
            i = -code - FIRST_JUMP_CODE
        elif code < 0:
            result = code
            i = end_step
    atomic_store(pool, ACTIVE, 0)
    return result


@kernel("arrays: objects, frame: inout[int64], pool: inout[int64], end_step: int -> int", release_gil=True)
def begin_on_pool(arrays, frame, pool, end_step):
    """Begins a program, as `begin_program`, on all threads of a thread pool, without the GIL."""
    refused = bind_arrays(arrays, frame)
    if refused >= 0:
        return refused
    return run_steps_on_pool(frame, pool, 0, end_step)


@kernel("frame: inout[int64], pool: inout[int64], first_step: int, end_step: int -> int", release_gil=True)
def continue_on_pool(frame, pool, first_step, end_step):
    """Continues a program on all threads of a thread pool, without the GIL; returns the same as `begin_program`."""
    return run_steps_on_pool(frame, pool, first_step, end_step)


@kernel("pool: inout[int64], worker: int, idle_polls: int -> int", release_gil=True)
def run_worker(pool, worker, idle_polls):
    """The loop of a worker: takes shares until `idle_polls` polls in a row gave none, or until the thread pool ends.

    Returns 1 if the thread pool has ended. Else it returns 0, and the worker's word from `FIRST_PARKED_FLAG` on is set.
    """
    idle = 0
    while atomic_load(pool, QUIT) == 0:
        if run_next_share(pool, worker + 1):
            idle = 0
            continue
        spin_loop_hint()
        idle += 1
        if idle % POLLS_BEFORE_YIELD == 0:
            yield_processor()
        if idle >= idle_polls and atomic_load(pool, ACTIVE) == 0:
            atomic_store(pool, FIRST_PARKED_FLAG + CACHE_LINE_WORDS * worker, 1)
            return 0
    return 1


_BEGIN_SIGNATURE = "arrays: objects, frame: inout[int64], end_step: int -> int"
_CONTINUE_SIGNATURE = "frame: inout[int64], first_step: int, end_step: int -> int"


@kernel(_BEGIN_SIGNATURE)
def begin_program(arrays, frame, end_step):
    """Gives a program its arrays, a tuple, and runs its steps before `end_step`.

    Returns -1, or `-1 - i` at the end of path i of the trace tree; `STOPPED` if a step stopped the program, with the
    status of its kernel in the frame; or the number of the first array that does not fit (the expected count, if the
    tuple has another length). In the last case no step has run.
    """
    refused = bind_arrays(arrays, frame)
    if refused >= 0:
        return refused
    return run_steps(frame, 0, end_step)


begin_without_gil = kernel(_BEGIN_SIGNATURE, release_gil=True)(begin_program.function)
"""`begin_program` without the GIL."""


@kernel(_CONTINUE_SIGNATURE)
def continue_program(frame, first_step, end_step):
    """Runs the steps [first_step, end_step) of a program that has begun; returns the same as `begin_program`."""
    return run_steps(frame, first_step, end_step)


continue_without_gil = kernel(_CONTINUE_SIGNATURE, release_gil=True)(continue_program.function)
"""`continue_program` without the GIL."""


@kernel("-> int")
def clock_ticks():
    """Returns the present time of the processor's clock, in ticks of that clock."""
    return cycle_counter()


ARRAY_TYPE_ADDRESS = id(np.ndarray)
