"""A plugin of pytest (`-p tests.cuda.on_hardware`): tests that simulate GPUs run on real ones. It skips tests of more GPUs than there are."""

import pytest

from fastgrad._src.cuda.devices import available


def list_real_gpus(*drivers):
    """Lists the real GPUs in the place of as many simulated ones."""
    available.forget_gpus()
    if len(drivers) > available.gpu_count():
        pytest.skip(f"{len(drivers)} GPUs are simulated, and there are {available.gpu_count()}")


available.list_gpus_of = list_real_gpus
