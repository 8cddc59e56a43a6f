"""Handwritten digits: a 64-128-10 network, trained with GradientTape and Adam on mini-batches.

    python examples/digits.py [--seed 0] [--epochs 40] [--output build] [--eager]

Trains on four fifths of scikit-learn's digits (1,797 images of 8 x 8 pixels), prints the accuracy on the rest, and
draws the learning curve and twelve test images with their predictions into PNG files. The training step is a
tf.function; at the end its time is printed beside that of the same step run eagerly.
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import fastgrad as tf


def load_data():
    digits = load_digits()
    images = (digits.data / 16.0).astype(np.float32)
    split = train_test_split(images, digits.target, test_size=0.2, stratify=digits.target, random_state=0)
    train_images, test_images, train_labels, test_labels = split
    return train_images, train_labels, test_images, test_labels


def make_model():
    return tf.keras.Sequential(
        [
            tf.keras.layers.Dense(128, activation="relu", input_shape=(64,)),
            tf.keras.layers.Dropout(0.2),
            tf.keras.layers.Dense(10),
        ]
    )


def accuracy(model, images, labels):
    predictions = tf.argmax(model(images), axis=1)
    return float(tf.reduce_mean(tf.cast(predictions == labels, tf.float32)))


def make_step(model, optimizer):
    """A function of a batch that updates the model and returns the loss."""

    def step(images, labels):
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        return loss

    return step


def train(train_images, train_labels, test_images, test_labels, seed=0, epochs=40, show_progress=True):
    """Trains a new model; returns it with the mean loss and the test accuracy of each epoch."""
    tf.random.set_seed(seed)
    model = make_model()
    batches = tf.data.Dataset.from_tensor_slices((train_images, train_labels)).shuffle(len(train_images)).batch(64)
    schedule = tf.keras.optimizers.schedules.CosineDecay(0.01, decay_steps=epochs * len(batches))
    step = tf.function(make_step(model, tf.keras.optimizers.Adam(schedule)))
    losses, accuracies = [], []
    with tqdm(range(epochs), desc="training", unit="epoch", disable=not show_progress) as progress:
        for _ in progress:
            epoch_losses = []
            for images, labels in batches:
                epoch_losses.append(float(step(images, labels)))
            losses.append(np.mean(epoch_losses))
            accuracies.append(accuracy(model, test_images, test_labels))
            progress.set_postfix(loss=f"{losses[-1]:.4f}", accuracy=f"{accuracies[-1]:.3f}")
    return model, losses, accuracies


def microseconds(step, images, labels):
    """The median time of a step, once it is warm."""
    times = []
    for number in range(250):
        start = time.perf_counter()
        step(images, labels)
        if number >= 50:
            times.append(time.perf_counter() - start)
    return 1e6 * statistics.median(times)


def time_steps(images, labels):
    """Microseconds of an eager and of a compiled step on 64 images."""
    batch = tf.constant(images[:64]), tf.constant(labels[:64])
    step = make_step(make_model(), tf.keras.optimizers.Adam(0.01))
    return microseconds(step, *batch), microseconds(tf.function(step), *batch)


def draw_learning_curve(losses, accuracies, file):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    left = figure.subplots()
    epochs = range(1, len(losses) + 1)
    left.semilogy(epochs, losses, color="tab:blue")
    left.set_xlabel("epoch")
    left.set_ylabel("training loss", color="tab:blue")
    right = left.twinx()
    right.plot(epochs, [100 * value for value in accuracies], color="tab:orange")
    right.set_ylabel("test accuracy (%)", color="tab:orange")
    figure.savefig(file, dpi=120)


def draw_predictions(model, images, labels, file):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    figure.suptitle("twelve test digits, and what the network takes them for")
    predictions = tf.argmax(model(images[:12]), axis=1).numpy()
    for axes, image, label, prediction in zip(figure.subplots(3, 4).flat, images, labels, predictions):
        axes.imshow(image.reshape(8, 8), cmap="gray_r")
        axes.set_title(f"{prediction}", color="tab:green" if prediction == label else "tab:red")
        axes.set_axis_off()
    figure.savefig(file, dpi=120)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--output", type=Path, default=Path("build"))
    parser.add_argument("--eager", action="store_true", help="train without tf.function")
    options = parser.parse_args(arguments)
    data = load_data()
    tf.config.run_functions_eagerly(options.eager)
    model, losses, accuracies = train(*data, options.seed, options.epochs)
    tf.config.run_functions_eagerly(False)
    print(f"test accuracy: {100 * accuracies[-1]:.1f} %")
    options.output.mkdir(parents=True, exist_ok=True)
    draw_learning_curve(losses, accuracies, options.output / "digits_learning_curve.png")
    draw_predictions(model, *data[2:], options.output / "digits_predictions.png")
    print(f"drawn: {options.output}/digits_learning_curve.png and digits_predictions.png")
    eager, compiled = time_steps(*data[:2])
    print(f"a training step: {eager:.0f} us eager, {compiled:.0f} us compiled")


if __name__ == "__main__":
    main()
