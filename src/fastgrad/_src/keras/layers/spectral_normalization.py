"""``SpectralNormalization``: keeps the largest singular value of a layer's kernel at 1."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.argument_checks import require
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.initializers import TruncatedNormal
from fastgrad._src.keras.layers.input_spec import InputSpec
from fastgrad._src.keras.layers.wrapper import Wrapper
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.contraction import matmul
from fastgrad._src.ops.custom_gradient import stop_gradient
from fastgrad._src.ops.norms import l2_normalize
from fastgrad._src.ops.reduction import reduce_all
from fastgrad._src.ops.selection import where
from fastgrad._src.ops.shaping import reshape


class SpectralNormalization(Wrapper):
    """In training, divides the kernel of a layer by its spectral norm before the layer runs (Miyato et al. 2018).

    The norm is that of the kernel as a matrix with the last dimension as columns. Power iteration computes it; each call begins with
    the vector of the last call. The kernel itself changes, unless it is zero.

    Args:
        layer: a layer with a ``kernel`` or ``embeddings``.
        power_iterations: the number of iterations at a call.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: ``power_iterations`` is not positive; the layer has no kernel.
    """

    _config_names = ("power_iterations",)

    def __init__(self, layer: Any, power_iterations: int = 1, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        require(not power_iterations <= 0, self, "`power_iterations` must be > 0", power_iterations=power_iterations)
        self.power_iterations = power_iterations

    def build(self, input_shape: Any = None) -> None:
        """Builds the layer, and makes ``vector_u`` (1, columns), the vector of the iteration."""
        super().build(input_shape)
        self.input_spec = InputSpec(min_ndim=1, axes={-1: input_shape[-1]})
        name = next((name for name in ("kernel", "embeddings") if hasattr(self.layer, name)), None)
        if name is None:
            raise ValueError(
                f"SpectralNormalization: got the layer {self.layer.name}, a {type(self.layer).__name__} without a kernel or embeddings. "
                "Give it a layer with one of them, such as Dense, Conv2D or Embedding."
            )
        self.kernel = getattr(self.layer, name)
        dtype = self.kernel._array.dtype  # as stored: ``kernel.dtype`` is the one in which a running layer reads it
        self.vector_u = self.add_weight(
            (1, self.kernel.shape[-1]), TruncatedNormal(stddev=0.02), dtype, trainable=False, name="vector_u"
        )

    def call(self, inputs: Tensor, training: bool | None = False) -> Tensor:
        """Returns the layer's output in the dtype of ``inputs``; normalises the kernel before, if ``training``."""
        if training:
            vector_u, kernel = self.normalized_weights()
            is_zero = reduce_all(self.kernel == 0.0)
            self.vector_u.assign(where(is_zero, self.vector_u, vector_u))
            self.kernel.assign(where(is_zero, self.kernel, kernel))
        return cast(self.layer(inputs), inputs.dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self.layer.compute_output_shape(input_shape)

    def normalized_weights(self) -> tuple[Tensor, Tensor]:
        """Returns the next ``vector_u``, and the kernel divided by its spectral norm."""
        kernel = self.kernel
        matrix = reshape(kernel, (-1, kernel.shape[-1]))
        vector_u: Any = self.vector_u
        for _ in range(self.power_iterations):
            vector_v = _unit_vector(matmul(vector_u, matrix, transpose_b=True))
            vector_u = _unit_vector(matmul(vector_v, matrix))
        vector_u, vector_v = stop_gradient(vector_u), stop_gradient(vector_v)
        norm = matmul(matmul(vector_v, matrix), vector_u, transpose_b=True)
        return vector_u, kernel / reshape(norm, ())


def _unit_vector(x: Tensor) -> Tensor:
    return l2_normalize(x)
