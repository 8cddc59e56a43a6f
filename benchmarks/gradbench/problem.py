"""What a problem of GradBench consists of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

SEED = 31337


def same(value: Any) -> Any:
    """Returns its argument."""
    return value


def to_list(array: Any) -> Any:
    """Returns the nested lists of an array's elements, as JSON has them."""
    return array.tolist()


@dataclass(frozen=True)
class Problem:
    """A problem: how its inputs are generated, its objective, and how both travel as JSON.

    Attributes:
        name: the name of GradBench's eval and of the module of its tools.
        derivatives: GradBench's names of the functions that differentiate; all of them have the same result.
        sizes: the arguments of `inputs` for each size that GradBench's eval has by default.
        standard: the sizes that are measured unless all are asked for.
        inputs: returns the input of an `evaluate` message; the same arguments give the same input.
        arguments: turns such an input into the arguments of the objective.
        objective_name: GradBench's name of the objective; empty where the eval asks for derivatives only.
        objective: the compiled objective.
        objective_output: turns its result into JSON.
        derivative_output: turns the result of the derivative into JSON.
        expected: the result of the derivatives, where the eval has it as a constant.
    """

    name: str
    derivatives: tuple[str, ...]
    sizes: Mapping[str, Mapping[str, Any]]
    standard: tuple[str, ...]
    inputs: Callable[..., Any]
    arguments: Callable[[Any], tuple[Any, ...]]
    objective_name: str = ""
    objective: Callable[..., Any] | None = None
    objective_output: Callable[[Any], Any] = same
    derivative_output: Callable[[Any], Any] = same
    expected: Any = None

    @property
    def functions(self) -> tuple[str, ...]:
        """GradBench's names of all functions."""
        return (self.objective_name, *self.derivatives) if self.objective_name else self.derivatives
