"""Optimizer updates: each rule is one scalar formula, from which three kernels are made.

`rule.variables` updates all variables of a model in one call, in place:
`adam.variables[dtype](parameters, m, v, gradients, first, last, *hyperparameters)`, each of the first four a list of
arrays. It does the units of work [first, last), of which there are `units(arrays)`; their results are the same whatever
the cuts.

`rule.scaled_variables` does so for gradients times a number, given before the hyperparameters: clipping by the norm of all.

`rule.elements` updates elements of one variable, a map that can follow what makes its gradient.

`rule.rows` updates some rows of a table: `adam.rows[dtype, index_dtype](parameter, m, v, values, ids, rows, limit,
width, *hyperparameters)`. The ids must increase and lie in [0, limit), as `embedding.group_ids` leaves them;
the kernel returns the position of the first that does not, having done nothing, else -1.

`rule.table`, with the same arguments, gives what `variables` gives for the dense gradient that has `values` in the
rows `ids` and zeros in the rest of the `limit` rows, without making it.

`rule.live` is `rule.table` for rules that leave a row as it is where gradient and slots are zero: with a byte a row,
`live`, and the same memory as `words` of eight bytes, after `values`. Rows without a gradient whose byte is 0 are passed
over, eight at a time where they can; rows with a gradient get a 1.

`rule.summed_rows` and `rule.summed_table` do the same as `rule.rows` and `rule.table` in programs, where the number of rows
is known at run time only, an array of one int64, and ids are those of `embedding.group_ids`. `summed_rows` does those of the
ids with a number in [first, last), `summed_table` the rows [first, last). `rule.summed_live` is `rule.live` likewise, for the rows of the words [first, last) of `live`, a byte a row.

The formulas are Keras 3's (keras.optimizers), in its order of operations. Their parameters are the weight `p`, the
slots, the gradient `g`, and hyperparameters; for one named `one_minus_x` the caller passes `x`, and the difference is
taken in float64. `decay` is `weight_decay * learning_rate`, 0 for none (Keras: decoupled, before the update).
"""

from __future__ import annotations

import functools
import linecache
import math
from collections.abc import Iterable
from typing import Any

from numpy import uint64

from fastgrad.kernels.building.body import AHEAD, LINE, by_dtype, digest, prefetch, scalar_function
from fastgrad.kernels.building.build import Kernel, kernel
from fastgrad.kernels.functions.power import power as raised
from fastgrad.kernels.functions.vector_math import greatest, least, nan_greatest

FLOATS = ("float32", "float64")
INDICES = ("int32", "int64")
UNIT = 4096
"""Elements, counted through all variables, that are one unit of work."""

RULES: dict[str, UpdateRule] = {}
"""Every rule by its name."""

_PREFIX = "one_minus_"
_SPARSE = "ids: in[I], rows: int, limit: int, width: int"

_VARIABLES = """
def {name}(p, {slots}g, count, sizes, first, last, {given}):
    {constants}
    start, stop = first * {UNIT}, last * {UNIT}
    for k in range(count):
        {pointers} = {lists}
        size = sizes[k]
        for i in range(greatest(start, 0), least(stop, size)):
            {targets} = formula({elements}, {hyper})
        start, stop = start - size, stop - size
"""

_ELEMENTS = """
def {name}(p, {slots}g, first, last, {given}):
    {constants}
    for i in range(first, last):
        {row_elements} = formula({row_elements}, g[i], {hyper})
"""

_ROWS = """
def {name}(p, {slots}g, ids, rows, limit, width, {given}):
    bad = first_disorder(ids, rows, limit)
    if bad >= 0:
        return bad
    {constants}
    for k in range(rows):
        ahead = ids[least(k + {AHEAD}, rows - 1)] * width
        for j in range(0, width, {LINE}):
            {prefetches}
        row = ids[k] * width
        for j in range(width):
            i = row + j
            {row_elements} = formula({row_elements}, g[k * width + j], {hyper})
    return -1
"""

_SUMMED_ROWS = """
def {name}(p, {slots}g, ids, number, limit, width, first, last, {given}):
    {constants}
    rows = number[0]
    for k in range(first, least(last, rows)):
        if ids[k] >= 0 and ids[k] < limit:
            ahead = ids[least(k + {AHEAD}, rows - 1)] * width
            for j in range(0, width, {LINE}):
                {prefetches}
            row = ids[k] * width
            for j in range(width):
                i = row + j
                {row_elements} = formula({row_elements}, g[k * width + j], {hyper})
"""

