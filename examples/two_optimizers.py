"""Two optimizers under one tape: a network's first layer learns slowly, its last layer fast."""

import numpy as np
from sklearn.datasets import load_breast_cancer

import fastgrad as tf


def main():
    data = load_breast_cancer()
    features = ((data.data - data.data.mean(0)) / data.data.std(0)).astype(np.float32)
    labels = data.target.astype(np.float32)[:, None]

    tf.random.set_seed(0)
    first = tf.keras.layers.Dense(16, activation="relu")
    last = tf.keras.layers.Dense(1)
    slow = tf.keras.optimizers.SGD(learning_rate=0.01, momentum=0.9)
    fast = tf.keras.optimizers.Adam(learning_rate=0.05)

    @tf.function
    def train():
        with tf.GradientTape() as tape:
            logits = last(first(features))
            loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits))
        variables = [first.trainable_variables, last.trainable_variables]
        slow_gradients, fast_gradients = tape.gradient(loss, variables)
        slow.apply_gradients(zip(slow_gradients, first.trainable_variables))
        fast.apply_gradients(zip(fast_gradients, last.trainable_variables))
        return loss, logits

    for step in range(200):
        loss, logits = train()
        if step % 50 == 0:
            print(f"step {step}: loss {loss.numpy():.4f}")
    accuracy = np.mean((logits.numpy() > 0) == labels)
    print(f"loss {loss.numpy():.4f}, accuracy {accuracy:.3f}")
    return float(loss), accuracy


if __name__ == "__main__":
    main()
