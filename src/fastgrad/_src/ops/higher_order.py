"""Functions of functions over the rows of tensors: map_fn, vectorized_map, scan, foldl, foldr."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes, nest
from fastgrad._src.core.argument_checks import refuse
from fastgrad._src.core.composite import Composite, CompositeSpec
from fastgrad._src.core.errors import InvalidArgumentError, OutOfRangeError
from fastgrad._src.core.hooks import Hook, module_of
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.recording import control_flow_handler, hide_from_recorders
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none, constant_tensor, convert_to_tensor, from_python
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.ops.joining import stack, unstack

RowLoopBody = Callable[[list[Tensor], list[Tensor]], tuple[list[Tensor], list[Tensor]]]
"""One iteration: takes carried tensors and a row of each tensor; returns new carried tensors and rows of results."""


def loop_over_rows(
    body: RowLoopBody, carried: list[Tensor], tensors: list[Tensor], reverse: bool = False
) -> tuple[list[Tensor], list[Tensor]]:
    """Runs ``body`` once for each row of ``tensors``, which have at least one row.

    Returns:
        The tensors that the last iteration carries, and the stacked rows of the results.
    """
    tracer = control_flow_handler()
    if tracer is not None:
        loop_result = tracer.loop(body, carried, rows=tensors, reverse=reverse)
        if loop_result is not None:
            return loop_result
    rows = list(zip(*[unstack(x) for x in tensors], strict=True))
    results = []
    for row in reversed(rows) if reverse else rows:
        carried, result = body(carried, list(row))
        results.append(result)
    if reverse:
        results.reverse()
    return carried, [stack(list(column)) for column in zip(*results, strict=True)]


def _check_callable(fn: Any) -> None:
    if not callable(fn):
        raise TypeError(f"The provided function {fn!r} is not callable. fn must be callable.")


def _flat_elements(what: str, fn: Any, elems: Any) -> list[Tensor]:
    _check_callable(fn)
    flat = [convert_to_tensor(leaf) for leaf in nest.flatten(elems)]
    if not flat:
        raise ValueError(f"{what}: elems must be Tensors. Got {elems!r}, which does not contain any Tensors.")
    return flat


# ---- map ---------------------------------------------------------------------------------------------


def map_fn(
    fn: Callable[[Any], Any],
    elems: Any,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    name: str | None = None,
    fn_output_signature: Any = None,
) -> Any:
    """Applies ``fn`` to each row of ``elems`` and stacks the results.

    Args:
        fn: takes a row of ``elems``, in its structure.
        elems: a tensor of rank 1 or more, or a nested structure of tensors with as many rows each; ragged and sparse tensors and
            values of a ``tf.experimental.BatchableExtensionType`` count as tensors.
        dtype: an alias of ``fn_output_signature``.
        parallel_iterations, back_prop, swap_memory, name: kept for TensorFlow's signature.
        infer_shape: whether the first result fixes the shape of all.
        fn_output_signature: a dtype or spec for each result of ``fn``, in their structure; default the structure
            and dtypes of ``elems``. Rows of different lengths become a ragged tensor by ``tf.RaggedTensorSpec([None], dtype)``.

    Returns:
        Tensors with a row for each row of ``elems``, in the structure of ``fn_output_signature``.

    Raises:
        TypeError: ``fn`` is not callable, or returns other containers than the signature says.
        ValueError: scalars, tensors of different numbers of rows, no tensors; ``fn`` returns another structure or shape.
        InvalidArgumentError: ``fn`` returns another dtype than the signature says. TensorFlow: tf.map_fn.
    """
    signature = dtype if fn_output_signature is None else fn_output_signature
    if _holds_composites(elems, signature):
        return _map_composites(fn, elems, signature)
    flat = _flat_elements("map_fn", fn, elems)
    for x in flat:
        if not x._array.ndim:
            raise ValueError("map_fn: Elements in elems must be 1+ dimensional Tensors, not scalars")
        if len(x._array) != len(flat[0]._array):
            raise ValueError(f"map_fn: Dimensions {len(flat[0]._array)} and {len(x._array)} are not compatible")
    if signature is None:
        signature = nest.pack_sequence_as(elems, [x.dtype for x in flat])
    specs = [_as_tensor_spec(leaf) for leaf in nest.flatten(signature)]
    if not len(flat[0]._array):
        empty = [constant_tensor(np.zeros((0, *_sizes_if_known(spec.shape)), spec.dtype.numpy)) for spec in specs]
        return _pack_like(signature, empty)
    shapes = [spec.shape for spec in specs]

    def run_iteration(carried: list[Tensor], rows: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        result = fn(_pack_like(elems, rows))
        nest.assert_same_structure(signature, result)
        results = [
            _checked_result("map_fn", leaf, spec.dtype) for leaf, spec in zip(nest.flatten(result), specs, strict=True)
        ]
        for position, x in enumerate(results):
            _check_shape("map_fn", x, shapes[position])
            if infer_shape:
                shapes[position] = x.shape
        return [], results

    return _pack_like(signature, loop_over_rows(run_iteration, [], flat)[1])


def _map_composites(fn: Callable[[Any], Any], elems: Any, signature: Any) -> Any:
    """``map_fn`` of composites, or with composites as results; each stands for the tensors that its spec encodes it as."""
    if signature is None:
        signature = nest.map_structure(_spec_of_row, elems)
    on_parts = _FunctionOfParts(fn, elems, signature)
    specs = [spec for leaf in nest.flatten(signature) for spec in _encoding_specs(leaf)]
    if not _holds_composites(on_parts.parts, specs):
        return on_parts.pack(map_fn(on_parts, on_parts.parts, fn_output_signature=specs))
    results = on_parts.of_each_row("map_fn")
    return on_parts.pack(
        [_stack_results("map_fn", spec, [r[i] for r in results]) for i, spec in enumerate(specs)], len(results)
    )


def _map_row_by_row(on_parts: _FunctionOfParts) -> Any:
    """``vectorized_map`` of composites whose rows are no rows of tensors."""
    results = on_parts.of_each_row("vectorized_map")
    if results:
        specs = list(map(_spec_of_part, results[0]))
    else:
        with hide_from_recorders():  # only the specs of the results are needed
            specs = list(map(_spec_of_part, on_parts(list(map(_zero_row, on_parts.parts)))))
    columns = [[result[i] for result in results] for i in range(len(specs))]
    stacked = [
        _stack_results("vectorized_map", spec, column) for spec, column in zip(specs, columns, strict=True) if spec
    ]
    return on_parts.pack(stacked, len(results))


def _spec_of_part(part: Any) -> Any:
    if part is None:
        return None
    return part._spec() if isinstance(part, Composite) else TensorSpec(part.shape, part.dtype)


def _zero_row(part: Any) -> Any:
    if isinstance(part, Composite):
        return part._spec().of_rows().placeholder(0, 0)
    return Tensor(np.zeros(part._array.shape[1:], part._array.dtype))


def _stack_results(what: str, spec: Any, values: list[Any]) -> Any:
    """Returns a batch of results of the spec or dtype ``spec``."""
    if isinstance(spec, CompositeSpec):
        return spec.stack(values) if values else spec.batched(0).placeholder(0, 0)
    tensor_spec = _as_tensor_spec(spec)
    if not values:
        return constant_tensor(np.zeros((0, *_sizes_if_known(tensor_spec.shape)), tensor_spec.dtype.numpy))
    tensors = [_checked_result(what, value, tensor_spec.dtype) for value in values]
    for x in tensors:
        _check_shape(what, x, tensor_spec.shape)
        _check_shape(what, x, tensors[0].shape)
    return stack(tensors)


class _FunctionOfParts:
    """A function of rows of composites as one of rows of the tensors that encode them, for ``map_fn`` and ``vectorized_map``.

    Args:
        fn: takes a row of ``elems``.
        elems: a nested structure of tensors and composites.
        signature: the structure and the specs of the results; None if those of the first result count.

    Attributes:
        parts: all tensors that encode ``elems``; ragged and sparse tensors, too.

    Raises:
        TypeError: a composite has no rows.
    """

    def __init__(self, fn: Callable[[Any], Any], elems: Any, signature: Any = None) -> None:
        _check_callable(fn)
        self._fn, self._elems, self._signature = fn, elems, signature
        leaves = nest.flatten(elems)
        self._row_specs = [leaf._spec().of_rows() if isinstance(leaf, Composite) else None for leaf in leaves]
        self.parts = [part for leaf in leaves for part in _encode_parts(leaf, 1)]
        self._result_specs: Any = signature

    def __call__(self, rows: list[Any]) -> list[Any]:
        remaining = iter(rows)
        values = [
            next(remaining) if spec is None else spec.decode([next(remaining) for _ in spec.encoding_specs()])
            for spec in self._row_specs
        ]
        result = self._fn(_pack_like(self._elems, values))
        if self._signature is None:
            self._result_specs = _specs_of(result)
            return [part for leaf in nest.flatten(result) for part in _encode_parts(leaf)]
        nest.assert_same_structure(self._signature, result)
        pairs = zip(nest.flatten(self._signature), nest.flatten(result), strict=True)
        return [part for spec, leaf in pairs for part in _encode_result(spec, leaf)]

    def of_each_row(self, what: str) -> list[list[Any]]:
        """Returns the results of calls with the rows of ``parts``; ValueError if their numbers of rows differ."""
        columns = [part._spec().rows(part) if isinstance(part, Composite) else unstack(part) for part in self.parts]
        counts = [len(column) for column in columns]
        for count in counts:
            if count != counts[0]:
                raise ValueError(f"{what}: Dimensions {counts[0]} and {count} are not compatible")
        return [self(list(row)) for row in zip(*columns, strict=True)]

    def pack(self, stacked: list[Any], size: int | None = None) -> Any:
        """Returns ``size`` stacked results of the calls in the structure of the signature, or that the function returned."""
        return _pack_rows(self._result_specs, stacked, len(self.parts[0]._array) if size is None else size)


def _encode_parts(leaf: Any, minimum_rank: int = 0) -> list[Any]:
    """Returns the tensors that encode a composite; another leaf as a tensor, None as it is."""
    if isinstance(leaf, Composite):
        return leaf._spec().encode(leaf, minimum_rank)
    return [None if leaf is None else convert_to_tensor(leaf)]


def _encode_result(spec: Any, result: Any) -> list[Any]:
    """Returns the tensors that encode a result of the spec or dtype ``spec``; ValueError if it does not fit a composite's."""
    if not isinstance(spec, CompositeSpec):
        return [result]
    try:
        return spec.encode(spec.fitted(result))
    except ValueError as error:
        raise ValueError(
            f"map_fn: Expected `fn` to return a {spec}, but it returned {result!r}. To fix, update the `fn_output_signature`."
        ) from error


