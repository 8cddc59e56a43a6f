"""``tf.xla.experimental``: TensorFlow's names for computations that its compiler XLA compiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from fastgrad._src.compiler.function import function
from fastgrad._src.core.names import Namespace
from fastgrad._src.core.recording import inside_function


def compile(computation: Callable[..., Any], inputs: Sequence[Any] | None = None) -> Any:  # TensorFlow's name
    """Returns the results of ``computation(*inputs)``, computed by a compiled function. TensorFlow: tf.xla.experimental.compile.

    Args:
        computation: a function of tensors.
        inputs: its arguments; None means none.

    Returns:
        The results in their structure; a single result is in a tuple.
    """
    results = function(computation)(*(inputs or ()))
    return results if results is None or isinstance(results, (list, tuple, dict)) else (results,)


def jit_scope(compile_ops: Any = True, separate_compiled_gradients: bool = False) -> AbstractContextManager[None]:
    """A context without effect: a compiled function compiles all of its operations. TensorFlow: tf.xla.experimental.jit_scope.

    Args:
        compile_ops, separate_compiled_gradients: kept for TensorFlow's signature.

    Raises:
        RuntimeError: it is entered outside of a ``tf.function``.
    """
    if not inside_function():
        raise RuntimeError(
            "xla.experimental.jit_scope is not supported when eager execution is enabled. Use it inside of a tf.function."
        )
    return nullcontext()


experimental = Namespace("tf.xla.experimental", compile=compile, jit_scope=jit_scope)
