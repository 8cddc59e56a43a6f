"""Files of fastgrad 1.0.0rc1 give the results of the functions that they were written from."""

import tarfile
from pathlib import Path

import pytest

import fastgrad as tf
from tests.files.saved_model.earlier_files import models

pytestmark = pytest.mark.filterwarnings("ignore:.*is being recorded")  # for several shapes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("earlier_files")
    with tarfile.open(Path(models.__file__).parent / "files.tar.xz") as archive:
        archive.extractall(path, filter="data")
    return path


@pytest.mark.parametrize("name", models.CASES)
def test_a_file_gives_the_results_of_its_function(folder, name):
    function, _, arguments = models.CASES[name]
    loaded = tf.saved_model.load(folder / name)
    for argument in arguments:
        expected = tf.nest.flatten(function(argument), expand_composites=True)
        results = tf.nest.flatten(loaded.f(argument), expand_composites=True)
        for result, other in zip(results, expected, strict=True):
            tf.debugging.assert_near(tf.cast(result, tf.float32), tf.cast(other, tf.float32), rtol=1e-5)
