"""Plans in which values share memory that they must not share are refused."""

import numpy as np
import pytest

from fastgrad.errors import InternalError
from fastgrad.kernels.running.launch import Launches
from fastgrad.operation import TABLE
from fastgrad.trace.graphs.graph import Kind, Node, Value
from fastgrad.trace.programs.overlap import check_apart
from fastgrad.trace.programs.places import InArena, InPython

NODE = Node(
    Kind.OPERATION,
    TABLE["add"],
    tuple([Value((4,), np.dtype(np.float32), i) for i in range(2)]),
    tuple([Value((4,), np.dtype(np.float32), i) for i in range(2, 4)]),
)


def checked(inputs, outputs, in_place=()):
    places = [[InPython() if at is None else InArena(at) for at in offsets] for offsets in (inputs, outputs)]
    check_apart(NODE, Launches((), in_place=in_place), *places)


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
