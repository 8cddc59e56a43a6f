"""Stand-ins for `keras` and `keras.src`: public names are fastgrad's; helpers of Keras's tests are written here."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import inspect
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.keras import masks
from fastgrad._src.keras.training.compile_loss import CompileLoss
from fastgrad._src.keras.training.compile_metrics import CompileMetrics
from fastgrad._src.keras.training.trainer import Trainer
from tests.conformance.suites.stand_in import Finder, SetApart, StandIn, first_attribute, namespace

keras = tf.keras
_NAMESPACES = [
    "layers", "models", "losses", "metrics", "optimizers", "callbacks", "initializers", "regularizers", "constraints",
    "activations", "saving", "utils", "datasets", "preprocessing", "config", "mixed_precision", "backend",
]  # fmt: skip


def _dtype_name(dtype: Any) -> str:
    if isinstance(dtype, type) and dtype in (bool, int, float):
        return {bool: "bool", int: "int32", float: keras.config.floatx()}[dtype]
    return keras.utils.standardize_dtype(dtype)


def _is_tensor(x: Any) -> bool:
    return tf.is_tensor(x) and not isinstance(x, tf.Variable)


def _concrete(x: Any) -> Any:
    if isinstance(x, keras.KerasTensor):
        raise SetApart("keras.ops on symbolic tensors")
    return x


def _convert_to_tensor(x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Any:
    if sparse:
        raise SetApart("sparse tensors")
    dtype = None if dtype is None else tf.as_dtype(dtype)
    if isinstance(_concrete(x), (tf.Tensor, tf.Variable)):
        return tf.convert_to_tensor(x) if dtype is None else tf.cast(x, dtype)
    if isinstance(x, float) and dtype is None:
        dtype = keras.config.floatx()
    if dtype is None and not hasattr(x, "dtype"):
        dtype = tf.float32 if np.asarray(x).dtype == np.float64 else None
    return tf.convert_to_tensor(x, dtype=dtype)


def _convert_to_numpy(x: Any) -> np.ndarray:
    if isinstance(x, tf.RaggedTensor):
        x = x.to_tensor()
    return np.array(_concrete(x))


def _shape(x: Any) -> tuple:
    return tuple(np.shape(x)) if isinstance(x, (np.ndarray, list, float, int)) else tuple(x.shape)


def _reduction(name: str) -> Any:
    function = getattr(tf.math, "reduce_" + name)

    def reduce(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        x = _convert_to_tensor(x)
        if name in ("mean", "std") and not x.dtype.is_floating:
            x = tf.cast(x, keras.config.floatx())
        return function(x, axis=axis, keepdims=keepdims)

    return reduce


def _created(function: Any) -> Any:
    def create(shape: Any, dtype: Any = None) -> Any:
        return function(shape, dtype=tf.as_dtype(dtype or keras.config.floatx()))

    return create


def _full(shape: Any, value: Any, dtype: Any = None) -> Any:
    return tf.fill(shape, _convert_to_tensor(value, dtype or keras.config.floatx()))


def _one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Any:
    return tf.one_hot(_convert_to_tensor(x), num_classes, axis=axis, dtype=tf.as_dtype(dtype or keras.config.floatx()))


def _on_tensors(function: Any) -> Any:
    @functools.wraps(function)  # layers are saved with the function's name
    def apply(*args: Any, **kwargs: Any) -> Any:
        args = tuple(_convert_to_tensor(x) if isinstance(x, (np.ndarray, keras.KerasTensor)) else x for x in args)
        return function(*args, **kwargs)

    return apply


def _add(x: Any, y: Any) -> Any:
    x, y = _convert_to_tensor(x), _convert_to_tensor(y)
    if x.dtype != y.dtype:  # `keras.ops` gives the result the common dtype
        dtype = tf.as_dtype(np.promote_types(x.dtype.as_numpy_dtype, y.dtype.as_numpy_dtype))
        x, y = tf.cast(x, dtype), tf.cast(y, dtype)
    return tf.add(x, y)


def _arange(*args: Any, dtype: Any = None) -> Any:
    return tf.range(*args, dtype=dtype and tf.as_dtype(dtype))


class _SeedGenerator:
    def __init__(self, *args: Any, **kwargs: Any):
        raise SetApart("keras.random.SeedGenerator")


def _draw(function: Any) -> Any:
    def draw(shape: Any, *args: Any, dtype: Any = None, seed: Any = None, **kwargs: Any) -> Any:
        return function(shape, *args, dtype=tf.as_dtype(dtype or keras.config.floatx()), seed=seed, **kwargs)

    return draw


_random = namespace(
    "keras.src.random",
    {
        "normal": _draw(tf.random.normal),
        "uniform": _draw(tf.random.uniform),
        "truncated_normal": _draw(tf.random.truncated_normal),
        "randint": lambda shape, minval, maxval, dtype="int32", seed=None: tf.random.uniform(
            shape, minval, maxval, tf.as_dtype(dtype), seed=seed
        ),
        "SeedGenerator": _SeedGenerator,
    },
)

_ops_members: dict[str, Any] = {
    **{name: _reduction(name) for name in ["mean", "sum", "max", "min", "prod", "std", "all", "any"]},
    **{name: _created(getattr(tf, name)) for name in ["ones", "zeros"]},
    **{
        name: _on_tensors(getattr(tf, name))
        for name in ["square", "matmul", "transpose", "tile", "expand_dims", "reshape", "multiply", "less",
                     "greater", "divide", "zeros_like", "ones_like", "where", "subtract", "stack", "sqrt", "abs",
                     "equal", "squeeze", "argmax", "exp", "maximum", "minimum"]
    },
    "add": _add,
    "log": _on_tensors(tf.math.log),
    "rsqrt": _on_tensors(tf.math.rsqrt),
    "sigmoid": _on_tensors(tf.math.sigmoid),
    "relu": _on_tensors(tf.nn.relu),
    "softmax": _on_tensors(tf.nn.softmax),
    "concatenate": lambda xs, axis=0: tf.concat([_convert_to_tensor(x) for x in xs], axis),
    "clip": lambda x, low, high: tf.clip_by_value(_concrete(x), low, high),
    "cast": lambda x, dtype: tf.cast(_concrete(x), tf.as_dtype(dtype)),
    "full": _full,
    "arange": _arange,
    "one_hot": _one_hot,
    "array": _convert_to_tensor,
    "convert_to_tensor": _convert_to_tensor,
    "convert_to_numpy": _convert_to_numpy,
    "shape": _shape,
    "random": _random,
}  # fmt: skip
_ops = namespace("keras.src.ops", _ops_members)
_ops.numpy = _ops


def _set_mask(x: Any, mask: Any) -> None:
    if isinstance(x, tf.Tensor):
        masks.attach_mask(x, mask)
    else:
        x._keras_mask = mask


def _tree_map_up_to(shallow: Any, function: Any, *trees: Any) -> Any:
    if tf.nest.is_nested(shallow):
        if isinstance(shallow, dict):
            return {key: _tree_map_up_to(shallow[key], function, *[tree[key] for tree in trees]) for key in shallow}
        return [_tree_map_up_to(part, function, *[tree[i] for tree in trees]) for i, part in enumerate(shallow)]
    return function(*trees)


def _is_shape(x: Any) -> bool:
    return isinstance(x, (list, tuple)) and all(isinstance(n, (int, type(None))) for n in x)


def _map_shapes(function: Any, structure: Any) -> Any:
    if _is_shape(structure):
        return function(tuple(structure))
    if isinstance(structure, dict):
        return {key: _map_shapes(function, value) for key, value in structure.items()}
    return type(structure)([_map_shapes(function, value) for value in structure])


_tree = namespace(
    "keras.src.tree",
    {
        "flatten": tf.nest.flatten,
        "map_structure": tf.nest.map_structure,
        "is_nested": tf.nest.is_nested,
        "pack_sequence_as": tf.nest.pack_sequence_as,
        "assert_same_structure": tf.nest.assert_same_structure,
        "map_structure_up_to": _tree_map_up_to,
        "map_shape_structure": _map_shapes,
    },
)

_float_names = {"float16", "bfloat16", "float32", "float64"}
_backend_members: dict[str, Any] = {
    "backend": lambda: "tensorflow",
    "config": keras.config,
    "Variable": keras.Variable,
    "KerasTensor": keras.KerasTensor,
    "convert_to_tensor": _convert_to_tensor,
    "convert_to_numpy": _convert_to_numpy,
    "is_tensor": _is_tensor,
    "standardize_dtype": _dtype_name,
    "is_float_dtype": lambda dtype: _dtype_name(dtype) in _float_names,
    "is_int_dtype": lambda dtype: "int" in _dtype_name(dtype),
    "get_keras_mask": lambda x: getattr(x, "_keras_mask", None),
    "set_keras_mask": _set_mask,
    "shape": _shape,
    "cast": _ops_members["cast"],
    "numpy": _ops,
    "random": _random,
    "name_scope": keras.name_scope,
    "SUPPORTS_SPARSE_TENSORS": False,
    "SUPPORTS_RAGGED_TENSORS": True,
    "SUPPORTS_COMPLEX_DTYPES": True,
    "device": lambda name: contextlib.nullcontext(),
    **{
        name: getattr(keras.backend, name)
        for name in ["floatx", "set_floatx", "epsilon", "image_data_format", "set_image_data_format"]
    },
}


def _compile_loss(loss: Any, loss_weights: Any = None, output_names: Any = None) -> Any:
    return CompileLoss(loss, loss_weights, output_names)


def _compile_metrics(metrics: Any, weighted_metrics: Any, output_names: Any = None) -> Any:
    return CompileMetrics(metrics, weighted_metrics, output_names)


def _is_traceback_filtering_enabled() -> bool:
    return False


_modules: dict[str, ModuleType] = {
    "keras.src.backend": namespace("keras.src.backend", _backend_members),
    "keras.src.ops": _ops,
    "keras.ops": _ops,
    "keras.src.random": _random,
    "keras.random": _random,
    "keras.src.tree": _tree,
    "keras.src.backend.common": namespace("keras.src.backend.common", {**_backend_members}),
    "keras.src.backend.config": namespace(
        "keras.src.backend.config",
        {
            **{name: getattr(keras.config, name) for name in dir(keras.config) if not name.startswith("_")},
            # Attention has one implementation here; tests switch Keras's second one off.
            "disable_flash_attention": lambda: None,
            "enable_flash_attention": lambda: None,
            "is_flash_attention_enabled": lambda: False,
        },
    ),
    "keras.src.dtype_policies.dtype_policy": namespace(
        "keras.src.dtype_policies.dtype_policy",
        {
            "DTypePolicy": keras.DTypePolicy,
            "FloatDTypePolicy": keras.DTypePolicy,  # another name of it in Keras
            "dtype_policy": keras.config.dtype_policy,
            "set_dtype_policy": keras.config.set_dtype_policy,
        },
    ),
    "keras.src.utils.file_utils": namespace(
        "keras.src.utils.file_utils",
        {
            "join": os.path.join, "exists": os.path.exists, "makedirs": os.makedirs, "listdir": os.listdir,
            "path_to_string": lambda path: os.fspath(path) if isinstance(path, os.PathLike) else path, "File": open, "get_file": keras.utils.get_file, "remove": os.remove,
        },
    ),
    "keras.src.backend.tensorflow.trainer": namespace(
        "keras.src.backend.tensorflow.trainer", {"TensorFlowTrainer": Trainer}
    ),
    "keras.src.trainers.compile_utils": namespace(
        "keras.src.trainers.compile_utils",
        {"CompileLoss": _compile_loss, "CompileMetrics": _compile_metrics},
    ),
    "keras.src.backend.common.symbolic_scope": namespace(
        "keras.src.backend.common.symbolic_scope", {"in_symbolic_scope": lambda: False}
    ),
    "keras.src.backend.common.global_state": namespace(
        "keras.src.backend.common.global_state", {"clear_session": keras.utils.clear_session}
    ),
    "keras.src.utils.traceback_utils": namespace(
        "keras.src.utils.traceback_utils", {"is_traceback_filtering_enabled": _is_traceback_filtering_enabled}
    ),
    "conftest": namespace(
        "conftest", {"skip_if_backend": lambda name, reason: pytest.mark.skipif(name == "tensorflow", reason=reason)}
    ),
}  # fmt: skip
_modules["keras.src.dtype_policies"] = namespace(
    "keras.src.dtype_policies",
    {
        "DTypePolicy": keras.DTypePolicy,
        "dtype_policy": _modules["keras.src.dtype_policies.dtype_policy"],
        "get": lambda identifier: keras.layers.Identity(dtype=identifier).dtype_policy,
        "serialize": keras.saving.serialize_keras_object,
        "deserialize": keras.saving.deserialize_keras_object,
    },
)
for _part in ("converters", "iou"):
    _name = f"keras.src.layers.preprocessing.image_preprocessing.bounding_boxes.{_part}"
    _modules[_name] = namespace(
        _name, {name: value for name, value in vars(keras.utils.bounding_boxes).items() if not name.startswith("_")}
    )
_folder = Path()
# Private modules of plain arithmetic that tests compare layers with.
_ARITHMETIC = {"keras.src.backend.common.backend_utils"}


def _spaces(module: str) -> list[Any]:
    """fastgrad's namespaces in the order in which a name of ``module`` is looked for."""
    parts = module.split(".")[1:]
    if parts[:1] == ["src"]:
        parts = parts[1:]
    spaces: list[Any] = []
    space: Any = keras
    for part in parts:
        space = getattr(space, part, None) if part in _NAMESPACES or space is not keras else None
        if space is None:
            break
        spaces.insert(0, space)
    return [*spaces, keras, *(getattr(keras, name) for name in _NAMESPACES)]


