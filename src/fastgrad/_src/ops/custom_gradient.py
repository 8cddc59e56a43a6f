"""Gradients that the user defines or changes: custom_gradient, stop_gradient, recompute_grad."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Self

from fastgrad._src.core import nest, recording
from fastgrad._src.core.argument_checks import checked_callable, refuse
from fastgrad._src.core.composite import CompositeOperand
from fastgrad._src.core.indexed_slices import IndexedSlices
from fastgrad._src.core.lowering import IndexMap
from fastgrad._src.core.operation import TABLE, Form, operation
from fastgrad._src.core.tape import GradientTape, record_operation
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none, convert_to_tensor
from fastgrad._src.core.variable import Variable, stands_for_variable
from fastgrad._src.ops.arguments import broadcasts_to
from fastgrad._src.ops.batching import leading_axes_rule

_stop_gradient = operation(
    "stop_gradient",
    Form.INDEX_MAP,
    run=lambda x: x,
    index_map=IndexMap(
        keeps_order=True, views=lambda layout, given, results: [layout], transposed=lambda perm, given: {}
    ),
    batched=leading_axes_rule,
    simplifications=lambda rules: (rules.remove_if_type_unchanged,),
)


def stop_gradient(input: Any, name: str | None = None) -> Any:  # TensorFlow's name
    """Returns the same values; no gradient flows through them.

    Args:
        input: a tensor or a value that converts to one.
        name: kept for TensorFlow's signature.

    Returns:
        A tensor that tapes treat as a constant. TensorFlow: tf.stop_gradient.

    Example:
        >>> x = tf.Variable(3.0)
        >>> with tf.GradientTape() as tape:
        ...     y = x * tf.stop_gradient(x)
        >>> tape.gradient(y, x).numpy()
        np.float32(3.0)
    """
    try:
        x = convert_to_tensor(input)
    except CompositeOperand as met:
        return met.mapped(stop_gradient, input)
    return _stop_gradient(x)


class _VariableReadRecorder(recording.Recorder):
    """A recorder that collects the variables read, and the tensors read from them, in order."""

    def __init__(self) -> None:
        self.found: dict[int, tuple[Variable, Tensor]] = {}

    def on_read(self, variable: Variable, tensor: Tensor) -> None:
        """Keeps ``variable`` and ``tensor`` if tapes watch the variable automatically."""
        if variable._is_auto_watched:
            self.found.setdefault(id(variable), (variable, tensor))

    def __enter__(self) -> Self:
        recording.start(self)
        return self

    def __exit__(self, *exception: object) -> None:
        recording.stop(self)


def custom_gradient(f: Callable[..., Any] | None = None) -> Any:
    """Replaces the gradient of a function by a custom one; a decorator.

    Args:
        f: takes the arguments unchanged and returns ``(result, grad_fn)``. ``result`` is a tensor or nested structure.
            ``grad_fn`` takes one cotangent for each tensor of the result and returns one for each positional argument (None allowed).
            An argument passed by name has the position of its parameter; ``grad_fn`` may leave out the gradient of such an argument.
            If ``f`` reads trainable variables, ``grad_fn`` must take ``variables=`` too and return
            ``(argument gradients, variable gradients)``.

    Returns:
        A function of the same arguments that returns ``result``. TensorFlow: tf.custom_gradient.

    Raises:
        TypeError: ``f`` reads variables but ``grad_fn`` does not take ``variables``.
        ValueError: ``grad_fn`` returns another number of gradients than there are arguments, or one of a shape that does not
            broadcast to its argument's, or of another dtype.
    """
    if f is None:
        return custom_gradient
    if not callable(f):
        raise TypeError(f"tf.custom_gradient: takes a function, got {f!r}.")

    @functools.wraps(f)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        if any(map(stands_for_variable, nest.flatten(args))):  # TensorFlow's graphs convert all arguments
            args = nest.map_structure(lambda x: convert_to_tensor(x) if stands_for_variable(x) else x, args)
        leaves = nest.flatten(list(args))
        flat_arguments = [convert_to_tensor(x) for x in leaves]
        named = nest.flatten(_positional_arguments(f, args, kwargs)[len(args) :])
        with _VariableReadRecorder() as recorder:
            pair = f(*args, **kwargs)
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not callable(pair[1]):
            is_sequence = isinstance(pair, (tuple, list)) or getattr(pair, "ndim", 0) > 0
            raise (ValueError if is_sequence else TypeError)(
                f"@tf.custom_gradient: {getattr(f, '__name__', f)} must return its result and a gradient function, got {pair!r}."
            )
        result, grad_fn = pair
        argument_ids = {id(x) for x in (*leaves, *nest.flatten(kwargs))}
        variable_reads = [
            (variable, tensor) for variable, tensor in recorder.found.values() if id(variable) not in argument_ids
        ]
        if variable_reads and not _accepts_variables(grad_fn):
            names = ", ".join(variable.name for variable, _ in variable_reads)
            raise TypeError(
                f"@tf.custom_gradient: {getattr(f, '__name__', f)} uses the variables {names}, so its grad_fn must accept keyword "
                "argument 'variables' and return (argument gradients, variable gradients)."
            )
        return _record_with_gradient(f, result, grad_fn, flat_arguments, named, variable_reads)

    return decorated


def _positional_arguments(f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    """Returns the arguments by position: those passed by name at the places of their parameters, with defaults between them.

    Names that have no place, and those of a function without a signature, are left out.
    """
    if not kwargs:
        return list(args)
    try:
        bound = inspect.signature(f).bind(*args, **kwargs)
    except (TypeError, ValueError):  # the call of ``f`` raises the error that users know
        return list(args)
    given = set(bound.arguments)
    bound.apply_defaults()
    parameters = [
        p for p in bound.signature.parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    last = max([place for place, p in enumerate(parameters) if p.name in given], default=-1)
    return [*args, *[bound.arguments[p.name] for p in parameters[len(args) : last + 1]]]


def _record_with_gradient(
    f: Any, result: Any, grad_fn: Any, flat_arguments: list[Any], named: list[Any], read: list[Any]
) -> Any:
    variables = [variable for variable, _ in read]
    # Of arguments passed by name, only tensors are converted: others, such as functions and texts, may have no tensor.
    named_tensors = [as_tensor_or_none(x) for x in named]

    def rule(needs: Any, g: Any, y: Any, *inputs: Tensor) -> list[Any]:
        cotangents = g if type(g) is tuple else (g,)
        if variables:
            argument_gradients, variable_gradients = grad_fn(*cotangents, variables=variables)
            variable_gradients = list(nest.flatten(variable_gradients))
            if len(variable_gradients) != len(variables):
                refuse("@tf.custom_gradient", f"grad_fn must return {len(variables)} gradients", got=variable_gradients)
        else:
            argument_gradients, variable_gradients = grad_fn(*cotangents), []
        flat_gradients = nest.flatten(
            list(argument_gradients) if isinstance(argument_gradients, (list, tuple)) else [argument_gradients]
        )
        name = getattr(f, "__name__", str(f))
        count = len(flat_arguments)
        if named and len(flat_gradients) == count:
            flat_gradients += [None] * len(named)
        if len(flat_gradients) != count + len(named):
            also = f", or {count + len(named)} with those of arguments passed by name" if named else ""
            raise ValueError(
                f"custom_gradient function {name} expected to return {count} gradients{also}, "
                f"but returned {len(flat_gradients)} instead."
            )
        named_gradients = [
            gradient for gradient, x in zip(flat_gradients[count:], named_tensors, strict=True) if x is not None
        ]
        gradients = [*flat_gradients[:count], *named_gradients, *variable_gradients]
        return [_cotangent_like(name, c, x) for c, x in zip(gradients, inputs, strict=True)]

    # New tensors: the operations of f stay on the tapes (for gradients of the gradient), but gradients of the results
    # flow back only through the user's rule.
    outputs = tuple(_stop_gradient(convert_to_tensor(y)) for y in nest.flatten(result))
    inputs = (*flat_arguments, *[x for x in named_tensors if x is not None], *[tensor for _, tensor in read])
    record_operation("custom_gradient", inputs, outputs, rule)
    return nest.pack_sequence_as(result, outputs) if nest.is_nested(result) else outputs[0]


def _cotangent_like(name: str, gradient: Any, x: Tensor) -> Any:
    """Converts a user's gradient to the shape of ``x``, because kernels read as many elements as ``x`` has."""
    if gradient is None or not x.dtype.is_differentiable:
        return None
    shape = x._array.shape
    if isinstance(gradient, IndexedSlices):
        full_shape = shape if gradient.dense_shape is None else tuple(gradient.dense_shape._on_host().tolist())
        _check_dtype(name, gradient.values, x)
        if full_shape == shape and gradient.values._array.shape[1:] == shape[1:]:
            return IndexedSlices(gradient.values, gradient.indices, shape)
        actual_shape = full_shape
    else:
        c = convert_to_tensor(gradient, dtype_hint=x.dtype)
        _check_dtype(name, c, x)
        actual_shape = c._array.shape
        if actual_shape == shape:
            return c
        if broadcasts_to(actual_shape, shape):
            return TABLE["broadcast_to"](c, shape=shape)
    raise ValueError(
        f"custom_gradient function {name} returned a gradient of shape {list(actual_shape)} for an argument of shape {list(shape)}."
    )


