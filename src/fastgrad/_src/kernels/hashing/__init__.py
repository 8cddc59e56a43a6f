"""Kernels of strings: TensorFlow's hashes, parts, characters, numbers; and hash tables of numbers and strings."""
