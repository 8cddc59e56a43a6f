"""Models of models: shared and frozen layers, masks through them, configurations, clones, own layers and steps."""

import json

import numpy as np

X = np.sin(np.arange(6 * 4) * 0.7).reshape(6, 4).astype(np.float32)
Y = np.cos(np.arange(6) * 1.1).astype(np.float32)
TOKENS = np.array([[1, 2, 0, 0], [3, 0, 0, 0], [2, 1, 3, 2]], np.int32)


def _with_weights(model):
    model.set_weights(
        [
            (0.5 * np.cos(np.arange(int(np.prod(w.shape))) * 1.3 + place)).reshape(tuple(w.shape)) ** 2
            for place, w in enumerate(model.weights)
        ]
    )
    return model


def _inner(tf, name="inner"):
    k = tf.keras
    stack = [k.Input((4,)), k.layers.Dense(3, "tanh", name="d"), k.layers.BatchNormalization(name="n")]
    return k.Sequential(stack, name=name)


def _nested(tf):
    """A shared stack in a functional model, with a branch and two outputs."""
    k = tf.keras
    a, b = k.Input((4,), name="a"), k.Input((4,), name="b")
    inner = _inner(tf)
    both = k.layers.Concatenate(name="both")([inner(a), inner(b)])
    first = k.layers.Dense(2, name="first")(both)
    second = k.layers.Subtract(name="second")([inner(a), k.layers.Dense(3, name="w")(both)])
    return _with_weights(k.Model([a, b], [first, second], name="outer"))


def nested(tf):
    k = tf.keras

    def described(model):
        return [
            [layer.name for layer in model.layers],
            [[w.path, list(w.shape), bool(w.trainable)] for w in model.weights],
            [w.path for w in model.trainable_weights],
            model.count_params(),
        ]

    def frozen():
        model = _nested(tf)
        model.get_layer("inner").trainable = False
        return described(model)

    def partly_frozen():
        model = _nested(tf)
        model.get_layer("inner").get_layer("n").trainable = False
        return described(model)

    def trained(freeze):
        model = _nested(tf)
        model.get_layer("inner").trainable = not freeze
        model.compile(tf.keras.optimizers.SGD(0.1), ["mse", "mae"], loss_weights=[1.0, 0.5])
        targets = [np.ones((6, 2), np.float32), np.zeros((6, 3), np.float32)]
        model.fit([X, X[::-1].copy()], targets, batch_size=6, epochs=2, verbose=0)
        return [tf.constant(w) for w in model.get_weights()]

    def again(copy):
        model = _nested(tf)
        other = copy(model)
        other.set_weights(model.get_weights())
        same = zip(other([X, X[::-1].copy()]), model([X, X[::-1].copy()]), strict=True)
        return [described(other)[0], [bool(np.array_equal(a, b)) for a, b in same]]

    return {
        "described": lambda: described(_nested(tf)),
        "frozen": frozen,
        "partly frozen": partly_frozen,
        "results": lambda: list(_nested(tf)([X, X[::-1].copy()])),
        "results in training": lambda: list(_nested(tf)([X, X[::-1].copy()], training=True)),
        "trained": lambda: trained(False),
        "trained with frozen layers": lambda: trained(True),
        "clone": lambda: again(k.models.clone_model),
        "from its configuration": lambda: again(lambda model: k.Model.from_config(model.get_config())),
        "from JSON": lambda: again(lambda model: k.models.model_from_json(model.to_json())),
        "keys of JSON": lambda: sorted(json.loads(_nested(tf).to_json())["config"]),
        "shape of what is not called": lambda: [
            list(s) for s in _nested(tf).compute_output_shape([(None, 4), (None, 4)])
        ],
    }


