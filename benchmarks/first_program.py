"""The first program of the README beside the same in TensorFlow, PyTorch and JAX: `python -m benchmarks.first_program`.

Each run is a process with nothing compiled before. The time counts from the start of the process to the first loss that it prints, and to its
end. `--python` names a Python in whose environment fastgrad is installed; by default this one, whose checkout compiles.
"""

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence

from benchmarks.apart import THREADS, thread_settings
from benchmarks.peers.__main__ import peers_python, positive_number
from benchmarks.readme_program import TimedRun, readme_program, timed_run

TORCH = """
import torch

torch.manual_seed(0)
x = torch.randn(512, 2)
y = (torch.linalg.norm(x, dim=1) < 1.0).long()
model = torch.nn.Sequential(torch.nn.Linear(2, 32), torch.nn.ReLU(), torch.nn.Linear(32, 2))
loss_of = torch.nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(301):
    optimizer.zero_grad()
    loss = loss_of(model(x), y)
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(f"step {step}: loss {loss:.1f}")
"""

JAX = """
import jax
import jax.numpy as jnp
import optax

keys = jax.random.split(jax.random.key(0), 3)
x = jax.random.normal(keys[0], (512, 2))
y = (jnp.linalg.norm(x, axis=1) < 1.0).astype(jnp.int32)
glorot = jax.nn.initializers.glorot_uniform()
weights = [glorot(keys[1], (2, 32)), jnp.zeros(32), glorot(keys[2], (32, 2)), jnp.zeros(2)]
optimizer = optax.adam(0.01)
state = optimizer.init(weights)

def loss_of(weights):
    logits = jax.nn.relu(x @ weights[0] + weights[1]) @ weights[2] + weights[3]
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

@jax.jit
def train(weights, state):
    loss, gradients = jax.value_and_grad(loss_of)(weights)
    updates, state = optimizer.update(gradients, state)
    return loss, optax.apply_updates(weights, updates), state

for step in range(301):
    loss, weights, state = train(weights, state)
    if step % 100 == 0:
        print(f"step {step}: loss {loss:.1f}")
"""


def programs() -> dict[str, str]:
    """Returns each library's program."""
    ours, _ = readme_program()
    theirs = ours.replace("import fastgrad as tf", "import tensorflow as tf")
    # TensorFlow's tensors take no format.
    theirs = theirs.replace("loss {loss:.1f}", "loss {float(loss):.1f}")
    return {"fastgrad": ours, "tensorflow": theirs, "torch": TORCH, "jax": JAX}


def run(library: str, program: str, python: str) -> TimedRun:
    """Runs a program in a process of its own, with an empty folder for compiled kernels.

    Raises:
        RuntimeError: the program failed, or has not learnt.
    """
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as errors:
        settings = thread_settings(THREADS) | {"FASTGRAD_CACHE_DIR": folder, "FASTGRAD_QUIET": "1"}
        done = timed_run([python], program, cwd=folder, env=os.environ | settings, stderr=errors)
        errors.seek(0)
        if done.status:
            raise RuntimeError(f"{library}: {(errors.read().splitlines() or ['no message'])[-1]}")
    last = done.printed.splitlines()[-1]
    if last != "step 300: loss 0.0":
        raise RuntimeError(f"{library}: its last line is {last!r}")
    return done


def main(command: Sequence[str] | None = None) -> int:
    """Prints the table: medians of seconds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_program", description=__doc__)
    parser.add_argument("--rounds", type=positive_number(int), default=5, help="runs of each program (default 5)")
    parser.add_argument("--python", default=sys.executable, help="the Python that has fastgrad (default: this one)")
    options = parser.parse_args(command)
    texts = programs()
    runs: dict[str, list[TimedRun]] = {library: [] for library in texts}
    for _ in range(options.rounds):
        for library, program in texts.items():
            runs[library].append(run(library, program, options.python if library == "fastgrad" else peers_python()))
    print("| | first loss, s | whole program, s |\n| --- | ---: | ---: |")
    for library, of_library in runs.items():
        first, whole = (statistics.median(getattr(one, part) for one in of_library) for part in ("first", "whole"))
        print(f"| {library} | {first:.2f} | {whole:.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
