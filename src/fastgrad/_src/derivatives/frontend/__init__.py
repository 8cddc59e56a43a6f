"""Lowers a Python function to the intermediate representation: Numba's type inference, then a rule for each construct."""
