"""NumPy's functions of tensors."""
