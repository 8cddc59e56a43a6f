"""``FeatureSpace``: preprocesses each named column of a table by a layer, and joins the results to one vector."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_choice, check_type, require
from fastgrad._src.core.composite import Composite
from fastgrad._src.core.dtypes import as_dtype
from fastgrad._src.core.nest import map_structure
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.data.dataset import Dataset
from fastgrad._src.keras.configured import Configured
from fastgrad._src.keras.layers.category_encoding import CategoryEncoding
from fastgrad._src.keras.layers.discretization import Discretization
from fastgrad._src.keras.layers.hashing import HashedCrossing, Hashing
from fastgrad._src.keras.layers.index_lookup import IndexLookup, IntegerLookup, StringLookup
from fastgrad._src.keras.layers.input_layer import Input
from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.layers.merging import Concatenate
from fastgrad._src.keras.layers.preprocessing import Normalization, Rescaling
from fastgrad._src.keras.layers.reshaping import Identity
from fastgrad._src.keras.layers.text_vectorization import TextVectorization
from fastgrad._src.keras.naming import auto_name
from fastgrad._src.keras.saving.model_files import save_model
from fastgrad._src.keras.saving.objects import deserialize_keras_object, serialize_keras_object
from fastgrad._src.ops.shaping import expand_dims, reshape, squeeze


def _checked_mode(owner: str, output_mode: str, modes: tuple[str, ...]) -> str:
    check_choice(owner, modes, output_mode=output_mode)
    return output_mode


def _deserialize_config(value: Any) -> Any:
    """Returns the object of a configuration; another value as it is."""
    return deserialize_keras_object(value) if isinstance(value, dict) else value


class Cross(Configured):
    """A feature that hashes the combinations of other features; ``FeatureSpace.cross`` makes it."""

    _config_names = ("feature_names", "crossing_dim", "output_mode")

    def __init__(self, feature_names: Iterable[str], crossing_dim: int, output_mode: str = "one_hot") -> None:
        self.feature_names, self.crossing_dim = tuple(feature_names), crossing_dim
        self.output_mode = _checked_mode("FeatureSpace.cross", output_mode, ("int", "one_hot"))

    @property
    def name(self) -> str:
        """The names of the features, joined by ``_X_``."""
        return "_X_".join(self.feature_names)


class Feature(Configured):
    """A column and its preprocessing layer; ``FeatureSpace.feature`` and similar functions make it."""

    def __init__(self, dtype: str, preprocessor: Any, output_mode: str) -> None:
        self.dtype, self.preprocessor = dtype, _deserialize_config(preprocessor)
        self.output_mode = _checked_mode("FeatureSpace.feature", output_mode, ("int", "one_hot", "float"))

    def get_config(self) -> dict[str, Any]:
        preprocessor = serialize_keras_object(self.preprocessor)
        return {"dtype": self.dtype, "preprocessor": preprocessor, "output_mode": self.output_mode}


class FeatureSpace(Layer):
    """Preprocesses and encodes the named columns of a table; returns one vector or a dict.

    Call ``adapt`` with data first if a feature learns from data. Then call the object with a dict of batches or of single
    values, also in ``Dataset.map``; or build a model from ``get_inputs()`` and ``get_encoded_features()``.

    Args:
        features: a dict from names to kinds of features, such as ``"float_normalized"``, or to results of a function of this class:
            ``float``, ``float_rescaled``, ``float_normalized``, ``float_discretized``, ``integer_categorical``,
            ``string_categorical``, ``integer_hashed``, ``string_hashed``, ``feature``.
        output_mode: ``"concat"`` for one vector of all features, sorted by name, crosses last; or ``"dict"``.
        crosses: tuples of names whose combinations are hashed, or results of ``cross``.
        crossing_dim: the number of bins of crosses.
        hashing_dim: the number of bins of the kinds ``"integer_hashed"`` and ``"string_hashed"``.
        num_discretization_bins: the number of bins of the kind ``"float_discretized"``.
        name: the layer's name.

    Raises:
        ValueError: no features, or an unknown kind, mode or name in a cross. (At a call: no dict, ``adapt`` was not called, or a
            feature can't be encoded or concatenated.)
    """

    def __init__(
        self,
        features: Mapping[str, Any],
        output_mode: str = "concat",
        crosses: Iterable[Any] | None = None,
        crossing_dim: int = 32,
        hashing_dim: int = 32,
        num_discretization_bins: int = 32,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        require(features, self, "`features` cannot be None or empty")
        self.crossing_dim, self.hashing_dim = crossing_dim, hashing_dim
        self.num_discretization_bins = num_discretization_bins
        self.output_mode = _checked_mode("FeatureSpace", output_mode, ("concat", "dict"))
        self.features = {key: self._feature_of(key, value) for key, value in features.items()}
        self.crosses = [self._cross_of(cross) for cross in crosses or ()]
        self.inputs = {key: Input(shape=(1,), dtype=feature.dtype, name=key) for key, feature in self.features.items()}
        self.preprocessors = {key: feature.preprocessor for key, feature in self.features.items()}
        self.crossers = {cross.name: HashedCrossing(cross.crossing_dim, name=cross.name) for cross in self.crosses}
        self.one_hot_encoders: dict[str, Any] = {}
        self.encoded_features: Any = None
        self._is_adapted = False

    # ---- kinds of features -------------------------------------------------------------------------------

    @classmethod
    def cross(cls, feature_names: Iterable[str], crossing_dim: int, output_mode: str = "one_hot") -> Cross:
        """Returns a feature that hashes the combinations of other features to ``crossing_dim`` bins."""
        return Cross(feature_names, crossing_dim, output_mode)

    @classmethod
    def feature(cls, dtype: str, preprocessor: Any, output_mode: str) -> Feature:
        """Returns a feature of a layer of your own; ``output_mode`` is ``"int"``, ``"one_hot"`` or ``"float"``."""
        return Feature(dtype, preprocessor, output_mode)

    @classmethod
    def float(cls, name: str | None = None) -> Feature:
        """Returns a feature of floats as they are."""
        return Feature("float32", Identity(dtype="float32", name=_layer_name(name, "float")), "float")

    @classmethod
    def float_rescaled(cls, scale: Any = 1.0, offset: Any = 0.0, name: str | None = None) -> Feature:
        """Returns a feature of floats times ``scale`` plus ``offset``."""
        return Feature("float32", Rescaling(scale, offset, name=_layer_name(name, "float_rescaled")), "float")

    @classmethod
    def float_normalized(cls, name: str | None = None) -> Feature:
        """Returns a feature of floats, with mean 0 and variance 1 over the data of ``adapt``."""
        return Feature("float32", Normalization(axis=-1, name=_layer_name(name, "float_normalized")), "float")

    @classmethod
    def float_discretized(
        cls, num_bins: int | None, bin_boundaries: Any = None, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Returns a feature of floats in ``num_bins`` bins, equally full, or with the given boundaries."""
        layer = Discretization(bin_boundaries, num_bins, name=_layer_name(name, "float_discretized"))
        return Feature("float32", layer, output_mode)

    @classmethod
    def integer_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Returns a feature of integers that are categories, as ``IntegerLookup``."""
        layer = IntegerLookup(max_tokens, num_oov_indices, name=_layer_name(name, "integer_categorical"))
        return Feature("int32", layer, output_mode)

    @classmethod
    def string_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Returns a feature of strings that are categories, as ``StringLookup``."""
        layer = StringLookup(max_tokens, num_oov_indices, name=_layer_name(name, "string_categorical"))
        return Feature("string", layer, output_mode)

    @classmethod
    def string_hashed(cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None) -> Feature:
        """Returns a feature of strings hashed to ``num_bins`` bins."""
        return Feature("string", Hashing(num_bins, name=_layer_name(name, "string_hashed")), output_mode)

    @classmethod
    def integer_hashed(cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None) -> Feature:
        """Returns a feature of integers hashed to ``num_bins`` bins."""
        return Feature("int32", Hashing(num_bins, name=_layer_name(name, "integer_hashed")), output_mode)

    def _feature_of(self, name: str, kind: Any) -> Feature:
        kind = _deserialize_config(kind)
        if isinstance(kind, Feature):
            return kind
        makers = {
            **{maker.__name__: maker for maker in (self.float, self.float_normalized, self.float_rescaled)},
            **{maker.__name__: maker for maker in (self.integer_categorical, self.string_categorical)},
            "float_discretized": lambda name: self.float_discretized(self.num_discretization_bins, name=name),
            "integer_hashed": lambda name: self.integer_hashed(self.hashing_dim, name=name),
            "string_hashed": lambda name: self.string_hashed(self.hashing_dim, name=name),
        }
        if not isinstance(kind, str) or kind not in makers:
            raise ValueError(f"FeatureSpace: Invalid feature type: {kind!r}. Known are {', '.join(makers)}.")
        feature: Feature = makers[kind](name=name)
        return feature

    def _cross_of(self, cross: Any) -> Cross:
        made = _deserialize_config(cross)
        if not isinstance(made, Cross):
            require(self.crossing_dim, self, "`crosses` need `crossing_dim`, the number of their bins")
            made = Cross(made, self.crossing_dim)
        for name in made.feature_names:
            if name not in self.features:
                raise ValueError(f"FeatureSpace: features of `crosses` must be in `features`. Received: {name!r}")
        return made

    # ---- data ----------------------------------------------------------------------------------------------

    def _names_to_adapt(self) -> list[str]:
        def learns(layer: Any) -> bool:
            if isinstance(layer, Normalization):
                return layer.input_mean is None
            lookup = layer._lookup_layer if isinstance(layer, TextVectorization) else layer
            if isinstance(lookup, IndexLookup) and lookup._has_input_vocabulary:
                return False
            return not (isinstance(layer, Discretization) and layer.num_bins is None) and hasattr(layer, "adapt")

        return [name for name, layer in self.preprocessors.items() if learns(layer)]

    def adapt(self, dataset: Any) -> None:
        """Adapts the layer of each feature to its column.

        Args:
            dataset: a ``Dataset`` of dicts, of single values or batches; or a dict of arrays.

        Raises:
            ValueError: ``dataset`` is neither.
        """
        if not isinstance(dataset, Dataset):
            check_type(self, "a Dataset or a dict of arrays", dict, ValueError, dataset=dataset)
            dataset = Dataset.from_tensor_slices(dataset)
        for name in self._names_to_adapt():
            column = dataset.map(lambda row, name=name: row[name])
            rank = len(column.element_spec.shape)
            if rank == 0:
                column = column.batch(32)
            if rank < 2:
                column = column.map(lambda values: expand_dims(values, -1))
            self.preprocessors[name].adapt(column)
        self._is_adapted = True
        self.encoded_features = None
        self.one_hot_encoders = {}
        self.get_encoded_features()

    def get_inputs(self) -> dict[str, Any]:
        """Returns the ``keras.Input`` of each feature; ValueError before ``adapt``."""
        self.get_encoded_features()
        return self.inputs

    def get_encoded_features(self) -> Any:
        """Returns the encoded ``KerasTensor``, or a dict of them; ValueError before ``adapt``."""
        if not self._is_adapted and self._names_to_adapt():
            raise ValueError("You need to call `.adapt(dataset)` on the FeatureSpace before you can start using it.")
        if self.encoded_features is None:
            self.encoded_features = self._encode_features(self.inputs)
            self.built = True
        return self.encoded_features

    def _encode_features(self, data: Mapping[str, Any]) -> Any:
        features = {name: self.preprocessors[name](data[name]) for name in sorted(data)}
        crosses = {
            cross.name: self.crossers[cross.name]([features[name] for name in cross.feature_names])
            for cross in sorted(self.crosses, key=lambda cross: cross.name)
        }
        modes = {name: self.features[name].output_mode for name in features}
        modes |= {cross.name: cross.output_mode for cross in self.crosses}
        encoded = {
            name: self._one_hot(name, value) if modes[name] == "one_hot" else value
            for name, value in (features | crosses).items()
        }
        if self.output_mode == "dict":
            return encoded
        for name, value in encoded.items():
            dtype = as_dtype(value.dtype)
            if dtype.is_integer or dtype is dtypes.string:
                raise ValueError(f"Feature '{name}' ({dtype.name}) has not been encoded. Try output_mode='dict'.")
        values = list(encoded.values())
        return values[0] if len(values) == 1 else Concatenate(axis=-1)(values)

    def _one_hot(self, name: str, numbers: Any) -> Any:
        if name not in self.one_hot_encoders:
            layer = self.preprocessors.get(name) or self.crossers[name]
            if not as_dtype(numbers.dtype).is_integer:
                raise ValueError(f"Feature '{name}' with output_mode='one_hot' must be integers, got {numbers.dtype}.")
            if isinstance(layer, IndexLookup):
                depth: Any = layer.vocabulary_size()
            elif isinstance(layer, CategoryEncoding):
                depth = layer.num_tokens
            elif isinstance(layer, (Discretization, HashedCrossing, Hashing)):
                depth = layer.num_bins
            else:
                raise ValueError(
                    f"Feature '{name}' has `output_mode='one_hot'`. However it isn't a standard feature and the dimensionality "
                    "of its output space is not known, thus it cannot be one-hot encoded. Try using `output_mode='int'`."
                )
            self.one_hot_encoders[name] = CategoryEncoding(depth, output_mode="multi_hot")
        return self.one_hot_encoders[name](numbers)

    def __call__(self, data: Any) -> Any:
        """Encodes a dict of batches or of single values; KeyError for other names, ValueError if ``data`` is no dict or before ``adapt``."""
        self.get_encoded_features()
        require(isinstance(data, dict), self, "call it with a dict", data=data)
        if data.keys() != self.features.keys():
            raise KeyError(f"FeatureSpace: data must have the features {sorted(self.features)}, got {sorted(data)}.")
        columns: dict[str, Any] = {}
        is_single = False
        for name, value in data.items():
            x = value if isinstance(value, (Tensor, Composite)) else convert_to_tensor(value)
            is_single = is_single or x.shape.rank == 0
            columns[name] = reshape(x, (1, 1)) if x.shape.rank == 0 else expand_dims(x, -1) if x.shape.rank == 1 else x
        encoded = self._encode_features(columns)
        if not is_single:
            return encoded
        return map_structure(lambda x: squeeze(x, 0) if x.shape.rank == 2 else x, encoded)

    def get_config(self) -> dict[str, Any]:
        return {
            "features": serialize_keras_object(self.features),
            "output_mode": self.output_mode,
            "crosses": serialize_keras_object(self.crosses),
            "crossing_dim": self.crossing_dim,
            "hashing_dim": self.hashing_dim,
            "num_discretization_bins": self.num_discretization_bins,
        }

    def get_build_config(self) -> dict[str, Any]:
        """Returns the shapes that the features' layers were built for, by the features' names."""
        return {name: layer.get_build_config() or {} for name, layer in self.preprocessors.items()}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Builds the features' layers from ``get_build_config()``; what they learned is in the file that is loaded."""
        for name, shapes in config.items():
            if shapes and not self.preprocessors[name].built:
                self.preprocessors[name].build_from_config(shapes)
        self._is_adapted = self.built = True

    def save(self, filepath: Any) -> None:
        """Writes the object and what it learned to a ``.keras`` file; see ``keras.models.save_model``."""
        save_model(self, filepath)


def _layer_name(name: str | None, kind: str) -> str:
    return f"{name or auto_name(kind)}_preprocessor"
