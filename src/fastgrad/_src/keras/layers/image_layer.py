"""The bases of layers of images, which change bounding boxes, labels and segmentation masks along with the pixels."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from inspect import Parameter
from typing import Any

from fastgrad._src.core import dtypes, nest
from fastgrad._src.core.argument_checks import refuse
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.keras.constructor import make_constructor
from fastgrad._src.keras.image_axes import check_image_rank
from fastgrad._src.keras.layers.bounding_boxes import clip_to_image_size, convert_format, dense_bounding_boxes
from fastgrad._src.keras.layers.image_arguments import Argument
from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.layers.seeds import SeededDraws, generator_of_seed
from fastgrad._src.keras.settings import standardize_data_format
from fastgrad._src.ops import namespace as ops


class ImageLayer(Layer):
    """The base of layers of images: (height, width, channels) or (batch, height, width, channels), or with the channels first.

    A call draws a transformation, and changes images by it; in a dict also bounding boxes, labels and segmentation masks. Subclasses say how
    by ``_draw``, ``_apply`` and ``_moved_boxes``. The class keyword ``arguments`` lists the arguments of the constructor. ``get_config`` has them
    in this order, unless ``_config_names`` has another one.
    """

    _leaf = True

    _takes_python_values = True
    # Whether pixels move, so that boxes and masks move with them.
    _moves_pixels = False
    # Attributes of those layers that list them in ``arguments``.
    height: int
    width: int
    factor: tuple[float, float]
    value_range: Any
    interpolation: str
    fill_mode: str
    fill_value: Any

    def __init_subclass__(cls, arguments: Sequence[Argument] = (), **options: Any) -> None:
        if arguments:
            if "_config_names" not in cls.__dict__:
                cls._config_names = tuple(dict.fromkeys(["data_format", *[argument.name for argument in arguments]]))
            parameters = [
                *[argument.parameter for argument in arguments],
                Parameter("kwargs", Parameter.VAR_KEYWORD, annotation="Any"),
            ]

            def body(self: ImageLayer, **values: Any) -> None:
                for argument in arguments:
                    if argument.check is not None:
                        value = argument.check(type(self).__name__, argument.name, values.pop(argument.name))
                        setattr(self, argument.name, value)
                super(cls, self).__init__(**values)
                self._finish_init()

            cls.__init__ = make_constructor(cls.__module__, cls.__qualname__, parameters, body)  # type: ignore[method-assign]
        super().__init_subclass__(**options)

    def _finish_init(self) -> None:
        """Checks arguments together, and makes sublayers; runs when the attributes are there."""

    def __init__(
        self, *args: Any, data_format: str | None = None, bounding_box_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.data_format = standardize_data_format(data_format)
        self.bounding_box_format = bounding_box_format
        self._build_at_init()

    def get_config(self) -> dict[str, Any]:
        """The constructor arguments by name; the format of bounding boxes only if there is one."""
        config = super().get_config()
        if self.bounding_box_format is not None:
            config["bounding_box_format"] = self.bounding_box_format
        return config

    @property
    def _height_axis(self) -> int:
        """The axis of the height, counted from the last; that of the width is the next."""
        return -2 if self.data_format == "channels_first" else -3

    def _size(self, shape: Any) -> tuple[Any, Any]:
        """Returns the height and width in the shape of images."""
        return shape[self._height_axis], shape[self._height_axis + 1]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input, with the size of the result if the layer has one; of a dict, that of its images."""
        if isinstance(input_shape, dict):
            return {**input_shape, "images": self.compute_output_shape(input_shape["images"])}
        shape = list(input_shape)
        size = getattr(self, "height", None), getattr(self, "width", None)
        if None not in size:
            for axis, length in enumerate(size, self._height_axis):
                shape[axis] = length
        return tuple(shape)

    def call(self, data: Any, training: bool = True) -> Any:
        """Changes images, and what belongs to them.

        Args:
            data: images; or a dict of ``"images"`` and maybe of ``"bounding_boxes"`` (a dict of ``"boxes"`` and ``"labels"``), ``"labels"`` and
                ``"segmentation_masks"``. Other entries stay as they are.
            training: layers that draw change nothing out of training.

        Raises:
            ValueError: images of another rank, a dict without images, or with boxes for a layer without ``bounding_box_format``.
        """
        transformation = self.get_random_transformation(data, training=training)
        images = convert_to_tensor(_images_of(data))

        if images is data and images.ndim == 4:
            return self.transform_images(images, transformation, training=training)

        def transform(method: Callable[..., Any], value: Any) -> Any:
            apply = method if images.ndim == 4 else functools.partial(_call_on_single, method)
            return apply(value, transformation, training=training)

        if not isinstance(data, dict):
            return transform(self.transform_images, images)
        result = {**data, "images": transform(self.transform_images, images)}
        if "bounding_boxes" in data:
            if not self.bounding_box_format:
                refuse(self, "the input has the key 'bounding_boxes'. Pass `bounding_box_format`, such as 'xyxy'")
            boxes = dense_bounding_boxes(data["bounding_boxes"])
            boxes["boxes"] = ops.cast(boxes["boxes"], dtypes.float32)
            result["bounding_boxes"] = transform(self.transform_bounding_boxes, boxes)
        for key, method in (
            ("labels", self.transform_labels),
            ("segmentation_masks", self.transform_segmentation_masks),
        ):
            if key in data:
                result[key] = transform(method, convert_to_tensor(data[key]))
        return result

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Draws what a call does to ``data``, for the methods ``transform_...``.

        Args:
            data: images, or a dict of ``"images"``.
            training: False for no change.
            seed: an integer or a ``keras.random.SeedGenerator``; None for the layer's own draws.

        Returns:
            A structure of tensors and shapes; None for no change.

        Raises:
            ValueError: images of another rank, or a dict without images.
        """
        shape = tuple(_images_of(data).shape)
        check_image_rank(shape)
        return self._transformation(shape, training, seed)

    def _transformation(self, shape: tuple[int, ...], training: bool, seed: Any) -> Any:
        return {"input_shape": shape}

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """Changes a batch of images by a transformation of ``get_random_transformation``.

        Args:
            images: shape (batch, height, width, channels), or with the channels first; layers that treat each pixel alone, or move pixels, take single
                images, too.
            transformation: None for no change.
            training: False for no change.

        Returns:
            Images of the layer's compute dtype.
        """
        x = ops.cast(convert_to_tensor(images), self.compute_dtype)
        return self._apply(x, transformation, None) if training and transformation is not None else x

    def transform_labels(self, labels: Any, transformation: Any = None, training: bool = True) -> Any:
        """Returns ``labels`` as they are."""
        return labels

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """Moves the pixels of masks as those of images, without mixing values of neighbours; colours do not change them.

        Args:
            segmentation_masks: the rank and size of the images; any dtype, which the result has, too.
            transformation, training: as in ``transform_images``.
        """
        if not (self._moves_pixels and training) or transformation is None:
            return segmentation_masks
        masks = convert_to_tensor(segmentation_masks)
        return ops.cast(self._apply(masks, transformation, "nearest"), masks.dtype)

    def transform_bounding_boxes(self, bounding_boxes: Any, transformation: Any = None, training: bool = True) -> Any:
        """Moves boxes with the pixels, and cuts them to the image; those of which nothing is left get the label -1.

        Args:
            bounding_boxes: a dict of ``"boxes"``, shape (batch, boxes, 4) or (boxes, 4), and ``"labels"``, in ``bounding_box_format``. Boxes whose
                four numbers are 0 or -1 fill up rows: they become 0.
            transformation, training: as in ``transform_images``.

        Returns:
            A dict of the same form; boxes are float32.

        Raises:
            ValueError: another structure or rank, or there is no such ``bounding_box_format``.
        """
        if not (self._moves_pixels and training) or transformation is None:
            return bounding_boxes
        bounding_boxes = {**bounding_boxes, "boxes": convert_to_tensor(bounding_boxes["boxes"])}
        height, width = self._image_size(transformation)
        boxes = convert_format(bounding_boxes["boxes"], self._box_format, "xyxy", height, width)
        if boxes.ndim == 2:
            moved = self._moved_boxes(boxes[None], transformation)[0]
        else:
            moved = self._moved_boxes(boxes, transformation)
        first = bounding_boxes["boxes"][..., :1]
        is_filling = ops.reduce_all(bounding_boxes["boxes"] == first, -1, keepdims=True)
        is_filling = ops.logical_and(is_filling, ops.logical_or(first == 0, first == -1))
        moved = ops.where(is_filling, ops.zeros_like(moved), moved)
        height, width = getattr(self, "height", height), getattr(self, "width", width)
        clipped = clip_to_image_size({**bounding_boxes, "boxes": moved}, height, width)
        return convert_format(clipped, "xyxy", self._box_format, height, width)

    def transform_single_image(self, image: Any, transformation: Any = None, training: bool = True) -> Any:
        """Changes one image as ``transform_images`` changes a batch of one."""
        return _call_on_single(self.transform_images, image, transformation, training)

    def transform_single_label(self, label: Any, transformation: Any = None, training: bool = True) -> Any:
        """Changes the label of one image as ``transform_labels`` does."""
        return _call_on_single(self.transform_labels, label, transformation, training)

    def transform_single_segmentation_mask(
        self, segmentation_mask: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """Changes one mask as ``transform_segmentation_masks`` changes a batch of one."""
        return _call_on_single(self.transform_segmentation_masks, segmentation_mask, transformation, training)

    def transform_single_bounding_box(
        self, bounding_box: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """Changes the boxes and labels of one image as ``transform_bounding_boxes`` does."""
        return _call_on_single(self.transform_bounding_boxes, bounding_box, transformation, training)

    @property
    def _box_format(self) -> str:
        if self.bounding_box_format is None:
            raise ValueError(f"{type(self).__name__}: bounding boxes need `bounding_box_format`, e.g. 'xyxy'.")
        return self.bounding_box_format

    def _image_size(self, transformation: Any) -> tuple[Any, Any]:
        """Returns the height and width of the images for which ``transformation`` was drawn."""
        return self._size(transformation["input_shape"])

    def _moved_boxes(self, boxes: Tensor, transformation: Any) -> Tensor:
        """Returns boxes of format ``"xyxy"`` and shape (batch, boxes, 4) where the pixels inside of them are now."""
        raise NotImplementedError

    def _apply(self, x: Tensor, transformation: Any, interpolation: str | None) -> Tensor:
        """Returns ``x`` changed by ``transformation``; None is the layer's own interpolation."""
        raise NotImplementedError


