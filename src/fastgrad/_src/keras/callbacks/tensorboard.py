"""``TensorBoard``: training curves in TensorBoard's event files."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

from fastgrad._src import summary
from fastgrad._src.core.argument_checks import checked_path
from fastgrad._src.core.errors import UnimplementedError
from fastgrad._src.jit.user_lines import warn
from fastgrad._src.keras.callbacks.callback import Callback, Logs
from fastgrad._src.keras.settings import image_data_format
from fastgrad._src.summary import profiler as profiler
from fastgrad._src.summary.values import PluginData, write_value
from fastgrad._src.summary.writers import SummaryWriter, create_file_writer


class TensorBoard(Callback):
    """Writes losses and metrics for TensorBoard to the folders ``train`` and ``validation``.

    Args:
        log_dir: the folder.
        histogram_freq: the number of epochs between histograms of the weights; 0: never.
        write_graph: whether the configuration of a ``Functional`` or ``Sequential`` model is written, for the page of graphs.
        write_images: whether weights are written as pictures, with the histograms.
        embeddings_freq, embeddings_metadata: kept for Keras's signature.
        write_steps_per_second: whether to write the rate of steps.
        update_freq: ``"epoch"``, ``"batch"``, or the number of batches between writes of their loss and metrics.
        profile_batch: the number of the training batch to profile, from 1 on; or the first and the last batch, as a pair or as
            ``"10,20"``; 0: none. The file is that of ``tf.profiler.experimental.stop``, in the folder ``train``.

    Raises:
        UnimplementedError: embeddings.
        ValueError: ``profile_batch`` is no number or range.
        TypeError: ``log_dir`` is not a path.
    """

    keeps = ("_steps",)

    def __init__(
        self,
        log_dir: Any = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: str | int = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ) -> None:
        super().__init__()
        if embeddings_freq:
            raise UnimplementedError(f"TensorBoard: embeddings are not written; use 0. Received: {embeddings_freq=}.")
        self._profiled = _batch_range(profile_batch)
        self._is_profiling = False
        self.log_dir = checked_path("TensorBoard", "log_dir", log_dir)
        self.histogram_freq, self.write_graph = histogram_freq, write_graph
        self.write_images, self.write_steps_per_second = write_images, write_steps_per_second
        self.update_freq: str | int = 1 if update_freq == "batch" else update_freq
        self._steps = 0
        self._writers: dict[str, SummaryWriter] = {}
        self._began = (0.0, 0)

    @property
    def follows_batches(self) -> bool:
        """True if values are written for batches, or batches are counted or profiled."""
        return self.update_freq != "epoch" or self.write_steps_per_second or self._profiled != (0, 0)

    def _writer(self, kind: str) -> SummaryWriter:
        if kind not in self._writers:
            self._writers[kind] = create_file_writer(os.path.join(self.log_dir, kind))
        return self._writers[kind]

    def _write_scalars(self, kind: str, values: dict[str, Any], step: int) -> None:
        if not self._writes_files:
            return
        with self._writer(kind).as_default():
            for name, value in values.items():
                if np.ndim(value) == 0:
                    summary.scalar(name, float(value), step)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._steps = 0
        if self.write_graph and self._writes_files and type(self.model).__name__ in ("Functional", "Sequential"):
            try:
                configuration = self.model.to_json()
            except Exception as error:  # noqa: BLE001  # a configuration that can't be written must not stop a training
                warn(f"Model failed to serialize as JSON. Ignoring... {error}")
                return
            with self._writer("train").as_default():
                write_value("TensorBoard", "keras", configuration, 0, PluginData("graph_keras_model", b"1"))

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        if self._steps + 1 == self._profiled[0] and self._writes_files:
            profiler.start(os.path.join(self.log_dir, "train"))
            self._is_profiling = True
        if self._is_profiling:
            self._marked_batch = profiler.Trace("Profiled batch", step_num=self._steps + 1)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._steps += 1
        if self._is_profiling:
            self._marked_batch.__exit__()
            if self._steps >= self._profiled[1]:
                self._stop_profile()
        if isinstance(self.update_freq, int) and self._steps % self.update_freq == 0:
            self._write_scalars("train", {f"batch_{name}": value for name, value in (logs or {}).items()}, self._steps)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Writes the loss and metrics of an evaluation; the step is the optimizer's iteration."""
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is not None:
            values = {f"evaluation_{name}_vs_iterations": value for name, value in (logs or {}).items()}
            self._write_scalars("validation", values, int(optimizer.iterations))

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._began = time.perf_counter(), self._steps

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        training_values = {f"epoch_{name}": value for name, value in logs.items() if not name.startswith("val_")}
        training_values["epoch_learning_rate"] = float(self.model.optimizer.learning_rate)
        if self.write_steps_per_second:
            start_time, steps = self._began
            training_values["epoch_steps_per_second"] = (self._steps - steps) / (time.perf_counter() - start_time)
        self._write_scalars("train", training_values, epoch)
        validation_values = {
            f"epoch_{name.removeprefix('val_')}": logs[name] for name in logs if name.startswith("val_")
        }
        if validation_values:
            self._write_scalars("validation", validation_values, epoch)
        if self._writes_files and self.histogram_freq and epoch % self.histogram_freq == 0:
            with self._writer("train").as_default():
                for weight in [weight for layer in self.model.layers for weight in layer.weights]:
                    summary.histogram(f"{weight.path}/histogram", weight, epoch)
                    if self.write_images:
                        _write_picture(f"{weight.path}/image", weight.numpy(), epoch)
        for writer in self._writers.values():
            writer.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Closes the event files, and ends a profile whose last batch did not come."""
        if self._is_profiling:
            self._stop_profile()
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _stop_profile(self) -> None:
        self._is_profiling = False
        profiler.stop()


def _write_picture(name: str, weight: np.ndarray, epoch: int) -> None:
    """Writes a weight of up to three dimensions as a picture, or as one for each of its last dimension's elements."""
    weight = np.squeeze(weight)
    if weight.ndim == 1:
        pictures = weight[None, :, None, None]
    elif weight.ndim == 2:
        pictures = (weight.T if weight.shape[0] > weight.shape[1] else weight)[None, :, :, None]
    elif weight.ndim == 3:
        pictures = (weight.transpose(2, 0, 1) if image_data_format() == "channels_last" else weight)[..., None]
    else:
        pictures = weight
    if pictures.ndim == 4 and pictures.shape[-1] in (1, 3, 4):
        summary.image(name, pictures, epoch)


def _batch_range(profile_batch: Any) -> tuple[int, int]:
    """Returns the first and the last batch to profile; ValueError for other values."""
    numbers: Any = (profile_batch, profile_batch) if isinstance(profile_batch, int) else profile_batch
    if isinstance(profile_batch, str):
        parts = profile_batch.split(",")
        numbers = [int(part) for part in parts if part.strip().isdecimal()] if len(parts) == 2 else None
    if isinstance(numbers, (list, tuple)) and len(numbers) == 2 and all(isinstance(n, int) for n in numbers):
        first, last = numbers
        if 0 <= first <= last:
            return first, last
    raise ValueError(
        "TensorBoard: profile_batch must be a number of a batch, at least 0, or two, the second not below the first. "
        f"Received: profile_batch={profile_batch!r}."
    )
