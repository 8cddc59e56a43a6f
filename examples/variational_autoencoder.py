"""A variational autoencoder lays the handwritten digits out on a plane, and draws it.

python examples/variational_autoencoder.py [--output build] [--epochs 60]
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

import fastgrad as tf


class Autoencoder(tf.keras.Model):
    """Images to points of a plane and back; what is lost on the way is the loss (Kingma and Welling, 2014)."""

    def __init__(self):
        super().__init__()
        dense = tf.keras.layers.Dense
        self.encoder = tf.keras.Sequential([dense(128, activation="relu"), dense(64, activation="relu"), dense(4)])
        self.decoder = tf.keras.Sequential([dense(64, activation="relu"), dense(128, activation="relu"), dense(64)])

    def encode(self, images):
        """The mean and the logarithm of the variance of each image's place."""
        return tf.split(self.encoder(images), 2, axis=-1)

    def call(self, images):
        """The logits of the images as they come back from a random place near their mean."""
        mean, log_variance = self.encode(images)
        place = mean + tf.exp(0.5 * log_variance) * tf.random.normal(tf.shape(mean))
        spread = -0.5 * tf.reduce_sum(1 + log_variance - mean**2 - tf.exp(log_variance), axis=-1)
        self.add_loss(tf.reduce_mean(spread))
        return self.decoder(place)


def reconstruction_loss(images, logits):
    return tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels=images, logits=logits), axis=-1)


def draw(model, images, labels, file):
    """The places of the digits, and what the decoder makes of a grid of places."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    places = model.encode(images)[0].numpy()
    points = left.scatter(*places.T, c=labels, s=5, cmap="tab10")
    figure.colorbar(points, ax=left, ticks=range(10), label="digit")
    side = np.linspace(-2, 2, 12)
    grid = np.stack(np.meshgrid(side, -side), axis=-1).reshape(-1, 2).astype(np.float32)
    tiles = tf.sigmoid(model.decoder(grid)).numpy().reshape(12, 12, 8, 8)
    right.imshow(tiles.transpose(0, 2, 1, 3).reshape(96, 96), cmap="gray_r")
    right.set_axis_off()
    figure.savefig(file, dpi=120)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--output", type=Path, default=Path("build"))
    parser.add_argument("--epochs", type=int, default=60)
    options = parser.parse_args(arguments)
    tf.keras.utils.set_random_seed(0)
    digits = load_digits()
    images = (digits.data / 16).astype(np.float32)
    model = Autoencoder()
    model.compile(optimizer=tf.keras.optimizers.Adam(0.003), loss=reconstruction_loss)
    history = model.fit(images, images, batch_size=64, epochs=options.epochs, verbose=0)
    losses = history.history["loss"]
    print(f"loss {losses[0]:.1f} at first, {losses[-1]:.1f} at the end")
    options.output.mkdir(parents=True, exist_ok=True)
    file = options.output / "variational_autoencoder.png"
    draw(model, images, digits.target, file)
    print(f"drawn: {file}")
    return losses, model.encode(images)[0].numpy(), digits.target


if __name__ == "__main__":
    main()
