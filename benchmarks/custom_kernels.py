"""Users' kernels beside built-in operations, JAX and PyTorch: `python -m benchmarks.custom_kernels`.

Each program is a training step: an activation between two products of vectors, or a recurrence along rows, with its gradient and an
update. All programs of a table run in turn, round by round, so that a busy machine is busy for each of them; figures are medians.
"""

import argparse
import importlib.util
import math
import statistics
import time
from collections.abc import Callable, Mapping

import numba
import numpy as np

import fastgrad as fg
from benchmarks.data import uniform

ROWS, COLUMNS = 256, 1024
ROUNDS, CALLS = 40, 5
FEW = 1.05  # a user's function may take so much longer than the built-in operation
GELU = 1.5957691216057308


@fg.elementwise
def swish(x):
    """Returns x times the logistic function of x."""
    return x / (1.0 + math.exp(-x))


@fg.elementwise
def gelu(x):
    """Returns x times the normal distribution function of x."""
    return 0.5 * x * (1.0 + math.erf(x * 0.7071067811865476))


@fg.elementwise
@numba.njit
def gelu_tanh(x):
    """Returns the tanh approximation of gelu of x, as a logistic function."""
    return x / (1.0 + math.exp(-GELU * (x + 0.044715 * x * x * x)))


@fg.kernel("(n),()->(n)")
@numba.njit
def recurrence(x, decay, out):
    """Writes y[i] = decay * y[i - 1] + x[i] to `out`."""
    total = x[0] * 0
    for i in range(len(x)):
        total = decay * total + x[i]
        out[i] = total


@recurrence.gradient
@numba.njit
def recurrence_gradient(g, y, x, decay, dx, d_decay):
    """Writes the cotangent of x to `dx`; that of the decay is not needed here."""
    total = g[0] * 0
    for i in range(len(x) - 1, -1, -1):
        total += g[i]
        dx[i] = total
        total *= decay


X = uniform(ROWS, COLUMNS, seed=0) * 3
W = uniform(COLUMNS, seed=1)

Step = Callable[[], float]


def fastgrad_step(function: Callable) -> Step:
    """Returns a compiled step of fastgrad around a function, which returns its loss."""
    x, w = fg.constant(X), fg.Variable(W)

    @fg.function
    def step(x):
        with fg.GradientTape() as tape:
            loss = fg.reduce_mean(fg.square(function(x * w)))
        w.assign_sub(1e-6 * tape.gradient(loss, w))
        return loss

    return lambda: float(step(x))


def jax_steps(functions: Mapping[str, Callable]) -> dict[str, Step]:
    """Returns compiled steps of JAX by name, if it is installed; ``functions`` maps the module to the functions."""
    if importlib.util.find_spec("jax") is None:
        return {}
    import jax
    import jax.numpy as jnp

    def made(function: Callable) -> Step:
        state = {"w": jnp.asarray(W)}
        x = jnp.asarray(X)

        @jax.jit
        def step(w, x):
            loss, slope = jax.value_and_grad(lambda w: jnp.mean(jnp.square(function(x * w))))(w)
            return w - 1e-6 * slope, loss

        def call() -> float:
            state["w"], loss = step(state["w"], x)
            return float(loss)

        return call

    return {f"JAX, {name}": made(make(jax)) for name, make in functions.items()}


def torch_steps(functions: Mapping[str, Callable]) -> dict[str, Step]:
    """Returns compiled steps of PyTorch by name, if it is installed."""
    if importlib.util.find_spec("torch") is None:
        return {}
    import torch

    def made(function: Callable) -> Step:
        w = torch.tensor(W, requires_grad=True)
        x = torch.tensor(X)

        @torch.compile
        def loss_of(x, w):
            return torch.mean(torch.square(function(x * w)))

        def call() -> float:
            w.grad = None
            loss = loss_of(x, w)
            loss.backward()
            with torch.no_grad():
                w.sub_(1e-6 * w.grad)
            return float(loss.detach())

        return call

    return {f"PyTorch, {name}": made(make(torch)) for name, make in functions.items()}


# ---- the same functions in the other libraries -------------------------------------------------------------


