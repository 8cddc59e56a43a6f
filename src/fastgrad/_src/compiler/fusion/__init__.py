"""Fusion: the choice of operations that become one kernel, and the source of that kernel."""
