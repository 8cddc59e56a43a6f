"""Derivatives of GradBench's twelve problems beside those of its tools: `python -m benchmarks.gradbench --gradbench FOLDER`.

GradBench (https://github.com/gradbench/gradbench) compares tools for automatic differentiation. Its problems are written
here again as loops that Numba compiles, and `tool.py` speaks its protocol. Its own tools are not part of this project: the runner
calls those that a copy of it has, C++ programs that its owner has built and Python tools whose libraries are there.

Every tool gets the same inputs, and one thread. The first results are compared as GradBench does, with the tool `manual`:
derivatives in C++ that people wrote. Then the tools alternate, round by round; ratios are taken within each round.

A problem is one file in `problems/`; all that is fastgrad's is in `derivatives.py`.
"""
