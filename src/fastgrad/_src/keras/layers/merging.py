"""Layers that combine several tensors into one: sums, products, maxima, minima, concatenation."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_length, check_type, require
from fastgrad._src.core.composite import Composite
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras import masks
from fastgrad._src.keras.axes import axis_from_front
from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.weight import with_common_dtype
from fastgrad._src.ops import namespace as ops


class Merge(Layer):
    """The base of layers that combine tensors of one shape, element by element.

    Sizes of 1 and missing leading dimensions (after the batch) are broadcast.

    Args:
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: the input is not a list of tensors, the list is too short, or the shapes do not fit together.
    """

    _leaf = True
    _min_inputs = 1

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        require(_is_list_of_shapes(input_shape), self, "call the layer on a list of inputs", input_shape=input_shape)
        require(len(input_shape) >= self._min_inputs, self, f"needs {self._min_inputs} inputs or more", got=input_shape)
        self.compute_output_shape(input_shape)

    def _merge(self, inputs: list[Tensor]) -> Tensor:
        raise NotImplementedError

    def call(self, inputs: Any) -> Tensor:
        """Combines ``inputs`` element by element; ragged ones of the same row lengths give a ragged result."""
        if any(isinstance(x, Composite) for x in inputs):
            return self._merge(list(inputs))
        rank = max(x.ndim for x in inputs)
        return self._merge([_with_rank(x, rank) for x in with_common_dtype(inputs)])

    def compute_output_shape(self, input_shape: Any) -> Any:
        return reduce(self._broadcast_shape, [tuple(shape) for shape in input_shape])

    def _broadcast_shape(self, a: tuple[int | None, ...], b: tuple[int | None, ...]) -> tuple[int | None, ...]:
        if len(a) > len(b):
            a, b = b, a
        a = (*a[:1], *[1] * (len(b) - len(a)), *a[1:])
        sizes: list[int | None] = []
        for axis, (x, y) in enumerate(zip(a, b, strict=True)):
            if axis == 0:
                if x is not None and y is not None and x != y:
                    raise ValueError(f"Cannot merge tensors with different batch sizes. Received shapes: {[a, b]}")
                sizes.append(x if x is not None else y)
            elif y in (x, 1):
                sizes.append(x)
            elif x == 1:
                sizes.append(y)
            elif x is None or y is None:
                sizes.append(None)
            else:
                raise ValueError(f"Inputs have incompatible shapes. Received shapes {a[1:]} and {b[1:]}")
        return tuple(sizes)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The logical OR of the inputs' masks; None if an input has no mask."""
        if previous_mask is None:
            return None
        input_masks = checked_masks(inputs, previous_mask)
        if not input_masks or any(mask is None for mask in input_masks):
            return None
        return reduce(ops.logical_or, [ops.cast(mask, dtypes.bool) for mask in input_masks])


def _is_list_of_shapes(shapes: Any) -> bool:
    return isinstance(shapes, (list, tuple)) and bool(shapes) and isinstance(shapes[0], (tuple, list))


def checked_masks(inputs: Any, masks: Any) -> list[Any]:
    """Returns ``masks`` for ``inputs`` as a list; an input without a mask has None.

    Raises:
        ValueError: ``masks`` or ``inputs`` is not a list, or their lengths differ.
    """
    check_type("compute_mask", "a list", (list, tuple), ValueError, mask=masks, inputs=inputs)
    check_length("compute_mask", len(inputs), mask=masks)
    return list(masks)


def _broadcast_masks(inputs: list[Tensor]) -> list[Tensor | None]:
    """The mask of each tensor, broadcast to the tensor's shape; None for a tensor without a mask."""
    input_masks = [masks.mask_of(x) for x in inputs]
    return [
        None if mask is None else ops.broadcast_to(ops.expand_dims(ops.cast(mask, dtypes.bool), -1), x.shape)
        for x, mask in zip(inputs, input_masks, strict=True)
    ]


def _with_rank(x: Tensor, rank: int) -> Tensor:
    shape = tuple(x.shape)
    if len(shape) == rank or not shape:
        return x
    return ops.reshape(x, (shape[0], *[1] * (rank - len(shape)), *shape[1:]))


class Add(Merge):
    """A layer that adds the tensors of its input list, element by element; sizes of 1 are broadcast.

    Raises:
        ValueError: the input is not a list of tensors, the list is too short, or the shapes do not fit together.

    Example:
        >>> tf.keras.layers.Add()([tf.ones(2), tf.ones(2)]).numpy()
        array([2., 2.], dtype=float32)
    """

    def _merge(self, inputs: list[Tensor]) -> Tensor:
        return reduce(ops.add, inputs)


