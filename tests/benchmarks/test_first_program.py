"""`benchmarks/first_program.py` times each library's program to its first printed line and to the end of its process."""

import subprocess
import sys

import pytest

from benchmarks import first_program
from benchmarks.first_program import programs, run
from benchmarks.readme_program import TimedRun, readme_program


def test_tensorflow_runs_the_program_of_the_readme():
    ours, theirs = programs()["fastgrad"].splitlines(), programs()["tensorflow"].splitlines()
    assert ours == readme_program()[0].splitlines()
    changed = [pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]]
    assert changed == [
        ("import fastgrad as tf", "import tensorflow as tf"),
        ('        print(f"step {step}: loss {loss:.1f}")', '        print(f"step {step}: loss {float(loss):.1f}")'),
    ]
    for library, text in programs().items():
        compile(text, library, "exec")


def test_a_run_has_the_time_of_its_first_line_and_of_its_end():
    text = "import time\nprint('step 0: loss 0.7')\ntime.sleep(0.3)\nprint('step 300: loss 0.0')"
    seconds = run("fastgrad", text, sys.executable)
    assert seconds.first + 0.3 <= seconds.whole


@pytest.mark.parametrize(("text", "message"), [("1 / 0", "ZeroDivisionError"), ("print('step 300: loss 0.4')", "0.4")])
def test_a_program_that_fails_or_has_not_learnt_is_told(text, message):
    with pytest.raises(RuntimeError, match=f"jax: .*{message}"):
        run("jax", text, sys.executable)


def test_the_table_has_each_library(monkeypatch, capsys):
    monkeypatch.setattr(first_program, "run", lambda library, program, python: TimedRun(0.25, 0.5, "", 0))
    assert first_program.main(["--rounds", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:] == [f"| {library} | 0.25 | 0.50 |" for library in ("fastgrad", "tensorflow", "torch", "jax")]


def test_the_command_says_what_it_takes():
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.first_program", "--help"], capture_output=True, text=True, check=True
    )
    assert "--python" in told.stdout
