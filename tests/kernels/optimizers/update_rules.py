"""Update rules of optimizers in NumPy, and their state."""

import numpy as np

RATE, DECAY = 0.1, 0.004


def _decayed(p, decay):
    return p - p * decay


def _sgd(p, s, g, rate, decay):
    return _decayed(p, decay) - g * rate


def _momentum(p, s, g, rate, momentum, decay):
    s[0][...] = s[0] * momentum - g * rate
    return _decayed(p, decay) + s[0]


def _nesterov(p, s, g, rate, momentum, decay):
    s[0][...] = s[0] * momentum - g * rate
    return _decayed(p, decay) + s[0] * momentum - g * rate


def _adam(p, s, g, alpha, beta_1, beta_2, epsilon, decay):
    s[0][...] = beta_1 * s[0] + (1 - beta_1) * g
    s[1][...] = beta_2 * s[1] + (1 - beta_2) * g**2
    return _decayed(p, decay) - alpha * s[0] / (np.sqrt(s[1]) + epsilon)


def _adam_amsgrad(p, s, g, alpha, beta_1, beta_2, epsilon, decay):
    _adam(p, s, g, alpha, beta_1, beta_2, epsilon, decay)
    s[2][...] = np.maximum(s[2], s[1])
    return _decayed(p, decay) - alpha * s[0] / (np.sqrt(s[2]) + epsilon)


def _rmsprop(p, s, g, rate, rho, epsilon, decay):
    s[0][...] = rho * s[0] + (1 - rho) * g**2
    return _decayed(p, decay) - rate * g / np.sqrt(s[0] + epsilon)


def _rmsprop_momentum(p, s, g, rate, rho, momentum, epsilon, decay):
    s[0][...] = rho * s[0] + (1 - rho) * g**2
    s[1][...] = momentum * s[1] + rate * g / np.sqrt(s[0] + epsilon)
    return _decayed(p, decay) - s[1]


def _rmsprop_centered(p, s, g, rate, rho, epsilon, decay):
    s[0][...] = rho * s[0] + (1 - rho) * g**2
    s[1][...] = rho * s[1] + (1 - rho) * g
    return _decayed(p, decay) - rate * g / np.sqrt(s[0] - s[1] ** 2 + epsilon)


def _rmsprop_centered_momentum(p, s, g, rate, rho, momentum, epsilon, decay):
    s[0][...] = rho * s[0] + (1 - rho) * g**2
    s[2][...] = rho * s[2] + (1 - rho) * g
    s[1][...] = momentum * s[1] + rate * g / np.sqrt(s[0] - s[2] ** 2 + epsilon)
    return _decayed(p, decay) - s[1]


def _adagrad(p, s, g, rate, epsilon, decay):
    s[0][...] += g**2
    return _decayed(p, decay) - rate * g / np.sqrt(s[0] + epsilon)


def _adadelta(p, s, g, rate, rho, epsilon, decay):
    s[0][...] = rho * s[0] + (1 - rho) * g**2
    step = -np.sqrt(s[1] + epsilon) / np.sqrt(s[0] + epsilon) * g
    s[1][...] = rho * s[1] + (1 - rho) * step**2
    return _decayed(p, decay) + rate * step


def _adamax(p, s, g, rate, beta_1, beta_2, beta_1_power, epsilon, decay):
    s[0][...] = beta_1 * s[0] + (1 - beta_1) * g
    s[1][...] = np.maximum(beta_2 * s[1], np.abs(g))
    return _decayed(p, decay) - rate * s[0] / ((1 - beta_1_power) * (s[1] + epsilon))


def _nadam(p, s, g, rate, beta_1, beta_2, m_weight, g_weight, beta_2_power, epsilon, decay):
    s[0][...] = beta_1 * s[0] + (1 - beta_1) * g
    s[1][...] = beta_2 * s[1] + (1 - beta_2) * g**2
    step = m_weight * s[0] + g_weight * g
    return _decayed(p, decay) - rate * step / (np.sqrt(s[1] / (1 - beta_2_power)) + epsilon)


def _ftrl(p, s, g, rate, power, l1, l2, shrinkage, decay):
    p = _decayed(p, decay)
    grown = s[0] + g**2
    s[1][...] += g + 2 * shrinkage * p - (grown**power - s[0] ** power) / rate * p
    s[0][...] = grown
    return (np.clip(s[1], -l1, l1) - s[1]) / (grown**power / rate + 2 * l2)


def _lion(p, s, g, rate, beta_1, beta_2, decay):
    direction = np.sign(beta_1 * s[0] + (1 - beta_1) * g)
    s[0][...] = beta_2 * s[0] + (1 - beta_2) * g
    return _decayed(p, decay) - rate * direction


def _moving_average(p, s, g, momentum):
    return p * momentum + g * (1 - momentum)


RULES = {
    "sgd": (0, (RATE, DECAY), _sgd),
    "momentum": (1, (RATE, 0.9, DECAY), _momentum),
    "nesterov": (1, (RATE, 0.9, DECAY), _nesterov),
    "adam": (2, (0.05, 0.9, 0.999, 1e-7, DECAY), _adam),
    "adam_amsgrad": (3, (0.05, 0.9, 0.999, 1e-7, DECAY), _adam_amsgrad),
    "rmsprop": (1, (RATE, 0.9, 1e-7, DECAY), _rmsprop),
    "rmsprop_momentum": (2, (RATE, 0.9, 0.5, 1e-7, DECAY), _rmsprop_momentum),
    "rmsprop_centered": (2, (RATE, 0.9, 1.0, DECAY), _rmsprop_centered),
    "rmsprop_centered_momentum": (3, (RATE, 0.9, 0.5, 1.0, DECAY), _rmsprop_centered_momentum),
    "adagrad": (1, (RATE, 1e-7, DECAY), _adagrad),
    "adadelta": (2, (RATE, 0.95, 1e-7, DECAY), _adadelta),
    "adamax": (2, (RATE, 0.9, 0.999, 0.9**3, 1e-7, DECAY), _adamax),
    "nadam": (2, (RATE, 0.9, 0.999, 1.2, 0.6, 0.999**3, 1e-7, DECAY), _nadam),
    "ftrl": (2, (RATE, 0.5, 0.01, 0.02, 0.03, DECAY), _ftrl),
    "lion": (1, (RATE, 0.9, 0.99, DECAY), _lion),
    "moving_average": (0, (0.99,), _moving_average),
}


def _state(shapes, slots, dtype, seed=0):
    """Weights, slots and gradients; slots are positive, as second moments are, and small."""
    r = np.random.default_rng(seed)
    weights = [r.normal(size=shape).astype(dtype) for shape in shapes]
    held = [[r.uniform(0.01, 0.2, size=shape).astype(dtype) for shape in shapes] for _ in range(slots)]
    return weights, held, [r.normal(size=shape).astype(dtype) for shape in shapes]
