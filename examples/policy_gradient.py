"""REINFORCE: a policy learns to balance a pole on a cart, by the gradient of a loss that holds its own actions."""

import numpy as np
from cart_pole import CartPoles

import fastgrad as tf

STEPS = 100


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
