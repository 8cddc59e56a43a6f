"""The report of where a script's time goes before its steps run."""

import os
import re
import subprocess
import sys
import threading
import time

from fastgrad._src.jit.phases import PHASES, VARIABLE, StartReport, phase, report

PROGRAM = """
import fastgrad as tf

@tf.function
def f(x):
    return tf.reduce_sum(tf.sin(x) * x)

print(f(tf.ones(5)).numpy(), f(tf.ones(5)).numpy())
"""


def run(tmp_path, **variables):
    environment = {**os.environ, "FASTGRAD_CACHE_DIR": str(tmp_path), **variables}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    return done.stderr


def seconds_and_counts(text):
    found = re.findall(r"^ +([\d.]+) s  (.{12})(?:  +(\d+) times)?", text, re.MULTILINE)
    return {name.strip(): (float(seconds), int(count or 0)) for seconds, name, count in found}


def test_a_phase_inside_of_another_counts_once(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    timed = StartReport()
    with timed.of("planning"):
        now[0] += 2.0
        with timed.of("front end"):
            now[0] += 5.0
            with timed.of("LLVM"):
                now[0] += 3.0
    assert timed.seconds == {"planning": 2.0, "front end": 5.0, "LLVM": 3.0}
    assert timed.counts == {"planning": 1, "front end": 1, "LLVM": 1}


def test_threads_have_phases_of_their_own():
    timed = StartReport()

    def work():
        with timed.of("LLVM"):
            time.sleep(0.05)

    with timed.of("planning"):
        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert timed.seconds["LLVM"] >= 0.1
    assert timed.seconds["planning"] >= 0.05


def test_a_process_reports_at_its_end(tmp_path):
    cold = seconds_and_counts(run(tmp_path, **{VARIABLE: "1"}))
    assert [*cold] == [*PHASES, "the rest"]
    assert [name for name, (_, count) in cold.items() if not count] == ["waiting", "the rest"]  # one process compiles
    assert cold["LLVM"][0] > 0
    warm = seconds_and_counts(run(tmp_path, **{VARIABLE: "1"}))
    assert warm["front end"] == (0.0, 0)
    assert warm["kernel cache"][1] > 0
    assert warm["recording"][1] == cold["recording"][1]


def test_nothing_is_reported_unasked(tmp_path):
    assert report is None
    assert phase("LLVM") is phase("planning")
    assert "since its import" not in run(tmp_path)
