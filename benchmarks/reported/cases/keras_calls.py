"""Calls of small Keras models: `predict` of one row, the model itself, and a small convolutional network."""

from dataclasses import replace

from benchmarks.reported.case import FASTGRAD, TENSORFLOW, TORCH, TORCH_ONE_THREAD, Case

WEIGHTS = """
def weights(*shapes):
    random = np.random.RandomState(1)
    return [(random.normal(size=shape) / np.sqrt(max(1, np.prod(shape[:-1])))).astype(np.float32) for shape in shapes]
"""

ROW = (
    WEIGHTS
    + """
def arguments(size):
    shapes = (4, size), (size,), (size, size), (size,), (size, 2), (2,)
    return np.random.RandomState(0).normal(size=(1, 4)).astype(np.float32), *weights(*shapes)
"""
)
SMALL_MODEL = """
def small_model(size):
    layers = tf.keras.layers
    return tf.keras.Sequential([tf.keras.Input((4,)), layers.Dense(size, "relu"), layers.Dense(size, "relu"), layers.Dense(2)])
"""
PREDICT = (
    SMALL_MODEL
    + """
def make(row, *values):
    model = small_model(values[1].size)
    model.set_weights(values)
    return lambda: model.predict(row, verbose=0)
"""
)
CALL = (
    SMALL_MODEL
    + """
def make(row, *values):
    model = small_model(values[1].size)
    model.set_weights(values)
    return lambda: model(row, training=False).numpy()
"""
)

CNN = (
    WEIGHTS
    + """
def arguments(size):
    shapes = (3, 3, 1, 32), (32,), (3, 3, 32, 64), (64,), (1600, size), (size,), (size, 10), (10,)
    return np.random.RandomState(0).normal(size=(4, 28, 28, 1)).astype(np.float32), *weights(*shapes)
"""
)
CNN_MODEL = """
def cnn(size):
    layers = tf.keras.layers
    return tf.keras.Sequential(
        [tf.keras.Input((28, 28, 1)), layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(), layers.Conv2D(64, 3, activation="relu"),
         layers.MaxPooling2D(), layers.Flatten(), layers.Dense(size, "relu"), layers.Dense(10)]
    )

def make(images, *values):
    model = cnn(values[5].size)
    model.set_weights(values)
    images = tf.constant(images)
    return lambda: model(images, training=False).numpy()
"""
CNN_TORCH = """
class ChannelsLast(torch.nn.Module):
    def forward(self, x):
        return x.permute(0, 2, 3, 1)

def make(images, *values):
    nn = torch.nn
    size = values[5].size
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), ChannelsLast(), nn.Flatten(),
        nn.Linear(1600, size), nn.ReLU(), nn.Linear(size, 10),
    )
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), values, strict=True):
            order = {4: (3, 2, 0, 1), 2: (1, 0)}.get(value.ndim, (0,))
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(value.transpose(order))))
    images = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))

    def call():
        with torch.no_grad():
            return model(images).numpy()

    return call
"""
LINEAR_TORCH = """
def make(row, *values):
    nn = torch.nn
    size = values[1].size
    model = nn.Sequential(nn.Linear(4, size), nn.ReLU(), nn.Linear(size, size), nn.ReLU(), nn.Linear(size, 2))
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), values, strict=True):
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(value.T)))
    row = torch.from_numpy(row)

    def call():
        with torch.no_grad():
            return model(row).numpy()

    return call
"""

PREDICT_CASE = Case(
    name="predict",
    title="`predict` of one row by a model of three small layers",
    report="tensorflow #40261",
    link="https://github.com/tensorflow/tensorflow/issues/40261",
    story="`model.predict` of a small input takes 30 ms since TensorFlow 2.1, twenty times as long as in 2.0; the answer was to call "
    "the model. PyTorch has no `predict`.",
    arguments=ROW,
    size=32,
    tiny=3,
    texts={FASTGRAD: PREDICT, TENSORFLOW: PREDICT},
    contestants=(FASTGRAD, TENSORFLOW),
    tolerance=1e-5,
    derivative="",
)

CASES = (
    PREDICT_CASE,
    replace(
        PREDICT_CASE,
        name="model_call",
        title="a call of the same model without `predict`",
        story="The call that the answers recommend instead of `predict`.",
        texts={FASTGRAD: CALL, TENSORFLOW: CALL, TORCH: LINEAR_TORCH},
        contestants=(FASTGRAD, TENSORFLOW, TORCH, TORCH_ONE_THREAD),
    ),
    Case(
        name="cnn_call",
        title="an eager call of a convolutional network, four images of 28×28",
        report="keras #22561",
        link="https://github.com/keras-team/keras/issues/22561",
        story="A small convolutional network takes four times as long by Keras on PyTorch as by PyTorch itself, on an Apple GPU.",
        arguments=CNN,
        size=56,
        tiny=2,
        texts={FASTGRAD: CNN_MODEL, TENSORFLOW: CNN_MODEL, TORCH: CNN_TORCH},
        contestants=(FASTGRAD, TENSORFLOW, TORCH, TORCH_ONE_THREAD),
        tolerance=1e-5,
        derivative="",
    ),
)
