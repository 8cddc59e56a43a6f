"""The number of threads of compiled steps in this process."""


def use_threads(threads: int) -> None:
    """Sets the number of threads of compiled steps."""
    from fastgrad._src.kernels.runtime.thread_pool import compute_pool

    compute_pool.resize(threads)
