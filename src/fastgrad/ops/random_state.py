"""The state of the default random generators, as plain values."""

from __future__ import annotations

from typing import Any

from fastgrad.core.recording import hidden_from_recorders
from fastgrad.ops.random_generator import Generator, _default


def default_random_state() -> dict[str, Any]:
    """The global seed and the states of all default generators, as values that JSON can hold."""
    with _default.lock:
        return {
            "seed": _default.seed,
            "generators": [
                [operation_seed, _words(generator)] for operation_seed, generator in _default.generators.items()
            ],
            "named": _default.named and _words(_default.named),
            "chosen": _default.chosen and _words(_default.chosen),
        }


def check_default_random_state(state: Any) -> None:
    """Raises ValueError, TypeError or KeyError if ``restore_default_random_state`` cannot restore ``state``."""
    with hidden_from_recorders():
        for words in (*dict(state["generators"]).values(), state["named"], state["chosen"]):
            if words is not None:
                Generator(state=words)
    if not isinstance(state["seed"], int | None):
        raise TypeError(f"the seed is {state['seed']!r:.100}")


def restore_default_random_state(state: dict[str, Any]) -> None:
    """Restores a state from ``default_random_state``; the generators that programs draw from stay the same objects."""
    with _default.lock, hidden_from_recorders():
        _default.seed = state["seed"]
        words_by_seed = dict(state["generators"])
        for operation_seed, generator in _default.generators.items():
            generator.reset(
                words_by_seed.pop(operation_seed)
                if operation_seed in words_by_seed
                else _default._state(operation_seed)
            )
        _default.generators.update(
            {operation_seed: Generator(state=words) for operation_seed, words in words_by_seed.items()}
        )
        if state["named"] is not None:
            if _default.named is None:
                _default.named = Generator(state=state["named"])
            _default.named.reset(state["named"])
        if state["chosen"] is not None and _default.chosen is not None:
            _default.chosen.reset(state["chosen"])


def _words(generator: Generator) -> list[int]:
    words: list[int] = generator.state._array.tolist()
    return words
