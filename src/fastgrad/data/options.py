"""``Options``: settings of a pipeline."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from fastgrad.data.node import Node
from fastgrad.data.ordering import Reordered

_KNOWN = {
    "autotune": ("enabled", "cpu_budget", "ram_budget"),
    "deterministic": (),
    "experimental_deterministic": (),
    "experimental_distribute": ("auto_shard_policy", "num_devices"),
    "experimental_external_state_policy": (),
    "experimental_optimization": (
        "apply_default_optimizations",
        "map_parallelization",
        "filter_fusion",
        "noop_elimination",
    ),
    "experimental_slack": (),
    "experimental_warm_start": (),
    "threading": ("max_intra_op_parallelism", "private_threadpool_size"),
}


class Options:
    """Settings of a dataset, for ``with_options``.

    Programs written for TensorFlow may set them. Order and results never depend on threads here, so none of them changes anything.

    Raises:
        AttributeError: a setting that TensorFlow has not.
    """

    def __init__(self) -> None:
        for name, parts in _KNOWN.items():
            self.__dict__[name] = SimpleNamespace(**dict.fromkeys(parts)) if parts else None

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _KNOWN:
            raise AttributeError(f"Cannot set the property {name} on Options: there are {', '.join(_KNOWN)}.")
        self.__dict__[name] = value

    def merge(self, other: Options) -> Options:
        """These settings, and over them what ``other`` sets."""
        merged = Options()
        for one in (self, other):
            for name, value in vars(one).items():
                if isinstance(value, SimpleNamespace):
                    known = {key: part for key, part in vars(value).items() if part is not None}
                    vars(merged.__dict__[name]).update(known)
                elif value is not None:
                    merged.__dict__[name] = value
        return merged


class OptionsSet(Reordered):
    """The same items, with settings."""

    name = "_OptionsDataset"

    def __init__(self, source: Node, options: Options) -> None:
        super().__init__(source)
        self.options = options

    def chunks(self) -> Any:
        return self.source.chunks()


def options_of(node: Node) -> Options:
    """The settings of a pipeline, the last ones over those before."""
    found = Options()
    for source in node.sources:
        found = found.merge(options_of(source))
    return found.merge(node.options) if isinstance(node, OptionsSet) else found
