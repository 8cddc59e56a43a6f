"""The shapes of symbolic Keras tensors: operations are deferred, with two sizes for each unknown dimension."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import fastgrad as fg
from fastgrad._src.core import deferral, recording
from fastgrad._src.core.tensor import constant_tensor
from fastgrad._src.structures.sparse.spec import SparseTensorSpec

_SIZES = (83, 89)
"""The sizes that stand for None: primes that no layer has by chance. A dimension that differs between them is None."""


def override_core(core: ModuleType) -> None:
    """Replaces ``compute_output_spec``, which needs TensorFlow's graphs."""
    tree, keras_tensor = core.tree, core.KerasTensor

    def placeholder(x: Any, size: int) -> Any:
        if not isinstance(x, keras_tensor):
            return x
        shape = tuple([size if dimension is None else dimension for dimension in x.shape])
        dtype = fg.as_dtype(x.dtype)
        if x.sparse:
            return SparseTensorSpec(shape, dtype).placeholder(size, 0)
        return constant_tensor(deferral.zeros(shape, dtype.numpy))

    def spec_of(x: Any) -> Any:
        if not fg.is_tensor(x):
            return x
        return keras_tensor(tuple(x.shape), core.standardize_dtype(x.dtype), sparse=isinstance(x, fg.SparseTensor))

    def specs_with(size: int, fn: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        args, kwargs = tree.map_structure(lambda x: placeholder(x, size), (args, kwargs))
        with recording.hide_from_recorders(), deferral.defer_operations():
            return tree.map_structure(spec_of, fn(*args, **kwargs))

    def merged(first: Any, second: Any) -> Any:
        if not isinstance(first, keras_tensor) or tuple(first.shape) == tuple(second.shape):
            return first
        shape = tuple([a if a == b else None for a, b in zip(first.shape, second.shape, strict=True)])
        return keras_tensor(shape, first.dtype, sparse=first.sparse)

    def compute_output_spec(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        inputs = [x for x in tree.flatten((args, kwargs)) if isinstance(x, keras_tensor)]
        with core.StatelessScope(), core.SymbolicScope():
            first = specs_with(_SIZES[0], fn, args, kwargs)
            if not any(None in x.shape for x in inputs):
                return first
            return tree.map_structure(merged, first, specs_with(_SIZES[1], fn, args, kwargs))

    vars(core)["compute_output_spec"] = compute_output_spec
