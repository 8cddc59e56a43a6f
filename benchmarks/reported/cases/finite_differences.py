"""Squared differences of neighbours in a volume, a smoothness penalty of tomography."""

from benchmarks.reported.case import FASTGRAD, JAX, OLD_JAX, Case

CASES = (
    Case(
        name="finite_differences",
        title="gradient of squared differences of neighbours in 256³ float32 voxels",
        report="jax #37465",
        link="https://github.com/jax-ml/jax/issues/37465",
        story="The gradient of a penalty on differences of neighbours is 1.7 times slower than with JAX 0.4.31.",
        arguments="""
def arguments(size):
    return (np.random.RandomState(0).normal(size=(size, size, size)).astype(np.float32),)
""",
        size=256,
        tiny=4,
        tolerance=2e-3,  # sums of 16 million float32 numbers
        texts={
            FASTGRAD: """
@njit
def f(x):
    n = x.shape[0]
    cost = 0.0
    for i in range(n):
        for j in range(n):
            for k in range(n):
                if i + 1 < n:
                    cost += (x[i + 1, j, k] - x[i, j, k]) ** 2
                if j + 1 < n:
                    cost += (x[i, j + 1, k] - x[i, j, k]) ** 2
                if k + 1 < n:
                    cost += (x[i, j, k + 1] - x[i, j, k]) ** 2
    return cost
""",
            JAX: """
def f(x):
    return sum((jnp.diff(x, axis=axis) ** 2).sum() for axis in range(3))
""",
        },
        contestants=(FASTGRAD, JAX, OLD_JAX),
    ),
)