_SUMMED_TABLE = """
def {name}(p, {slots}g, ids, number, width, first, last, {given}):
    {constants}
    rows = number[0]
    k = 0
    while k < rows and ids[k] < first:
        k += 1
    for r in range(first, last):
        if k < rows and ids[k] == r:
            for j in range(width):
                i = r * width + j
                {row_elements} = formula({row_elements}, g[k * width + j], {hyper})
            k += 1
        else:
            for j in range(width):
                i = r * width + j
                {row_elements} = formula({row_elements}, T(0), {hyper})
"""

_SUMMED_LIVE = """
def {name}(p, {slots}g, live, ids, number, limit, width, first, last, {given}):
    {constants}
    rows = number[0]
    k = 0
    while k < rows and ids[k] < 8 * first:
        k += 1
    for w in range(first, last):
        word = live[w]
        stop = least(8 * w + 8, limit)
        if word != 0 or (k < rows and ids[k] < stop):
            for r in range(8 * w, stop):
                at = uint64(8 * (r - 8 * w))
                if k < rows and ids[k] == r:
                    word |= uint64(1) << at
                    for j in range(width):
                        i = r * width + j
                        {row_elements} = formula({row_elements}, g[k * width + j], {hyper})
                    k += 1
                elif (word >> at) & uint64(255) != 0:
                    for j in range(width):
                        i = r * width + j
                        {row_elements} = formula({row_elements}, T(0), {hyper})
            live[w] = word
"""

_TABLE = """
def {name}(p, {slots}g, ids, rows, limit, width, {given}):
    bad = first_disorder(ids, rows, limit)
    if bad >= 0:
        return bad
    {constants}
    k = 0
    for r in range(limit):
        if k < rows and ids[k] == r:
            for j in range(width):
                i = r * width + j
                {row_elements} = formula({row_elements}, g[k * width + j], {hyper})
            k += 1
        else:
            for j in range(width):
                i = r * width + j
                {row_elements} = formula({row_elements}, T(0), {hyper})
    return -1
"""

_LIVE = """
def {name}(p, {slots}g, live, words, ids, rows, limit, width, {given}):
    bad = first_disorder(ids, rows, limit)
    if bad >= 0:
        return bad
    {constants}
    r = 0
    for k in range(rows + 1):
        stop = ids[k] if k < rows else limit
        while r < stop:
            if r % 8 == 0 and r + 8 <= stop and words[r // 8] == 0:
                r += 8
            else:
                if live[r] != 0:
                    for j in range(width):
                        i = r * width + j
                        {row_elements} = formula({row_elements}, T(0), {hyper})
                r += 1
        if k < rows:
            live[r] = 1
            for j in range(width):
                i = r * width + j
                {row_elements} = formula({row_elements}, g[k * width + j], {hyper})
            r += 1
    return -1
"""


@scalar_function
def first_disorder(ids, rows, limit):
    """The position of the first index that is outside [0, limit) or not greater than the one before, else -1."""
    last = -1
    for k in range(rows):
        if ids[k] <= last or ids[k] >= limit:
            return k
        last = ids[k]
    return -1


