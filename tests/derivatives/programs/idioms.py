"""Small programs of economics, orbits, grids and statistics, as users of Numba write them."""

import math

import numpy as np
from numba import njit

from tests.derivatives.table import A, B, N, P, V, X, Y, program


@program((P, 0.95, 2.0))
def values_of_a_savings_problem(grid, beta, gamma):
    n = grid.size
    value = np.zeros(n)
    for _ in range(5):
        new = np.empty(n)
        for i in range(n):
            best = -np.inf
            for j in range(n):
                consumption = 3.0 * grid[i] - grid[j]
                if consumption > 0.0:
                    total = consumption ** (1.0 - gamma) / (1.0 - gamma) + beta * value[j]
                    best = max(best, total)
            new[i] = best
        value = new
    return value.sum()


@program((np.array([[0.8, 0.2], [0.3, 0.7]]), np.array([0.4, 1.3])))
def stationary_distribution_by_powers(transition, payoff):
    distribution = np.ones(2) / 2
    for _ in range(30):
        distribution = distribution @ transition
        distribution /= distribution.sum()
    return distribution @ payoff


@program((P, X, 0.7))
def interpolated_policy(grid, values, x):
    grid = np.cumsum(np.abs(grid))
    i = np.searchsorted(grid, x) - 1
    i = min(max(i, 0), grid.size - 2)
    weight = (x - grid[i]) / (grid[i + 1] - grid[i])
    return (1 - weight) * values[i] + weight * values[i + 1]


@program((0.9, 0.4, X))
def first_order_autoregression(rho, sigma, shocks):
    z = np.zeros(shocks.size + 1)
    for t in range(shocks.size):
        z[t + 1] = rho * z[t] + sigma * shocks[t]
    return np.exp(z).mean() + z.var()


@program(P)
def gini_coefficient(y):
    n = len(y)
    total = np.zeros(n)
    for i in range(n):
        for j in range(n):
            total[i] += abs(y[i] - y[j])
    return np.sum(total) / (2 * n * np.sum(y))


@program((X, 0.6))
def simplex_projection(x, radius):
    ordered = np.sort(x)[::-1]
    total = 0.0
    for k in range(x.size):
        total += ordered[k]
        candidate = (total - radius) / (k + 1)
        if ordered[k] - candidate > 0:
            threshold = candidate
    projected = np.maximum(x - threshold, 0.0)
    return (projected * projected).sum()


@njit
def stumpff(z):
    if z > 1e-6:
        s = math.sqrt(z)
        return (1 - math.cos(s)) / z, (s - math.sin(s)) / s**3
    if z < -1e-6:
        s = math.sqrt(-z)
        return (1 - math.cosh(s)) / z, (math.sinh(s) - s) / s**3
    return 0.5, 1 / 6


@program((np.array([1.0, 0.1, 0.0]), np.array([0.05, 1.1, 0.2]), 0.8), (V, np.array([0.3, 2.1, 0.4]), 0.3))
def kepler_by_universal_variables(r, v, time):
    distance = np.linalg.norm(r)
    radial = np.dot(r, v) / distance
    alpha = 2 / distance - np.dot(v, v)
    chi = abs(alpha) * time
    for _ in range(12):
        c, s = stumpff(alpha * chi**2)
        error = radial * distance * chi**2 * c + (1 - alpha * distance) * chi**3 * s + distance * chi - time
        slope = radial * distance * chi * (1 - alpha * chi**2 * s) + (1 - alpha * distance) * chi**2 * c + distance
        chi -= error / slope
    c, s = stumpff(alpha * chi**2)
    f, g = 1 - chi**2 / distance * c, time - chi**3 * s
    return np.linalg.norm(f * r + g * v)


@program((np.array([1.1, 0.2, 0.3]), np.array([0.1, 0.9, 0.4])))
def orbital_elements(r, v):
    h = np.cross(r, v)
    node = np.cross(np.array([0.0, 0.0, 1.0]), h)
    e = (v @ v - 1 / np.linalg.norm(r)) * r - (r @ v) * v
    eccentricity = np.linalg.norm(e)
    inclination = np.arccos(h[2] / np.linalg.norm(h))
    raan = np.arctan2(node[1], node[0]) % (2 * np.pi)
    return eccentricity + 2 * inclination + 3 * raan


@njit
def rotation(angle, axis):
    c, s = np.cos(angle), np.sin(angle)
    if axis == 0:
        return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
    elif axis == 1:
        return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
    elif axis == 2:
        return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    else:
        raise ValueError("Invalid axis: must be one of 'x', 'y' or 'z'")


@program((V, 0.3, 0.8))
def rotated_frames(v, first, second):
    for axis, angle in ((0, first), (2, second), (1, first * second)):
        v = rotation(angle, axis) @ v
    return v[0] * v[1] + v[2]


