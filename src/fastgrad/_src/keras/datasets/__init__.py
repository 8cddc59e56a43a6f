"""Data sets that Keras's examples use."""
