"""Eager operations on a GPU: a program of one operation, made at its first call with arrays of such shapes and dtypes.

One run on the host gives the shapes and dtypes of the results, and raises the errors for bad inputs. During a recording an operation
without a program runs on the host only: most such calls happen once.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastgrad import settings_version
from fastgrad.compiler.control_flow.graph_operation import GraphOperation
from fastgrad.compiler.control_flow.structured import Structured
from fastgrad.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad.compiler.passes.merge_common import plain_key
from fastgrad.compiler.recording.made_operation import MadeOperation
from fastgrad.cuda.devices.memory import Device
from fastgrad.cuda.runtime.program import DeviceProgram
from fastgrad.cuda.runtime.structured import run_graph, run_structured
from fastgrad.floating_errors import QUIET, errors_reset, errors_set
from fastgrad.operation import Operation, as_array
from fastgrad.placement import moved
from fastgrad.recording import control_flow_of

MOST = 4096
"""The number of programs of one operation that a device keeps, by last use."""


class _Made(NamedTuple):
    """The program of an operation for arrays of certain shapes.

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
    records = control_flow_of() is not None
    if not records:
        if isinstance(row, GraphOperation):
            return tuple(run_graph(device, row, arrays))
        if isinstance(row, Structured):
            return tuple(run_structured(device, row, arrays))
    key = None if isinstance(row, MadeOperation) or row.count is not None else _key_of(row, arrays, attributes)
    known = device.rows
    made = None if key is None else known.get(key)
    if made is None or made.program is None:
        found = _on_host(row, arrays, attributes)
        here = found if type(found) is tuple else (found,)
        if key is not None and made is None and not records:
            made = _Made(_program(device, row, arrays, here, attributes), type(found) is tuple)
            known[key] = made
            if len(known) > MOST:
                known.popitem(last=False)
        if made is None or made.program is None:
            there = tuple([moved(array if type(array) is np.ndarray else as_array(array), device) for array in here])
            return there if type(found) is tuple else there[0]
    else:
        known.move_to_end(key)
    results = tuple(made.program(arrays))
    return results if made.is_tuple else results[0]


def _key_of(row: Operation, arrays: Sequence[Any], attributes: dict[str, Any]) -> Hashable:
    options = plain_key(attributes)
    fast = settings_version.settings.get(settings_version.TENSOR_FLOAT_32)
    return None if options is None else (row.name, options, fast, *[(array.shape, array.dtype) for array in arrays])


def _on_host(row: Operation, arrays: Sequence[Any], attributes: dict[str, Any]) -> Any:
    token = errors_set(QUIET)
    try:
        return row.run(*[moved(array, None) for array in arrays], **attributes)
    finally:
        errors_reset(token)


def _program(
    device: Device, row: Operation, arrays: Sequence[Any], found: Sequence[Any], attributes: dict[str, Any]
) -> DeviceProgram | None:
    if any(array.dtype.kind == "O" for array in (*arrays, *map(np.asarray, found))):
        return None
    inputs = [Value(array.shape, array.dtype, number) for number, array in enumerate(arrays)]
    outputs = [Value(np.shape(array), np.asarray(array).dtype, n) for n, array in enumerate(found, len(inputs))]
    nodes = [Node(Kind.ARGUMENT, number, outputs=(value,)) for number, value in enumerate(inputs)]
    nodes.append(Node(Kind.OPERATION, row, tuple(inputs), tuple(outputs), attributes))
    return DeviceProgram(device, Graph(nodes, outputs), fixed=False)
