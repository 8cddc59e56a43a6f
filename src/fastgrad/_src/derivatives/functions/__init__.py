"""Users' functions: their Python functions, the values that they read, and the formulas of functions of scalars."""
