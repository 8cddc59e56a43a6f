"""Optimizer updates: of many small variables, where calls dominate, and of a large one, where memory does."""

from benchmarks import data

OPTIMIZERS = (
    "SGD",
    "Adam",
    "AdamW",
    "RMSprop",
    "Adagrad",
    "Adadelta",
    "Adamax",
    "Nadam",
    "Ftrl",
    "Lion",
    "Adafactor",
)
SHAPES = {"64 x (16, 16)": [(16, 16)] * 64, "1 x (1024, 1024)": [(1024, 1024)]}


class Update:
    """The time of one `apply_gradients`."""

    params = (OPTIMIZERS, tuple(SHAPES))
    param_names = ("optimizer", "variables")
    version = "1"

    def setup(self, optimizer: str, variables: str) -> None:
        import fastgrad as tf

        shapes = SHAPES[variables]
        self.variables = [tf.Variable(data.uniform(*shape, seed=seed)) for seed, shape in enumerate(shapes)]
        gradients = [tf.constant(data.uniform(*shape, seed=1000 + seed)) for seed, shape in enumerate(shapes)]
        self.pairs = list(zip(gradients, self.variables, strict=True))
        self.optimizer = getattr(tf.keras.optimizers, optimizer)(1e-3)
        self.time_update(optimizer, variables)

    def time_update(self, optimizer: str, variables: str) -> None:
        self.optimizer.apply_gradients(self.pairs)
