"""What functions of users are: their Python function, what they read, and the formulas of functions of scalars."""
