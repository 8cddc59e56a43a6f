"""Work that Ctrl-C does not cut."""

import signal
import threading
import time

import pytest

from fastgrad._src.jit.uninterrupted import run_uninterrupted


def test_results_and_errors():
    assert run_uninterrupted(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        run_uninterrupted(divmod, 7, 0)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers of signals")
def test_an_interrupt_ends_the_waiting_and_not_the_work():
    done = threading.Event()

    def work():
        time.sleep(0.2)
        done.set()

    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            run_uninterrupted(work)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not done.is_set()
    assert done.wait(60)


def test_a_thread_that_holds_numbas_lock_does_the_work_itself():
    from numba.core.compiler_lock import global_compiler_lock

    with global_compiler_lock:
        assert run_uninterrupted(threading.get_ident) == threading.get_ident()
    assert run_uninterrupted(threading.get_ident) != threading.get_ident()