class Subtract(Merge):
    """A layer that returns the first of two input tensors minus the second; input and errors as of ``Add``."""

    _min_inputs = 2

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        require(len(input_shape) == 2, self, "call the layer on exactly 2 inputs", input_shape=input_shape)

    def _merge(self, inputs: list[Tensor]) -> Tensor:
        first, second = inputs
        return first - second


class Multiply(Merge):
    """A layer that multiplies the tensors of its input list, element by element; input and errors as of ``Add``."""

    def _merge(self, inputs: list[Tensor]) -> Tensor:
        if not masks.any_mask_flag.is_set:
            return reduce(ops.multiply, inputs)
        input_masks = _broadcast_masks(inputs)
        pairs = zip(inputs, input_masks, strict=True)
        output = reduce(ops.multiply, [x if m is None else ops.where(m, x, ops.ones_like(x)) for x, m in pairs])
        if any(mask is None for mask in input_masks):
            return output
        return ops.where(reduce(ops.logical_or, input_masks), output, ops.zeros_like(output))


class Average(Merge):
    """A layer that returns the mean of the tensors of its input list, element by element; input and errors as of ``Add``."""

    def _merge(self, inputs: list[Tensor]) -> Tensor:
        return reduce(ops.add, inputs) / len(inputs)


class _Extreme(Merge):
    """The base of layers that reduce their inputs with ``_function``; masked elements do not count."""

    _function: Callable[..., Tensor]

    def _merge(self, inputs: list[Tensor]) -> Tensor:
        function = type(self)._function
        if not masks.any_mask_flag.is_set:
            return reduce(function, inputs)
        output, *other_inputs = inputs
        visible, *other_masks = _broadcast_masks(inputs)
        for x, mask in zip(other_inputs, other_masks, strict=True):
            if mask is not None:
                x = ops.where(mask, x, output)
            if visible is not None:
                output = ops.where(visible, output, x)
            visible = None if visible is None or mask is None else ops.logical_or(visible, mask)
            output = function(output, x)
        return output


class Maximum(_Extreme):
    """A layer that returns the maximum of the tensors of its input list, element by element; input and errors as of ``Add``."""

    _function = ops.maximum


class Minimum(_Extreme):
    """A layer that returns the minimum of the tensors of its input list, element by element; input and errors as of ``Add``."""

    _function = ops.minimum


