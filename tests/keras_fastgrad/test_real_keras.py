"""``python -m fastgrad.as_tensorflow --real-keras``: ``tensorflow`` gives fastgrad, and ``keras`` the installed Keras on fastgrad."""

import os
import subprocess
import sys
from textwrap import dedent

import pytest

SCRIPT = """
    import sys
    import fastgrad
    import keras
    import tensorflow as tf
    import tensorflow.keras.optimizers as optimizers
    from keras.src.layers import LSTM
    from tensorflow import keras as keras_of_tensorflow
    from tensorflow.keras import layers
    from tensorflow.keras.layers import Dense
    from tensorflow.python.eager import context
    assert keras.__version__.startswith("3.") and keras.backend.backend() == "tensorflow"
    assert tf.keras is keras_of_tensorflow and tf.keras.__version__ == keras.__version__
    assert layers.Dense is Dense is keras.layers.Dense and LSTM is keras.layers.LSTM
    assert optimizers.Adam is keras.optimizers.Adam
    assert isinstance(keras.ops.ones(2), tf.Tensor) and tf.Tensor is fastgrad.Tensor
    assert "tensorflow" not in sys.modules and tf.function is fastgrad.function
    assert context.executing_eagerly() and context._reset_context and tf.__internal__.types.Tensor
    model = tf.keras.Sequential([layers.Input((3,)), layers.Dense(2)])
    model.compile("adam", "mse")
    model.fit(tf.ones((8, 3)), tf.zeros((8, 2)), verbose=0)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(tf.ones((1, 3))))
    assert len(tape.gradient(loss, model.trainable_variables)) == 2
    """


def python(*arguments, folder):
    """Runs Python in a folder; returns its exit status and what it printed."""
    finished = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return finished.returncode, finished.stdout + finished.stderr


def write(file, text):
    file.write_text(dedent(text))


@pytest.mark.parametrize("options", [["train.py"], ["-m", "train"]])
def test_a_script_and_a_module_get_the_installed_keras(tmp_path, options):
    write(tmp_path / "train.py", SCRIPT)
    status, text = python("-m", "fastgrad.as_tensorflow", "--real-keras", *options, folder=tmp_path)
    assert status == 0, text


def test_install_gives_the_installed_keras(tmp_path):
    (tmp_path / "train.py").write_text(
        "from fastgrad.as_tensorflow import install\ninstall(real_keras=True)\ninstall(real_keras=True)\n"
        + dedent(SCRIPT)
    )
    status, text = python("train.py", folder=tmp_path)
    assert status == 0, text


@pytest.mark.parametrize(
    "options", [["pytest", "-p", "fastgrad.as_tensorflow"], ["fastgrad.as_tensorflow", "-m", "pytest"]]
)
def test_tests_get_the_installed_keras(tmp_path, options):
    text = """
        import tensorflow as tf

        def test_it():
            import keras
            assert tf.keras.layers.Dense is keras.layers.Dense
            assert isinstance(keras.ops.ones(2), tf.Tensor)
        """
    write(tmp_path / "test_model.py", text)
    place = options.index("-m") if "-m" in options else len(options)
    words = [
        *options[:place],
        "--real-keras",
        *options[place:],
        "-q",
        "-c",
        os.devnull,
        "--rootdir",
        ".",
        "test_model.py",
    ]
    status, text = python("-m", *words, folder=tmp_path)
    assert status == 0, text
    assert "1 passed" in text


def test_another_package_gets_both(tmp_path):
    library = tmp_path / "lib" / "site-packages"
    library.mkdir(parents=True)
    write(library / "client.py", "import keras\nimport tensorflow as tf\nfrom tensorflow.keras.layers import Dense\n")
    write(library / "other.py", "import keras\ntry:\n    import tensorflow as tf\nexcept ImportError:\n    tf = None\n")
    text = """
        import sys
        sys.path.append("lib/site-packages")
        import client, keras, other, tensorflow as tf
        assert client.tf is tf and client.keras is keras is other.keras and client.Dense is keras.layers.Dense
        assert other.tf is None
        """
    write(tmp_path / "train.py", text)
    words = ["-m", "fastgrad.as_tensorflow", "--real-keras", "--also", "client", "train.py"]
    status, text = python(*words, folder=tmp_path)
    assert status == 0, text


def test_real_keras_after_fastgrads_keras_is_refused(tmp_path):
    code = "from fastgrad.as_tensorflow import install; install(); install(real_keras=True)"
    status, text = python("-c", code, folder=tmp_path)
    assert status == 1
    assert "give real_keras=True to the first call" in text
