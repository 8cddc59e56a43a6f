"""Keras's `fit` beside the loop that it stands for; a step is an epoch.

Peers that only know Keras run `fit`, with whatever Keras computes with; fastgrad runs it, too. The compiled modes run a loop that
is written by hand, so that `fit` can be compared with it in one table. Examples come in order and the optimizer is plain gradient
descent, for the same reasons as in `pipeline.py`; the loss is the mean over the epoch.
"""

from types import ModuleType
from typing import Any

from benchmarks.data import Inputs
from benchmarks.peers.steps import tensorflow_step
from benchmarks.peers.workload import Batches, Step, Workload
from benchmarks.peers.workloads import pipeline
from benchmarks.peers.workloads.mlp import layers

EXAMPLES, BATCH, FEATURES, UNITS, CLASSES = 1_792, 64, 64, 128, 10
RATE = 0.05


def inputs(examples: int = EXAMPLES, features: int = FEATURES, units: int = UNITS) -> Inputs:
    """`x` (examples, features), `y` (examples), labels at random, and the weights."""
    found = pipeline.inputs(examples, features, units)
    return found | {"x": found["x"] * pipeline.SCALE}


def network(keras: ModuleType, inputs: Inputs) -> tuple[Any, Any]:
    """Returns the Keras model and its loss."""
    *hidden, (_, bias) = layers(inputs)
    dense = [keras.layers.Dense(one.size, activation="relu") for _, one in hidden]
    model = keras.Sequential([keras.Input((inputs["x"].shape[-1],)), *dense, keras.layers.Dense(bias.size)])
    model.set_weights([weight for layer in layers(inputs) for weight in layer])
    return model, keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def fit(library: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns `fit` as the step, and its batches; `library` is Keras, or has it."""
    keras = getattr(library, "keras", library)
    model, criterion = network(keras, inputs)
    model.compile(keras.optimizers.SGD(RATE), criterion)

    def epoch() -> Any:
        history = model.fit(inputs["x"], inputs["y"], batch_size=BATCH, shuffle=False, verbose=0)
        return history.history["loss"][-1]

    return epoch, [()]


def loop(tf: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns an epoch as a loop over batches, and these; `tf` is TensorFlow or fastgrad."""
    model, criterion = network(tf.keras, inputs)
    dataset = tf.data.Dataset.from_tensor_slices((inputs["x"], inputs["y"])).batch(BATCH).prefetch(2)
    count = len(dataset)

    def loss_function(x: Any, y: Any) -> Any:
        return criterion(y, model(x, training=True))

    step = tensorflow_step(tf, loss_function, model.trainable_variables, tf.keras.optimizers.SGD(RATE))

    def epoch() -> Any:
        total = tf.constant(0.0)
        for x, y in dataset:
            total += step(x, y)
        return total / count

    return epoch, [()]


WORKLOADS = (
    Workload(
        "keras_fit",
        f"an epoch of {EXAMPLES:,} examples in batches of {BATCH} by Keras's fit; {FEATURES}-{UNITS}-{CLASSES}, SGD. "
        "fastgrad.function and tf.function: the loop by hand",
        inputs,
        {
            "fit": fit,
            "tensorflow": loop,
            "xla": None,  # it compiles no loop over a dataset
        },
    ),
)
