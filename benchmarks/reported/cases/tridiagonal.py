"""Many tridiagonal systems, solved by two sweeps: Thomas's algorithm with arrays written in place."""

from benchmarks.reported.case import FASTGRAD, JAX, OLD_JAX, Case

CASES = (
    Case(
        name="tridiagonal",
        title="gradient through 10,000 tridiagonal systems of 100 unknowns",
        report="jax #2491",
        link="https://github.com/jax-ml/jax/issues/2491",
        story="Two sweeps by `lax.scan` are slower than expected beside a NumPy loop that writes its arrays in place.",
        arguments="""
def arguments(size):
    random = np.random.RandomState(0)
    a, c, d = random.rand(3, size, 100)
    return d, a, 3.0 + random.rand(size, 100), c
""",
        size=10_000,
        tiny=3,
        texts={
            FASTGRAD: """
@njit
def f(d, a, b, c):
    systems, n = d.shape
    total = 0.0
    upper, right, solution = np.empty(n), np.empty(n), np.empty(n)
    for k in range(systems):
        upper[0] = c[k, 0] / b[k, 0]
        right[0] = d[k, 0] / b[k, 0]
        for i in range(1, n):
            scale = 1.0 / (b[k, i] - a[k, i] * upper[i - 1])
            upper[i] = c[k, i] * scale
            right[i] = (d[k, i] - a[k, i] * right[i - 1]) * scale
        solution[n - 1] = right[n - 1]
        total += solution[n - 1] ** 2
        for i in range(n - 2, -1, -1):
            solution[i] = right[i] - upper[i] * solution[i + 1]
            total += solution[i] ** 2
    return total
""",
            JAX: """
def f(d, a, b, c):
    def forward(carry, now):
        upper, right = carry
        a, b, c, d = now
        scale = 1.0 / (b - a * upper)
        pair = c * scale, (d - a * right) * scale
        return pair, pair
    def backward(after, now):
        upper, right = now
        solution = right - upper * after
        return solution, solution
    zero = jnp.zeros(d.shape[0])
    sweeps = lax.scan(forward, (zero, zero), (a.T.at[0].set(0.0), b.T, c.T, d.T))[1]
    return (lax.scan(backward, zero, sweeps, reverse=True)[1] ** 2).sum()
""",
        },
        contestants=(FASTGRAD, JAX, OLD_JAX),
    ),
)
