"""Branches and loops that depend on values: cond, case, switch_case, while_loop.

Eager code runs them as Python does: it reads the predicate and calls the chosen function, and tapes record the operations.
A recording of a program handles branches and loops itself (see ``Recorder.control_flow_recorder``), so the program has all
branches, not only the one that was taken. If that is not possible, the recording follows the actual values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any

from fastgrad._src.core import nest
from fastgrad._src.core.argument_checks import checked_callable, refuse
from fastgrad._src.core.composite import Composite
from fastgrad._src.core.eager import executing_eagerly
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.recording import control_flow_handler
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none, convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.ops.arguments import as_python_int
from fastgrad._src.ops.assertion import Assert
from fastgrad._src.ops.tensor_array import TensorArray
from fastgrad._src.ops.tensor_array_storage import loop_arrays

# ---- branches --------------------------------------------------------------------------------------


def cond(
    pred: Any,
    true_fn: Callable[[], Any] | None = None,
    false_fn: Callable[[], Any] | None = None,
    name: str | None = None,
) -> Any:
    """Calls ``true_fn`` or ``false_fn``, as ``pred`` says, and returns the result.

    Args:
        pred: a boolean of one element, or a Python value.
        true_fn, false_fn: functions of no arguments. Inside ``tf.function`` both are recorded, and must return the same
            structures and dtypes.
        name: kept for TensorFlow's signature.

    Returns:
        The result of ``true_fn`` if ``pred`` is true, else of ``false_fn``.

    Raises:
        TypeError: a function is missing or not callable; inside ``tf.function``, they return different structures or dtypes.
        ValueError: ``pred`` is None or has more than one element; inside ``tf.function``, only one function returns None.
            TensorFlow: tf.cond.

    Example:
        >>> x = tf.constant(3.0)
        >>> tf.cond(x > 0, lambda: tf.sqrt(x * 3), lambda: -x).numpy()
        np.float32(3.0)
    """
    for what, function in (("true_fn", true_fn), ("false_fn", false_fn)):
        if function is None:
            raise TypeError(f"cond(): '{what}' argument required")
        if not callable(function):
            raise TypeError(f"'{what}' must be callable.")
    assert true_fn is not None
    assert false_fn is not None
    if pred is None:
        raise ValueError("cond: pred must be a boolean, got None.")
    predicate = as_tensor_or_none(pred)
    tracer = control_flow_handler()
    if predicate is not None and tracer is not None and predicate._array.size == 1:
        recorded, result = tracer.branch(predicate, (false_fn, true_fn), ("false_fn", "true_fn"))
        if recorded:
            return result
    return true_fn() if (pred if predicate is None else predicate) else false_fn()


def case(
    pred_fn_pairs: Any,
    default: Callable[[], Any] | None = None,
    exclusive: bool = False,
    strict: bool = False,
    name: str = "case",
) -> Any:
    """Calls the function of the first true predicate and returns its result.

    Args:
        pred_fn_pairs: a list of pairs of a boolean scalar tensor and a function of no arguments; if ``exclusive``, also a
            dict from references of tensors to functions.
        default: the function to call if no predicate is true.
        exclusive: whether more than one true predicate is an error.
        strict: whether eager code keeps a list or tuple of one. Otherwise it returns the element, as TensorFlow does, if a
            predicate is asked: a single pair without ``default`` keeps its list.
        name: kept for TensorFlow's signature.

    Returns:
        The result of the function.

    Raises:
        TypeError: not a list of pairs, a predicate that is no boolean tensor, or a function that can't be called.
        ValueError: no pair at all, or a dict that is not ``exclusive``.
        InvalidArgumentError: no predicate is true and there is no default, or several are true and ``exclusive``.

    TensorFlow: tf.case.
    """
    pairs = _checked_branch_pairs(pred_fn_pairs, exclusive)
    if default is not None and not callable(default):
        raise TypeError("case: 'default' must be callable.")
    predicates = [predicate for predicate, _ in pairs]
    if exclusive:
        count = TABLE["reduce_sum"](
            TABLE["cast"](TABLE["stack"](*predicates, axis=0), dtype="int32"), axes=(0,), keepdims=False
        )
        Assert(
            count <= 1, [f"Input error: exclusive=True: more than 1 conditions evaluated as True: {len(pairs)} given"]
        )
    otherwise = default
    if otherwise is None:
        # The last pair is the default; its predicate is checked if no other pair is chosen.
        last_predicate, function = pairs.pop()

        def otherwise() -> Any:
            Assert(last_predicate, ["Input error: None of conditions evaluated as True"])
            return function()

    return _call_first_true(pairs, otherwise, strict or not executing_eagerly())


def _call_first_true(
    pairs: Sequence[tuple[Tensor, Callable[[], Any]]], default: Callable[[], Any], keep_list: bool
) -> Any:
    if not pairs:
        return default()
    (predicate, function), *others = pairs
    return element_of_one(cond(predicate, function, lambda: _call_first_true(others, default, keep_list)), keep_list)


def element_of_one(results: Any, keep_list: bool) -> Any:
    """Returns the element of a list or tuple of one, unless ``keep_list``; other results as they are."""
    is_list_of_one = isinstance(results, (list, tuple)) and len(results) == 1
    return results[0] if is_list_of_one and not keep_list else results


def _checked_branch_pairs(pred_fn_pairs: Any, exclusive: bool) -> list[tuple[Tensor, Callable[[], Any]]]:
    if not isinstance(pred_fn_pairs, (list, tuple, Mapping)):
        raise TypeError(f"'pred_fn_pairs' must be a list, tuple, or dict. Received: {type(pred_fn_pairs)}")
    if isinstance(pred_fn_pairs, Mapping):
        if not exclusive:
            refuse("case", "an unordered dict needs `exclusive=True`: use a list of pairs", pred_fn_pairs=pred_fn_pairs)
        pred_fn_pairs = [
            (key.deref() if hasattr(key, "deref") else key, function) for key, function in pred_fn_pairs.items()
        ]
    if not pred_fn_pairs:
        raise ValueError("case: 'pred_fn_pairs' must hold at least one pair of a predicate and a function.")
    pairs = []
    for pair in pred_fn_pairs:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError(f"Each entry in 'pred_fn_pairs' must be a 2-tuple. Received {pair}.")
        predicate, function = pair
        if not isinstance(predicate, (Tensor, Variable)):
            raise TypeError(f"pred must be a Tensor, got: {predicate}")
        if predicate._operand_dtype.name != "bool":
            raise TypeError(f"pred must be Tensor of type bool: got {predicate._operand_dtype.name}")
        if not callable(function):
            raise TypeError(f"fn for pred {predicate!r} must be callable.")
        pairs.append((convert_to_tensor(predicate), function))
    return pairs


def switch_case(
    branch_index: Any, branch_fns: Any, default: Callable[[], Any] | None = None, name: str = "switch_case"
) -> Any:
    """Calls the function of number ``branch_index`` and returns its result.

    Args:
        branch_index: an integer scalar tensor.
        branch_fns: a list of functions of no arguments, a list of pairs of a number and a function, or a dict from
            numbers to functions. The numbers count from 0 without gaps.
        default: the function to call for any other number; without it the last function.
        name: kept for TensorFlow's signature.

    Returns:
        The result of the function.

    Raises:
        TypeError: ``branch_index`` is no integer tensor, or a function can't be called.
        ValueError: no functions, or missing numbers.
        InvalidArgumentError: ``branch_index`` is no scalar. TensorFlow: tf.switch_case.
    """
    if not isinstance(branch_index, (Tensor, Variable)):
        raise TypeError(f"'branch_index' must be a Tensor, got {type(branch_index)}")
    if not branch_index._operand_dtype.is_integer:
        raise TypeError(f"'branch_index' must be an integer Tensor, got {branch_index._operand_dtype!s}")
    functions = _checked_branch_functions(branch_fns)
    if default is not None:
        checked_callable("switch_case", "default", default)
        functions.append(default)
    index = convert_to_tensor(branch_index)
    if index._array.ndim:
        refuse("switch_case", "'branch_index' must be a scalar: take an element", InvalidArgumentError, got=index.shape)
    tracer = control_flow_handler()
    if tracer is not None:
        recorded, result = tracer.branch(
            index, tuple(functions), [f"branches[{number}]" for number in range(len(functions))]
        )
        if recorded:
            return result
    number = int(index)
    return functions[number if 0 <= number < len(functions) else -1]()


def _checked_branch_functions(branch_fns: Any) -> list[Callable[[], Any]]:
    if not isinstance(branch_fns, (list, tuple, Mapping)):
        raise TypeError("'branch_fns' must be a list, tuple, or dict")
    entries: list[Any] = list(branch_fns.items()) if isinstance(branch_fns, Mapping) else list(branch_fns)
    if not entries:
        raise ValueError("Must provide at least one item in 'branch_fns'")
    if all(callable(entry) for entry in entries):
        return entries
    for entry in entries:
        if not isinstance(entry, tuple) or len(entry) != 2:
            raise TypeError(f"Each entry in 'branch_fns' must be a 2-tuple. Received {entry}.")
        key, function = entry
        if not isinstance(key, int):
            raise TypeError(f"key must be a Python `int`, got {type(key)}")
        if not callable(function):
            raise TypeError(f"fn for key {key} must be callable.")
    keys = sorted([key for key, _ in entries])
    if keys != list(range(len(keys))):
        refuse("switch_case", f"branch indices (keys) must form contiguous range of [0 to {len(keys)})", keys=keys)
    return [function for _, function in sorted(entries, key=lambda entry: entry[0])]


# ---- loops -------------------------------------------------------------------------------------------


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: Any = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    maximum_iterations: Any = None,
    name: str | None = None,
) -> Any:
    """Repeats ``body`` as long as ``cond`` holds.

    Args:
        cond: takes the loop variables, returns a boolean of one element.
        body: takes the loop variables, returns their next values, in the same structure. Both get tensors in a tf.function, else
            the values as they are.
        loop_vars: a list or tuple of tensors, values that convert to tensors, nested structures of these, or TensorArrays.
        shape_invariants: kept for TensorFlow's signature; shapes may change from one iteration to the next.
        parallel_iterations, back_prop, swap_memory, name: kept for TensorFlow's signature.
        maximum_iterations: an integer scalar, the largest number of iterations; None for no limit.

    Returns:
        The loop variables after the last iteration, as tensors, in the structure that ``body`` returns.

    Raises:
        TypeError: ``cond`` or ``body`` is not callable; ``parallel_iterations`` is no positive integer; in a tf.function, ``body``
            changes a dtype.
        ValueError: no loop variables, or ``body`` returns another structure. TensorFlow: tf.while_loop.
    """
    checked_callable("while_loop", "cond", cond)
    checked_callable("while_loop", "body", body)
    if not isinstance(parallel_iterations, Tensor) and not parallel_iterations >= 1:
        raise TypeError("'parallel_iterations' must be a positive integer.")
    if not isinstance(loop_vars, (list, tuple)) or not loop_vars:
        raise ValueError("'loop_vars' must be provided: a list or tuple of one or more tensors or structures of them.")
    limit: Tensor | None = None
    if maximum_iterations is not None:
        limit = convert_to_tensor(maximum_iterations)
        if limit._array.ndim:
            raise ValueError(f"'maximum_iterations' must be a scalar. Received shape: {limit.shape}")
        if not limit.dtype.is_integer:
            refusal = ValueError if limit._array.dtype.hasobject else InvalidArgumentError
            raise refusal(f"while_loop: maximum_iterations must be one integer, got {maximum_iterations!r}.")
    in_function = control_flow_handler() is not None
    variables: Any = loop_vars
    if in_function:
        variables = nest.map_structure(_as_loop_variable, loop_vars)
        has_composites = any(isinstance(leaf, Composite) for leaf in nest.flatten(variables))
        recorded_result = None if has_composites else recorded_loop(cond, body, variables, limit)
        if recorded_result is not None:
            return recorded_result
    max_trips = inf if limit is None else as_python_int(limit, "while_loop: maximum_iterations")
    finished_trips = 0
    while finished_trips < max_trips and cond(*variables):
        previous, variables = variables, _next_loop_variables(body, variables)
        if in_function:
            variables = nest.map_structure(_as_loop_variable, variables)
            _check_kept_dtypes(previous, variables)
        finished_trips += 1
    return variables if in_function else nest.map_structure(_as_loop_variable, variables)


def _as_loop_variable(value: Any) -> Any:
    return value if isinstance(value, (TensorArray, Composite)) else convert_to_tensor(value)


def _next_loop_variables(body: Callable[..., Any], variables: Any) -> Any:
    """Returns the loop variables after one iteration."""
    next_variables = body(*variables)
    if not isinstance(next_variables, (list, tuple)):
        next_variables = type(variables)([next_variables]) if len(variables) == 1 else (next_variables,)
    nest.assert_same_structure(list(variables), list(next_variables))
    return next_variables


def _check_kept_dtypes(before: Any, after: Any) -> None:
    """Raises TypeError if an iteration changes the dtype of a loop variable."""
    for number, (old, new) in enumerate(zip(nest.flatten(before, True), nest.flatten(after, True), strict=True)):
        if old.dtype is not new.dtype:
            raise TypeError(
                f"while_loop: loop variable {number} has dtype {old.dtype.name} before an iteration and {new.dtype.name} after it; "
                "in a tf.function the dtype must stay. Cast the result of `body`, or the first value."
            )


def recorded_loop(cond: Callable[..., Any], body: Callable[..., Any], variables: Any, limit: Tensor | None) -> Any:
    """Returns the result of a loop if a recording takes it over as one operation, else None."""
    tracer = control_flow_handler()
    if tracer is None:
        return None
    flat_variables = nest.flatten(variables)
    array_positions = [position for position, leaf in enumerate(flat_variables) if isinstance(leaf, TensorArray)]
    arrays = loop_arrays([flat_variables[position] for position in array_positions], variables, body, tracer)
    if arrays is None:
        return None
    tensors = [leaf for leaf in flat_variables if not isinstance(leaf, TensorArray)]
    count = len(tensors)
    structure = [variables]

    def packed(like: Any, tensors: list[Tensor], tensor_arrays: list[TensorArray]) -> Any:
        tensor_iterator, array_iterator = iter(tensors), iter(tensor_arrays)
        leaves = [
            next(array_iterator) if position in array_positions else next(tensor_iterator)
            for position in range(len(flat_variables))
        ]
        return nest.pack_sequence_as(like, leaves)

    def filled(carried: list[Tensor]) -> tuple[Any, list[TensorArray]]:
        tensor_arrays = arrays.traced_arrays(carried[count:])
        return packed(variables, carried[:count], tensor_arrays), tensor_arrays

    def condition(carried: list[Tensor]) -> Any:
        return cond(*filled(carried)[0])

    def run_packed_iteration(carried: list[Tensor], rows: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        current_variables, tensor_arrays = filled(carried)
        structure[0] = nest.map_structure(_as_loop_variable, _next_loop_variables(body, current_variables))
        # ``body`` may have grown ``current_variables`` in place.
        nest.assert_same_structure(variables, structure[0], check_types=False)
        leaves = nest.flatten(structure[0])
        state, stacked_writes = arrays.state_after(
            tensor_arrays, [leaves[position] for position in array_positions], carried[count:]
        )
        return [
            *[leaf for position, leaf in enumerate(leaves) if position not in array_positions],
            *state,
        ], stacked_writes

    loop_result = tracer.loop(
        run_packed_iteration,
        [*tensors, *arrays.state()],
        condition=condition,
        most_iterations=limit,
        least_capacity=arrays.least,
    )
    if loop_result is None:
        return None
    carried, stacked_writes = loop_result
    return packed(structure[0], carried[:count], arrays.write_back(carried[count:], stacked_writes))
