"""Programs of ranks that fail, each in its own way: `python -m tests.distribute.fault_programs NAME`.

Rank 1 has the fault, and prints the time. Each program trains a few steps before.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import numpy as np
import pytest

import fastgrad as fg
from fastgrad._src.kernels.collectives.world import world
from fastgrad._src.ops.collectives import all_gather, all_reduce


def make_step(width=4):
    weights = fg.Variable(np.ones(width, np.float32))

    @fg.function
    def train_step(x):
        with fg.GradientTape() as tape:
            loss = fg.reduce_sum((x * weights) ** 2)
        (gradient,) = all_reduce([tape.gradient(loss, weights)])
        weights.assign_sub(0.001 * gradient)
        return loss

    return train_step


def train(steps, step=None):
    step = step or make_step()
    for _ in range(steps):
        step(np.ones(4, np.float32))


def fault():
    """Prints the time of the fault; returns whether this rank has it."""
    if world().rank == 1:
        print(f"FAULT {time.time()}", flush=True)
        return True
    return False


def raises(step):
    if fault():
        raise ValueError("one bad batch")
    train(5, step)


def raises_while_others_compute(step):
    if fault():
        raise ValueError("one bad batch")
    end = time.time() + 30
    while time.time() < end:
        sum(range(1000))


def raises_in_a_thread(step):
    if fault():

        def load():
            raise ValueError("one bad batch")

        threading.Thread(target=load).start()
        time.sleep(30)
    train(5, step)


def raises_in_eager_code(step):
    if fault():
        raise ValueError("one bad batch")
    all_reduce([np.ones(3, np.float32)])


def leaves(step):
    if fault():
        sys.exit(0)
    train(5, step)


def leaves_with_status(step):
    if fault():
        sys.exit(3)


def ends_early(step):
    if not fault():
        train(5, step)


def ended_by(number):
    def run(step):
        if fault():
            os.kill(os.getpid(), number)
        train(5, step)

    return run


killed = ended_by(signal.SIGKILL)
terminated = ended_by(signal.SIGTERM)
crashes = ended_by(signal.SIGSEGV)
interrupted = ended_by(signal.SIGINT)


def watched_rank_is_dead(step):
    """A launcher that lets the other ranks live: rank 0 sees that the process is gone."""
    from fastgrad._src.kernels.collectives.monitor import monitor

    if world().rank == 0:
        child = os.spawnl(os.P_NOWAIT, sys.executable, sys.executable, "-c", "")
        os.waitpid(child, 0)
        print(f"FAULT {time.time()}", flush=True)
        monitor()._watched[1] = child
        train(5, step)
    else:
        time.sleep(30)


def runs_forever(step):
    print(f"FAULT {time.time()}", flush=True)
    while True:
        train(100, step)


def ends(step):
    print(f"done {world().rank}", flush=True)


def ends_late(step):
    time.sleep(4 * world().rank)
    ends(step)


def is_slow(step):
    if world().rank == 1:
        time.sleep(4)
    train(5, step)
    ends(step)


def without_collectives(step=None):
    world()
    ends(step)


def without_world(step=None):
    print("done", flush=True)


def fails_before_world(step=None):
    if os.environ["PMI_RANK"] == "1":
        print(f"FAULT {time.time()}", flush=True)
        raise FileNotFoundError("no data here")
    world()


def skips_world(step=None):
    if os.environ["PMI_RANK"] == "1":
        print(f"FAULT {time.time()}", flush=True)
    else:
        world()


def other_shape(step):
    fault()
    all_reduce([np.zeros(16 + world().rank, np.float32)])


def other_shape_in_step(step):
    fault()
    train(5, make_step(4 if world().rank == 0 else 1))


def other_function(step):
    activation = fg.tanh if world().rank == 0 else fg.nn.relu
    weights = fg.Variable(np.ones(4, np.float32))

    @fg.function
    def other_step(x):
        with fg.GradientTape() as tape:
            loss = fg.reduce_sum(activation(x * weights))
        return all_reduce([tape.gradient(loss, weights)])

    fault()
    other_step(np.ones(4, np.float32))
    print("RETURNED", flush=True)


def other_reduction(step):
    fault()
    all_reduce([np.ones(4, np.float32)], "sum" if world().rank == 0 else "max")


def other_order(step):
    """Both collectives were agreed on before, and have the same size."""
    x = np.arange(4, dtype=np.float32) + world().rank
    collectives = [lambda: all_reduce([x], "max"), lambda: all_reduce([x], "sum")]
    for collective in collectives:
        collective()
    fault()
    for collective in collectives if world().rank == 0 else reversed(collectives):
        print("RESULT", collective()[0].numpy(), flush=True)


def other_order_in_steps(step):
    add = fg.function(lambda x: all_reduce([x])[0])
    gather = fg.function(all_gather)
    x = np.ones(4, np.float32)
    for _ in range(3):
        add(x), gather(x)
    fault()
    for collective in (add, gather) if world().rank == 0 else (gather, add):
        print("RESULT", collective(x).numpy(), flush=True)


def other_version(step=None):
    from importlib import metadata

    real = metadata.version
    if os.environ["PMI_RANK"] == "1":
        metadata.version = lambda name: "0.1" if name == "numba" else real(name)
        print(f"FAULT {time.time()}", flush=True)
    train(3)


def has_nan(step):
    fg.debugging.enable_check_numerics()
    x = fg.constant([1.0, 2.0])
    if fault():
        x = fg.constant([1.0, -2.0])
    all_reduce([fg.math.log(x)])


def catches(step):
    """A caught error does not end the job."""
    with pytest.raises(fg.errors.UnavailableError, match="run different collectives"):
        all_reduce([np.zeros(16 + world().rank, np.float32)])
    ends(step)


NOT_TRAINED = {without_collectives, without_world, fails_before_world, skips_world, other_version}


def main():
    program = globals()[sys.argv[1]]
    if program in NOT_TRAINED:
        program()
        return
    step = make_step()
    train(4, step)
    program(step)


if __name__ == "__main__":
    main()
