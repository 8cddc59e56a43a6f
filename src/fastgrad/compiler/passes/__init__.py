"""Passes on graphs of single operations, a file a pass. `programs/pipeline.py` has the order of all passes."""