def _public(module: str, attribute: str) -> Any:
    """fastgrad's public ``attribute``; names that each namespace has, such as ``get``, only from the namespace itself."""
    spaces = _spaces(module)
    if attribute in ("get", "serialize", "deserialize"):
        spaces = spaces[: -len(_NAMESPACES) - 1]
    value = first_attribute([*spaces, keras.losses.regression], attribute)
    if isinstance(value, ModuleType) and attribute not in _NAMESPACES and attribute != "schedules":
        raise KeyError(attribute)
    return value


def _lookup(module: str, attribute: str) -> Any:
    """The value of ``module.attribute``: a submodule of Keras, or a public name of fastgrad's."""
    package = module.partition(".")[0]
    if package == "tensorflow":
        space: Any = tf
        for part in module.split(".")[1:]:
            space = getattr(space, part, None)
        try:
            value = getattr(space, attribute)
        except AttributeError:
            raise KeyError(attribute) from None
        return _module(f"{module}.{attribute}") if isinstance(value, ModuleType) else value
    full = f"{module}.{attribute}"
    if full in _modules:
        return _modules[full]
    source = _folder.joinpath(*full.split("."))
    is_module = source.is_dir() or source.with_suffix(".py").exists()
    if attribute[:1].isupper() or not is_module:
        value = _public(module, attribute)
        return _module(full) if isinstance(value, ModuleType) else value
    return importlib.import_module(full)


