"""Damaged and malicious files: each reader gives a clear error or a right result."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("PIL")
pytest.importorskip("h5py")

from tests.reliability.hostile_files import readers  # it imports the two above

ROOT = Path(__file__).parents[3]
FAMILIES = {
    "weights": ["safetensors", "npz", "compressed npz", "checkpoint", "checkpoint state"],
    "training": ["backup of fit"],
    "functions": ["saved model", "saved model of texts"],
    "models of TensorFlow": [
        *("TensorFlow's saved model", "TensorFlow's checkpoint", "data of TensorFlow's checkpoint"),
    ],
    "tables and checkpoints of TensorFlow": [
        *("TensorFlow's saved model with a table", "TensorFlow's checkpoint of objects"),
    ],
    "HDF5": [".h5", ".weights.h5"],
    "HDF5 of Keras": [".h5 of Keras", ".weights.h5 of Keras"],
    "models": [".keras", "model in safetensors", "model in npz", "model in JSON", "object in JSON"],
    "derivatives": ["derivative"],
    "datasets": ["kernel entry", "kernel pack", "dataset index", "dataset elements", "dataset cache"],
    "texts": [
        *("lines", "lines in gzip", "lines in zlib", "CSV", "CSV in gzip", "CSV in zlib", "CSV in batches"),
        *("CSV in batches, gzip", "texts of a folder", "log in CSV", "vocabulary", "notebook"),
    ],
    "records": ["records", "records in gzip", "records in zlib", "example", "tensor", "GFile"],
    "strings": ["records of one length", "records of one length in gzip", "sound", "compressed text"],
    "Parquet": ["Parquet"],
    "images": ["PNG", "JPEG", "GIF", "BMP", "images of a folder", "contents of a JPEG"],
    "archives": ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"],
    "downloads": ["npz of objects", "CIFAR", "Fashion-MNIST", "word numbers"],
}
SHORT = {"truncations": 20, "flips": 30, "mutations": 15, "full": False}
FULL = {"truncations": 1 << 30, "flips": 1 << 30, "mutations": 2000, "full": True}
SLOW = {
    "training": {"truncations": 1000, "mutations": 300},
    "HDF5": {"mutations": 300},
    "HDF5 of Keras": {"mutations": 300},
    "models": {"mutations": 300},
    "tables and checkpoints of TensorFlow": {"truncations": 1000, "flips": 6000, "mutations": 300},
    "models of TensorFlow": {"truncations": 1000, "flips": 6000, "mutations": 300},
}
"""What the long form tries of readers for which a case takes milliseconds."""


def test_every_reader_is_in_a_family():
    assert Counter(name for names in FAMILIES.values() for name in names) == Counter(list(readers.READERS))


@pytest.mark.parametrize("family", FAMILIES)
def test_hostile_files_are_refused_or_read_right(family, full, figure, tmp_path):
    """In a process of its own, which a crash ends and a hang is ended in."""
    if family == "Parquet":
        pytest.importorskip("pyarrow", reason="Parquet files are read by pyarrow, the extra `parquet`")
    task = {"readers": FAMILIES[family], **(FULL | SLOW.get(family, {}) if full else SHORT)}
    command = [sys.executable, "-m", "tests.reliability.hostile_files.worker", str(tmp_path), json.dumps(task)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    case = (tmp_path / "case").read_text().strip() if (tmp_path / "case").exists() else "the first"
    assert done.returncode == 0, f"{case} ended the process with {done.returncode}: {done.stderr[-5000:]}"
    report = json.loads((tmp_path / "report.json").read_text())
    assert not report["failures"], "\n".join(report["failures"][:50])
    counts = report["counts"]
    assert min(counts[kind] for kind in ("truncations", "flips", "mutations", "refused")) > 0
    figure("readers", len(FAMILIES[family]))
    for kind in ("truncations", "flips", "mutations", "attacks"):
        figure(f"files tried: {kind}", counts.get(kind, 0))
    figure("files refused", counts["refused"])
    figure("files read right", counts.get("right", 0))
    figure("files without a checksum read as another text, image or archive", counts.get("changed", 0))
    worst = report["worst"]
    figure("largest memory, in multiples of file and result", worst["multiple"], combine="max")
    figure(
        "largest memory of readers of JSON, in multiples of file and result", worst["multiple of JSON"], combine="max"
    )
