"""The functions of NumPy that derivatives know."""
