"""A case: a program for each library, its arguments, and the public report that it stands for."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

FASTGRAD = "fastgrad"
JAX, OLD_JAX = "jax", "old_jax"
TENSORFLOW = "tensorflow"
TORCH, TORCH_ONE_THREAD, TORCH_COMPILE = "torch", "torch.one_thread", "torch.compile"

TEXT_OF = {OLD_JAX: JAX, TORCH_ONE_THREAD: TORCH, TORCH_COMPILE: TORCH}
"""The library whose text a contestant runs, where that is not its own name."""

OPTION_OF = {
    JAX: "jax",
    OLD_JAX: "old_jax",
    TENSORFLOW: "peers",
    TORCH: "peers",
    TORCH_ONE_THREAD: "peers",
    TORCH_COMPILE: "peers",
}
"""The command's option that names the Python of a contestant; fastgrad runs in the Python of the command."""

HEADS = {
    FASTGRAD: """
import math
import numpy as np
from numba import njit
import fastgrad as fg
import fastgrad as tf
""",
    JAX: """
import jax
jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
import numpy as np
from jax import lax
""",
    TENSORFLOW: """
import numpy as np
import tensorflow as tf
""",
    TORCH: """
import numpy as np
import torch
""",
}
"""The imports of each library's texts."""

GRADIENT = "value_and_grad"
ALONG = ("jvp", "hvp")
"""The derivatives along a direction, which is the last argument."""
ALL = (*ALONG, "jacobian", "hessian")
DERIVATIVES = {
    FASTGRAD: {
        GRADIENT: "fg.value_and_grad(f)",
        "jvp": "fg.jvp(f)",
        "hvp": "fg.hvp(f)",
        "jacobian": "fg.jacobian(f)",
        "hessian": "fg.hessian(f)",
    },
    JAX: {
        GRADIENT: "jax.value_and_grad(f)",
        "jvp": "lambda x, *rest: jax.jvp(lambda x: f(x, *rest[:-1]), (x,), (rest[-1],))",
        "hvp": "lambda x, *rest: jax.jvp(lambda x: jax.grad(f)(x, *rest[:-1]), (x,), (rest[-1],))[1]",
        "jacobian": "jax.jacfwd(f)",
        "hessian": "jax.hessian(f)",
    },
}
"""Derivatives with respect to the first argument."""
MAKERS = {
    FASTGRAD: """
def make(*arguments):
    derivative = {derivative}
    return lambda: derivative(*arguments)
""",
    JAX: """
def make(*arguments):
    derivative = jax.jit({derivative})
    arguments = [jnp.asarray(argument) for argument in arguments]
    return lambda: jax.block_until_ready(derivative(*arguments))
""",
}
"""What a text that defines `f` is completed with."""
DIRECTED = """
arguments_of_function = arguments
def arguments(size):
    given = arguments_of_function(size)
    return *given, np.cos(np.arange(given[0].size, dtype=given[0].dtype)).reshape(given[0].shape)
"""


@dataclass(frozen=True)
class Case:
    """A report and its program.

    Attributes:
        name: of the case, and of its file of results.
        title: what one call computes.
        report: the report by its library and number, as `jax #40150`; several are separated by commas.
        link: the page of the report.
        story: sentences on what was reported.
        arguments: a text that defines `arguments(size)`, a tuple of NumPy arrays.
        size: the size that is measured, what `arguments` takes.
        tiny: a size for a quick test.
        texts: by library, a text that defines `f`, a scalar function of the arguments, or, if `derivative` is False,
            `make(*arguments)`. That returns a function without arguments, whose calls are timed, or a pair of that
            function and the values to compare. With `whole_process`, a text is a program that prints its result.
        contestants: fastgrad and those it is measured beside.
        tolerance: the largest difference of values, relative to the largest value.
        derivative: which of `DERIVATIVES` is timed; empty if none is.
        others: the derivatives that are timed as cases of their own.
        whole_process: True if what is timed is a process from its start to its end.
        before: the name of a case of another size; the page divides the times of this case by the times of that one.
    """

    name: str
    title: str
    report: str
    link: str
    story: str
    arguments: str
    size: int
    tiny: int
    texts: Mapping[str, str] = field(repr=False)
    contestants: tuple[str, ...]
    tolerance: float = 1e-9
    derivative: str = GRADIENT
    others: tuple[str, ...] = ALONG
    whole_process: bool = False
    before: str = ""

    def program(self, contestant: str) -> str:
        """Returns the text of a contestant with imports, `arguments` and `make`."""
        library = TEXT_OF.get(contestant, contestant)
        parts = [HEADS[library], self.arguments, self.texts[library]]
        if self.derivative in ALONG:
            parts.append(DIRECTED)
        if self.derivative:
            parts.append(MAKERS[library].format(derivative=DERIVATIVES[library][self.derivative]))
        return "\n".join(parts)

    def by_others(self) -> dict[str, "Case"]:
        """Returns the cases of the other derivatives of the function, by their names."""
        cases = [
            replace(self, name=f"{self.name}_{other}", derivative=other, others=(), contestants=(FASTGRAD, JAX))
            for other in (self.others if self.derivative else ())
        ]
        return {case.name: case for case in cases}
