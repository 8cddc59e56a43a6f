"""A hyper-parameter search by Optuna: 16 small trainings on the handwritten digits, in several processes.

    python examples/tune.py [--trials 16] [--processes 2] [--output build/tune]        (pip install "fastgrad[tune]")

The processes share a journal of trials and a folder of compiled kernels. The first trial compiles the kernels. The others
load them: kernels do not depend on the sizes of layers and batches. (A step that is much shorter or longer than the first
trial's needs one more variant of the driver.) The table says how many kernels each trial added to the folder. The threads
are divided among the processes.
"""

import argparse
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

EPOCHS = 8


def kernels(folder):
    """The number of compiled kernels in a folder."""
    return sum(file.is_file() for file in Path(folder).rglob("*"))


def train(units, rate, dropout, batch):
    """The accuracy on the validation images of a network with these hyper-parameters."""
    import fastgrad as tf

    digits = load_digits()
    images = (digits.data / 16.0).astype(np.float32)
    x, valid_x, y, valid_y = train_test_split(images, digits.target, test_size=0.25, random_state=0)
    tf.keras.utils.set_random_seed(0)
    model = tf.keras.Sequential(
        [
            tf.keras.Input((64,)),
            tf.keras.layers.Dense(units, activation="relu"),
            tf.keras.layers.Dropout(dropout),
            tf.keras.layers.Dense(10),
        ]
    )
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf.keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    model.fit(x, y, batch_size=batch, epochs=EPOCHS, verbose=0)
    return model.evaluate(valid_x, valid_y, verbose=0)[1]


def objective(trial):
    """Trains with the hyper-parameters of a trial; notes what was compiled for it."""
    before, began = kernels(os.environ["FASTGRAD_CACHE_DIR"]), time.perf_counter()
    accuracy = train(
        units=trial.suggest_int("units", 16, 128, log=True),
        rate=trial.suggest_float("rate", 1e-4, 3e-2, log=True),
        dropout=trial.suggest_float("dropout", 0.05, 0.5),
        batch=trial.suggest_categorical("batch", [16, 32, 64, 128]),
    )
    trial.set_user_attr("seconds", time.perf_counter() - began)
    trial.set_user_attr("compiled", kernels(os.environ["FASTGRAD_CACHE_DIR"]) - before)
    trial.set_user_attr("compiler", "numba" in sys.modules)
    trial.set_user_attr("process", os.getpid())
    return accuracy


def search(journal, trials, seed):
    """Runs trials of the study in this process."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.load_study(
        study_name="digits", storage=storage(journal), sampler=optuna.samplers.RandomSampler(seed=seed)
    )
    study.optimize(objective, n_trials=trials)


def storage(journal):
    """The storage of trials in a file that several processes append to."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(str(journal)))


def main(arguments=None):
    import optuna

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("build/tune"))
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    journal = options.output / "trials.log"
    journal.unlink(missing_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(study_name="digits", storage=storage(journal), direction="maximize")

    # Processes inherit these: one folder of kernels, and a share of the processors for each.
    os.environ.setdefault("FASTGRAD_CACHE_DIR", str(options.output.resolve() / "kernels"))
    os.environ.setdefault("FASTGRAD_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // options.processes)))
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn) as first:
        first.submit(search, journal, 1, 0).result()
    counts = [(options.trials - 1 + i) // options.processes for i in range(options.processes)]
    with ProcessPoolExecutor(options.processes, spawn) as pool:
        for result in [pool.submit(search, journal, n, 1 + i) for i, n in enumerate(counts) if n]:
            result.result()

    print("trial  units    rate  dropout  batch  accuracy  seconds  kernels compiled")
    for trial in study.trials:
        chosen, noted = trial.params, trial.user_attrs
        print(
            f"{trial.number:>5}  {chosen['units']:>5}  {chosen['rate']:.4f}  {chosen['dropout']:>7.2f}  {chosen['batch']:>5}  "
            f"{100 * (trial.value or 0.0):>6.1f} %  {noted['seconds']:>7.2f}  {noted['compiled']:>16}"
        )
    print(f"best: {100 * study.best_value:.1f} % with {study.best_params}")
    return study


if __name__ == "__main__":
    main()
