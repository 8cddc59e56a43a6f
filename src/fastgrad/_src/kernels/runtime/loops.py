"""Steps that run the steps of other programs: loops and branches.

The program of a loop's body has a frame of its own (`driver.py`). Each iteration ("trip") writes the addresses of its
arrays into that frame: the carried values, a row of each input, the inputs that all trips read, and the places of the
results.
"""

from numpy import int64, uint8

from fastgrad._src.jit.body import pointer, scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.runtime.copies_and_jumps import INTEGERS
from fastgrad._src.kernels.runtime.driver import (
    LOOP_PAUSE_INTERVAL_NANOSECONDS,
    OBJECT_COUNT,
    OBJECTS,
    PAUSE_PLACE,
    PAUSED,
    RESUME,
    STATUS,
    STOPPED,
    STOPPED_AT,
    run_steps,
)

CARRIED, ROW, CAPTURED, BUFFER, STACKED = range(5)
"""The kinds of a trip's arrays, each with a number: a carried value (its number), a row of an input (its number), an
input that all trips read (its number), a result that is only carried to the next trip (the number of its buffers), and
a row of a result (the result's number)."""

TOO_MANY_TRIPS = 1

LAYOUT_RECORD_WORDS = 3
"""Words for each array of a trip in `layout`: its kind, its number, and the bytes of a row."""


@kernel("arrays: inouts[uint8]")
def address_table(arrays):
    """Does nothing: steps of loops and branches read arrays' addresses through this step's word."""


@scalar_function
def bind_addresses_to_steps(frame, addresses):
    """Writes the `addresses` of a program's arrays into the words of its steps."""
    description = pointer(int64, frame[OBJECTS])
    for i in range(frame[OBJECT_COUNT]):
        at = 2 + description[1]
        places = description[at]
        for k in range(places):
            pointer(int64, description[at + 1 + k])[0] = addresses[i]
        description = pointer(int64, description[at + 1 + places])


@scalar_function
def array_address(kind, number, row_bytes, trip_row, buffer_index, inputs, outputs, buffers, carried_addresses):
    """Returns the address of an array of a loop's program in a trip, by its kind and number in the layout."""
    if kind == CARRIED:
        return carried_addresses[number]
    if kind == ROW:
        return inputs[number] + trip_row * row_bytes
    if kind == CAPTURED:
        return inputs[number]
    if kind == BUFFER:
        return buffers[2 * number + buffer_index]
    return outputs[number] + trip_row * row_bytes


@scalar_function
def fill_trip_addresses(
    addresses, array_count, layout, trip_row, buffer_index, inputs, outputs, buffers, carried_addresses
):
    """Writes the addresses of all arrays of a trip of a loop into `addresses`."""
    for i in range(array_count):
        at = LAYOUT_RECORD_WORDS * i
        addresses[i] = array_address(
            layout[at],
            layout[at + 1],
            layout[at + 2],
            trip_row,
            buffer_index,
            inputs,
            outputs,
            buffers,
            carried_addresses,
        )


@scalar_function
def copy_carried_values(carried_count, carried, carried_addresses, results):
    """Copies the values that a loop carries, as the last trip left them, to the loop's results."""
    for j in range(carried_count):
        source, target = pointer(uint8, carried_addresses[j]), pointer(uint8, results[j])
        for i in range(carried[2 * j + 1]):
            target[i] = source[i]


@scalar_function
def is_pause_due(pause_clock, nanoseconds):
    """True if a loop must return to Python now, after `nanoseconds` more; `pause_clock` is the address of the sum."""
    spent = pointer(int64, pause_clock)
    spent[0] += nanoseconds
    if spent[0] < LOOP_PAUSE_INTERVAL_NANOSECONDS:
        return False
    spent[0] = 0
    return True


IN_BODY, IN_TEST = 1, 2
"""Where a loop pauses within a trip; 0 is before the trip."""


@scalar_function
def record_pause(frame, trip, pause_place):
    """Records in the frame of a loop's body in which trip, and where in it, the loop pauses; returns `PAUSED`."""
    frame[RESUME] = trip + 1
    frame[PAUSE_PLACE] = pause_place
    return PAUSED


