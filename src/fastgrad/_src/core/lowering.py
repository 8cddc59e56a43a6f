"""The lowering of an operation: the parts of a row of the operation table that only graphs and programs read."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypedDict

import numpy as np

from fastgrad._src.kernels.movement.strided import ViewLayouts
from fastgrad._src.kernels.runtime.launch import Launches
from fastgrad._src.scalars.formulas import CHEAP_COST, ScalarOperation, expand, nodes_of, trace

LaunchFunction = Callable[..., Launches | None]


class Reducer(NamedTuple):
    """The code of a reduction in the loop of a kernel: the combination, and expressions of an element and the result.

    Attributes:
        combine: "sum", "product", "greatest" or "least".
        dtypes: of its input.
        element_code: the expression of an element in the combination.
        result_code: the expression of the result; ``{number}`` is its dtype, ``reduced`` the number of elements.
        is_identity_on_one_element: whether the reduction of one element is the element.
    """

    combine: str
    dtypes: frozenset[np.dtype]
    element_code: str = "{0}"
    result_code: str = "{0}"
    is_identity_on_one_element: bool = True

    @property
    def is_sum(self) -> bool:
        """True if the reduction is a plain sum: of the elements, not of expressions of elements."""
        return (self.combine, self.element_code, self.result_code) == ("sum", "{0}", "{0}")


class Elementwise(NamedTuple):
    """How kernels compute an element of an element-wise operation.

    Attributes:
        term: the formula: a function of terms, see ``terms.py``.
        kernel_code: the expression in a kernel, if ``term`` does not serve: a function ``(scalars, *operands, **attributes)`` that
            takes the names of operands and returns the expression, or None for dtypes without kernels (``scalars`` is a
            ``ScalarExpressions`` of compiler/fusion/scalar_code.py).
        rounds_once: whether kernels compute half-width floats in float32 and round at the end; else they round each step.
        complex_launches: the ``launches`` for complex numbers. By default those of the row's name, if it takes complex numbers.
        expansion: for an operation made of others: a function of the inputs' dtypes that returns its formula, or None if it has none
            (see custom_operations/formula.py). Programs run the rows of the formula in its place.
        derivative: the row of the derivative of a function of one input. In a row of two inputs: the row of the derivative
            at the second input, which the first is multiplied by.
    """

    term: Callable[..., Any] | None = None
    kernel_code: Callable[..., str | None] | None = None
    rounds_once: bool = False
    complex_launches: LaunchFunction | None = None
    expansion: Callable[[tuple[np.dtype, ...]], Any] | None = None
    derivative: Any = None


NO_ELEMENTWISE = Elementwise()


class IndexMap(NamedTuple):
    """How an index map moves elements.

    Attributes:
        views: its results are views of its input (see ``kernels/movement/strided.py``). A compiled program reads through the view
            where it can.
        keeps_order: whether groups treat the result as an alias: it has the elements of the input in their order.
        broadcasts: whether it broadcasts its input to the attribute ``shape``.
        transposed: a function ``(perm, given, **attributes)`` of an index map whose inputs are transposed by ``perm``;
            ``given`` is the shape of the first input. It returns the attributes of the index map of the inputs before
            the transpose, whose results are then transposed by ``perm``; or None if there are none.
    """

    views: ViewLayouts | None = None
    keeps_order: bool = False
    broadcasts: bool = False
    transposed: Callable[..., dict[str, Any] | None] | None = None


NO_INDEX_MAP = IndexMap()


class Collective(NamedTuple):
    """How all processes of a job run an operation together.

    Attributes:
        stages: for a collective of any number of inputs: the rows that do it for some of the inputs in stages. The first starts
            it, the last waits for the results. All but the first have an attribute ``shapes``, of the results.
        starts: whether it is a stage that starts the collective, so that programs run it early.
        waits: whether it is a stage that waits for the results, so that programs run it late.
    """

    stages: tuple[Any, ...] = ()
    starts: bool = False
    waits: bool = False


NO_COLLECTIVE = Collective()


class ResultSize(NamedTuple):
    """How many elements the result of an operation has along its first axis, if that depends on values.

    Attributes:
        count: a function of arrays and attributes that returns the size.
        launches: kernels of ``count``, as the ``launches`` of a row.
    """

    count: Callable[..., int]
    launches: LaunchFunction | None = None


class LossRows(NamedTuple):
    """Rows of a loss.

    Attributes:
        gradient: computes the gradient from the cotangent, the second result and the second input.
        with_gradient: computes the loss and its gradient from the cotangent and the inputs of the loss.
    """

    gradient: Any
    with_gradient: Any


class Lowering(NamedTuple):
    """How programs compute an operation. Functions of ``Spec``s take ``(inputs, outputs, **attributes)``.

    Attributes:
        elementwise: how an element of an element-wise operation is computed.
        rounds_as_run: whether kernels give the bits of ``run`` for float32 and float64: a bool, or a function with the
            arguments of ``launches`` that returns a bool. By default true if the kernels are those of ``term``, or if
            ``run`` calls them.
        launches: a function of ``Spec``s that returns the kernels for a compiled program (see ``kernels/runtime/launch.py``), or None
            for shapes or dtypes that the kernels do not take.
        reducer: how a reduction is computed in the loop of a group; None if it has no such loop.
        decomposition: a function ``(builder, *inputs, **attributes)`` that returns the results by simpler operations, or None if the
            operation stays whole (``builder``: ``OperationBuilder``, compiler/passes/decompose.py; inputs and results are its values).
        reference: a function of tensors and attributes that returns the results by simpler operations. GPUs run it in place of the
            row's kernels, and batching runs it in place of a rule (compiler/passes/expand_references.py).
        simplifications: a function ``(rules)`` that returns the algebraic rules of the operation, in their order
            (``rules`` is the module compiler/passes/algebra_rules.py).
        recomputation: a function ``(builder, others, *inputs, **attributes)`` that computes the first of several results
            again, element by element and with the same bits, from the inputs and the ``others`` of the results.
        index_map: how an index map moves elements.
        launches_with_epilogue: the kernels of a product or convolution with a map of the result as epilogue. A function
            ``(inputs, outputs, following, **attributes)``, where ``following`` is the launch of the map or None. It returns
            None if the kernels take no epilogue.
        flops: a function of ``Spec``s that returns the estimated arithmetic, for reports, where an addition counts as 1; None for
            what follows from the form.
        loss: the rows of the gradient of a loss whose gradient reads the cotangent, the second result and the second input.
        collective: for an operation that all processes of a job run together, in the same order: programs never fold, merge or
            drop it.
        result_size: for an operation whose result's first size depends on values.
        partial_update: "positions" or "rows" if the result is the first input with some elements changed. The inputs
            are an array, positions and updates; or tables and other arrays that change, rows, ids and the number of
            ids.
        cheap: whether an element costs less than a read of it from memory, and never fails; None if ``term`` tells it.
        merges: whether programs make one call of several with the same inputs and attributes.
        checks: whether the operation runs for the error that it may raise, even if its result is unused.
        in_python: for an operation without kernels: the reason. Programs run such an operation as eager code does.
    """

    elementwise: Elementwise = NO_ELEMENTWISE
    rounds_as_run: bool | Callable[..., bool] | None = None
    launches: LaunchFunction | None = None
    reducer: Reducer | None = None
    decomposition: Callable[..., Any] | None = None
    reference: Callable[..., Any] | None = None
    simplifications: Callable[[Any], tuple[Any, ...]] | None = None
    recomputation: Callable[..., Any] | None = None
    index_map: IndexMap = NO_INDEX_MAP
    launches_with_epilogue: LaunchFunction | None = None
    flops: Callable[..., int] | None = None
    loss: LossRows | None = None
    collective: Collective | None = None
    result_size: ResultSize | None = None
    partial_update: str | None = None
    cheap: bool | None = None
    merges: bool = True
    checks: bool = False
    in_python: str | None = None

    @property
    def function_calls(self) -> int:
        """The number of functions in the formula that are many instructions, such as exp."""
        return (
            0 if self.elementwise.term is None else sum(map(_is_long_function, _operations_of(self.elementwise.term)))
        )

    @property
    def element_cost(self) -> int:
        """The cost of an element by the formula, where an addition costs 1; 1 without a formula."""
        term = self.elementwise.term
        return 1 if term is None else max(sum([operation.cost for operation in _operations_of(term)]), 1)

    @property
    def is_cheap(self) -> bool:
        """True if an element is one instruction, which can't fail, so that it costs less than a read of it from memory."""
        if self.cheap is not None or self.elementwise.term is None:
            return bool(self.cheap)
        operations = _operations_of(self.elementwise.term)
        return len(operations) <= 1 and all(operation.cost == CHEAP_COST for operation in operations)


