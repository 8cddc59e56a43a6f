"""Times `fit`, `train_on_batch` and `predict` of Keras's backends side by side, and prints a table.

    python -m benchmarks.keras_backends --python fastgrad=.venv-keras/bin/python --python jax=.venv-peers/bin/python ...

The processes of one model run in turns, one at a time. Losses of the first epoch are compared before anything is timed.
"""

import argparse
import json
import statistics
from pathlib import Path

from benchmarks.keras_backends import worker_models
from benchmarks.peers.process import PeerProcess

MEASURES = ("fit", "train_on_batch", "predict")
"""What is timed, in µs a batch of 32 rows."""


def measure(name: str, pythons: dict[str, str], rounds: int, threads: int) -> dict[str, dict[str, float]]:
    """Returns the medians of each backend for a model, and the seconds of its first epoch."""
    processes = {
        backend: PeerProcess(python, threads, module=("benchmarks.keras_backends.worker", backend))
        for backend, python in pythons.items()
    }
    found: dict[str, dict[str, float]] = {}
    losses = {}
    try:
        for backend, process in processes.items():
            made = process.ask(600.0, do="make", name=name)
            if made["loss"] is not None:
                losses[backend] = made["loss"]
                found[backend] = {"first epoch": made["first_epoch"]}
        if max(losses.values()) - min(losses.values()) > 1e-3 * max(losses.values()):
            raise ValueError(f"{name}: losses of the first epoch differ: {losses}")
        for what in MEASURES:
            times: dict[str, list[float]] = {backend: [] for backend in found}
            for _ in range(rounds):
                for backend, measured in times.items():
                    measured += processes[backend].ask(600.0, do="time", what=what, count=1)["times"]
            for backend, measured in times.items():
                found[backend][what] = statistics.median(measured[1:])  # the first is a warm-up
    finally:
        for process in processes.values():
            process.close()
    return found


def main() -> None:
    """Measures the models and prints the rows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.keras_backends")
    parser.add_argument("--python", action="append", required=True, help="BACKEND=PYTHON; can be repeated")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--models", nargs="*", default=worker_models())
    parser.add_argument("--results", type=Path)
    options = parser.parse_args()
    pythons = dict(text.split("=", 1) for text in options.python)
    results = {}
    for name in options.models:
        results[name] = measure(name, pythons, options.rounds, options.threads)
        for what in ("first epoch", *MEASURES):
            row = ", ".join(f"{backend} {values[what]:.4g}" for backend, values in results[name].items())
            print(f"{name}, {what}: {row}", flush=True)
    if options.results:
        options.results.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
