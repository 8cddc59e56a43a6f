"""Keras on fastgrad beside Keras on JAX, TensorFlow and PyTorch, and beside fastgrad.keras: ``python -m benchmarks.keras_backends``."""

import re
from pathlib import Path


def worker_models() -> list[str]:
    """Returns the names of the models, without an import of Keras."""
    text = Path(__file__).with_name("worker.py").read_text(encoding="utf-8")
    return re.findall(r'^    "([^"]+)": \(', text, re.MULTILINE)
