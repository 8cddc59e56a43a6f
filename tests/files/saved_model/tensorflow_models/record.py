"""Writes SavedModels with TensorFlow, and what TensorFlow computes with them: ``models.tar.xz`` and ``answers.npz``.

Run it with TensorFlow 2 and Keras 3, from the root of the repository: ``python tests/files/saved_model/tensorflow_models/record.py``.
"""

import io
import pathlib
import sys
import tarfile
import tempfile

import numpy as np

FOLDER = pathlib.Path(__file__).parent
INPUTS = {
    "dense": ([7, 4], "float32"),
    "saved": ([3, 4], "float32"),
    "images": ([2, 8, 8, 3], "float32"),
    "recurrent": ([2, 5, 3], "float32"),
    "words": ([2, 6], "int32"),
    "attention": ([2, 5, 8], "float32"),
}
"""The shape and dtype of the input of each Keras model."""


def values(name):
    """The input of a model."""
    shape, dtype = INPUTS[name]
    random = np.random.default_rng(len(name))
    return random.integers(0, 10, shape).astype(dtype) if dtype == "int32" else random.normal(size=shape).astype(dtype)


def served(tf, loaded, name):
    """The result of a loaded Keras model, and the gradients of the sum of its squares by its variables."""
    x = tf.constant(values(name))
    with tf.GradientTape() as tape:
        if name == "saved":
            y = loaded.signatures["serving_default"](x)["output_0"]
            variables = []
        else:
            y, variables = loaded.serve(x), list(loaded.trainable_variables)
        loss = tf.reduce_sum(y * y)
    gradients = tape.gradient(loss, variables) if variables else []
    return [y, *map(tf.convert_to_tensor, gradients)]


def computed(tf, loaded, sign):
    """What the module computes for an input: results, gradients, and the counter of the calls."""
    x = tf.constant(sign * np.float32([[1, 2], [3, -4]]))
    with tf.GradientTape() as tape:
        tape.watch(x)
        results = loaded.f(x)
    gradients = tape.gradient(results["s"], [x, loaded.w, loaded.parts[0]])
    return [results["y"], results["s"], *gradients, tf.convert_to_tensor(loaded.n)]


def chosen(tf, loaded):
    """What the concrete functions compute that the arguments choose, and those with control flow."""
    ones = tf.ones([2])
    return [
        loaded.g(ones),
        loaded.g(ones, False),
        loaded.g(tf.ones([2, 2]), scale=tf.constant(3.0)),
        *[loaded.case(tf.constant(i), ones) for i in range(3)],
        *loaded.nested({"b": ones, "a": (2 * ones, 3 * ones)}),
        loaded.lists(tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])),
    ]


def with_gradients(tf, loaded, name):
    """A function with a custom gradient: its result, gradient, and second derivative."""
    x = tf.constant([0.1, -0.7, 2.0])
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = getattr(loaded, name)(x)
        gradient = tape.gradient(y, x)
    return [y, gradient, outer.gradient(gradient, x)]


def layer_answers(tf, path):
    """A ``TFSMLayer`` on the dense model: its result, and the gradients of the sum of its squares by its weights."""
    layer = tf.keras.layers.TFSMLayer(path)
    weights = [weight if isinstance(weight, tf.Variable) else weight.value for weight in layer.trainable_weights]
    with tf.GradientTape() as tape:
        y = layer(values("dense"))
        loss = tf.reduce_sum(y * y)
    return [y, *tape.gradient(loss, weights)]


def all_answers(tf, load, folder):
    """Every answer by a name; ``load`` loads a model of ``folder`` by its name."""
    module = load("module")
    answers = {name: served(tf, load(name), name) for name in INPUTS}
    answers |= {f"module {sign}": computed(tf, module, sign) for sign in (1, -1)}
    answers["chosen"] = chosen(tf, module)
    answers["signature"] = [module.signatures["serving_default"](x=tf.ones([1, 2]))[key] for key in ("s", "y")]
    answers["layer"] = layer_answers(tf, str(folder / "dense"))
    answers |= {name: with_gradients(tf, load("custom"), name) for name in ("silu", "clip")}
    return answers


