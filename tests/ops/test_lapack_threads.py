"""Operations of small matrices use one thread of OpenBLAS, and leave the number of threads as it was."""

import threading

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.ops import lapack_threads
from fastgrad._src.ops.lapack_threads import LEAST_ELEMENTS, MOST_ELEMENTS, OF_NUMPY, OF_SCIPY, OpenBlas

BOTH = {"numpy": OF_NUMPY, "scipy": OF_SCIPY}


@pytest.fixture(params=BOTH)
def blas(request):
    """An OpenBLAS that has three threads, if it is one."""
    library = BOTH[request.param]
    if library._functions is None:
        pytest.skip(f"{request.param} is linked with another BLAS")
    get_threads, set_threads = library._functions
    before = get_threads()
    set_threads(3)
    yield library
    set_threads(before)


def threads_of(blas):
    return blas._functions[0]()


def test_small_matrices_take_one_thread(blas):
    found = []
    run = lapack_threads.with_one_thread_if_small(lambda *arrays: found.append(threads_of(blas)), blas)
    side, least = int(MOST_ELEMENTS**0.5), int(LEAST_ELEMENTS**0.5)
    run(np.ones((least, least)))
    run(np.ones((3, side, side)), np.ones(()))
    run(np.ones((least, least)), np.ones((least, MOST_ELEMENTS)))  # much work
    run(np.ones((side, side + 1)))
    run(np.ones((4, 4)))  # OpenBLAS itself takes one
    run(np.ones(5))
    assert found == [1, 1, 3, 3, 3, 3]
    assert threads_of(blas) == 3


def test_the_number_of_threads_comes_back_after_an_error(blas):
    def fail(x):
        raise ValueError("failed")

    with pytest.raises(ValueError, match="failed"):
        lapack_threads.with_one_thread_if_small(fail, blas)(np.ones((64, 64)))
    assert threads_of(blas) == 3


def test_limits_of_several_threads_overlap(blas):
    begun, go_on, found = threading.Event(), threading.Event(), []

    def wait(x):
        begun.set()
        assert go_on.wait(60)
        found.append(threads_of(blas))

    limited = lapack_threads.with_one_thread_if_small(wait, blas)
    waiting = threading.Thread(target=limited, args=(np.ones((64, 64)),))
    waiting.start()
    assert begun.wait(60)
    lapack_threads.with_one_thread_if_small(lambda x: None, blas)(np.ones((64, 64)))
    go_on.set()
    waiting.join()
    assert (found, threads_of(blas)) == ([1], 3)


def test_the_rows_use_it():
    x = np.eye(64, dtype=np.float32) * 3
    counts = {"numpy": 0, "scipy": 0}
    with pytest.MonkeyPatch.context() as patch:
        for name, library in BOTH.items():

            def limit(name=name):
                counts[name] += 1

            patch.setattr(library, "limit", limit)
            patch.setattr(library, "restore", lambda: None)
        for function in (tf.linalg.cholesky, tf.linalg.inv, tf.linalg.qr, tf.linalg.svd, tf.linalg.eigh, tf.linalg.det):
            function(x)
        tf.linalg.solve(x, x)
        assert counts == {"numpy": 7, "scipy": 0}
        tf.linalg.triangular_solve(x, x)
        tf.linalg.lu(x)
        tf.linalg.expm(x)
        assert counts == {"numpy": 7, "scipy": 3}


def test_another_blas_is_left_alone():
    for module in (lambda: threading, lambda: np.missing):
        blas = OpenBlas(module)
        blas.limit()
        blas.restore()
        assert blas._functions is None
