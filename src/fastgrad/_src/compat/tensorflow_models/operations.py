"""The operations of a graph's nodes: raw operations by name; this module has operations on handles, lists of tensors and functions."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastgrad._src.compat.raw_ops.raw_operation import RawOperation
from fastgrad._src.compat.raw_ops.table import TABLE
from fastgrad._src.compat.tensorflow_models.attributes import Attributes
from fastgrad._src.compat.tensorflow_models.graph_functions import Compute, GraphFunction
from fastgrad._src.compat.tensorflow_models.lookup_tables import ON_TABLES
from fastgrad._src.core import dtypes
from fastgrad._src.core.eager import get_static_value
from fastgrad._src.core.errors import UnimplementedError
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.ops import namespace as ops
from fastgrad._src.ops.random_draws import RESERVED_COUNTERS, advance_generator

Functions = Mapping[str, list[GraphFunction]]

_RENAMED_ATTRIBUTES = {("Squeeze", "axis"): "squeeze_dims"}
"""Attributes that have another name in ``tf.raw_ops`` than in a graph."""

_MOST_LIST_ELEMENTS = 1 << 24


def compute_of(operation: str, attributes: Attributes, functions: Functions, missing: set[str]) -> Compute:
    """Returns what a node computes; if fastgrad lacks it, the name of the operation is added to ``missing``.

    Args:
        operation: the name of the operation.
        attributes: of the node.
        functions: those among the attributes, by name.
        missing: the operations that are lacking.
    """
    if operation in _ON_FUNCTIONS:
        return _ON_FUNCTIONS[operation](attributes, functions)
    if operation in _ON_HANDLES:
        return _compute_on_handles(_ON_HANDLES[operation], attributes)
    if operation in TABLE:
        unknown = _unknown_attributes(TABLE[operation], attributes)
        if not unknown:
            return _raw_compute(TABLE[operation], attributes)
        missing.add(f"{operation} with {', '.join(unknown)}")
    elif list(functions) == ["f"]:
        return _call_function(attributes, functions)  # a node whose operation is the name of a function
    else:
        missing.add(operation)
    return _refuse


def _refuse(inputs: list[Any]) -> Sequence[Any]:
    raise UnimplementedError("fastgrad lacks this operation of a SavedModel.")


# ---- raw operations -----------------------------------------------------------------------------------


def _parameter_names(operation: RawOperation) -> list[str]:
    return [name for name in inspect.signature(operation).parameters if name != "name"]


def _unknown_attributes(operation: RawOperation, attributes: Attributes) -> list[str]:
    """Returns the attributes, with their values, that the raw operation does not have and that say what it computes."""
    name = operation.__name__
    known = {_RENAMED_ATTRIBUTES.get((name, parameter), parameter) for parameter in _parameter_names(operation)}
    return [f"{choice}={attributes[choice]!r}" for choice in attributes.choices() if choice not in known]


def _raw_compute(operation: RawOperation, attributes: Attributes) -> Compute:
    parameters = _parameter_names(operation)
    arguments = list(attributes.definition.input_arg)
    names, options = parameters[: len(arguments)], parameters[len(arguments) :]
    if len(names) != len(arguments):
        raise ValueError(f"the operation {operation.__name__} takes {parameters}, not {len(arguments)} inputs")
    renamed = {option: _RENAMED_ATTRIBUTES.get((operation.__name__, option), option) for option in options}
    values = {option: attributes[name] for option, name in renamed.items() if name in attributes}
    counts = [attributes.count(argument) if _is_list(argument) else None for argument in arguments]
    outputs = list(attributes.definition.output_arg)

    def compute(inputs: list[Any]) -> Sequence[Any]:
        position, passed = 0, {}
        for name, count in zip(names, counts, strict=True):
            passed[name] = inputs[position] if count is None else inputs[position : position + count]
            position += 1 if count is None else count
        result = operation(**passed, **values)
        if len(outputs) == 1:
            return list(result) if _is_list(outputs[0]) else [result]
        several = zip(outputs, result if outputs else (), strict=True)
        return [item for output, one in several for item in (one if _is_list(output) else [one])]

    return compute


def _is_list(argument: Any) -> bool:
    return bool(argument.number_attr or argument.type_list_attr)


# ---- handles of variables, lists of tensors -----------------------------------------------------------


def _checked_variable(value: Any) -> Variable:
    if not isinstance(value, Variable):
        raise TypeError(f"a handle of a variable is needed, got a {type(value).__name__}")
    return value


def _variable_change(method: str) -> Callable[..., Any]:
    return lambda attributes, resource, value: getattr(_checked_variable(resource), method)(value)


def _new_list(dtype: Any, shape: Any, size: Any, dynamic_size: bool = False) -> ops.TensorArray:
    """Returns a list of tensors; a scalar in place of the shape stands for an unknown rank."""
    if int(size) > _MOST_LIST_ELEMENTS:
        raise ValueError(f"a list has {int(size)} elements")
    sizes = get_static_value(shape)
    known = None if sizes is None or sizes.ndim == 0 else [None if axis < 0 else axis for axis in sizes.tolist()]
    return ops.TensorArray(dtype, size, dynamic_size, clear_after_read=False, infer_shape=False, element_shape=known)


def _set_list_item(attributes: Attributes, array: ops.TensorArray, index: Any, item: Any) -> ops.TensorArray:
    if attributes.is_set("resize_if_index_out_of_bounds"):
        array._dynamic_size = True
        if int(index) > _MOST_LIST_ELEMENTS:
            raise ValueError(f"the index {int(index)} is far beyond the end of a list")
    return array.write(index, item)


def _identity(attributes: Attributes, value: Any) -> Any:
    return ops.identity(value) if isinstance(value, Tensor) else value


def _gather_rows(attributes: Attributes, resource: Any, indices: Any) -> Any:
    batch_dims = attributes.get("batch_dims", 0)
    return ops.gather(_checked_variable(resource), indices, axis=batch_dims, batch_dims=batch_dims)


def _read_and_skip(attributes: Attributes, resource: Any, algorithm: Any, delta: Any) -> Any:
    """Returns the state of a generator and advances it by ``delta`` numbers."""
    state = convert_to_tensor(_checked_variable(resource))
    count = ops.as_python_int(delta, "RngReadAndSkip: delta") * RESERVED_COUNTERS
    _checked_variable(resource).assign(advance_generator(state, count=count))
    return state


_ON_HANDLES: dict[str, Callable[..., Any]] = {
    **ON_TABLES,
    "Const": lambda attributes: ops.constant(attributes["value"]),
    "Identity": _identity,
    "PreventGradient": _identity,
    "PlaceholderWithDefault": _identity,
    "DisableCopyOnRead": lambda attributes, resource: None,
    "ReadVariableOp": lambda attributes, resource: convert_to_tensor(_checked_variable(resource)),
    "VarIsInitializedOp": lambda attributes, resource: ops.constant(isinstance(resource, Variable)),
    "VariableShape": lambda attributes, resource: ops.shape(_checked_variable(resource), attributes["out_type"]),
    "RngReadAndSkip": _read_and_skip,
    "ResourceGather": _gather_rows,
    "ResourceGatherNd": lambda attributes, resource, indices: ops.gather_nd(_checked_variable(resource), indices),
    "AssignVariableOp": _variable_change("assign"),
    "AssignAddVariableOp": _variable_change("assign_add"),
    "AssignSubVariableOp": _variable_change("assign_sub"),
    "TensorListReserve": lambda attributes, shape, size: _new_list(attributes["element_dtype"], shape, size),
    "EmptyTensorList": lambda attributes, shape, most: _new_list(attributes["element_dtype"], shape, 0, True),
    "TensorListFromTensor": lambda attributes, rows, shape: _new_list(rows.dtype, shape, rows.shape[0]).unstack(rows),
    "TensorListSetItem": _set_list_item,
    "TensorListPushBack": lambda attributes, array, item: array.write(array.size(), item),
    "TensorListGetItem": lambda attributes, array, index, shape: array.read(index),
    "TensorListLength": lambda attributes, array: array.size(),
    "TensorListStack": lambda attributes, array, shape: array.stack(),
    "TensorListGather": lambda attributes, array, indices, shape: array.gather(indices),
}
"""Functions of a node's attributes and inputs, which return its result. Values may be variables, tables and TensorArrays."""


