"""Threads and processes that do the same at once, and forks in the middle of it."""

import os

import pytest

from tests.reliability.faults import victims

PROCESSES = 8


@pytest.mark.parametrize("threads", ["1", "3"])
def test_threads_that_call_steps_at_once(threads, full, figure):
    calls = victims.run("concurrency", "threads", 60 if full else 10, timeout=600, FASTGRAD_NUM_THREADS=threads)
    figure("calls by eight threads at once", int(calls))


def test_processes_that_compile_a_step_at_once(tmp_path, figure):
    """With an empty cache; all have the same bits, and the folder has the entries of one process and nothing else."""
    folders = [tmp_path / "together", tmp_path / "alone"]
    alone = victims.run("concurrency", "compile_step", FASTGRAD_CACHE_DIR=str(folders[1]), timeout=600)
    processes = [
        victims.start("concurrency", "compile_step", FASTGRAD_CACHE_DIR=str(folders[0])) for _ in range(PROCESSES)
    ]
    try:
        assert [process.communicate(timeout=600) for process in processes] == [(alone, "")] * PROCESSES
    finally:
        for process in processes:
            process.kill()
    names = [sorted(os.listdir(folder)) for folder in folders]
    assert names[0] == names[1]
    figure("processes that compile a step at once", PROCESSES)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forks_while_other_threads_compute(full, figure):
    forks = sum(int(victims.run("concurrency", "forks", 15 if full else 5, seed)) for seed in range(3 if full else 1))
    figure("forks in the middle of other threads' work", forks)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forks_while_another_thread_frees_kernels(full, figure):
    """LLVM's lock was held for ever in the child: freeing a kernel takes no lock of fastgrad."""
    figure(
        "forks while kernels are freed",
        int(victims.run("concurrency", "forks_while_kernels_are_freed", 500 if full else 20)),
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forks_while_another_thread_holds_a_lock(figure):
    figure("forks while a library's lock is held", int(victims.run("concurrency", "forks_while_a_thread_holds_a_lock")))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_while_another_thread_imports(tmp_path, figure):
    """Kernels are imported at their first use; an import that another thread had begun never ended in the child."""
    figure(
        "forks while a thread imports", int(victims.run("concurrency", "fork_while_a_thread_imports", str(tmp_path)))
    )