class UpdateRule:
    """The kernels of one optimizer, each made when it is first used; see the module's text.

    Args:
        formula: `f(p, slot, ..., g, hyperparameter, ...)`, which gives the new `p, slot, ...`.
    """

    def __init__(self, formula: Any) -> None:
        names = formula.__code__.co_varnames[: formula.__code__.co_argcount]
        at = names.index("g")
        self.__name__ = formula.__name__
        RULES[self.__name__] = self
        self.__doc__ = formula.__doc__
        self.formula = scalar_function(formula)
        self.state = names[:at]
        self.hyper = names[at + 1 :]
        self.given = tuple(dict.fromkeys(name.removeprefix(_PREFIX) for name in self.hyper))

    @property
    def nanoseconds(self) -> float:
        """About what an element takes: what is read and written, and a little arithmetic."""
        return 0.3 * (len(self.state) + 1)

    @functools.cached_property
    def variables(self) -> Kernel:
        """The update of all variables."""
        return self._kernel(
            _VARIABLES, "inouts", "ins", "count: count, sizes: sizes, first: int, last: int", "", T=FLOATS
        )

    @functools.cached_property
    def scaled_variables(self) -> Kernel:
        """`variables` for gradients times a number, `factor`, which is given before the hyperparameters."""
        return self._kernel(
            _VARIABLES, "inouts", "ins", "count: count, sizes: sizes, first: int, last: int", "", True, T=FLOATS
        )

    @functools.cached_property
    def elements(self) -> Kernel:
        """The update of the elements [first, last) of one variable."""
        return self._kernel(_ELEMENTS, "inout", "in", "first: int, last: int", "", T=FLOATS, noalias=True)

    @functools.cached_property
    def rows(self) -> Kernel:
        """The update of some rows of a table."""
        return self._kernel(_ROWS, "inout", "in", _SPARSE, " -> int", T=FLOATS, I=INDICES, noalias=True)

    @functools.cached_property
    def table(self) -> Kernel:
        """The update of a whole table for a gradient that is zero in most rows."""
        return self._kernel(_TABLE, "inout", "in", _SPARSE, " -> int", T=FLOATS, I=INDICES)

    @functools.cached_property
    def live(self) -> Kernel:
        """The update of the rows of a table that move."""
        return self._kernel(
            _LIVE, "inout", "in", "live: inout[uint8], words: in[uint64], " + _SPARSE, " -> int", T=FLOATS, I=INDICES
        )

    @functools.cached_property
    def summed_rows(self) -> Kernel:
        """The update of some rows of a table, in programs."""
        rest = "ids: in[I], number: in[int64], limit: int, width: int, first: int, last: int"
        return self._kernel(_SUMMED_ROWS, "inout", "in", rest, "", T=FLOATS, I=INDICES, noalias=True)

    @functools.cached_property
    def summed_table(self) -> Kernel:
        """The update of a whole table for a gradient that is zero in most rows, in programs."""
        rest = "ids: in[I], number: in[int64], width: int, first: int, last: int"
        return self._kernel(_SUMMED_TABLE, "inout", "in", rest, "", T=FLOATS, I=INDICES)

    @functools.cached_property
    def summed_live(self) -> Kernel:
        """The update of the rows of a table that move, in programs."""
        rest = "live: inout[uint64], ids: in[I], number: in[int64], limit: int, width: int, first: int, last: int"
        return self._kernel(_SUMMED_LIVE, "inout", "in", rest, "", T=FLOATS, I=INDICES)

    def _kernel(
        self, template: str, arrays: str, gradient: str, rest: str, result: str, scaled: bool = False, **variables: Any
    ) -> Kernel:
        given, numbers = (("factor", *self.given), ("factor", *self.hyper)) if scaled else (self.given, self.hyper)
        name = f"scaled_{self.__name__}" if scaled else self.__name__
        slots = "".join(f"{name}, " for name in self.state[1:])
        source = template.format(
            name=name,
            slots=slots,
            given=", ".join(given),
            constants="\n    ".join(map(constant_of, numbers)),
            hyper=", ".join(f"{name}_" for name in self.hyper),
            pointers=", ".join(f"{name}_" for name in (*self.state, "g")),
            lists=", ".join(f"{name}[k]" for name in (*self.state, "g")),
            targets=", ".join(f"{name}_[i]" for name in self.state),
            elements=", ".join(f"{name}_[i]" for name in (*self.state, "g")) + (" * factor_" if scaled else ""),
            row_elements=", ".join(f"{name}[i]" for name in self.state),
            prefetches="; ".join(f"prefetch({name}, ahead + j)" for name in self.state),
            AHEAD=AHEAD,
            LINE=LINE,
            UNIT=UNIT,
        )
        scope: dict[str, Any] = {
            "formula": self.formula,
            "first_disorder": first_disorder,
            "greatest": greatest,
            "least": least,
            "prefetch": prefetch,
            "uint64": uint64,
        }
        filename = f"<fastgrad update {name} {digest(source.encode())[:12]}>"
        linecache.cache[filename] = len(source), None, source.splitlines(keepends=True), filename
        exec(compile(source, filename, "exec"), scope)  # noqa: S102 - our own templates
        parameters = [f"{name}: {arrays}[T]" for name in self.state] + [f"g: {gradient}[T]", rest]
        parameters += [f"{number}: float" for number in given]
        return kernel(", ".join(parameters) + result, **variables)(scope[name])