def _specs_of(result: Any) -> Any:
    """Returns ``result`` with the specs of its composites in their place."""
    return nest.map_structure(lambda leaf: leaf._spec() if isinstance(leaf, Composite) else leaf, result)


def _pack_rows(specs: Any, stacked: list[Any], size: int) -> Any:
    """Returns ``size`` results in the structure of ``specs``; ``stacked`` has the tensors of all, none for a None."""
    remaining = iter(stacked)

    def packed(spec: Any) -> Any:
        if isinstance(spec, CompositeSpec):
            return spec.batched(size).decode([next(remaining) for _ in spec.encoding_specs()])
        return None if spec is None else next(remaining)

    return _pack_like(specs, [packed(spec) for spec in nest.flatten(specs)])


def _encoding_specs(leaf: Any) -> list[Any]:
    return leaf.encoding_specs() if isinstance(leaf, CompositeSpec) else [leaf]


def _spec_of_row(leaf: Any) -> Any:
    return leaf._spec().of_rows() if isinstance(leaf, Composite) else convert_to_tensor(leaf).dtype


def _holds_composites(elems: Any, signature: Any = None) -> bool:
    """True if an element or a spec of a result is of a composite."""
    is_composite = [
        isinstance(leaf, (Composite, CompositeSpec)) for part in (elems, signature) for leaf in nest.flatten(part)
    ]
    return any(is_composite)


