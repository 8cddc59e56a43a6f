"""Type declarations of the operators that ``ops/operators.py`` and ``ops/slicing.py`` set on tensors and variables.

Only for type checkers: at run time ``Operators`` is empty, because the module of tensors cannot import operations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastgrad._src.core.tensor import Tensor

    class Operators:
        """Python's operators and slicing; all return tensors."""

        __getitem__: Callable[..., Tensor]

        def _binary(self, other: Any) -> Tensor: ...
        def _unary(self) -> Tensor: ...

        __add__ = __sub__ = __mul__ = __truediv__ = __floordiv__ = __mod__ = __pow__ = __matmul__ = _binary
        __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rfloordiv__ = __rmod__ = __rpow__ = __rmatmul__ = _binary
        __and__ = __or__ = __xor__ = __rand__ = __ror__ = __rxor__ = _binary
        __lt__ = __le__ = __gt__ = __ge__ = _binary
        __neg__ = __abs__ = __invert__ = _unary

else:

    class Operators:
        """An empty class at run time; see the module docstring."""

        __slots__ = ()
