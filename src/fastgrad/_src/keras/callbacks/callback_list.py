"""``CallbackList``: the hooks of several callbacks as those of one."""

from __future__ import annotations

from collections.abc import Callable as _Callable
from collections.abc import Iterable
from functools import wraps
from inspect import signature
from typing import Any

from fastgrad._src.keras.callbacks.callback import Callback
from fastgrad._src.keras.callbacks.history import History
from fastgrad._src.keras.callbacks.progress import ProgbarLogger

_OLDER_HOOK_NAMES = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}


class CallbackList(Callback):
    """A list of callbacks that has the hooks of a single callback.

    Args:
        callbacks: a callback or several.
        add_history, add_progbar: whether to append a ``History`` or a ``ProgbarLogger`` if there is none.
        model, params: passed to each callback. A ``History`` becomes the model's ``history``.

    Attributes:
        watches: the names of the batch hooks that some callback overrides; other batch hooks need no call.
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        super().__init__()
        callback_list = [] if callbacks is None else list(callbacks) if isinstance(callbacks, Iterable) else [callbacks]
        for kind, is_added in ((History, add_history), (ProgbarLogger, add_progbar)):
            if is_added and not any(isinstance(callback, kind) for callback in callback_list):
                callback_list.append(kind())
        self.callbacks: list[Callback] = sorted(
            callback_list, key=lambda callback: getattr(callback, "comes_last", False)
        )
        for callback in self.callbacks:
            wanted = "Argument `callbacks` must be a callback or a list of callbacks (keras.callbacks.Callback): "
            if isinstance(callback, type):
                raise TypeError(f"{wanted}{callback!r:.200} is a class. Call it.")
            if not hasattr(callback, "set_model"):
                raise AttributeError(f"{wanted}{callback!r:.200} has no method `set_model`.")
        self.set_model(model)
        self.set_params(params)
        batch_callbacks = [
            callback
            for callback in self.callbacks
            # A user's subclass of a callback of fastgrad may do more with batches.
            if getattr(callback, "follows_batches", True) or not type(callback).__module__.startswith("fastgrad.")
        ]
        self.watches = frozenset(
            name
            for name in vars(Callback)
            if "_batch_" in name and any(_overrides(callback, name) for callback in batch_callbacks)
        )

    def set_params(self, params: dict[str, Any]) -> None:
        super().set_params(params)
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        for callback in self.callbacks:
            callback.set_model(model)
            if isinstance(callback, History) and model is not None:
                vars(model)["history"] = callback

    def call(self, hook: str, *args: Any) -> None:
        """Calls the method ``hook``, such as on_epoch_end, of all callbacks in the list; batch hooks get ``logs`` by keyword, as in Keras."""
        named = {"logs": args[-1]} if "_batch_" in hook else {}
        for callback in self.callbacks:
            method: _Callable[..., None] = getattr(callback, hook)
            method(*args[: len(args) - len(named)], **named)


def _hook_of_all(hook: _Callable[..., None]) -> _Callable[..., None]:
    """Returns the method that calls ``hook`` of all callbacks of a list; missing logs are empty."""
    parameters = signature(hook)

    @wraps(hook)
    def call_all(self: CallbackList, *args: Any, **named: Any) -> None:
        bound = parameters.bind(self, *args, **named)
        bound.apply_defaults()
        _, *numbers, logs = bound.args
        self.call(hook.__name__, *numbers, {} if logs is None else logs)

    return call_all


for _name, _hook in vars(Callback).items():
    if _name.startswith("on_"):
        setattr(CallbackList, _name, _hook_of_all(_hook))


def _overrides(callback: Any, name: str) -> bool:
    alias = _OLDER_HOOK_NAMES.get(name)
    if alias is not None and _overrides(callback, alias):
        return True
    method = getattr(type(callback), name, None)
    return method is not getattr(Callback, name) or name in vars(callback)
