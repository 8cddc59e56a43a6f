"""The import hook: Keras's modules, as they are installed, import fastgrad by the name ``tensorflow``.

A finder at the front of ``sys.meta_path`` loads the modules of Keras. Each gets ``__builtins__`` of its own, whose ``__import__``
gives fastgrad for ``tensorflow``. No source text changes, and ``sys.modules`` gets no module ``tensorflow``. After some modules
have run, functions of this package replace names in them: ``OVERRIDES``.
"""

from __future__ import annotations

import builtins
import importlib.metadata
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from keras_fastgrad import data, fused, names, optimizer, recurrent, symbolic, trainer, variable

OVERRIDES: dict[str, Callable[[ModuleType], None]] = {
    "keras.src.backend.common.variables": partial(variable.override_attributes, "Variable"),
    "keras.src.backend.config": variable.override_config,
    "keras.src.backend.tensorflow.core": symbolic.override_core,
    "keras.src.backend.tensorflow.nn": fused.override_backend,
    "keras.src.backend.tensorflow.numpy": names.override_numpy,
    "keras.src.backend.tensorflow.optimizer": optimizer.override_optimizer,
    "keras.src.backend.tensorflow.rnn": recurrent.override_recurrent,
    "keras.src.backend.tensorflow.trainer": trainer.override_trainer,
    "keras.src.callbacks.callback_list": trainer.override_callbacks,
    "keras.src.constraints.constraints": partial(variable.override_attributes, "Constraint"),
    "keras.src.distribution.distribution_lib": names.override_distribution,
    "keras.src.dtype_policies.dtype_policy": partial(variable.override_attributes, "DTypePolicy"),
    "keras.src.export.saved_model_export_archive": names.override_export,
    "keras.src.layers.rnn.gru": partial(recurrent.override_layer, "GRU"),
    "keras.src.layers.rnn.lstm": partial(recurrent.override_layer, "LSTM"),
    "keras.src.ops.nn": fused.override_layer_normalization,
    "keras.src.optimizers.schedules.learning_rate_schedule": partial(
        variable.override_attributes, "LearningRateSchedule"
    ),
    "keras.src.regularizers.regularizers": partial(variable.override_attributes, "Regularizer"),
    "keras.src.saving.keras_saveable": partial(
        variable.override_attributes, "KerasSaveable"
    ),  # layers, models, optimizers, losses, metrics
    "keras.src.trainers.data_adapters": data.override_adapters,
    "keras.src.trainers.data_adapters.data_adapter_utils": data.override_predicates,
    "keras.src.utils.module_utils": names.override_lazy_modules,
}
"""The functions of this package that replace names in Keras's modules, by module: the layout of Keras 3.15."""

KERAS_VERSIONS = ("3.15",)
"""The versions of Keras whose layout is known."""

_BACKEND_VARIABLE = "KERAS_BACKEND"
_ALL = "*"
"""Stands in ``_packages`` for all packages."""

_packages = {"keras"}


def is_active() -> bool:
    """True if ``import keras`` gives Keras on fastgrad in this process."""
    return any(isinstance(finder, _Finder) for finder in sys.meta_path)


def activate(packages: Iterable[str] = (), everywhere: bool = False) -> None:
    """Lets the next ``import keras`` run on fastgrad; a second call adds packages.

    Args:
        packages: top-level names of other packages that get fastgrad for ``import tensorflow``.
        everywhere: whether all importers get it, as the tests of Keras need.

    Raises:
        RuntimeError: the process has imported Keras or TensorFlow, or ``KERAS_BACKEND`` names another backend.
        ImportError: Keras is not installed, or a version whose layout is not known.
    """
    if not is_active():
        _check_process()
        _check_version()
        sys.meta_path.insert(0, _Finder())
    _packages.update([*packages, *([_ALL] if everywhere else [])])


def _check_process() -> None:
    for name in ("keras", "tensorflow"):
        if name in sys.modules:
            raise RuntimeError(
                f"keras_fastgrad: this process has already imported {name!r} ({getattr(sys.modules[name], '__file__', None)}); "
                "import keras_fastgrad before it, or run the script by `python -m keras_fastgrad SCRIPT`"
            )
    backend = os.environ.get(_BACKEND_VARIABLE)
    if backend not in (None, "", "tensorflow"):
        raise RuntimeError(
            f"keras_fastgrad: {_BACKEND_VARIABLE} is {backend!r}; unset it, or do not import keras_fastgrad to use that backend"
        )


def _check_version() -> None:
    try:
        version = importlib.metadata.version("keras")
    except importlib.metadata.PackageNotFoundError as error:
        raise ImportError('keras_fastgrad needs Keras: pip install "fastgrad[keras]"') from error
    if ".".join(version.split(".")[:2]) not in KERAS_VERSIONS:
        known = " or ".join(KERAS_VERSIONS)
        raise ImportError(
            f'keras_fastgrad knows Keras {known}, and {version} is installed: pip install "keras=={KERAS_VERSIONS[-1]}.*"'
        )


def _is_tensorflow(name: str) -> bool:
    return name == "tensorflow" or name.startswith("tensorflow.")


def _import(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
    """Imports as ``builtins.__import__`` does, with fastgrad for ``tensorflow``."""
    if level == 0 and _is_tensorflow(name):
        return names.module(name) if fromlist else names.tf
    return builtins.__import__(name, globals, locals, fromlist, level)


_BUILTINS = {**vars(builtins), "__import__": _import}


class _Loader:
    """Runs a module with fastgrad for ``tensorflow``, and then the function that replaces names in it."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Makes the module as the loader of the file does."""
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Runs the module."""
        vars(module)["__builtins__"] = _BUILTINS
        with _tensorflow_backend():
            self._loader.exec_module(module)
        override = OVERRIDES.get(module.__name__)
        if override is not None:
            override(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


@contextmanager
def _tensorflow_backend() -> Iterator[None]:
    """Names Keras's backend within the block: processes that this one starts later choose their own."""
    before = os.environ.get(_BACKEND_VARIABLE)
    os.environ[_BACKEND_VARIABLE] = "tensorflow"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_BACKEND_VARIABLE, None)
        else:
            os.environ[_BACKEND_VARIABLE] = before


class _TensorFlowLoader:
    """Gives fastgrad for an import of ``tensorflow`` by any module."""

    def create_module(self, spec: ModuleSpec) -> Any:
        return names.module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Does nothing: the module is complete."""


class _Finder:
    """The finder of Keras's modules and of those of other packages that get fastgrad."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Returns the spec of the file's finder, with a loader that gives fastgrad."""
        if _ALL in _packages and _is_tensorflow(name):
            return ModuleSpec(name, _TensorFlowLoader(), is_package=True)  # type: ignore[arg-type]
        if name.partition(".")[0] not in _packages:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)  # type: ignore[assignment]
        return spec
