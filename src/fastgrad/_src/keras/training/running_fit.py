"""The state of a running ``fit``: another process can continue from it with the same bits."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastgrad._src.compiler.function import Function
from fastgrad._src.compiler.recording.state import SavedVariables
from fastgrad._src.core.damaged_file import parser_errors_as_one
from fastgrad._src.files.formats.json_text import parse_json
from fastgrad._src.keras.training.batches import Batches


class RunningFit:
    """The state of a running ``fit``: its data, counters and callbacks.

    Args:
        model: the model that is trained.
        epoch: the number of the first epoch.
        batches, validation: see the attributes.
        callbacks: the callbacks.

    Attributes:
        batches, validation: the data.
        epoch, batch: the numbers of the next epoch and the next batch.
        is_stopped: whether a callback had stopped the training that ``restore`` continues.
    """

    saves_state = True  # in checkpoints

    def __init__(
        self, model: Any, epoch: int, batches: Batches, validation: Batches | None, callbacks: Sequence[Any]
    ) -> None:
        self.model, self.epoch, self.batch, self.is_stopped = model, epoch, 0, False
        self.batches, self.validation = batches, validation
        self._parts = {"train": batches} if validation is None else {"train": batches, "validation": validation}
        self._callbacks = callbacks

    def prepare(self, steps: Sequence[Any]) -> None:
        """Builds all variables, and lets each step replay at its first call, so that all calls give equal bits.

        Args:
            steps: the functions of training and evaluation.
        """
        model = self.model
        for step in steps:
            if isinstance(step, Function):
                step.replays_at_once = True
        state = model.__dict__
        losses, metrics = state["_compile_loss"], state["_compile_metrics"]
        unbuilt = [component for component in (losses, metrics) if component is not None and not component.built]
        if unbuilt or not model.built:
            x, y, _ = self._parts["train"].example_batch()
            saved_variables = SavedVariables(model.variables)
            outputs = model(x, training=False)
            saved_variables.restore()
            for component in unbuilt:
                component.build(y, outputs)
            if metrics is not None:
                metrics.update_state(y, outputs)  # some metrics make their variables here; `fit` resets them
        if not state["optimizer"].built:
            state["optimizer"].build(model.trainable_variables)

    def state(self) -> dict[str, np.ndarray]:
        """Returns the state of ``fit``: counters, positions in the data, and the state of callbacks, as arrays."""
        saved_state = {"at": np.array([self.epoch, self.batch, self.model.stop_training], np.int64)}
        for kind, batches in self._parts.items():
            within = kind == "train" and self.batch > 0
            saved_state.update({f"{kind}/{name}": value for name, value in batches.state(within).items()})
        for key, _, callback_state in self._callback_states():
            arrays = {name: value for name, value in callback_state.items() if _is_list_of_arrays(value)}
            json_state = {
                "values": {name: value for name, value in callback_state.items() if name not in arrays},
                "array_counts": {name: len(value) for name, value in arrays.items()},
            }
            saved_state[key] = np.frombuffer(
                json.dumps(json_state, default=lambda value: value.tolist()).encode(), np.uint8
            )
            for name, items in arrays.items():
                saved_state.update({f"{key}/{name}/{i}": array for i, array in enumerate(items)})
        return saved_state

    def _callback_states(self) -> list[tuple[str, Any, dict[str, Any]]]:
        """Returns the key in the backup, the callback and its state, of each callback that has a state.

        A key names the class, the monitored value, and how many callbacks of these came before: so a restart may have other
        callbacks, in another order.
        """
        counts: Counter[str] = Counter()
        keyed_states = []
        for callback in self._callbacks:
            callback_state = callback.state_for_backup() if hasattr(callback, "state_for_backup") else {}
            if callback_state:
                kind = f"callbacks/{type(callback).__qualname__}/{getattr(callback, 'monitor', '')}"
                keyed_states.append((f"{kind}/{counts[kind]}", callback, callback_state))
                counts[kind] += 1
        return keyed_states

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continues a ``fit`` from a state that the method ``state`` returned.

        Callbacks that the state does not have begin as new ones.

        Raises:
            ValueError: the state is that of another ``fit``.
        """
        names_of_parts = [f"{kind}/{name}" for kind in self._parts for name in ("position", "random")]
        missing_keys = {"at", *names_of_parts} - state.keys()
        if missing_keys:
            raise ValueError(f"The backup is of a `fit` with other data: it lacks {sorted(missing_keys)}. Delete it.")
        for kind, batches in self._parts.items():
            batches.restore(
                {name.removeprefix(kind + "/"): value for name, value in state.items() if name.startswith(kind)}
            )
        with parser_errors_as_one("The backup", "one of `fit`"):
            for key, callback, _ in self._callback_states():
                if key in state:
                    saved = parse_json(state[key].tobytes())
                    arrays = {
                        name: [state[f"{key}/{name}/{i}"] for i in range(count)]
                        for name, count in saved["array_counts"].items()
                    }
                    callback.restore_state_of_backup({**saved["values"], **arrays})
            epoch, batch, stop = state["at"].tolist()
            if epoch < 0 or batch < 0:
                raise ValueError(f"it goes on from epoch {epoch}, batch {batch}")
            self.epoch, self.batch = epoch, batch
            self.model.stop_training = self.is_stopped = bool(stop)


def _is_list_of_arrays(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, np.ndarray) for item in value)
