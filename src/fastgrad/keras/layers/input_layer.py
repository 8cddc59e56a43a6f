"""``Input``: the shape and dtype of a model's inputs, told before there are any."""

from __future__ import annotations

from typing import Any

from fastgrad.keras import naming, settings
from fastgrad.keras.layers.layer import Layer
from fastgrad.shape import TensorShape


class KerasTensor:
    """A stand-in for a tensor of which only shape and dtype are known.

    Args:
        shape: with the batch; None for unknown sizes.
        dtype: default ``floatx()``.
        name: default ``keras_tensor``, numbered.

    Attributes:
        shape, dtype, name: as given; the dtype by its name.
    """

    is_keras_tensor = True

    def __init__(self, shape: Any, dtype: Any = None, name: str | None = None) -> None:
        self.shape = tuple(TensorShape(shape))
        self.dtype = settings.standardize_dtype(dtype).name
        self.name = name or naming.auto_name("KerasTensor")
        self.layer: InputLayer | None = None

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    def __array__(self, *arguments: Any, **options: Any) -> Any:
        raise ValueError(
            "A KerasTensor is symbolic: it's a placeholder for a shape and a dtype. It doesn't have any actual numerical value."
        )

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"


class InputLayer(Layer):
    """The first layer of a Sequential that is built at once; it passes its input on.

    Args:
        shape: of the inputs, without the batch.
        batch_size: default: any.
        dtype: default ``floatx()``.
        batch_shape: the shape with the batch, in place of the two above.
        name: default ``input_layer``, numbered.
        sparse, ragged, optional, input_tensor: of Keras's signature; only their defaults are there.
        **kwargs: ``input_shape`` and ``batch_input_shape``, older names of ``shape`` and ``batch_shape``.

    Raises:
        ValueError: no shape, or two.
    """

    _leaf = True

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
        shape = kwargs.pop("input_shape", shape)
        batch_shape = kwargs.pop("batch_input_shape", batch_shape)
        super().__init__(name=name, dtype=dtype, **kwargs)
        if sparse or ragged or optional or input_tensor is not None:
            raise ValueError("InputLayer: `sparse`, `ragged`, `optional` and `input_tensor` are not supported.")
        if shape is None and batch_shape is None:
            raise ValueError("You must pass a `shape` argument.")
        if batch_shape is not None and (shape is not None or batch_size is not None):
            raise ValueError("You cannot pass `batch_shape` and `shape` or `batch_size` at the same time.")
        if batch_shape is None:
            batch_shape = (batch_size, *TensorShape(shape))
        self._batch_shape = tuple(TensorShape(batch_shape))
        self.output = KerasTensor(self._batch_shape, self.dtype, name)
        self.output.layer = self
        self.autocast = False
        self.built = True

    @property
    def batch_shape(self) -> tuple[int | None, ...]:
        """The shape of the inputs, with the batch."""
        return self._batch_shape

    def call(self, inputs: Any) -> Any:
        """``inputs``."""
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the inputs."""
        return self._batch_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        never = {"sparse": False, "ragged": False, "optional": False}
        return {"batch_shape": self._batch_shape, "dtype": self.dtype, "name": self.name, **never}


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
    """The inputs of a Sequential, as its first item; arguments as ``InputLayer``."""
    return InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name).output
