"""A product of rotations about axes, each made from its angle: matrices of 3 x 3 in a loop."""

from benchmarks.reported.case import FASTGRAD, JAX, OLD_JAX, Case

CASES = (
    Case(
        name="rotations",
        title="gradient of a product of 1,000 rotations by Rodrigues' formula",
        report="jax #26145",
        link="https://github.com/jax-ml/jax/issues/26145",
        story="Programs of many small operations are five to ten times slower than with JAX 0.4.31. The report is of a "
        "whole simulator; this case is a loop of 3×3 products that stands for such programs.",
        arguments="""
def arguments(size):
    random = np.random.RandomState(0)
    axes = random.normal(size=(size, 3))
    return random.rand(size), axes / np.sqrt((axes * axes).sum(axis=1))[:, None]
""",
        size=1000,
        tiny=4,
        texts={
            FASTGRAD: """
@njit
def rotation(axis, angle):
    c, s = math.cos(angle), math.sin(angle)
    x, y, z = axis[0], axis[1], axis[2]
    skew = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) * c + s * skew + (1.0 - c) * np.outer(axis, axis)

@njit
def f(angles, axes):
    m = np.eye(3)
    for i in range(angles.size):
        m = m @ rotation(axes[i], angles[i])
    return (m @ np.array([1.0, 2.0, 3.0])).sum()
""",
            JAX: """
def f(angles, axes):
    def step(m, pair):
        axis, angle = pair
        c, s = jnp.cos(angle), jnp.sin(angle)
        x, y, z = axis
        skew = jnp.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
        return m @ (jnp.eye(3) * c + s * skew + (1.0 - c) * jnp.outer(axis, axis)), None
    return (lax.scan(step, jnp.eye(3), (axes, angles))[0] @ jnp.array([1.0, 2.0, 3.0])).sum()
""",
        },
        contestants=(FASTGRAD, JAX, OLD_JAX),
    ),
)
