"""Times `fit`, `train_on_batch` and `predict` of Keras's backends side by side, and writes their page.

    python -m benchmarks.keras_backends --python fastgrad=.venv-keras/bin/python --python jax=.venv-peers/bin/python ...

The processes of one model run in turns, one at a time. Losses of the first epoch are compared before anything is timed.
`--page` measures nothing, and makes the page of the stored results.
"""

import argparse
import statistics
import tempfile
from typing import Any

from benchmarks.keras_backends import worker_models
from benchmarks.keras_backends.page import PAGE, PICTURE, RESULTS, file_of, page, picture, stored
from benchmarks.machine import provenance
from benchmarks.peers.__main__ import warn_if_busy
from benchmarks.peers.process import PeerProcess
from benchmarks.peers.record import write_json

MEASURES = ("fit", "train_on_batch", "predict")
"""What is timed, in µs a batch of 32 rows."""

TOLERANCES = {"MobileNetV2 96x96": 5e-3}
"""How far losses may be apart where it is more than a thousandth: rounding decides signs of small gradients, which Adam's first step follows."""

EPOCHS = 4
"""How many epochs a turn has."""

TIMEOUT = 600.0


def start(backend: str, python: str, threads: int, **environment: str) -> PeerProcess:
    """Starts the worker of a backend."""
    return PeerProcess(python, threads, environment, ("benchmarks.keras_backends.worker", backend))


def measure(name: str, pythons: dict[str, str], rounds: int, threads: int) -> dict[str, dict[str, Any]]:
    """Returns the times of each round of each backend for a model, and the seconds of its first epoch.

    Raises:
        ValueError: the losses of the first epoch differ by more than the tolerance.
    """
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:  # without compiled kernels
        cold = start("fastgrad", pythons["fastgrad"], threads, FASTGRAD_CACHE_DIR=folder)
        try:
            cold_epoch = cold.ask(TIMEOUT, do="make", name=name)["first_epoch"]
        finally:
            cold.close()
    processes = {backend: start(backend, python, threads) for backend, python in pythons.items()}
    losses = {}
    try:
        for backend, process in processes.items():
            made = process.ask(TIMEOUT, do="make", name=name)
            if made["loss"] is not None:
                losses[backend] = made["loss"]
                results[backend] = {"first epoch": made["first_epoch"], "versions": made["versions"]}
        results["fastgrad"]["first epoch, no kernels on disk"] = cold_epoch
        if max(losses.values()) - min(losses.values()) > TOLERANCES.get(name, 1e-3) * max(losses.values()):
            raise ValueError(f"{name}: losses of the first epoch differ: {losses}")
        for what in MEASURES:
            for number in range(rounds + 1):
                for backend, result in results.items():
                    times = processes[backend].ask(TIMEOUT, do="time", what=what, count=EPOCHS)["times"]
                    if number:  # the first round warms up, and so does the first epoch of a turn
                        result.setdefault(what, []).append(statistics.median(times[1:]))
    finally:
        for process in processes.values():
            process.close()
    return results


def main() -> None:
    """Measures the models, stores their results and writes the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.keras_backends")
    parser.add_argument("--python", action="append", default=[], help="BACKEND=PYTHON; can be repeated")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--models", nargs="*", default=worker_models())
    parser.add_argument("--page", action="store_true", help="measure nothing: make the page of the stored results")
    options = parser.parse_args()
    if not options.page:
        pythons = dict(text.split("=", 1) for text in options.python)
        if "fastgrad" not in pythons:
            parser.error("--python fastgrad=PYTHON is missing: the other backends are compared with it")
        warn_if_busy()
        RESULTS.mkdir(parents=True, exist_ok=True)
        for name in options.models:
            facts = provenance(f"python -m benchmarks.keras_backends --models {name!r}")
            results = measure(name, pythons, options.rounds, options.threads)
            write_json(file_of(name), {**facts, "model": name, "threads": options.threads, "backends": results})
            for what in MEASURES:
                row = ", ".join(f"{backend} {statistics.median(times[what]):.4g}" for backend, times in results.items())
                print(f"{name}, {what}: {row}", flush=True)
    results_by_model = stored()
    PAGE.write_text(page(results_by_model), encoding="utf-8")
    PICTURE.write_text(picture(results_by_model), encoding="utf-8")


if __name__ == "__main__":
    main()