def make_models(tf, keras, folder):
    """Writes the models."""
    keras.utils.set_random_seed(3)
    layers = keras.layers

    class Module(tf.Module):
        def __init__(self):
            self.w = tf.Variable([[1.0, 2.0], [3.0, 4.0]], name="w")
            self.n = tf.Variable(0, trainable=False)
            self.parts = [tf.Variable(2.0), {"k": tf.Variable(5.0)}]

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
        def f(self, x):
            self.n.assign_add(1)
            y = x @ self.w
            y = tf.cond(tf.reduce_sum(y) > 0, lambda: y * 2.0, lambda: tf.sin(y))
            for _ in tf.range(3):
                y = y * self.parts[0] + 1.0
            return {"y": y, "s": tf.reduce_sum(y**2)}

        @tf.function
        def g(self, x, flag=True, scale=2.0):
            return x * scale if flag else x - scale

        @tf.function(input_signature=[tf.TensorSpec([], tf.int32), tf.TensorSpec([None])])
        def case(self, i, x):
            return tf.switch_case(i, [lambda: x, lambda: x * 10.0, lambda: tf.cumsum(x) - self.parts[1]["k"]])

        @tf.function
        def nested(self, x):
            return [x["a"][0] - x["b"], x["a"][1]]

        @tf.function(input_signature=[tf.TensorSpec([None, 2])])
        def lists(self, x):
            rows = tf.TensorArray(tf.float32, size=0, dynamic_size=True)
            for row in x:
                rows = rows.write(rows.size(), row * tf.cast(rows.size(), tf.float32))
            return tf.concat(tf.split(rows.stack(), 2, axis=1)[::-1], 1)

    @tf.custom_gradient
    def clip(x):
        return x * x, lambda dy: tf.clip_by_value(dy * x, -1.0, 1.0)

    class Custom(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([3])])
        def silu(self, x):
            return tf.nn.silu(x * 2.0)

        @tf.function(input_signature=[tf.TensorSpec([3])])
        def clip(self, x):
            return clip(tf.sin(x)) * 2.0

    class Lacking(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
        def f(self, x):
            return tf.audio.decode_wav(x).sample_rate + tf.strings.unicode_script(65)

    module = Module()
    module.g(tf.ones([2]))
    module.g(tf.ones([2]), False)
    module.g(tf.ones([2, 2]), scale=tf.constant(1.0))
    module.nested({"b": tf.ones([2]), "a": (tf.ones([2]), tf.ones([2]))})
    tf.saved_model.save(module, folder / "module", signatures=module.f)
    tf.saved_model.save(Custom(), folder / "custom")
    tf.saved_model.save(Lacking(), folder / "lacking")
    dense = [keras.Input([4]), layers.Dense(5, "relu"), layers.Dropout(0.5), layers.Dense(3, "softmax")]
    keras.Sequential(dense).export(folder / "dense", verbose=False)
    tf.saved_model.save(keras.Sequential(dense), folder / "saved")
    images = [
        *(keras.Input([8, 8, 3]), layers.Conv2D(4, 3, padding="same"), layers.BatchNormalization(), layers.ReLU()),
        *(layers.MaxPooling2D(), layers.DepthwiseConv2D(3), layers.GlobalAveragePooling2D(), layers.Dense(2)),
    ]
    keras.Sequential(images).export(folder / "images", verbose=False)
    recurrent = [keras.Input([None, 3]), layers.LSTM(4, return_sequences=True), layers.GRU(3)]
    keras.Sequential(recurrent).export(folder / "recurrent", verbose=False)
    words = [
        *(keras.Input([6], dtype="int32"), layers.Embedding(10, 4, mask_zero=True), layers.LSTM(3)),
        *(layers.LayerNormalization(), layers.Dense(1)),
    ]
    keras.Sequential(words).export(folder / "words", verbose=False)
    x = keras.Input([5, 8])
    y = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x))
    keras.Model(x, layers.Dense(2, "gelu")(y)).export(folder / "attention", verbose=False)


def main(make=make_models, answer=all_answers, archive="models.tar.xz", answer_file="answers.npz"):
    """Writes the files: the models that ``make`` makes, and the answers of them."""
    import keras
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name) / "models"
        folder.mkdir()
        make(tf, keras, folder)
        answers = answer(tf, lambda name: tf.saved_model.load(str(folder / name)), folder)
        arrays = {f"{name}/{i}": np.asarray(x) for name, several in answers.items() for i, x in enumerate(several)}
        for key, array in arrays.items():
            if array.dtype == object:  # strings in a file without pickles
                arrays[key] = array.astype(bytes)
        np.savez_compressed(FOLDER / answer_file, **arrays)
        with tarfile.open(FOLDER / archive, "w:xz") as tar:
            for path in sorted(folder.rglob("*")):
                if path.is_file() and path.name != "fingerprint.pb":
                    content = path.read_bytes()
                    member = tarfile.TarInfo(path.relative_to(folder).as_posix())
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))


if __name__ == "__main__":
    sys.exit(main())
