"""Graphs of compiled functions in event files, and traces of the functions that a program calls."""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

from fastgrad._src.compiler.dispatch.function_type import RecordedGraph
from fastgrad._src.compiler.function import Function
from fastgrad._src.core.eager import get_logger
from fastgrad._src.files.records.messages import build_classes
from fastgrad._src.summary import profiler as _profiler
from fastgrad._src.summary.values import PluginData, write_value
from fastgrad._src.summary.writers import default_writer, should_record_summaries

# A graph is declared as bytes, which serialized messages hold as they hold a message.
_RUN_METADATA_FILES = {
    "protobuf/config.proto": {
        "FunctionGraphs": "repeated bytes partition_graphs 1, one bytes pre_optimization_graph 2",
        "RunMetadata": "repeated bytes partition_graphs 3, repeated FunctionGraphs function_graphs 4",
    }
}


def graph(graph_data: Any) -> bool:
    """Writes the graph of a compiled function.

    Args:
        graph_data: the ``graph`` of a concrete function, or its ``as_graph_def()``.

    Returns:
        True if there is a default writer and ``record_if`` permits the summary.

    Raises:
        ValueError: ``graph_data`` is no graph.
    """
    writer = default_writer()
    if writer is None or not should_record_summaries():
        return False
    if not isinstance(graph_data, RecordedGraph):
        raise ValueError(
            "summary.graph: Argument 'graph_data' is not tf.Graph or tf.compat.v1.GraphDef; "
            f"pass function.get_concrete_function(...).graph. Received graph_data={graph_data} of type {type(graph_data).__name__}."
        )
    writer._files().add_graph(graph_data.SerializeToString())
    return True


class _Trace(NamedTuple):
    """A running trace: whether it has graphs and a profile, the functions called so far by id, and the calls before it."""

    graph: bool
    profiler: bool
    functions: dict[int, Function]
    call: Any


_lock = threading.Lock()
_running: list[_Trace] = []


def trace_on(graph: bool = True, profiler: bool = False, profiler_outdir: Any = None) -> None:
    """Starts a trace of the compiled functions that all threads call; a second one logs a warning.

    Args:
        graph: whether the graphs are recorded.
        profiler: whether ``tf.profiler.experimental`` runs, too.
        profiler_outdir: the folder of the profile; without one a warning is logged, and there is no profile.

    Raises:
        AlreadyExistsError: another profile is running.
    """
    with _lock:
        if _running:
            get_logger().warning("Trace already enabled")
            return
        profiles = profiler and profiler_outdir is not None
        if profiler and not profiles:
            get_logger().warning("No `profiler_outdir` passed to trace_on(). Profiler won't be enabled.")
        if profiles:
            _profiler.start(profiler_outdir)
        functions: dict[int, Function] = {}
        call = Function.__call__
        _running.append(_Trace(bool(graph), bool(profiles), functions, call))
        if not graph:
            return

        # Replaced only while a trace runs, so that calls without a trace cost nothing more.
        def call_and_record(self: Function, /, *args: Any, **kwargs: Any) -> Any:
            functions[id(self)] = self
            return call(self, *args, **kwargs)

        Function.__call__ = call_and_record  # type: ignore[method-assign, assignment]


def trace_off() -> None:
    """Stops the trace, and drops what it recorded; does nothing without one."""
    with _lock:
        trace = _running.pop() if _running else None
    if trace is not None:
        _end_trace(trace)


def _end_trace(trace: _Trace) -> None:
    Function.__call__ = trace.call  # type: ignore[method-assign]
    if trace.profiler:
        _profiler.stop()


def trace_export(name: str, step: Any = None, profiler_outdir: Any = None) -> None:
    """Stops the trace, and writes its graphs with the default writer, and its profile.

    Args:
        name: the name of the summary.
        step: as in ``scalar``.
        profiler_outdir: ignored; ``trace_on`` takes the folder.

    Raises:
        ValueError: there is no trace, or a default writer and no step. The trace goes on.
    """
    if not _running:
        raise ValueError("Must enable trace before export through tf.summary.trace_on.")
    trace = _running[-1]
    classes = build_classes(_RUN_METADATA_FILES, __name__)
    metadata = classes["RunMetadata"]()
    for function in list(trace.functions.values()):
        tree = function.trace_tree
        for recorded in [] if tree is None else tree.traces:
            serialized = RecordedGraph(function.name, recorded.graph, None).SerializeToString()
            metadata.partition_graphs.append(serialized)
            metadata.function_graphs.add(partition_graphs=[serialized], pre_optimization_graph=serialized)
    kind = "graph_run_metadata_graph" if trace.graph and not trace.profiler else "graph_run_metadata"
    write_value("summary.trace_export", name, metadata.SerializeToString(), step, PluginData(kind, b"1"))
    trace_off()