def callback_of_jax(jax):
    """Returns a JAX function that calls the user's NumPy function by ``pure_callback``, and its gradient by another."""

    def swish(x):
        return x / (1 + np.exp(-x))

    def slope(x):
        s = 1 / (1 + np.exp(-x))
        return s * (1 + x * (1 - s))

    def called(function, x):
        return jax.pure_callback(lambda x: function(np.asarray(x)), jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    @jax.custom_vjp
    def function(x):
        return called(swish, x)

    function.defvjp(lambda x: (called(swish, x), x), lambda x, g: (g * called(slope, x),))
    return function


def scan_of_jax(jax):
    """Returns the recurrence in JAX, by ``lax.scan`` over columns."""

    def function(x):
        def forward(total, column):
            total = 0.9 * total + column
            return total, total

        return jax.lax.scan(forward, x[:, 0] * 0, x.T)[1].T

    return function


def custom_operation_of_torch(torch):
    """Returns the user's NumPy function as a custom operation of PyTorch."""

    @torch.library.custom_op("fastgrad_benchmarks::swish", mutates_args=())
    def swish(x: torch.Tensor) -> torch.Tensor:
        a = x.numpy()
        return torch.from_numpy(a / (1 + np.exp(-a)))

    @torch.library.custom_op("fastgrad_benchmarks::swish_slope", mutates_args=())
    def slope(g: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        a = x.numpy()
        s = 1 / (1 + np.exp(-a))
        return torch.from_numpy(g.numpy() * (s * (1 + a * (1 - s))))

    swish.register_fake(torch.empty_like)
    slope.register_fake(lambda g, x: torch.empty_like(x))
    swish.register_autograd(
        lambda context, g: slope(g, context.saved_tensors[0]),
        setup_context=lambda context, inputs, output: context.save_for_backward(*inputs),
    )
    return swish


def plain_recurrence(x):
    """Returns the recurrence of x by operations of fastgrad: a scan over columns."""
    columns = fg.transpose(x)
    return fg.transpose(fg.scan(lambda total, column: 0.9 * total + column, columns[1:], initializer=columns[0]))


TABLES: Mapping[str, tuple[Mapping[str, Callable], Mapping[str, Callable], Mapping[str, Callable]]] = {
    "swish": (
        {"built-in": fg.nn.silu, "user's": swish},
        {"plain": lambda jax: jax.nn.silu, "pure_callback": callback_of_jax},
        {"compiled": lambda torch: torch.nn.functional.silu, "custom operation": custom_operation_of_torch},
    ),
    "gelu": (
        {"built-in": fg.nn.gelu, "user's": gelu},
        {"plain": lambda jax: lambda x: jax.nn.gelu(x, approximate=False)},
        {"compiled": lambda torch: torch.nn.functional.gelu},
    ),
    "gelu by tanh": (
        {"built-in": lambda x: fg.nn.gelu(x, approximate=True), "user's": gelu_tanh},
        {"plain": lambda jax: jax.nn.gelu},
        {"compiled": lambda torch: lambda x: torch.nn.functional.gelu(x, approximate="tanh")},
    ),
    "recurrence along rows": (
        {"scan": plain_recurrence, "user's": lambda x: recurrence(x, 0.9)},
        {"scan": scan_of_jax},
        {},
    ),
}


def measured(steps: Mapping[str, Step], rounds: int) -> dict[str, float]:
    """Returns the microseconds of a call of each step, by name."""
    for step in steps.values():
        for _ in range(4):
            step()
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            start = time.perf_counter()
            for _ in range(CALLS):
                step()
            times[name].append((time.perf_counter() - start) / CALLS * 1e6)
    return {name: statistics.median(found) for name, found in times.items()}


def main(arguments: list[str] | None = None) -> int:
    """Prints the tables; returns 1 if a user's function is slower than the built-in operation, else 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", choices=[*TABLES])
    chosen = parser.parse_args(arguments)
    failed = 0
    print(f"a training step on {ROWS} x {COLUMNS} float32, in us; the ratio is to fastgrad's own")
    for title, (own, jax, torch) in TABLES.items():
        if chosen.only not in {None, title}:
            continue
        steps = {f"fastgrad, {name}": fastgrad_step(function) for name, function in own.items()}
        steps |= jax_steps(jax) | torch_steps(torch)
        losses = [step() for step in steps.values()]
        assert np.allclose(losses, losses[0], rtol=1e-3), dict(zip(steps, losses, strict=True))
        times = measured(steps, chosen.rounds)
        first = next(iter(times.values()))
        print(f"\n{title}")
        for name, us in times.items():
            print(f"  {name:28} {us:9.1f}  {us / first:6.2f}")
        if "built-in" in own and times["fastgrad, user's"] > FEW * first:
            failed = 1
            print(f"  the user's function takes more than {FEW} of the time of fastgrad's own")
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
