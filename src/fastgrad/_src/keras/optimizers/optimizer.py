"""``Optimizer``: the base class, with clipping, weight decay, gradient accumulation and moving averages of weights.

One file, because it is one class.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from numbers import Real
from typing import Any, TypeVar

import numpy as np

from fastgrad._src.core.argument_checks import check_interval, check_positive, check_type, require
from fastgrad._src.core.indexed_slices import IndexedSlices
from fastgrad._src.core.names import declare_missing, suggestions
from fastgrad._src.core.placement import device_of, placement
from fastgrad._src.core.recording import as_if_recording_state, hide_from_tapes, is_state_recorded, recorders
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.jit.made_classes import MADE_CLASSES
from fastgrad._src.jit.user_lines import warn
from fastgrad._src.keras.optimizers.arguments import checked_number, checked_option
from fastgrad._src.keras.optimizers.gradients import (
    Gradient,
    SummedRows,
    as_user_gradient,
    read_gradient,
    scaled_gradient,
)
from fastgrad._src.keras.optimizers.grouped_update import GroupedUpdate
from fastgrad._src.keras.optimizers.recorded_attributes import proxy_if_recorded
from fastgrad._src.keras.optimizers.state import OptimizerState
from fastgrad._src.keras.optimizers.step import (
    Step,
    assign_overwriting_gradients,
    build_unrecorded,
    is_overwritten_by_gradient,
)
from fastgrad._src.keras.weight import any_overwrite_flag
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.clipping import clip_by_global_norm, clip_by_norm, clip_by_value
from fastgrad._src.ops.scattering import tensor_scatter_nd_add, tensor_scatter_nd_sub, tensor_scatter_nd_update

_AVERAGES_KEY = (-1,)
"""The key of the update of the moving averages; other updates have the positions of variables as keys."""

_KERAS_METHODS = ("_clip_gradients", "_apply_weight_decay", "assign", "assign_add", "assign_sub")
"""Methods that Keras calls in each step, and that users' subclasses override."""

_Init = TypeVar("_Init", bound=Callable[..., None])


class _AggregationSkips(threading.local):
    def __init__(self) -> None:
        self.owners: list[Any] = []


_aggregation_skips = _AggregationSkips()
"""Optimizers of this thread that apply gradients which are already summed over replicas."""


