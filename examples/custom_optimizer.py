"""Optimizers of one's own: an update rule is a scalar function, compiled into the loops that make the gradients."""

import math

import numpy as np
from sklearn.datasets import load_digits

import fastgrad as fg


@fg.keras.optimizers.update_rule(zero_gradient="rests_at_zero")
def lion(w, momentum, g, learning_rate, beta_1, one_minus_beta_1, beta_2, one_minus_beta_2):
    """A step of the same length for each weight (Chen and others 2023)."""
    direction = beta_1 * momentum + one_minus_beta_1 * g
    step = learning_rate if direction > 0 else -learning_rate if direction < 0 else 0.0
    return w - step, beta_2 * momentum + one_minus_beta_2 * g


OwnLion = fg.keras.optimizers.from_rule(lion, "OwnLion", beta_1=0.9, beta_2=0.99)


@fg.keras.optimizers.update_rule
def belief(w, m, s, g, alpha, one_minus_beta_1, one_minus_beta_2, epsilon):
    """Adam that goes far where gradients are as their mean says (AdaBelief, Zhuang and others 2020)."""
    m = m + (g - m) * one_minus_beta_1
    s = s + ((g - m) ** 2 - s) * one_minus_beta_2
    return w - alpha * m / (math.sqrt(s) + epsilon), m, s


class AdaBelief(fg.keras.optimizers.RuleOptimizer):
    """The rule above; what depends on the number of the step is computed once a step."""

    rule = belief

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, **options):
        super().__init__(learning_rate=learning_rate, **options)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def hyperparameters(self, learning_rate, step):
        """The values of alpha, beta_1, beta_2 and epsilon."""
        alpha = learning_rate * (1 - self.beta_2**step) ** 0.5 / (1 - self.beta_1**step)
        return alpha, self.beta_1, self.beta_2, self.epsilon


def train(optimizer, images, labels):
    fg.keras.utils.set_random_seed(0)
    model = fg.keras.Sequential([fg.keras.layers.Dense(128, activation="relu"), fg.keras.layers.Dense(10)])
    loss_of = fg.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.build((None, images.shape[1]))

    @fg.function
    def step(x, y):
        with fg.GradientTape() as tape:
            loss = loss_of(y, model(x))
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    random = np.random.default_rng(0)
    for _ in range(20):
        order = random.permutation(len(labels))
        losses = [float(step(images[at], labels[at])) for at in np.split(order, range(64, len(order), 64))]
    return float(np.mean(losses)), step


def main():
    digits = load_digits()
    images, labels = (digits.data / 16).astype(np.float32), digits.target
    optimizers = {
        "own Lion": OwnLion(3e-4, weight_decay=0.1),
        "Lion": fg.keras.optimizers.Lion(3e-4, weight_decay=0.1),
        "AdaBelief": AdaBelief(),
        "Adam": fg.keras.optimizers.Adam(),
    }
    found = {name: train(optimizer, images, labels) for name, optimizer in optimizers.items()}
    for name, (loss, _) in found.items():
        print(f"{name}: loss {loss:.4f}")
    return found


if __name__ == "__main__":
    main()
