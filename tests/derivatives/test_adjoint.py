"""The adjoint of a function as data: what undoes each block, what it reads, and which additions are assignments."""

import math

import numba
from numba.core import types

from fastgrad._src.derivatives.analysis.activity import Activity
from fastgrad._src.derivatives.analysis.cotangent_arrays import CotangentArrays
from fastgrad._src.derivatives.derivation import lowered_function
from fastgrad._src.derivatives.ir.statements import Call, Compute, Load
from fastgrad._src.derivatives.transform.adjoint import (
    AddElement,
    AddPartial,
    AddToElement,
    AddVariable,
    Adjoint,
    ClearElement,
    TakeCotangent,
)

ARRAY = types.Array(types.float64, 1, "C")


def adjoint_of(function, *argument_types):
    lowered, flow = lowered_function(function, argument_types, is_reverse=True)
    positions = frozenset(range(len(argument_types)))
    activity = Activity(lowered, flow.blocks, positions, is_forward=False, leaf=0)
    return Adjoint(lowered, flow, activity, CotangentArrays(lowered, flow, activity, is_apart=False), 0), flow


def test_each_operand_of_a_product_gets_a_partial_that_reads_the_other():
    def program(x, y):
        return math.sin(x) * y + y

    adjoint, flow = adjoint_of(program, types.float64, types.float64)
    (block,) = flow.blocks
    seed, *rest = adjoint.ways[block].statements
    assert isinstance(seed, AddVariable)
    assert seed in adjoint.assignments
    to_y = [each for each in rest if isinstance(each, AddPartial) and each.target.position == 1]
    assert [each in adjoint.assignments for each in to_y] == [True, False]
    (to_x,) = [each for each in rest if isinstance(each, AddPartial) and each.target.position == 0]
    sine = to_x.statement.target
    assert [[*each.reads] for each in to_y] == [[], [sine]]
    assert [operand.position for operand in to_x.reads] == [0]


def test_a_store_takes_the_cotangent_of_its_element():
    def program(a):
        a[1] = 2.0 * a[0]
        return a[0] * 3.0

    adjoint, flow = adjoint_of(program, ARRAY)
    (block,) = flow.blocks
    kinds = [type(statement) for statement in adjoint.ways[block].statements]
    of_store = [AddElement, ClearElement, TakeCotangent, AddPartial, TakeCotangent, AddToElement]
    assert kinds[-len(of_store) :] == of_store


@numba.njit
def sine_and_cosine(x, depth):
    if depth > 0:
        return sine_and_cosine(x, depth - 1)
    return math.sin(x), math.cos(x)


def test_a_result_that_nothing_uses_has_no_cotangent():
    def program(x):
        sine, _ = sine_and_cosine(x, 2)
        return sine * x

    adjoint, flow = adjoint_of(program, types.float64)
    (block,) = flow.blocks
    (call,) = [statement for statement in block.statements if isinstance(statement, Call)]
    sine, cosine = call.results
    assert sine in adjoint.taken
    assert cosine not in adjoint.taken


def test_all_that_a_partial_reads_is_named():
    def program(a, x):
        total = 0.0
        for i in range(a.size):
            total = total * math.tanh(a[i]) + x / a[i]
        return total

    adjoint, flow = adjoint_of(program, ARRAY, types.float64)
    loaded = {s.target for block in flow.blocks for s in block.statements if isinstance(s, Load)}
    computed = {s.target for block in flow.blocks for s in block.statements if isinstance(s, Compute)}
    reads = {
        operand
        for block in flow.blocks
        for statement in adjoint.ways[block].statements
        if isinstance(statement, AddPartial)
        for operand in statement.reads
    }
    assert reads & loaded
    assert reads & computed
