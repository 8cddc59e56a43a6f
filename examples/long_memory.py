"""A recurrent network adds two marked numbers of a long sequence; its gradients are clipped, or they would explode."""

import numpy as np

import fastgrad as tf

LENGTH = 60


def make_sequences(count, random):
    """Sequences of numbers with two of them marked, and the sum of these two (Hochreiter and Schmidhuber, 1997)."""
    numbers = random.random((count, LENGTH)).astype(np.float32)
    marks = np.zeros((count, LENGTH), np.float32)
    marks[np.arange(count), random.integers(0, LENGTH // 2, count)] = 1
    marks[np.arange(count), random.integers(LENGTH // 2, LENGTH, count)] = 1
    return np.stack([numbers, marks], axis=-1), np.sum(numbers * marks, axis=1, keepdims=True)


def main(steps=1200):
    tf.keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    cell = tf.keras.layers.SimpleRNN(
        48, activation="relu", recurrent_initializer=tf.keras.initializers.Identity(), kernel_initializer="he_normal"
    )
    model = tf.keras.Sequential([tf.keras.Input((LENGTH, 2)), cell, tf.keras.layers.Dense(1)])
    optimizer = tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(0.002, steps))
    norms, losses = [], []

    @tf.function
    def step(sequences, sums):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(sequences, training=True) - sums))
        gradients = tape.gradient(loss, model.trainable_variables)
        clipped, norm = tf.clip_by_global_norm(gradients, 1.0)
        optimizer.apply_gradients(zip(clipped, model.trainable_variables))
        return loss, norm

    for number in range(steps):
        loss, norm = step(*make_sequences(32, random))
        losses.append(float(loss))
        norms.append(float(norm))
        if number % 300 == 299:
            print(f"step {number + 1}: loss {np.mean(losses[-50:]):.4f}, largest gradient {max(norms[-300:]):.1e}")
    print(f"without memory the loss is {1 / 6:.3f}")
    return losses, norms


if __name__ == "__main__":
    main()
