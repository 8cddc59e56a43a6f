"""Functions to differentiate, a module for each family. Each has a dictionary `CASES`."""
