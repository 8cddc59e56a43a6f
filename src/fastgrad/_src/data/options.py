"""``Options``: settings of a pipeline."""

from __future__ import annotations

import enum
from typing import Any, ClassVar

from fastgrad._src.data.node import Node
from fastgrad._src.data.ordering import ItemStage


class AutotuneAlgorithm(enum.Enum):
    """TensorFlow's algorithms for tuning a pipeline."""

    DEFAULT = 0
    HILL_CLIMB = 1
    GRADIENT_DESCENT = 2
    MAX_PARALLELISM = 3
    STAGE_BASED = 4


class AutoShardPolicy(enum.IntEnum):
    """How ``experimental_distribute_dataset`` divides a dataset among processes (``fastgrad/_src/distribute/sharding.py``)."""

    OFF = -1
    AUTO = 0
    FILE = 1
    DATA = 2
    HINT = 3


class ExternalStatePolicy(enum.Enum):
    """TensorFlow's policies for pipeline state that can't be stored."""

    WARN = 0
    IGNORE = 1
    FAIL = 2


class Settings:
    """The base of groups of named settings; a setting has one type, and is None until a value is set.

    Raises:
        AttributeError: TensorFlow has no setting of this name.
        TypeError: the value has another type.
        ValueError: the settings belong to a dataset, where a change has no effect.
    """

    _TYPES: ClassVar[dict[str, type]] = {}
    _is_read_only = False

    def __init__(self) -> None:
        for name, setting_type in self._TYPES.items():
            self.__dict__[name] = setting_type() if issubclass(setting_type, Settings) else None

    def __setattr__(self, name: str, value: Any) -> None:
        if self._is_read_only:
            raise ValueError("Dataset.options() is read-only. Use `tf.data.Dataset.with_options(options)`.")
        if name not in self._TYPES:
            raise AttributeError(
                f"Cannot set the property {name} on {type(self).__name__}: there are {', '.join(self._TYPES)}."
            )
        setting_type = self._TYPES[name]
        if not isinstance(value, setting_type):
            raise TypeError(f'Property "{name}" must be of type {setting_type}, got: {value!r} (type: {type(value)})')
        self.__dict__[name] = value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self._TYPES)

    __hash__ = None  # type: ignore[assignment]  # they may change

    def merge(self, other: Any) -> Any:
        """Returns these settings, overridden by the settings of ``other``.

        Raises:
            TypeError: ``other`` is of another class.
        """
        if type(other) is not type(self):
            raise TypeError(f"Could not merge incompatible options of type {type(other)} and {type(self)}.")
        merged = type(self)()
        for name in self._TYPES:
            own_value, other_value = getattr(self, name), getattr(other, name)
            merged.__dict__[name] = (
                own_value.merge(other_value)
                if isinstance(own_value, Settings)
                else own_value
                if other_value is None
                else other_value
            )
        return merged

    def _make_read_only(self) -> None:
        for value in vars(self).values():
            if isinstance(value, Settings):
                value._make_read_only()
        self.__dict__["_is_read_only"] = True


class AutotuneOptions(Settings):
    """TensorFlow's settings for tuning."""

    _TYPES: ClassVar[dict[str, type]] = {
        "enabled": bool,
        "cpu_budget": int,
        "ram_budget": int,
        "autotune_algorithm": AutotuneAlgorithm,
        "initial_parallelism": int,
        "min_parallelism": int,
    }


class DistributeOptions(Settings):
    """Settings for several processes; ``num_devices`` has no effect."""

    _TYPES: ClassVar[dict[str, type]] = {"auto_shard_policy": AutoShardPolicy, "num_devices": int}


class OptimizationOptions(Settings):
    """TensorFlow's settings for rewriting pipelines."""

    _NAMES = (
        "apply_default_optimizations filter_fusion filter_parallelization inject_prefetch seq_interleave_prefetch map_and_batch_fusion "
        "map_and_filter_fusion map_fusion map_parallelization noop_elimination parallel_batch shuffle_and_repeat_fusion"
    )
    _TYPES: ClassVar[dict[str, type]] = dict.fromkeys(_NAMES.split(), bool)


class ThreadingOptions(Settings):
    """TensorFlow's settings for threads."""

    _TYPES: ClassVar[dict[str, type]] = {"max_intra_op_parallelism": int, "private_threadpool_size": int}


class Options(Settings):
    """Settings of a dataset, for ``with_options``.

    ``experimental_distribute.auto_shard_policy`` says how ``tf.distribute`` divides a dataset. The other options have no effect:
    order and results never depend on threads.

    Raises:
        AttributeError: TensorFlow has no such setting.
        TypeError: the value has another type.
    """

    _TYPES: ClassVar[dict[str, type]] = {
        "autotune": AutotuneOptions,
        "dataset_name": str,
        "deterministic": bool,
        "experimental_distribute": DistributeOptions,
        "experimental_external_state_policy": ExternalStatePolicy,
        "experimental_optimization": OptimizationOptions,
        "experimental_slack": bool,
        "experimental_symbolic_checkpoint": bool,
        "experimental_warm_start": bool,
        "framework_type": list,
        "threading": ThreadingOptions,
    }

    def __getattr__(self, name: str) -> Any:
        if name in _DEPRECATED_OPTION_NAMES:
            return getattr(self, _DEPRECATED_OPTION_NAMES[name])
        raise AttributeError(f"Options has no property {name}: there are {', '.join(self._TYPES)}.")

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(_DEPRECATED_OPTION_NAMES.get(name, name), value)


_DEPRECATED_OPTION_NAMES = {"experimental_deterministic": "deterministic", "experimental_threading": "threading"}


class WithOptions(ItemStage):
    """The items of the source, with settings attached to the pipeline."""

    name = "_OptionsDataset"

    def __init__(self, source: Node, options: Options) -> None:
        super().__init__(source)
        self.options = Options().merge(options)  # a copy: later changes of the user's object have no effect

    def chunks(self) -> Any:
        return self.source.chunks()


def pipeline_options(node: Node) -> Options:
    """Returns the settings of a pipeline, read-only. Later settings override earlier ones."""
    merged = _merged_options(node)
    merged._make_read_only()
    return merged


def _merged_options(node: Node) -> Options:
    merged = Options()
    for source in node.sources:
        merged = merged.merge(_merged_options(source))
    return merged.merge(node.options) if isinstance(node, WithOptions) else merged
