"""`benchmarks/fast_steps.py` times steps that train alike, and datasets that have the same examples."""

import itertools
import time

import numpy as np
import pytest

from benchmarks import fast_steps


def examples(count):
    rng = np.random.default_rng(0)
    return rng.normal(size=(count, 32)).astype("float32"), rng.integers(0, 10, count)


def test_the_step_trains_alike_however_much_is_compiled():
    x, y = examples(64)
    steps = [fast_steps.make_step(compiled) for compiled in ("nothing", "gradients", "step")]
    losses = [[float(step(x, y)) for _ in range(3)] for step in steps]
    assert losses[0][2] < losses[0][0]
    np.testing.assert_allclose(losses[1:], [losses[0]] * 2, rtol=1e-5)


def test_each_dataset_has_the_examples_in_batches(tmp_path):
    x, y = examples(130)
    for name, dataset in fast_steps.pipelines(x, y, tmp_path).items():
        values, labels = (np.concatenate([part.numpy() for part in parts]) for parts in zip(*dataset, strict=True))
        assert len(labels) == 128, name  # what is left of the last batch is dropped
        expected = np.sqrt(np.abs(x)) if "`map`" in name else x
        if name.startswith("`shuffle`"):
            assert {row.tobytes() for row in values} < {row.tobytes() for row in x}
            assert labels.tolist() != y[:128].tolist()
        else:
            np.testing.assert_allclose(values, expected[:128], rtol=1e-6, err_msg=name)
            assert labels.tolist() == y[:128].tolist()


def test_a_time_is_the_least_in_microseconds(monkeypatch):
    clock = itertools.accumulate(itertools.cycle([0.0, 3.0, 0.0, 2.0]))
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    calls = []
    assert fast_steps.least_time(lambda: calls.append(1), calls=4) == pytest.approx(2e6)
    assert len(calls) == 14  # ten before the clock is looked at


def test_the_time_of_an_epoch_is_divided_by_its_steps(monkeypatch, tmp_path):
    x, y = examples(256)
    clock = itertools.count(0.0, 0.5)
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    assert fast_steps.epoch_time(fast_steps.pipelines(x, y, tmp_path)["arrays"], epochs=2) == pytest.approx(0.5e6 / 4)


def test_fit_has_a_time():
    assert fast_steps.fit_time(*examples(128)) > 0.0


def test_the_table_has_a_row_for_each_step_and_dataset(monkeypatch, capsys, tmp_path):
    def called(call, calls=300):
        call()
        return 1.25

    monkeypatch.setattr(fast_steps, "least_time", called)
    monkeypatch.setattr(fast_steps, "epoch_time", lambda dataset, epochs=5: float(len(dataset)))
    monkeypatch.setattr(fast_steps, "fit_time", lambda x, y: float(len(x)))
    fast_steps.main()
    rows = dict(line.strip("| ").rsplit(" | ", 1) for line in capsys.readouterr().out.splitlines()[2:])
    assert {rows[f"{compiled} in `tf.function`"] for compiled in ("nothing", "gradients", "step")} == {"1.2"}
    assert [name for name in rows if name.startswith("batches of")] == [f"batches of {4**n}" for n in range(2, 7)]
    assert {rows[name] for name in fast_steps.pipelines(*examples(64), tmp_path)} == {"128.0"}
    assert rows["`fit`"] == "8192.0"
