"""REINFORCE: a policy learns to balance a pole on a cart, by the gradient of a loss that holds its own actions."""

import math

import numpy as np

import fastgrad as tf

STEPS = 100


class CartPoles:
    """Carts with a pole each, pushed left or right at every step (Barto, Sutton and Anderson, 1983)."""

    def __init__(self, count, random):
        self.state = random.uniform(-0.05, 0.05, size=(count, 4))
        self.up = np.ones(count, bool)

    def push(self, actions):
        """Moves all carts on by 0.02 seconds; returns which poles are still up."""
        _, speed, angle, turn = self.state.T
        force = np.where(actions == 1, 10.0, -10.0)
        pull = (force + 0.05 * turn**2 * np.sin(angle)) / 1.1
        bend = 9.8 * np.sin(angle) - np.cos(angle) * pull
        turning = bend / (0.5 * (4 / 3 - 0.1 * np.cos(angle) ** 2 / 1.1))
        push = pull - 0.05 * turning * np.cos(angle) / 1.1
        self.state = self.state + 0.02 * np.stack([speed, push, turn, turning], axis=1)
        self.up &= (np.abs(self.state[:, 0]) < 2.4) & (np.abs(self.state[:, 2]) < math.radians(12))
        return self.up


def play(policy, random, games=16):
    """Plays games side by side; returns states, actions and rewards, each of shape (steps, games, ...)."""
    carts = CartPoles(games, random)
    states, actions, rewards = [], [], []
    for _ in range(STEPS):
        state = carts.state.astype(np.float32)
        chances = tf.nn.softmax(policy(state)).numpy()
        action = (random.random(games) < chances[:, 1]).astype(np.int64)
        states.append(state)
        actions.append(action)
        rewards.append(carts.push(action).astype(np.float32))
        if not carts.up.any():
            break
    return np.array(states), np.array(actions), np.array(rewards)


def policy_loss(logits, actions, advantages):
    """The chosen actions' negative log-probabilities, weighted by how well the game went on."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=actions, logits=logits) * advantages)


def main(updates=40):
    random = np.random.default_rng(0)
    tf.random.set_seed(0)
    policy = tf.keras.Sequential(
        [tf.keras.layers.Dense(16, activation="tanh", input_shape=(4,)), tf.keras.layers.Dense(2)]
    )
    optimizer = tf.keras.optimizers.Adam(learning_rate=0.02)
    lengths = []
    for update in range(updates):
        states, actions, rewards = play(policy, random)
        alive = np.concatenate([np.ones_like(rewards[:1]), rewards[:-1]])
        returns = np.cumsum(rewards[::-1], axis=0)[::-1]
        advantages = (returns - returns[alive > 0].mean()) / (returns[alive > 0].std() + 1e-6) * alive
        with tf.GradientTape() as tape:
            logits = policy(states.reshape(-1, 4))
            loss = policy_loss(logits, actions.reshape(-1), advantages.reshape(-1).astype(np.float32))
        gradients = tape.gradient(loss, policy.trainable_variables)
        optimizer.apply_gradients(zip(gradients, policy.trainable_variables))
        lengths.append(rewards.sum(axis=0).mean())
        if update % 10 == 0:
            print(f"update {update}: the pole stays up for {lengths[-1]:.0f} steps")
    print(f"at the end: {np.mean(lengths[-5:]):.0f} of {STEPS} steps")
    return lengths


if __name__ == "__main__":
    main()
