"""A Wasserstein GAN with gradient penalty learns eight heaps of points, and draws them.

python examples/wasserstein_gan.py [--output build] [--steps 800]
"""

import argparse
from pathlib import Path

import numpy as np

import fastgrad as tf

BATCH, NOISE, PENALTY, CRITIC_STEPS = 128, 4, 0.1, 3
ANGLES = 2 * np.pi * np.arange(8) / 8
CENTERS = 2 * np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)


def make_points(count, random):
    return (CENTERS[random.integers(0, 8, count)] + 0.1 * random.normal(size=(count, 2))).astype(np.float32)


def make_network(inputs, outputs):
    dense = tf.keras.layers.Dense
    return tf.keras.Sequential(
        [tf.keras.Input((inputs,)), dense(64, activation="relu"), dense(64, activation="relu"), dense(outputs)]
    )


def make_steps(generator, critic):
    """Two functions: one makes the critic better at telling real points from made ones, one the generator at fooling it."""
    critic_optimizer = tf.keras.optimizers.Adam(0.001, beta_1=0.5, beta_2=0.9)
    generator_optimizer = tf.keras.optimizers.Adam(0.001, beta_1=0.5, beta_2=0.9)

    @tf.function
    def train_critic(real):
        made = generator(tf.random.normal((BATCH, NOISE)))
        between = real + tf.random.uniform((BATCH, 1)) * (made - real)
        with tf.GradientTape() as tape:
            with tf.GradientTape() as inner:
                inner.watch(between)
                judged = critic(between)
            slopes = tf.norm(inner.gradient(judged, between), axis=1)  # its own gradient is taken below: second order
            distance = tf.reduce_mean(critic(real)) - tf.reduce_mean(critic(made))
            loss = PENALTY * tf.reduce_mean((slopes - 1) ** 2) - distance
        gradients = tape.gradient(loss, critic.trainable_variables)
        critic_optimizer.apply_gradients(zip(gradients, critic.trainable_variables))
        return distance

    @tf.function
    def train_generator():
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(critic(generator(tf.random.normal((BATCH, NOISE)))))
        gradients = tape.gradient(loss, generator.trainable_variables)
        generator_optimizer.apply_gradients(zip(gradients, generator.trainable_variables))

    return train_critic, train_generator


def judge(points):
    """The share of points within three deviations of a heap, and how many heaps have a share of them."""
    distances = np.linalg.norm(points[:, None] - CENTERS, axis=-1)
    near = distances.min(axis=1) < 0.3
    heaps = np.bincount(distances.argmin(axis=1)[near], minlength=8)
    return near.mean(), int(np.sum(heaps > 0.02 * len(points)))


def draw(real, made, file):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.scatter(*real.T, s=4, color="tab:gray", label="real")
    axes.scatter(*made.T, s=4, color="tab:orange", label="made")
    axes.legend()
    figure.savefig(file, dpi=120)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--output", type=Path, default=Path("build"))
    parser.add_argument("--steps", type=int, default=2000)
    options = parser.parse_args(arguments)
    tf.keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    generator, critic = make_network(NOISE, 2), make_network(2, 1)
    train_critic, train_generator = make_steps(generator, critic)
    distances = []
    for number in range(options.steps):
        for _ in range(CRITIC_STEPS):
            distance = train_critic(make_points(BATCH, random))
        train_generator()
        distances.append(float(distance))
        if number % 500 == 499:
            print(f"step {number + 1}: distance {np.mean(distances[-50:]):.3f}")
    made = generator(tf.random.normal((1000, NOISE))).numpy()
    share, heaps = judge(made)
    print(f"{100 * share:.0f} % of the points lie on a heap; {heaps} of 8 heaps are found")
    options.output.mkdir(parents=True, exist_ok=True)
    file = options.output / "wasserstein_gan.png"
    draw(make_points(1000, random), made, file)
    print(f"drawn: {file}")
    return distances, share, heaps


if __name__ == "__main__":
    main()