def _module(name: str) -> ModuleType:
    return _modules.setdefault(name, StandIn(name, _lookup))


def _is_support(name: str) -> bool:
    """True for modules that run as they are in the copy: the base class of tests, and tests that other tests import."""
    return name.startswith("keras.src.testing") or name.endswith("_test") or name in _ARITHMETIC


def _adapt_test_case() -> None:
    """Takes seed generators, which are private to Keras's layers, out of its layer tests."""
    test_case = importlib.import_module("keras.src.testing.test_case")
    test_case.get_seed_generators = lambda layer: []
    run_layer_test = test_case.TestCase.run_layer_test

    def without_seed_generators(self: Any, *args: Any, expected_num_seed_generators: Any = None, **kwargs: Any) -> None:
        kwargs.pop("expected_num_non_trainable_variables", None)  # the weights, which are counted, and the generators
        run_layer_test(self, *args, **kwargs)

    revive = test_case.TestCase.run_class_serialization_test

    def with_own_classes(self: Any, *args: Any, **kwargs: Any) -> Any:
        # Classes of Keras's package, its tests included, are revived without being registered.
        module = type(self).__module__
        classes = inspect.getmembers(sys.modules[module], inspect.isclass)
        with keras.saving.custom_object_scope({name: kind for name, kind in classes if kind.__module__ == module}):
            return revive(self, *args, **kwargs)

    test_case.TestCase.run_class_serialization_test = with_own_classes

    test_case.TestCase.run_layer_test = without_seed_generators


