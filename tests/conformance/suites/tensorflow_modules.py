"""Stand-ins for `tensorflow.python`: exported functions are fastgrad's by their public names."""

from __future__ import annotations

import collections.abc
import contextlib
import functools
import importlib
import inspect
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import fastgrad as tf
from tests.conformance.suites import tensorflow_test_case as cases
from tests.conformance.suites.exports import Export, exports
from tests.conformance.suites.stand_in import Finder, SetApart, StandIn, first_attribute, set_apart

_SPACES = ["", "math", "nn", "linalg", "random", "ragged", "data", "errors", "dtypes", "nest", "debugging", "config",
           "bitwise", "initializers", "autodiff", "train", "ragged", "data.experimental", "random.experimental"]  # fmt: skip
# Arguments that version 2 renamed.
_NEW_NAMES = {
    "dim": "axis", "dimension": "axis", "keep_dims": "keepdims", "reduction_indices": "axis", "squeeze_dims": "axis",
    "concat_dim": "axis", "seq_dim": "seq_axis", "batch_dim": "batch_axis", "ksize": "ksize", "filter": "filters",
    "value": "input", "tensor": "input", "fn1": "true_fn", "fn2": "false_fn",
}  # fmt: skip
_SUPPORT = {
    "tensorflow.python.framework.test_combinations",
    "tensorflow.python.framework.combinations",
    "tensorflow.python.data.kernel_tests.test_base",
    "tensorflow.python.data.kernel_tests.checkpoint_test_base",
    "tensorflow.python.data.kernel_tests.tf_record_test_base",
}
# `tf.initializers` has Keras's classes of these names.
_PRIVATE_INITIALIZERS = [
    "TruncatedNormal", "VarianceScaling", "Orthogonal", "Identity", "GlorotUniform", "GlorotNormal", "he_normal",
    "he_uniform", "lecun_normal", "lecun_uniform",
]  # fmt: skip
_SEGMENTS = ["sum", "prod", "min", "max", "mean", "sqrt_n"]
_folder = Path()
_modules: dict[str, ModuleType] = {}


def _public(name: str) -> Any:
    """fastgrad's ``name``, such as ``math.reduce_sum``; raises KeyError if it has none."""
    value: Any = tf
    for part in name.split("."):
        try:
            value = getattr(value, part)
        except AttributeError:
            raise KeyError(name) from None
    return value


def _by_old_arguments(function: Any, export: Export) -> Any:
    """``function``, called with the arguments of version 1's function of this name."""
    try:
        known = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return function
    if known[: len(export.arguments)] == export.arguments:
        return function

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        options = {**dict(zip(export.arguments, args, strict=False)), **kwargs}
        passed = {}
        for name, value in options.items():
            new = name if name in known else _NEW_NAMES.get(name)
            if new in known:
                if passed.get(new) is None:
                    passed[new] = value
            elif value is not None:
                raise SetApart(f"the argument {name} of version 1")
        return function(**passed)

    return call


def _lookup(module: str, attribute: str) -> Any:
    full = f"{module}.{attribute}"
    if full in _modules:
        return _modules[full]
    if not module.startswith("tensorflow.python"):
        value = _public(full.partition(".")[2])
        return _modules.setdefault(full, StandIn(full, _lookup)) if isinstance(value, ModuleType) else value
    path = _folder.joinpath(*module.split("."))
    if path.is_dir() and ((path / attribute).is_dir() or (path / f"{attribute}.py").exists()):
        return importlib.import_module(full)
    if module.endswith("raw_ops"):
        return _public(f"raw_ops.{attribute}")
    if ".gen_" in module:
        raise KeyError(attribute)
    export = exports(path.with_suffix(".py")).get(attribute)
    if export is None:
        return first_attribute([space for space in map(_space, _SPACES) if space is not None], attribute)
    for name in export.names:
        with contextlib.suppress(KeyError):
            return _public(name)
    for name in export.old_names:
        with contextlib.suppress(KeyError):
            return _by_old_arguments(_public(name), export)
    raise KeyError(attribute)


def _space(name: str) -> Any:
    try:
        return _public(name) if name else tf
    except KeyError:
        return None


def _structure_is_compatible(a: Any, b: Any) -> bool:
    try:
        tf.nest.assert_same_structure(a, b)
    except (TypeError, ValueError):
        return False
    return all(x.is_compatible_with(y) for x, y in zip(tf.nest.flatten(a), tf.nest.flatten(b), strict=True))


def _of_specs(attribute: str) -> Any:
    return lambda dataset: tf.nest.map_structure(lambda spec: getattr(spec, attribute), dataset.element_spec)


def _compat_bytes(text: Any, encoding: str = "utf-8") -> bytes:
    return text.encode(encoding) if isinstance(text, str) else bytes(text)


def _gradients_function(f: Any, params: Any = None) -> Any:
    def gradients(*args: Any, dy: Any = None) -> Any:
        # A tensor that is given twice is two arguments, each with a gradient of its own.
        args = [tf.identity(x) for x in args]
        with tf.GradientTape() as tape:
            for x in args:
                tape.watch(x)
            y = f(*args)
        places = range(len(args)) if params is None else params
        return tape.gradient(y, [args[i] for i in places], output_gradients=dy)

    return gradients


