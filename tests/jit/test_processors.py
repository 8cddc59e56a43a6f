"""How many threads a process is to compute with."""

import os

import pytest

from fastgrad._src.jit.processors import control_group_quota, default_threads


def written(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(folder / "sys"), str(folder / "groups")


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"groups": "0::/\n", "sys/cpu.max": "max 100000\n"}, None),
        ({"groups": "0::/\n", "sys/cpu.max": "200000 100000\n"}, 2),
        ({"groups": "0::/a/b\n", "sys/a/b/cpu.max": "250000 100000\n"}, 3),
        ({"groups": "0::/a/b\n", "sys/a/b/cpu.max": "max 100000\n", "sys/a/cpu.max": "50000 100000\n"}, 1),
        ({"groups": "3:cpu,cpuacct:/c\n2:memory:/\n", "sys/cpu/c/cpu.cfs_quota_us": "400000\n",
          "sys/cpu/c/cpu.cfs_period_us": "100000\n"}, 4),
        ({"groups": "1:cpu:/\n0::/\n", "sys/cpu/cpu.cfs_quota_us": "-1\n", "sys/cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"groups": "0::/gone\n"}, None),
        ({"groups": "0::/\n", "sys/cpu.max": "of another kind\n"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_limits_of_control_groups(tmp_path, files, limit):
    assert control_group_quota(*written(tmp_path, files)) == limit


def test_threads_are_as_many_as_processors_may_be_used(monkeypatch):
    monkeypatch.delenv("FASTGRAD_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(6), raising=False)
    for limit, threads in ((None, 6), (2, 2), (9, 6)):
        monkeypatch.setattr("fastgrad._src.jit.processors.control_group_quota", lambda limit=limit: limit)
        assert default_threads() == threads
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert default_threads() == 5


def test_the_variable_decides(monkeypatch):
    monkeypatch.setenv("FASTGRAD_NUM_THREADS", "7")
    assert default_threads() == 7
    for text in ("0", "-1", "two", "1.5"):
        monkeypatch.setenv("FASTGRAD_NUM_THREADS", text)
        with pytest.raises(ValueError, match="FASTGRAD_NUM_THREADS is"):
            default_threads()
