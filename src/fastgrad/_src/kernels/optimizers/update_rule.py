"""Update rules of optimizers. A rule is one scalar function; all kernels of an optimizer are made from it.

A rule takes the variable `p`, its slots, the gradient `g` and hyper-parameters, all scalars of the variable's dtype. It
returns the new `p` and the new slots. For a hyper-parameter named `one_minus_x` the caller passes `x`; the difference
is computed in float64. `UpdateRule.step` does two things for every rule: it decays the weights first (`decay` is
`weight_decay * learning_rate`, 0 for none), and it sets subnormal slots to 0 afterwards.

`rule.variables_kernel` updates all variables of a model in one call, in place: `adam.variables_kernel[dtype](parameters, m, v,
gradients, first, last, *numbers)`, where each of the first four is a list of arrays. It does the units of work [first,
last) of `unit_count(arrays)`; results do not depend on how the work is cut.

`rule.scaled_variables_kernel` does this for gradients times a factor, the first of the numbers: clipping by the global norm.

`rule.element_kernel` updates elements of one variable; it can follow the kernel that computes the variable's gradient.

`rule.row_kernel` updates some rows of a table: `adam.row_kernel[dtype, index_dtype](parameter, m, v, values, ids,
id_count, limit, width, first, last, *numbers)`. The first id_count[0] ids increase and lie in [0, limit), as after
`embedding.group_ids`. The kernel does the ids [first, last).

`rule.table_kernel`, without `limit`, updates the rows [first, last) of the table. It equals `variables_kernel` with a dense
gradient that has `values` in the rows `ids` and zeros in all other rows, but it does not make that gradient.

`rule.flagged_row_kernel` is `rule.table_kernel` for rules that do not change a row whose gradient and slots are zero.
It takes one more argument after `values`: `row_flags`, a byte a row, as 64-bit words. It skips rows without a gradient
whose byte is 0, and sets the byte of each row with a gradient to 1. It does the rows of the words [first, last).

`rule.update_rows` calls the kernel for a rule, for all rows.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy import uint64

from fastgrad._src.jit.body import PREFETCH_DISTANCE, PREFETCH_ELEMENTS, digest, prefetch, scalar_function
from fastgrad._src.jit.build import Kernel
from fastgrad._src.jit.generated_source import function_from_source, name_in_source
from fastgrad._src.jit.locks import free_properties_at_fork
from fastgrad._src.jit.signature import parse_signature
from fastgrad._src.kernels.math.vector_math import SMALLEST_NORMAL, greatest, least
from fastgrad._src.kernels.runtime.launch import Launch

FLOATS = ("float32", "float64")
INDEX_DTYPES = ("int32", "int64")
UNIT_ELEMENTS = 4096
"""Elements in one unit of work, counted through all variables."""
NANOSECONDS_PER_UPDATED_ROW = 15.0
"""The cost of fetching a table row from memory, without the work on its elements."""

ZERO_GRADIENT_MOVES, ZERO_GRADIENT_RESTS, ZERO_GRADIENT_RESTS_AT_ZERO_SLOTS = range(3)
"""The effect of a zero gradient on an element: changes it, leaves it, or leaves it if its slots are zero."""

GRADIENT_PARAMETER_NAMES = ("g", "grad", "gradient")

RULES: dict[str, UpdateRule] = {}
"""Every rule by its key."""

NO_NAMES: Mapping[str, Any] = MappingProxyType({})

RULE_KERNELS_BY_FUNCTION: dict[Any, RuleKernel] = {}
"""Every kernel of a rule that has been made, by its function."""

_ONE_MINUS_PREFIX = "one_minus_"
_ROW_PARAMETERS = "ids: in[I], id_count: in[int64], "
_RANGE_PARAMETERS = "first: int, last: int"

_STEP_TEMPLATE = """
def {name}(p, {slots}g, {hyper}):
    {results} = formula({weight}, {slots}g, {given})
    return {settled}
"""

_RESULT_TEMPLATE = """
def {name}(p, {slots}g, {given}):
    {constants}
    {row} = step(p, {slots}g, {hyper})
    return {result}
"""

_ALL_ELEMENTS = "greatest(start, 0), least(stop, size)"

# In these templates `{span}` is what `range` gets for the elements of a unit in a variable; `{move}` updates the row r by the gradient's row k, and `{rest}` by a gradient of zeros.
_KERNEL_TEMPLATES = {
    "variables": """
