"""Two models under one tape: one tells the species of an iris, the other guesses its petal; their losses are summed."""

import numpy as np
from sklearn.datasets import load_iris

import fastgrad as tf


def main():
    iris = load_iris()
    measures = ((iris.data - iris.data.mean(0)) / iris.data.std(0)).astype(np.float32)
    sepal, petal = measures[:, :2], measures[:, 2:]

    tf.random.set_seed(0)
    classifier = tf.keras.Sequential([tf.keras.layers.Dense(8, activation="relu"), tf.keras.layers.Dense(3)])
    regressor = tf.keras.Sequential([tf.keras.layers.Dense(8, activation="tanh"), tf.keras.layers.Dense(2)])
    cross_entropy = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    squared_error = tf.keras.losses.MeanSquaredError()
    optimizer = tf.keras.optimizers.Adam(learning_rate=0.02)

    @tf.function
    def train():
        with tf.GradientTape() as tape:
            guess = regressor(sepal)
            logits = classifier(tf.concat([sepal, guess], axis=1))
            loss = cross_entropy(iris.target, logits) + squared_error(petal, guess)
        variables = classifier.trainable_variables + regressor.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
        return loss, logits

    for step in range(300):
        loss, logits = train()
        if step % 100 == 0:
            print(f"step {step}: loss {loss.numpy():.3f}")
    accuracy = np.mean(np.argmax(logits, axis=1) == iris.target)
    print(f"loss {loss.numpy():.3f}, accuracy {accuracy:.3f}")
    return float(loss), accuracy


if __name__ == "__main__":
    main()
