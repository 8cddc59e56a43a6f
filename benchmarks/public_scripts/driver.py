"""Runs scripts under one library: `python driver.py fastgrad|tensorflow`. Each runs in a forked process, so the import is done once.

Random numbers of the two libraries differ. So that both start from the same weights and see the same batches, this program
replaces in both libraries, before the script starts: random initializers, `tf.random.normal` and similar draws (NumPy's numbers),
shuffles, dropout and augmentation (no effect), and `keras.datasets` (generated examples of the same shapes). It writes what
to compare: the weights that layers made, results of `fit`, `evaluate` and `predict`, and the numbers among the script's
global variables.
"""

import collections
import inspect
import json
import os
import pickle
import random
import runpy
import signal
import sys
import time
import traceback
from typing import Any

import numpy as np

RANDOM_INITIALIZERS = [
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "LecunNormal",
    "LecunUniform",
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
]
NO_EFFECT = [
    "AlphaDropout",
    "Dropout",
    "GaussianNoise",
    "RandomContrast",
    "RandomCrop",
    "RandomFlip",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
    "SpatialDropout1D",
    "SpatialDropout2D",
]

CHANGE_OF_WEIGHTS = float(os.environ.get("CHANGE_OF_WEIGHTS", "0"))
"""The relative change of starting weights: a run of TensorFlow with a small one shows how much the script multiplies rounding."""

counts: collections.Counter = collections.Counter()
weights: dict[tuple[int, ...], list[Any]] = collections.defaultdict(list)
results: list[Any] = []


def generator(kind: str, shape: tuple[int, ...], counted: bool = True) -> np.random.Generator:
    """Returns NumPy's generator for the next draw of this kind and shape: the same in both libraries."""
    counts[kind, shape] += counted
    return np.random.default_rng([len(kind), counts[kind, shape], *shape])


def scaled_normal(sizes: tuple[int, ...]) -> np.ndarray:
    """Returns the next starting values of a weight of this shape."""
    scale = 1 / np.sqrt(max(np.prod(sizes[:-1]), 1)) if len(sizes) > 1 else 0.1
    numbers = generator("initializer", sizes)
    return numbers.normal(size=sizes) * scale * (1 + CHANGE_OF_WEIGHTS * numbers.normal(size=sizes))


def replace_initializers(tf: Any) -> None:
    """Random initializers give normal numbers with the scale of Glorot's, whatever their own distribution."""

    def call(self: Any, shape: Any, dtype: Any = None, **options: Any) -> Any:
        return tf.cast(tf.constant(scaled_normal(tuple(int(size) for size in shape))), dtype or "float32")

    for name in RANDOM_INITIALIZERS:
        getattr(tf.keras.initializers, name).__call__ = call
    for name in "random_normal_initializer", "random_uniform_initializer":
        getattr(tf, name).__call__ = call


def replace_draws(tf: Any) -> None:
    """Draws of normal and uniform numbers give NumPy's; a draw in a graph, or of a size that is a tensor, gives a fixed sequence."""

    def uniform_numbers(shape: Any) -> Any:
        dynamic = tf.is_tensor(shape) or any(map(tf.is_tensor, shape))
        if not dynamic:
            sizes = tuple(int(size) for size in shape)
            return tf.constant(
                generator("draw", sizes, counted=not tf.inside_function()).uniform(1e-6, 1, sizes), tf.float32
            )
        shape = (
            tf.cast(shape, tf.int32) if tf.is_tensor(shape) else tf.stack([tf.cast(size, tf.int32) for size in shape])
        )
        steps = tf.cast(tf.range(tf.reduce_prod(shape)), tf.float32)
        return tf.reshape(tf.math.floormod(steps * 0.7548776 + 0.5, 1.0) * 0.999 + 5e-4, shape)

    def normal(
        shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = "float32", seed: Any = None, name: Any = None
    ) -> Any:
        numbers = tf.math.erfinv(2 * uniform_numbers(shape) - 1) * np.float32(np.sqrt(2))
        return tf.cast(numbers * tf.cast(stddev, tf.float32) + tf.cast(mean, tf.float32), dtype or "float32")

    def uniform(
        shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = "float32", seed: Any = None, name: Any = None
    ) -> Any:
        maxval = 1 if maxval is None else maxval
        low, high = tf.cast(minval, tf.float32), tf.cast(maxval, tf.float32)
        return tf.cast(uniform_numbers(shape) * (high - low) + low, dtype or "float32")

    for namespace in (tf.random, *(keras.random for keras in keras_modules(tf))):
        namespace.normal = namespace.truncated_normal = normal
        namespace.uniform = uniform
        namespace.shuffle = lambda value, *arguments, **options: value
    for keras in keras_modules(tf):
        keras.random.truncated_normal = normal


