"""``pytest -p keras_fastgrad.pytest_plugin`` runs tests of Keras models on fastgrad; those that import ``tensorflow`` get it, too."""

import keras_fastgrad

keras_fastgrad.activate(everywhere=True)