@functools.cache
def _operations_of(term: Callable[..., Any]) -> list[ScalarOperation]:
    return [node.operation for node in nodes_of(expand(trace(term))) if node.operation is not None]


def _is_long_function(operation: ScalarOperation) -> bool:
    return operation.name is not None and operation.cost > CHEAP_COST


NO_LOWERING = Lowering()


class LoweringParts(TypedDict, total=False):
    """The parts of a ``Lowering`` as arguments of a row, without ``elementwise`` and ``launches``."""

    rounds_as_run: bool | Callable[..., bool] | None
    reducer: Reducer | None
    decomposition: Callable[..., Any] | None
    reference: Callable[..., Any] | None
    simplifications: Callable[[Any], tuple[Any, ...]] | None
    recomputation: Callable[..., Any] | None
    index_map: IndexMap
    launches_with_epilogue: LaunchFunction | None
    flops: Callable[..., int] | None
    loss: LossRows | None
    collective: Collective | None
    result_size: ResultSize | None
    partial_update: str | None
    cheap: bool | None
    merges: bool
    checks: bool
    in_python: str | None


def complex_launches(name: str) -> LaunchFunction:
    """Returns the ``complex_launches`` of the operation ``name``, whose kernels have this name; imports them at the first call."""

    def imported_launches(*specs: Any, **attributes: Any) -> Launches | None:
        from fastgrad._src.kernels.elementwise import complex_numbers

        launches: LaunchFunction = getattr(complex_numbers, f"{name}_launches")
        return launches(*specs, **attributes)

    return imported_launches
