"""Eager operations on a GPU: a program of one operation, made at its first call with arrays of its shapes and dtypes.

One run on the host gives the shapes and dtypes of the results, and raises the errors for bad inputs. During a recording an operation
without a program runs on the host only: most such calls happen once.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.compiler.control_flow.control_flow_operation import ControlFlowOperation
from fastgrad._src.compiler.control_flow.graph_operation import GraphOperation
from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad._src.compiler.passes.merge_common import plain_key
from fastgrad._src.compiler.recording.unlisted_operation import UnlistedOperation
from fastgrad._src.core import python_state_version
from fastgrad._src.core.floating_errors import QUIET, reset_float_errors, set_float_errors
from fastgrad._src.core.operation import Operation, as_array
from fastgrad._src.core.placement import move_to_device
from fastgrad._src.core.recording import control_flow_handler
from fastgrad._src.cuda.devices.memory import Device
from fastgrad._src.cuda.runtime.program import DeviceProgram
from fastgrad._src.cuda.runtime.structured import run_graph, run_structured

MOST_CACHED_PROGRAMS = 4096
"""The number of programs of one operation that a device keeps, by last use."""


class _CachedProgram(NamedTuple):
    """The program of an operation for input arrays of one tuple of shapes and dtypes.

    Attributes:
        program: None if the operation runs on the host, because its arrays hold Python objects.
        is_tuple: whether it returns a tuple.
    """

    program: DeviceProgram | None
    is_tuple: bool


def run_on(device: Device, row: Operation, arrays: Sequence[Any], attributes: dict[str, Any]) -> Any:
    """Runs an operation; returns an array or a tuple of arrays.

    Args:
        device: the device to run on.
        row: the operation.
        arrays: its inputs, on the device; texts are on the host.
        attributes: its attributes.
    """
    is_recording = control_flow_handler() is not None
    if not is_recording:
        if isinstance(row, GraphOperation):
            return tuple(run_graph(device, row, arrays))
        if isinstance(row, ControlFlowOperation):
            return tuple(run_structured(device, row, arrays))
    key = (
        None
        if isinstance(row, UnlistedOperation) or row.lowering.result_size is not None
        else _cache_key(row, arrays, attributes)
    )
    programs = device.rows
    cached = None if key is None else programs.get(key)
    if cached is None or cached.program is None:
        host_result = _run_on_host(row, arrays, attributes)
        host_arrays = host_result if type(host_result) is tuple else (host_result,)
        if key is not None and cached is None and not is_recording:
            cached = _CachedProgram(
                _new_program(device, row, arrays, host_arrays, attributes), type(host_result) is tuple
            )
            programs[key] = cached
            if len(programs) > MOST_CACHED_PROGRAMS:
                programs.popitem(last=False)
        if cached is None or cached.program is None:
            device_arrays = tuple(
                [
                    move_to_device(array if type(array) is np.ndarray else as_array(array), device)
                    for array in host_arrays
                ]
            )
            return device_arrays if type(host_result) is tuple else device_arrays[0]
    else:
        programs.move_to_end(key)
    results = tuple(cached.program(arrays))
    return results if cached.is_tuple else results[0]


def _cache_key(row: Operation, arrays: Sequence[Any], attributes: dict[str, Any]) -> Hashable:
    options = plain_key(attributes)
    allows_tf32 = python_state_version.settings.get(python_state_version.TENSOR_FLOAT_32_SETTING)
    return (
        None if options is None else (row.name, options, allows_tf32, *[(array.shape, array.dtype) for array in arrays])
    )


def _run_on_host(row: Operation, arrays: Sequence[Any], attributes: dict[str, Any]) -> Any:
    token = set_float_errors(QUIET)
    try:
        return row.run(*[move_to_device(array, None) for array in arrays], **attributes)
    finally:
        reset_float_errors(token)


def _new_program(
    device: Device, row: Operation, arrays: Sequence[Any], host_results: Sequence[Any], attributes: dict[str, Any]
) -> DeviceProgram | None:
    if any(array.dtype.kind == "O" for array in (*arrays, *map(np.asarray, host_results))):
        return None
    inputs = [Value(array.shape, array.dtype, number) for number, array in enumerate(arrays)]
    outputs = [Value(np.shape(array), np.asarray(array).dtype, n) for n, array in enumerate(host_results, len(inputs))]
    nodes = [Node(Kind.ARGUMENT, number, outputs=(value,)) for number, value in enumerate(inputs)]
    nodes.append(Node(Kind.OPERATION, row, tuple(inputs), tuple(outputs), attributes))
    return DeviceProgram(device, Graph(nodes, outputs), fixed=False)