class _List:
    """A list that is a leaf."""

    def __init__(self, items: list) -> None:
        self.items = items


def _closed(x: Any) -> Any:
    """``x`` with its lists as leaves, which they are in the elements of datasets."""
    if isinstance(x, list):
        return _List(x)
    if isinstance(x, tuple) and not isinstance(x, tf.TensorShape):
        return type(x)(*map(_closed, x)) if hasattr(x, "_fields") else tuple(map(_closed, x))
    return {key: _closed(value) for key, value in x.items()} if isinstance(x, dict) else x


def _opened(x: Any) -> Any:
    return x.items if isinstance(x, _List) else x


_data_nest = {
    "assert_same_structure": lambda a, b, check_types=True: tf.nest.assert_same_structure(
        _closed(a), _closed(b), check_types
    ),
    "flatten": lambda x: [_opened(leaf) for leaf in tf.nest.flatten(_closed(x))],
    "is_nested": lambda x: tf.nest.is_nested(x) and not isinstance(x, list),
    "map_structure": lambda f, *xs, **options: tf.nest.map_structure(
        lambda *leaves: f(*map(_opened, leaves)), *map(_closed, xs), **options
    ),
    "pack_sequence_as": lambda structure, flat: tf.nest.pack_sequence_as(_closed(structure), flat),
}


