"""The default random generators, for draws that name no generator: the global seed, their states, the global generator."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from fastgrad._src.core import dtypes
from fastgrad._src.core.recording import hide_from_recorders, is_state_recorded, recorders, report_effect
from fastgrad._src.core.variable import Variable
from fastgrad._src.core.variable_creators import hidden_variable_scope
from fastgrad._src.jit.locks import new_lock
from fastgrad._src.ops.random_draws import splitmix_hash
from fastgrad._src.ops.random_generator import Generator, unpredictable_state


class _DefaultGenerators:
    """The global seed, and one default generator for each operation seed in use.

    Attributes:
        of_functions: the generators of operations with a seed in recorded functions, with their first states.
        follows_python: whether Keras draws missing seeds from Python's ``random``, as it does; not after ``set_seed``.

    ``set_seed`` resets the generators and keeps the objects, because compiled programs draw from their states.
    """

    def __init__(self) -> None:
        self.lock = new_lock()
        self.seed: int | str | None = None
        self.follows_python = True
        self.generators: dict[Any, Generator] = {}
        self.of_functions: WeakKeyDictionary[Generator, list[int]] = WeakKeyDictionary()
        self.own_global_generator: Generator | None = None
        self.chosen_global_generator: Generator | None = None
        self.choice_counter: Variable | None = (
            None  # counts changes of `chosen_global_generator`, once a program has read it
        )

    def set_seed(self, seed: int | str | None) -> None:
        """Sets the global seed, and resets all generators."""
        with self.lock:
            self.seed = seed
            self.follows_python = seed is None
            for operation_seed, generator in self.generators.items():
                generator.reset(self._state(operation_seed, seed))
            for generator, first_state in [*self.of_functions.items()]:
                generator.reset(first_state)
            if self.own_global_generator is not None:
                self.own_global_generator.reset(self._initial_global_generator_state())
            if self.chosen_global_generator is not None:
                self._set_global_generator(None)

    def generator_of_draw(self, seed: Any) -> Generator:
        """Returns the generator of an operation: that of its seed, or one of its own in a recorded function."""
        for recorder in recorders.active:
            own: Generator | None = recorder.generator_of(seed, self._generator_of_function)
            if own is not None:
                return own
        return self.generator_of(seed)

    def _generator_of_function(self, seed: int, seed_of_function: Any) -> Generator:
        with self.lock, hide_from_recorders():
            first_state = self._state(seed, self.seed if seed_of_function is None else seed_of_function)
            generator = Generator(state=first_state)
            self.of_functions[generator] = first_state
            return generator

    def generator_of(self, seed: Any) -> Generator:
        """Returns the generator of operations with this seed."""
        with self.lock:
            generator = self.generators.get(seed)
            if generator is None:
                with hide_from_recorders():  # a recording must not see this variable as created by the program
                    generator = self.generators[seed] = Generator(state=self._state(seed, self.seed))
            return generator

    def set_global_generator(self, generator: Generator) -> None:
        """Makes ``generator`` the global generator; programs that have read another one are recorded again."""
        with self.lock:
            self._set_global_generator(generator)

    def _set_global_generator(self, generator: Generator | None) -> None:
        self.chosen_global_generator = generator
        if self.choice_counter is not None:
            self.choice_counter.assign_add(1)

    def global_generator(self) -> Generator:
        """Returns the global generator: the one that was set, else one that is made of the global seed."""
        with self.lock:
            if is_state_recorded():
                with hide_from_recorders(), hidden_variable_scope():
                    if self.choice_counter is None:
                        self.choice_counter = Variable(0, trainable=False, dtype=dtypes.int64)
                        self.choice_counter._counts_changes = True
                int(self.choice_counter)  # a guard: the program draws from the generator of its recording
            if self.chosen_global_generator is not None:
                return self.chosen_global_generator
            if self.own_global_generator is None:
                with hide_from_recorders():
                    self.own_global_generator = Generator(state=self._initial_global_generator_state())
            return self.own_global_generator

    @staticmethod
    def _state(seed: Any, global_seed: Any) -> list[int]:
        if global_seed is None and seed is None:
            return unpredictable_state()
        if seed is not None and not isinstance(global_seed, str):
            return _state_of_seeds(_SEED_WITHOUT_GLOBAL_SEED if global_seed is None else global_seed, seed)
        return [
            0,
            0,
            splitmix_hash(
                _random_word_of_seed(global_seed),
                _random_word_of_seed(seed),
                (global_seed is None) + 2 * (seed is None),
            ),
        ]

    def _initial_global_generator_state(self) -> list[int]:
        return unpredictable_state() if self.seed is None else [0, 0, splitmix_hash(_random_word_of_seed(self.seed), 4)]


_SEED_WITHOUT_GLOBAL_SEED = 87654321
"""TensorFlow's global seed of operations that have a seed where there is no global one."""
_SEED_LIMIT = 2**31 - 1


def _state_of_seeds(seed: int, operation_seed: int) -> list[int]:
    """Returns the state from which TensorFlow draws under two seeds."""
    key, counter = seed % _SEED_LIMIT, operation_seed % _SEED_LIMIT
    return [0, _SEED_LIMIT if key == counter == 0 else counter, key]


