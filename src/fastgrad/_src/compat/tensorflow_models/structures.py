"""Nested arguments and results of functions, their parameters and specs, from the messages of a SavedModel."""

from __future__ import annotations

import inspect
from typing import Any

from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.files.records.string_tensors import dtype_of_enum
from fastgrad._src.structures.ragged.spec import RaggedTensorSpec
from fastgrad._src.structures.sparse.spec import SparseTensorSpec

_SPARSE, _RAGGED = 1, 3
"""The numbers of the classes of specs in a ``TypeSpecProto``."""


def shape_of(message: Any) -> TensorShape:
    """Returns the shape of a ``TensorShapeProto``; its unknown sizes are negative."""
    if message.unknown_rank:
        return TensorShape(None)
    return TensorShape([None if dim.size < 0 else dim.size for dim in message.dim])


def spec_of(message: Any) -> TensorSpec:
    """Returns the spec of a ``TensorSpecProto``."""
    return TensorSpec(shape_of(message.shape), dtype_of_enum("load", message.dtype), message.name or None)


def decode(value: Any) -> Any:
    """Returns the nested Python value of a ``StructuredValue``; dicts are in the order of their keys.

    Raises:
        ValueError: it holds something else, such as the spec of a dataset.
    """
    kind = value.WhichOneof("kind")
    match kind:
        case "none_value" | None:
            return None
        case "float64_value" | "int64_value" | "string_value" | "bool_value":
            return getattr(value, kind)
        case "tensor_shape_value":
            return shape_of(value.tensor_shape_value)
        case "tensor_dtype_value":
            return dtype_of_enum("load", value.tensor_dtype_value)
        case "tensor_spec_value":
            return spec_of(value.tensor_spec_value)
        case "list_value":
            return [decode(item) for item in value.list_value.values]
        case "tuple_value":
            return tuple([decode(item) for item in value.tuple_value.values])
        case "dict_value":
            return {key: decode(item) for key, item in sorted(value.dict_value.fields.items())}
        case "named_tuple_value":
            return tuple([decode(pair.value) for pair in value.named_tuple_value.values])
        case "type_spec_value" if value.type_spec_value.type_spec_class == _RAGGED:
            shape, dtype, ragged_rank, splits_dtype, *_ = decode(value.type_spec_value.type_state)
            if not ragged_rank:
                return TensorSpec(shape, dtype)
            return RaggedTensorSpec(shape, dtype, ragged_rank, splits_dtype)
        case "type_spec_value" if value.type_spec_value.type_spec_class == _SPARSE:
            shape, dtype = decode(value.type_spec_value.type_state)
            return SparseTensorSpec(shape, dtype)
        case _:
            raise ValueError(f"an argument or result is a {value.type_spec_value.type_spec_class_name!r:.100}")


def signature_of(function_spec: Any) -> inspect.Signature:
    """Returns the parameters of a function from its ``FunctionSpec``.

    Raises:
        ValueError: the message has no list of parameters, or names that are no parameters.
    """
    pairs = function_spec.fullargspec.named_tuple_value.values
    argspec = {pair.key: decode(pair.value) for pair in pairs if pair.key != "annotations"}
    names = list(argspec["args"] or ())
    if function_spec.is_method and names[:1] == ["self"]:
        names = names[1:]
    defaults = list(argspec["defaults"] or ())
    missing = [inspect.Parameter.empty] * (len(names) - len(defaults))
    parameters = [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)
        for name, default in zip(names, [*missing, *defaults], strict=True)
    ]
    if argspec["varargs"]:
        parameters.append(inspect.Parameter(argspec["varargs"], inspect.Parameter.VAR_POSITIONAL))
    keyword_defaults = argspec["kwonlydefaults"] or {}
    for name in argspec["kwonlyargs"] or ():
        default = keyword_defaults.get(name, inspect.Parameter.empty)
        parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default))
    if argspec["varkw"]:
        parameters.append(inspect.Parameter(argspec["varkw"], inspect.Parameter.VAR_KEYWORD))
    return inspect.Signature(parameters)
