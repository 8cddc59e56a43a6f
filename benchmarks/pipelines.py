"""Data pipelines: an epoch over examples in memory."""

from benchmarks import data

EXAMPLES, FEATURES = 8_192, 64
BATCH = 64


class Epoch:
    """The time of a loop over a dataset, without training."""

    params = (("batch", "shuffle and batch", "map and batch", "batch and map", "batch and prefetch"),)
    param_names = ("pipeline",)
    version = "1"

    def setup(self, pipeline: str) -> None:
        import fastgrad as tf

        x, y = data.uniform(EXAMPLES, FEATURES), data.permutation(EXAMPLES) % 10
        some = tf.data.Dataset.from_tensor_slices((x, y))
        few = some.take(EXAMPLES // 16)  # example by example is slow
        self.dataset = {
            "batch": lambda: some.batch(BATCH),
            "shuffle and batch": lambda: some.shuffle(EXAMPLES, seed=1).batch(BATCH),
            "map and batch": lambda: few.map(lambda x, y: (x * 0.5, y)).batch(BATCH),
            "batch and map": lambda: some.batch(BATCH).map(lambda x, y: (x * 0.5, y)),
            "batch and prefetch": lambda: some.batch(BATCH).prefetch(2),
        }[pipeline]()

    def time_epoch(self, pipeline: str) -> None:
        for _ in self.dataset:
            pass

    def peakmem_epoch(self, pipeline: str) -> None:
        self.time_epoch(pipeline)
