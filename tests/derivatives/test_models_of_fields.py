"""Models as engineers and scientists write them: values, gradients, and both ways to compile the derivatives."""

from __future__ import annotations

import cmath
import math
from typing import NamedTuple

import numba
import numpy as np
import pytest
from numba.core.runtime import _nrt_python

import fastgrad as fg
from tests.derivatives import both_ways, central
from tests.derivatives.table import active, copy_of

pytestmark = pytest.mark.filterwarnings("ignore::numba.core.errors.NumbaPerformanceWarning")
RANDOM = np.random.default_rng(5)


class Heston(NamedTuple):
    kappa: float
    theta: float
    sigma: float
    rho: float
    variance: float


@numba.njit
def heston_characteristic(u, maturity, rate, model):
    a = model.kappa - 1j * model.rho * model.sigma * u
    d = cmath.sqrt(a * a + model.sigma**2 * (u * u + 1j * u))
    g = (a - d) / (a + d)
    decay = cmath.exp(-d * maturity)
    level = model.variance / model.sigma**2 * (1.0 - decay) / (1.0 - g * decay) * (a - d)
    drift = (a - d) * maturity - 2.0 * cmath.log((1.0 - g * decay) / (1.0 - g))
    return cmath.exp(1j * u * rate * maturity + level + model.kappa * model.theta / model.sigma**2 * drift)


@numba.njit
def cosine_coefficients(k, a, b, c, d):
    """Coefficients of exp and of 1 on [c, d]."""
    if k == 0:
        return math.exp(d) - math.exp(c), d - c
    w = k * math.pi / (b - a)
    upper, lower = w * (d - a), w * (c - a)
    chi = math.cos(upper) * math.exp(d) - math.cos(lower) * math.exp(c)
    chi += w * (math.sin(upper) * math.exp(d) - math.sin(lower) * math.exp(c))
    return chi / (1.0 + w * w), (math.sin(upper) - math.sin(lower)) / w


@numba.njit
def heston_puts(model, spot, rate, maturity, strikes):
    """Fang and Oosterlee's COS method; the sum of puts."""
    decay = math.exp(-model.kappa * maturity)
    mean = rate * maturity + (1.0 - decay) * (model.theta - model.variance) / (2.0 * model.kappa)
    mean -= 0.5 * model.theta * maturity
    width = 12.0 * math.sqrt(abs(model.theta * maturity) + model.variance * model.sigma)
    a, b = mean - width, mean + width
    phi = np.empty(96, dtype=np.complex128)
    for k in range(96):
        phi[k] = heston_characteristic(k * math.pi / (b - a), maturity, rate, model)
    total = 0.0
    for strike in strikes:
        x = math.log(spot / strike)
        price = 0.0
        for k in range(96):
            chi, psi = cosine_coefficients(k, a, b, a, 0.0)
            weight = 0.5 if k == 0 else 1.0
            price += weight * (phi[k] * np.exp(1j * k * np.pi * (x - a) / (b - a))).real * (psi - chi)
        total += strike * math.exp(-rate * maturity) * 2.0 / (b - a) * price
    return total


@numba.njit
def tree_likelihood(lengths, kappa, frequencies, children, tips, weights):
    """Felsenstein's pruning under the HKY model, with a symmetrized rate matrix."""
    p = frequencies / frequencies.sum()
    q = np.zeros((4, 4))
    for i in range(4):
        for j in range(4):
            if i != j:
                q[i, j] = p[j] * (kappa if abs(i - j) == 2 else 1.0)
        q[i, i] = -q[i].sum()
    q /= -(p * np.diag(q)).sum()
    root = np.sqrt(p)
    symmetric = root.reshape(4, 1) * q / root
    values, vectors = np.linalg.eigh(0.5 * (symmetric + symmetric.T))
    left = vectors / root.reshape(4, 1)
    right = vectors.T * root
    count, sites = tips.shape
    partial = np.ones((count + children.shape[0], sites, 4))
    for tip in range(count):
        for site in range(sites):
            if tips[tip, site] >= 0:
                partial[tip, site] = 0.0
                partial[tip, site, tips[tip, site]] = 1.0
    log_scale = np.zeros(sites)
    for node in range(children.shape[0]):
        for child in children[node]:
            transition = (left * np.exp(values * lengths[child])) @ right
            partial[count + node] *= partial[child] @ transition.T
        for site in range(sites):
            largest = partial[count + node, site].max()
            partial[count + node, site] /= largest
            log_scale[site] += np.log(largest)
    return np.sum(weights * (np.log(partial[-1] @ p) + log_scale))