def _as_tensor_spec(leaf: Any) -> TensorSpec:
    return leaf if isinstance(leaf, TensorSpec) else TensorSpec(None, dtypes.as_dtype(leaf))


def _sizes_if_known(shape: TensorShape) -> tuple[int, ...]:
    """Returns the sizes of a fully defined shape, () for another shape."""
    return tuple(shape) if shape.is_fully_defined() else ()


def _pack_like(structure: Any, leaves: list[Any]) -> Any:
    return nest.pack_sequence_as(structure, leaves) if nest.is_nested(structure) else leaves[0]


def _checked_result(what: str, value: Any, dtype: dtypes.DType) -> Tensor:
    """Converts a user function's Python result to a tensor of ``dtype``; a tensor must have this dtype already."""
    x = as_tensor_or_none(value)
    if x is None:
        return from_python(value, dtype)
    if x.dtype is not dtype:
        raise InvalidArgumentError(
            f"{what}: the function returned a tensor of dtype {x.dtype.name}, but {dtype.name} is expected. Use tf.cast in it, or "
            "say what it returns by fn_output_signature or initializer."
        )
    return x


def _check_shape(what: str, x: Tensor, expected: TensorShape) -> None:
    if not expected.is_compatible_with(x.shape):
        raise ValueError(f"{what}: Incompatible shape for value ({x.shape}), expected ({expected})")


