"""Functions of this package that compiled code calls: they can be called from Python, too."""

import re

import numba
import numpy as np
import pytest

from fastgrad._src.derivatives.runtime.matrix_products import product
from fastgrad._src.jit.library_functions import njit_kept_on_disk


@njit_kept_on_disk(error_model="numpy")
def quotient(x, y):
    if y == 7.0:
        raise ValueError("seven")
    return x / y


@numba.njit
def caller(x):
    return quotient(x, 4.0)


def test_a_function_is_called_from_compiled_code_and_from_python():
    assert caller(2.0) == 0.5
    assert quotient(2.0, 4.0) == 0.5  # the code for compiled callers has no wrapper for this call
    assert quotient(1.0, y=0.0) == float("inf")
    with pytest.raises(ValueError, match="seven"):
        quotient(1.0, 7.0)


def test_callers_link_code_that_code_generation_has_not_rewritten():
    """Code generation may make one summand of an address a pointer. Where it is 0, LLVM took the address for null in the caller."""
    product.compile((numba.typeof(np.ones((3, 3))), numba.typeof(np.ones(3))))
    for overload in product.overloads.values():
        text = str(overload.library._get_module_for_linking())
        assert "inttoptr" in text
        assert not re.findall(r"%sunkaddr\d* = inttoptr", text)