def _call_on_single(method: Callable[..., Any], value: Any, transformation: Any = None, training: bool = True) -> Any:
    """Returns what a method of batches makes of a batch of one."""
    batch = nest.map_structure(lambda item: convert_to_tensor(item)[None], value)
    return nest.map_structure(lambda item: item[0], method(batch, transformation, training=training))


def _images_of(data: Any) -> Any:
    if not isinstance(data, dict):
        return data if hasattr(data, "shape") else convert_to_tensor(data)
    if "images" not in data:
        raise ValueError(f"A dict of images must have the entry 'images'; it has {sorted(data)}.")
    return data["images"]


class RandomImageLayer(ImageLayer):
    """The base of layers that draw numbers in training."""

    seed: int | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._generator: Any = generator_of_seed(self.seed)
        super().__init__(*args, **kwargs)

    def _transformation(self, shape: tuple[int, ...], training: bool, seed: Any) -> Any:
        if not training:
            return None
        own = self._generator
        if seed is not None:
            self.__dict__["_generator"] = SeededDraws(seed)
        try:
            return self._draw(shape)
        finally:
            self.__dict__["_generator"] = own

    def _draw(self, shape: tuple[int, ...]) -> Any:
        """Returns the transformation of images of ``shape``, whose rank is 3 or 4."""
        return {}

    def _draw_words(self, shape: tuple[int, ...]) -> Tensor:
        return (ops.default_philox_words(None) if self._generator is None else self._generator._draw_words)(shape)

    def _uniform(self, shape: Sequence[int], low: float, high: float) -> Tensor:
        return ops.uniform_from(self._draw_words, type(self).__name__, tuple(shape), low, high, self.compute_dtype)

    def _number_of_each_image(self, shape: tuple[int, ...], low: float, high: float) -> Tensor:
        """Returns a number for each image of ``shape``, with axes for height, width and channels."""
        return self._uniform((*shape[:-3], 1, 1, 1), low, high)


def image_count(shape: tuple[int, ...]) -> int:
    """Returns the number of images in the shape of images."""
    return shape[0] if len(shape) == 4 else 1


def broadcast_per_image(numbers: Any, images: Tensor, dtype: Any = None) -> Tensor:
    """Returns a number for each image, or one for all, with axes for height, width and channels."""
    x = convert_to_tensor(numbers)
    x = x if dtype is None else ops.cast(x, dtype)
    if x.ndim == images.ndim:
        return x
    return ops.reshape(x, [-1, 1, 1, 1] if images.ndim == 4 else [1, 1, 1])
