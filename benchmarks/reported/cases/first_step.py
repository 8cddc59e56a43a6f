"""From the start of a process to the first trained step of a small model, a whole process."""

from benchmarks.reported.case import FASTGRAD, TENSORFLOW, TORCH, Case
from benchmarks.reported.cases.keras_calls import WEIGHTS

KERAS = """
x, y, *values = arguments(SIZE)
layers = tf.keras.layers
model = tf.keras.Sequential([tf.keras.Input((16,)), layers.Dense(SIZE, activation="relu"), layers.Dense(1)])
model.set_weights(values)
optimizer = tf.keras.optimizers.SGD(0.01)

@tf.function
def step(x, y):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
    optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
    return loss

step(tf.constant(x), tf.constant(y))
print(tf.__version__, float(tf.reduce_sum(model(tf.constant(x)))))
"""
PYTORCH = """
x, y, *values = arguments(SIZE)
model = torch.nn.Sequential(torch.nn.Linear(16, SIZE), torch.nn.ReLU(), torch.nn.Linear(SIZE, 1))
with torch.no_grad():
    for parameter, value in zip(model.parameters(), values, strict=True):
        parameter.copy_(torch.from_numpy(np.ascontiguousarray(value.T)))
optimizer = torch.optim.SGD(model.parameters(), 0.01)
x, y = torch.from_numpy(x), torch.from_numpy(y)
((model(x) - y) ** 2).mean().backward()
optimizer.step()
print(torch.__version__, float(model(x).sum()))
"""

CASES = (
    Case(
        name="first_step",
        title="a process from its start to the first trained step",
        report="tensorflow #37729",
        link="https://github.com/tensorflow/tensorflow/issues/37729",
        story="`import tensorflow` takes four seconds and longer. A short script spends its time in imports, in tracing and in the first call. "
        "fastgrad runs twice: with an empty folder of compiled kernels, and with the folder that this run left.",
        arguments=WEIGHTS
        + """
SIZE = 64
def arguments(size):
    x = np.random.RandomState(0).normal(size=(32, 16)).astype(np.float32)
    return x, x[:, :1] + np.float32(1.0), *weights((16, size), (size,), (size, 1), (1,))
""",
        size=64,
        tiny=64,
        texts={FASTGRAD: KERAS, TENSORFLOW: KERAS, TORCH: PYTORCH},
        contestants=(FASTGRAD, TENSORFLOW, TORCH),
        tolerance=1e-5,
        derivative="",
        whole_process=True,
    ),
)
