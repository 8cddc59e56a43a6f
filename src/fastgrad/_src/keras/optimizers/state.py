"""``OptimizerState``: an optimizer's step counter, learning rate, slots and configuration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import check_length, check_type, require
from fastgrad._src.core.cache_alignment import aligned_array, aligned_copy
from fastgrad._src.core.recording import is_state_recorded
from fastgrad._src.core.replicas import ALONE, ReplicaGroup, replica_group, replica_group_scope
from fastgrad._src.core.restoration import restore_deferred_values
from fastgrad._src.core.tensor import convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.jit.user_lines import warn
from fastgrad._src.keras import initializers, naming
from fastgrad._src.keras.configured import Configured, SetByInit
from fastgrad._src.keras.optimizers.arguments import checked_rate
from fastgrad._src.keras.optimizers.recorded_attributes import RecordedAttributesBase
from fastgrad._src.keras.optimizers.schedules.learning_rate_schedule import LearningRateSchedule
from fastgrad._src.keras.optimizers.variable import OptimizerVariable
from fastgrad._src.keras.saving.objects import deserialize_keras_object, serialize_keras_object
from fastgrad._src.keras.settings import standardize_dtype
from fastgrad._src.keras.weight import assign_all
from fastgrad._src.ops.optimizer_updates import completed_period_count
from fastgrad._src.ops.replica_messages import value_from_first_replica


class OptimizerState(RecordedAttributesBase, Configured):
    """The variables of an optimizer.

    Args:
        learning_rate: a float, a ``LearningRateSchedule``, or a function of no arguments that gives the rate.
        name: default: the class's name in snake case, made unique.

    Raises:
        ValueError: the rate is of another kind, not finite or negative.
    """

    built: Any = SetByInit()
    _building: Any = SetByInit()
    gradient_accumulation_steps: Any = SetByInit()
    loss_scale_factor: Any = SetByInit()
    _aside = frozenset(
        {"_building", "_last_grouped_update", "_grouped_updates", "_positions", "_replicas", "_variables"}
    )

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "build" in cls.__dict__:
            cls.build = _with_slot_restoring(cls.__dict__["build"])  # type: ignore[attr-defined]

    def __init__(self, learning_rate: Any, name: str | None) -> None:
        class_name = type(self).__name__
        self.name = naming.auto_name(class_name) if name is None else name
        self._replicas = replica_group()
        self.built = self._building = False
        self._variables: list[Any] = []
        self._trainable_variables: list[Variable] = []
        self._positions: dict[int, int] = {}  # keys are id(variable): the list above keeps the variables alive
        self._iterations = self._new_variable(np.zeros((), np.int64), "iteration")
        self._learning_rate: Any = learning_rate
        if not callable(learning_rate):
            rates = "a float, a LearningRateSchedule, or a function without arguments that returns the rate"
            check_type(self, rates, float, ValueError, learning_rate=learning_rate)
            rate = standardize_dtype(None).numpy.type(checked_rate(learning_rate, f"{class_name}: learning_rate"))
            self._learning_rate = self._new_variable(np.array(rate), "learning_rate")

    def _reducing_group(self) -> ReplicaGroup:
        """Returns the replicas whose gradients are summed: those of the scope that made the optimizer, or of this one."""
        return self._replicas if self._replicas.size > 1 else replica_group()

    @property
    def iterations(self) -> Any:
        """The number of updates, int64: a variable, or a tensor if gradients are accumulated."""
        if self.gradient_accumulation_steps:
            return completed_period_count(self._iterations._read(), every=self.gradient_accumulation_steps)
        return self._iterations

    @property
    def learning_rate(self) -> Any:
        """The rate of the next update: a variable (assign to it, or to this attribute), or the schedule's value."""
        rate = self._learning_rate
        if isinstance(rate, LearningRateSchedule):
            return rate(self._iterations)
        return rate() if callable(rate) else rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        old_rate = self._learning_rate
        if callable(learning_rate):
            self._learning_rate = learning_rate
            self._variables = [variable for variable in self._variables if variable is not old_rate]
            return
        if isinstance(old_rate, LearningRateSchedule):
            text = "This optimizer was created with a `LearningRateSchedule`, hence its learning rate is not settable"
            raise TypeError(f"{text}. Make the optimizer with a float `learning_rate` to set it.")
        if not isinstance(old_rate, Variable):
            raise TypeError("This optimizer's learning rate is a function, hence it is not settable; pass a float.")
        value = convert_to_tensor(learning_rate)
        if not value.ndim and value.dtype.numpy.kind in "fViu" and not is_state_recorded():
            checked_rate(float(value._array), f"{type(self).__name__}: learning_rate")
        old_rate.assign(learning_rate)

    def _rate(self) -> float:
        """Returns the rate of the current update."""
        rate = self._learning_rate
        return float(rate._array if type(rate) is OptimizerVariable and self._has_own_rate() else self.learning_rate)

    def _has_own_rate(self) -> bool:
        """True if no subclass overrides ``learning_rate``."""
        return type(self).learning_rate is OptimizerState.learning_rate

    @property
    def variables(self) -> list[Any]:
        """The step counter, the learning rate (if it is a variable) and all slots, in order of creation."""
        return self._variables[:]

    def _new_variable(self, array: np.ndarray, name: str) -> OptimizerVariable:
        with naming.name_scope(self.name), replica_group_scope(ALONE):  # equal on all replicas: updates are
            variable = OptimizerVariable(array, name)
        self._variables.append(variable)
        return variable

    def _get_variable_index(self, variable: Variable) -> int:
        return self._positions[id(variable)]

    def add_variable(
        self,
        shape: Any,
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str = "none",
        layout: Any = None,
        name: str | None = None,
    ) -> OptimizerVariable:
        """Returns a new variable of the optimizer.

        Args:
            shape: the dimensions.
            initializer: a function ``(shape, dtype)``, its name, or a number.
            dtype: default ``floatx()``.
            aggregation, layout: kept for Keras's signature.
            name: the variable's name.
        """
        sizes, variable_dtype = tuple(shape), standardize_dtype(dtype)
        if isinstance(initializer, str) and initializer == "zeros":
            array = aligned_array(sizes, variable_dtype.numpy, np.zeros)
        elif isinstance(initializer, (int, float)):
            array = aligned_array(sizes, variable_dtype.numpy)
            array[...] = initializer
        else:
            make: Any = initializers.get(initializer)
            array = aligned_copy(convert_to_tensor(make(sizes, dtype=variable_dtype), variable_dtype)._on_host())
            if self._replicas.size > 1:
                array = aligned_copy(value_from_first_replica(self._replicas, array, "an initial value"))
        return self._new_variable(array, name or "variable")

    def add_variable_from_reference(
        self, reference_variable: Variable, name: str | None = None, initializer: Any = "zeros"
    ) -> OptimizerVariable:
        """Returns a new slot with the shape and dtype of ``reference_variable``, named after it."""
        owner = getattr(reference_variable, "path", reference_variable.name)
        slot_name = f"{owner.replace('/', '_').replace(':', '_')}_{name or 'var'}"
        return self.add_variable(reference_variable.shape, initializer, reference_variable.dtype, name=slot_name)

    def add_optimizer_variables(
        self, trainable_variables: Sequence[Variable], name: Any, initializer: Any = "zeros"
    ) -> Any:
        """Returns a list of slots, one for each variable; for several names, a tuple of such lists.

        Args:
            trainable_variables: the variables.
            name: the slot's name, or a list of names.
            initializer: one for all names, or one for each name.

        Raises:
            ValueError: the numbers of names and initializers differ.
        """
        names = [name] if isinstance(name, str) else list(name)
        slot_initializers = list(initializer) if isinstance(initializer, (list, tuple)) else [initializer] * len(names)
        check_length("add_optimizer_variables", len(slot_initializers), name=names)
        slots: list[list[OptimizerVariable]] = [[] for _ in names]
        for variable in trainable_variables:
            for slot_list, slot_name, first in zip(slots, names, slot_initializers, strict=True):
                slot_list.append(self.add_variable_from_reference(variable, slot_name, first))
        return slots[0] if isinstance(name, str) else tuple(slots)

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Assigns new values to all ``variables``; changes nothing if a value does not fit.

        Raises:
            ValueError: the optimizer is not built, or a shape or the number of weights differs.
        """
        require(self.built, self, "set_weights: it has not yet been built. Call `build(trainable_variables)`")
        values = [
            variable._converted("assign", weight) for variable, weight in zip(self.variables, weights, strict=False)
        ]
        if len(weights) != len(values) or len(values) != len(self.variables):
            raise ValueError(f"set_weights: got {len(weights)} weights for {len(self.variables)} optimizer variables.")
        for variable, value in zip(self.variables, values, strict=True):
            variable.assign(value)

    def save_own_variables(self, store: Any) -> None:
        """Writes all variables into ``store``, a dict, under the names ``"0"``, ``"1"`` ..."""
        for position, variable in enumerate(self.variables):
            store[str(position)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Assigns all variables from a ``save_own_variables`` store; only warns if their number differs."""
        if len(store.keys()) != len(self.variables):
            built = "" if self.variables else " This is likely because the optimizer has not been called/built yet."
            warn(
                f"Skipping variable loading for optimizer '{self.name}', because it has {len(self.variables)} variables "
                f"whereas the saved optimizer has {len(store.keys())} variables.{built}",
            )
            return
        assign_all(self.variables, [store[str(position)] for position in range(len(self.variables))])

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._positions = {id(variable): position for position, variable in enumerate(self._trainable_variables)}

    def get_config(self) -> dict[str, Any]:
        rate = self._learning_rate
        return {
            "name": self.name,
            "learning_rate": float(rate) if isinstance(rate, Variable) else serialize_keras_object(rate),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        config = dict(config)
        if isinstance(config.get("learning_rate"), dict):
            config["learning_rate"] = deserialize_keras_object(config["learning_rate"], custom_objects=custom_objects)
        return cls(**config)


def _with_slot_restoring(build: Callable[..., None]) -> Callable[..., None]:
    """Wraps ``build`` so that new slots then get the values that a checkpoint has for them."""

    @wraps(build)
    def build_and_restore(self: OptimizerState, *args: Any, **kwargs: Any) -> None:
        outermost, self._building = not self._building, True
        try:
            build(self, *args, **kwargs)
        finally:
            self._building = not outermost
        if outermost:
            restore_deferred_values(self)

    return build_and_restore