class Concatenate(Layer):
    """Concatenates the inputs along an axis.

    Args:
        axis: the axis; not the batch's.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: the input is not a list, shapes differ along another axis, or the axis does not exist.

    Example:
        >>> tf.keras.layers.Concatenate()([tf.ones((2, 3)), tf.ones((2, 4))]).shape
        TensorShape([2, 7])
    """

    _leaf = True
    _config_names = ("axis",)

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def build(self, input_shape: Any) -> None:
        require(_is_list_of_shapes(input_shape), self, "call the layer on a list of inputs", input_shape=input_shape)
        self.compute_output_shape(input_shape)

    def call(self, inputs: Any) -> Tensor:
        """Concatenates ``inputs``; ragged ones give a ragged result."""
        if any(isinstance(x, Composite) for x in inputs):
            return ops.concat(list(inputs), self.axis)
        return ops.concat(with_common_dtype(inputs), self.axis)

    def compute_output_shape(self, input_shape: Any) -> Any:
        shapes = [tuple(shape) for shape in input_shape]
        output_shape = list(shapes[0])
        try:
            axis = axis_from_front(f"Concatenate '{self.name}'", self.axis, output_shape)
        except IndexError as error:
            raise ValueError(str(error)) from None
        for shape in shapes[1:]:
            is_compatible = len(shape) == len(output_shape) and all(
                a == b or None in (a, b)
                for dim, (a, b) in enumerate(zip(output_shape, shape, strict=True))
                if dim != axis
            )
            require(is_compatible, self, f"shapes must match but for axis {self.axis}", input_shape=input_shape)
        sizes = [shape[axis] for shape in shapes]
        known_sizes = [size for size in sizes if size is not None]
        output_shape[axis] = sum(known_sizes) if len(known_sizes) == len(sizes) else None
        for shape in shapes[1:]:
            output_shape = [
                b if a is None and dim != axis else a
                for dim, (a, b) in enumerate(zip(output_shape, shape, strict=True))
            ]
        return tuple(output_shape)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The concatenated masks; an input without a mask counts as not masked."""
        if previous_mask is None:
            return None
        input_masks = checked_masks(inputs, previous_mask)
        if all(mask is None for mask in input_masks):
            return None
        full_masks = []
        for x, mask in zip(inputs, input_masks, strict=True):
            if mask is None:
                full_masks.append(ops.ones(x.shape, dtypes.bool))
            else:
                mask = ops.cast(mask, dtypes.bool)
                while mask.ndim < len(x.shape):
                    mask = ops.expand_dims(mask, -1)
                shape = [
                    mask_size if size is None else size for size, mask_size in zip(x.shape, mask.shape, strict=True)
                ]
                full_masks.append(ops.broadcast_to(mask, shape))
        return ops.reduce_any(ops.concat(full_masks, self.axis), -1)


class Dot(Layer):
    """The dot products of two inputs along one axis of each, sample by sample.

    Args:
        axes: one axis for both inputs, or a pair of axes; not the batch's axis, 0.
        normalize: whether vectors along the axes are first scaled to length 1, so that the results are cosines.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: there are not two inputs, an input has rank 1, the axes' sizes differ, or an axis is the batch's.
        IndexError: an axis does not exist.
    """

    _leaf = True
    _config_names = ("axes", "normalize")

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axes, int):
            if not isinstance(axes, (list, tuple)) or len(axes) != 2:
                raise ValueError(f"Dot: `axes` must have two elements. Received: {axes=}")
            require(all(isinstance(n, int) for n in axes), self, "elements of `axes` must be integers", axes=axes)
            axes = tuple(axes)
        self.axes, self.normalize = axes, normalize

    def _contracted_axes(self, shapes: Any) -> tuple[int, int]:
        """The contracted axis of each of the two inputs, counted from the front."""
        axes = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        name = f"Dot '{self.name}'"
        if any(len(shape) < 2 for shape in shapes):
            raise ValueError(f"{name}: inputs need a rank of at least 2. Received shapes {shapes}")
        first_axis, second_axis = [
            axis_from_front(name, *axis_and_shape, "axes") for axis_and_shape in zip(axes, shapes, strict=True)
        ]
        if not first_axis or not second_axis:
            raise ValueError(f"{name}: `axes` must not have the batch's axis, 0. Received: {self.axes} for {shapes}")
        return first_axis, second_axis

    def build(self, input_shape: Any) -> None:
        if not _is_list_of_shapes(input_shape) or len(input_shape) != 2:
            raise ValueError(f"Dot: call the layer on a list of 2 inputs. Received: {input_shape=}")
        first_shape, second_shape = input_shape
        a, b = self._contracted_axes([tuple(first_shape), tuple(second_shape)])
        if first_shape[a] != second_shape[b]:
            raise ValueError(f"Dot: sizes of axes {a} and {b} must be equal. Received: {first_shape=}, {second_shape=}")

    def call(self, inputs: Any) -> Tensor:
        x, y = with_common_dtype(inputs)
        a, b = self._contracted_axes([x._array.shape, y._array.shape])
        if self.normalize:
            x, y = ops.l2_normalize(x, a), ops.l2_normalize(y, b)
        letters = "abcdefgh"
        left_letters = ["z", *letters[: x.ndim - 1]]
        right_letters = ["z", *letters[x.ndim - 1 : x.ndim + y.ndim - 2]]
        left_letters[a] = right_letters[b] = "y"
        output_letters = [letter for letter in left_letters if letter != "y"] + [
            letter for letter in right_letters[1:] if letter != "y"
        ]
        products = ops.einsum(f"{''.join(left_letters)},{''.join(right_letters)}->{''.join(output_letters)}", x, y)
        return ops.expand_dims(products, 1) if products.ndim == 1 else products

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The batch, the remaining sizes of the first input, then the remaining sizes of the second input."""
        first_sizes, second_sizes = [list(shape) for shape in input_shape]
        a, b = self._contracted_axes([tuple(first_sizes), tuple(second_sizes)])
        del first_sizes[a], second_sizes[b]
        output_shape = (*first_sizes, *second_sizes[1:])
        return output_shape if len(output_shape) > 1 else (*output_shape, 1)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Returns None: the output has no mask."""
        return None


def _layer_function(layer_class: type[Merge]) -> Callable[..., Any]:
    def merged(inputs: Any, **kwargs: Any) -> Any:
        return layer_class(**kwargs)(inputs)

    merged.__name__ = merged.__qualname__ = layer_class.__name__.lower()
    merged.__doc__ = f"``{layer_class.__name__}(**kwargs)(inputs)``."
    return merged


add, subtract, multiply = map(_layer_function, (Add, Subtract, Multiply))
average, maximum, minimum = map(_layer_function, (Average, Maximum, Minimum))


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """``Concatenate(axis, **kwargs)(inputs)``."""
    return Concatenate(axis, **kwargs)(inputs)


def dot(inputs: Any, axes: Any = -1, **kwargs: Any) -> Any:
    """``Dot(axes, **kwargs)(inputs)``."""
    return Dot(axes, **kwargs)(inputs)
