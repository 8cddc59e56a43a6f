"""A neural ODE: a network learns the law of motion from one path, through a while_loop that integrates it."""

import numpy as np
from scipy.integrate import solve_ivp

import fastgrad as tf

TIMES = np.linspace(0, 5, 201, dtype=np.float32)
STEP = float(TIMES[1])


def motion(_, state):
    """A spiral (the example of Chen and others, 2018)."""
    return state**3 @ [[-0.1, 2.0], [-2.0, -0.1]]


def make_path(start):
    return solve_ivp(motion, (0, TIMES[-1]), start, t_eval=TIMES, rtol=1e-8, atol=1e-8).y.T.astype(np.float32)


def make_law():
    layers = tf.keras.layers
    return tf.keras.Sequential(
        [
            tf.keras.Input((2,)),
            layers.Lambda(lambda state: state**3),
            layers.Dense(64, activation="tanh"),
            layers.Dense(2),
        ]
    )


def integrate(law, state, steps):
    """The states after ``steps`` steps of the fourth-order Runge-Kutta method."""

    def forward(number, state):
        first = law(state)
        second = law(state + 0.5 * STEP * first)
        third = law(state + 0.5 * STEP * second)
        fourth = law(state + STEP * third)
        return number + 1, state + STEP / 6 * (first + 2 * second + 2 * third + fourth)

    return tf.while_loop(lambda number, _: number < steps, forward, (tf.constant(0), state))[1]


def main(updates=1500):
    tf.keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    path = make_path([2.0, 0.0])
    law = make_law()
    optimizer = tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(0.02, updates))

    @tf.function
    def step(states, after, steps):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(integrate(law, states, steps) - after))
        gradients = tape.gradient(loss, law.trainable_variables)
        optimizer.apply_gradients(zip(gradients, law.trainable_variables))
        return loss

    for number in range(updates):
        steps = int(random.integers(1, 11))  # of any length: the loop is compiled once
        starts = random.integers(0, len(path) - steps, 32)
        loss = step(path[starts], path[starts + steps], tf.constant(steps))
        if number % 500 == 499:
            print(f"update {number + 1}: loss {float(loss):.2e}")
    whole = [path[:1]]
    go = tf.function(lambda state: integrate(law, state, tf.constant(1)))
    for _ in TIMES[1:]:
        whole.append(go(whole[-1]).numpy())
    error = np.abs(np.concatenate(whole) - path).max()
    print(f"from the first state alone the path is off by {error:.3f} at most, in a range of {np.ptp(path):.1f}")
    return error, step


if __name__ == "__main__":
    main()
