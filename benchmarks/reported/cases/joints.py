"""The links of a robot with 35 joints: transforms from base to hand, Jacobians, and the trace of a mass matrix."""

from benchmarks.reported.case import ALL, FASTGRAD, JAX, OLD_JAX, Case

CASES = (
    Case(
        name="joints",
        title="gradient of kinetic energy of a chain of 35 joints, 4×4 transforms",
        report="jax #26021",
        link="https://github.com/jax-ml/jax/issues/26021",
        story="The mass matrix of a robot with 35 joints is slower on every JAX since 0.4.32.",
        arguments="""
def arguments(size):
    random = np.random.RandomState(0)
    return random.rand(size), random.rand(size), 0.1 * random.normal(size=(size, 3)), 1.0 + random.rand(size)
""",
        size=35,
        tiny=4,
        texts={
            FASTGRAD: """
@njit
def f(q, velocity, offsets, masses):
    n = q.size
    world = np.eye(4)
    axes, origins = np.zeros((n, 3)), np.zeros((n, 3))
    energy = 0.0
    for i in range(n):
        c, s = math.cos(q[i]), math.sin(q[i])
        link = np.array([[c, -s, 0.0, offsets[i, 0]], [0.0, 0.0, -1.0, offsets[i, 1]], [s, c, 0.0, offsets[i, 2]], [0.0, 0.0, 0.0, 1.0]])
        world = world @ link
        axes[i] = world[:3, 2]
        origins[i] = world[:3, 3]
        center = world[:3, 3] + 0.05 * world[:3, 0]
        linear = np.zeros(3)
        angular = np.zeros(3)
        for j in range(i + 1):
            linear = linear + velocity[j] * np.cross(axes[j], center - origins[j])
            angular = angular + velocity[j] * axes[j]
        energy += 0.5 * masses[i] * (linear @ linear + 0.01 * (angular @ angular))
    return energy
""",
            JAX: """
def f(q, velocity, offsets, masses):
    n = q.size
    c, s, zero, one = jnp.cos(q), jnp.sin(q), jnp.zeros(n), jnp.ones(n)
    links = jnp.array([[c, -s, zero, offsets[:, 0]], [zero, zero, -one, offsets[:, 1]], [s, c, zero, offsets[:, 2]], [zero, zero, zero, one]])
    def step(world, link):
        world = world @ link
        return world, world
    world = lax.scan(step, jnp.eye(4), jnp.moveaxis(links, 2, 0))[1]
    axes, origins = world[:, :3, 2], world[:, :3, 3]
    centers = origins + 0.05 * world[:, :3, 0]
    below = jnp.tril(jnp.ones((n, n)))[:, :, None] * velocity[None, :, None]
    linear = (below * jnp.cross(axes[None], centers[:, None] - origins[None])).sum(axis=1)
    angular = (below * axes[None]).sum(axis=1)
    return (0.5 * masses * ((linear**2).sum(axis=1) + 0.01 * (angular**2).sum(axis=1))).sum()
""",
        },
        contestants=(FASTGRAD, JAX, OLD_JAX),
        others=ALL,
    ),
)
