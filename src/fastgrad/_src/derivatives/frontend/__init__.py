"""From a Python function to the intermediate representation: Numba's types, and the lowering of each construct."""
