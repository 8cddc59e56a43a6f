"""TensorFlow's raw operations, each composed of public functions; ``table.py`` has the rows."""
