"""The names of the classes of which a program has made layers, losses and optimizers: they tell which kernels it will need (`compile_ahead.py`)."""

MADE_CLASSES: set[str] = set()