def _compute_on_handles(function: Callable[..., Any], attributes: Attributes) -> Compute:
    result_count = len(attributes.definition.output_arg)

    def compute(inputs: list[Any]) -> Sequence[Any]:
        result = function(attributes, *inputs)
        if result_count == 0:
            return []
        return [result] if result_count == 1 else list(result)

    return compute


# ---- calls, branches, loops ---------------------------------------------------------------------------


def _call_function(attributes: Attributes, functions: Functions) -> Compute:
    return _only_function(functions, "f").run


def _only_function(functions: Functions, name: str) -> GraphFunction:
    if len(functions.get(name, ())) != 1:
        raise ValueError(f"a node needs one function {name!r}")
    return functions[name][0]


def _check_calls(attributes: Attributes, called: Sequence[GraphFunction]) -> None:
    """Checks the numbers of arguments and results of functions."""
    takes = [attributes.count(argument) for argument in attributes.definition.input_arg if argument.name == "input"]
    gives = [attributes.count(argument) for argument in attributes.definition.output_arg if argument.name == "output"]
    for function in called:
        if takes != [function.argument_count] or gives != [function.result_count]:
            raise ValueError(
                f"the function {function.name!r:.100} takes or gives another number of values than its call"
            )


def _if_branches(attributes: Attributes, functions: Functions) -> Compute:
    branches = [_only_function(functions, name) for name in ("then_branch", "else_branch")]
    _check_calls(attributes, branches)
    on_true, on_false = branches

    def compute(inputs: list[Any]) -> Sequence[Any]:
        predicate, *rest = inputs
        is_true = predicate if predicate.dtype is dtypes.bool else ops.not_equal(predicate, ops.zeros_like(predicate))
        result = ops.cond(is_true, lambda: _run_branch(on_true, rest), lambda: _run_branch(on_false, rest))
        return list(result)[: on_true.result_count]

    return compute


