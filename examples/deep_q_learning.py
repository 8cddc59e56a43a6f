"""Deep Q-learning: what each push is worth, learned from remembered steps with a second, slower network as the judge."""

import numpy as np
from cart_pole import CartPoles

import fastgrad as tf

DISCOUNT, CARTS, BATCH, SLOWNESS = 0.98, 8, 128, 0.02


class Memory:
    """The last steps that were seen, of which batches are drawn."""

    def __init__(self, size, random):
        self.random, self.size, self.count = random, size, 0
        self.states, self.after = (np.zeros((size, 4), np.float32) for _ in range(2))
        self.actions, self.alive = np.zeros(size, np.int64), np.zeros(size, np.float32)

    def add(self, states, actions, after, alive):
        """Remembers steps, in the place of the oldest ones."""
        places = (self.count + np.arange(len(states))) % self.size
        self.states[places], self.actions[places], self.after[places], self.alive[places] = (
            states,
            actions,
            after,
            alive,
        )
        self.count += len(states)

    def batch(self):
        """Steps drawn at random: states, actions, the states after them, and whether the pole still stood."""
        chosen = self.random.integers(0, min(self.count, self.size), BATCH)
        return self.states[chosen], self.actions[chosen], self.after[chosen], self.alive[chosen]


def make_network():
    dense = tf.keras.layers.Dense
    return tf.keras.Sequential(
        [tf.keras.Input((4,)), dense(64, activation="relu"), dense(64, activation="relu"), dense(2)]
    )


def make_step(values, judge):
    """A function of remembered steps that makes the values agree with what came of them."""
    optimizer = tf.keras.optimizers.Adam(0.001)

    @tf.function
    def step(states, actions, after, alive):
        best = tf.argmax(values(after), axis=1)  # chosen by one network, judged by the other (van Hasselt, 2016)
        later = tf.gather(judge(after), best, axis=1, batch_dims=1)
        wanted = tf.stop_gradient(alive * (1 + DISCOUNT * later))
        with tf.GradientTape() as tape:
            found = tf.gather(values(states), actions, axis=1, batch_dims=1)
            loss = tf.reduce_mean(tf.keras.losses.huber(wanted[:, None], found[:, None]))
        gradients = tape.gradient(loss, values.trainable_variables)
        optimizer.apply_gradients(zip(gradients, values.trainable_variables))
        for slow, fast in zip(judge.variables, values.variables):
            slow.assign_add(SLOWNESS * (fast - slow))
        return loss

    return step


def play(values, random, games=32, most=200):
    """How many steps the poles stay up, on average, when each push is the best known one."""
    carts, steps = CartPoles(games, random), 0
    choose = tf.function(lambda states: tf.argmax(values(states), axis=1))
    for _ in range(most):
        steps += np.mean(carts.push(choose(carts.state.astype(np.float32)).numpy()))
        if not carts.up.any():
            break
    return steps


def main(rounds=2500):
    tf.keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    values, judge = make_network(), make_network()
    judge.set_weights(values.get_weights())
    step, memory, carts = make_step(values, judge), Memory(20_000, random), CartPoles(CARTS, random)
    choose = tf.function(lambda states: tf.argmax(values(states), axis=1))
    before = play(values, random)
    for number in range(rounds):
        states = carts.state.astype(np.float32)
        chance = max(0.05, 1 - number / 1000)
        guesses = random.integers(0, 2, CARTS)
        actions = np.where(random.random(CARTS) < chance, guesses, choose(states).numpy())
        alive = carts.push(actions).copy()
        memory.add(states, actions, carts.state, alive)
        carts.stand_up(~alive)
        if number >= 50:
            step(*memory.batch())
        if number % 500 == 499:
            print(f"round {number + 1}: the pole stays up for {play(values, random):.0f} of 200 steps")
    after = play(values, random)
    print(f"before {before:.0f}, after {after:.0f} of 200 steps")
    return before, after


if __name__ == "__main__":
    main()
