"""The callees of calls in the intermediate representation: functions that are not inlined, and functions with their own derivatives."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

from numba import types

from fastgrad._src.derivatives.ir.operands import leaf_types_of


class Callee(NamedTuple):
    """A function that Numba compiled, for arguments of some types, which is called and not inlined.

    Its arguments are numbers and arrays: the items of tuples are arguments of their own.

    Attributes:
        function: the dispatcher.
        types: the types of the parameters.
        result: the type of the result.
        active: the numbers of the arguments that have derivatives.
        written: the numbers of the arrays that it writes.
        returned: the numbers of the arrays whose memory it may return.
        content: tells the values that the function reads from outside from others, which it may read later.
        is_exact: whether its derivatives take the cotangents of those arguments alone that have some where it is called.
    """

    function: Any
    types: tuple[types.Type, ...]
    result: types.Type
    active: tuple[int, ...] = ()
    written: frozenset[int] = frozenset()
    returned: frozenset[int] = frozenset()
    content: str = ""
    is_exact: bool = False

    @property
    def is_product(self) -> bool:
        """False, see `CallRule`."""
        return False

    @property
    def argument_types(self) -> list[Any]:
        """The types of the arguments."""
        return [leaf for type in self.types for leaf in leaf_types_of(type) if not isinstance(leaf, types.Dispatcher)]


@dataclasses.dataclass(frozen=True)
class TangentOf:
    """What computes the results of a function that is not inlined and their tangents: ``Callee.function`` of such a call.

    Attributes:
        callee: the function.
        active: the numbers of the arguments that have tangents.
    """

    callee: Callee
    active: tuple[int, ...]

    @property
    def __name__(self) -> str:
        return f"tangent_of_{self.callee.function.__name__}"


@dataclasses.dataclass(frozen=True)
class SumOfProducts:
    """A sum of products of matrices, or of matrices and vectors: ``CallRule.function`` of such a call.

    Attributes:
        factors: for each product the numbers of the arguments that are its factors.
        function: a Python function that returns the sum, which is differentiated in its place. Like a tangent, it may return it in a tuple.
    """

    factors: tuple[tuple[int, int], ...]
    function: Callable[..., Any]


@dataclasses.dataclass(eq=False)
class CallRule:
    """A function with derivatives of its own, which reads its arguments only.

    Attributes:
        function: a dispatcher of Numba, or a function that Numba knows.
        adjoint: a dispatcher of the cotangents of the results, the results, and the arguments. It returns a tuple: the cotangent of each
            argument. None if the function has no reverse mode.
        tangent: a dispatcher of the tangents of the arguments, the results, and the arguments. It returns a tuple: the tangent of each
            result. None if the function has no forward mode.
        active: the numbers of the arguments that have derivatives; the tuples that adjoints return and tangents take have these alone.
        unread: the numbers of the results and arguments, counted together, of which the adjoint reads nothing but the shape.
        name: of the function, for messages.
        with_tangent: if one function computes results and tangents for less, the function that returns it, for the numbers of the arguments
            that have tangents. It takes these tangents and the arguments, and returns a tuple: the results, then their tangents.
        returns_tuple: whether the function returns a tuple also of one result.
    """

    written: ClassVar[frozenset[int]] = frozenset()
    returned: ClassVar[frozenset[int]] = frozenset()
    is_product = False
    """Whether it is a `ProductRule`."""

    function: Any
    adjoint: Any
    tangent: Any
    active: tuple[int, ...]
    unread: frozenset[int] = frozenset()
    name: str = "a gradient"
    with_tangent: Callable[[tuple[int, ...]], Any] | None = None
    returns_tuple: bool = False

    def restricted_to(self, active: tuple[int, ...]) -> CallRule:
        """Returns the rule by which only the arguments numbered ``active`` have derivatives, if that costs less; else this one."""
        return self


class ProductRule(CallRule):
    """A product of two matrices, or of a matrix and a vector. Its reverse sweep adds to the cotangents of the operands in place.

    Args:
        function: the product.
        tangents: for the numbers of the operands that have tangents what takes these, the product, the operands, and whether a product of 0 and an
            infinite number is 0.
        active: the numbers of the operands that have derivatives.
    """

    is_product = True

    def __init__(
        self,
        function: SumOfProducts,
        tangents: dict[tuple[int, ...], SumOfProducts],
        active: tuple[int, ...] = (0, 1),
    ) -> None:
        unread = {0, *[1 + position for position in (0, 1) if active == (position,)]}  # the other one is read
        super().__init__(function, None, tangents.get(active), active, frozenset(unread), "a product")
        self._tangents = tangents

    @staticmethod
    def result_sizes(operands: Sequence[Any]) -> list[Any]:
        """Returns the sizes of the product of two views."""
        first, second = [view.sizes for view in operands]
        return [*first[:-1], *second[1:]]

    def restricted_to(self, active: tuple[int, ...]) -> CallRule:
        return ProductRule(self.function, self._tangents, active)
