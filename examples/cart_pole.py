"""Carts with a pole each that want to be balanced: the world in which the agents of the other two files learn."""

import math

import numpy as np


class CartPoles:
    """Carts with a pole each, pushed left or right at every step (Barto, Sutton and Anderson, 1983)."""

    def __init__(self, count, random):
        self.random = random
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

    def stand_up(self, chosen):
        """Restarts the chosen carts."""
        self.state[chosen] = self.random.uniform(-0.05, 0.05, size=(int(np.sum(chosen)), 4))
        self.up[chosen] = True


def main():
    carts = CartPoles(1000, np.random.default_rng(0))
    steps = 0
    while carts.up.any():
        steps += np.mean(carts.push(carts.random.integers(0, 2, 1000)))
    print(f"pushed at random, a pole stays up for {steps:.0f} steps")
    return steps


if __name__ == "__main__":
    main()