@kernel(
    "body_frame: int, body_steps: int, test_frame: int, test_steps: int, inputs: int, outputs: int, buffers: int, "
    "layout: in[int64], test_layout: in[int64], carried: in[int64], carried_count: int, trip_limit: in[int64], "
    "reverse: int, most_trips: int, test_buffer: int, trip_count_output: int, pause_clock: int, trip_nanoseconds: int, "
    "addresses: inout[int64], carried_addresses: inout[int64] -> int"
)
def run_loop(
    body_frame, body_steps, test_frame, test_steps, inputs, outputs, buffers, layout, test_layout, carried,
    carried_count, trip_limit, reverse, most_trips, test_buffer, trip_count_output, pause_clock, trip_nanoseconds,
    addresses, carried_addresses,
):  # fmt: skip
    """Runs the body of a loop `trip_limit[0]` times, or less often: while its test, another program, gives a true byte.

    `body_frame` is the address of the body's frame, `body_steps` the number of its steps. `test_frame` and `test_steps`
    are those of the test, 0 if there is none; `test_buffer` is the number of the buffers for its byte. `inputs`,
    `outputs` and `buffers` are words of `address_table`. `layout` and `test_layout` have a record for each array of the
    body and of the test. `carried` has two words for each of `carried_count` values: the number of the array that is
    carried, and its bytes. If `reverse`, the last row of the inputs comes first. `trip_count_output` is the number of
    the result for the number of trips, or -1. `pause_clock` and `trip_nanoseconds` are the arguments of `is_pause_due`.
    `addresses` and `carried_addresses` are memory for the addresses of the arrays and of the carried values. Returns 0
    if a trip can't continue, `TOO_MANY_TRIPS` if there would be more than `most_trips` trips, `PAUSED` if the loop must
    be called again with all its memory unchanged, else -1.
    """
    frame, tested = pointer(int64, body_frame), pointer(int64, test_frame)
    given, results = pointer(int64, pointer(int64, inputs)[0]), pointer(int64, pointer(int64, outputs)[0])
    memory = pointer(int64, pointer(int64, buffers)[0])
    total = trip_limit[0]
    trip, start, inside = 0, 0, 0
    again = frame[RESUME] != 0
    if again:
        trip, inside = frame[RESUME] - 1, frame[PAUSE_PLACE]
        start = frame[STOPPED_AT] if inside == IN_BODY else tested[STOPPED_AT] if inside == IN_TEST else 0
        frame[RESUME] = 0
    else:
        for j in range(carried_count):
            carried_addresses[j] = given[j]
    going = True
    while going:
        if not again and is_pause_due(pause_clock, trip_nanoseconds):
            return record_pause(frame, trip, 0)
        again = False
        if inside != IN_BODY:
            going = trip < total
            if going and test_frame != 0:
                fill_trip_addresses(
                    addresses, tested[OBJECT_COUNT], test_layout, 0, 0, given, results, memory, carried_addresses
                )
                bind_addresses_to_steps(tested, addresses)
                if run_steps(tested, start, test_steps) == STOPPED:
                    return record_pause(frame, trip, IN_TEST) if tested[STATUS] == PAUSED else 0
                start = 0
                going = pointer(uint8, memory[2 * test_buffer])[0] != 0
        if going:
            if trip >= most_trips:
                return TOO_MANY_TRIPS
            row = total - 1 - trip if reverse != 0 else trip
            fill_trip_addresses(
                addresses, frame[OBJECT_COUNT], layout, row, trip % 2, given, results, memory, carried_addresses
            )
            bind_addresses_to_steps(frame, addresses)
            if run_steps(frame, start, body_steps) == STOPPED:
                return record_pause(frame, trip, IN_BODY) if frame[STATUS] == PAUSED else 0
            start, inside = 0, 0
            for j in range(carried_count):
                carried_addresses[j] = addresses[carried[2 * j]]
            trip += 1
    copy_carried_values(carried_count, carried, carried_addresses, results)
    if trip_count_output >= 0:
        pointer(int64, results[trip_count_output])[0] = trip
    return -1


BRANCH_FRAME, BRANCH_STOP, BRANCH_LAYOUT, BRANCH_COPIES, NEXT_BRANCH = range(5)
"""Words of a branch."""


@kernel("branch_frame: int, step_count: int, layout: in[int64], copies: in[int64], next_branch: int")
def branch(branch_frame, step_count, layout, copies, next_branch):
    """Does nothing: its words describe a branch to `run_branch`; `next_branch` is the address of the next words."""


@kernel(
    "index: in[T], branches: int, count: int, inputs: int, outputs: int, addresses: inout[int64] -> int", T=INTEGERS
)
def run_branch(index, branches, count, inputs, outputs, addresses):
    """Runs one of several programs: the one of number `index`, or the last one if no program has that number.

    `branches` are the words of the first `branch`, of `count`. `inputs` and `outputs` are words of `address_table`.
    `addresses` is memory for the addresses of a program's arrays. Returns 0 if the program can't continue, `PAUSED` if
    a loop in it pauses, else -1.
    """
    number = int64(index[0])
    if number < 0 or number >= count:
        number = count - 1
    chosen = pointer(int64, branches)
    for _ in range(number):
        chosen = pointer(int64, chosen[NEXT_BRANCH])
    given, results = pointer(int64, pointer(int64, inputs)[0]), pointer(int64, pointer(int64, outputs)[0])
    frame, layout, copies = (
        pointer(int64, chosen[BRANCH_FRAME]),
        pointer(int64, chosen[BRANCH_LAYOUT]),
        pointer(int64, chosen[BRANCH_COPIES]),
    )
    for i in range(frame[OBJECT_COUNT]):
        at = LAYOUT_RECORD_WORDS * i
        addresses[i] = array_address(layout[at], layout[at + 1], 0, 0, 0, given, results, results, given)
    bind_addresses_to_steps(frame, addresses)
    start = frame[STOPPED_AT] if frame[RESUME] != 0 else 0
    if run_steps(frame, start, chosen[BRANCH_STOP]) == STOPPED:
        return PAUSED if frame[STATUS] == PAUSED else 0
    for i in range(copies[0]):
        source = pointer(uint8, results[copies[3 * i + 1]])
        target = pointer(uint8, results[copies[3 * i + 2]])
        for k in range(copies[3 * i + 3]):
            target[k] = source[k]
    return -1
