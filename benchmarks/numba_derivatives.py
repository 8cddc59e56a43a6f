"""Derivatives of Numba functions, those of GradBench's problems, beside the functions themselves."""

from collections.abc import Callable
from typing import Any

FUNCTION, DERIVATIVE = "function", "derivative"


class GradBench:
    """The time of a problem's function and of its derivative, compiled, at the smallest standard size."""

    params = (("det", "gmm", "kmeans", "llsq", "lse", "lstm"), (FUNCTION, DERIVATIVE))
    param_names = ("problem", "what")
    version = "1"
    timeout = 300.0

    def setup(self, problem: str, what: str) -> None:
        from benchmarks.gradbench.derivatives import derivative
        from benchmarks.gradbench.problems import PROBLEMS

        chosen = PROBLEMS[problem]
        self.arguments = chosen.arguments(chosen.inputs(**chosen.sizes[chosen.standard[0]]))
        self.run: Callable[..., Any] = (
            chosen.objective if what == FUNCTION else derivative(chosen, chosen.derivatives[0])
        )
        self.run(*self.arguments)

    def time_call(self, problem: str, what: str) -> None:
        self.run(*self.arguments)
