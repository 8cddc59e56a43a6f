"""Files of every layer, from Keras to fastgrad and back."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from fastgrad import keras
from tests.keras.saving import every_layer_files

pytest.importorskip("h5py")
ROOT = Path(__file__).parents[3]
REFEREE = os.environ.get("FASTGRAD_REFEREE_PYTHON")
needs_keras = pytest.mark.skipif(not REFEREE, reason="asks real Keras: make conformance")


def in_keras(command, folder):
    program = [REFEREE, "-m", every_layer_files.__name__, command, str(folder)]
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(program, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(folder / "results.npz") as results:
        return dict(results)


def assert_same(found, wanted):
    assert found.keys() == wanted.keys()
    wrong = [name for name in wanted if not np.allclose(found[name], wanted[name], rtol=2e-5, atol=2e-6)]
    assert wrong == []


@needs_keras
def test_kerass_files_are_read(tmp_path):
    wanted = in_keras("write", tmp_path)
    assert_same(every_layer_files.read(keras, tmp_path), wanted)


@needs_keras
def test_keras_reads_ours(tmp_path):
    wanted = every_layer_files.write(keras, tmp_path)
    assert_same(in_keras("read", tmp_path), wanted)


def test_there_and_back(tmp_path):
    wanted = every_layer_files.write(keras, tmp_path)
    assert_same(every_layer_files.read(keras, tmp_path), wanted)