@program((3.9, 0.2))
def eccentric_anomaly_until_converged(mean, eccentricity):
    anomaly = mean if eccentricity < 0.8 else math.pi
    for _ in range(50):
        step = (anomaly - eccentricity * math.sin(anomaly) - mean) / (1 - eccentricity * math.cos(anomaly))
        anomaly -= step
        if abs(step) < 1e-14:
            break
    else:
        raise RuntimeError("no convergence")
    return 2 * math.atan(math.sqrt((1 + eccentricity) / (1 - eccentricity)) * math.tan(anomaly / 2))


@program((np.outer(P, X), 3))
def jacobi_in_two_dimensions(a, steps):
    b = a.copy()
    for _ in range(steps):
        b[1:-1, 1:-1] = 0.2 * (a[1:-1, 1:-1] + a[1:-1, :-2] + a[1:-1, 2:] + a[2:, 1:-1] + a[:-2, 1:-1])
        a[1:-1, 1:-1] = 0.2 * (b[1:-1, 1:-1] + b[1:-1, :-2] + b[1:-1, 2:] + b[2:, 1:-1] + b[:-2, 1:-1])
    return (a * b).sum()


@program((np.outer(P, X), np.outer(X, P), np.outer(P, P)))
def finite_difference_time_domain(ex, ey, hz):
    for t in range(3):
        ey[0, :] = t * 0.1
        ey[1:, :] -= 0.5 * (hz[1:, :] - hz[:-1, :])
        ex[:, 1:] -= 0.5 * (hz[:, 1:] - hz[:, :-1])
        hz[:-1, :-1] -= 0.7 * (ex[:-1, 1:] - ex[:-1, :-1] + ey[1:, :-1] - ey[:-1, :-1])
    return (ex * ey * hz).sum()


@program(A @ A.T + np.eye(3))
def cholesky_in_place(a):
    for i in range(a.shape[0]):
        for j in range(i):
            a[i, j] -= np.dot(a[i, :j], a[j, :j])
            a[i, j] /= a[j, j]
        a[i, i] -= np.dot(a[i, :i], a[i, :i])
        a[i, i] = np.sqrt(a[i, i])
    return a[2, 2] * a[1, 0] + a[2, 1]


@program(A)
def gram_schmidt(a):
    n = a.shape[1]
    q, r = np.zeros_like(a), np.zeros((n, n))
    for k in range(n):
        r[k, k] = np.sqrt((a[:, k] ** 2).sum())
        q[:, k] = a[:, k] / r[k, k]
        for j in range(k + 1, n):
            r[k, j] = (q[:, k] * a[:, j]).sum()
            a[:, j] -= q[:, k] * r[k, j]
    return r[0, 2] * r[1, 1] + q[1, 2]


@program((np.array([0.3, -0.2, 0.1]),))
def durbin_recursion(r):
    y = np.empty_like(r)
    alpha, beta = -r[0], 1.0
    y[0] = -r[0]
    for k in range(1, r.shape[0]):
        beta *= 1.0 - alpha * alpha
        alpha = -(r[k] + (np.flip(r[:k]) * y[:k]).sum()) / beta
        y[:k] += alpha * np.flip(y[:k])
        y[k] = alpha
    return y.sum() * y[2]


@program((np.outer(P, X), 0.5))
def correlations(data, eps):
    mean = np.empty(data.shape[1])
    for j in range(data.shape[1]):
        mean[j] = data[:, j].mean()
    centred = data - mean
    deviation = np.sqrt((centred**2).sum(axis=0) / data.shape[0])
    deviation[deviation <= eps] = 1.0
    centred /= np.sqrt(data.shape[0]) * deviation
    return (centred.T @ centred)[0, 1:].sum()


@program((V, A))
def softmax_attention(q, keys):
    scores = np.exp(q @ keys - np.max(q @ keys))
    weights = scores / scores.sum()
    return (weights * weights).sum() + (keys @ weights)[0]


@program((np.outer(P, X), np.array([[0.5, -0.2], [0.1, 0.8]])))
def convolution_by_windows(image, kernel):
    height, width = image.shape[0] - 1, image.shape[1] - 1
    out = np.empty((height, width))
    for i in range(height):
        for j in range(width):
            out[i, j] = np.sum(image[i : i + 2, j : j + 2] * kernel)
    return np.maximum(out, 0).sum()


@program((np.outer(P, np.array([1.0, 0.5, -0.4])), np.array([1.0, 2.0, 0.5, 1.5])))
def gravity_of_bodies(positions, masses):
    x, y, z = positions[:, 0:1], positions[:, 1:2], positions[:, 2:3]
    dx, dy, dz = x.T - x, y.T - y, z.T - z
    inverse = (dx**2 + dy**2 + dz**2 + 0.1**2) ** (-1.5)
    return ((dx * inverse) @ masses)[0] + ((dy * inverse) @ masses)[2] * ((dz * inverse) @ masses)[1]


@program((P, 0.3))
def implicit_diffusion_by_a_tridiagonal_solver(u, d):
    n = u.size
    c, rhs = np.zeros(n), np.zeros(n)
    for _ in range(3):
        c[0], rhs[0] = -d / (1 + 2 * d), u[0] / (1 + 2 * d)
        for i in range(1, n):
            m = 1 + 2 * d + d * c[i - 1]
            c[i] = -d / m
            rhs[i] = (u[i] + d * rhs[i - 1]) / m
        u[-1] = rhs[-1]
        for i in range(n - 2, -1, -1):
            u[i] = rhs[i] - c[i] * u[i + 1]
    return (u * u).sum()


