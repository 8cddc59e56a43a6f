"""Compiles derivatives, and has the functions that they call at run time."""