def _random_word_of_seed(seed: Any) -> int:
    return (
        0 if seed is None else int(seed) if not isinstance(seed, str) else int.from_bytes(seed.encode()[:8], "little")
    )


_default_generators = _DefaultGenerators()


def _checked_seed(seed: Any) -> Any:
    """Returns a seed as an int, a string or None; raises TypeError for anything else."""
    if seed is None or isinstance(seed, str):
        return seed
    try:
        return int(seed)
    except (TypeError, ValueError):
        raise TypeError(f"A seed must be an integer, got {seed!r}.") from None


def _checked_operation_seed(seed: Any) -> Any:
    """Returns the seed of an operation as an int or None; TypeError for anything else."""
    if isinstance(seed, str):
        raise TypeError(f"The `seed` of an operation must be an integer or None, got {seed!r}.")
    return _checked_seed(seed)


def set_seed(seed: Any) -> None:
    """Sets the global seed and restarts the default generators, so that later draws are repeatable.

    While a ``tf.function`` is recorded, it sets the seed of the function's later draws, each of which goes on in later calls.

    Args:
        seed: an integer, or None to let the operating system choose.

    Raises:
        TypeError: ``seed`` is no integer. TensorFlow: tf.random.set_seed.

    Example:
        >>> tf.random.set_seed(1)
        >>> first = tf.random.normal((3,))
        >>> tf.random.set_seed(1)
        >>> bool(tf.reduce_all(tf.random.normal((3,)) == first))
        True
    """
    seed = _checked_seed(seed)
    if any(recorder.on_seed(seed) for recorder in recorders.active):
        return
    report_effect("tf.random.set_seed was called")
    with hide_from_recorders():
        _default_generators.set_seed(seed)


def global_seed() -> int | str | None:
    """Returns the seed that ``set_seed`` has set; None if there is none."""
    return _default_generators.seed


def use_python_random() -> None:
    """Lets Keras draw missing seeds from Python's ``random``, until the next ``set_seed``."""
    _default_generators.follows_python = True


def uses_python_random() -> bool:
    """Returns whether Keras draws missing seeds from Python's ``random``."""
    return _default_generators.follows_python


def default_philox_words(seed: Any) -> Any:
    """Returns a function from a shape to the Philox counter and key of the next draw under ``seed``."""
    return _default_generators.generator_of_draw(_checked_operation_seed(seed))._draw_words


def default_key(seed: Any) -> int:
    """The key of the draws under the global seed and ``seed``; does not draw."""
    _, counter, key = _state_words(_default_generators.generator_of(_checked_operation_seed(seed)))
    return splitmix_hash(key, counter)


def operation_seed_of_state(state: Variable) -> tuple[Any] | None:
    """Returns the operation seed of the default generator that has the variable ``state``, in a tuple; None without one."""
    with _default_generators.lock:
        for seed, generator in _default_generators.generators.items():
            if generator._state is state:
                return (seed,)
    return None


def state_of_operation_seed(seed: Any) -> Variable:
    """Returns the variable that holds the state of the default generator of an operation seed."""
    return _default_generators.generator_of(_checked_operation_seed(seed))._state


def default_states() -> list[tuple[Generator, tuple[int, ...]]]:
    """The default generators with their states; two results are equal if nothing was drawn between the calls."""
    with _default_generators.lock:
        default_generators = [
            *_default_generators.generators.values(),
            *_default_generators.of_functions,
            _default_generators.own_global_generator,
            _default_generators.chosen_global_generator,
        ]
    return [
        (generator, tuple(generator._state._array.tolist()))
        for generator in default_generators
        if generator is not None
    ]


def restore_default_states(states: list[tuple[Generator, tuple[int, ...]]]) -> None:
    """Restores the states that ``default_states()`` returned."""
    for generator, state in states:
        if tuple(generator._state._array.tolist()) != state:
            generator.reset(state)


def get_global_generator() -> Generator:
    """The generator that layers and programs may share; the first call makes it."""
    return _default_generators.global_generator()


def set_global_generator(generator: Generator) -> None:
    """Replaces the global generator."""
    report_effect("tf.random.set_global_generator was called")
    with hide_from_recorders():
        _default_generators.set_global_generator(generator)


# ---- the state of the default generators, as plain values


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
    with hide_from_recorders():
        for words in (*dict(state["generators"]).values(), state["named"], state["chosen"]):
            if words is not None:
                Generator(state=words)
    if not isinstance(state["seed"], int | None):
        raise TypeError(f"the seed is {state['seed']!r:.100}")


def restore_default_random_state(state: dict[str, Any]) -> None:
    """Restores a state from ``default_random_state``; the generators that programs draw from stay the same objects."""
    with _default_generators.lock, hide_from_recorders():
        _default_generators.seed = state["seed"]
        words_by_seed = dict(state["generators"])
        for operation_seed, generator in _default_generators.generators.items():
            generator.reset(
                words_by_seed.pop(operation_seed)
                if operation_seed in words_by_seed
                else _default_generators._state(operation_seed, state["seed"])
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
