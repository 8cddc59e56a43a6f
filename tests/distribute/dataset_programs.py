"""Distributed datasets of which TensorFlow's answers are kept: which process gets which elements.

python -m tests.distribute.dataset_programs      # with TensorFlow: asks two of its processes, writes expected/datasets.json
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

EXPECTED = Path(__file__).with_name("expected") / "datasets.json"
SIZES = (2, 3)


def write_files(folder: Path) -> list[str]:
    """Writes four files of 3, 4, 5 and 6 lines; returns their names."""
    names = []
    for number in range(4):
        path = folder / f"f{number}.txt"
        path.write_text("".join(f"f{number}l{line}\n" for line in range(3 + number)))
        names.append(str(path))
    return names


def programs(tf: Any, rank: int, size: int, files: list[str]) -> dict[str, Callable[[Any], Any]]:
    """Returns the programs by name: functions of a strategy that return its distributed dataset."""
    numbers, lines = tf.data.Dataset.range, tf.data.TextLineDataset
    policy = tf.data.experimental.AutoShardPolicy
    found: dict[str, Callable[[Any], Any]] = {}

    def add(name: str, dataset: Callable[[], Any], *policies: Any) -> None:
        for one in policies or (None,):

            def program(strategy: Any, one: Any = one) -> Any:
                options = tf.data.Options()
                if one is not None:
                    options.experimental_distribute.auto_shard_policy = one
                return strategy.experimental_distribute_dataset(dataset().with_options(options))

            found[name if one is None else f"{name}, {one.name}"] = program

    add("10 in batches of 4", lambda: numbers(10).batch(4))
    add("9 in batches of 4", lambda: numbers(9).batch(4), policy.AUTO, policy.DATA, policy.OFF)
    add("11 in batches of 5", lambda: numbers(11).batch(5), policy.AUTO, policy.OFF)
    add("no remainder", lambda: numbers(11).batch(5, drop_remainder=True), policy.AUTO, policy.OFF)
    add("batches of 1", lambda: numbers(3).batch(1))
    add("map after batch", lambda: numbers(9).batch(5).map(lambda x: x * 10).prefetch(2), policy.AUTO, policy.OFF)
    add("map before batch", lambda: numbers(9).map(lambda x: x * 10).batch(4))
    add("filter", lambda: numbers(13).filter(lambda x: x % 3 > 0).batch(4), policy.AUTO, policy.OFF)
    add("repeat, batch", lambda: numbers(5).repeat(2).batch(4), policy.AUTO, policy.OFF)
    add("batch, repeat", lambda: numbers(5).batch(4).repeat(2), policy.AUTO, policy.OFF)
    add("take", lambda: numbers(9).batch(4).take(2), policy.AUTO, policy.OFF)
    add("skip", lambda: numbers(9).batch(4).skip(1), policy.AUTO, policy.OFF)
    add("concatenate", lambda: numbers(9).batch(4).concatenate(numbers(3).batch(4)), policy.AUTO, policy.OFF)
    add("zip", lambda: tf.data.Dataset.zip((numbers(9).batch(4), numbers(9, 18).batch(4))), policy.AUTO, policy.OFF)
    add("cache", lambda: numbers(9).cache().batch(4), policy.AUTO, policy.OFF)
    add("padded batch", lambda: numbers(9).map(lambda x: tf.reshape(x, [1])).padded_batch(4, [2]), policy.AUTO)
    add("shard by hand", lambda: numbers(9).shard(size, rank).batch(4), policy.OFF)
    every = (policy.AUTO, policy.FILE, policy.DATA, policy.OFF)
    add("3 files", lambda: lines(files[:3]).batch(4), *every)
    add("4 files", lambda: lines(files).batch(3), *every)
    add("mapped lines", lambda: lines(files).map(lambda line: (line, line)).batch(4), *every)
    slices = tf.data.Dataset.from_tensor_slices
    add("interleaved files", lambda: slices(files).interleave(lines, cycle_length=2).batch(4), *every)
    add("flat files", lambda: slices(files).flat_map(lines).batch(4).repeat(2), *every)
    found["from function"] = lambda strategy: strategy.distribute_datasets_from_function(
        lambda context: numbers(3 + 2 * context.input_pipeline_id).batch(context.get_per_replica_batch_size(2 * size))
    )
    return found


def answers(tf: Any, strategy: Any, rank: int, size: int, files: list[str]) -> dict[str, list[Any]]:
    """Returns for each program the batches of this process."""
    return {
        name: [_as_lists(batch) for batch in program(strategy)]
        for name, program in programs(tf, rank, size, files).items()
    }


def _as_lists(batch: Any) -> Any:
    if isinstance(batch, tuple):
        return [_as_lists(part) for part in batch]
    values = getattr(batch, "values", None)  # of TensorFlow's PerReplica
    value = (batch if values is None else values[0]).numpy()
    return [item.decode() if isinstance(item, bytes) else item for item in value.tolist()]


def _ask_tensorflow(rank: int, size: int, port: int, folder: str) -> None:
    workers = [f"localhost:{port + number}" for number in range(size)]
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": rank}})
    import tensorflow as tf

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    found = answers(tf, strategy, rank, size, sorted(map(str, Path(folder).glob("f*.txt"))))
    (Path(folder) / f"answers{rank}.json").write_text(json.dumps(found))


def main() -> None:
    """Asks TensorFlow's processes, and writes their answers."""
    if len(sys.argv) > 1:
        _ask_tensorflow(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
        return
    expected: dict[str, Any] = {}
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            write_files(Path(folder))
            command = [sys.executable, "-m", "tests.distribute.dataset_programs"]
            processes = [
                subprocess.Popen([*command, str(rank), str(size), str(23400 + 10 * size), folder])
                for rank in range(size)
            ]
            if sum(process.wait() for process in processes):
                raise SystemExit("TensorFlow failed.")
            parts = [json.loads((Path(folder) / f"answers{rank}.json").read_text()) for rank in range(size)]
            expected[str(size)] = {name: [part[name] for part in parts] for name in parts[0]}
    EXPECTED.write_text(json.dumps(expected, indent=None).replace("]]], ", "]]],\n ") + "\n")


if __name__ == "__main__":
    main()
