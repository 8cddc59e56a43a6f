"""The formulas of the optimizers, in NumPy and float64: ``rule(options)`` gives a function of one step.

A step takes the weight, a dict of slots, the gradient, the step's number from 1 on and the rate; it returns the new
weight and changes the dict.
"""

import numpy as np

CASES = {
    "SGD": [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}],
    "Adam": [{}, {"amsgrad": True}, {"beta_1": 0.5, "beta_2": 0.75, "epsilon": 0.125}],
    "AdamW": [{}, {"weight_decay": 0.25, "amsgrad": True}],
    "RMSprop": [{}, {"momentum": 0.5}, {"centered": True}, {"centered": True, "momentum": 0.5, "rho": 0.75}],
    "Adagrad": [{}, {"initial_accumulator_value": 0.5, "epsilon": 0.25}],
    "Adadelta": [{}, {"rho": 0.5, "epsilon": 0.25}],
    "Adamax": [{}, {"beta_1": 0.5, "beta_2": 0.5}],
    "Nadam": [{}, {"beta_1": 0.5, "epsilon": 0.25}],
    "Ftrl": [
        {},
        {
            "learning_rate_power": -0.75,
            "l1_regularization_strength": 0.0625,
            "l2_regularization_strength": 0.125,
            "l2_shrinkage_regularization_strength": 0.25,
            "beta": 0.5,
        },
    ],
    "Lion": [{}, {"beta_1": 0.5, "beta_2": 0.75}],
    "Adafactor": [{}, {"clip_threshold": 0.5, "beta_2_decay": -0.5, "epsilon_2": 0.5}],
}
ALL = [(name, options) for name, cases in CASES.items() for options in cases]
IDS = [f"{name}-{'-'.join(options) or 'defaults'}" for name, options in ALL]


def run(name, options, weight, gradients, rate):
    """The weight after all gradients."""
    options = dict(options)
    decay = options.pop("weight_decay", 0.004 if name == "AdamW" else 0.0)
    step = RULES["Adam" if name == "AdamW" else name]
    weight, slots = np.array(weight, np.float64), {}
    if not weight.size:
        return weight
    for number, gradient in enumerate(gradients, 1):
        weight = weight - weight * decay * rate
        weight = step(weight, slots, np.asarray(gradient, np.float64), number, rate, **options)
    return weight


def sgd(w, s, g, t, rate, momentum=0.0, nesterov=False):
    s["m"] = momentum * s.get("m", 0.0) - rate * g
    return w + (momentum * s["m"] - rate * g if nesterov else s["m"])


def adam(w, s, g, t, rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False):
    s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * g**2
    s["top"] = np.maximum(s.get("top", 0.0), s["v"])
    v = s["top"] if amsgrad else s["v"]
    return w - rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t) * s["m"] / (np.sqrt(v) + epsilon)


def rmsprop(w, s, g, t, rate, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False):
    s["v"] = rho * s.get("v", 0.0) + (1 - rho) * g**2
    s["a"] = rho * s.get("a", 0.0) + (1 - rho) * g
    step = rate * g / np.sqrt(s["v"] - (s["a"] ** 2 if centered else 0.0) + epsilon)
    s["m"] = momentum * s.get("m", 0.0) + step
    return w - s["m"]


def adagrad(w, s, g, t, rate, initial_accumulator_value=0.1, epsilon=1e-7):
    s["a"] = s.get("a", initial_accumulator_value) + g**2
    return w - rate * g / np.sqrt(s["a"] + epsilon)


def adadelta(w, s, g, t, rate, rho=0.95, epsilon=1e-7):
    s["a"] = rho * s.get("a", 0.0) + (1 - rho) * g**2
    step = g * np.sqrt(s.get("d", 0.0) + epsilon) / np.sqrt(s["a"] + epsilon)
    s["d"] = rho * s.get("d", 0.0) + (1 - rho) * step**2
    return w - rate * step


def adamax(w, s, g, t, rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    s["u"] = np.maximum(beta_2 * s.get("u", 0.0), np.abs(g))
    return w - rate / (1 - beta_1**t) * s["m"] / (s["u"] + epsilon)


def nadam(w, s, g, t, rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    u, following = (beta_1 * (1 - 0.5 * 0.96**k) for k in (t, t + 1))
    s["p"] = s.get("p", 1.0) * u
    s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * g**2
    m_hat = following * s["m"] / (1 - s["p"] * following) + (1 - u) * g / (1 - s["p"])
    return w - rate * m_hat / (np.sqrt(s["v"] / (1 - beta_2**t)) + epsilon)


def ftrl(
    w,
    s,
    g,
    t,
    rate,
    learning_rate_power=-0.5,
    initial_accumulator_value=0.1,
    l1_regularization_strength=0.0,
    l2_regularization_strength=0.0,
    l2_shrinkage_regularization_strength=0.0,
    beta=0.0,
):
    old = s.get("a", initial_accumulator_value)
    s["a"] = old + g**2
    root, old_root = s["a"] ** -learning_rate_power, old**-learning_rate_power
    shrunk = g + 2 * l2_shrinkage_regularization_strength * w
    z = s["z"] = s.get("z", 0.0) + shrunk - (root - old_root) / rate * w
    l1, l2 = l1_regularization_strength, l2_regularization_strength + beta / (2 * rate)
    return (np.clip(z, -l1, l1) - z) / (root / rate + 2 * l2)


def lion(w, s, g, t, rate, beta_1=0.9, beta_2=0.99):
    m = s.get("m", 0.0)
    s["m"] = beta_2 * m + (1 - beta_2) * g
    return w - rate * np.sign(beta_1 * m + (1 - beta_1) * g)


def adafactor(w, s, g, t, rate, beta_2_decay=-0.8, epsilon_1=1e-30, epsilon_2=1e-3, clip_threshold=1.0):
    rho = min(rate, 1 / np.sqrt(t))
    size = max(epsilon_2, np.sqrt(np.mean(w**2)))
    beta = 1 - t**beta_2_decay
    square = g**2 + epsilon_1
    if w.ndim < 2:
        v = s["v"] = beta * s.get("v", 0.0) + (1 - beta) * square
    else:
        r = s["r"] = beta * s.get("r", 0.0) + (1 - beta) * square.mean(-1)
        c = s["c"] = beta * s.get("c", 0.0) + (1 - beta) * square.mean(-2)
        v = (r / r.mean(-1, keepdims=True))[..., None] * c[..., None, :]
    u = g / np.sqrt(v)
    return w - size * rho * u / max(1, np.sqrt(np.mean(u**2)) / clip_threshold)


RULES = {
    "SGD": sgd,
    "Adam": adam,
    "RMSprop": rmsprop,
    "Adagrad": adagrad,
    "Adadelta": adadelta,
    "Adamax": adamax,
    "Nadam": nadam,
    "Ftrl": ftrl,
    "Lion": lion,
    "Adafactor": adafactor,
}
