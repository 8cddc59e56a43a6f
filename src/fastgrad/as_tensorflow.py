"""``python -m fastgrad.as_tensorflow train.py``, ``pytest -p fastgrad.as_tensorflow``, ``install()``: TensorFlow scripts without an edit."""

import sys

from fastgrad._src.commands.as_tensorflow import install as install
from fastgrad._src.commands.as_tensorflow import main as main
from fastgrad._src.commands.as_tensorflow import pytest_addoption as pytest_addoption
from fastgrad._src.commands.as_tensorflow import pytest_load_initial_conftests as pytest_load_initial_conftests

if __name__ == "__main__":
    sys.exit(main())