def masks(tf):
    layers = tf.keras.layers

    def after(*made):
        model = tf.keras.Sequential([layers.Embedding(4, 3, mask_zero=True), *made])
        model.build((None, 4))
        return _with_weights(model)(tf.constant(TOKENS))

    return {
        "LSTM": lambda: after(layers.LSTM(2)),
        "GRU of steps": lambda: after(layers.GRU(2, return_sequences=True)),
        "through layers": lambda: after(
            layers.Dropout(0.5), layers.Dense(2), layers.LayerNormalization(), layers.LSTM(2)
        ),
        "through activations": lambda: after(layers.PReLU(shared_axes=[1]), layers.ELU(), layers.SimpleRNN(2)),
        "through noise": lambda: after(layers.GaussianNoise(0.1), layers.AlphaDropout(0.2), layers.SimpleRNN(2)),
        "Bidirectional": lambda: after(layers.Bidirectional(layers.LSTM(2))),
        "mean": lambda: after(layers.GlobalAveragePooling1D()),
        "TimeDistributed": lambda: after(layers.TimeDistributed(layers.Dense(2)), layers.GRU(2)),
        "Masking": lambda: _with_weights(
            tf.keras.Sequential([tf.keras.Input((4, 2)), layers.Masking(), layers.LSTM(2)])
        )(tf.constant(np.where(TOKENS[..., None] > 0, X[:3, :, None] * [1.0, 2.0], 0.0).astype(np.float32))),
        "of embeddings": lambda: layers.Embedding(4, 3, mask_zero=True).compute_mask(tf.constant(TOKENS)),
        "joined": lambda: layers.Add().compute_mask(
            [tf.zeros((2, 2, 1)), tf.zeros((2, 2, 1))],
            [tf.constant([[True, False]] * 2), tf.constant([[True, True]] * 2)],
        ),
    }


def own(tf):
    k = tf.keras

    class Scale(k.layers.Layer):
        def __init__(self, start=2.0, **options):
            super().__init__(**options)
            self.start = start

        def build(self, input_shape):
            self.scale = self.add_weight(
                shape=input_shape[-1:], initializer=k.initializers.Constant(self.start), name="scale", regularizer="l2"
            )

        def call(self, inputs, training=None):
            return inputs * self.scale * (2.0 if training else 1.0)

        def get_config(self):
            return {**super().get_config(), "start": self.start}

    class Stepping(k.Model):
        def __init__(self):
            super().__init__()
            self.dense = k.layers.Dense(1, kernel_initializer="ones")
            self.error = k.metrics.Mean(name="error")

        @property
        def metrics(self):
            return [self.error]

        def call(self, x):
            return self.dense(x)

        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.abs(self(x, training=True)[:, 0] - y))
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            self.error.update_state(loss)
            return {"error": self.error.result()}

    def model(**options):
        made = k.Sequential([k.Input((4,)), Scale(name="s"), k.layers.Dense(1, kernel_initializer="ones", name="d")])
        made.compile(k.optimizers.SGD(0.05), "mse", **options)
        return made

    def history(made, **options):
        found = made.fit(X, Y, **{"batch_size": 2, "epochs": 2, "verbose": 0, "shuffle": False, **options}).history
        return {name: [float(v) for v in values] for name, values in sorted(found.items())}

    def stepping(**options):
        made = Stepping()
        made.compile(k.optimizers.SGD(0.05), **options)
        return history(made)

    def from_json():
        text = model().to_json()
        return k.models.model_from_json(text, custom_objects={"Scale": Scale}).get_layer("s").start

    return {
        "own layer": lambda: model()(X),
        "own layer in training": lambda: model()(X, training=True),
        "losses": lambda: model().losses,
        "own layer trained": lambda: history(model()),
        "own layer in JSON": from_json,
        "own layer in JSON unknown": lambda: k.models.model_from_json(model().to_json()),
        "own step": stepping,
        "own step, several at once": lambda: stepping(steps_per_execution=3),
        "several at once": lambda: history(model(steps_per_execution=3), validation_data=(X, Y)),
        "run eagerly": lambda: history(model(run_eagerly=True)),
        "on batches": lambda: [float(model().train_on_batch(X, Y)), float(model().test_on_batch(X, Y))],
    }
