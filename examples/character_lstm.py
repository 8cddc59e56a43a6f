"""A character-level LSTM learns to write Python from the standard library's own source, and writes some."""

import argparse
import inspect
import textwrap

import numpy as np

import fastgrad as tf

LENGTH = 64


def load_text():
    """The source of three modules of the standard library, in bytes below 128."""
    source = "".join(map(inspect.getsource, (textwrap, argparse, inspect)))
    return np.frombuffer(source.encode("ascii", errors="replace"), np.uint8)


def load_data():
    """Batches of text, and of the same text one character later; and the characters there are."""
    characters, ids = np.unique(load_text(), return_inverse=True)
    whole = (len(ids) - 1) // LENGTH * LENGTH
    inputs = ids[:whole].reshape(-1, LENGTH).astype(np.int32)
    targets = ids[1 : whole + 1].reshape(-1, LENGTH).astype(np.int32)
    batches = tf.data.Dataset.from_tensor_slices((inputs, targets)).shuffle(len(inputs)).batch(32, drop_remainder=True)
    return batches, characters


def make_model(characters):
    return tf.keras.Sequential(
        [
            tf.keras.layers.Embedding(len(characters), 32),
            tf.keras.layers.LSTM(128, return_sequences=True),
            tf.keras.layers.Dense(len(characters)),
        ]
    )


def write(model, characters, beginning, count, random, temperature=0.6):
    """The text that the model goes on with, one character after another."""
    padded = beginning.rjust(LENGTH, "\n")  # every window is of the same length: one compiled step serves all
    ids = list(np.searchsorted(characters, np.frombuffer(padded.encode(), np.uint8)))
    for _ in range(count):
        window = np.array([ids[-LENGTH:]], np.int32)
        chances = tf.nn.softmax(model.predict_on_batch(window)[0, -1] / temperature).numpy().astype(float)
        ids.append(int(random.choice(len(characters), p=chances / chances.sum())))
    return characters[ids].tobytes().decode().lstrip("\n")


def main(epochs=6):
    tf.keras.utils.set_random_seed(0)
    batches, characters = load_data()
    model = make_model(characters)
    model.compile(
        optimizer=tf.keras.optimizers.Adam(0.01, clipnorm=1.0),
        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    history = model.fit(batches, epochs=epochs)
    text = write(model, characters, "    def __init__(self, ", 200, np.random.default_rng(0))
    print(text)
    return history.history["loss"], text


if __name__ == "__main__":
    main()
