"""``Adafactor``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from fastgrad._src.core.argument_checks import require
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.keras.optimizers.arguments import OptimizerOptions, checked_number
from fastgrad._src.keras.optimizers.gradients import scaled_gradient
from fastgrad._src.keras.optimizers.grouped_update import Group, assign_all, update_in_float32
from fastgrad._src.keras.optimizers.kernel_optimizer import KernelOptimizer
from fastgrad._src.keras.optimizers.optimizer import with_optimizer_options
from fastgrad._src.keras.optimizers.recorded_attributes import minimum
from fastgrad._src.kernels.optimizers.adafactor import adafactor_matrix, adafactor_vector
from fastgrad._src.ops.optimizer_updates import adafactor_of_matrix, adafactor_of_vector


class Adafactor(KernelOptimizer):
    """Adafactor (Shazeer and Stern, 2018): second moments as products of row means and column means.

    Let ``rho = min(rate, 1 / sqrt(t))`` and ``beta_2 = 1 - t**beta_2_decay``. r and c are the running means of
    ``g**2 + epsilon_1`` over rows and columns. ``v = r / mean(r) * c``; for vectors v is the running mean itself.
    With ``u = g / sqrt(v)`` the step is ``w -= max(epsilon_2, rms(w)) * rho * u / max(1, rms(u) / clip_threshold)``.
    Every weight of a matrix depends on all its gradients, so ``IndexedSlices`` are made dense.

    Args:
        learning_rate: see ``Optimizer``.
        beta_2_decay: at most 0; the rate at which beta_2 approaches 1.
        epsilon_1: added to the squares.
        epsilon_2: the least value of ``rms(w)`` in the formula.
        clip_threshold: the greatest root mean square of u.
        relative_step: whether a constant rate is bounded by ``1 / sqrt(t)``; the formula above bounds it anyway.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
        loss_scale_factor, gradient_accumulation_steps, name: see ``Optimizer``.

    Raises:
        ValueError: a number is out of its range.
    """

    _config_names = ("beta_2_decay", "epsilon_1", "epsilon_2", "clip_threshold", "relative_step")

    @with_optimizer_options
    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        **kwargs: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        if not (math.isfinite(beta_2_decay) and beta_2_decay <= 0):
            raise ValueError(f"Adafactor: beta_2_decay must be a finite number, at most 0. Received: {beta_2_decay}")
        self.beta_2_decay = beta_2_decay
        self.epsilon_1 = checked_number(epsilon_1, "Adafactor: epsilon_1", low=0.0)
        self.epsilon_2 = checked_number(epsilon_2, "Adafactor: epsilon_2", low=0.0)
        self.clip_threshold = checked_number(clip_threshold, "Adafactor: clip_threshold", low=0.0)
        require(clip_threshold, self, "clip_threshold must not be 0")
        self.relative_step = relative_step

    def build(self, variables: Sequence[Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        self._r: list[Any] = []
        self._c: list[Any] = []
        self._v: list[Any] = []
        for variable in variables:
            shape, name = tuple(variable.shape), variable.name.replace("/", "_")
            is_matrix = len(shape) >= 2
            # Vectors have no rows and columns; Keras keeps two integers as slots for them.
            mean_shapes = (shape[:-1], (*shape[:-2], shape[-1])) if is_matrix else ((), ())
            dtype = variable.dtype if is_matrix else "int32"
            self._r.append(self.add_variable(mean_shapes[0], dtype=dtype, name=name))
            self._c.append(self.add_variable(mean_shapes[1], dtype=dtype, name=name))
            self._v.append(self.add_variable_from_reference(variable, "velocity"))
        self._slots = [self._r, self._c, self._v]

    def hyperparameters(self, learning_rate: Any, step: Any) -> tuple[Any, ...]:
        beta_2 = 1.0 - step**self.beta_2_decay
        return minimum(learning_rate, step**-0.5), beta_2, self.epsilon_1, self.epsilon_2, self.clip_threshold

    def _update_group(self, group: Group, gradients: Sequence[Any], numbers: Sequence[Any], factor: float) -> None:
        if isinstance(numbers[0], Tensor):
            for p, r, c, v, g in zip(group.variables, *group.slots, gradients, strict=True):
                is_matrix = p._array.ndim >= 2
                state, operation = ((p, r, c, v), adafactor_of_matrix) if is_matrix else ((p, v), adafactor_of_vector)
                assign_all(state, operation(*[variable._read() for variable in state], g, *numbers))
        elif group.half:
            update_in_float32(lambda *lists: _update_arrays(lists, numbers), group.arrays, gradients)
        else:
            scaled = gradients if factor == 1.0 else [scaled_gradient(g, factor) for g in gradients]
            _update_arrays((*group.arrays, scaled), numbers)


def _update_arrays(lists: Sequence[Sequence[np.ndarray]], numbers: Sequence[float]) -> None:
    """Updates variables in place; the lists have the variables, the three kinds of slots, and the gradients."""
    for p, r, c, v, g in zip(*lists, strict=True):
        if not p.size:
            continue
        if p.ndim < 2:
            adafactor_vector[p.dtype](p, v, g, p.size, *numbers)
        else:
            rows, columns = p.shape[-2:]
            adafactor_matrix[p.dtype](p, r, c, v, g, math.prod(p.shape[:-2]), rows, columns, *numbers)
