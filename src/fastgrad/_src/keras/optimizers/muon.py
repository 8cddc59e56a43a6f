"""``Muon``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.keras.optimizers.arguments import checked_number
from fastgrad._src.keras.optimizers.optimizer import Optimizer, with_optimizer_options
from fastgrad._src.ops import namespace as ops


class Muon(Optimizer):
    """Muon (Jordan et al., 2024): the orthogonalized momentum of each matrix; Adam's step for other variables.

    ``m = momentum * m + g``, and ``w -= rate * rms_rate * sqrt(max(rows, columns)) * orthogonal(g + momentum * m)``. ``orthogonal``
    moves all singular values near 1 by ``ns_steps`` steps of Newton and Schulz, ``x = a*x + (b*y + c*y@y) @ x``, ``y = x @ x.T``.
    Adam updates variables that are not matrices, embeddings, and excluded layers; exclude the last layer. ``IndexedSlices`` are
    made dense.

    Args:
        learning_rate: see ``Optimizer``.
        adam_beta_1, adam_beta_2, epsilon: see ``Adam``.
        adam_weight_decay: the weight decay of the variables that Adam updates; None for none.
        weight_decay: the weight decay of matrices.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency, loss_scale_factor,
        gradient_accumulation_steps, name: see ``Optimizer``.
        exclude_layers: regular expressions; Adam updates a variable if one of them matches in its path.
        exclude_embeddings: whether Adam updates variables with "embedding" in their path.
        muon_a, muon_b, muon_c: a, b and c above.
        adam_lr_ratio: Adam's rate divided by the rate of matrices.
        momentum: the decay rate of the momentum.
        ns_steps: the number of Newton-Schulz steps.
        nesterov: whether the gradient is added to the momentum once more, as above; else ``orthogonal(m)``.
        rms_rate: the root mean square of an update before the rate (Liu et al., 2025); None omits both factors.

    Raises:
        ValueError: a number is out of its range.
    """

    _config_names = (
        *("adam_beta_1", "adam_beta_2", "adam_weight_decay", "epsilon", "exclude_embeddings"),
        *("muon_a", "muon_b", "muon_c", "adam_lr_ratio", "momentum", "ns_steps", "nesterov", "rms_rate"),
        "exclude_layers",
    )

    @with_optimizer_options
    def __init__(
        self,
        learning_rate: Any = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        *,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.7750,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, **kwargs)
        self.adam_beta_1 = checked_number(adam_beta_1, "Muon: adam_beta_1", low=0.0, high=1.0, below_high=True)
        self.adam_beta_2 = checked_number(adam_beta_2, "Muon: adam_beta_2", low=0.0, high=1.0, below_high=True)
        self.epsilon = checked_number(epsilon, "Muon: epsilon", low=0.0)
        self.momentum = checked_number(momentum, "Muon: momentum", low=0.0, high=1.0)
        self.adam_weight_decay = adam_weight_decay
        self.exclude_layers, self.exclude_embeddings = list(exclude_layers or ()), exclude_embeddings
        self.muon_a, self.muon_b, self.muon_c = muon_a, muon_b, muon_c
        self.adam_lr_ratio, self.rms_rate = adam_lr_ratio, rms_rate
        self.ns_steps, self.nesterov = int(ns_steps), nesterov

    def _uses_adam(self, variable: Variable) -> bool:
        path = getattr(variable, "path", variable.name)
        return (
            len(variable.shape) != 2
            or (self.exclude_embeddings and "embedding" in path.lower())
            or any(re.search(expression, path) for expression in self.exclude_layers)
        )

    def build(self, variables: Sequence[Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        self._momentums: list[Variable] = []
        self._velocities: list[Variable | None] = []
        for variable in variables:
            self._momentums.append(self.add_variable_from_reference(variable, "momentum"))
            uses_adam = self._uses_adam(variable)
            self._velocities.append(self.add_variable_from_reference(variable, "velocity") if uses_adam else None)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        position = self._get_variable_index(variable)
        m, v = self._momentums[position], self._velocities[position]
        g = ops.cast(convert_to_tensor(gradient), variable.dtype)
        rate = ops.cast(learning_rate, g.dtype)
        if v is None:
            self.assign(m, m * self.momentum + g)
            update = self._orthogonalize(g + m * self.momentum if self.nesterov else m._read())
            if self.rms_rate is not None:
                update *= self.rms_rate * max(variable.shape) ** 0.5
            self.assign_sub(variable, rate * update)
            return
        if self.adam_weight_decay is not None and super()._use_weight_decay(variable):
            self.assign_sub(variable, variable * (rate * self.adam_weight_decay))
        step = ops.cast(self.iterations + 1, g.dtype)
        beta_powers = [ops.pow(ops.cast(beta, g.dtype), step) for beta in (self.adam_beta_1, self.adam_beta_2)]
        step_size = rate * self.adam_lr_ratio * ops.sqrt(1.0 - beta_powers[1]) / (1.0 - beta_powers[0])
        self.assign_add(m, (g - m) * (1.0 - self.adam_beta_1))
        self.assign_add(v, (ops.square(g) - v) * (1.0 - self.adam_beta_2))
        self.assign_sub(variable, m * step_size / (ops.sqrt(v) + self.epsilon))

    def _orthogonalize(self, x: Tensor) -> Tensor:
        """Returns a matrix with the singular vectors of ``x`` and singular values near 1."""
        is_high = x.shape[0] > x.shape[1]
        x = ops.transpose(x) if is_high else x
        x /= ops.norm(x) + 1e-7
        for _ in range(self.ns_steps):
            gram_matrix = ops.matmul(x, x, transpose_b=True)
            x = self.muon_a * x + ops.matmul(
                self.muon_b * gram_matrix + self.muon_c * ops.matmul(gram_matrix, gram_matrix), x
            )
        return ops.transpose(x) if is_high else x

    def _use_weight_decay(self, variable: Variable) -> bool:
        return super()._use_weight_decay(variable) and not self._uses_adam(variable)