def _check_dtype(name: str, gradient: Tensor, x: Tensor) -> None:
    if gradient.dtype is not x.dtype:
        raise ValueError(
            f"custom_gradient function {name} returned a gradient of dtype {gradient.dtype.name} for an argument of dtype {x.dtype.name}; "
            f"convert it: tf.cast(gradient, tf.{x.dtype.name})."
        )


def _accepts_variables(grad_fn: Callable[..., Any]) -> bool:
    parameters = inspect.signature(grad_fn).parameters.values()
    return any(p.name == "variables" or p.kind is p.VAR_KEYWORD for p in parameters)


def recompute_grad(f: Callable[..., Any]) -> Callable[..., Any]:
    """Returns ``f`` with rematerialization: intermediate values are not kept, but computed again for the gradient.

    Args:
        f: a function of tensors; it may read variables. It must give the same results both times.

    Returns:
        A function of the same arguments and results. TensorFlow: tf.recompute_grad.

    Raises:
        TypeError: ``f`` can't be called.
    """
    checked_callable("recompute_grad", "f", f)

    @functools.wraps(f)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        arguments = [list(args), kwargs]
        leaves = nest.flatten(arguments)
        tensor_positions = [i for i, leaf in enumerate(leaves) if as_tensor_or_none(leaf) is not None]
        inputs = tuple(convert_to_tensor(leaves[i]) for i in tensor_positions)
        with recording.hide_from_tapes(), _VariableReadRecorder() as recorder:
            result = f(*args, **kwargs)
        # Reads the variables again, for the tapes, which were paused.
        variable_reads = [(variable, Variable.value(variable)) for variable, _ in recorder.found.values()]
        outputs = tuple(_stop_gradient(convert_to_tensor(y)) for y in nest.flatten(result))

        def rule(needs: Any, g: Any, y: Any, *again: Tensor) -> list[Any]:
            input_copies = [_identity(x) for x in again[: len(inputs)]]
            with GradientTape(watch_accessed_variables=False) as tape:
                tape.watch([x for x in input_copies if x.dtype.is_differentiable])
                tape.watch([variable for variable, _ in variable_reads])
                new_leaves = list(leaves)
                for position, x in zip(tensor_positions, input_copies, strict=True):
                    new_leaves[position] = x
                new_args, new_kwargs = nest.pack_sequence_as(arguments, new_leaves)
                result = f(*new_args, **new_kwargs)
            weights = list(g) if type(g) is tuple else [g]
            return tape.gradient(
                nest.flatten(result), [*input_copies, *[variable for variable, _ in variable_reads]], weights
            )

        record_operation("recompute_grad", (*inputs, *[tensor for _, tensor in variable_reads]), outputs, rule)
        return nest.pack_sequence_as(result, outputs) if nest.is_nested(result) else outputs[0]

    return decorated


_identity = operation(
    "recomputed_input",
    Form.INDEX_MAP,
    run=lambda x: x,
    gradient=lambda g, y, x: g,
    index_map=IndexMap(views=lambda layout, given, results: [layout], transposed=lambda perm, given: {}),
    batched=leading_axes_rule,
    merges=False,  # recompute_grad puts it before the second computation, so that the results of the first need not be kept
)


def grad_pass_through(f: Callable[..., Any]) -> Callable[..., Any]:
    """Gives ``f`` the gradient of the identity, as for rounding ("straight through"). TensorFlow: tf.grad_pass_through.

    Args:
        f: a function that returns as many tensors as it takes; each may be a nested structure.

    Returns:
        A function with the values of ``f`` and the gradient 1.

    Raises:
        TypeError: ``f`` can't be called.
    """
    checked_callable("grad_pass_through", "f", f)

    @custom_gradient
    @functools.wraps(f)
    def passing(*args: Any, **kwargs: Any) -> Any:
        with recording.hide_from_tapes():
            y = f(*args, **kwargs)
        return y, lambda *g: g

    return passing
