"""From a graph to a table of native steps: where values lie, which kernels, and the function that runs it."""
