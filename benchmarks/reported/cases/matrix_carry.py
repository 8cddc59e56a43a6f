"""A 3 x 3 matrix that a loop carries, as the square root of a covariance in a Gaussian process of time."""

from benchmarks.reported.case import ALL, FASTGRAD, JAX, OLD_JAX, Case

CASES = (
    Case(
        name="matrix_carry",
        title="gradient of a loop of 2,000 steps over a 3×3 float64 matrix",
        report="jax #36799",
        link="https://github.com/jax-ml/jax/issues/36799",
        story="A `lax.scan` whose carry is a 3×3 float64 matrix is ten times slower than with JAX 0.4.31; a Cholesky "
        "factorization of a quasiseparable matrix has such a loop.",
        arguments="""
def arguments(size):
    random = np.random.RandomState(0)
    transitions = 0.9 * np.eye(3) + 0.02 * random.normal(size=(size, 3, 3))
    return np.array([1.5, 0.3, 0.2]), transitions, 0.1 * random.normal(size=(size, 3)), 2.0 + random.rand(size)
""",
        size=2000,
        tiny=6,
        texts={
            FASTGRAD: """
@njit
def f(p, transitions, q, diagonal):
    carry = np.zeros((3, 3))
    total = 0.0
    for t in range(diagonal.size):
        a = transitions[t]
        product = carry @ p
        c = math.sqrt(diagonal[t] - p @ product)
        w = (q[t] - a @ product) / c
        carry = a @ carry @ a.T + np.outer(w, w)
        total += math.log(c) + (w * p).sum()
    return total
""",
            JAX: """
def f(p, transitions, q, diagonal):
    def step(pair, now):
        carry, total = pair
        a, q, d = now
        product = carry @ p
        c = jnp.sqrt(d - p @ product)
        w = (q - a @ product) / c
        return (a @ carry @ a.T + jnp.outer(w, w), total + jnp.log(c) + (w * p).sum()), None
    return lax.scan(step, (jnp.zeros((3, 3)), 0.0), (transitions, q, diagonal))[0][1]
""",
        },
        contestants=(FASTGRAD, JAX, OLD_JAX),
        others=ALL,
    ),
)
