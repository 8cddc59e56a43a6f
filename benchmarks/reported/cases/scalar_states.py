"""Sixty scalar states that a long loop updates: each is a variable of its own, as a node of a network has it.

The texts are generated: the report is about many scalar names, not about an array of them.
"""

from benchmarks.reported.case import ALL, FASTGRAD, JAX, OLD_JAX, Case

STATES = 60
NAMES = [f"s{number}" for number in range(STATES)]


def _rate(number: int) -> float:
    return 0.05 + 0.01 * (number % 7)


def _updates(library: str) -> list[str]:
    """Returns a line for each state: it moves to what it is told and to its neighbour, as `prediction errors` do."""
    tanh = "math.tanh" if library == FASTGRAD else "jnp.tanh"
    return [
        f"{name} = {name} + {_rate(number)} * p[{number % 4}] * ({tanh}({NAMES[number - 1]}) + u - {name})"
        for number, name in enumerate(NAMES)
    ]


def _indented(lines: list[str], spaces: int) -> str:
    return "\n".join(" " * spaces + line for line in lines)


OURS = f"""
@njit
def f(p, inputs):
{_indented([f"{name} = {0.01 * number}" for number, name in enumerate(NAMES)], 4)}
    total = 0.0
    for t in range(inputs.size):
        u = inputs[t]
{_indented(_updates(FASTGRAD), 8)}
        total += (s{STATES - 1} - u) ** 2
    return total
"""

THEIRS = f"""
def f(p, inputs):
    def step(carry, u):
        states, total = carry
        {", ".join(NAMES)} = (states[name] for name in NAMES)
{_indented(_updates(JAX), 8)}
        states = dict(zip(NAMES, ({", ".join(NAMES)})))
        return (states, total + (s{STATES - 1} - u) ** 2), None
    states = {{name: jnp.asarray(0.01 * number) for number, name in enumerate(NAMES)}}
    return lax.scan(step, (states, 0.0), inputs)[0][1]

NAMES = {NAMES!r}
"""

CASES = (
    Case(
        name="scalar_states",
        title="gradient of a loop of 614 steps over 60 scalar states",
        report="jax #40150",
        link="https://github.com/jax-ml/jax/issues/40150",
        story="A `lax.scan` whose carry has sixty scalars is sixty times slower under `jax.grad` than with JAX 0.4.31.",
        arguments="""
def arguments(size):
    return np.array([0.9, 0.7, 0.5, 0.3]), np.random.RandomState(0).normal(size=size)
""",
        size=614,
        tiny=5,
        texts={FASTGRAD: OURS, JAX: THEIRS},
        contestants=(FASTGRAD, JAX, OLD_JAX),
        others=ALL,
    ),
)
