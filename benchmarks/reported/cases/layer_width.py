"""A training step of three dense layers whose middle layer gets one unit wider: no cliff, and no thread that does not pay."""

from benchmarks.reported.case import FASTGRAD, TORCH, TORCH_ONE_THREAD, Case
from benchmarks.reported.cases.keras_calls import WEIGHTS

ARGUMENTS = (
    WEIGHTS
    + """
def arguments(size):
    shapes = (10, size), (size,), (size, size), (size,), (size, 10), (10,)
    x = np.random.RandomState(0).normal(size=(128, 10)).astype(np.float32)
    return x, x + np.float32(0.01), *weights(*shapes)
"""
)
OURS = """
def make(x, y, *values):
    layers = tf.keras.layers
    size = values[1].size
    model = tf.keras.Sequential([tf.keras.Input((10,)), layers.Dense(size), layers.Dense(size), layers.Dense(10)])
    model.set_weights(values)
    optimizer = tf.keras.optimizers.Adam(0.001)
    x, y = tf.constant(x), tf.constant(y)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
        optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
        return loss

    return step, [float(step()) for _ in range(5)]
"""
THEIRS = """
def make(x, y, *values):
    nn = torch.nn
    size = values[1].size
    model = nn.Sequential(nn.Linear(10, size), nn.Linear(size, size), nn.Linear(size, 10))
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), values, strict=True):
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(value.T)))
    optimizer = torch.optim.Adam(model.parameters(), 0.001)
    x, y = torch.from_numpy(x), torch.from_numpy(y)

    def step():
        optimizer.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step, [step() for _ in range(5)]
"""


def _of_width(width: int, story: str, before: str = "") -> Case:
    return Case(
        name=f"width_{width}",
        title=f"a step of Adam, three dense layers, {width} units, batch of 128",
        report="pytorch #144633",
        link="https://github.com/pytorch/pytorch/issues/144633",
        story=story,
        arguments=ARGUMENTS,
        size=width,
        tiny=3,
        texts={FASTGRAD: OURS, TORCH: THEIRS},
        contestants=(FASTGRAD, TORCH, TORCH_ONE_THREAD),
        tolerance=1e-4,
        derivative="",
        before=before,
    )


CASES = (
    _of_width(
        45,
        "With 46 units instead of 45, training takes nine times as long on sixteen processors, all of which are busy. PyTorch runs "
        "the report's eager step, fastgrad one under `tf.function`.",
    ),
    _of_width(46, "One unit more. CPU time over wall time tells how many threads were busy.", before="width_45"),
)