def _clip_gradients(self: Any, gradients: Any) -> list[Any]:
    """The gradients as an optimizer of these limits applies them."""
    limits = {name: getattr(self, name) for name in ("clipnorm", "clipvalue", "global_clipnorm")}
    gradients = [_convert_to_tensor(gradient) for gradient in gradients]
    variables = [keras.Variable(tf.zeros_like(gradient)) for gradient in gradients]
    keras.optimizers.SGD(1.0, **limits).apply(gradients, variables)
    return [-variable.value for variable in variables]


def _adapt_optimizers() -> None:
    """Gives optimizers the private attributes of Keras's that its tests look at."""
    kind = keras.optimizers.Optimizer
    kind._clip_gradients = _clip_gradients
    kind._model_variables_moving_average = property(lambda self: self._averages)
    kind._accumulated_gradients = property(lambda self: self._accumulated)


_modules["keras.src.utils.module_utils"] = namespace(
    "keras.src.utils.module_utils", {"tensorflow": _module("tensorflow")}
)
# Names of the files in an archive.
_module("keras.src.saving.saving_lib").__dict__.update(
    _METADATA_FILENAME="metadata.json", _CONFIG_FILENAME="config.json", _VARS_FNAME_H5="model.weights.h5"
)


def install(folder: Path) -> None:
    """Puts fastgrad in the place of Keras and TensorFlow; ``folder`` holds a copy of Keras's sources."""
    global _folder
    _folder = folder
    Finder({"keras", "tensorflow", "conftest"}, folder, _is_support, _module).install()
    if importlib.util.find_spec("torch") is None:
        # SciPy asks each module named torch for its class of arrays.
        arrays = {"Tensor": type("Tensor", (), {})}
        Finder({"torch"}, folder, lambda name: False, lambda name: namespace(name, arrays)).install()
    _adapt_test_case()
    _adapt_optimizers()