def {name}(p, {slots}g, count, sizes, first, last, {given}):
    {constants}
    start, stop = first * {UNIT}, last * {UNIT}
    for k in range(count):
        {pointers} = {lists}
        size = sizes[k]
        for i in range({span}):
            {targets} = step({elements}, {hyper})
        start, stop = start - size, stop - size
""",
    "element_kernel": """
def {name}(p, {slots}g, first, last, {given}):
    {constants}
    for i in range(first, last):
        {row} = step({row}, g[i], {hyper})
""",
    "row_kernel": """
def {name}(p, {slots}g, ids, id_count, limit, width, first, last, {given}):
    {constants}
    rows = id_count[0]
    for k in range(first, least(last, rows)):
        if ids[k] >= 0 and ids[k] < limit:
            ahead = ids[least(k + {DISTANCE}, rows - 1)] * width
            for j in range(0, width, {STEP}):
                {prefetches}
            r = ids[k]
            {move}
""",
    "table_kernel": """
def {name}(p, {slots}g, ids, id_count, width, first, last, {given}):
    {constants}
    rows = id_count[0]
    k = 0
    while k < rows and ids[k] < first:
        k += 1
    for r in range(first, last):
        if k < rows and ids[k] == r:
            {move}
            k += 1
        else:
            {rest}
""",
    "flagged_row_kernel": """
def {name}(p, {slots}g, row_flags, ids, id_count, limit, width, first, last, {given}):
    {constants}
    rows = id_count[0]
    k = 0
    while k < rows and ids[k] < 8 * first:
        k += 1
    w = first
    while w < last:
        stop = least(ids[k] >> 3, last) if k < rows else last
        while w < stop and row_flags[w] == 0:
            w += 1
        if w < last:
            word = row_flags[w]
            for r in range(8 * w, least(8 * w + 8, limit)):
                at = uint64(8 * (r - 8 * w))
                if k < rows and ids[k] == r:
                    word |= uint64(1) << at
                    {move}
                    k += 1
                elif (word >> at) & uint64(255) != 0:
                    {rest}
            row_flags[w] = word
            w += 1
