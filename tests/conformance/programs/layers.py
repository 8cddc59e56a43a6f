"""Keras layers and models: building, weights, names, calling, freezing."""

import numpy as np

from ..refusal import refused


def dense(tf):
    layers = tf.keras.layers

    def made(units=2, **arguments):
        layer = layers.Dense(units, kernel_initializer="ones", bias_initializer="zeros", **arguments)
        return layer(tf.constant([[1.0, 2.0, 3.0]]))

    def gradient():
        layer = layers.Dense(2, activation="tanh", kernel_initializer="ones")
        x = tf.constant([[0.1, 0.2, -0.4]])
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(layer(x))
        return tape.gradient(y, layer.trainable_variables)

    def built(**arguments):
        layer = layers.Dense(2, **arguments)
        layer.build((None, 3))
        return layer

    return {
        "call": made,
        "activation": lambda: made(activation="relu"),
        "activation function": lambda: made(activation=tf.nn.tanh),
        "softmax": lambda: made(activation="softmax"),
        "no bias": lambda: made(use_bias=False),
        "of three dimensions": lambda: layers.Dense(2, kernel_initializer="ones")(tf.ones((1, 2, 3))),
        "of rank one": lambda: refused(lambda: layers.Dense(2)(tf.ones(3))),
        "gradient": gradient,
        "other width later": lambda: _second_width(tf),
        "weights before build": lambda: layers.Dense(2).weights,
        "weight names": lambda: [w.name for w in built().weights],
        "weight shapes": lambda: [tuple(w.shape) for w in built().weights],
        "built": lambda: [layers.Dense(2).built, built().built],
        "zero biases": lambda: built().bias.numpy(),
        "kernel bounds": lambda: float(np.abs(np.asarray(built().kernel)).max()) <= np.sqrt(6.0 / 5.0),
        "units": lambda: layers.Dense(3).units,
        "negative units": lambda: layers.Dense(-1),
        "zero units": lambda: layers.Dense(0),
        "float units": lambda: refused(lambda: layers.Dense(2.5)),
        "unknown activation": lambda: layers.Dense(2, activation="nonsense"),
        "unknown argument": lambda: layers.Dense(2, nonsense=1),
        "unknown initializer": lambda: layers.Dense(2, kernel_initializer="nonsense"),
        "float64 input becomes float32": lambda: layers.Dense(1, kernel_initializer="ones")(np.ones((1, 2))),
        "integer input": lambda: layers.Dense(1, kernel_initializer="ones")(tf.constant([[1, 2]])).dtype,
        "dtype": lambda: layers.Dense(1, dtype="float64", kernel_initializer="ones")(tf.ones((1, 2), tf.float64)),
        "name": lambda: layers.Dense(1, name="mine").name,
        "path": lambda: [w.path for w in _built(layers.Dense(2, name="mine"), (None, 3)).weights],
        "trainable": lambda: _frozen(layers.Dense(2)),
        "count_params": lambda: built().count_params(),
        "count_params before build": lambda: layers.Dense(2).count_params(),
        "get_weights": lambda: [w.shape for w in built().get_weights()],
        "set_weights": lambda: _set(built(), [np.ones((3, 2)), np.zeros(2)]),
        "set_weights wrong count": lambda: built().set_weights([np.ones((3, 2))]),
        "set_weights wrong shape": lambda: built().set_weights([np.ones((2, 2)), np.zeros(2)]),
        "unchanged after a wrong shape": lambda: _kept(built()),
        "from_config": lambda: layers.Dense.from_config(layers.Dense(3, activation="relu").get_config()).units,
        "regularizer": lambda: _regularised(tf),
        "constraint": lambda: layers.Dense(1, kernel_constraint="non_neg").kernel_constraint.__class__.__name__,
        "empty batch": lambda: layers.Dense(2, kernel_initializer="ones")(tf.zeros((0, 3))),
        "compute_output_shape": lambda: layers.Dense(4).compute_output_shape((None, 3)),
    }


def _built(layer, shape):
    layer.build(shape)
    return layer


def _second_width(tf):
    layer = tf.keras.layers.Dense(2)
    layer(tf.ones((1, 3)))
    return layer(tf.ones((1, 4)))