@program((X, Y, P))
def weighted_least_squares(x, y, w):
    sw, sx, sy = w.sum(), (w * x).sum(), (w * y).sum()
    slope = (sw * (w * x * y).sum() - sx * sy) / (sw * (w * x * x).sum() - sx**2)
    residuals = y - slope * x - (sy - slope * sx) / sw
    return np.sqrt((w * residuals**2).sum() / sw)


@program((X, P, 1.5))
def huber_loss_with_a_mask(x, y, delta):
    r = np.abs(x - y)
    small = r <= delta
    return 0.5 * (r[small] ** 2).sum() + (delta * (r[~small] - 0.5 * delta)).sum()


@program((0.04, 0.2, 100.0, 95.0))
def option_price(rate, volatility, spot, strike):
    def cdf(x):
        return 0.5 * (1.0 + math.erf(x / math.sqrt(2.0)))

    d1 = (math.log(spot / strike) + (rate + 0.5 * volatility**2)) / volatility
    return spot * cdf(d1) - strike * math.exp(-rate) * cdf(d1 - volatility)


@program((1.05, 0.96, 0.5, 6))
def american_option_on_a_tree(up, down, p, n):
    values = np.empty(n + 1)
    for i in range(n + 1):
        values[i] = max(1.02 - up**i * down ** (n - i), 0.0)
    for step in range(n - 1, -1, -1):
        for i in range(step + 1):
            held = 0.99 * (p * values[i + 1] + (1 - p) * values[i])
            values[i] = max(held, 1.02 - up**i * down ** (step - i))
    return values[0]


@program((V, np.array([0.2, 0.5, 0.3]), np.array([0, 2, 1, 1])))
def forward_algorithm_in_logarithms(scores, start, observed):
    log_alpha = np.log(start)
    for o in observed:
        new = np.empty(3)
        for j in range(3):
            terms = log_alpha + scores * (j + 1.0)
            largest = terms.max()
            new[j] = largest + np.log(np.exp(terms - largest).sum()) - scores[o] ** 2
        log_alpha = new
    return np.log(np.exp(log_alpha).sum())


@program((X, Y))
def dynamic_time_warping(x, y):
    cost = np.full((x.size + 1, y.size + 1), np.inf)
    cost[0, 0] = 0.0
    for i in range(1, x.size + 1):
        for j in range(1, y.size + 1):
            cost[i, j] = (x[i - 1] - y[j - 1]) ** 2 + min(cost[i - 1, j], cost[i, j - 1], cost[i - 1, j - 1])
    return math.sqrt(cost[-1, -1])


@program(
    (np.array([0.0, 2.0, 3.0]), np.array([0, 2, 1, 0, 2]), np.array([0, 1, 3, 5]), np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
)
def conjugate_gradients_of_a_sparse_matrix(b, columns, starts, entries):
    def product(v):
        out = 9.0 * v
        for row in range(v.size):
            for k in range(starts[row], starts[row + 1]):
                out[row] += 0.1 * entries[k] * v[columns[k]]
        return out

    x, r = np.zeros_like(b), b.copy()
    p, rs = r, r @ r
    for _ in range(3):
        ap = product(p)
        alpha = rs / (p @ ap)
        x = x + alpha * p
        r = r - alpha * ap
        new = r @ r
        p, rs = r + new / rs * p, new
    return x.sum()


@program((np.array([1.0, 0.5]), 0.3))
def adaptive_runge_kutta(y, h):
    def slope(y):
        return np.array([y[1], -np.sin(y[0])])

    time, steps = 0.0, 0
    while time < 1.0 and steps < 50:
        h = min(h, 1.0 - time)
        k1 = slope(y)
        k2 = slope(y + h * k1)
        error = np.max(np.abs(0.5 * h * (k2 - k1)))
        if error < 0.02:
            y = y + 0.5 * h * (k1 + k2)
            time += h
            h *= 1.5
        else:
            h *= 0.5
        steps += 1
    return y[0] * y[1]


@program((P, X))
def polynomials_and_their_slopes(coefficients, x):
    total = 0.0
    for point in x:
        value, slope = 0.0, 0.0
        for c in coefficients[::-1]:
            slope = slope * point + value
            value = value * point + c
        total += value * slope
    return total


@program((B, V))
def newton_with_a_solver(b, start):
    x = start.copy()
    for _ in range(4):
        residual = b @ x + x**3 - 1.0
        jacobian = b + np.diag(3.0 * x**2)
        x -= np.linalg.solve(jacobian, residual)
    return (x * x).sum()


@program((X, N))
def histogram_of_weights(weights, bins):
    counts = np.zeros(4)
    for i, b in enumerate(bins[:4]):
        counts[b] += weights[i] ** 2
    shares = counts / counts.sum()
    return -sum([p * math.log(p) for p in shares if p > 0])
