"""Initializers: functions from a shape and dtype to a weight's first value (``keras.initializers``)."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import check_choice, check_interval, check_type
from fastgrad._src.core.dtypes import int64
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none, constant_tensor
from fastgrad._src.keras.configured import Configured as _Configured
from fastgrad._src.keras.default_seed import make_default_seed
from fastgrad._src.keras.naming import to_snake_case
from fastgrad._src.keras.saving.objects import deserialize_keras_object, resolve_identifier, serialize_keras_object
from fastgrad._src.keras.settings import standardize_dtype
from fastgrad._src.ops import namespace as ops

_TRUNCATED_NORMAL_STDDEV = 0.87962566103423978
"""The standard deviation of a standard normal distribution truncated to [-2, 2]."""


class Initializer(_Configured):
    """The base of initializers: subclasses write ``__call__`` and, if they have arguments, ``get_config``."""

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """A tensor of ``shape`` and ``dtype`` (default ``floatx()``)."""
        raise NotImplementedError("Initializer subclasses must implement the `__call__()` method.")

    def clone(self) -> Any:
        """A new initializer of the same configuration."""
        return type(self).from_config(self.get_config())


# ---- constants -----------------------------------------------------------------------------------


class Zeros(Initializer):
    """An initializer to zeros."""

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        return constant_tensor(np.zeros(_shape_as_tuple(shape), standardize_dtype(dtype).numpy))


class Ones(Initializer):
    """An initializer to ones."""

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        return constant_tensor(np.ones(_shape_as_tuple(shape), standardize_dtype(dtype).numpy))


class Constant(Initializer):
    """An initializer to one value everywhere.

    Args:
        value: a number, or an array that broadcasts to the shape.
    """

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        """A tensor filled with the value; ValueError if the value is not a number."""
        value = as_tensor_or_none(self.value)
        array = np.asarray(self.value if value is None else value._on_host())
        if array.dtype.kind in "OSU":
            raise ValueError(f"Constant: Argument `value` must be a number or an array of numbers, got {self.value!r}.")
        return constant_tensor(
            np.array(np.broadcast_to(array.astype(standardize_dtype(dtype).numpy), _shape_as_tuple(shape)))
        )

    def get_config(self) -> dict[str, Any]:
        return {"value": serialize_keras_object(self.value)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(deserialize_keras_object(config["value"]))


class Identity(Initializer):
    """An initializer to ``gain`` on the diagonal of a matrix, zeros elsewhere.

    Args:
        gain: the factor.
    """

    _config_names = ("gain",)

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        """A matrix; ValueError if ``shape`` is not of rank 2."""
        sizes = _shape_as_tuple(shape)
        if len(sizes) != 2:
            raise ValueError(f"Identity matrix initializer can only be used for 2D matrices. Received: {shape=}.")
        numpy = standardize_dtype(dtype).numpy
        return constant_tensor((np.eye(*sizes) * self.gain).astype(numpy))


# ---- random ----------------------------------------------------------------------------------------


class RandomInitializer(Initializer):
    """The base of random initializers. An instance gives the same numbers each time, as in Keras.

    Args:
        seed: an integer; None draws one from Python's ``random``, as Keras does. After ``tf.random.set_seed`` it comes from
            ``tf.random``'s generator, at the first call.
    """

    def __init__(self, seed: int | None = None) -> None:
        check_type(self, "an integer or None", (int, np.integer, type(None)), ValueError, seed=seed)
        self._init_seed = seed
        self.seed = make_default_seed() if seed is None and ops.uses_python_random() else seed

    def _seed_pair(self) -> np.ndarray:
        """Returns the pair of numbers that seeds the stateless generators."""
        if self.seed is None:
            self.seed = int(ops.uniform([], maxval=2**31 - 1, dtype=int64))
        return np.array([self.seed, 0], np.int64)

    def _draw(self, draw: Callable[..., Tensor], shape: Any, first: float, second: float, dtype: Any) -> Tensor:
        """Draws by ``stateless_normal`` (mean and standard deviation) or ``stateless_uniform`` (bounds)."""
        return draw(_shape_as_tuple(shape), self._seed_pair(), first, second, standardize_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        """The constructor arguments by name, with the seed that was given."""
        return {"seed": self._init_seed, **super().get_config()}


class RandomNormal(RandomInitializer):
    """An initializer to normally distributed numbers.

    Args:
        mean, stddev: of the distribution.
        seed: as in ``RandomInitializer``.
    """

    _config_names = ("mean", "stddev")

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean, self.stddev = mean, stddev

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        return self._draw(ops.stateless_normal, shape, self.mean, self.stddev, dtype)


class TruncatedNormal(RandomNormal):
    """Normal numbers, redrawn if beyond two standard deviations; arguments as in ``RandomNormal``."""

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        return self._draw(ops.stateless_truncated_normal, shape, self.mean, self.stddev, dtype)


class RandomUniform(RandomInitializer):
    """An initializer to uniformly distributed numbers.

    Args:
        minval, maxval: bounds of the distribution.
        seed: as in ``RandomInitializer``.
    """

    _config_names = ("minval", "maxval")

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.minval, self.maxval = minval, maxval

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        return self._draw(ops.stateless_uniform, shape, self.minval, self.maxval, dtype)


class VarianceScaling(RandomInitializer):
    """Random numbers whose variance is ``scale / n``; ``n`` is the number of inputs or outputs, or their mean.

    Args:
        scale: positive.
        mode: ``"fan_in"``, ``"fan_out"`` or ``"fan_avg"``.
        distribution: ``"truncated_normal"`` (or ``"normal"``), ``"untruncated_normal"`` or ``"uniform"``.
        seed: as in ``RandomInitializer``.
        input_axes, output_axes: the axes of the shape that count as inputs and outputs; default the last two,
            times all others (a convolution's receptive field).

    Raises:
        ValueError: an argument is none of the above.
    """

    _config_names = ("scale", "mode", "distribution", "input_axes", "output_axes")

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        input_axes: Any = None,
        output_axes: Any = None,
    ) -> None:
        super().__init__(seed)
        check_interval(self, "(0, inf)", scale=scale)
        check_choice(self, ("fan_in", "fan_out", "fan_avg"), mode=mode)
        distribution = distribution.lower()
        if distribution == "normal":
            distribution = "truncated_normal"
        check_choice(self, ("uniform", "truncated_normal", "untruncated_normal"), distribution=distribution)
        self.scale, self.mode, self.distribution = scale, mode, distribution
        self.input_axes, self.output_axes = input_axes, output_axes

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        fan_in, fan_out = compute_fans(_shape_as_tuple(shape), self.input_axes, self.output_axes)
        fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2.0}
        variance = self.scale / max(1.0, fans[self.mode])
        if self.distribution == "truncated_normal":
            return self._draw(
                ops.stateless_truncated_normal, shape, 0.0, math.sqrt(variance) / _TRUNCATED_NORMAL_STDDEV, dtype
            )
        if self.distribution == "untruncated_normal":
            return self._draw(ops.stateless_normal, shape, 0.0, math.sqrt(variance), dtype)
        limit = math.sqrt(3.0 * variance)
        return self._draw(ops.stateless_uniform, shape, -limit, limit, dtype)

    def along(self, input_axes: tuple[int, ...], output_axes: tuple[int, ...]) -> VarianceScaling:
        """Returns a copy of the initializer that computes fans from these input and output axes of a weight."""
        copied = copy.copy(self)  # with its seed
        copied.input_axes, copied.output_axes = input_axes, output_axes
        return copied


def compute_fans(shape: tuple[int, ...], input_axes: Any = None, output_axes: Any = None) -> tuple[int, int]:
    """Returns (fan_in, fan_out): the numbers of inputs and outputs of one neuron, for a weight of ``shape``."""
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[axis] for axis in input_axes), math.prod(shape[axis] for axis in output_axes)
    if not shape:
        return 1, 1
    if len(shape) == 1:
        return shape[0], shape[0]
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


class _NamedScaling(VarianceScaling):
    """A ``VarianceScaling`` with fixed scale, mode and distribution."""

    _fixed: tuple[float, str, str]

    def __init__(self, seed: int | None = None, input_axes: Any = None, output_axes: Any = None) -> None:
        super().__init__(*self._fixed, seed, input_axes, output_axes)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self._init_seed, "input_axes": self.input_axes, "output_axes": self.output_axes}


class GlorotUniform(_NamedScaling):
    """An initializer to uniform numbers of variance ``2 / (inputs + outputs)`` (Glorot and Bengio 2010)."""

    _fixed = (1.0, "fan_avg", "uniform")


class GlorotNormal(_NamedScaling):
    """An initializer to truncated normal numbers of variance ``2 / (inputs + outputs)`` (Glorot and Bengio 2010)."""

    _fixed = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_NamedScaling):
    """An initializer to uniform numbers of variance ``2 / inputs`` (He et al. 2015)."""

    _fixed = (2.0, "fan_in", "uniform")


class HeNormal(_NamedScaling):
    """An initializer to truncated normal numbers of variance ``2 / inputs`` (He et al. 2015)."""

    _fixed = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_NamedScaling):
    """An initializer to uniform numbers of variance ``1 / inputs`` (LeCun et al. 1998)."""

    _fixed = (1.0, "fan_in", "uniform")


class LecunNormal(_NamedScaling):
    """An initializer to truncated normal numbers of variance ``1 / inputs`` (LeCun et al. 1998)."""

    _fixed = (1.0, "fan_in", "truncated_normal")


class Orthogonal(RandomInitializer):
    """A random orthogonal matrix: the Q of a normal matrix's QR decomposition, signs by R (Saxe et al. 2014).

    Args:
        gain: a factor.
        seed: as in ``RandomInitializer``.
    """

    _config_names = ("gain",)

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        """A tensor whose rows (all but the last axis) or columns are orthonormal; ValueError below rank 2."""
        sizes = _shape_as_tuple(shape)
        if len(sizes) < 2:
            raise ValueError(f"The tensor to initialize must be at least two-dimensional. Received: {shape=}.")
        rows, columns = math.prod(sizes[:-1]), sizes[-1]
        normal = self._draw(ops.stateless_normal, (max(rows, columns), min(rows, columns)), 0.0, 1.0, dtype)
        q, r = np.linalg.qr(normal._on_host().astype(np.float64))
        q *= np.sign(np.diagonal(r))
        if rows < columns:
            q = q.T
        return Tensor(np.ascontiguousarray(self.gain * q.reshape(sizes), standardize_dtype(dtype).numpy))


def _shape_as_tuple(shape: Any) -> tuple[int, ...]:
    if isinstance(shape, (int, np.integer)):
        return (int(shape),)
    tensor = as_tensor_or_none(shape)
    return tuple(TensorShape(shape if tensor is None else tensor._on_host().tolist()))


# ---- names -----------------------------------------------------------------------------------------

_CLASSES: tuple[type[Initializer], ...] = (
    *(Zeros, Ones, Constant, Identity, RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling),
    *(GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal, Orthogonal),
)
ALL: dict[str, Any] = {
    **{kind.__name__: kind for kind in _CLASSES},
    **{to_snake_case(kind.__name__): kind for kind in _CLASSES},
    "IdentityInitializer": Identity,
    "OrthogonalInitializer": Orthogonal,
    "normal": RandomNormal,
    "one": Ones,
    "uniform": RandomUniform,
    "zero": Zeros,
}

constant, zeros, ones, identity = Constant, Zeros, Ones, Identity
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
variance_scaling, orthogonal = VarianceScaling, Orthogonal
glorot_uniform, glorot_normal = GlorotUniform, GlorotNormal
he_uniform, he_normal, lecun_uniform, lecun_normal = HeUniform, HeNormal, LecunUniform, LecunNormal
IdentityInitializer, OrthogonalInitializer = Identity, Orthogonal


def serialize(initializer: Any) -> Any:
    """Returns the configuration of an initializer, as plain values.

    Example:
        >>> tf.keras.initializers.serialize(tf.keras.initializers.Zeros())["class_name"]
        'Zeros'
    """
    return serialize_keras_object(initializer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """Returns the initializer of a configuration or name."""
    return deserialize_keras_object(config, custom_objects, module_objects=ALL)


def get(identifier: Any) -> Callable[..., Any] | None:
    """Returns the initializer of a name, configuration, array or callable.

    Args:
        identifier: an initializer, a class, a name (``"glorot_uniform"``), a configuration, a function
            ``(shape, dtype)``, an array or tensor (its value), or None.

    Raises:
        ValueError: ``identifier`` is none of these.

    Example:
        >>> tf.keras.initializers.get("ones")((2,)).numpy()
        array([1., 1.], dtype=float32)
    """
    if identifier is None:
        return None
    tensor = as_tensor_or_none(identifier)
    if tensor is not None:
        return _ArrayInitializer(tensor._on_host())
    if isinstance(identifier, (np.ndarray, np.generic)):
        return _ArrayInitializer(np.array(identifier))
    return resolve_identifier(identifier, ALL, "initializer")


class _ArrayInitializer(Constant):
    """An initializer to the elements of a given array; ValueError for another shape."""

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        if _shape_as_tuple(shape) != self.value.shape:
            raise ValueError(f"A direct tensor as initializer has `shape` {self.value.shape}. Received {shape=}")
        return super().__call__(shape, dtype)
