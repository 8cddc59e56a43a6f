"""Faults of ranks: no rank hangs, and the error names the rank."""

from __future__ import annotations

import os
import re
import signal
import time

import pytest

from tests.distribute.ranks import run_ranks, start_ranks

MOST_SECONDS = 120.0
"""Seconds within which all ranks end after a fault."""


def run(program, count=2, **environment):
    """Runs a program of `fault_programs.py`; returns the launcher's status, the output, and the seconds since the fault."""
    status, output = run_ranks(count, ["-m", "tests.distribute.fault_programs", program], timeout=600, **environment)
    return status, output, seconds_since_fault(output)


def seconds_since_fault(output):
    match = re.search(r"FAULT (\d+\.\d+)", output)
    return time.time() - float(match[1]) if match else 0.0


def error_of(output, rank):
    """Returns what a rank printed when it failed; the launcher may join lines of two ranks."""
    match = re.search(
        rf"rank {rank} of \d+ (failed|stops):(.*?)(?=rank \d+ of \d+ (failed|stops):|Abort\(|^=====|\Z)",
        output,
        re.MULTILINE | re.DOTALL,
    )
    assert match, output
    return match[2]


@pytest.mark.parametrize(
    "program", ["raises", "raises_while_others_compute", "raises_in_a_thread", "raises_in_eager_code"]
)
@pytest.mark.parametrize("count", [2])
def test_an_exception_of_a_rank_stops_all_with_its_traceback(program, count):
    status, output, seconds = run(program, count)
    assert status != 0
    assert seconds < MOST_SECONDS
    assert "ValueError: one bad batch" in error_of(output, 1)
    error = error_of(output, 0)
    assert "Rank 1 of 2 raised ValueError" in error
    assert "fault_programs.py" in error
    assert "ValueError: one bad batch" in error


def test_an_exception_stops_all_of_three_ranks():
    status, output, seconds = run("raises", 3)
    assert status != 0
    assert seconds < MOST_SECONDS
    for rank in (0, 2):
        assert "UnavailableError: Rank 1 of 3 raised ValueError" in error_of(output, rank)


@pytest.mark.parametrize("program", ["leaves", "ends_early"])
def test_a_rank_that_others_wait_for_and_that_ended_is_named(program):
    status, output, seconds = run(program)
    assert status != 0
    assert seconds < MOST_SECONDS
    assert re.search(
        r"UnavailableError: Rank 1 of 2 has ended \(.*\) after 4 collectives, and rank 0 waits for it in collective 5: "
        r"all_reduce\(float32\[4\], 'sum'\)",
        error_of(output, 0),
    )


def test_the_status_of_a_rank_is_that_of_the_job():
    status, output, seconds = run("leaves_with_status")
    assert status == 3, output
    assert seconds < MOST_SECONDS


@pytest.mark.parametrize(
    ("program", "reason"),
    [("killed", "Killed"), ("terminated", "Terminated"), ("crashes", "Segmentation fault")],
)
def test_a_rank_that_a_signal_ends(program, reason):
    status, output, seconds = run(program)
    assert status != 0
    assert seconds < MOST_SECONDS
    processes = re.findall(r"rank \d is process (\d+)", output)
    # The launcher's message; it may name a rank that it ended itself, because the other one was killed.
    assert re.search(r"PID (\d+) ", output)[1] in processes
    assert reason in output


def test_a_crash_shows_its_traceback():
    _, output, _ = run("crashes")
    assert re.search(r"Fatal Python error: Segmentation fault.*fault_programs\.py", output, re.DOTALL)


def test_a_dead_rank_is_named_if_the_launcher_lets_others_live():
    status, output, seconds = run("watched_rank_is_dead")
    assert status != 0
    assert seconds < MOST_SECONDS
    assert re.search(r"UnavailableError: Rank 1 of 2 \(process \d+\) was killed or crashed", error_of(output, 0))


@pytest.mark.parametrize("program", ["ends", "ends_late", "is_slow", "without_collectives", "without_world", "catches"])
def test_ranks_that_end_well(program):
    status, output, _ = run(program)
    assert status == 0, output
    assert output.count("done") == 2
    assert not re.search(r"^rank \d of \d (failed|stops)", output, re.MULTILINE)


