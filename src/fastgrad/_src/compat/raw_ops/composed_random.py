"""Raw operations that draw random numbers from a key and a counter, as graphs of TensorFlow do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.dtypes import as_dtype
from fastgrad._src.core.tensor import convert_to_tensor
from fastgrad._src.ops import random_draws as draws
from fastgrad._src.ops.joining import concat
from fastgrad._src.ops.random_generator import normal_from, uniform_from
from fastgrad._src.ops.shaping import bitcast


def key_and_counter(seed: Any) -> tuple[Any, Any]:
    """The key, uint64 [1], and the counter, uint64 [2], of Philox for a seed of two integers."""
    words = draws.philox_words(convert_to_tensor(seed))
    return bitcast(words[2:], dtypes.uint64), bitcast(words[:2], dtypes.uint64)


def draw_words(key: Any, counter: Any) -> Callable[[Any], Any]:
    """Returns a function that gives the words of a draw, of whatever shape."""
    words = concat([bitcast(convert_to_tensor(part, dtypes.uint64), dtypes.int64) for part in (counter, key)], 0)
    return lambda shape: words


def uniform(shape: Any, key: Any, counter: Any, dtype: Any) -> Any:
    """Uniform numbers from 0 up to 1, which is left out; of an integer dtype, from all of its numbers."""
    low = 0 if as_dtype(dtype).is_floating else None
    return uniform_from(draw_words(key, counter), "StatelessRandomUniformV2", shape, low, None, dtype)


def uniform_integers(shape: Any, key: Any, counter: Any, minval: Any, maxval: Any) -> Any:
    """Integers from ``minval`` up to ``maxval``, which is left out."""
    minval = convert_to_tensor(minval)
    words = draw_words(key, counter)
    return uniform_from(words, "StatelessRandomUniformIntV2", shape, minval, maxval, minval.dtype)


def normal(shape: Any, key: Any, counter: Any, dtype: Any) -> Any:
    """Normal numbers of mean 0 and standard deviation 1."""
    words = draw_words(key, counter)
    return normal_from(words, draws.normal, "StatelessRandomNormalV2", shape, 0.0, 1.0, dtype)


def truncated_normal(shape: Any, key: Any, counter: Any, dtype: Any) -> Any:
    """Normal numbers of mean 0 and standard deviation 1 within two standard deviations."""
    words = draw_words(key, counter)
    return normal_from(words, draws.truncated_normal, "StatelessTruncatedNormalV2", shape, 0.0, 1.0, dtype)