def _frozen(layer):
    layer.build((None, 3))
    layer.trainable = False
    return [len(layer.trainable_variables), len(layer.non_trainable_variables), len(layer.weights)]


def _set(layer, values):
    layer.set_weights(values)
    return layer.get_weights()


def _kept(layer):
    before = layer.get_weights()
    try:
        layer.set_weights([np.ones((3, 2)), np.zeros(5)])
    except ValueError:
        return bool(np.array_equal(before[1], layer.get_weights()[1]))
    return "no error"


def _regularised(tf):
    layer = tf.keras.layers.Dense(1, kernel_initializer="ones", kernel_regularizer=tf.keras.regularizers.L2(0.5))
    layer(tf.ones((1, 3)))
    return layer.losses


def others(tf):
    layers = tf.keras.layers
    x = tf.constant([[1.0, -2.0], [3.0, -4.0]])

    def embedding():
        layer = layers.Embedding(3, 2, embeddings_initializer="ones")
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(layer(tf.constant([0, 2])) * 3.0)
        return tape.gradient(y, layer.trainable_variables)

    def embedding_bounds():
        layer = layers.Embedding(50, 4)
        layer.build()
        values = np.asarray(layer.embeddings)
        return [values.min() >= -0.05, values.max() <= 0.05, values.shape]

    return {
        "Activation": lambda: layers.Activation("relu")(x),
        "Activation function": lambda: layers.Activation(tf.nn.sigmoid)(x),
        "ReLU": lambda: layers.ReLU()(x),
        "ReLU arguments": lambda: layers.ReLU(max_value=2.0, negative_slope=0.1, threshold=0.5)(x),
        "LeakyReLU": lambda: layers.LeakyReLU()(x),
        "ELU": lambda: layers.ELU()(x),
        "Softmax": lambda: layers.Softmax()(x),
        "Dropout default is inference": lambda: layers.Dropout(0.5)(x),
        "Dropout inference": lambda: layers.Dropout(0.5)(x, training=False),
        "Dropout training scales": lambda: sorted(
            set(layers.Dropout(0.75)(tf.ones(1000), training=True).numpy().tolist())
        ),
        "Dropout zero": lambda: layers.Dropout(0.0)(x, training=True),
        "Dropout too much": lambda: layers.Dropout(1.5),
        "Dropout negative": lambda: layers.Dropout(-0.1),
        "Dropout seed repeats": lambda: bool(
            tf.reduce_all(
                layers.Dropout(0.5, seed=1)(tf.ones(50), training=True)
                == layers.Dropout(0.5, seed=1)(tf.ones(50), training=True)
            )
        ),
        "Dropout calls differ": lambda: _calls_differ(tf, layers.Dropout(0.5)),
        "Flatten": lambda: tf.shape(layers.Flatten()(tf.ones((2, 3, 4)))),
        "Flatten of a vector": lambda: tf.shape(layers.Flatten()(tf.ones(2))),
        "Flatten empty": lambda: tf.shape(layers.Flatten()(tf.ones((0, 3, 4)))),
        "Reshape": lambda: tf.shape(layers.Reshape((4, -1))(tf.ones((2, 8)))),
        "Embedding": lambda: layers.Embedding(3, 2, embeddings_initializer="ones")(tf.constant([[0, 2]])),
        "Embedding gradient": embedding,
        "Embedding bounds": embedding_bounds,
        "Embedding beyond": lambda: layers.Embedding(3, 2)(tf.constant([3])),
        "Embedding of floats": lambda: layers.Embedding(3, 2, embeddings_initializer="ones")(tf.constant([1.0])),
        "Embedding names": lambda: [w.name for w in _built(layers.Embedding(3, 2), (None,)).weights],
        "Identity": lambda: layers.Identity()(x),
        "unknown layer": lambda: layers.Nonsense,
    }


def _calls_differ(tf, layer):
    x = tf.ones(100)
    return bool(tf.reduce_any(layer(x, training=True) != layer(x, training=True)))


