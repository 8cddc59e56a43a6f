"""The description of a workload: name, inputs, programs of the peers, speed goals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from benchmarks.data import Inputs

Step = Callable[..., Any]
Batches = Sequence[tuple[Any, ...]]
FASTEST = "the fastest"
Program = Callable[[ModuleType, Inputs], tuple[Step, Batches]]


@dataclass(frozen=True)
class Workload:
    """A workload: a training step, written once for each kind of library.

    Attributes:
        name: its name on the command line and in tables.
        about: the sizes, the loss and the optimizer in words.
        inputs: makes data and starting weights; called without arguments, those of the benchmark.
        programs: by kind, a function that takes the library and the inputs and returns the step and the batches to call it
            with; the step trains and returns its loss, a scalar. Kinds are `tensorflow` (fastgrad runs it too), `torch`,
            `torch.compile` (the step, compiled by the program), `jax`, `xla` where XLA can't
            compile the first one, and `fit` (Keras alone); None is a program that can't be written.
        wanted: by peer (or `FASTEST` for the fastest one), how many times as fast a compiled step of fastgrad should be.
        wanted_eagerly: the same for an eager step.
        bytes_moved: what a step has to read and write at least when nothing fits into the caches; 0 where that isn't the cost.
            Such a step is also compared with a triad (`a = b + s * c`) over arrays of this workload's size.
        wanted_of_triad: the share of the triad's bytes a second that a compiled step should reach.
        remarks: what readers of the results should know, in whole sentences: why it is as fast as it is.
    """

    name: str
    about: str
    inputs: Callable[..., Inputs]
    programs: Mapping[str, Program | None]
    wanted: Mapping[str, float] = field(default_factory=dict)
    wanted_eagerly: Mapping[str, float] = field(default_factory=dict)
    bytes_moved: int = 0
    wanted_of_triad: float | None = None
    remarks: str = ""