@pytest.mark.parametrize("program", ["fails_before_world", "skips_world"])
def test_a_rank_that_ends_before_mpi_starts(program):
    status, output, seconds = run(program)
    assert status != 0
    assert seconds < MOST_SECONDS
    assert "A rank has ended before it started MPI" in output
    assert ("FileNotFoundError: no data here" in output) == (program == "fails_before_world")


def test_a_slow_rank_is_named_in_warnings():
    status, output, _ = run("is_slow", 3, FASTGRAD_STALL_WARNING_SECONDS="2")
    assert status == 0, output
    for rank in (0, 2):
        assert re.search(
            rf"WARNING: rank {rank} has waited for [23] s in collective 5, all_reduce.*Not there yet: rank 1\.", output
        )
    assert output.count("WARNING") == 2


@pytest.mark.parametrize(
    ("program", "texts"),
    [
        ("other_shape", ["rank 0 runs all_reduce(float32[16], 'sum')", "rank 1 runs all_reduce(float32[17], 'sum')"]),
        (
            "other_shape_in_step",
            ["rank 0 runs all_reduce(float32[4], 'sum')", "rank 1 runs all_reduce(float32[1], 'sum')"],
        ),
        ("other_reduction", ["rank 0 runs all_reduce(float32[4], 'sum')", "rank 1 runs all_reduce(float32[4], 'max')"]),
        ("other_order", ["rank 0 runs all_reduce(float32[4], 'max')", "rank 1 runs all_reduce(float32[4], 'sum')"]),
        ("other_order_in_steps", ["rank 0 runs all_reduce(float32[4], 'sum')", "rank 1 runs all_gather(float32[4])"]),
        ("other_function", ["`tanh(float32)` in rank 0", "`relu(float32)` in rank 1", "function 'other_step'"]),
    ],
)
def test_ranks_that_differ_are_told_in_what(program, texts):
    status, output, seconds = run(program)
    assert status != 0
    assert seconds < MOST_SECONDS
    for rank in (0, 1):
        error = error_of(output, rank)
        for text in texts:
            assert text in error, output
    assert not re.search(r"^(RESULT|RETURNED)", output, re.MULTILINE)  # no wrong number


def test_ranks_of_different_versions_do_not_start():
    status, output, seconds = run("other_version")
    assert status != 0
    assert seconds < MOST_SECONDS
    # The launcher may end a rank before it has printed its error: the other's names both.
    assert re.search(r"RuntimeError: The ranks run different versions: numba 0\.1 in rank 1, \S+ in rank 0\.", output)


def test_a_nan_is_reported_with_its_rank():
    status, output, seconds = run("has_nan")
    assert status != 0
    assert seconds < MOST_SECONDS
    assert re.search(r"InvalidArgumentError: rank 1: log: Detected NaN", error_of(output, 1))
    assert "rank 1: log: Detected NaN" in error_of(output, 0)


def test_a_rank_that_is_interrupted():
    status, output, seconds = run("interrupted")
    assert status != 0
    assert seconds < MOST_SECONDS
    assert output.count("KeyboardInterrupt") == 1
    assert "UnavailableError: Rank 1 of 2 was interrupted" in error_of(output, 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_launcher_ends_all_ranks(number):
    process = start_ranks(2, ["-m", "tests.distribute.fault_programs", "runs_forever"])
    lines = []
    while "".join(lines).count("FAULT") < 2:  # the ranks may write to one line
        lines.append(process.stdout.readline())
        assert lines[-1], "".join(lines)
    time.sleep(0.5)
    ranks = [int(number) for number in re.findall(r"is process (\d+)", "".join(lines))]
    began = time.monotonic()
    os.kill(process.pid, number)
    output, _ = process.communicate(timeout=600)
    assert time.monotonic() - began < MOST_SECONDS
    assert process.returncode != 0
    if number == signal.SIGINT:
        assert 1 <= output.count("KeyboardInterrupt") <= 2, output
    while any(map(is_alive, ranks)):
        assert time.monotonic() - began < MOST_SECONDS


def is_alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
