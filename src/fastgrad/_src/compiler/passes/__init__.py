"""Passes on graphs of single operations, one pass a file. `programs/pipeline.py` has the order of all passes."""
