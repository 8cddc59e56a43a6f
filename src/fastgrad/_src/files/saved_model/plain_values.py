"""Plain Python values as JSON: attributes of operations, arguments and results of functions, without pickles."""

from __future__ import annotations

import base64
from collections import namedtuple
from collections.abc import Callable, Mapping
from types import EllipsisType
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.dtypes import DType
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.structures.ragged.spec import RaggedTensorSpec
from fastgrad._src.structures.sparse.spec import SparseTensorSpec


class Unstorable(ValueError):
    """Raised for a value that a SavedModel can't hold; the text says which."""


class DependsOnSizes(Unstorable):
    """Raised for a function that depends on open sizes in a way that can't be stored; other sizes may do."""


_FORMS: dict[type, tuple[str, Callable[[Any], Any], Callable[[Any], Any]]] = {
    float: ("float", float.hex, float.fromhex),
    complex: ("complex", lambda x: [x.real.hex(), x.imag.hex()], lambda parts: complex(*map(float.fromhex, parts))),
    bytes: ("bytes", lambda x: base64.b64encode(x).decode(), lambda text: base64.b64decode(text, validate=True)),
    EllipsisType: ("ellipsis", lambda _: None, lambda _: ...),
}
"""For each type its tag, and the functions from a value to JSON and back."""
_DECODERS = {tag: decoder for tag, _, decoder in _FORMS.values()}


def encode(value: Any, encode_leaf: Callable[[Any], Any] | None = None) -> Any:
    """Returns a plain value as JSON.

    Args:
        value: None, a number, text, bytes, dtype, shape, slice, or spec of a tensor, ragged tensor or sparse tensor; or a list, tuple or dict of these.
        encode_leaf: called first for each part; returns its JSON, or None for the encoding here.

    Raises:
        Unstorable: another value.
    """
    encoded = None if encode_leaf is None else encode_leaf(value)
    if encoded is not None:
        return encoded
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    if kind in _FORMS:
        tag, encoder, _ = _FORMS[kind]
        return {tag: encoder(value)}
    if isinstance(value, DType):
        return {"dtype": value.name}
    if isinstance(value, np.dtype) and value in dtypes.DTYPE_OF_NUMPY:
        return {"numpy_dtype": dtypes.DTYPE_OF_NUMPY[value].name}
    if isinstance(value, np.generic) and value.dtype in dtypes.DTYPE_OF_NUMPY:
        return {"number": [dtypes.DTYPE_OF_NUMPY[value.dtype].name, encode(value.item())]}
    if isinstance(value, (TensorSpec, RaggedTensorSpec, SparseTensorSpec)):
        return _encode_spec(value)
    if isinstance(value, TensorShape):
        return {"shape": None if value.rank is None else value.as_list()}
    if isinstance(value, Mapping):
        return {"dict": [[encode(key), encode(item, encode_leaf)] for key, item in value.items()]}
    if kind is slice:
        return {"slice": [encode(part, encode_leaf) for part in (value.start, value.stop, value.step)]}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        items = [encode(item, encode_leaf) for item in value]
        return {"namedtuple": [kind.__name__, list(value._fields), items]}
    if isinstance(value, tuple):
        return {"tuple": [encode(item, encode_leaf) for item in value]}
    if isinstance(value, list):
        return [encode(item, encode_leaf) for item in value]
    raise Unstorable(f"{value!r:.200}, of type {kind.__name__}")


def decode(data: Any, decode_leaf: Callable[[str, Any], Any] | None = None) -> Any:
    """Returns the value that ``encode`` has made into JSON.

    Args:
        data: the JSON.
        decode_leaf: returns the value of a tag that is not known here, from the tag and its content.

    Raises:
        ValueError, TypeError: ``data`` is no result of ``encode``.
    """
    if data is None or type(data) in (bool, int, str):
        return data
    if isinstance(data, list):
        return [decode(item, decode_leaf) for item in data]
    if not isinstance(data, dict) or len(data) != 1:
        raise ValueError(f"no encoded value: {data!r:.100}")
    ((tag, content),) = data.items()
    if tag in _DECODERS:
        return _DECODERS[tag](content)
    match tag:
        case "dtype":
            return dtypes.as_dtype(_checked_text(content))
        case "numpy_dtype":
            return dtypes.as_dtype(_checked_text(content)).numpy
        case "number":
            return dtypes.as_dtype(_checked_text(content[0])).numpy.type(decode(content[1]))
        case "spec" | "ragged_spec" | "sparse_spec":
            return _decode_spec(tag, *content)
        case "shape":
            return TensorShape(content)
        case "dict":
            return {decode(key): decode(item, decode_leaf) for key, item in content}
        case "slice":
            return slice(*[decode(part, decode_leaf) for part in content])
        case "namedtuple":
            name, fields, items = content
            kind: Any = namedtuple(_checked_text(name), list(map(_checked_text, fields)))  # type: ignore[misc]  # noqa: PYI024  # fields of the file
            return kind(*[decode(item, decode_leaf) for item in items])
        case "tuple":
            return tuple([decode(item, decode_leaf) for item in content])
    if decode_leaf is None:
        raise ValueError(f"no encoded value: {data!r:.100}")
    return decode_leaf(tag, content)


def _encode_spec(spec: Any) -> Any:
    sizes, dtype = None if spec.shape.rank is None else spec.shape.as_list(), spec.dtype.name
    if isinstance(spec, RaggedTensorSpec):
        return {"ragged_spec": [sizes, dtype, spec.ragged_rank, spec.row_splits_dtype.name]}
    return (
        {"sparse_spec": [sizes, dtype]} if isinstance(spec, SparseTensorSpec) else {"spec": [sizes, dtype, spec.name]}
    )


def _decode_spec(tag: str, sizes: Any, dtype: Any, *others: Any) -> Any:
    if tag == "ragged_spec":
        ragged_rank, splits_dtype = others
        return RaggedTensorSpec(sizes, _checked_text(dtype), ragged_rank, _checked_text(splits_dtype))
    kind: Any = TensorSpec if tag == "spec" else SparseTensorSpec
    return kind(sizes, _checked_text(dtype), *others)


def _checked_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"no text: {value!r:.100}")
    return value
