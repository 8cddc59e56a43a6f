"""How fast and how large fastgrad is.

The modules here are an asv suite (`make bench`); `python -m benchmarks.peers` compares whole training steps with other
libraries, and `python -m benchmarks.memory` measures resident memory. All data comes from `benchmarks.data`.
"""
