"""`fit` of small Keras models: ten dense layers with dropout and the metric AUC; a differential equation, one step an epoch."""

from benchmarks.reported.case import FASTGRAD, TENSORFLOW, Case
from benchmarks.reported.cases.keras_calls import WEIGHTS

FIT = """
def make(x, y, *values):
    keras, layers = tf.keras, tf.keras.layers
    model = keras.Sequential([keras.Input((4,))])
    for _ in range(10):
        model.add(layers.Dense(128, activation="relu"))
        model.add(layers.Dropout(0.1))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(
        keras.optimizers.Adam(0.001),
        keras.losses.BinaryCrossentropy(label_smoothing=0.05),
        metrics=[keras.metrics.AUC(name="auc")],
        jit_compile=False,
    )
    model.set_weights(values)
    before = model.evaluate(x, y, batch_size=500, verbose=0)[0], model.predict(x[:500], verbose=0)
    return lambda: model.fit(x, y, batch_size=500, epochs=1, verbose=0), before
"""

EQUATION = """
def make(points, *values):
    keras, layers = tf.keras, tf.keras.layers
    model = keras.Sequential([keras.Input((1,)), *[layers.Dense(10, activation="tanh") for _ in range(4)], layers.Dense(1)])
    model.set_weights(values)
    points = tf.constant(points)

    class Energy(layers.Layer):
        def __init__(self):
            super().__init__()
            self.solution = model

        def call(self, unused):
            with tf.GradientTape() as tape:
                tape.watch(points)
                u = points * (points - np.pi) * self.solution(points)
            slope = tape.gradient(u, points)
            return tf.reduce_mean(0.5 * slope**2 + 2.0 * tf.sin(2.0 * points) * u) + 0.0 * tf.reduce_sum(unused)

    inputs = keras.Input((1,))
    trained = keras.Model(inputs, Energy()(inputs))
    trained.compile(keras.optimizers.Adam(0.0), loss=lambda wanted, energy: energy)
    x = np.ones((1, 1), np.float32)
    epochs = lambda: np.float32(trained.fit(x, x, epochs=50, verbose=0).history["loss"][-1])
    return epochs, epochs()
"""

CASES = (
    Case(
        name="fit",
        title="an epoch of `fit`: 10 layers of 128 units with dropout, 20,000 rows in batches of 500",
        report="keras #19953",
        link="https://github.com/keras-team/keras/issues/19953",
        story="Training takes longer with Keras 3 than with Keras 2, both on TensorFlow. Dropout draws other numbers in each library, so "
        "what is compared is the loss and the prediction before training.",
        arguments=WEIGHTS
        + """
def arguments(size):
    random = np.random.RandomState(0)
    shapes = [(4, 128), (128,)] + 9 * [(128, 128), (128,)] + [(128, 1), (1,)]
    return random.normal(size=(size, 4)).astype(np.float32), random.randint(0, 2, (size, 1)).astype(np.float32), *weights(*shapes)
""",
        size=20_000,
        tiny=500,
        texts={FASTGRAD: FIT, TENSORFLOW: FIT},
        contestants=(FASTGRAD, TENSORFLOW),
        tolerance=1e-4,
        derivative="",
    ),
    Case(
        name="equation",
        title="50 epochs of `fit`, one step each: five small layers that solve a differential equation",
        report="keras #18648",
        link="https://github.com/keras-team/keras/issues/18648",
        story="A network that solves a differential equation by its energy takes twenty times as long in Keras 3 as in Keras 2: an epoch is one "
        "step, and Keras's own Python is most of it. The learning rate is 0, so that all epochs have the loss that is compared.",
        arguments=WEIGHTS
        + """
def arguments(size):
    shapes = [(1, 10), (10,)] + 3 * [(10, 10), (10,)] + [(10, 1), (1,)]
    return np.linspace(0.0, np.pi, size).astype(np.float32)[:, None], *weights(*shapes)
""",
        size=500,
        tiny=20,
        texts={FASTGRAD: EQUATION, TENSORFLOW: EQUATION},
        contestants=(FASTGRAD, TENSORFLOW),
        tolerance=1e-4,
        derivative="",
    ),
)