def _case(attributes: Attributes, functions: Functions) -> Compute:
    branches = functions.get("branches", [])
    if not branches:
        raise ValueError("a node has no branches")
    _check_calls(attributes, branches)

    def compute(inputs: list[Any]) -> Sequence[Any]:
        index, *rest = inputs
        choices = [functools.partial(_run_branch, branch, rest) for branch in branches]
        return list(ops.switch_case(index, choices))[: branches[0].result_count]

    return compute


def _run_branch(function: GraphFunction, arguments: list[Any]) -> list[Any]:
    return function.run(arguments) or [ops.constant(0)]  # branches without results have effects only


def _while_loop(attributes: Attributes, functions: Functions) -> Compute:
    condition, body = _only_function(functions, "cond"), _only_function(functions, "body")
    _check_calls(attributes, [body])
    if condition.argument_count != body.argument_count or condition.result_count != 1:
        raise ValueError(f"the function {condition.name!r:.100} is no condition of the loop of {body.name!r:.100}")

    def compute(inputs: list[Any]) -> Sequence[Any]:
        moving = [number for number, value in enumerate(inputs) if isinstance(value, (Tensor, ops.TensorArray))]

        def all_values(values: Sequence[Any]) -> list[Any]:
            merged = list(inputs)  # handles of variables stay as they are
            for number, value in zip(moving, values, strict=True):
                merged[number] = value
            return merged

        def next_values(*values: Any) -> list[Any]:
            results = body.run(all_values(values))
            if any(results[number] is not inputs[number] for number in range(len(inputs)) if number not in moving):
                raise TypeError("the loop changes a handle of a variable")
            return [results[number] for number in moving]

        return (
            all_values(
                ops.while_loop(
                    lambda *values: condition.run(all_values(values))[0],
                    next_values,
                    [inputs[number] for number in moving],
                )
            )
            if moving
            else all_values(())
        )

    return compute


_ON_FUNCTIONS: dict[str, Callable[[Attributes, Functions], Compute]] = {
    "PartitionedCall": _call_function,
    "StatefulPartitionedCall": _call_function,
    "If": _if_branches,
    "StatelessIf": _if_branches,
    "Case": _case,
    "StatelessCase": _case,
    "While": _while_loop,
    "StatelessWhile": _while_loop,
}
