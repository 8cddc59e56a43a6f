"""The call of a compiled function: its arguments, its captured names, and the choice of the program."""
