"""``fit``, ``evaluate`` and ``predict``: each step is a compiled function, and no pipeline is between the arrays and it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np

import fastgrad as fg
from keras_fastgrad.data import ArrayBatches, epoch_iterator_of

_PHASES = ("train", "test", "predict")
_UNWATCHED = "_keras_fastgrad_unwatched"
"""The attribute of a model with the phases whose batches no callback looks at."""


def override_callbacks(module: ModuleType) -> None:
    """Notes at the begin of each phase whether a callback looks at its batches: if none does, a whole epoch is one call."""
    base, progress_bar = module.Callback, module.ProgbarLogger

    def looks_at_batches(callback: Any, phase: str) -> bool:
        if type(callback) is progress_bar:
            return bool(callback.verbose == 1)
        names = [f"on_{phase}_batch_begin", f"on_{phase}_batch_end"]
        if phase == "train":
            names += ["on_batch_begin", "on_batch_end"]
        return any(getattr(type(callback), name) is not getattr(base, name) for name in names)

    def noting(phase: str, on_begin: Callable[..., None]) -> Callable[..., None]:
        def note_and_begin(self: Any, logs: Any = None) -> None:
            on_begin(self, logs)
            if self._model is not None:
                unwatched = vars(self._model).setdefault(_UNWATCHED, set())
                unwatched.discard(phase)
                is_plain = type(self) is module.CallbackList
                if is_plain and not any(looks_at_batches(callback, phase) for callback in self.callbacks):
                    unwatched.add(phase)

        return note_and_begin

    for phase in _PHASES:
        name = f"on_{phase}_begin"
        setattr(module.CallbackList, name, noting(phase, getattr(module.CallbackList, name)))


def override_trainer(module: ModuleType) -> None:
    """Replaces how ``TensorFlowTrainer`` makes its functions, and how ``fit`` gets its batches."""
    trainer, tree = module.TensorFlowTrainer, module.tree
    keras_predict = trainer.predict

    def compiled(self: Any, step: Callable[..., Any]) -> Callable[..., Any]:
        if self.run_eagerly:
            return step

        def one_step(data: Any) -> Any:
            return step(data)

        one_step.runs = (self,)  # type: ignore[attr-defined]  # what a recording of it depends on
        one_step.__name__ = step.__name__
        return fg.function(one_step)

    def make_function(self: Any, step_function: Callable[..., Any]) -> Callable[..., Any]:
        phase = "test" if step_function == self.test_step else "train"
        step = compiled(self, step_function)

        def function(iterator: Iterator[Any]) -> Any:
            outputs = step(next(iterator))  # StopIteration ends the epoch
            for _, data in zip(range(self.steps_per_execution - 1), iterator, strict=False):
                outputs = step(data)
            if type(iterator) is ArrayBatches and phase in vars(self).get(_UNWATCHED, ()):
                for data in iterator.rest():
                    outputs = step(data)
            return outputs

        return function

    def make_predict_function(self: Any, force: bool = False) -> Any:
        if self.predict_function is not None and not force:
            return
        step = compiled(self, self.predict_step)

        def function(data: list[Any]) -> Any:
            outputs = [step(batch) for batch in data]
            return (
                outputs[0] if len(outputs) == 1 else tree.map_structure(lambda *parts: module.concat(parts), *outputs)
            )

        self.predict_function = function

    def predict(
        self: Any,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        is_arrays = x is not None and all(isinstance(part, np.ndarray) and part.size for part in tree.flatten(x))
        if verbose or callbacks or steps or not is_arrays:
            return keras_predict(self, x, batch_size, verbose, steps, callbacks)
        self.make_predict_function()
        epoch = module.TFEpochIterator(x=x, batch_size=batch_size, shuffle=False)
        outputs = [self.predict_function([batch]) for batch in epoch._get_iterator()]
        if type(outputs[0]) is fg.Tensor:
            return joined(tuple(outputs))
        return tree.map_structure(lambda *parts: joined(parts), *outputs)

    def joined(parts: tuple[Any, ...]) -> Any:
        if all(type(part) is fg.Tensor for part in parts):
            arrays = [part.numpy() for part in parts]
            if arrays[0].ndim and len({array.shape[1:] for array in arrays}) == 1:
                return np.concatenate(arrays)
        return module.convert_to_np_if_not_ragged(module.potentially_ragged_concat(list(parts)))

    trainer._make_function = make_function
    trainer.make_predict_function = make_predict_function
    trainer.predict = predict
    vars(module)["TFEpochIterator"] = epoch_iterator_of(module)
