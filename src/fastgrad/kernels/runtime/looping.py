"""Steps that run the steps of other programs: loops and branches.

The program of a loop's body has a frame of its own (`driver.py`). Each iteration ("trip") writes the addresses of its
arrays into that frame: the carried values, a row of each input, the inputs that all trips read, and the places of the
results.
"""

from numpy import int64, uint8

from fastgrad.kernels.codegen.body import pointer, scalar_function
from fastgrad.kernels.codegen.build import kernel
from fastgrad.kernels.runtime.driver import (
    ANSWER,
    NANOSECONDS_BETWEEN_PAUSES,
    OBJECT_COUNT,
    OBJECTS,
    PAUSE_PLACE,
    PAUSED,
    RESUME,
    STOPPED,
    STOPPED_AT,
    run_steps,
)
from fastgrad.kernels.runtime.moving import INTEGERS

CARRIED, ROW, CAPTURED, BUFFER, STACKED = range(5)
"""The kinds of a trip's arrays, each with a number: a carried value (its number), a row of an input (its number), an
input that all trips read (its number), a result that is only carried to the next trip (the number of its buffers), and
a row of a result (the result's number)."""

TOO_MANY_TRIPS = 1

LAYOUT_RECORD_WORDS = 3
"""Words for each array of a trip in `layout`: its kind, its number, and the bytes of a row."""


@kernel("arrays: inouts[uint8]")
def address_table(arrays):
    """Does nothing: a step that only holds, in its word, the address of a table of the addresses of arrays."""


@scalar_function
def write_addresses(frame, table):
    """Writes the addresses in `table` into the steps of a program."""
    wanted = pointer(int64, frame[OBJECTS])
    for i in range(frame[OBJECT_COUNT]):
        at = 2 + wanted[1]
        places = wanted[at]
        for k in range(places):
            pointer(int64, wanted[at + 1 + k])[0] = table[i]
        wanted = pointer(int64, wanted[at + 1 + places])


@scalar_function
def array_address(kind, number, row_bytes, row, is_odd_trip, inputs, outputs, buffers, carried_addresses):
    """Returns the address of an array of a loop's program in a trip, by its kind and number in the layout."""
    if kind == CARRIED:
        return carried_addresses[number]
    if kind == ROW:
        return inputs[number] + row * row_bytes
    if kind == CAPTURED:
        return inputs[number]
    if kind == BUFFER:
        return buffers[2 * number + is_odd_trip]
    return outputs[number] + row * row_bytes


@scalar_function
def fill_address_table(table, arrays, layout, row, is_odd_trip, inputs, outputs, buffers, carried_addresses):
    """Writes the addresses of all arrays of a trip of a loop into `table`."""
    for i in range(arrays):
        at = LAYOUT_RECORD_WORDS * i
        table[i] = array_address(
            layout[at], layout[at + 1], layout[at + 2], row, is_odd_trip, inputs, outputs, buffers, carried_addresses
        )


@scalar_function
def copy_carried_values(count, carried, carried_addresses, results):
    """Copies the values that the last trip of a loop carries into its results."""
    for j in range(count):
        source, target = pointer(uint8, carried_addresses[j]), pointer(uint8, results[j])
        for i in range(carried[2 * j + 1]):
            target[i] = source[i]


@scalar_function
def is_pause_due(spent_at, nanoseconds):
    """True if a loop must return to Python now, after `nanoseconds` more of run time."""
    spent = pointer(int64, spent_at)
    spent[0] += nanoseconds
    if spent[0] < NANOSECONDS_BETWEEN_PAUSES:
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
    "body: int, stop: int, inputs: int, outputs: int, buffers: int, layout: in[int64], carried: in[int64], count: int, "
    "trips: in[int64], reverse: int, spent_at: int, trip_nanoseconds: int, table: inout[int64], "
    "carried_addresses: inout[int64] -> int"
)
def run_rows(
    body, stop, inputs, outputs, buffers, layout, carried, count, trips, reverse, spent_at, trip_nanoseconds, table,
    carried_addresses,
):  # fmt: skip
    """Runs a program for each of the first `trips[0]` rows.

    `body` is the address of its frame, `stop` the number of its steps. `inputs`, `outputs` and `buffers` are words of
    `address_table`. `layout` has a record for each array of the program. `carried` has two words for each of `count`
    values: the number of the array that is carried, and its bytes. `spent_at` and `trip_nanoseconds` are the arguments
    of `is_pause_due`. `table` and `carried_addresses` are memory for the addresses of the arrays and of the carried
    values. Returns 0 if a trip can't continue, `PAUSED` if the loop must be called again with all its memory unchanged,
    else -1.
    """
    frame = pointer(int64, body)
    given, results = pointer(int64, pointer(int64, inputs)[0]), pointer(int64, pointer(int64, outputs)[0])
    memory = pointer(int64, pointer(int64, buffers)[0])
    total = trips[0]
    trip, start = 0, 0
    again = frame[RESUME] != 0
    if again:
        trip = frame[RESUME] - 1
        start = frame[STOPPED_AT] if frame[PAUSE_PLACE] == IN_BODY else 0
        frame[RESUME] = 0
    else:
        for j in range(count):
            carried_addresses[j] = given[j]
    while trip < total:
        if not again and is_pause_due(spent_at, trip_nanoseconds):
            return record_pause(frame, trip, 0)
        again = False
        row = total - 1 - trip if reverse != 0 else trip
        fill_address_table(table, frame[OBJECT_COUNT], layout, row, trip % 2, given, results, memory, carried_addresses)
        write_addresses(frame, table)
        if run_steps(frame, start, stop) == STOPPED:
            return record_pause(frame, trip, IN_BODY) if frame[ANSWER] == PAUSED else 0
        start = 0
        for j in range(count):
            carried_addresses[j] = table[carried[2 * j]]
        trip += 1
    copy_carried_values(count, carried, carried_addresses, results)
    return -1


