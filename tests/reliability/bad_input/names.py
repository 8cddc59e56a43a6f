"""The names that the wrong calls in `calls/` use: operands, and short forms of modules.

Runs in TensorFlow's environment as well as in fastgrad's.
"""

import atexit
import functools
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

OPERANDS = (
    "M",
    "V",
    "DOUBLE",
    "INTS",
    "INTS2",
    "LONGS",
    "BYTES",
    "BOOLS",
    "HALVES",
    "COMPLEX",
    "SCALAR",
    "SQUARE",
    "IMAGE",
    "PIXELS",
    "COLORS",
    "EMPTY",
)
"""The operands that a compiled function takes as arguments."""


def names(tf: ModuleType) -> dict[str, Any]:
    """The global names of the calls. Tensors are new ones each time."""
    keras = tf.keras
    return {
        "tf": tf,
        "np": np,
        "keras": keras,
        "layers": keras.layers,
        "losses": keras.losses,
        "metrics": keras.metrics,
        "optimizers": keras.optimizers,
        "Dataset": tf.data.Dataset,
        "nan": float("nan"),
        "inf": float("inf"),
        "M": tf.constant(np.arange(6, dtype=np.float32).reshape(2, 3)),
        "V": tf.constant([1.0, 2.0, 3.0]),
        "DOUBLE": tf.constant([1.0, 2.0, 3.0], tf.float64),
        "INTS": tf.constant([1, 2, 3]),
        "INTS2": tf.constant([[1, 2, 3], [4, 5, 6]]),
        "LONGS": tf.constant([1, 2, 3], tf.int64),
        "BYTES": tf.constant([1, 2, 3], tf.uint8),
        "BOOLS": tf.constant([True, False]),
        "HALVES": tf.constant([1.0, 2.0, 3.0], tf.float16),
        "COMPLEX": tf.constant([1 + 2j, 3 - 1j], tf.complex64),
        "SCALAR": tf.constant(2.0),
        "SQUARE": tf.constant([[2.0, 1.0], [1.0, 3.0]]),
        "IMAGE": tf.constant(np.arange(32, dtype=np.float32).reshape(1, 4, 4, 2)),
        "PIXELS": tf.constant(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)),
        "COLORS": tf.constant(np.arange(48, dtype=np.float32).reshape(4, 4, 3) / 48),
        "EMPTY": tf.constant(np.zeros([0, 3], np.float32)),
        "TEXT": tf.constant(["a", "b"]),
        "ARRAY": np.arange(6, dtype=np.float32).reshape(2, 3),
        "v": tf.Variable([1.0, 2.0], name="v"),
        "step": lambda x: x + 1,
        "built": lambda: _built(tf),
        "compiled": lambda **options: _compiled(tf, **options),
        "calls": _calls,
        "twice": lambda layer: [layer(keras.Input((size,))) for size in (4, 5)],
        "LOGITS_LOSS": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "ragged": lambda: tf.ragged.constant([[1.0, 2.0], [3.0]]),
        "sparse": lambda: tf.SparseTensor([[0, 0], [1, 2]], [1.0, 2.0], [2, 3]),
        "sparse_ids": lambda: tf.SparseTensor([[0, 0], [1, 2]], tf.constant([1, 0], tf.int64), [2, 3]),
        "png": lambda: tf.io.encode_png(tf.constant(np.zeros([2, 3, 3], np.uint8))),
        "jpeg": lambda: tf.io.encode_jpeg(tf.constant(np.zeros([2, 3, 3], np.uint8))),
        "table": lambda: tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1),
        "file": _file,
        "folder": lambda: tempfile.mkdtemp(dir=_folder()),
        "written": lambda call: _written(tf, call),
        "tape": tf.GradientTape,
        "gradient": lambda *arguments, **options: _gradient(tf, *arguments, **options),
    }


@functools.cache
def _folder() -> str:
    """A folder of temporary files, which goes when the process ends."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _file(text: str, name: str) -> str:
    """The path of a temporary file that holds a text."""
    path = Path(_folder(), name)
    path.write_text(text, encoding="utf-8")
    return str(path)


def _written(tf: ModuleType, call: Callable[[], Any]) -> Any:
    """What a call of ``tf.summary`` gives where there is a writer."""
    with tempfile.TemporaryDirectory() as folder:
        writer = tf.summary.create_file_writer(folder)
        try:
            with writer.as_default():
                result = call()
        finally:
            writer.close()
        return result


def _built(tf: ModuleType) -> Any:
    model = tf.keras.Sequential([tf.keras.layers.Dense(4), tf.keras.layers.Dense(2)])
    model(tf.ones([2, 3]))
    return model


def _compiled(tf: ModuleType, **options: Any) -> Any:
    model = _built(tf)
    model.compile(**{"optimizer": "sgd", "loss": "mse"} | options)
    return model


def _calls(function: Any, *calls: tuple[Any, ...]) -> Any:
    """The last of several calls of one object."""
    for arguments in calls:
        result = function(*arguments)
    return result


def _gradient(tf: ModuleType, *arguments: Any, persistent: bool = False, times: int = 1, **options: Any) -> Any:
    """A gradient of a square; `arguments` take the place of target and sources."""
    x = tf.Variable(3.0)
    with tf.GradientTape(persistent=persistent) as tape:
        y = x * x
    for _ in range(times):
        result = tape.gradient(*(arguments or (y, x)), **options)
    return result
