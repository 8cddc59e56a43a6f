"""Checkpoints and weight files: many small variables, and few large ones."""

import os
import tempfile

from benchmarks import data

SHAPES = {"200 x (16, 16)": [(16, 16)] * 200, "4 x (1024, 1024)": [(1024, 1024)] * 4}


class Files:
    """The time to write a checkpoint to a temporary folder, and to read it back."""

    params = (tuple(SHAPES),)
    param_names = ("variables",)
    version = "1"

    def setup(self, variables: str) -> None:
        import fastgrad as tf

        self.folder = tempfile.TemporaryDirectory()
        made = [tf.Variable(data.uniform(*shape, seed=seed)) for seed, shape in enumerate(SHAPES[variables])]
        self.checkpoint = tf.train.Checkpoint(variables=made)
        self.prefix = os.path.join(self.folder.name, "saved")
        self.written = self.checkpoint.write(self.prefix)

    def teardown(self, variables: str) -> None:
        self.folder.cleanup()

    def time_write(self, variables: str) -> None:
        self.checkpoint.write(self.prefix)

    def time_read(self, variables: str) -> None:
        self.checkpoint.read(self.written)
