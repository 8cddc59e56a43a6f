"""Text about a recorded function: its graphs, the generated Python, the kernels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from fastgrad._src.compiler.dispatch.traces import CompiledTree, TraceTree
from fastgrad._src.compiler.graph.graph import Kind
from fastgrad._src.compiler.programs.profiling import profile, program_text
from fastgrad._src.core.operation import reason_to_run_in_python
from fastgrad._src.jit.build import full_name

_NOTHING_RECORDED = "Nothing is recorded yet: call the function first."


def graph_text(tree: TraceTree | None) -> str:
    """Returns the recorded graphs of a trace tree, one for each trace."""
    if tree is None:
        return _NOTHING_RECORDED
    return "\n\n".join([f"trace {number}:\n{trace.graph}" for number, trace in enumerate(tree.traces)])


def source_text(tree: TraceTree | None) -> str:
    """Returns the generated code of a trace tree: its programs' steps and kernels, its entries and replay functions."""
    if tree is None:
        return _NOTHING_RECORDED
    programs = [compiled.program for compiled in tree.compiled]
    if not programs:
        return "Nothing is compiled yet: what is recorded is compiled when it is called for again."
    entries = [entry.source for _, entry in tree.entries.values() if entry is not None]
    steps = [
        f"# ---- program {number}: its steps\n\n{program_text(program)}" for number, program in enumerate(programs)
    ]
    calls = [*entries, *[program.source for program in programs]]
    return "\n".join([*steps, "# ---- how a call comes to the program\n", *calls])


def kernel_texts(
    name: str, tree: TraceTree | None, inspect: Callable[[Any], str], kernel: str | None
) -> str | dict[str, str]:
    """Returns the code of a trace tree's kernels as text.

    Args:
        name: the function's.
        tree: its traces.
        inspect: gives the text for a native function.
        kernel: the full name of the kernel; None for all kernels.

    Returns:
        The text for a kernel; for None a dict with a text for each full name.

    Raises:
        KeyError: the tree has no such kernel.
    """
    programs = [] if tree is None else [compiled.program for compiled in tree.compiled]
    launches = [a.launches for program in programs for a in program.plan.actions if a.launches is not None]
    kernels = {full_name(launch.kernel): launch.kernel for group in launches for launch in group.launches}
    if kernel is None:
        return {key: inspect(native) for key, native in kernels.items()}
    if kernel not in kernels:
        raise KeyError(
            f"{name} has no kernel {kernel!r}; its kernels: {', '.join(kernels) or 'none yet, as no program is compiled'}"
        )
    return inspect(kernels[kernel])


def report_text(name: str, tree: TraceTree | None) -> str:
    """Returns a summary of a trace tree: numbers of operations, kernels and bytes, and a profile."""
    if tree is None:
        return _NOTHING_RECORDED
    lines = [f"{name}: {_plural(len(tree.traces), 'trace')}, {_plural(len(tree.compiled), 'program')}:"]
    for number, compiled in enumerate(tree.compiled):
        lines += [f"program {number}:", *[f"  {line}" for line in _program_lines(compiled)]]
        lines += ["", str(profile(compiled.program, f"{name}, program {number}"))]
    return "\n".join(lines)


def _plural(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _program_lines(compiled: CompiledTree) -> list[str]:
    recorded = [sum(node.kind is Kind.OPERATION for node in trace.graph.nodes) for trace in compiled.traces]
    actions = compiled.program.plan.actions
    kernels = sum(len(action.launches.launches) for action in actions if action.launches is not None)
    in_python = Counter(
        action.node.payload.name
        for action in actions
        if action.launches is None and action.node.kind in {Kind.OPERATION, Kind.FUSED}
    )
    lines = [
        f"operations recorded: {', '.join(map(str, recorded))}",
        f"kernels: {kernels}",
        f"memory of its own: {compiled.program.arena_bytes} bytes",
    ]
    if in_python:
        named = ", ".join(
            f"{name} ({times}{f': {reason}' if (reason := reason_to_run_in_python(name)) else ''})"
            for name, times in in_python.most_common()
        )
        lines.append(f"run as Python, between native stretches: {named}")
    return lines