@declare_missing(
    *("GATE_GRAPH", "GATE_NONE", "GATE_OP", "compute_gradients", "get_name", "get_slot", "get_slot_names", "minimize"),
    "stateless_apply",
)
class Optimizer(OptimizerState):
    """The base of optimizers.

    A user's subclass defines ``build`` (which makes slots with ``add_variable_from_reference``) and
    ``update_step(gradient, variable, learning_rate)``, as in Keras.

    Args:
        learning_rate: a float, a ``LearningRateSchedule``, or a function of no arguments that gives the rate.
        weight_decay: each step first subtracts ``weight_decay * learning_rate`` times the weight from every weight.
        clipnorm: the greatest norm of the gradient of one variable; a gradient with a greater norm is scaled down.
        clipvalue: the greatest magnitude of a gradient's element.
        global_clipnorm: the greatest norm of all gradients together. At most one of the three limits may be set.
        use_ema: whether to keep a moving average of the weights; ``finalize_variable_values`` replaces the weights by it.
        ema_momentum: the decay rate of the average.
        ema_overwrite_frequency: the average replaces the weights after every so many steps; never if None.
        loss_scale_factor: ``scale_loss`` multiplies the loss by it; gradients are divided by it.
        gradient_accumulation_steps: the number of calls per update; an update uses the mean of their gradients.
        name: default: the class's name in snake case, made unique.

    Raises:
        TypeError: ``gradient_accumulation_steps`` is not a number.
        ValueError: a number is not finite, negative or out of its range; two kinds of clipping; unknown arguments.
    """

    _config_names: tuple[str, ...] = (
        *("weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "use_ema", "ema_momentum"),
        *("ema_overwrite_frequency", "loss_scale_factor", "gradient_accumulation_steps"),
    )

    _takes_new_variables = False  # whether later steps may update variables that the optimizer was not built with
    _overrides: frozenset[str] = frozenset()  # the methods of `_KERAS_METHODS` that a subclass overrides

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._overrides = frozenset(
            name for name in _KERAS_METHODS if getattr(cls, name) is not getattr(Optimizer, name)
        )

    def __init__(
        self,
        learning_rate: Any,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        class_name = type(self).__name__
        if kwargs.pop("decay", None) is not None:
            warn("Argument `decay` is no longer supported and will be ignored.")
        if kwargs:
            known = inspect.signature(type(self).__init__).parameters
            near = " Did you mean: learning_rate?" if "lr" in kwargs else suggestions(next(iter(kwargs)), known)
            raise ValueError(f"{class_name}: Argument(s) not recognized: {kwargs}.{near}")
        limits = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        has_one = sum(limit is not None for limit in limits.values()) <= 1
        require(has_one, self, "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set", **limits)
        accumulated: Any = gradient_accumulation_steps
        check_type(self, "an integer >= 2", (Real, type(None)), gradient_accumulation_steps=accumulated)
        if accumulated:
            check_interval(self, "[2, inf)", gradient_accumulation_steps=accumulated)
        if use_ema:
            check_interval(self, "[0, 1]", ema_momentum=ema_momentum)
        if use_ema and ema_overwrite_frequency:
            check_positive(self, ema_overwrite_frequency=ema_overwrite_frequency)
        super().__init__(learning_rate, name)
        MADE_CLASSES.add(class_name)
        self.weight_decay = checked_option(weight_decay, f"{class_name}: weight_decay")
        self.clipnorm = checked_option(clipnorm, f"{class_name}: clipnorm")
        self.global_clipnorm = checked_option(global_clipnorm, f"{class_name}: global_clipnorm")
        self.clipvalue = checked_option(clipvalue, f"{class_name}: clipvalue")
        self.use_ema = use_ema
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        if loss_scale_factor is not None and not checked_number(
            loss_scale_factor, f"{class_name}: loss_scale_factor", low=0.0
        ):
            raise ValueError(f"{class_name}: loss_scale_factor must not be 0.")
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self._undecayed: list[Variable] = []
        self._undecayed_names: re.Pattern[str] | None = None
        self._grouped_updates: dict[tuple[int, ...], GroupedUpdate] = {}
        self._last_grouped_update: GroupedUpdate | None = None
        self._live: dict[int, Variable] = {}  # by the position of the variable: see ``OptimizerVariable.live``

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_grouped_updates": {}, "_last_grouped_update": None, "_live": {}}

    def build(self, variables: Sequence[Variable]) -> None:
        """Makes the slots of ``variables`` in the first ``apply``; a subclass calls it before its own slots."""
        check_type(self, "a list of variables", Iterable, variables=variables)
        variables = list(variables)
        if self.use_ema:
            self._averages = self.add_optimizer_variables(variables, "average")
        if self.gradient_accumulation_steps:
            self._accumulated = self.add_optimizer_variables(variables, "gradient_accumulator")
            for slot in self._accumulated:
                slot.aggregation = "mean"  # of the replicas, when it is saved
        self._trainable_variables = [*self._trainable_variables, *variables] if self._takes_new_variables else variables
        self._positions = {id(variable): position for position, variable in enumerate(self._trainable_variables)}
        self.built = True

    # ---- updates -----------------------------------------------------------------------------------

    def apply_gradients(
        self,
        grads_and_vars: Iterable[tuple[Any, Variable]],
        skip_gradients_aggregation: bool = False,
        experimental_aggregate_gradients: bool = True,
    ) -> Any:
        """Updates variables by their gradients.

        In an optimizer made in the scope of a strategy, gradients are first summed over all replicas, before they are clipped.

        Args:
            grads_and_vars: pairs of a gradient and its variable. A gradient is a tensor, ``IndexedSlices``, or None, which
                leaves the variable unchanged.
            skip_gradients_aggregation: whether gradients are already sums over all replicas.
            experimental_aggregate_gradients: an older name with the opposite meaning; False also skips the aggregation.

        Returns:
            The step counter, ``iterations``.

        Raises:
            ValueError: there is no pair or no gradient, or the optimizer was not built for a variable.
            InvalidArgumentError: a gradient does not fit its variable. After an error nothing has changed.
        """
        if not isinstance(grads_and_vars, Iterable):
            raise TypeError(f"apply_gradients: takes pairs of a gradient and a variable, got {grads_and_vars!r}.")
        pairs: list[Any] = list(grads_and_vars)
        if not pairs:
            raise ValueError("apply_gradients: not enough values to unpack: there is no pair (gradient, variable).")
        for pair in pairs:
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                size = len(pair) if isinstance(pair, (tuple, list)) else getattr(pair, "shape", "()")
                raise ValueError(
                    "apply_gradients: expected pairs (gradient, variable), as zip(gradients, variables) gives them; got "
                    f"{type(pair).__name__} of {'length' if isinstance(size, int) else 'shape'} {size}."
                )
        grads, variables = [gradient for gradient, _ in pairs], [variable for _, variable in pairs]
        if skip_gradients_aggregation or not experimental_aggregate_gradients:
            with self._without_aggregation():
                self.apply(grads, variables)
        else:
            self.apply(grads, variables)
        return self._iterations

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """Updates ``trainable_variables`` by ``grads``; default: the variables that the optimizer was built with.

        Raises:
            ValueError, InvalidArgumentError: as ``apply_gradients``; the numbers of gradients and variables differ.
        """
        if len(grads) == 0:
            return
        variables = self._checked_variables(grads, trainable_variables)
        if not self.gradient_accumulation_steps and self._is_reducing():
            grads = self._summed_over_replicas(grads, variables)
        if any_overwrite_flag.is_set and any(map(is_overwritten_by_gradient, variables)):
            grads, variables = assign_overwriting_gradients(self, grads, variables)
            if not grads:
                return
        if recorders.active and is_state_recorded():
            with hide_from_tapes():
                self._run_step(grads, variables)
        elif placement.active and any(map(_is_on_gpu, (*grads, *variables))):
            with as_if_recording_state(), hide_from_tapes():
                self._run_step(grads, variables)
        elif not self._try_grouped_update(grads, variables):
            self._run_step(grads, variables)

    def sharded(self, average: bool = False) -> Any:
        """Returns a ``ShardedOptimizer`` with this optimizer: its slots are divided among the processes (ZeRO-1).

        Args:
            average: whether gradients are averaged over the processes; else they are summed.

        Raises:
            TypeError, ValueError: the optimizer needs whole variables.
        """
        from fastgrad._src.keras.optimizers.sharded_optimizer import ShardedOptimizer

        return ShardedOptimizer(self, average)

    def _is_reducing(self) -> bool:
        """True if this step sums gradients over replicas."""
        return not _aggregation_skips.owners and self._reducing_group().size > 1

    @contextlib.contextmanager
    def _without_aggregation(self) -> Iterator[None]:
        """Applies gradients that are already summed over replicas, within a ``with`` statement."""
        _aggregation_skips.owners.append(self)
        try:
            yield
        finally:
            _aggregation_skips.owners.pop()

    def _summed_over_replicas(self, grads: Sequence[Any], variables: Sequence[Variable], op: str = "sum") -> list[Any]:
        """Returns gradients reduced over all replicas; those that overwrite their variables by the greatest."""
        from fastgrad._src.ops.replica_gradients import all_reduce_gradients

        ops = ["max" if is_overwritten_by_gradient(variable) else op for variable in variables]
        with hide_from_tapes():
            return all_reduce_gradients(grads, ops)

    def _try_grouped_update(self, grads: Sequence[Any], variables: Sequence[Variable]) -> bool:
        """Runs the grouped update of the same variables as last; returns False if an option such as clipping or averages is set."""
        return False

    def _checked_variables(self, grads: Sequence[Any], variables: Sequence[Variable] | None) -> Sequence[Variable]:
        if variables is None:
            if not self.built:
                raise ValueError("apply: without variables, it must already be built. Call `build(variables)`.")
            variables = self._trainable_variables
        if len(grads) != len(variables):
            counts = f"a list of {len(grads)} gradients for {len(variables)} trainable variables"
            raise ValueError(f"`grads` must match the variables one-to-one. Received {counts}.")
        return variables

    def _gradient_pairs(self, grads: Sequence[Any], variables: Sequence[Variable]) -> list[tuple[Variable, Gradient]]:
        """Returns pairs of a variable and its checked gradient, for variables that have a gradient."""
        name = type(self).__name__
        for variable in variables:
            if not isinstance(variable, Variable):
                raise ValueError(f"{name}: can only update variables, got {variable!r} ({type(variable).__name__}).")
            if self.built and not self._takes_new_variables and id(variable) not in self._positions:
                raise ValueError(f"Unknown variable: {variable}. Make a new optimizer for other variables.")
        pairs = [(v, read_gradient(g, v, name)) for g, v in zip(grads, variables, strict=True) if g is not None]
        if not pairs:
            names = [v.name for v in variables]
            raise ValueError(f"No gradients provided for any variable: {names}.")
        return pairs

    def _run_step(self, grads: Sequence[Any], variables: Sequence[Variable]) -> None:
        """Runs a step with any options. Everything that can fail runs before the first write."""
        is_recorded = bool(recorders.active) and is_state_recorded()
        with np.errstate(all="ignore"):
            pairs = self._gradient_pairs(grads, variables)
            if len(pairs) < len(grads):
                missing = [getattr(v, "path", v.name) for g, v in zip(grads, variables, strict=True) if g is None]
                warn(
                    f"Gradients do not exist for variables {missing} when minimizing the loss. If using `model.compile()`, "
                    "did you forget to provide a `loss` argument?",
                )
            rate = None if is_recorded else self._rate()  # before anything is built: a schedule may fail
            if not self.built:
                build_unrecorded(self, variables)
            elif self._takes_new_variables:
                new_variables = [variable for variable in variables if id(variable) not in self._positions]
                if new_variables:
                    build_unrecorded(self, new_variables)
            if is_recorded:
                self._update_slot_flags([v for v, gradient in pairs if isinstance(gradient, SummedRows)])
            Step(self, rate).run([v for v, _ in pairs], [gradient for _, gradient in pairs])

    def _build_or_undo(self, variables: list[Variable]) -> None:
        old_state = self._variables[:], self._trainable_variables, self._positions, self.built
        try:
            self.build(variables)
        except BaseException:
            self._variables, self._trainable_variables, self._positions, self.built = old_state
            raise
        self.built = True

    def _update(self, step: Step, variables: list[Variable], gradients: list[Gradient], factor: Any) -> None:
        """Runs one update, weight decay included, by gradients times ``factor``, through ``update_step``."""
        if "_apply_weight_decay" not in self._overrides:
            step.decay([v for v in variables if self._use_weight_decay(v)])
        learning_rate = self.learning_rate
        for variable, gradient in zip(variables, gradients, strict=True):
            scaled = gradient if factor == 1.0 else scaled_gradient(gradient, factor)
            self.update_step(as_user_gradient(scaled, variable), variable, learning_rate)

    def _clip_gradients(self, grads: list[Any]) -> list[Any]:
        """Returns clipped gradients, which are tensors or ``IndexedSlices``; a subclass may override it, as in Keras."""
        if self.global_clipnorm:
            return list(clip_by_global_norm(grads, self.global_clipnorm)[0])
        if self.clipnorm:
            return [clip_by_norm(g, self.clipnorm) for g in grads]
        limit = self.clipvalue
        return [clip_by_value(g, -limit, limit) for g in grads] if limit else grads

    def _apply_weight_decay(self, variables: Sequence[Variable]) -> None:
        """Decays weights before an update; a subclass may override it, as in Keras."""
        Step(self, self.learning_rate).decay([v for v in variables if self._use_weight_decay(v)])

    def _update_slot_flags(self, variables: Sequence[Variable]) -> None:
        """Computes the flags of nonzero slots for ``variables``, before a program checks the optimizer's state."""

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Updates one variable; a user's subclass defines it.

        Args:
            gradient: the gradient, a tensor or ``IndexedSlices``.
            variable: the variable to change, preferably with the optimizer's ``assign``, ``assign_add`` and ``assign_sub``.
            learning_rate: the rate.
        """
        raise NotImplementedError(f"{type(self).__name__} must define update_step(gradient, variable, learning_rate).")

    def _averages_update(self) -> GroupedUpdate:
        """Returns the update of the moving averages."""
        update = self._grouped_updates.get(_AVERAGES_KEY)
        if update is None:
            update = self._grouped_updates[_AVERAGES_KEY] = GroupedUpdate(
                self._averages, (), self._iterations, [False] * len(self._averages)
            )
        return update

    def _overwrite_by_averages(self, variables: Sequence[Variable]) -> None:
        for variable, average in zip(variables, self._averages, strict=True):
            variable.assign(average._read())

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """Replaces the weights ``var_list`` by their moving averages, if ``use_ema`` is set.

        Raises:
            ValueError: the numbers of weights and averages differ.
        """
        if self.use_ema:
            if len(var_list) != len(self._averages):
                raise ValueError(f"`var_list` does not match the length of averages, {len(self._averages)}.")
            self._overwrite_by_averages(var_list)

    def scale_loss(self, loss: Any) -> Any:
        """Returns the loss times ``loss_scale_factor``; the gradients are later divided by it."""
        if self.loss_scale_factor is None:
            return loss
        if not is_state_recorded():
            return loss * self.loss_scale_factor
        loss = convert_to_tensor(loss)
        return loss * cast(proxy_if_recorded(self).loss_scale_factor, loss.dtype)

    def exclude_from_weight_decay(
        self, var_list: Iterable[Variable] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Excludes variables from ``weight_decay``.

        Args:
            var_list: the variables.
            var_names: regular expressions; a variable is excluded if one of them matches in its name.
        """
        self._undecayed = list(var_list or ())
        self._grouped_updates, self._last_grouped_update = {}, None
        self._invalidate_programs()
        names = set(var_names or ())
        self._undecayed_names = re.compile("|".join(sorted(names))) if names else None

    def _use_weight_decay(self, variable: Variable) -> bool:
        if any(variable is other for other in self._undecayed):
            return False
        return self._undecayed_names is None or self._undecayed_names.search(variable.name) is None

    # ---- for subclasses' update_step ----------------------------------------------------------------

    def assign(self, variable: Variable, value: Any) -> None:
        """Assigns ``value``, cast to the dtype of ``variable``; ``IndexedSlices`` replace only their rows."""
        self._assign(variable, value, variable.assign, np.ndarray.__setitem__, tensor_scatter_nd_update)

    def assign_add(self, variable: Variable, value: Any) -> None:
        """Adds ``value``, cast to the dtype of ``variable``; ``IndexedSlices`` change only their rows."""
        self._assign(variable, value, variable.assign_add, np.add.at, tensor_scatter_nd_add)

    def assign_sub(self, variable: Variable, value: Any) -> None:
        """Subtracts ``value``, cast to the dtype of ``variable``; ``IndexedSlices`` change only their rows."""
        self._assign(variable, value, variable.assign_sub, np.subtract.at, tensor_scatter_nd_sub)

    def _assign(
        self,
        variable: Variable,
        value: Any,
        assign_dense: Callable[[Any], Any],
        update_rows: Callable[..., Any],
        scatter: Callable[..., Tensor],
    ) -> None:
        if not isinstance(value, IndexedSlices):
            assign_dense(cast(convert_to_tensor(value), variable.dtype))
            return
        rows: Any = read_gradient(value, variable, type(self).__name__)
        if variable._must_change_by_operations():
            slices = as_user_gradient(rows, variable)
            variable.assign(scatter(variable._read(), slices.indices[:, None], slices.values))
        else:
            update_rows(variable._memory_for_write(), rows.ids, rows.sums)


def with_optimizer_options(init: _Init) -> _Init:
    """Adds the arguments of ``Optimizer`` to those of a subclass's ``__init__``: ``init`` gets them in its ``kwargs``."""
    own = dict(inspect.signature(init).parameters)
    kwargs_parameter = own.pop("kwargs")
    names = [name for name, parameter in own.items() if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
    shared = [parameter for name, parameter in SHARED_PARAMETERS.items() if name not in own]
    keyword_only = [parameter for name, parameter in own.items() if name not in names]
    signature = inspect.Signature([*[own[name] for name in names], *shared, *keyword_only, kwargs_parameter])

    @functools.wraps(init)
    def init_with_options(self: Optimizer, *args: Any, **kwargs: Any) -> None:
        if len(args) >= len(names):  # options by position
            arguments = signature.bind(self, *args, **kwargs).arguments
            kwargs = arguments.pop("kwargs", {})
            return init(**arguments, **kwargs)
        return init(self, *args, **kwargs)

    init_with_options.__signature__ = signature  # type: ignore[attr-defined]
    return init_with_options  # type: ignore[return-value]


SHARED_PARAMETERS = dict(inspect.signature(Optimizer).parameters)
"""The parameters of ``Optimizer`` that all optimizers have, by name: all but the rate and ``kwargs``."""
del SHARED_PARAMETERS["learning_rate"], SHARED_PARAMETERS["kwargs"]


def _is_on_gpu(x: Any) -> bool:
    """True if a gradient or a variable is on a GPU."""
    x = x.values if isinstance(x, IndexedSlices) else x
    return isinstance(x, (Tensor, Variable)) and device_of(x._array) is not None