@numba.njit
def first_passage_density(t, drift, boundary, bias, precision=1e-12):
    """Navarro and Fuss: the shorter of two series."""
    u = t / boundary**2
    if math.pi * u * precision < 1.0:
        large = max(
            math.sqrt(-2.0 * math.log(math.pi * u * precision) / (math.pi**2 * u)), 1.0 / (math.pi * math.sqrt(u))
        )
    else:
        large = 1.0 / (math.pi * math.sqrt(u))
    if 2.0 * math.sqrt(2.0 * math.pi * u) * precision < 1.0:
        small = 2.0 + math.sqrt(-2.0 * u * math.log(2.0 * precision * math.sqrt(2.0 * math.pi * u)))
        small = max(small, math.sqrt(u) + 1.0)
    else:
        small = 2.0
    density = 0.0
    if small < large:
        terms = math.ceil(small)
        for k in range(-((terms - 1) // 2), math.ceil((terms - 1) / 2) + 1):
            density += (bias + 2 * k) * math.exp(-((bias + 2 * k) ** 2) / 2.0 / u)
        density /= math.sqrt(2.0 * math.pi * u**3)
    else:
        for k in range(1, math.ceil(large) + 1):
            density += k * math.exp(-(k**2) * math.pi**2 * u / 2.0) * math.sin(k * math.pi * bias)
        density *= math.pi
    return density * math.exp(-drift * boundary * bias - drift**2 * t / 2.0) / boundary**2


@numba.njit
def drift_diffusion_likelihood(drifts, boundary, bias, non_decision, times, choices, conditions):
    total = 0.0
    for i in range(times.size):
        t = abs(times[i]) - non_decision
        if t <= 0.0:
            return -np.inf
        v = drifts[conditions[i]]
        if choices[i]:
            density = first_passage_density(t, -v, boundary, 1.0 - bias)
        else:
            density = first_passage_density(t, v, boundary, bias)
        total += math.log(0.98 * density + 0.01)
    return total


@numba.njit
def eccentric_anomaly(mean_anomaly, e):
    m = mean_anomaly % (2.0 * math.pi)
    anomaly = m + e * math.sin(m) if e < 0.8 else math.pi
    for _ in range(50):
        step = (anomaly - e * math.sin(anomaly) - m) / (1.0 - e * math.cos(anomaly))
        anomaly -= step
        if abs(step) < 1e-13:
            break
    return anomaly


@numba.njit
def radial_velocity_likelihood(planets, offsets, jitter, times, velocities, errors, instruments):
    total = 0.0
    for i, t in enumerate(times):
        model = offsets[instruments[i]]
        for period, semi_amplitude, h, k, phase in planets:
            e = h * h + k * k
            omega = math.atan2(h, k)
            anomaly = eccentric_anomaly(2.0 * math.pi * (t / period - phase), e)
            true = 2.0 * math.atan(math.sqrt((1.0 + e) / (1.0 - e)) * math.tan(anomaly / 2.0))
            model += semi_amplitude * (math.cos(true + omega) + e * math.cos(omega))
        variance = errors[i] ** 2 + jitter[instruments[i]] ** 2
        total -= 0.5 * ((velocities[i] - model) ** 2 / variance + math.log(2.0 * math.pi * variance))
    return total


@numba.njit
def peaking(frequency, gain, quality, rate):
    """The Audio EQ Cookbook's peaking filter."""
    w = 2.0 * np.pi * frequency / rate
    alpha = np.sin(w) / (2.0 * quality)
    level = 10.0 ** (gain / 40.0)
    b = np.array([1.0 + alpha * level, -2.0 * np.cos(w), 1.0 - alpha * level])
    a = np.array([1.0 + alpha / level, -2.0 * np.cos(w), 1.0 - alpha / level])
    return b / a[0], a / a[0]


@numba.njit
def equalizer_loss(frequencies, gains, qualities, cutoff, resonance, signal, target, rate):
    """Biquads in transposed direct form II, then a ladder of four saturating stages."""
    y = signal.copy()
    for section in range(len(gains)):
        b, a = peaking(frequencies[section], gains[section], qualities[section], rate)
        z1 = z2 = 0.0
        for n in range(y.shape[0]):
            x = y[n]
            out = b[0] * x + z1
            z1 = b[1] * x - a[1] * out + z2
            z2 = b[2] * x - a[2] * out
            y[n] = out
    g = 1.0 - math.exp(-2.0 * math.pi * cutoff / rate)
    stage = np.zeros(4)
    loss = 0.0
    for n in range(len(y)):
        drive = math.tanh(y[n] - 4.0 * resonance * stage[3])
        for s in range(4):
            stage[s] += g * (drive - math.tanh(stage[s]))
            drive = math.tanh(stage[s])
        loss += (stage[-1] - target[n]) ** 2
    return 10.0 * np.log10(loss / len(y))


@numba.njit
def soft_minimum(a, b, c, gamma):
    a, b, c = -a / gamma, -b / gamma, -c / gamma
    largest = max(a, b, c)
    return -gamma * (np.log(np.exp(a - largest) + np.exp(b - largest) + np.exp(c - largest)) + largest)


@numba.njit
def soft_dtw(x, y, gamma):
    n, m = x.shape[0], y.shape[0]
    r = np.full((n + 1, m + 1), np.inf)
    r[0, 0] = 0.0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            cost = np.sum((x[i - 1] - y[j - 1]) ** 2)
            r[i, j] = cost + soft_minimum(r[i - 1, j], r[i - 1, j - 1], r[i, j - 1], gamma)
    return r[n, m]


@numba.njit
def masked_factorization(w, h, ratings, mask, ridge):
    """Kullback-Leibler loss of a masked factorization, after one multiplicative update."""
    eps = 1e-9
    v = np.maximum(w, 0.0)
    product = v @ h
    quotient = np.where(mask, ratings / (product + eps), 0.0)
    h = h * (v.T @ quotient) / (v.T @ mask.astype(np.float64) + eps)
    loss = 0.0
    for i, j in zip(*np.nonzero(mask)):  # noqa: B905  # Numba has no strict
        p = np.dot(v[i], np.ascontiguousarray(h[:, j])) + eps
        r = ratings[i, j]
        loss += r * np.log(r / p) - r + p
    return loss / mask.sum() + ridge * (np.linalg.norm(w) ** 2 + (h**2).sum())


class Quadrotor(NamedTuple):
    mass: float
    inertia: np.ndarray
    arm: float
    drag: float


@numba.njit
def quaternion_product(p, q):
    return np.array(
        [
            p[0] * q[0] - p[1] * q[1] - p[2] * q[2] - p[3] * q[3],
            p[0] * q[1] + p[1] * q[0] + p[2] * q[3] - p[3] * q[2],
            p[0] * q[2] - p[1] * q[3] + p[2] * q[0] + p[3] * q[1],
            p[0] * q[3] + p[1] * q[2] - p[2] * q[1] + p[3] * q[0],
        ]
    )


@numba.njit
def quadrotor_rates(state, thrusts, body):
    v, q, w = state[3:6], state[6:10], state[10:13]
    conjugate = np.array([q[0], -q[1], -q[2], -q[3]])
    force = np.array([0.0, 0.0, 0.0, thrusts.sum()])
    acceleration = quaternion_product(quaternion_product(q, force), conjugate)[1:] / body.mass
    acceleration[2] -= 9.81
    acceleration -= body.drag / body.mass * np.linalg.norm(v) * v
    torque = np.array(
        [
            body.arm * (thrusts[1] - thrusts[3]),
            body.arm * (thrusts[2] - thrusts[0]),
            0.02 * (thrusts[0] - thrusts[1] + thrusts[2] - thrusts[3]),
        ]
    )
    spin = np.linalg.solve(body.inertia, torque - np.cross(w, body.inertia @ w))
    turn = 0.5 * quaternion_product(q, np.concatenate((np.zeros(1), w)))
    return np.concatenate((v, acceleration, turn, spin))


NODES, WEIGHTS = np.array([0.0, 0.5, 0.5, 1.0]), np.array([1.0, 2.0, 2.0, 1.0]) / 6.0


@numba.njit
def flight_cost(thrusts, body, start, goal, dt):
    state = start.copy()
    cost = 0.0
    for u in thrusts:
        rates, mean = np.zeros(13), np.zeros(13)
        for stage in range(4):  # of Runge and Kutta
            rates = quadrotor_rates(state + dt * NODES[stage] * rates, u, body)
            mean += WEIGHTS[stage] * rates
        state = state + dt * mean
        state[6:10] /= np.linalg.norm(state[6:10])
        cost += dt * (np.sum((state[:3] - goal) ** 2) + 0.01 * (u @ u))
    return cost + 10.0 * np.linalg.norm(state[3:6])


logistic = numba.njit(lambda x: 1.0 / (1.0 + np.exp(-x)))


@numba.njit
def capture_recapture(survival, capture, slope, histories, covariate, counts):
    """Cormack, Jolly and Seber, with a covariate of survival."""
    animals, occasions = histories.shape
    phi = logistic(survival + slope * covariate)
    p = logistic(capture)
    never = np.ones(occasions)
    for t in range(occasions - 2, -1, -1):
        never[t] = 1.0 - phi[t] + phi[t] * (1.0 - p[t]) * never[t + 1]
    total = 0.0
    for i in range(animals):
        seen = np.where(histories[i] == 1)[0]
        if len(seen) == 0:
            continue
        first, last = seen[0], seen[-1]
        term = 0.0
        for t in range(first, last):
            term += np.log(phi[t])
            term += np.log(p[t]) if histories[i, t + 1] else np.log1p(-p[t])
        total += counts[i] * (term + np.log(never[last]))
    return -total


@numba.njit
def lennard_jones(positions, box, epsilon, sigma, species, cutoff):
    """Energy and the sum of the forces' squares by a cell list, with the minimum image."""
    n = positions.shape[0]
    cells = np.maximum((box // cutoff).astype(np.int64), 1)
    head = np.full((cells[0], cells[1], cells[2]), -1)
    after = np.empty(n, dtype=np.int64)
    where = np.empty((n, 3), dtype=np.int64)
    for i in range(n):
        for d in range(3):
            wrapped = positions[i, d] - box[d] * np.floor(positions[i, d] / box[d])
            where[i, d] = min(int(wrapped / box[d] * cells[d]), cells[d] - 1)
        x, y, z = where[i]
        after[i] = head[x, y, z]
        head[x, y, z] = i
    force = np.zeros_like(positions)
    energy = 0.0
    delta = np.empty(3)
    for i in range(n):
        for offset in range(27):
            x = (where[i, 0] + offset // 9 - 1) % cells[0]
            y = (where[i, 1] + offset // 3 % 3 - 1) % cells[1]
            z = (where[i, 2] + offset % 3 - 1) % cells[2]
            j = head[x, y, z]
            while j >= 0:
                if j > i:
                    r2 = 0.0
                    for d in range(3):
                        delta[d] = positions[i, d] - positions[j, d]
                        delta[d] -= box[d] * np.rint(delta[d] / box[d])
                        r2 += delta[d] ** 2
                    if r2 < cutoff**2:
                        a, b = species[i], species[j]
                        s6 = (0.5 * (sigma[a] + sigma[b])) ** 6 / r2**3
                        c6 = (0.5 * (sigma[a] + sigma[b]) / cutoff) ** 6
                        depth = 4.0 * math.sqrt(epsilon[a] * epsilon[b])
                        energy += depth * (s6 * (s6 - 1.0) - c6 * (c6 - 1.0))
                        for d in range(3):
                            pair = depth * (12.0 * s6 - 6.0) * s6 / r2 * delta[d]
                            force[i, d] += pair
                            force[j, d] -= pair
                j = after[j]
    return energy + 0.01 * np.sum(force**2)


@numba.njit
def american_put(spot, strike, rate, volatility, dividend, maturity, steps):
    """Cox, Ross and Rubinstein's tree."""
    dt = maturity / steps
    up = math.exp(volatility * math.sqrt(dt))
    down = 1.0 / up
    p = (math.exp((rate - dividend) * dt) - down) / (up - down)
    discount = math.exp(-rate * dt)
    prices = spot * down ** np.arange(steps, -1, -1) * up ** np.arange(0, steps + 1)
    values = np.maximum(strike - prices, 0.0)
    for i in range(steps - 1, -1, -1):
        values[: i + 1] = discount * (p * values[1 : i + 2] + (1.0 - p) * values[: i + 1])
        prices = prices[: i + 1] * up
        values = np.maximum(values[: i + 1], strike - prices)
    return values[0]


@numba.njit
def linear_over_exponential(x, scale):
    """Returns x / (1 - exp(-x / scale)), which is scale at 0."""
    y = x / scale
    if abs(y) < 1e-4:
        return scale * (1.0 + y / 2.0 + y * y / 12.0)
    return x / (1.0 - math.exp(-y))


@numba.njit
def hodgkin_huxley(conductances, reversals, capacity, currents, observed, dt):
    """Squared error of a voltage trace; -40 and -55 mV are removable singularities of the rates."""
    v = -40.0
    m, h, n = 0.05, 0.6, 0.32
    error = 0.0
    for step, current in enumerate(currents):
        alpha_m = 0.1 * linear_over_exponential(v + 40.0, 10.0)
        beta_m = 4.0 * math.exp(-(v + 65.0) / 18.0)
        alpha_h = 0.07 * math.exp(-(v + 65.0) / 20.0)
        beta_h = 1.0 / (1.0 + math.exp(-(v + 35.0) / 10.0))
        alpha_n = 0.01 * linear_over_exponential(v + 55.0, 10.0)
        beta_n = 0.125 * math.exp(-(v + 65.0) / 80.0)
        m = alpha_m / (alpha_m + beta_m) + (m - alpha_m / (alpha_m + beta_m)) * math.exp(-dt * (alpha_m + beta_m))
        h += dt * (alpha_h * (1.0 - h) - beta_h * h)
        n += dt * (alpha_n * (1.0 - n) - beta_n * n)
        sodium = conductances[0] * m**3 * h * (v - reversals[0])
        potassium = conductances[1] * n**4 * (v - reversals[1])
        leak = conductances[2] * (v - reversals[2])
        v += dt / capacity * (current - sodium - potassium - leak)
        error += (v - observed[step]) ** 2
    return error / len(currents)


@numba.njit
def tissue_step(v, w, new_v, new_w, diffusion, excitability, epsilon, dt):
    rows, columns = v.shape
    for i in range(1, rows - 1):
        for j in range(1, columns - 1):
            laplacian = v[i - 1, j] + v[i + 1, j] + v[i, j - 1] + v[i, j + 1] - 4.0 * v[i, j]
            reaction = v[i, j] * (1.0 - v[i, j]) * (v[i, j] - excitability[i, j]) - w[i, j]
            new_v[i, j] = v[i, j] + dt * (diffusion * laplacian + reaction)
            new_w[i, j] = w[i, j] + dt * epsilon * (v[i, j] - w[i, j])
    new_v[0, :], new_v[-1, :] = new_v[1, :], new_v[-2, :]
    new_v[:, 0], new_v[:, -1] = new_v[:, 1], new_v[:, -2]


@numba.njit
def tissue_misfit(diffusion, excitability, epsilon, stimulus, electrodes, recorded, dt):
    v = stimulus.copy()
    w = np.zeros_like(v)
    new_v, new_w = np.empty_like(v), np.zeros_like(w)
    misfit = 0.0
    for t in range(recorded.shape[0]):
        tissue_step(v, w, new_v, new_w, diffusion, excitability, epsilon, dt)
        v, new_v = new_v, v
        w, new_w = new_w, w
        for e, (row, column) in enumerate(electrodes):
            misfit += (v[row, column] - recorded[t, e]) ** 2
    return misfit


@numba.njit
def matrix_exponential(a):
    """Padé approximation of degree 6 with scaling and squaring."""
    norm = np.linalg.norm(a, np.inf)
    squarings = max(0, int(np.ceil(np.log2(norm))) + 1) if norm > 0.0 else 0
    a = a / 2.0**squarings
    c = 0.5
    x = a.copy()
    numerator = np.eye(a.shape[0]) + c * a
    denominator = np.eye(a.shape[0]) - c * a
    for k in range(2, 7):
        c = c * (6 - k + 1) / (k * (12 - k + 1))
        x = a @ x
        numerator += c * x
        if k % 2 == 0:
            denominator += c * x
        else:
            denominator -= c * x
    result = np.linalg.solve(denominator, numerator)
    for _ in range(squarings):
        result = result @ result
    return result


@numba.njit
def markov_chain_likelihood(log_rates, intervals, origins, targets):
    """A multi-state model in continuous time, observed at some times."""
    rates = np.exp(log_rates)
    np.fill_diagonal(rates, 0.0)
    generator = rates - np.diag(rates.sum(axis=1))
    total = 0.0
    for k in range(intervals.size):
        transition = matrix_exponential(generator * intervals[k])
        total += math.log(transition[origins[k], targets[k]])
    return total


@numba.njit
def log_sum_exp(x):
    largest = np.max(x)
    if largest == -np.inf:
        return -np.inf
    return largest + np.log(np.sum(np.exp(x - largest)))


@numba.njit
def semi_markov_likelihood(initial, transition, rates, means, scale, signal, longest):
    """A hidden semi-Markov model: Poisson durations, normal observations."""
    states, n = len(means), len(signal)
    log_transition = np.empty_like(transition)
    for i in range(states):
        row = transition[i].copy()
        row[i] = -np.inf
        log_transition[i] = row - log_sum_exp(row)
    log_initial = initial - log_sum_exp(initial)
    durations = np.empty((states, longest))
    for j in range(states):
        for d in range(longest):
            durations[j, d] = d * np.log(rates[j]) - rates[j] - math.lgamma(d + 1.0)
        durations[j] -= log_sum_exp(durations[j])
    emission = np.zeros((n + 1, states))
    for t in range(n):
        z = (signal[t] - means) / scale
        emission[t + 1] = emission[t] - 0.5 * z**2 - np.log(scale)
    forward = np.full((n, states), -np.inf)
    for t in range(n):
        for j in range(states):
            terms = []
            for d in range(1, min(longest, t + 1) + 1):
                start = t - d + 1
                enter = log_initial[j] if start == 0 else log_sum_exp(forward[start - 1] + log_transition[:, j])
                terms.append(enter + durations[j, d - 1] + emission[t + 1, j] - emission[start, j])
            forward[t, j] = log_sum_exp(np.array(terms))
    return log_sum_exp(forward[-1])


@numba.njit
def particle_filter(persistence, noise, level, start, shocks, offsets, returns):
    """Stochastic volatility; particles are resampled from an interpolated distribution, so the likelihood is smooth."""
    particles = level + noise / np.sqrt(1.0 - persistence**2) * start
    total = 0.0
    n = len(particles)
    for t in range(len(returns)):
        particles = level + persistence * (particles - level) + noise * shocks[t]
        log_weights = -0.5 * (np.log(2.0 * np.pi) + particles + returns[t] ** 2 * np.exp(-particles))
        largest = log_weights.max()
        weights = np.exp(log_weights - largest)
        total += largest + np.log(weights.mean())
        order = np.argsort(particles)
        ordered, weights = particles[order], weights[order] / weights.sum()
        cumulative = np.cumsum(weights) - 0.5 * weights
        particles = np.interp((np.arange(n) + offsets[t]) / n, cumulative, ordered)
    return total


def starting_state():
    state = np.zeros(13)
    state[3:6] = 0.1, -0.2, 0.3
    state[6] = 1.0
    state[10:] = 0.3, -0.2, 0.1
    return state


TIMES = np.sort(RANDOM.uniform(0.35, 2.5, 25))
NUCLEOTIDES = RANDOM.integers(-1, 4, (5, 30))

CASES = {
    "heston": (
        heston_puts,
        (Heston(1.5, 0.05, 0.4, -0.6, 0.04), 100.0, 0.02, 0.75, np.array([80.0, 95.0, 100.0, 120.0])),
        (0, 1, 2, 3),
    ),
    "phylogeny": (
        tree_likelihood,
        (
            *(RANDOM.uniform(0.05, 0.4, 8), 2.5, np.array([0.3, 0.2, 0.24, 0.26])),
            *(np.array([[0, 1], [2, 3], [5, 6], [7, 4]]), NUCLEOTIDES, RANDOM.integers(1, 5, 30)),
        ),
        (0, 1, 2),
    ),
    "drift diffusion": (
        drift_diffusion_likelihood,
        (
            *(np.array([0.4, 1.3]), 1.6, 0.45, 0.3, TIMES),
            *(RANDOM.integers(0, 2, 25).astype(np.bool_), RANDOM.integers(0, 2, 25)),
        ),
        (0, 1, 2, 3),
    ),
    "radial velocities": (
        radial_velocity_likelihood,
        (
            np.array([[4.23, 55.0, 0.1, 0.2, 0.3], [17.1, 22.0, -0.4, 0.82, 0.6]]),
            *(np.array([3.0, -2.0]), np.array([2.0, 4.0])),
            *(np.sort(RANDOM.uniform(0.0, 60.0, 30)), RANDOM.normal(0.0, 40.0, 30), RANDOM.uniform(1.0, 3.0, 30)),
            RANDOM.integers(0, 2, 30),
        ),
        (0, 1, 2),
    ),
    "audio filters": (
        equalizer_loss,
        (
            *(np.array([200.0, 1000.0, 4000.0]), np.array([3.0, -6.0, 2.0]), np.array([0.7, 1.2, 2.0])),
            *(3000.0, 0.6, RANDOM.normal(size=120), RANDOM.normal(size=120), 16000.0),
        ),
        (0, 1, 2, 3, 4),
    ),
    "soft dtw": (soft_dtw, (RANDOM.normal(size=(9, 2)), RANDOM.normal(size=(7, 2)), 0.5), (0, 1, 2)),
    "factorization": (
        masked_factorization,
        (
            *(RANDOM.uniform(0.2, 1.0, (6, 3)), RANDOM.uniform(0.2, 1.0, (3, 5))),
            *(RANDOM.uniform(0.5, 4.0, (6, 5)), RANDOM.random((6, 5)) < 0.7, 0.01),
        ),
        (0, 1),
    ),
    "quadrotor": (
        flight_cost,
        (
            2.45 + 0.1 * RANDOM.normal(size=(8, 4)),
            Quadrotor(1.0, np.array([[0.02, 0.001, 0.0], [0.001, 0.021, 0.0], [0.0, 0.0, 0.04]]), 0.17, 0.1),
            *(starting_state(), np.array([1.0, 1.0, 0.5]), 0.05),
        ),
        (0, 1, 2),
    ),
    "capture and recapture": (
        capture_recapture,
        (
            *(RANDOM.normal(size=6), RANDOM.normal(size=6), 0.3),
            *(RANDOM.integers(0, 2, (12, 7)), RANDOM.normal(size=6), RANDOM.integers(1, 4, 12)),
        ),
        (0, 1, 2),
    ),
    "lennard-jones": (
        lennard_jones,
        (
            np.stack(np.meshgrid(*3 * [np.arange(4.0)]), -1).reshape(-1, 3) * 1.2 + RANDOM.uniform(-0.1, 0.1, (64, 3)),
            *(np.array([5.0, 5.1, 4.95]), np.array([1.0, 0.7]), np.array([1.0, 0.9])),
            *(RANDOM.integers(0, 2, 64), 1.6),
        ),
        (0, 1, 2, 3),
    ),
    "american option": (american_put, (100.0, 103.0, 0.05, 0.25, 0.01, 0.9, 40), (0, 1, 2, 3, 4, 5)),
    "hodgkin-huxley": (
        hodgkin_huxley,
        (
            *(np.array([120.0, 36.0, 0.3]), np.array([50.0, -77.0, -54.4]), 1.0),
            *(np.full(300, 10.0), RANDOM.normal(-60.0, 10.0, 300), 0.02),
        ),
        (0, 1, 2, 3),
    ),
    "cardiac tissue": (
        tissue_misfit,
        (
            *(0.2, RANDOM.uniform(0.08, 0.12, (9, 8)), 0.02, RANDOM.uniform(0.0, 1.0, (9, 8))),
            *(np.array([[2, 3], [6, 5]]), RANDOM.uniform(0.0, 1.0, (15, 2)), 0.3),
        ),
        (0, 1, 2, 3),
    ),
    "matrix exponential": (
        markov_chain_likelihood,
        (
            RANDOM.normal(-0.5, 0.7, (4, 4)),
            *(RANDOM.uniform(0.2, 5.0, 12), RANDOM.integers(0, 4, 12), RANDOM.integers(0, 4, 12)),
        ),
        (0, 1),
    ),
    "semi-markov": (
        semi_markov_likelihood,
        (
            *(RANDOM.normal(size=3), RANDOM.normal(size=(3, 3)), np.array([2.0, 3.0, 1.5]), np.array([-1.0, 0.5, 2.0])),
            *(0.8, RANDOM.normal(size=20), 6),
        ),
        (0, 1, 2, 3, 4),
    ),
    "particle filter": (
        particle_filter,
        (
            *(0.9, 0.4, -0.5, RANDOM.normal(size=20), RANDOM.normal(size=(12, 20)), RANDOM.random(12)),
            RANDOM.normal(size=12),
        ),
        (0, 1, 2),
    ),
}

WITH_KINKS = {"lennard-jones", "american option", "particle filter"}  # smooth between cutoffs, exercises and ranks


def moved(argument, direction, step):
    """Returns an argument, or the items of a tuple, moved by a step along a direction."""
    if isinstance(argument, tuple):
        return type(argument)(*(moved(*each, step) for each in zip(argument, direction, strict=True)))
    return argument + step * direction


def random_direction(argument, random):
    if isinstance(argument, tuple):
        return type(argument)(*(random_direction(item, random) for item in argument))
    size = np.maximum(np.abs(argument), 0.1)
    return size * random.normal(size=np.shape(argument)) if np.ndim(argument) else float(size * random.normal())


def slope(gradient, direction):
    if isinstance(direction, tuple):
        return sum(slope(*each) for each in zip(gradient, direction, strict=True))
    return np.sum(gradient * direction)


@pytest.mark.parametrize("name", CASES)
def test_value_is_that_of_python_and_gradient_that_of_central_differences(name):
    function, arguments, argnums = CASES[name]
    value, gradients = fg.value_and_grad(function, argnums=argnums)(*map(copy_of, arguments))
    np.testing.assert_allclose(value, function.py_func(*map(copy_of, arguments)), rtol=1e-11)
    random = np.random.default_rng(1)
    for _ in range(3):
        direction = tuple(random_direction(arguments[place], random) for place in argnums)

        def along(step, direction=direction):
            changed = list(map(copy_of, arguments))
            for place, part in zip(argnums, direction, strict=True):
                changed[place] = moved(changed[place], part, float(step))
            return function(*changed)

        step, tolerance = (1e-7, 1e-5) if name in WITH_KINKS else (1e-3, 1e-7)
        expected, _ = central.extrapolated(along, step, float(np.finfo(np.float64).eps))
        scale = sum(abs(slope(*each)) for each in zip(gradients, direction, strict=True))
        assert abs(slope(gradients, direction) - expected) <= tolerance * scale + 1e-9


@numba.njit
def folded(z):
    a = z * z - z
    b = a * a - a
    c = b * b - b
    d = c * c - c
    e = d * d - d
    f = e * e - e
    g = f * f - f
    return g * g - g


def test_the_plan_of_records_visits_each_number_once():
    @numba.njit
    def repeated(x, n):
        total = 0.0
        for i in range(n):
            y = x * i
            for j in range(n):
                z = y + 0.01 * j
                total += folded(folded(folded(z)))
        return total

    gradient = fg.grad(repeated)(0.1, 2)
    step = 1e-6
    assert gradient == pytest.approx((repeated(0.1 + step, 2) - repeated(0.1 - step, 2)) / (2 * step), rel=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_both_ways_agree(name):
    function, arguments, _ = CASES[name]
    assert active(arguments)
    _nrt_python.memsys_enable_stats()
    assert both_ways.differences(function, arguments) == []
