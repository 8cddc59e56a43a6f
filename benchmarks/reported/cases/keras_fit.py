"""`fit` of ten small dense layers with dropout, and the metric AUC."""

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
        derivative=False,
    ),
)
