"""Recording: one eager run of a function, written down as a graph."""
