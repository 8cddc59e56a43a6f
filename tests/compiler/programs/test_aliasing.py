"""Plans in which values share memory that they must not share are refused."""

import numpy as np
import pytest

from fastgrad._src.compiler.graph.graph import Kind, Node, Value
from fastgrad._src.compiler.programs.aliasing import HOST_KERNEL_COMPILER, check_no_overlap, compiled_for_places
from fastgrad._src.compiler.programs.buffers import Action, AsPythonObject, InArena, InCallerArray, InPermanent
from fastgrad._src.core.operation import TABLE
from fastgrad._src.jit.body import call_step
from fastgrad._src.jit.build import kernel, source_of
from fastgrad._src.kernels.runtime.launch import Input, KernelEntry, Launch, Launches, Output
from fastgrad.errors import InternalError

NODE = Node(
    Kind.OPERATION,
    TABLE["add"],
    tuple([Value((4,), np.dtype(np.float32), i) for i in range(2)]),
    tuple([Value((4,), np.dtype(np.float32), i) for i in range(2, 4)]),
)


def checked(inputs, outputs, in_place=()):
    places = [[AsPythonObject() if at is None else InArena(at) for at in offsets] for offsets in (inputs, outputs)]
    check_no_overlap(NODE, Launches((), in_place=in_place), *places)


def test_memory_of_their_own():
    checked((0, 16), (32, 48))
    checked((0, 0), (16, 32))
    checked((0, None), (16, None))


def test_two_results_in_the_same_memory():
    for second in (32, 40, 47):
        with pytest.raises(InternalError, match="two of its results"):
            checked((0, 16), (32, second))


def test_a_result_in_the_memory_of_an_input():
    with pytest.raises(InternalError, match="its result 1 would lie in the memory of its input 0"):
        checked((0, 16), (32, 0))
    checked((0, 16), (32, 0), in_place=((1, 0),))
    with pytest.raises(InternalError, match="its result 0 would lie in the memory of its input 0"):
        checked((0, 16), (0, 32), in_place=((1, 0),))


def test_only_all_of_an_input_may_be_written_over():
    with pytest.raises(InternalError, match="its result 1"):
        checked((0, 32), (64, 8), in_place=((1, 0),))


# ---- launches ------------------------------------------------------------------------------------------------------------


@kernel("x: in[T], y: in[T], out: out[T], first: int, last: int", noalias=True, T=("float32", "float64"))
def difference(x, y, out, first, last):
    for i in range(first, last):
        out[i] = x[i] - y[i]


@kernel("out: inout[T], step: int, words: int, first: int, last: int", noalias=True, T=("float32", "float64"))
def doubled_and_more(out, step, words, first, last):
    for i in range(first, last):
        out[i] += out[i]
    call_step(step, words, first, last)


FLOAT32 = np.dtype(np.float32)


def launched(inputs, outputs, launch=None):
    """The launch of a kernel for arrays at offsets of the arena, as it is compiled for them."""
    places = [tuple([InArena(at) for at in offsets]) for offsets in (inputs, outputs)]
    operands = Input(0), Input(1), Output(0)
    found = Launches((Launch(difference[FLOAT32], operands, 4) if launch is None else launch,))
    return compiled_for_places(Action(NODE, found, *places), HOST_KERNEL_COMPILER).launches.launches[0]


def in_place_of(launch):
    return source_of(launch.kernel).in_place


def test_distinct_arrays_have_the_kernel_that_there_is():
    assert launched((0, 16), (32, 48)).kernel is difference[FLOAT32]
    assert launched((0, 0), (32, 48)).kernel is difference[FLOAT32]  # both are only read


def test_an_array_that_is_written_and_read_is_one_pointer():
    assert in_place_of(launched((0, 16), (0, 48))) == ((2, 0),)
    assert in_place_of(launched((0, 16), (16, 48))) == ((2, 1),)
    assert in_place_of(launched((0, 0), (0, 48))) == ((1, 0), (2, 0))


def test_a_part_of_an_array_can_not_be_written_over():
    with pytest.raises(InternalError, match="x and out of kernel .*difference.* would overlap"):
        launched((0, 32), (8, 48))


def test_variables_and_results_of_the_caller_are_compared_too():
    array = np.zeros(8, np.float32)
    found = Launches((Launch(difference[FLOAT32], (Input(0), Input(1), Output(0)), 4),))

    def kernel_for(inputs, output):
        action = compiled_for_places(Action(NODE, found, inputs, (output, InArena(64))), HOST_KERNEL_COMPILER)
        return in_place_of(action.launches.launches[0])

    assert kernel_for((InPermanent(array[:4]), InCallerArray(0)), InPermanent(array[:4])) == ((2, 0),)
    assert kernel_for((InPermanent(array[:4]), InCallerArray(0)), InPermanent(array[4:])) == ()
    assert kernel_for((InCallerArray(1), InCallerArray(0)), InCallerArray(0)) == ((2, 1),)
    with pytest.raises(InternalError, match="x and out"):
        kernel_for((InPermanent(array[:4]), InCallerArray(0)), InPermanent(array[2:6]))


def test_a_kernel_that_is_called_may_not_touch_what_its_caller_takes_for_its_own():
    inner = Launch(difference[FLOAT32], (Input(0), Input(1), Output(0)), 4)
    outer = Launch(doubled_and_more[FLOAT32], (Output(1), KernelEntry(inner.kernel), inner), 4)
    same = launched((0, 16), (32, 48), outer)
    assert same is outer
    with pytest.raises(InternalError, match="out and out of kernel .*doubled_and_more"):
        launched((0, 16), (32, 32), outer)


def test_a_kernel_that_is_called_is_compiled_for_its_arrays_and_its_address_follows():
    inner = Launch(difference[FLOAT32], (Input(0), Input(1), Output(0)), 4)
    outer = Launch(doubled_and_more[FLOAT32], (Output(1), KernelEntry(inner.kernel), inner), 4)
    changed = launched((0, 16), (0, 48), outer)
    entry, called = changed.operands[1:]
    assert in_place_of(called) == ((2, 0),)
    assert entry.kernel is called.kernel
