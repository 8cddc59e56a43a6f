"""Functions of this package that compiled code calls: they can be called from Python, too."""

import re
import time

import numba
import numpy as np
import pytest
from numba import types

import fastgrad as fg
from fastgrad._src.derivatives.codegen.matrix_products import _add_matrix_product, add_product
from fastgrad._src.jit.code_library import CALLED_AS
from fastgrad._src.jit.library_functions import njit_kept_on_disk
from fastgrad._src.jit.numba_internals import codegen


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
    matrix = types.UniTuple(types.intp, 3)
    _add_matrix_product.compile((types.float64, types.intp, *[matrix] * 4, types.boolean, types.boolean))
    for overload in _add_matrix_product.overloads.values():
        text = str(overload.library._get_module_for_linking())
        assert "store double" in text
        assert "sunkaddr" not in text


def test_numba_links_no_pointer_that_is_made_of_one_summand_of_an_address(monkeypatch):
    """Numba's own libraries, those of overloads, link code after its generation: an address may be no sum of integers there."""
    texts = []
    module_of = codegen.CPUCodeLibrary._get_module_for_linking

    def get_module(library):
        module = module_of(library)
        texts.append(str(module))
        return module

    @numba.njit
    def function(out, a, b):
        add_product("mmm", out, a, b, False)

    @numba.njit
    def compiled_by_numba(out, a, b):
        function(out, a, b)

    monkeypatch.setattr(codegen.CPUCodeLibrary, "_get_module_for_linking", get_module)
    out, a, b = np.zeros((2, 2)), np.ones((2, 3)), np.ones((3, 2))
    compiled_by_numba(out, a, b)
    assert out.tolist() == [[3.0, 3.0], [3.0, 3.0]]
    assert any("add_matrix_product" in text for text in texts)
    for text in texts:
        assert not re.findall(r"%sunkaddr\d* = inttoptr", text)
        assert "getelementptr i8, ptr null" not in text


def test_derivatives_call_the_machine_code_of_large_functions():
    salt = time.time_ns() % 2**40 + 1.0  # a derivative that is on no disk
    inverse = numba.njit(lambda a: np.linalg.inv(a)[0, 1] * salt)
    gradient = fg.grad(inverse)
    np.testing.assert_allclose(gradient(np.eye(2)), [[0.0, -salt], [0.0, 0.0]])
    (derivative,) = gradient.overloads.values()
    called = [CALLED_AS[library][1] for library in derivative.library.called]
    assert "_inv_adjoint" in called
    own, whole = str(derivative.library.own_module()), str(derivative.library._get_module_for_linking())
    definition = r"^define .*_inv_adjoint_"
    assert not re.search(definition, own, re.MULTILINE)
    assert re.search(definition, whole, re.MULTILINE)
