"""The module that Keras imports as ``tensorflow``: fastgrad, with the private names of TensorFlow that Keras's backend reads."""

from __future__ import annotations

import contextlib
import functools
import importlib
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import fastgrad as fg
from fastgrad._src.commands import private_names
from fastgrad._src.commands.as_tensorflow import TENSORFLOW_VERSION
from fastgrad._src.core import tensor as tensors
from fastgrad._src.core.object_graph import is_saved, nested_items
from fastgrad._src.ops.convolution import convolution_in_groups
from fastgrad._src.structures.lookup.tables import LookupInterface
from keras_fastgrad.quantization import fake_quant_with_min_max_vars


class Namespace(ModuleType):
    """A module with names of its own, and those of one of fastgrad's modules.

    Args:
        name: TensorFlow's name of the module.
        own: the names that fastgrad lacks.
        module: fastgrad's module; None if it has none.
    """

    def __init__(self, name: str, own: dict[str, Any], module: Any = None) -> None:
        super().__init__(name)
        self.__path__: list[str] = []
        vars(self).update(own)
        vars(self)["_module"] = module

    def __getattr__(self, name: str) -> Any:
        module = vars(self)["_module"]
        if module is None:
            raise AttributeError(f"{self.__name__}.{name}: Keras on fastgrad does not have this name of TensorFlow")
        value = vars(self)[name] = getattr(module, name)
        return value

    def __dir__(self) -> list[str]:
        return sorted({*vars(self), *dir(vars(self)["_module"])})


class _Keras:
    """The module that TensorFlow gives for ``tf.keras``; imported at the first use, because Keras itself imports ``tf``."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module("keras._tf_keras.keras"), name)


class TensorLike:
    """``tf.__internal__.types.Tensor``, a base class of Keras's variables; ``__tf_tensor__`` gives their tensor."""


tensors.converters.append((TensorLike, lambda value: value.__tf_tensor__()))


class Trackable:
    """``tf.__internal__.tracking.Trackable``: an object whose variables ``tf.train.Checkpoint`` and SavedModels save."""

    def _track_trackable(self, value: Any, name: str | None = None, overwrite: bool = False) -> Any:
        return value

    def _lookup_dependency(self, name: str, cached: Any = None) -> None:
        """Returns None: Keras asks only for TensorFlow's checkpoints."""

    def _trackable_children(self, save_type: str | None = None, **kwargs: Any) -> dict[str, Any]:
        return {}

    def _no_dependency(self, value: Any) -> Any:
        return value

    def _serving_function(self) -> Any:
        """Returns the function of the default signature of ``tf.saved_model.save``, for batches of any size.

        None if the object is no model or its inputs are not known.
        """
        try:
            default = self._default_save_signature  # type: ignore[attr-defined]
            specs = fg.nest.map_structure(_with_any_batch, default.input_signature)
            serving_default = fg.function(default.python_function, input_signature=specs)
            serving_default.stored_arguments()
        except Exception:  # noqa: BLE001  # as TensorFlow: Keras's property fails for models whose inputs are not known
            return None
        return serving_default

    def _saved_variables(self) -> dict[str, Any]:
        return {name: getattr(item, "_value", item) for name, item in self._nested_attributes(_is_variable)}

    def _saved_children(self) -> dict[str, Any]:
        return dict(self._nested_attributes(lambda item: isinstance(item, Trackable) and not _is_variable(item)))

    def _nested_attributes(self, selected: Callable[[Any], bool]) -> Iterator[tuple[str, Any]]:
        for name, value in vars(self).items():
            yield from nested_items(name, value, selected)


def _with_any_batch(spec: Any) -> Any:
    return fg.TensorSpec([None, *spec.shape[1:]] if spec.shape else spec.shape, spec.dtype, spec.name)


def _is_variable(item: Any) -> bool:
    """True for a variable of fastgrad or of Keras."""
    return isinstance(item, (fg.Variable, TensorLike))


class TrackableView:
    """``tf.train.TrackableView``, by which Keras looks for lookup tables: ``tf.saved_model.save`` finds them itself."""

    def __init__(self, root: Any) -> None:
        self._root = root

    def descendants(self) -> list[Any]:
        """Returns the object alone."""
        return [self._root]