def _where_of_rows(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Any:
    """`tf.where` of version 1: a vector chooses among the first dimension of ``x`` and ``y``."""
    condition = tf.convert_to_tensor(condition)
    rank = 0 if x is None else tf.convert_to_tensor(x).shape.rank
    if condition.shape.rank == 1 and rank > 1:
        condition = tf.reshape(condition, [-1] + [1] * (rank - 1))
    return tf.where(condition, x, y)


_graph = set_apart(cases.GRAPH_MODE)
_private: dict[str, dict[str, Any]] = {
    "framework.test_util": cases.test_util_members,
    "platform.test": cases.test_members,
    "platform.googletest": cases.test_members,
    "eager.test": cases.test_members,
    "tf2": {"enabled": lambda: True},
    "eager.context": {
        "executing_eagerly": lambda: True,
        "eager_mode": contextlib.nullcontext,
        "graph_mode": _graph,
        "num_gpus": lambda: 0,
        "device": lambda name: contextlib.nullcontext(),
        "context": lambda: SimpleNamespace(
            executing_eagerly=lambda: True, num_gpus=lambda: 0, run_eager_op_as_function=False, device_name=""
        ),
        "run_eager_op_as_function_enabled": lambda: False,
        "ensure_initialized": lambda: None,
    },
    "framework.ops": {
        "Tensor": tf.Tensor,
        "EagerTensor": tf.Tensor,
        "convert_to_tensor": tf.convert_to_tensor,
        "device": tf.device,
        "name_scope": tf.name_scope,
        "Graph": _graph,
        "get_default_graph": _graph,
        "reset_default_graph": lambda: None,
        "executing_eagerly_outside_functions": lambda: True,
        "enable_eager_execution": lambda *args: None,
        "inside_function": lambda: False,
        "colocate_with": lambda x: contextlib.nullcontext(),
    },
    "framework.tensor": {"Tensor": tf.Tensor, "TensorSpec": tf.TensorSpec},
    "framework.errors": {name: getattr(tf.errors, name) for name in dir(tf.errors) if name[:1].isupper()},
    "framework.errors_impl": {name: getattr(tf.errors, name) for name in dir(tf.errors) if name[:1].isupper()},
    "framework.random_seed": {"set_random_seed": tf.random.set_seed, "set_seed": tf.random.set_seed},
    "framework.tensor_util": {
        "constant_value": tf.get_static_value,
        "is_tf_type": tf.is_tensor,
        "is_tensor": tf.is_tensor,
    },
    "framework.sparse_tensor": {"is_sparse": lambda x: False},
    "framework.config": {
        **{name: getattr(tf.config, name) for name in dir(tf.config) if not name.startswith("_")},
        "enable_op_determinism": lambda: None,
        "disable_op_determinism": lambda: None,
    },
    "ops.gradient_checker_v2": {"compute_gradient": cases.compute_gradient, "max_error": cases.max_error},
    "ops.gradients_impl": {"gradients": _graph, "gradients_v2": _graph},
    "ops.gradient_checker": {"compute_gradient": _graph, "compute_gradient_error": _graph},
    "eager.backprop": {"GradientTape": tf.GradientTape, "gradients_function": _gradients_function},
    "eager.def_function": {"function": tf.function},
    "eager.polymorphic_function.polymorphic_function": {"function": tf.function},
    "ops.variables": {
        "Variable": tf.Variable,
        "global_variables_initializer": lambda: None,
        "variables_initializer": lambda *args: None,
        "VariableAggregation": tf.VariableAggregation,
        "VariableSynchronization": tf.VariableSynchronization,
    },
    "ops.resource_variable_ops": {
        "ResourceVariable": tf.Variable,
        "BaseResourceVariable": tf.Variable,
        "is_resource_variable": lambda x: isinstance(x, tf.Variable),
    },
    "ops.ragged.ragged_tensor": {
        "RaggedTensor": tf.RaggedTensor,
        "RaggedTensorSpec": tf.RaggedTensorSpec,
        "is_ragged": lambda x: isinstance(x, tf.RaggedTensor),
    },
    "ops.cond": {
        "cond": _by_old_arguments(
            tf.cond, Export([], [], ["pred", "true_fn", "false_fn", "strict", "name", "fn1", "fn2"])
        )
    },
    "ops.math_ops": {"pow": tf.pow},
    "ops.array_ops": {
        "diag": tf.linalg.tensor_diag,
        "diag_part": tf.linalg.tensor_diag_part,
        "where": _where_of_rows,
    },
    "ops.ragged.ragged_math_ops": {
        **{f"segment_{name}": getattr(tf.math, f"unsorted_segment_{name}") for name in _SEGMENTS},
        "matmul": tf.matmul,
    },
    "ops.init_ops_v2": {name: set_apart(f"tensorflow.python.ops.init_ops_v2.{name}") for name in _PRIVATE_INITIALIZERS},
    "util.compat": {
        "collections_abc": collections.abc,
        "as_bytes": _compat_bytes,
        "as_str": lambda text: text.decode() if isinstance(text, bytes) else text,
        "as_text": lambda text: text.decode() if isinstance(text, bytes) else text,
        "as_str_any": lambda text: text.decode() if isinstance(text, bytes) else str(text),
    },
    "util.nest": {name: getattr(tf.nest, name) for name in dir(tf.nest) if not name.startswith("_")},
    "data.util.nest": _data_nest,
    "data.util.structure": {"are_compatible": _structure_is_compatible},
    "data.ops.test_mode": {"toggle_test_mode": lambda on: None},
    "data.ops.options": {name: getattr(tf.data, name) for name in dir(tf.data) if name[:1].isupper()},
    "data.ops.dataset_ops": {
        **{name: getattr(tf.data, name) for name in dir(tf.data) if name[:1].isupper()},
        "DatasetV2": tf.data.Dataset,
        "INFINITE": tf.data.INFINITE_CARDINALITY,
        "UNKNOWN": tf.data.UNKNOWN_CARDINALITY,
        "get_structure": lambda dataset: dataset.element_spec,
        "get_legacy_output_shapes": _of_specs("shape"),
        "get_legacy_output_types": _of_specs("dtype"),
        "get_legacy_output_classes": lambda dataset: tf.nest.map_structure(
            lambda spec: tf.RaggedTensor if isinstance(spec, tf.RaggedTensorSpec) else tf.Tensor, dataset.element_spec
        ),
        "make_one_shot_iterator": iter,
    },
    "util.tf_export": {"tf_export": lambda *args, **kwargs: cases.unchanged},
    "util.tf_inspect": {name: getattr(inspect, name) for name in dir(inspect) if not name.startswith("_")},
    "framework.dtypes": {},
    "platform.tf_logging": {
        name: lambda *args, **kwargs: None for name in ["info", "debug", "warn", "warning", "error"]
    },
    "platform.gfile": {},
    "compat.compat": {"forward_compatible": lambda *args: True},
}


def _stand_in(name: str) -> ModuleType:
    """The stand-in for a module: helpers written here before the names of TensorFlow's sources."""
    short = name.partition("tensorflow.python.")[2]
    members = _private.get(short, {})

    def lookup(module: str, attribute: str) -> Any:
        return members[attribute] if attribute in members else _lookup(module, attribute)

    return StandIn(name, lookup)


def _module(name: str) -> ModuleType:
    return _modules.setdefault(name, _stand_in(name))


def _is_support(name: str) -> bool:
    """True for modules that run as they are in the copy."""
    return name in _SUPPORT or name.endswith("_test")


def install(folder: Path) -> None:
    """Puts fastgrad in the place of TensorFlow; ``folder`` holds a copy of TensorFlow's sources."""
    global _folder
    _folder = folder
    Finder({"tensorflow"}, folder, _is_support, _module).install()
    _adapt_dataset_tests()


def _adapt_dataset_tests() -> None:
    """Takes elements of datasets by ``next``, with the error that graphs raise at the end."""
    test_base = importlib.import_module("tensorflow.python.data.kernel_tests.test_base")

    def get_next(self: Any, dataset: Any, requires_initialization: bool = False, shared_name: Any = None) -> Any:
        iterator = iter(dataset)

        def take() -> Any:
            try:
                element = next(iterator)
            except StopIteration:
                raise tf.errors.OutOfRangeError(None, None, "End of sequence") from None
            return element.stack() if isinstance(element, tf.TensorArray) else element

        return take

    test_base.DatasetTestBase.getNext = get_next