""",
}


@scalar_function
def decayed_weight(p, decay):
    """Returns p - p * decay; without decay p itself, since p - p * 0 would make infinities NaN."""
    return p - p * decay if decay != 0 else p


@scalar_function
def flush_subnormal(x):
    """Returns 0 for a subnormal x, else x.

    A mean that decays by a factor would otherwise stay subnormal. Products with subnormal numbers take some processors
    100 times as long; TensorFlow flushes them, too.
    """
    return T(0) if math.fabs(x) < T(SMALLEST_NORMAL) else x


_TEMPLATE_GLOBALS: dict[str, Any] = {
    "decayed": decayed_weight,
    "greatest": greatest,
    "least": least,
    "prefetch": prefetch,
    "settled": flush_subnormal,
    "uint64": uint64,
}


@free_properties_at_fork
class UpdateRule:
    """The kernels of one optimizer's update rule, each made at its first use.

    Args:
        formula: the rule, a function `f(p, slot, ..., g, hyper-parameter, ...)` that returns the new `p, slot, ...`.
        called: what kernels call instead of the formula: a scalar function or a choice by dtype; by default the
            formula.
        zero_gradient: `ZERO_GRADIENT_MOVES`, `ZERO_GRADIENT_RESTS` or `ZERO_GRADIENT_RESTS_AT_ZERO_SLOTS`.
        decays: whether weights decay before the rule.
        key: its key in `RULES`; by default the formula's name.

    Attributes:
        key, zero_gradient: as above.
        slots: the names of the slots.
        hyper: the names of the rule's hyper-parameters.
        hyper_numbers: the names of the numbers that the hyper-parameters are computed from.
        numbers: the names of the numbers that kernels take: `hyper_numbers`, and `decay` if weights decay.
        state: the names of the variable and its slots in the kernels.
    """

    def __init__(
        self,
        formula: Any,
        zero_gradient: int = ZERO_GRADIENT_MOVES,
        decays: bool = True,
        key: str | None = None,
        called: Any = None,
    ) -> None:
        names = formula.__code__.co_varnames[: formula.__code__.co_argcount]
        at = next(i for i, name in enumerate(names) if name in GRADIENT_PARAMETER_NAMES)
        self.__name__ = name_in_source(formula.__name__)
        self.__doc__ = formula.__doc__
        self.key = formula.__name__ if key is None else key
        self.formula = formula
        self.called = scalar_function(formula) if called is None else called
        self.zero_gradient = zero_gradient
        self.decays = decays
        self.slots = names[1:at]
        self.hyper = names[at + 1 :]
        self.hyper_numbers = tuple(dict.fromkeys(name.removeprefix(_ONE_MINUS_PREFIX) for name in self.hyper))
        self.numbers = (*self.hyper_numbers, "decay") if decays else self.hyper_numbers
        self.state = ("p", *[f"slot_{name}" for name in self.slots])
        RULES[self.key] = self

    def __repr__(self) -> str:
        return f"<update rule {self.__name__}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rule_with_key, (self.key,)

    def __call__(self, *args: Any) -> Any:
        """Applies the rule to Python numbers."""
        return self.formula(*args)

    @property
    def nanoseconds(self) -> float:
        """About how many nanoseconds an element takes: its memory traffic, and a little arithmetic."""
        return 0.3 * (len(self.state) + 1)

    @property
    def number_parameters(self) -> tuple[str, ...]:
        """The names of the kernels' parameters for `numbers`, the values of hyper-parameters."""
        return tuple([f"with_{name}" for name in self.numbers])

    @property
    def constant_statements(self) -> list[str]:
        """The statements that compute the arguments of `step` from the kernels' numbers, in float64 and then in T."""
        return [_constant_statement(name) for name in self._step_hyper_parameters]

    @property
    def step_arguments(self) -> str:
        """The variables that `constant_statements` assign, as the last arguments of a call of `step`."""
        return ", ".join([f"with_{name}_" for name in self._step_hyper_parameters])

    @property
    def _step_hyper_parameters(self) -> tuple[str, ...]:
        return (*self.hyper, "decay") if self.decays else self.hyper

    @functools.cached_property
    def hyper_values_function(self) -> Any:
        """The function `(optimizer, learning_rate, step)` that returns the values of `hyper_numbers`."""
        known = "learning_rate", "step"
        values = "".join(f"{name if name in known else f'optimizer.{name}'}, " for name in self.hyper_numbers)
        return _update_function(f"def values(optimizer, learning_rate, step):\n    return ({values})\n", "values", {})

    @functools.cached_property
    def step(self) -> Any:
        """The scalar function that all kernels call: decay, then the rule, then the flush of subnormal slots."""
        slots = self.state[1:]
        source = _STEP_TEMPLATE.format(
            name=f"{self.__name__}_step",
            slots="".join(f"{name}, " for name in slots),
            hyper=self.step_arguments,
            given=", ".join(f"with_{name}_" for name in self.hyper),
            weight="decayed(p, with_decay_)" if self.decays else "p",
            results=", ".join(self.state),
            settled=", ".join(["T(p)", *[f"settled(T({name}))" for name in slots]]),
        )
        return scalar_function(_update_function(source, f"{self.__name__}_step", {"formula": self.called}))

    def result_function(self, index: int) -> Any:
        """Returns the scalar function of one of the step's results, whose arguments are the kernels' numbers."""
        name = f"{self.__name__}_result_{index}"
        return scalar_function(
            self._function(_RESULT_TEMPLATE, name, result=self.state[index], row=", ".join(self.state))
        )

    @functools.cached_property
    def variables_kernel(self) -> Kernel:
        """The kernel that updates all variables of a model."""
        return self._kernel("variables", "inouts", "ins", "count: count, sizes: sizes, " + _RANGE_PARAMETERS)

    @functools.cached_property
    def scaled_variables_kernel(self) -> Kernel:
        """The kernel that updates all variables of a model by gradients times `factor`, the first of the numbers."""
        return self._kernel(
            "variables", "inouts", "ins", "count: count, sizes: sizes, " + _RANGE_PARAMETERS, with_factor=True
        )

    @functools.cached_property
    def element_kernel(self) -> Kernel:
        """The kernel that updates the elements [first, last) of one variable."""
        return self._kernel("element_kernel", "inout", "in", _RANGE_PARAMETERS, noalias=True)

    @functools.cached_property
    def row_kernel(self) -> Kernel:
        """The kernel that updates some rows of an embedding table."""
        return self._kernel(
            "row_kernel",
            "inout",
            "in",
            f"{_ROW_PARAMETERS}limit: int, width: int, {_RANGE_PARAMETERS}",
            noalias=True,
            I=INDEX_DTYPES,
        )

    @functools.cached_property
    def table_kernel(self) -> Kernel:
        """The kernel that updates all rows of an embedding table for a gradient that is zero in most rows."""
        return self._kernel(
            "table_kernel", "inout", "in", f"{_ROW_PARAMETERS}width: int, {_RANGE_PARAMETERS}", I=INDEX_DTYPES
        )

    @functools.cached_property
    def flagged_row_kernel(self) -> Kernel:
        """The kernel that updates the rows of an embedding table that `row_flags` flags or that have a gradient."""
        more_parameters = f"row_flags: inout[uint64], {_ROW_PARAMETERS}limit: int, width: int, {_RANGE_PARAMETERS}"
        return self._kernel("flagged_row_kernel", "inout", "in", more_parameters, I=INDEX_DTYPES)

    def update_rows(
        self,
        zero_gradient: int,
        state: Sequence[Any],
        gradient_rows: Any,
        ids: Any,
        hyper_values: Sequence[float],
        row_flags: Any = None,
        id_count: Any = None,
    ) -> None:
        """Updates a table for a gradient that is zero except in some rows.

        Args:
            zero_gradient: the effect of a zero gradient on a row.
            state: the table and its slots.
            gradient_rows, ids: the rows of the gradient, and their numbers: increasing, and below the number of rows of
                the table. The kernels do not check that.
            hyper_values: the values of the kernels' hyper-parameters.
            row_flags: flags of the rows that have had a gradient, in words of eight; None if all rows may change.
            id_count: an array of the number of ids; with it, the call allocates no memory.
        """
        rows = gradient_rows, ids, np.array(len(ids)) if id_count is None else id_count
        kernel, operands, units, _ = self.row_kernel_call(zero_gradient, state[0], ids, state, rows, row_flags)
        kernel(*operands, 0, units, *hyper_values)

    def row_kernel_call(
        self, zero_gradient: int, table: Any, ids: Any, state: Sequence[Any], rows: Sequence[Any], row_flags: Any
    ) -> tuple[Any, tuple[Any, ...], int, float]:
        """Returns a kernel that updates a table by rows, its operands before the numbers, its units, and the cost of a unit.

        Args:
            zero_gradient: the effect of a zero gradient on a row.
            table, ids: these arrays, or their shapes and dtypes.
            state: operands for the table and its slots.
            rows: operands for the rows of the gradient, their ids, and the number of ids.
            row_flags: an operand for the flags of rows; None if all rows may change.
        """
        limit, width, dtypes = table.shape[0], math.prod(table.shape[1:]), (table.dtype, ids.dtype)
        cost = width * self.nanoseconds
        if row_flags is not None:
            operands = (*state, rows[0], row_flags, *rows[1:], limit, width)
            return self.flagged_row_kernel[dtypes], operands, -(-limit // 8), 8 * cost
        if zero_gradient == ZERO_GRADIENT_RESTS:
            row_cost = NANOSECONDS_PER_UPDATED_ROW + cost
            return self.row_kernel[dtypes], (*state, *rows, limit, width), ids.shape[0], row_cost
        return self.table_kernel[dtypes], (*state, *rows, width), limit, cost

    def launch(self, kernel: Any, arrays: Sequence[Any], operands: tuple[Any, ...]) -> Launch:
        """Returns the launch of a kernel that updates all variables of a model.

        Args:
            kernel: ``variables_kernel`` or ``scaled_variables_kernel`` of a dtype.
            arrays: the variables, or their shapes and dtypes.
            operands: those of the kernel.
        """
        units = unit_count(arrays)
        elements = sum(math.prod(array.shape) for array in arrays)
        return Launch(kernel, operands, units, elements * self.nanoseconds / max(units, 1))

    def _kernel(
        self,
        template: str,
        state_kind: str,
        gradient_kind: str,
        more_parameters: str,
        with_factor: bool = False,
        noalias: bool = False,
        **indices: tuple[str, ...],
    ) -> Kernel:
        function = self.kernel_function(template, with_factor)
        parameters = [f"{name}: {state_kind}[T]" for name in self.state] + [f"g: {gradient_kind}[T]", more_parameters]
        parameters += [f"{number}: float" for number in self._kernel_number_parameters(with_factor)]
        return RuleKernel(
            self, template, with_factor, function, ", ".join(parameters), noalias, {"T": FLOATS, **indices}
        )

    def kernel_function(
        self, template: str, with_factor: bool, span: str = _ALL_ELEMENTS, names: Mapping[str, Any] = NO_NAMES
    ) -> Any:
        """Returns the function of a kernel.

        Args:
            template: the name of its template.
            with_factor: whether gradients are multiplied by a factor.
            span: the arguments of `range` for the elements of a unit in a variable.
            names: the globals that ``span`` uses.
        """
        name = f"scaled_{self.__name__}" if with_factor else self.__name__
        return self._function(_KERNEL_TEMPLATES[template], name, with_factor, names, span=span)

    def _kernel_number_parameters(self, with_factor: bool) -> tuple[str, ...]:
        return ("factor", *self.number_parameters) if with_factor else self.number_parameters

    def _function(
        self, template: str, name: str, with_factor: bool = False, names: Mapping[str, Any] = NO_NAMES, **fields: str
    ) -> Any:
        every = (*self.state, "g")
        row = ", ".join(f"{name}[i]" for name in self.state)
        in_row = "for j in range(width): i = r * width + j; {} = step({}, {}, {})"
        constants = ["factor_ = T(factor)", *self.constant_statements] if with_factor else self.constant_statements
        values = {
            "name": name,
            "slots": "".join(f"{name}, " for name in self.state[1:]),
            "given": ", ".join(self._kernel_number_parameters(with_factor)),
            "constants": "\n    ".join(constants),
            "hyper": self.step_arguments,
            "pointers": ", ".join(f"{name}_" for name in every),
            "lists": ", ".join(f"{name}[k]" for name in every),
            "targets": ", ".join(f"{name}_[i]" for name in self.state),
            "elements": ", ".join(f"{name}_[i]" for name in every) + (" * factor_" if with_factor else ""),
            "row": row,
            "move": in_row.format(row, row, "g[k * width + j]", self.step_arguments),
            "rest": in_row.format(row, row, "T(0)", self.step_arguments),
            "prefetches": "; ".join(f"prefetch({name}, ahead + j)" for name in self.state),
        }
        source = template.format_map(
            {
                **values,
                "DISTANCE": PREFETCH_DISTANCE,
                "STEP": PREFETCH_ELEMENTS,
                "UNIT": UNIT_ELEMENTS,
                **fields,
            }
        )
        return _update_function(source, name, {"step": self.step, **names})


class RuleKernel(Kernel):
    """A kernel of an update rule.

    Attributes:
        rule: the rule.
        template: the name of the template of its function.
        with_factor: whether gradients are multiplied by a factor.

    Raises:
        TypeError: when it is built, if the rule can't be compiled.
    """

    def __init__(
        self,
        rule: UpdateRule,
        template: str,
        with_factor: bool,
        function: Any,
        signature: str,
        noalias: bool,
        variables: Any,
    ) -> None:
        # Another process finds the kernel by these (`build.kernel_of_module`).
        function.__module__ = rule.formula.__module__
        attribute = f"{'scaled_' if with_factor else ''}{template.removesuffix('_kernel')}_kernel"
        function.__qualname__ = f"{rule.key}.{attribute}"
        super().__init__(function, parse_signature(signature), variables, False, noalias)
        self.rule, self.template, self.with_factor = rule, template, with_factor
        RULE_KERNELS_BY_FUNCTION[function] = self

    def _build(self, variables: dict[str, str]) -> Any:
        try:
            return super()._build(variables)
        except RuntimeError as error:
            code = self.rule.formula.__code__
            raise TypeError(
                f"update rule {self.rule.__name__!r} ({code.co_filename}:{code.co_firstlineno}) can't be compiled for "
                f"{variables['T']}: {error}. A rule is arithmetic, comparisons, `math` functions and calls of other scalar "
                "functions, of the variable, its slots, the gradient and hyper-parameters."
            ) from error


def _update_function(source: str, name: str, more_globals: dict[str, Any]) -> Any:
    """Returns a function from its source text, with the globals of update rules and ``more_globals``."""
    filename = f"<fastgrad update {name} {digest(source.encode())[:12]}>"
    return function_from_source(name, source, filename, _TEMPLATE_GLOBALS | more_globals)


def _constant_statement(name: str) -> str:
    given = name.removeprefix(_ONE_MINUS_PREFIX)
    return f"with_{name}_ = T(with_{given})" if name == given else f"with_{name}_ = T(1.0 - with_{given})"


def _rule_with_key(key: str) -> UpdateRule:
    return RULES[key]


def unit_count(arrays: Iterable[Any]) -> int:
    """Returns how many units of `UNIT_ELEMENTS` elements the arrays of a call of `UpdateRule.variables_kernel` have."""
    return -(-sum(math.prod(array.shape) for array in arrays) // UNIT_ELEMENTS)
