"""Turns a graph into a table of native steps: places of values, kernels, and the function that runs the steps."""
