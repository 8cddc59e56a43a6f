"""Functions that call an operation's kernels."""

import numpy as np
import pytest

from fastgrad.core.result_rules import same
from fastgrad.ops.kernel_launches import make_kernel_run


def test_results_without_kernels_are_never_memory_that_no_kernel_has_written():
    run = make_kernel_run(lambda inputs, outputs: None, same)
    with pytest.raises(AssertionError, match=r"no kernels for \[\('int8', \(2,\)\)\]"):
        run(np.ones(2, np.int8))
    assert run(np.ones((0, 3), np.int8)).shape == (0, 3)
