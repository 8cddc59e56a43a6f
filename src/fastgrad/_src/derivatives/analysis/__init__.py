"""Analyses of a function in the intermediate representation; they do not change the function."""