def keras_modules(tf: Any) -> list[Any]:
    """Returns `tf.keras` and `keras`, which are two modules in TensorFlow."""
    import keras

    return [tf.keras] if keras is tf.keras else [tf.keras, keras]


def replace_shuffles(tf: Any) -> None:
    """Shuffles, dropout and augmentation have no effect."""
    tf.data.Dataset.shuffle = lambda self, *arguments, **options: self
    tf.nn.dropout = lambda x, *arguments, **options: x
    for name in NO_EFFECT:
        getattr(tf.keras.layers, name).call = lambda self, inputs, training=None: inputs


def correct_adam_in_float64(tf: Any) -> None:
    """Keras's Adam gets the bias correction in float64, as fastgrad has it. Keras has it in the dtype of the variable."""

    def update_step(self: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
        step = tf.cast(self.iterations.value, tf.float64) + 1
        beta_1, beta_2 = (tf.constant(beta, tf.float64) for beta in (self.beta_1, self.beta_2))
        rate = tf.cast(learning_rate, tf.float64) * tf.sqrt(1 - beta_2**step) / (1 - beta_1**step)
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        gradient = tf.cast(gradient, variable.dtype)
        self.assign_add(m, (gradient - m) * (1 - self.beta_1))
        self.assign_add(v, (gradient * gradient - v) * (1 - self.beta_2))
        self.assign_sub(variable, m * tf.cast(rate, variable.dtype) / (tf.sqrt(v.value) + self.epsilon))

    tf.keras.optimizers.Adam.update_step = update_step


def record_results(tf: Any) -> None:
    """Records weights that layers make, and what `fit`, `evaluate` and `predict` return; `fit` neither shuffles nor prints."""
    add_weight = tf.keras.layers.Layer.add_weight
    signature = inspect.signature(add_weight)

    def recorded_add_weight(self: Any, *arguments: Any, **options: Any) -> Any:
        bound = signature.bind(self, *arguments, **options)
        initializer = tf.keras.initializers.get(bound.arguments.get("initializer") or "glorot_uniform")
        if type(initializer).__name__ in RANDOM_INITIALIZERS:  # libraries differ in when and how often they call it
            sizes = tuple(int(size) for size in bound.arguments["shape"])
            numbers = scaled_normal(sizes)
            bound.arguments["initializer"] = lambda shape, dtype=None: tf.cast(tf.constant(numbers), dtype or "float32")
        weight = add_weight(*bound.args, **bound.kwargs)
        weights[tuple(weight.shape)].append(weight)
        return weight

    tf.keras.layers.Layer.add_weight = recorded_add_weight
    depth = [0]

    def record(name: str) -> None:
        method = getattr(tf.keras.Model, name)

        def recorded(self: Any, *arguments: Any, **options: Any) -> Any:
            if not depth[0]:
                options["verbose"] = 0
                if name == "fit":
                    options["shuffle"] = False
            depth[0] += 1
            try:
                result = method(self, *arguments, **options)
            finally:
                depth[0] -= 1
            if not depth[0]:
                results.append(numbers_of(getattr(result, "history", result)))
            return result

        setattr(tf.keras.Model, name, recorded)

    for name in "fit", "evaluate", "predict":
        record(name)


def numbers_of(value: Any) -> list[Any]:
    """Returns the numeric arrays in a value: an array, a tensor, a number, or a list, tuple or dict of them."""
    if isinstance(value, (list, tuple)):
        return [array for element in value for array in numbers_of(element)]
    if isinstance(value, dict):
        return [array for key in sorted(value, key=str) for array in numbers_of(value[key])]
    if isinstance(value, (bool, int, float, complex, np.ndarray, np.generic)) or callable(
        getattr(value, "numpy", None)
    ):
        try:
            array = np.asarray(value.numpy() if hasattr(value, "numpy") else value)
        except (AttributeError, NotImplementedError, TypeError, ValueError, RuntimeError):
            return []
        return [array] if array.dtype.kind in "biufc" and array.size < 10**7 else []
    return []


def replace_datasets(tf: Any) -> None:
    """`keras.datasets` gives generated examples: fewer, with the shapes, dtypes and ranges of the real ones."""

    def images(shape: tuple[int, ...], classes: int, column: bool) -> Any:
        def load_data(*arguments: Any, **options: Any) -> Any:
            rng = np.random.default_rng(1)
            means = rng.uniform(0, 160, (classes, *shape))
            parts = []
            for count in 512, 128:
                labels = rng.integers(0, classes, count).astype("uint8")
                pixels = (means[labels] + rng.uniform(0, 95, (count, *shape))).astype("uint8")
                parts.append((pixels, labels[:, None] if column else labels))
            return tuple(parts)

        return load_data

    def texts(classes: int) -> Any:
        def load_data(path: Any = None, num_words: Any = None, **options: Any) -> Any:
            rng = np.random.default_rng(2)
            parts = []
            for count in 128, 64:
                labels = rng.integers(0, classes, count)
                words = [
                    (rng.integers(4, num_words or 5000, rng.integers(20, 300)) // (1 + label % 2)) for label in labels
                ]
                sequences = np.empty(count, object)
                sequences[:] = [[1, *np.maximum(row, 3).tolist()] for row in words]
                parts.append((sequences, labels))
            return tuple(parts)

        return load_data

    def prices(*arguments: Any, **options: Any) -> Any:
        rng = np.random.default_rng(3)
        rows = [rng.normal(size=(count, 13)) for count in (404, 102)]
        return tuple((x, x @ np.arange(13) / 10 + 22) for x in rows)

    loaders = {
        "mnist": images((28, 28), 10, False),
        "fashion_mnist": images((28, 28), 10, False),
        "cifar10": images((32, 32, 3), 10, True),
        "cifar100": images((32, 32, 3), 100, True),
        "imdb": texts(2),
        "reuters": texts(46),
        "boston_housing": prices,
    }
    for keras in keras_modules(tf):
        for name, loader in loaders.items():
            getattr(keras.datasets, name).load_data = loader
        for name in "imdb", "reuters":
            getattr(keras.datasets, name).get_word_index = lambda *arguments, **options: {
                f"w{i}": i for i in range(1, 5000)
            }


def run_script(library: str, script: str, file: str) -> None:
    """Runs the script and writes what to compare to a file."""
    np.random.seed(0)  # noqa: NPY002  # scripts draw from NumPy's global generator
    random.seed(0)
    if library == "fastgrad":
        import fastgrad.as_tensorflow

        fastgrad.as_tensorflow.main([script])
        names = vars(sys.modules["__main__"])
    else:
        sys.argv, sys.path[0] = [script], os.path.dirname(script)
        names = runpy.run_path(script, run_name="__main__")
    found = {
        "weights": {shape: [np.asarray(weight) for weight in made] for shape, made in weights.items()},
        "results": results,
        "globals": {name: numbers_of(value) for name, value in names.items() if not name.startswith("_")},
    }
    with open(file, "wb") as stream:
        pickle.dump(found, stream)


def run_forked(library: str, script: str, file: str, seconds: float) -> int:
    """Runs the script in a copy of this process, in the script's folder; returns its exit code, -9 after that many seconds."""
    child = os.fork()
    if not child:
        folder = os.path.dirname(script)
        os.chdir(folder)
        for descriptor, name in (1, "stdout"), (2, "stderr"):
            os.dup2(os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT), descriptor)
        code = 1
        try:
            run_script(library, script, file)
            code = 0
        except SystemExit as error:
            print(f"SystemExit: {error.code}", file=sys.stderr)
        except BaseException:  # noqa: BLE001  # any error of the script is its result
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -signal.SIGKILL


def main(library: str) -> None:
    """Answers each line of the input, a list of a script's path, a path for the results and a limit in seconds."""
    if library == "fastgrad":
        import fastgrad.as_tensorflow

        fastgrad.as_tensorflow.install()
    import tensorflow as tf

    for replace in replace_initializers, replace_draws, replace_shuffles, replace_datasets, record_results:
        replace(tf)
    if CHANGE_OF_WEIGHTS:
        correct_adam_in_float64(tf)
    for line in sys.stdin:
        print(run_forked(library, *json.loads(line)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