def own_layers(tf):
    class Scale(tf.keras.layers.Layer):
        def __init__(self, start=2.0, **keywords):
            super().__init__(**keywords)
            self.start = start

        def build(self, input_shape):
            self.scale = self.add_weight(
                name="scale", shape=(input_shape[-1],), initializer=tf.keras.initializers.Constant(self.start)
            )
            self.seen = self.add_weight(name="seen", shape=(), initializer="zeros", trainable=False)

        def call(self, x, training=False):
            self.seen.assign_add(1.0)
            return x * self.scale if not training else x * self.scale * 10.0

    class Outer(tf.keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.first = Scale(name="first")
            self.rest = [Scale(name="second"), Scale(name="third")]

        def call(self, x):
            x = self.first(x)
            for layer in self.rest:
                x = layer(x)
            return x

    x = tf.constant([[1.0, 2.0]])
    return {
        "call": lambda: Scale()(x),
        "training": lambda: Scale()(x, training=True),
        "state changes": lambda: _called_twice(Scale(), x),
        "variables": lambda: [w.name for w in _built_by_call(Scale(), x).weights],
        "trainable": lambda: [w.name for w in _built_by_call(Scale(), x).trainable_weights],
        "nested variables": lambda: [w.path.split("/", 1)[1] for w in _built_by_call(Outer(), x).trainable_variables],
        "nested call": lambda: Outer()(x),
        "nested freeze": lambda: _nested_freeze(_built_by_call(Outer(), x)),
        "call not implemented": lambda: tf.keras.layers.Layer()(x),
        "name": lambda: Scale(name="mine").name,
        "unknown argument": lambda: Scale(nonsense=1),
        "add_weight defaults": lambda: _plain_weight(tf),
        "variable attribute is tracked": lambda: _tracked(tf),
        "built flag": lambda: [Scale().built, _built_by_call(Scale(), x).built],
        "dtype": lambda: Scale().dtype,
        "losses": lambda: _built_by_call(_with_loss(tf), x).losses,
    }


def _built_by_call(layer, x):
    layer(x)
    return layer


def _called_twice(layer, x):
    layer(x)
    layer(x)
    return float(layer.seen)


def _nested_freeze(layer):
    layer.first.trainable = False
    counts = [len(layer.trainable_weights), len(layer.non_trainable_weights)]
    layer.trainable = False
    return [*counts, len(layer.trainable_weights)]


def _plain_weight(tf):
    weight = tf.keras.layers.Layer().add_weight(shape=(2,), name="w")
    return [weight.name, tuple(weight.shape), weight.trainable]


def _tracked(tf):
    class Holder(tf.keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.kernel = self.add_weight(shape=(1,), initializer="ones", name="kernel")
            self.inner = {"a": tf.keras.layers.Dense(1)}

        def call(self, x):
            return self.inner["a"](x) * self.kernel

    return len(_built_by_call(Holder(), tf.ones((1, 2))).trainable_weights)


def _with_loss(tf):
    class Penalised(tf.keras.layers.Layer):
        def call(self, x):
            self.add_loss(tf.reduce_sum(x))
            return x

    return Penalised()


def sequential(tf):
    layers = tf.keras.layers
    x = tf.constant([[1.0, 2.0, 3.0]])

    def model(**first):
        return tf.keras.Sequential(
            [
                layers.Dense(2, activation="relu", kernel_initializer="ones", name="hidden", **first),
                layers.Dense(1, kernel_initializer="ones", name="out"),
            ],
            name="net",
        )

    def with_input():
        return tf.keras.Sequential([tf.keras.Input((3,)), layers.Dense(2, name="d")], name="net")

    def grown():
        made = tf.keras.Sequential(name="net")
        made.add(layers.Dense(2, kernel_initializer="ones", name="a"))
        made.add(layers.Dense(1, kernel_initializer="ones", name="b"))
        return made(x)

    def popped():
        made = model()
        made.pop()
        return made(x)

    def gradients():
        made = model()
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(made(x))
        return tape.gradient(y, made.trainable_variables)

    def fine_tuned():
        made = model()
        made(x)
        made.layers[0].trainable = False
        return [w.path for w in made.trainable_variables]

    return {
        "call": lambda: model()(x),
        "call of numpy": lambda: model()(np.ones((1, 3))),
        "weights before build": lambda: model().weights,
        "paths": lambda: [w.path for w in _built_by_call(model(), x).weights],
        "names": lambda: [w.name for w in _built_by_call(model(), x).weights],
        "layers": lambda: [layer.name for layer in model().layers],
        "input_shape builds at once": lambda: len(model(input_shape=(3,)).weights),
        "Input builds at once": lambda: [len(with_input().weights), len(with_input().layers)],
        "add": grown,
        "pop": popped,
        "gradients": gradients,
        "get_layer": lambda: model().get_layer("out").name,
        "get_layer by index": lambda: model().get_layer(index=0).name,
        "get_layer unknown": lambda: model().get_layer("nonsense"),
        "fine tuning": fine_tuned,
        "frozen model": lambda: _frozen_model(_built_by_call(model(), x)),
        "same name twice": lambda: refused(
            lambda: tf.keras.Sequential([layers.Dense(1, name="a"), layers.Dense(1, name="a")])(x)
        ),
        "not a layer": lambda: refused(lambda: tf.keras.Sequential([3])),
        "wrong width": lambda: model(input_shape=(3,))(tf.ones((1, 4))),
        "nested list input": lambda: model()([[1.0, 2.0, 3.0]]),
        "count_params": lambda: _built_by_call(model(), x).count_params(),
        "set_weights": lambda: _weights_doubled(_built_by_call(model(), x))(x),
        "set_weights wrong count": lambda: _built_by_call(model(), x).set_weights([np.ones((3, 2))]),
        "output_shape": lambda: model(input_shape=(3,)).output_shape,
        "input_shape": lambda: model(input_shape=(3,)).input_shape,
        "models.Sequential": tf.keras.models.Sequential is tf.keras.Sequential,
        "training reaches the layers": lambda: _training_reaches(tf),
    }


def _frozen_model(model):
    model.trainable = False
    return [len(model.trainable_variables), len(model.non_trainable_variables)]


def _weights_doubled(model):
    model.set_weights([w * 2 for w in model.get_weights()])
    return model


def _training_reaches(tf):
    model = tf.keras.Sequential([tf.keras.layers.Dropout(0.5)])
    x = tf.ones((1, 200))
    return [bool(tf.reduce_all(model(x) == x)), bool(tf.reduce_all(model(x, training=True) == x))]


def own_models(tf):
    class Model(tf.keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden = tf.keras.layers.Dense(2, activation="tanh", kernel_initializer="ones", name="hidden")
            self.drop = tf.keras.layers.Dropout(0.5)
            self.out = tf.keras.layers.Dense(1, kernel_initializer="ones", name="out")

        def call(self, x, training=False):
            return self.out(self.drop(self.hidden(x), training=training))

    x = tf.constant([[0.1, 0.2, 0.3]])

    def step():
        model, optimizer = Model(), tf.keras.optimizers.SGD(0.1)
        for _ in range(3):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(model(x) - 1.0))
            variables = model.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return [loss, *model.get_weights()]

    def two_models():
        a, b = Model(), Model()
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(a(x)) + tf.reduce_sum(b(x) * 2.0)
        variables = a.trainable_variables + b.trainable_variables
        return tape.gradient(loss, variables)

    return {
        "call": lambda: Model()(x),
        "three steps": step,
        "two models": two_models,
        "paths": lambda: [w.path.split("/", 1)[1] for w in _built_by_call(Model(), x).weights],
        "layers": lambda: [layer.name for layer in Model().layers][::2],
        "name": lambda: Model().name.rstrip("_0123456789"),
        "trainable_variables is a list": lambda: type(Model().trainable_variables).__name__,
    }


def initializers(tf):
    i = tf.keras.initializers

    def facts(initializer, shape=(200, 300)):
        return np.asarray(initializer(shape), np.float64)

    def bounded(initializer, bound):
        values = facts(initializer)
        # A draw may round up to the bound in float32.
        return [bool(np.abs(values).max() <= np.float32(bound)), bool(np.abs(values).max() > 0.98 * bound)]

    def deviation(initializer, expected):
        return bool(abs(facts(initializer).std() / expected - 1.0) < 0.03)

    return {
        "Zeros": lambda: tf.convert_to_tensor(i.Zeros()((2,))),
        "Ones": lambda: tf.convert_to_tensor(i.Ones()((2,), dtype="float64")),
        "Constant": lambda: tf.convert_to_tensor(i.Constant(3.5)((2,))),
        "Identity": lambda: tf.convert_to_tensor(i.Identity(gain=2.0)((2, 2))),
        "GlorotUniform": lambda: bounded(i.GlorotUniform(), np.sqrt(6 / 500)),
        "GlorotNormal": lambda: deviation(i.GlorotNormal(), np.sqrt(2 / 500)),
        "HeUniform": lambda: bounded(i.HeUniform(), np.sqrt(6 / 200)),
        "HeNormal": lambda: deviation(i.HeNormal(), np.sqrt(2 / 200)),
        "LecunUniform": lambda: bounded(i.LecunUniform(), np.sqrt(3 / 200)),
        "LecunNormal": lambda: deviation(i.LecunNormal(), np.sqrt(1 / 200)),
        "RandomNormal": lambda: deviation(i.RandomNormal(), 0.05),
        "RandomUniform": lambda: bounded(i.RandomUniform(), 0.05),
        "TruncatedNormal": lambda: bounded(i.TruncatedNormal(), 0.1),
        "VarianceScaling fan_out": lambda: bounded(
            i.VarianceScaling(2.0, "fan_out", "uniform"), np.sqrt(3 * 2.0 / 300)
        ),
        "Orthogonal": lambda: _orthogonal(facts(i.Orthogonal(), (3, 5))),
        "Orthogonal of a vector": lambda: i.Orthogonal()((3,)),
        "seed repeats": lambda: bool(np.array_equal(facts(i.GlorotUniform(seed=1)), facts(i.GlorotUniform(seed=1)))),
        "get": lambda: [type(i.get(name)).__name__ for name in ("zeros", "glorot_uniform", "HeNormal", "orthogonal")],
        "get unknown": lambda: i.get("nonsense"),
        "get None": lambda: i.get(None),
        "config": lambda: i.RandomNormal(stddev=0.5).get_config(),
        "zeros_initializer": lambda: tf.convert_to_tensor(tf.zeros_initializer()((2,))),
        "constant_initializer": lambda: tf.convert_to_tensor(tf.constant_initializer(2.0)((2,))),
        "ones_initializer in a variable": lambda: tf.Variable(tf.ones_initializer()((2,), dtype=tf.float32)),
        "random_normal_initializer": lambda: tf.random_normal_initializer()((2, 3)).shape,
        "dtype": lambda: tf.convert_to_tensor(i.Constant(1.0)((1,), dtype="float64")).dtype,
    }


def _orthogonal(values):
    return bool(np.allclose(values @ values.T, np.eye(len(values)), atol=1e-5))


def utilities(tf):
    k = tf.keras
    return {
        "to_categorical": lambda: k.utils.to_categorical([0, 2], 3),
        "to_categorical without a number": lambda: k.utils.to_categorical([0, 2]),
        "to_categorical beyond": lambda: refused(lambda: k.utils.to_categorical([3], 3)),
        "backend epsilon": lambda: k.backend.epsilon(),
        "floatx": lambda: k.backend.floatx(),
        "set_random_seed": lambda: k.utils.set_random_seed(1),
        "clear_session": lambda: k.backend.clear_session(),
        "L1": lambda: tf.convert_to_tensor(k.regularizers.L1(0.1)(tf.constant([1.0, -2.0]))),
        "L2": lambda: tf.convert_to_tensor(k.regularizers.L2(0.1)(tf.constant([1.0, -2.0]))),
        "L1L2": lambda: tf.convert_to_tensor(k.regularizers.L1L2(0.1, 0.2)(tf.constant([1.0, -2.0]))),
        "regularizer get": lambda: tf.convert_to_tensor(k.regularizers.get("l2")(tf.constant([1.0, -2.0]))),
        "names restart": lambda: _names_restart(tf),
    }


def _names_restart(tf):
    tf.keras.backend.clear_session()
    return [tf.keras.layers.Dense(1).name, tf.keras.layers.Dense(1).name, tf.keras.Sequential().name]
