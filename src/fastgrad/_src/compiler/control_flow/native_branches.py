"""Branches as native steps: one kernel reads the index and runs the program of a branch."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.compiler.control_flow.native_loops import WORD_DTYPE, address_table, is_short_native_call
from fastgrad._src.compiler.graph.graph import size_of
from fastgrad._src.compiler.programs.buffers import Plan
from fastgrad._src.compiler.programs.cost import native_work_of
from fastgrad._src.compiler.programs.frame import Frame
from fastgrad._src.kernels.runtime import loops
from fastgrad._src.kernels.runtime.launch import Constant, InnerFrame, Input, Launch, Launches, Output, Scratch


def launches_of_branches(branches: Any, inputs: Any, outputs: Any) -> Launches | None:
    """Returns the launches of branches: a kernel that runs the program of the selected branch.

    Args:
        branches: a ``Branches``.
        inputs, outputs: its values in a graph.

    Returns:
        None if a branch has work that the thread pool should share, or that is not native: then Python runs its program.
    """
    plans = [branch.program().plan for branch in branches.branches]
    if not all(map(is_short_native_call, plans)):
        return None
    dtype = np.dtype(np.uint8) if inputs[0].dtype.kind == "b" else inputs[0].dtype
    if dtype not in loops.run_branch.variables["T"]:
        return None
    following: Any = 0
    for plan in reversed(plans):
        following = _branch_launch(plan, outputs, following)
    operands = (
        Input(0),
        following,
        len(plans),
        address_table([Input(i) for i in range(len(inputs))]),
        address_table([Output(i) for i in range(len(outputs))]),
        Scratch(0),
    )
    word_count = max([len(plan.arguments) + len(plan.results) for plan in plans])
    longest = max([native_work_of(plan).nanoseconds for plan in plans])
    launch = Launch(loops.run_branch[dtype], operands, 1, 20.0 + longest)
    return Launches((launch,), ((WORD_DTYPE, word_count),))


def _branch_launch(plan: Plan, outputs: Any, next_branch_launch: Any) -> Launch:
    returned = plan.blocks[0].returned
    layout = [(loops.CAPTURED, number + 1, 0) for number, _ in plan.arguments]
    layout += [(loops.STACKED, returned.index(number), 0) for number in range(len(plan.results))]
    copies = [
        (returned.index(number), position, size_of(outputs[position]))
        for position, number in enumerate(returned)
        if returned.index(number) != position
    ]
    words = [len(copies), *[word for copy in copies for word in copy]]
    operands = (
        InnerFrame(lambda: Frame(plan)),
        native_work_of(plan).steps,
        Constant(np.array(layout, np.int64).reshape(-1)),
        Constant(np.array(words, np.int64)),
        next_branch_launch,
    )
    return Launch(loops.branch[()], operands)
