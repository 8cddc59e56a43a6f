"""So many threads for the compiled steps of this process."""


def use_threads(threads: int) -> None:
    """Makes compiled steps use so many."""
    from fastgrad.kernels.runtime.thread_pool import team

    team.resize(threads)
