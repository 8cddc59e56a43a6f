"""Kernels that hash: hashes of strings that are TensorFlow's, and hash tables of numbers and of strings."""
