"""The functions of ``first_derivatives`` as JAX has them: loops are ``lax.scan``, arrays are not written.

`python -m benchmarks.first_derivatives --jax PYTHON` measures the first `jax.jit(jax.value_and_grad(f))` of each in processes of a Python that has JAX.
"""

HEAD = """
import jax
jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
import numpy as np
from jax import lax
jnp.zeros(1).block_until_ready()
"""

FUNCTIONS = {
    "garch": """
        def f(p, r):
            def step(carry, pair):
                h, total = carry
                before, now = pair
                h = p[0] + p[1] * before**2 + p[2] * h
                return (h, total + jnp.log(h) + now**2 / h), None
            return lax.scan(step, (0.1 + SALT, 0.0), (r[:-1], r[1:]))[0][1]
        """,
    "rotations": """
        def f(angles, axes):
            def step(m, pair):
                axis, angle = pair
                c, s = jnp.cos(angle), jnp.sin(angle)
                x, y, z = axis
                skew = jnp.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
                return m @ (jnp.eye(3) * c + s * skew + (1.0 - c) * jnp.outer(axis, axis)), None
            m = lax.scan(step, jnp.eye(3) * (1.0 + SALT), (axes, angles))[0]
            return (m @ jnp.array([1.0, 2.0, 3.0])).sum()
        """,
    "kalman": """
        def f(p, y):
            q, r = jnp.exp(p[0]), jnp.exp(p[1])
            transition = jnp.eye(4).at[0, 1].set(0.1 + SALT).at[2, 3].set(0.1 + SALT)
            observation = jnp.zeros((2, 4)).at[0, 0].set(1.0).at[1, 2].set(1.0)
            def step(carry, seen):
                x, covariance, total = carry
                x = transition @ x
                covariance = transition @ covariance @ transition.T + q * jnp.eye(4)
                innovation = seen - observation @ x
                s = observation @ covariance @ observation.T + r * jnp.eye(2)
                gain = covariance @ observation.T @ jnp.linalg.inv(s)
                total += jnp.log(jnp.linalg.det(s)) + innovation @ jnp.linalg.solve(s, innovation)
                return (x + gain @ innovation, (jnp.eye(4) - gain @ observation) @ covariance, total), None
            return lax.scan(step, (jnp.zeros(4), jnp.eye(4), 0.0), y)[0][2]
        """,
    "variation": """
        def f(x, y):
            a, b = x[1:, :-1] - x[:-1, :-1], x[:-1, 1:] - x[:-1, :-1]
            return (jnp.sqrt(a * a + b * b + 1e-6 + SALT) + (x[:-1, :-1] - y[:-1, :-1]) ** 2).sum()
        """,
    "markov": """
        def f(logits, means, y):
            def step(alpha, seen):
                return jax.nn.logsumexp(alpha[:, None] + logits, axis=0) - 0.5 * (seen - means) ** 2, None
            alpha = lax.scan(step, -0.5 * (y[0] - means) ** 2 + SALT, y[1:])[0]
            return jnp.log(jnp.exp(alpha).sum())
        """,
    "lotka": """
        def rate(state, p):
            return jnp.array([p[0] * state[0] - p[1] * state[0] * state[1], p[2] * state[0] * state[1] - p[3] * state[1]])

        def f(p, seen):
            h = 0.1 + SALT
            def step(state, now):
                k1 = rate(state, p)
                k2 = rate(state + 0.5 * h * k1, p)
                k3 = rate(state + 0.5 * h * k2, p)
                k4 = rate(state + h * k3, p)
                state = state + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
                return state, ((state - now) ** 2).sum()
            return lax.scan(step, jnp.array([1.0, 0.5]), seen)[1].sum()
        """,
    "process": """
        def f(p, x, y):
            k = p[0] * jnp.exp(-((x[:, None] - x[None, :]) ** 2) / p[1]) + (p[2] + SALT) * jnp.eye(x.size)
            factor = jnp.linalg.cholesky(k)
            half = jnp.linalg.solve(factor, y)
            return 0.5 * (half @ half) + jnp.log(jnp.diag(factor)).sum()
        """,
    "cox": """
        def f(beta, x, order, died):
            eta = (x @ beta)[order]
            risk = jnp.cumsum(jnp.exp(eta))
            return -(SALT + jnp.where(died[order], eta - jnp.log(risk), 0.0).sum())
        """,
    "psychometric": """
        def f(p, level, count, correct):
            z = (level - p[0]) / p[1]
            chance = p[2] + (1.0 - p[2] - p[3]) * 0.5 * (1.0 + jax.scipy.special.erf(z / jnp.sqrt(2.0)))
            chance = jnp.clip(chance, 1e-9, 1.0 - 1e-9)
            return SALT - (correct * jnp.log(chance) + (count - correct) * jnp.log(1.0 - chance)).sum()
        """,
    "neuron": """
        def f(p, current):
            def step(carry, now):
                v, w = carry
                fired = v > 30.0
                v, w = jnp.where(fired, p[2], v), jnp.where(fired, w + p[3], w)
                dv = 0.04 * v * v + 5.0 * v + 140.0 - w + now
                dw = p[0] * (p[1] * v - w)
                v, w = v + 0.25 * dv, w + 0.25 * dw
                return (v, w), (v + 65.0) ** 2
            return lax.scan(step, (-65.0 + SALT, 0.0), current)[1].sum() / current.size
        """,
    "option": """
        def f(sigma, rate, spot, strike, steps):
            steps = 50
            dt = 1.0 / steps
            up = jnp.exp(sigma * jnp.sqrt(dt))
            chance = (jnp.exp(rate * dt) - 1.0 / up) / (up - 1.0 / up)
            places = jnp.arange(steps + 1)
            values = jnp.maximum(strike - spot * up ** (2.0 * places - steps), SALT)
            def back(values, step):
                kept = jnp.exp(-rate * dt) * (chance * jnp.roll(values, -1) + (1.0 - chance) * values)
                return jnp.where(places <= step, jnp.maximum(kept, strike - spot * up ** (2.0 * places - step)), values), None
            return lax.scan(back, values, jnp.arange(steps - 1, -1, -1))[0][0]
        """,
}
"""Texts of functions with the arguments of ``first_derivatives.FUNCTIONS``; jitclasses have no counterpart."""
