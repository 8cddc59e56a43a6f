"""``tf.profiler``: the files that it writes, and that it leaves Python's hooks as they were."""

import gzip
import json
import sys
import threading

import pytest

import fastgrad as tf

profiler = tf.profiler.experimental


def events_of(folder):
    (file,) = folder.glob("plugins/profile/*/*.trace.json.gz")
    return json.loads(gzip.decompress(file.read_bytes()))["traceEvents"]


def names_of(folder):
    return [event["name"] for event in events_of(folder) if event["ph"] == "X"]


@tf.function
def doubled(x):
    return x * 2.0


def test_operations_compiled_functions_and_marked_parts_are_events_inside_each_other(tmp_path):
    profiler.start(tmp_path)
    with profiler.Trace("step", step_num=3, _r=1) as trace:
        tf.tanh(tf.constant([1.0, 2.0]))
        doubled(tf.constant(1.0))
        trace.set_metadata(cached=True)
    thread = threading.Thread(target=lambda: tf.exp(tf.constant(1.0)), name="worker")
    thread.start()
    thread.join()
    profiler.stop()
    tf.cos(1.0)
    events = {event["name"]: event for event in events_of(tmp_path)}
    assert {"tanh", "doubled", "exp", "step", "multiply"} <= events.keys()
    assert "cos" not in events
    step, tanh, function = events["step"], events["tanh"], events["doubled"]
    assert step["args"] == {"step_num": "3", "cached": "True"}
    for inner in (tanh, function):
        assert step["ts"] <= inner["ts"]
        assert inner["ts"] + inner["dur"] <= step["ts"] + step["dur"]
    assert tanh["ts"] + tanh["dur"] <= function["ts"]
    assert events["exp"]["tid"] != step["tid"] == tanh["tid"]


def test_options_choose_what_is_recorded(tmp_path):
    def python_function():
        return tf.tanh(1.0)

    folders = [tmp_path / name for name in ("marked", "python")]
    options = [profiler.ProfilerOptions(host_tracer_level=0), profiler.ProfilerOptions(python_tracer_level=1)]
    for folder, option in zip(folders, options, strict=True):
        profiler.start(folder, option)
        with profiler.Trace("part"):
            python_function()
        profiler.stop()
    assert names_of(folders[0]) == ["part"]
    assert {"part", "tanh", "python_function"} <= set(names_of(folders[1]))


def test_a_profile_gives_back_the_hooks(tmp_path):
    seen = []
    hook = lambda frame, event, argument: seen.append(event)
    before = sys.getprofile()
    sys.setprofile(hook)
    try:
        profiler.start(tmp_path)
        profiler.stop()
        assert sys.getprofile() is hook
    finally:
        sys.setprofile(before)
    with pytest.raises(tf.errors.UnavailableError):
        profiler.stop()
    events_of(tmp_path)


def test_one_profile_runs_at_a_time_and_need_not_be_saved(tmp_path):
    profiler.start(tmp_path)
    with pytest.raises(tf.errors.AlreadyExistsError):
        profiler.start(tmp_path)
    profiler.stop(save=False)
    assert list(tmp_path.iterdir()) == []


def test_profiles_of_one_second_have_folders_of_their_own(tmp_path):
    for _ in range(3):
        profiler.start(tmp_path)
        profiler.stop()
    assert len(list(tmp_path.glob("plugins/profile/*/*.trace.json.gz"))) == 3


def test_another_thread_stops_a_profile(tmp_path):
    profiler.start(tmp_path)
    thread = threading.Thread(target=profiler.stop)
    thread.start()
    thread.join()
    tf.tanh(1.0)
    assert sys.getprofile() is None or "fastgrad" not in sys.getprofile().__module__
    assert "tanh" not in names_of(tmp_path)


@pytest.mark.parametrize("call", [
    lambda: profiler.start(None), lambda: profiler.start("x", options=3), lambda: profiler.Trace(3),
])  # fmt: skip
def test_wrong_arguments_start_nothing(call):
    with pytest.raises(TypeError, match="profiler.experimental"):
        call()
    with pytest.raises(tf.errors.UnavailableError):
        profiler.stop()