@kernel(
    "body: int, stop: int, test: int, test_stop: int, inputs: int, outputs: int, buffers: int, layout: in[int64], "
    "test_layout: in[int64], carried: in[int64], count: int, limit: in[int64], most_trips: int, answer: int, "
    "trips_result: int, spent_at: int, trip_nanoseconds: int, table: inout[int64], "
    "carried_addresses: inout[int64] -> int"
)
def run_while(
    body, stop, test, test_stop, inputs, outputs, buffers, layout, test_layout, carried, count, limit, most_trips,
    answer, trips_result, spent_at, trip_nanoseconds, table, carried_addresses,
):  # fmt: skip
    """Runs a program while another program, `test`, gives a true byte, at most `limit[0]` times.

    `answer` is the number of the buffers for that byte. `trips_result` is the number of the result for the number of
    trips, or -1. The other parameters are those of `run_rows`. Returns 0 if a trip can't continue, `TOO_MANY_TRIPS` if
    there would be more than `most_trips` trips, `PAUSED` as `run_rows` does, else -1.
    """
    frame, tested = pointer(int64, body), pointer(int64, test)
    given, results = pointer(int64, pointer(int64, inputs)[0]), pointer(int64, pointer(int64, outputs)[0])
    memory = pointer(int64, pointer(int64, buffers)[0])
    trip, start, inside = 0, 0, 0
    again = frame[RESUME] != 0
    if again:
        trip, inside = frame[RESUME] - 1, frame[PAUSE_PLACE]
        start = frame[STOPPED_AT] if inside == IN_BODY else tested[STOPPED_AT] if inside == IN_TEST else 0
        frame[RESUME] = 0
    else:
        for j in range(count):
            carried_addresses[j] = given[j]
    going = True
    while going:
        if not again and is_pause_due(spent_at, trip_nanoseconds):
            return record_pause(frame, trip, 0)
        again = False
        if inside != IN_BODY:
            going = trip < limit[0]
            if going:
                fill_address_table(
                    table, tested[OBJECT_COUNT], test_layout, 0, 0, given, results, memory, carried_addresses
                )
                write_addresses(tested, table)
                if run_steps(tested, start, test_stop) == STOPPED:
                    return record_pause(frame, trip, IN_TEST) if tested[ANSWER] == PAUSED else 0
                start = 0
                going = pointer(uint8, memory[2 * answer])[0] != 0
        if going:
            if trip >= most_trips:
                return TOO_MANY_TRIPS
            fill_address_table(
                table, frame[OBJECT_COUNT], layout, trip, trip % 2, given, results, memory, carried_addresses
            )
            write_addresses(frame, table)
            if run_steps(frame, start, stop) == STOPPED:
                return record_pause(frame, trip, IN_BODY) if frame[ANSWER] == PAUSED else 0
            start, inside = 0, 0
            for j in range(count):
                carried_addresses[j] = table[carried[2 * j]]
            trip += 1
    copy_carried_values(count, carried, carried_addresses, results)
    if trips_result >= 0:
        pointer(int64, results[trips_result])[0] = trip
    return -1


BRANCH_FRAME, BRANCH_STOP, BRANCH_LAYOUT, BRANCH_COPIES, NEXT_BRANCH = range(5)
"""Words of a branch."""


@kernel("frame: int, stop: int, layout: in[int64], copies: in[int64], following: int")
def branch(frame, stop, layout, copies, following):
    """Does nothing: the words of this step describe a branch; `following` is the address of the next branch's words."""


@kernel("index: in[T], branches: int, count: int, inputs: int, outputs: int, table: inout[int64] -> int", T=INTEGERS)
def run_branch(index, branches, count, inputs, outputs, table):
    """Runs one of several programs: the one of number `index`, or the last one if no program has that number.

    `branches` are the words of the first `branch`, of `count`. `inputs` and `outputs` are words of `address_table`. `table`
    is memory for the addresses of a program's arrays. Returns 0 if the program can't continue, `PAUSED` if a loop in it
    pauses, else -1.
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
        table[i] = array_address(layout[at], layout[at + 1], 0, 0, 0, given, results, results, given)
    write_addresses(frame, table)
    start = frame[STOPPED_AT] if frame[RESUME] != 0 else 0
    if run_steps(frame, start, chosen[BRANCH_STOP]) == STOPPED:
        return PAUSED if frame[ANSWER] == PAUSED else 0
    for i in range(copies[0]):
        source = pointer(uint8, results[copies[3 * i + 1]])
        target = pointer(uint8, results[copies[3 * i + 2]])
        for k in range(copies[3 * i + 3]):
            target[k] = source[k]
    return -1
