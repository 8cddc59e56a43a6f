"""What a workload's file provides."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from benchmarks.data import Inputs

Step = Callable[..., Any]
Program = Callable[[ModuleType, Inputs], tuple[Step, Sequence[tuple[Any, ...]]]]


@dataclass(frozen=True)
class Workload:
    """One training step, written once for every kind of library.

    Attributes:
        name: its name on the command line and in tables.
        about: the sizes, the loss and the optimizer in words.
        inputs: makes data and starting weights.
        programs: by kind (`tensorflow`, which fastgrad runs too, `torch`, `jax`), a function that takes the library and the
            inputs and returns the step and the batches to call it with; the step trains and returns its loss, a scalar.
    """

    name: str
    about: str
    inputs: Callable[[], Inputs]
    programs: Mapping[str, Program]
