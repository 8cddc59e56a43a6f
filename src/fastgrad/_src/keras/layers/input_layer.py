"""``Input`` and ``InputLayer``: the shape and dtype of a model's inputs."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.argument_checks import check_type, require
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.jit.user_lines import warn
from fastgrad._src.keras import settings
from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.layers.symbolic import KerasTensor, Node


class InputLayer(Layer):
    """The first layer of a functional model, or of a Sequential that is built at once; it returns its input.

    Args:
        shape: the shape of the inputs, without the batch.
        batch_size: the batch size; default: any.
        dtype: the dtype; default ``floatx()``.
        batch_shape: the shape with the batch, in place of ``shape`` and ``batch_size``.
        name: the name; default ``input_layer``, numbered.
        sparse: whether the inputs are sparse tensors.
        ragged: whether the inputs are ragged tensors. Layers infer the shapes of their results as if the inputs were dense.
        input_tensor: a ``KerasTensor`` that the layer returns; other arguments must agree with it.
        optional: whether None may be passed for this input; the next layers then get None.
        **kwargs: ``input_shape`` and ``batch_input_shape``, older names of ``shape`` and ``batch_shape``.

    Raises:
        ValueError: there is no shape, or there are two; ``input_tensor`` has another shape, dtype or ``sparse``; or both
            ``sparse`` and ``ragged`` are set.
    """

    _leaf = True
    sparse = ragged = optional = False

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Any = None,
        input_tensor: Any = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if "input_shape" in kwargs:
            warn("Argument `input_shape` is deprecated. Use `shape` instead.")
            shape = kwargs.pop("input_shape")
        batch_shape = kwargs.pop("batch_input_shape", batch_shape)
        if input_tensor is not None:
            _check_agreement(input_tensor, shape, batch_size, dtype, sparse, batch_shape)
            shape = batch_size = None
            batch_shape, dtype, sparse = input_tensor.shape, input_tensor.dtype, input_tensor.sparse
        super().__init__(name=name, dtype=settings.floatx() if dtype is None else dtype, **kwargs)
        require(shape is not None or batch_shape is not None, self, "You must pass a `shape` argument")
        if batch_shape is not None and (shape is not None or batch_size is not None):
            raise ValueError("You cannot pass `batch_shape` and `shape` or `batch_size` at the same time.")
        if batch_shape is None:
            batch_shape = (batch_size, *TensorShape(shape))
        self._batch_shape = tuple(TensorShape(batch_shape))
        self.optional = bool(optional)
        self.sparse, self.ragged = bool(sparse), bool(ragged)
        if input_tensor is None:
            input_tensor = KerasTensor(self._batch_shape, self.dtype, self.sparse, self.ragged, name=name)
        Node(self, ((), {}), input_tensor)
        self.autocast = False
        self.built = True

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_tensor": self.output}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        Node.restore(self, ((), {}), self.__dict__.pop("_tensor"))

    @property
    def batch_shape(self) -> tuple[int | None, ...]:
        """The shape of the inputs, with the batch."""
        return self._batch_shape

    def call(self, inputs: Any = None) -> Any:
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self._batch_shape

    def get_config(self) -> dict[str, Any]:
        config = {"batch_shape": self._batch_shape, "dtype": self.dtype, "name": self.name}
        return {**config, "sparse": self.sparse, "ragged": self.ragged, "optional": self.optional}


def _check_agreement(tensor: Any, shape: Any, batch_size: Any, dtype: Any, sparse: Any, batch_shape: Any) -> None:
    """Raises ValueError unless ``tensor`` is a KerasTensor of these properties, where they are not None."""
    check_type("Input", "a KerasTensor", KerasTensor, ValueError, input_tensor=tensor)
    for name, value, actual in (
        ("shape", None if shape is None else tuple(TensorShape(shape)), tensor.shape[1:]),
        ("batch_shape", None if batch_shape is None else tuple(TensorShape(batch_shape)), tensor.shape),
        ("batch_size", batch_size, tensor.shape[0] if tensor.shape else None),
        ("dtype", None if dtype is None else settings.standardize_dtype(dtype).name, tensor.dtype),
        ("sparse", sparse, tensor.sparse),
    ):
        if value is not None and value != actual:
            raise ValueError(f"Input: incompatible `{name}` argument: {value}; `input_tensor` has {actual}")


def Input(
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Any = None,
    name: str | None = None,
    tensor: Any = None,
    optional: bool = False,
) -> KerasTensor:
    """Returns a symbolic input for a functional model or a Sequential; arguments as in ``InputLayer``; ``tensor`` is its ``input_tensor``.

    Example:
        >>> inputs = tf.keras.Input((3,))
        >>> tf.keras.layers.Dense(2)(inputs).shape
        (None, 2)
    """
    return InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name).output
