"""Launches on arrays of which some are the same, as the compiler makes them for a program."""

from collections.abc import Mapping, Sequence

import numpy as np

from fastgrad._src.compiler.graph.graph import Kind, Node, Value
from fastgrad._src.compiler.programs.aliasing import HOST_KERNEL_COMPILER, KernelCompiler, compiled_for_places
from fastgrad._src.compiler.programs.buffers import Action, InArena, InCallerArray
from fastgrad._src.kernels.runtime.launch import Launches


def written_over(
    found: Launches,
    inputs: Sequence[np.ndarray],
    outputs: Sequence[np.ndarray],
    places: Mapping[int, int],
    compiler: KernelCompiler = HOST_KERNEL_COMPILER,
) -> Launches:
    """The launches for results that are the memory of operands.

    Args:
        found: launches on distinct arrays.
        inputs, outputs: arrays of the shapes and dtypes that they are for.
        places: for each such result, by its number, the number of the operand.
        compiler: of the kernels.
    """
    values = [Value(x.shape, x.dtype, number) for number, x in enumerate((*inputs, *outputs))]
    node = Node(Kind.OPERATION, None, tuple(values[: len(inputs)]), tuple(values[len(inputs) :]))
    given = tuple([InCallerArray(number) for number in range(len(inputs))])
    results = tuple([given[places[i]] if i in places else InCallerArray(len(inputs) + i) for i in range(len(outputs))])
    sizes = [np.dtype(dtype).itemsize * size for dtype, size in found.scratch]
    scratch = tuple([InArena(sum(sizes[:number])) for number in range(len(sizes))])
    launches = compiled_for_places(Action(node, found, given, results, scratch), compiler).launches
    assert launches is not None
    return launches
