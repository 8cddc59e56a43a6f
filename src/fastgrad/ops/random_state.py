"""The state of the default random generators, as plain values."""

from __future__ import annotations

from typing import Any

from fastgrad.core.recording import unheard
from fastgrad.ops.random_generator import Generator, _default_generators


def default_random_state() -> dict[str, Any]:
    """The global seed and the states of all default generators, as values that JSON can hold."""
    with _default_generators.lock:
        return {
            "seed": _default_generators.seed,
            "generators": [
                [operation_seed, _state_words(generator)]
                for operation_seed, generator in _default_generators.generators.items()
            ],
            "named": _default_generators.own_global_generator
            and _state_words(_default_generators.own_global_generator),
            "chosen": _default_generators.chosen_global_generator
            and _state_words(_default_generators.chosen_global_generator),
        }


def check_default_random_state(state: Any) -> None:
    """Raises ValueError, TypeError or KeyError if ``restore_default_random_state`` cannot restore ``state``."""
    with unheard():
        for words in (*dict(state["generators"]).values(), state["named"], state["chosen"]):
            if words is not None:
                Generator(state=words)
    if not isinstance(state["seed"], int | None):
        raise TypeError(f"the seed is {state['seed']!r:.100}")


def restore_default_random_state(state: dict[str, Any]) -> None:
    """Restores a state from ``default_random_state``; the generators that programs draw from stay the same objects."""
    with _default_generators.lock, unheard():
        _default_generators.seed = state["seed"]
        words_by_seed = dict(state["generators"])
        for operation_seed, generator in _default_generators.generators.items():
            generator.reset(
                words_by_seed.pop(operation_seed)
                if operation_seed in words_by_seed
                else _default_generators._state(operation_seed)
            )
        _default_generators.generators.update(
            {operation_seed: Generator(state=words) for operation_seed, words in words_by_seed.items()}
        )
        if state["named"] is not None:
            if _default_generators.own_global_generator is None:
                _default_generators.own_global_generator = Generator(state=state["named"])
            _default_generators.own_global_generator.reset(state["named"])
        if state["chosen"] is not None and _default_generators.chosen_global_generator is not None:
            _default_generators.chosen_global_generator.reset(state["chosen"])


def _state_words(generator: Generator) -> list[int]:
    words: list[int] = generator.state._array.tolist()
    return words
