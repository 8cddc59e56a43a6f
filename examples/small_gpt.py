"""A small GPT: two blocks of causal self-attention, written as a layer, learn to write like the standard library."""

import textwrap
from pathlib import Path

import numpy as np

import fastgrad as tf

LENGTH, WIDTH, HEADS, BLOCKS = 64, 96, 4, 2


class Block(tf.keras.layers.Layer):
    """Attention to what came before, then a network of two layers, each added to its normalized input."""

    def __init__(self, width, heads):
        super().__init__()
        layers = tf.keras.layers
        self.first_norm, self.second_norm = layers.LayerNormalization(), layers.LayerNormalization()
        self.attention = layers.MultiHeadAttention(heads, width // heads)
        self.widen, self.narrow = layers.Dense(4 * width, activation="gelu"), layers.Dense(width)

    def call(self, x):
        """A tensor of the shape of ``x``: (batch, length, width)."""
        normal = self.first_norm(x)
        x = x + self.attention(normal, normal, use_causal_mask=True)
        return x + self.narrow(self.widen(self.second_norm(x)))


class GPT(tf.keras.Model):
    """The logits of the next character at each place of a text."""

    def __init__(self, characters):
        super().__init__()
        self.characters = tf.keras.layers.Embedding(characters, WIDTH)
        self.positions = tf.keras.layers.Embedding(LENGTH, WIDTH)
        self.blocks = [Block(WIDTH, HEADS) for _ in range(BLOCKS)]
        self.norm = tf.keras.layers.LayerNormalization()
        self.logits = tf.keras.layers.Dense(characters)

    def call(self, ids):
        """Logits, shape (batch, length, characters), for ids of shape (batch, length)."""
        x = self.characters(ids) + self.positions(tf.range(tf.shape(ids)[1]))
        for block in self.blocks:
            x = block(x)
        return self.logits(self.norm(x))


def load_data():
    text = np.frombuffer(Path(textwrap.__file__).read_bytes(), np.uint8)
    characters, ids = np.unique(text, return_inverse=True)
    return ids.astype(np.int32), characters


def windows(ids, count, random):
    """Pieces of the text from anywhere, and the same pieces one character later."""
    starts = random.integers(0, len(ids) - LENGTH, size=(count, 1))
    places = starts + np.arange(LENGTH)
    return ids[places], ids[places + 1]


def write(model, characters, ids, count, random, temperature=0.6):
    """The text that the model goes on with after ``ids``, one character after another."""
    ids = list(ids)
    for _ in range(count):
        window = np.array([ids[-LENGTH:]], np.int32)
        chances = tf.nn.softmax(model.predict_on_batch(window)[0, -1] / temperature).numpy().astype(float)
        ids.append(int(random.choice(len(characters), p=chances / chances.sum())))
    return characters[ids].tobytes().decode(errors="replace")


def main(steps=600):
    tf.keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    ids, characters = load_data()
    model = GPT(len(characters))
    optimizer = tf.keras.optimizers.AdamW(
        tf.keras.optimizers.schedules.CosineDecay(
            0.0, steps, warmup_target=0.003, warmup_steps=steps // 10, alpha=0.01
        ),
        clipnorm=1.0,
    )

    @tf.function
    def step(inputs, targets):
        with tf.GradientTape() as tape:
            logits = model(inputs, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=logits))
        optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
        return loss

    losses = []
    for number in range(steps):
        losses.append(float(step(*windows(ids, 16, random))))
        if number % 100 == 99:
            print(f"step {number + 1}: loss {np.mean(losses[-50:]):.2f}")
    text = write(model, characters, ids[:LENGTH], 200, random)
    print(text)
    return losses, text


if __name__ == "__main__":
    main()
