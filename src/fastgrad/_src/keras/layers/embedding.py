"""``Embedding``: a table with a vector for each token."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_positive
from fastgrad._src.core.composite import Composite
from fastgrad._src.keras import constraints, initializers, masks, regularizers
from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.layers.symbolic import KerasTensor
from fastgrad._src.keras.layers.weight_arguments import add_weight_of, weight_arguments
from fastgrad._src.keras.weight import Weight
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.ragged.elementwise import map_flat_values
from fastgrad._src.structures.sparse.conversion import to_dense


class Embedding(Layer):
    """Looks up rows of a table by number: inputs of shape (...) give outputs of shape (..., output_dim).

    The gradient of the table is an ``IndexedSlices`` of the rows that were used.

    Args:
        input_dim: the number of rows.
        output_dim: the size of a row.
        embeddings_initializer, embeddings_regularizer, embeddings_constraint: of the table.
        mask_zero: whether the number 0 means padding, which ``compute_mask`` hides.
        weights: the initial table.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: a size is not a positive integer. (At a call: InvalidArgumentError for a number outside
            [0, input_dim).)

    Example:
        >>> tf.keras.layers.Embedding(100, 8)(tf.constant([[1, 2, 3]])).shape
        TensorShape([1, 3, 8])
    """

    _leaf = True
    _config_names = ("input_dim", "output_dim", *weight_arguments("embeddings"), "mask_zero")

    def __init__(
        self,
        input_dim: Any,
        output_dim: Any,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        **kwargs: Any,
    ) -> None:
        check_positive(self, input_dim=input_dim, output_dim=output_dim)
        kwargs.pop("input_length", None)  # Keras 2's argument; the inputs have the length
        super().__init__(**kwargs)
        self.input_dim, self.output_dim = input_dim, output_dim
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = self.supports_masking = bool(mask_zero)
        masks.any_mask_flag.is_set |= self.mask_zero
        self.autocast = False
        if weights is not None:
            self.build()
            self.set_weights(weights if isinstance(weights, list) and len(weights) == 1 else [weights])

    def build(self, input_shape: Any = None) -> None:
        """Makes the table, which does not depend on the inputs."""
        if "_embeddings" not in self.__dict__:
            self._embeddings = add_weight_of(self, "embeddings", (self.input_dim, self.output_dim))

    @property
    def embeddings(self) -> Weight:
        """The table, of shape (input_dim, output_dim); AttributeError before the layer is built."""
        if "_embeddings" not in self.__dict__:
            raise AttributeError("You must build the layer before accessing `embeddings`.")
        return self._embeddings

    def call(self, inputs: Any) -> Any:
        """Returns the table's rows by number; floats are truncated to integers. Ragged numbers give ragged rows; numbers that a sparse tensor lacks are 0."""
        if isinstance(inputs, Composite) and inputs.is_rectangular:
            inputs = to_dense(inputs)
        if isinstance(inputs, Composite):
            return map_flat_values(self.call, inputs)
        if inputs._array.dtype.name not in ("int32", "int64"):
            inputs = ops.cast(inputs, dtypes.int32)
        return ops.gather(self._embeddings._read(), inputs)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """A mask that is True where ``inputs`` are not 0, if ``mask_zero``; otherwise None."""
        return ops.not_equal(inputs, 0) if self.mask_zero else None

    def compute_output_spec(self, inputs: Any) -> KerasTensor:
        """Returns a ``KerasTensor`` for the rows, ragged if ``inputs`` are."""
        return KerasTensor(self.compute_output_shape(inputs.shape), self.compute_dtype, ragged=inputs.ragged)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (*input_shape, self.output_dim)
