"""An activation of one's own: a scalar function, compiled into the step, with its gradient derived."""

import math
import time

import numba
import numpy as np
from sklearn.datasets import load_digits

import fastgrad as fg


@fg.elementwise
def mish(x):
    """x tanh(log(1 + e^x)) (Misra 2019)."""
    return x * math.tanh(math.log1p(math.exp(-abs(x))) + max(x, 0.0))


@fg.elementwise
@numba.njit
def snake(x, frequency):
    """x + sin(a x)^2 / a, with a trainable frequency (Ziyin and others 2020)."""
    return x + math.sin(frequency * x) ** 2 / frequency


class Snake(fg.keras.layers.Layer):
    """``snake`` with a frequency for each unit."""

    def build(self, shape):
        """Makes the frequencies."""
        self.frequency = self.add_weight(shape=(shape[-1],), initializer="ones")

    def call(self, x):
        """The activation."""
        return snake(x, self.frequency)


def train(activation, images, labels):
    fg.keras.utils.set_random_seed(0)
    model = fg.keras.Sequential([fg.keras.layers.Dense(64), activation, fg.keras.layers.Dense(10)])
    loss = fg.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    start = time.perf_counter()
    history = model.fit(images, labels, epochs=20, batch_size=64, verbose=0).history
    return history["accuracy"][-1], time.perf_counter() - start


def main():
    digits = load_digits()
    images, labels = (digits.data / 16).astype(np.float32), digits.target
    accuracies = {}
    layers = {
        "mish": fg.keras.layers.Activation(mish),
        "snake": Snake(),
        "silu": fg.keras.layers.Activation("silu"),
    }
    for name, layer in layers.items():
        accuracies[name], seconds = train(layer, images, labels)
        print(f"{name}: accuracy {100 * accuracies[name]:.1f} % after {seconds:.1f} s")
    return accuracies


if __name__ == "__main__":
    main()
