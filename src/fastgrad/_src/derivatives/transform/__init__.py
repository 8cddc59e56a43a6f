"""From a function to its derivative: simplification, the adjoint, both modes, and their text."""
