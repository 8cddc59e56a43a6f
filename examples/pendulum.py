"""A neural ODE with known physics: gravity is a function compiled by Numba, friction a network, both learned from one path.

The equation of motion is integrated inside the training step: the user's right-hand side fuses with the integrator around it.
"""

import math

import numba
import numpy as np
from scipy.integrate import solve_ivp

import fastgrad as fg

STEP = 0.05
TRUE_LENGTH = 1.3


@fg.elementwise
@numba.njit
def gravity(angle, length):
    """The angular acceleration of a pendulum without friction."""
    return -9.81 / length * math.sin(angle)


def true_motion(_, state):
    angle, speed = state
    return [speed, -9.81 / TRUE_LENGTH * np.sin(angle) - 0.25 * speed * abs(speed) - 0.05 * speed]


def make_path(seconds):
    times = np.arange(0, seconds, STEP)
    return solve_ivp(true_motion, (0, seconds), [2.5, 0.0], t_eval=times, rtol=1e-9).y.T.astype(np.float32)


def make_step(length, friction, optimizer):
    variables = [length, *friction.trainable_variables]

    def motion(angle, speed):
        return speed, gravity(angle, length) - friction(speed)

    def advance(angle, speed):
        """One step of the fourth-order Runge-Kutta method."""
        a1, b1 = motion(angle, speed)
        a2, b2 = motion(angle + 0.5 * STEP * a1, speed + 0.5 * STEP * b1)
        a3, b3 = motion(angle + 0.5 * STEP * a2, speed + 0.5 * STEP * b2)
        a4, b4 = motion(angle + STEP * a3, speed + STEP * b3)
        return angle + STEP / 6 * (a1 + 2 * (a2 + a3) + a4), speed + STEP / 6 * (b1 + 2 * (b2 + b3) + b4)

    @fg.function
    def step(starts, ends):
        with fg.GradientTape() as tape:
            angle, speed = starts[:, :1], starts[:, 1:]
            for _ in range(4):
                angle, speed = advance(angle, speed)
            loss = fg.reduce_mean(fg.square(fg.concat([angle, speed], 1) - ends))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
        return loss

    return step


def main(updates=800):
    fg.keras.utils.set_random_seed(0)
    path = make_path(10.0)
    length = fg.Variable(2.0)
    friction = fg.keras.Sequential(
        [fg.keras.Input((1,)), fg.keras.layers.Dense(16, activation="tanh"), fg.keras.layers.Dense(1)]
    )
    schedule = fg.keras.optimizers.schedules.CosineDecay(0.02, updates)
    step = make_step(length, friction, fg.keras.optimizers.Adam(schedule))
    random = np.random.default_rng(0)
    for number in range(updates):
        starts = random.integers(0, len(path) - 4, 64)
        loss = step(path[starts], path[starts + 4])
        if number % 200 == 199:
            print(f"update {number + 1}: loss {float(loss):.1e}, length {float(length):.3f}")
    print(f"the pendulum is {float(length):.2f} m long ({TRUE_LENGTH} m in truth)")
    return float(length), float(loss), step


if __name__ == "__main__":
    main()