def units(arrays: Iterable[Any]) -> int:
    """How many units of work arrays of these sizes are, for `UpdateRule.variables`."""
    return -(-sum(math.prod(array.shape) for array in arrays) // UNIT)


def constant_of(name: str) -> str:
    """The statement that makes a hyperparameter of the formula from what is given, in float64 and then in T."""
    given = name.removeprefix(_PREFIX)
    return f"{name}_ = T({given})" if name == given else f"{name}_ = T(1.0 - {given})"


@scalar_function
def decayed(p, decay):
    """A weight after decay; without decay infinities stay."""
    return p - p * decay if decay != 0 else p


def _settled32(x):
    """0 for a subnormal number: a mean that is drawn towards 0 would stay there, a few bits above it."""
    return T(0) if math.fabs(x) < T(1.1754943508222875e-38) else x


def _settled64(x):
    return T(0) if math.fabs(x) < T(2.2250738585072014e-308) else x


settled = by_dtype(float32=_settled32, float64=_settled64)
"""What each rule makes of its means. Products with subnormal numbers take some processors 100 times as long; TensorFlow
flushes them, too."""


@UpdateRule
def sgd(p, g, rate, decay):
    """Keras: SGD."""
    return decayed(p, decay) - g * rate


@UpdateRule
def momentum(p, m, g, rate, momentum, decay):
    """Keras: SGD(momentum=...)."""
    m = settled(m * momentum - g * rate)
    return decayed(p, decay) + m, m


@UpdateRule
def nesterov(p, m, g, rate, momentum, decay):
    """Keras: SGD(momentum=..., nesterov=True)."""
    m = settled(m * momentum - g * rate)
    return decayed(p, decay) + (m * momentum - g * rate), m


@UpdateRule
def accumulated_momentum(p, a, g, rate, momentum, decay):
    """TensorFlow 1: tf.compat.v1.train.MomentumOptimizer, whose rate is outside of the sum."""
    a = settled(a * momentum + g)
    return decayed(p, decay) - rate * a, a


@UpdateRule
def accumulated_nesterov(p, a, g, rate, momentum, decay):
    """TensorFlow 1: MomentumOptimizer(use_nesterov=True)."""
    a = settled(a * momentum + g)
    return decayed(p, decay) - rate * (g + momentum * a), a


@UpdateRule
def adam(p, m, v, g, alpha, one_minus_beta_1, one_minus_beta_2, epsilon, decay):
    """Keras: Adam, AdamW; `alpha` is rate * sqrt(1 - beta_2^t) / (1 - beta_1^t)."""
    m = settled(m + (g - m) * one_minus_beta_1)
    v = settled(v + (g * g - v) * one_minus_beta_2)
    return decayed(p, decay) - m * alpha / (math.sqrt(v) + epsilon), m, v


@UpdateRule
def adam_amsgrad(p, m, v, greatest_v, g, alpha, one_minus_beta_1, one_minus_beta_2, epsilon, decay):
    """Keras: Adam(amsgrad=True), with the greatest second moment so far."""
    m = settled(m + (g - m) * one_minus_beta_1)
    v = settled(v + (g * g - v) * one_minus_beta_2)
    greatest_v = nan_greatest(greatest_v, v)
    return decayed(p, decay) - m * alpha / (math.sqrt(greatest_v) + epsilon), m, v, greatest_v


@UpdateRule
def rmsprop(p, v, g, rate, rho, one_minus_rho, epsilon, decay):
    """Keras: RMSprop."""
    v = settled(rho * v + one_minus_rho * (g * g))
    return decayed(p, decay) - rate * g / math.sqrt(v + epsilon), v


@UpdateRule
def rmsprop_momentum(p, v, m, g, rate, rho, one_minus_rho, momentum, epsilon, decay):
    """Keras: RMSprop(momentum=...)."""
    v = settled(rho * v + one_minus_rho * (g * g))
    m = settled(momentum * m + rate * g / math.sqrt(v + epsilon))
    return decayed(p, decay) - m, v, m


@UpdateRule
def rmsprop_centered(p, v, average, g, rate, rho, one_minus_rho, epsilon, decay):
    """Keras: RMSprop(centered=True)."""
    v = settled(rho * v + one_minus_rho * (g * g))
    average = settled(rho * average + one_minus_rho * g)
    return decayed(p, decay) - rate * g / math.sqrt(v - average * average + epsilon), v, average


@UpdateRule
def rmsprop_centered_momentum(p, v, average, m, g, rate, rho, one_minus_rho, momentum, epsilon, decay):
    """Keras: RMSprop(centered=True, momentum=...)."""
    v = settled(rho * v + one_minus_rho * (g * g))
    average = settled(rho * average + one_minus_rho * g)
    m = settled(momentum * m + rate * g / math.sqrt(v - average * average + epsilon))
    return decayed(p, decay) - m, v, average, m


@UpdateRule
def adagrad(p, accumulator, g, rate, epsilon, decay):
    """Keras: Adagrad."""
    accumulator = accumulator + g * g
    return decayed(p, decay) - rate * g / math.sqrt(accumulator + epsilon), accumulator


@UpdateRule
def adadelta(p, accumulated_g, accumulated_step, g, rate, rho, one_minus_rho, epsilon, decay):
    """Keras: Adadelta."""
    accumulated_g = settled(rho * accumulated_g + one_minus_rho * (g * g))
    step = -(math.sqrt(accumulated_step + epsilon) * g / math.sqrt(accumulated_g + epsilon))
    accumulated_step = settled(rho * accumulated_step + one_minus_rho * (step * step))
    return decayed(p, decay) + rate * step, accumulated_g, accumulated_step


@UpdateRule
def adamax(p, m, u, g, rate, one_minus_beta_1, beta_2, one_minus_beta_1_power, epsilon, decay):
    """Keras: Adamax; `beta_1_power` is beta_1^t."""
    m = settled(m + (g - m) * one_minus_beta_1)
    u = settled(nan_greatest(beta_2 * u, math.fabs(g)))
    return decayed(p, decay) - rate * m / (one_minus_beta_1_power * (u + epsilon)), m, u


@UpdateRule
def nadam(
    p, m, v, g, rate, one_minus_beta_1, one_minus_beta_2, m_weight, g_weight, one_minus_beta_2_power, epsilon, decay
):
    """Keras: Nadam; `m_weight` is u[t+1] / (1 - u[1]...u[t+1]), `g_weight` (1 - u[t]) / (1 - u[1]...u[t])."""
    m = settled(m + (g - m) * one_minus_beta_1)
    v = settled(v + (g * g - v) * one_minus_beta_2)
    step = (m_weight * m + g_weight * g) * rate / (math.sqrt(v / one_minus_beta_2_power) + epsilon)
    return decayed(p, decay) - step, m, v


@scalar_function
def ftrl_power(x, power):
    """x^power, by a square root for the usual power 1/2."""
    return math.sqrt(x) if power == T(0.5) else raised(x, power)


@UpdateRule
def ftrl(p, accumulator, linear, g, rate, power, l1, l2, shrinkage, decay):
    """Keras: Ftrl; `power` is -learning_rate_power; `l2` is l2_regularization_strength + beta / (2 rate)."""
    p = decayed(p, decay)
    grown = accumulator + g * g
    root = ftrl_power(grown, power)
    linear = linear + (g + T(2) * shrinkage * p - (root - ftrl_power(accumulator, power)) / rate * p)
    clipped = l1 if linear > l1 else (-l1 if linear < -l1 else linear)
    return (clipped - linear) / (root / rate + T(2) * l2), grown, linear


@UpdateRule
def lion(p, m, g, rate, beta_1, one_minus_beta_1, beta_2, one_minus_beta_2, decay):
    """Keras: Lion."""
    direction = m * beta_1 + g * one_minus_beta_1
    sign = T(1) if direction > 0 else (T(-1) if direction < 0 else direction)
    return decayed(p, decay) - rate * sign, settled(m * beta_2 + g * one_minus_beta_2)


@UpdateRule
def moving_average(p, g, momentum, one_minus_momentum):
    """`p` is the average, `g` the variable (Keras: use_ema)."""
    return p * momentum + g * one_minus_momentum


@kernel("p: inouts[T], count: count, sizes: sizes, decay: float", T=FLOATS)
def decay_weights(p, count, sizes, decay):
    """p -= p * decay: weight decay on its own, for sparse gradients."""
    for k in range(count):
        weights = p[k]
        for i in range(sizes[k]):
            weights[i] -= weights[i] * T(decay)


@kernel("count: in[int64], out: out[int64], every: int")
def whole_turns(count, out, every):
    """How often `every` steps have been done after `count` of them."""
    out[0] = count[0] // every


@kernel("count: in[int64], out: out[uint8], every: int")
def ends_turn(count, out, every):
    """Whether the step after `count` steps is the last of `every`, 1 or 0."""
    out[0] = 1 if (count[0] + 1) % every == 0 else 0