def vectorized_map(fn: Callable[[Any], Any], elems: Any, fallback_to_while_loop: bool = True, warn: bool = True) -> Any:
    """Applies ``fn`` to each row of ``elems`` and stacks the results; unlike ``map_fn`` it needs no signature.

    ``fn`` runs once, on the first row; each of its operations then runs for all rows in one call. ``fn`` runs row by row if
    it assigns to variables, draws random numbers, depends on the values of its row, or has an operation that can't be batched.

    Args:
        fn: takes a row of ``elems``, in its structure; returns a nested structure of tensors, or None for some.
        elems: a tensor of rank 1 or more, or a nested structure of tensors with as many rows each; a single row serves for all. Values of a
            ``tf.experimental.BatchableExtensionType`` count as tensors, also in the results; so do ragged and sparse tensors, for whose
            rows ``fn`` runs one by one.
        fallback_to_while_loop: whether ``fn`` may run row by row.
        warn: kept for TensorFlow's signature.

    Returns:
        Tensors with a row for each row of ``elems``, in the structure that ``fn`` returns.

    Raises:
        TypeError: ``fn`` is not callable.
        ValueError: scalars or no tensors; ``fn`` must run row by row, and may not.
        InvalidArgumentError: tensors of different numbers of rows. TensorFlow: tf.vectorized_map.
    """
    if _holds_composites(elems):
        on_parts = _FunctionOfParts(fn, elems)
        if _holds_composites(on_parts.parts):
            if not fallback_to_while_loop:
                raise ValueError("vectorized_map: ragged or sparse tensors need fallback_to_while_loop=True here.")
            return _map_row_by_row(on_parts)
        return on_parts.pack(vectorized_map(on_parts, on_parts.parts, fallback_to_while_loop, warn))
    flat = _flat_elements("vectorized_map", fn, elems)
    for x in flat:
        if not x._array.ndim:
            raise ValueError("vectorized_map: elems must be tensors of rank 1 or more, got a scalar.")
    counts = {len(x._array) for x in flat}
    count = max(counts) if 0 not in counts else 0
    if counts - {1, count}:
        refuse("vectorized_map", "elems must have one number of rows, or 1", InvalidArgumentError, rows=sorted(counts))
    row_positions = [position for position, x in enumerate(flat) if len(x._array) == count]
    shared_leaves = [
        x if position in row_positions else TABLE["reshape"](x, shape=x._array.shape[1:])
        for position, x in enumerate(flat)
    ]
    structure: list[Any] = [None]

    def run_iteration(carried: list[Tensor], rows: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        leaves = list(shared_leaves)
        for position, row in zip(row_positions, rows, strict=True):
            leaves[position] = row
        result = fn(_pack_like(elems, leaves))
        structure[0] = _specs_of(result)
        parts = [part for leaf in nest.flatten(result) for part in _encode_parts(leaf)]
        return [], [convert_to_tensor(part) for part in parts if part is not None]

    results: list[Tensor] | None
    if count:
        rows = [flat[position] for position in row_positions]
        results = module_of(Hook.ROWS_AT_ONCE).vectorized(lambda row: run_iteration([], row)[1], rows)
        if results is None:
            if not fallback_to_while_loop:
                raise ValueError(
                    "vectorized_map: the function can't be done for all rows at once: it changes variables, draws random numbers, "
                    "goes by the values of its row, or has an operation without such a form. Pass fallback_to_while_loop=True."
                )
            results = loop_over_rows(run_iteration, [], rows)[1]
    else:
        with hide_from_recorders():  # only the shapes of the results are needed
            zero_rows = [
                Tensor(np.zeros(flat[position]._array.shape[1:], flat[position]._array.dtype))
                for position in row_positions
            ]
            results = run_iteration([], zero_rows)[1]
        results = [constant_tensor(np.zeros((0, *x._array.shape), x._array.dtype)) for x in results]
    return _pack_rows(structure[0], results, count)


# ---- scan and folds ----------------------------------------------------------------------------------


def _initial_carry(
    what: str, fn: Any, elems: Any, initializer: Any, reverse: bool
) -> tuple[Any, list[Tensor], list[Tensor]]:
    """Returns the structure of a fold's carried values, their initial tensors, and the tensors whose rows are folded.

    Without an initializer the first row of ``elems`` starts.
    """
    tensors = _flat_elements(what, fn, elems)
    for x in tensors:
        if not x._array.ndim:
            raise IndexError(f"{what}: elems must be tensors of rank 1 or more, got a scalar.")
    count = len(tensors[0]._array)
    for x in tensors:
        rows = len(x._array)
        if rows < count:
            raise OutOfRangeError(f"{what}: Tried to read from index {rows} but array size is: {rows}")
        if rows > count:
            raise ValueError(f"{what}: the tensors in elems must have the same number of rows, got {count} and {rows}.")
    if initializer is not None:
        return initializer, [convert_to_tensor(leaf) for leaf in nest.flatten(initializer)], tensors
    if not count:
        refuse(what, "elems is empty (array size is: 0); give initializer", OutOfRangeError)
    first, start, stop = (count - 1, 0, count - 1) if reverse else (0, 1, count)
    return elems, [x[first] for x in tensors], [x[start:stop] for x in tensors]


def scan(
    fn: Callable[[Any, Any], Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    reverse: bool = False,
    name: str | None = None,
) -> Any:
    """All intermediate results of a fold: row i is ``fn`` of row i - 1 of the result and row i of ``elems``.

    Args:
        fn: takes its last result and a row of ``elems``; returns tensors like ``initializer``.
        elems: a tensor of rank 1 or more, or a nested structure of tensors with as many rows each.
        initializer: the first argument of the first call of ``fn``. Default: the first row, which is also the first result.
        parallel_iterations, back_prop, swap_memory, name: kept for TensorFlow's signature.
        infer_shape: whether all results must have the shapes of ``initializer``.
        reverse: whether the last row comes first.

    Returns:
        Tensors with a row for each row of ``elems``, in the structure of ``initializer``.

    Raises:
        TypeError: ``fn`` is not callable.
        ValueError: ``fn`` returns another structure or shape; tensors of different numbers of rows.
        IndexError: scalars.
        InvalidArgumentError: ``fn`` returns another dtype.
        OutOfRangeError: no rows and no initializer, or a tensor with too few rows. TensorFlow: tf.scan.
    """
    structure, initial_carry, other_rows = _initial_carry("scan", fn, elems, initializer, reverse)

    def run_iteration(carried: list[Tensor], rows: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        result = fn(_pack_like(structure, carried), _pack_like(elems, rows))
        nest.assert_same_structure(structure, result)
        results = [
            _checked_result("scan", leaf, x.dtype) for leaf, x in zip(nest.flatten(result), initial_carry, strict=True)
        ]
        if infer_shape:
            for x, initial in zip(results, initial_carry, strict=True):
                _check_shape("scan", x, initial.shape)
        return results, results

    if len(other_rows[0]._array):
        stacked = loop_over_rows(run_iteration, initial_carry, other_rows, reverse)[1]
    else:
        stacked = [constant_tensor(np.zeros((0, *x._array.shape), x._array.dtype)) for x in initial_carry]
    if initializer is None:
        initial = [TABLE["reshape"](x, shape=(1, *x._array.shape)) for x in initial_carry]
        pairs = [(b, a) if reverse else (a, b) for a, b in zip(initial, stacked, strict=True)]
        stacked = [TABLE["concat"](*pair, axis=0) for pair in pairs]
    return _pack_like(structure, stacked)


def foldl(
    fn: Callable[[Any, Any], Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """Folds the rows of ``elems`` with ``fn``, from the first to the last.

    Args:
        fn: takes its last result and a row of ``elems``.
        elems: a tensor of rank 1 or more, or a nested structure of tensors with as many rows each.
        initializer: the first argument of the first call of ``fn``. Default: the first row.
        parallel_iterations, back_prop, swap_memory, name: kept for TensorFlow's signature.

    Returns:
        Tensors in the structure of ``initializer``.

    Raises:
        TypeError: ``fn`` is not callable.
        ValueError: ``fn`` returns another structure; tensors of different numbers of rows.
        IndexError: scalars.
        OutOfRangeError: no rows and no initializer, or a tensor with too few rows. TensorFlow: tf.foldl.
    """
    return _fold("foldl", fn, elems, initializer, False)


def foldr(
    fn: Callable[[Any, Any], Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """Folds the rows of ``elems`` with ``fn``, from the last to the first; arguments as in ``foldl``. TensorFlow: tf.foldr."""
    return _fold("foldr", fn, elems, initializer, True)


def _fold(what: str, fn: Any, elems: Any, initializer: Any, reverse: bool) -> Any:
    structure, initial_carry, other_rows = _initial_carry(what, fn, elems, initializer, reverse)

    def run_iteration(carried: list[Tensor], rows: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        result = fn(_pack_like(structure, carried), _pack_like(elems, rows))
        nest.assert_same_structure(structure, result)
        return [convert_to_tensor(leaf) for leaf in nest.flatten(result)], []

    return _pack_like(
        structure,
        loop_over_rows(run_iteration, initial_carry, other_rows, reverse)[0]
        if len(other_rows[0]._array)
        else initial_carry,
    )
