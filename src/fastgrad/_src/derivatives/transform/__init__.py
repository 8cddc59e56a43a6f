"""Turns a function into its derivative: simplification, the adjoint, both modes, and their source."""