class _OneReplica:
    """The strategy of Keras's optimizers and trainers: one replica, which this process is."""

    num_replicas_in_sync = 1
    extended = SimpleNamespace(
        _in_multi_worker_mode=lambda: False,
        colocate_vars_with=lambda variable: contextlib.nullcontext(),
        update=lambda variable, function, args=(), group=True, **kwargs: function(variable, *args, **kwargs),
    )

    def scope(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def run(self, function: Callable[..., Any], args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        return function(*args, **(kwargs or {}))

    def reduce(self, reduce_op: Any, value: Any, axis: Any = None) -> Any:
        return value


_ONE_REPLICA = _OneReplica()


def _absent(*names: str) -> dict[str, type]:
    """Returns classes without instances, for ``isinstance`` of values that fastgrad never has."""
    return {name: type(name, (), {}) for name in names}


def _refused(*names: str) -> dict[str, Any]:
    """Returns functions that raise an error."""

    def refused(name: str) -> Callable[..., Any]:
        def raise_error(*args: Any, **kwargs: Any) -> Any:
            raise NotImplementedError(
                f"{name}: Keras on fastgrad does not have it; export the model from Keras on TensorFlow"
            )

        return raise_error

    return {name.rpartition(".")[2]: refused(name) for name in names}


def _decorates(function: Any = None, **options: Any) -> Any:
    """Returns the decorated function itself."""
    return (lambda decorated: decorated) if function is None else function


def function(func: Callable[..., Any] | None = None, **options: Any) -> Any:
    """``tf.function`` without the options that concern TensorFlow's compiler."""
    if func is None:
        return lambda decorated: function(decorated, **options)
    return fg.function(func, input_signature=options.get("input_signature"))


def _dynamic_update_slice(inputs: Any, updates: Any, start_indices: Any) -> Any:
    """Returns ``inputs`` with a slice replaced; the starts are clamped so that the slice fits, as XLA does."""
    inputs, updates = fg.convert_to_tensor(inputs), fg.convert_to_tensor(updates)
    starts = fg.cast(fg.stack(start_indices) if isinstance(start_indices, (list, tuple)) else start_indices, "int32")
    last_starts = [size - part for size, part in zip(inputs.shape, updates.shape, strict=True)]
    starts = fg.minimum(fg.maximum(starts, 0), fg.constant(last_starts, "int32"))
    grid = fg.meshgrid(*[fg.range(size) for size in updates.shape], indexing="ij")
    indices = fg.stack([positions + starts[axis] for axis, positions in enumerate(grid)], -1)
    return fg.tensor_scatter_nd_update(inputs, indices, updates)


def _convolution(
    input: Any,
    filters: Any,
    strides: Any = None,
    padding: str = "VALID",
    data_format: str | None = None,
    dilations: Any = None,
    name: str | None = None,
) -> Any:
    """``tf.nn.convolution`` as XLA computes it: Keras asks for XLA where volumes have groups."""
    return convolution_in_groups(input, filters, strides, padding, data_format, dilations)


def _summary_metadata(**fields: Any) -> Any:
    """Returns a message of TensorBoard's, which ``tf.summary.write`` takes; it needs ``tensorboardX``, as ``tf.summary`` does."""
    from tensorboardX.proto.summary_pb2 import SummaryMetadata

    return SummaryMetadata(**fields)


def _sparse_product(a: Any, b: Any, dtype: Any) -> Any:
    """Returns the matrix product of sparse tensors as a sparse tensor."""
    dense = fg.sparse.to_dense(b)
    if len(a.shape) == 2:
        return fg.sparse.from_dense(fg.sparse.sparse_dense_matmul(a, dense))
    return fg.sparse.from_dense(fg.sparse.to_dense(a) @ dense)


def _maybe_merge_call(function: Callable[..., Any], strategy: Any, *args: Any, **kwargs: Any) -> Any:
    return function(strategy, *args, **kwargs)


_OWN_NAMES: dict[str, Any] = {
    "": {"__version__": TENSORFLOW_VERSION, "function": function, "keras": Namespace("tensorflow.keras", {}, _Keras())},
    "__internal__": {
        **_absent("CompositeTensor", "FuncGraph"),
        "EagerTensor": fg.Tensor,
    },
    "__internal__.decorator": {"unwrap": lambda decorated: ([], decorated)},
    "__internal__.distribute": {"strategy_supports_no_merge_call": lambda: True},
    "__internal__.distribute.interim": {"maybe_merge_call": _maybe_merge_call},
    "__internal__.eager_context": {"eager_mode": contextlib.nullcontext},
    "__internal__.smart_cond": {"smart_cond": private_names.smart_cond},
    "__internal__.tf2": {"enabled": lambda: True},
    "__internal__.tracking": {
        "AutoTrackable": type("AutoTrackable", (Trackable,), {}),
        "Trackable": Trackable,
        "no_automatic_dependency_tracking": _decorates,
    },
    "__internal__.types": {"Tensor": TensorLike},
    "autograph.experimental": {"do_not_convert": _decorates},
    "compat.v1": {**_absent("Dimension"), "SummaryMetadata": _summary_metadata, "reset_default_graph": lambda: None},
    "compiler.tf2xla.python.xla": {"dynamic_update_slice": _dynamic_update_slice},
    "distribute": {
        **_absent("DistributedDataset", "DistributedIterator", "DistributedValues", "MultiWorkerMirroredStrategy"),
        **_absent("Strategy", "TPUStrategy"),
        "get_replica_context": lambda: None,
        "get_strategy": lambda: _ONE_REPLICA,
        "has_strategy": lambda: False,
        "in_cross_replica_context": lambda: False,
    },
    "distribute.experimental": _absent("TPUStrategy"),  # keras-rs
    "experimental": _absent("Optional"),
    "experimental.dtensor": _absent("Layout", "Mesh"),
    "lite": _refused("tf.lite.TFLiteConverter", "tf.lite.Interpreter"),
    "nn": {"convolution": _convolution},
    "python.data.experimental.ops": {},
    "python.eager.context": {"_reset_context": lambda: None},
    "python.ops.linalg.sparse.sparse_csr_matrix_ops": {
        "csr_sparse_matrix_to_sparse_tensor": lambda matrix, dtype: matrix,
        "sparse_matrix_sparse_mat_mul": _sparse_product,
        "sparse_tensor_to_csr_sparse_matrix": fg.SparseTensor,
    },
    "python.trackable.data_structures": {
        **_absent("_TupleWrapper"),
        "ListWrapper": type("ListWrapper", (list,), {}),
        "_DictWrapper": type("_DictWrapper", (dict,), {}),
        "wrap_or_unwrap": lambda value: value,
    },
    "quantization": {
        "fake_quant_with_min_max_vars": fake_quant_with_min_max_vars,
        "fake_quant_with_min_max_vars_per_channel": fake_quant_with_min_max_vars,
    },
    "saved_model.experimental": _absent("TrackableResource"),
    "tpu.experimental.HardwareFeature.EmbeddingFeature": {name: name for name in ("UNSUPPORTED", "V1", "V2")},
    "tpu.experimental.embedding": _absent(  # keras-rs
        *("Adagrad", "Adam", "FTRL", "FeatureConfig", "SGD", "SparseCoreEmbeddingConfig", "TPUEmbedding"),
        *("TPUEmbeddingV2", "TableConfig"),
    ),
    "train": {"TrackableView": TrackableView},
}
"""The names that fastgrad lacks, by TensorFlow's module."""


def _namespaces() -> dict[str, Namespace]:
    """Returns the namespaces of ``_OWN_NAMES`` and of the modules that they are in, by their names."""
    by_path: dict[str, Namespace] = {}
    for path in sorted({parent for name in _OWN_NAMES for parent in _parents(name)}):
        module: Any = fg
        for part in filter(None, path.split(".")):
            module = _fastgrads_module(module, part)
        namespace = Namespace(f"tensorflow.{path}".rstrip("."), _OWN_NAMES.get(path, {}), module)
        by_path[path] = namespace
        if path:
            parent, _, name = path.rpartition(".")
            vars(by_path[parent])[name] = namespace
    return by_path


def _fastgrads_module(parent: Any, name: str) -> Any:
    """Returns what has the names of a module of TensorFlow: a module of fastgrad, or of its table of private names."""
    if parent is fg and name in ("python", "__internal__"):
        return private_names.PYTHON if name == "python" else None
    return getattr(parent, name, None)


def _parents(name: str) -> Iterator[str]:
    """Yields ``"a.b"``, ``"a"`` and ``""`` for ``"a.b"``."""
    while name:
        yield name
        name = name.rpartition(".")[0]
    yield ""


tf = _namespaces()[""]


def module(name: str) -> Any:
    """Returns what ``import`` of a name such as ``tensorflow.python.eager`` gives.

    Raises:
        ModuleNotFoundError: Keras on fastgrad does not have it.
    """
    value: Any = tf
    try:
        for part in name.split(".")[1:]:
            value = getattr(value, part)
    except AttributeError as error:
        raise ModuleNotFoundError(f"No module named {name!r}: Keras on fastgrad does not have it", name=name) from error
    return value


def override_lazy_modules(module_utils: ModuleType) -> None:
    """Lets ``keras.src.utils.module_utils.tensorflow`` be fastgrad."""
    module_utils.tensorflow.module, module_utils.tensorflow._available = tf, True
    module_utils.gfile.module, module_utils.gfile._available = tf.io.gfile, True


def override_numpy(module: ModuleType) -> None:
    """Replaces ``select`` and ``unique``, for which Keras's backend reads names of TensorFlow that nothing else uses."""

    def override(name: str) -> None:
        @functools.wraps(vars(module)[name])
        def call(*arguments: Any, **options: Any) -> Any:
            return getattr(importlib.import_module("fastgrad.keras.ops"), name)(*arguments, **options)

        vars(module)[name] = call

    for name in ("select", "unique"):
        override(name)


def override_export(module: ModuleType) -> None:
    """Lets ``ExportArchive.track`` take fastgrad's objects: ``tf.saved_model.save`` finds what the endpoints use of them."""
    archive = module.SavedModelExportArchive
    track_of_keras = archive.track

    def track(self: Any, resource: Any) -> None:
        if isinstance(resource, Trackable) or not (is_saved(resource) or isinstance(resource, LookupInterface)):
            track_of_keras(self, resource)

    archive.track = track


def override_distribution(distribution_lib: ModuleType) -> None:
    """Refuses ``keras.distribution``: TensorFlow's backend has none either, and says so later and less clearly."""

    def set_distribution(value: Any) -> None:
        if value is not None:
            raise NotImplementedError(
                "keras.distribution: Keras on fastgrad trains in one process; use fastgrad.distribute for several"
            )

    vars(distribution_lib)["set_distribution"] = set_distribution
