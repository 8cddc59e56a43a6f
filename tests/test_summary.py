"""``tf.summary``: numbers for TensorBoard."""

import signal
import sys

import numpy as np
import pytest

import fastgrad as tf
from tests.events import scalars


def test_numbers_of_a_loop(tmp_path):
    writer = tf.summary.create_file_writer(tmp_path)
    assert not tf.summary.scalar("loss", 1.0, step=0)
    with writer.as_default():
        for step in range(3):
            assert tf.summary.scalar("loss", tf.constant(0.5 * step), step=step)
    assert not tf.summary.scalar("loss", 1.0, step=9)
    writer.close()
    assert scalars(tmp_path) == {"loss": [(0, 0.0), (1, 0.5), (2, 1.0)]}


def test_writers_of_one_second_have_files_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1_700_000_000.0)
    for number in range(3):
        writer = tf.summary.create_file_writer(tmp_path, filename_suffix=".end")
        with writer.as_default():
            tf.summary.scalar("loss", float(number), step=number)
        writer.close()
    names = [path.name for path in sorted(tmp_path.iterdir())]
    assert [name.split(".")[-2:] for name in names] == [["0", "end"], ["1", "end"], ["2", "end"]]
    assert all(name.startswith("events.out.tfevents.1700000000.") for name in names)
    assert scalars(tmp_path) == {"loss": [(0, 0.0), (1, 1.0), (2, 2.0)]}


def test_a_record_is_written_in_one_piece(tmp_path):
    """Whatever interrupts a write, what follows it can be read."""
    writer = tf.summary.create_file_writer(tmp_path)
    writer.init()
    for call in range(1, 12):
        calls = [call]

        def interrupt(frame, event, argument, calls=calls):
            calls[0] -= event == "c_call" and getattr(argument, "__name__", "") == "write"
            if calls[0] == 0:
                sys.setprofile(None)
                signal.raise_signal(signal.SIGINT)

        def write(interrupt=interrupt):
            sys.setprofile(interrupt)
            for step in range(20):
                tf.summary.scalar("loss", 1.0, step=step)

        with writer.as_default(), pytest.raises(KeyboardInterrupt):
            write()
    writer.close()
    assert len(scalars(tmp_path)["loss"]) == sum(range(11))


def test_in_compiled_steps(tmp_path):
    writer, count = tf.summary.create_file_writer(tmp_path), tf.Variable(0, dtype=tf.int64)

    @tf.function
    def step(x):
        count.assign_add(1)
        tf.summary.scalar("x", x * 2.0, step=count)

    with writer.as_default():
        for value in (1.0, 2.0, 3.0, 4.0):
            step(tf.constant(value))
    writer.close()
    assert scalars(tmp_path) == {"x": [(1, 2.0), (2, 4.0), (3, 6.0), (4, 8.0)]}


def test_steps_and_conditions(tmp_path):
    writer = tf.summary.create_file_writer(tmp_path)
    assert not tf.summary.should_record_summaries()  # without a writer
    with tf.summary.record_if(True):
        assert not tf.summary.should_record_summaries()
    with writer.as_default(step=7):
        assert tf.summary.should_record_summaries()
        assert tf.summary.experimental.get_step() == 7
        tf.summary.scalar("a", 1)
        with tf.summary.record_if(False):
            assert not tf.summary.should_record_summaries()
            assert not tf.summary.scalar("a", 2)
        with tf.summary.record_if(lambda: True):
            tf.summary.scalar("a", 3)
        tf.summary.histogram("h", np.arange(10.0))
        tf.summary.text("t", "words")
    writer.flush()
    found = scalars(tmp_path)
    assert found["a"] == [(7, 1.0), (7, 3.0)]
    assert found["h"] == [(7, "histo")]
    assert any(name.startswith("t") for name in found)
    with writer.as_default(), pytest.raises(ValueError, match="No step set"):
        tf.summary.scalar("a", 1)
    with writer.as_default(step=0), pytest.raises(ValueError, match="one number"):
        tf.summary.scalar("a", [1.0, 2.0])
    writer.close()
    with writer.as_default(step=0), pytest.raises(RuntimeError, match="closed"):
        tf.summary.scalar("a", 1)


def test_what_is_written_after_a_flush_is_there_too(tmp_path):
    writer = tf.summary.create_file_writer(tmp_path)
    with writer.as_default():
        for step in range(3):
            tf.summary.scalar("loss", 2.0 * step, step=step)
            writer.flush()
            assert len(scalars(tmp_path)["loss"]) == step + 1
    writer.close()
    assert sorted(scalars(tmp_path)["loss"]) == [(0, 0.0), (1, 2.0), (2, 4.0)]
